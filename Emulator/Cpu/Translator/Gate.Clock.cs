namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The world's time stamp counter in translated code: by the processor's own, or, when that was not followed lately, by calling the host's clock_gettime.</summary>
internal sealed unsafe partial class Gate
{
    private const int Monotonic = 1;

    // The stub's own frame; the return address is behind it.
    private const int SavedVectors = 0x00;
    private const int Time = SavedVectors + (16 * (RegisterMap.PinnedVectors + RegisterMap.FirstFarVector));
    private const int SavedFlagBits = Time + 16;
    private const int SavedRegisters = SavedFlagBits + 8;

    /// <summary>With the return address a multiple of 16.</summary>
    private const int ClockFrame = SavedRegisters + (8 * 10);

    /// <summary>
    /// Called by translated code: the time stamp counter, in the scratch register. Only that and the work register change. The context
    /// must have a function.
    /// </summary>
    public nint ReadClock { get; private set; }

    /// <summary>What a called function may change (System V ABI, AMD64, 3.2.1), as far as it is the guest's.</summary>
    private static ReadOnlySpan<HostRegister> CallerSaved =>
        [HostRegister.Rax, HostRegister.Rcx, HostRegister.Rdx, HostRegister.Rsi, HostRegister.Rdi, HostRegister.R8, HostRegister.R9, HostRegister.R10, HostRegister.R11];

    private void EmitReadClock()
    {
        const int nanosecondsPerSecond = 1_000_000_000, returnAddress = 8;
        ReadClock = _asm.RunAddress;
        EmitReadCounter(returnAddress);
        _asm.AddressOf(HostRegister.Rsp, Operand.Memory(HostRegister.Rsp, -ClockFrame));
        for (int i = 0; i < CallerSaved.Length; i++)
            _asm.Store(FrameAt(SavedRegisters + (8 * i)), CallerSaved[i], 3);
        _asm.Byte(0x9F); // LAHF
        _asm.Emit(0x0F90, 0, Operand.Of(HostRegister.Rax)); // SETO AL
        _asm.Store(FrameAt(SavedFlagBits), HostRegister.Rax, 3);
        MoveVectors(0x0F29); // MOVAPS
        _asm.Load(RegisterMap.Scratch, FrameAt(ClockFrame + returnAddress + Frame.Context), 3);
        _asm.Move(HostRegister.Rdi, Monotonic);
        _asm.AddressOf(HostRegister.Rsi, FrameAt(Time));
        _asm.Emit(0xFF, 2, Operand.Memory(RegisterMap.Scratch, GateContext.ClockFunctionAt)); // CALL
        _asm.Load(RegisterMap.Scratch, Operand.Memory(RegisterMap.Scratch, GateContext.ClockOffsetAt), 3);
        _asm.Emit(0x69, (int)HostRegister.Rax, FrameAt(Time), wide: true); // IMUL
        _asm.Int32(nanosecondsPerSecond);
        _asm.Alu(0x02, (int)HostRegister.Rax, FrameAt(Time + 8), 3); // ADD
        _asm.AddressOf(RegisterMap.Scratch, Operand.Sum(RegisterMap.Scratch, HostRegister.Rax, 0, 0));
        MoveVectors(0x0F28);
        _asm.Load(HostRegister.Rax, FrameAt(SavedFlagBits), 3);
        _asm.AluImmediate(0, Operand.Of(HostRegister.Rax), 0x7F, 0); // overflows again if AL was 1
        _asm.Byte(0x9E); // SAHF
        for (int i = 0; i < CallerSaved.Length; i++)
            _asm.Load(CallerSaved[i], FrameAt(SavedRegisters + (8 * i)), 3);
        _asm.AddressOf(HostRegister.Rsp, Operand.Memory(HostRegister.Rsp, ClockFrame));
        _asm.Byte(0xC3);
    }

    /// <summary>RDTSC, scaled, with instructions that leave the flags alone; goes on behind itself when the scale does not reach so far.</summary>
    private void EmitReadCounter(int returnAddress)
    {
        const int half = 32;
        Operand accumulator = FrameAt(returnAddress + Frame.ClockAccumulator), data = FrameAt(returnAddress + Frame.ClockData);
        _asm.Store(accumulator, HostRegister.Rax, 3);
        _asm.Store(data, HostRegister.Rdx, 3);
        _asm.Byte(0x0F); // RDTSC
        _asm.Byte(0x31);
        _asm.RotateRight(HostRegister.Rdx, HostRegister.Rdx, half);
        _asm.AddressOf(HostRegister.Rdx, Operand.Sum(HostRegister.Rdx, HostRegister.Rax, 0, 0));
        _asm.Load(HostRegister.Rax, FrameAt(returnAddress + Frame.Context), 3);
        _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rax, GateContext.NegatedStartAt), 3);
        _asm.AddressOf(HostRegister.Rdx, Operand.Sum(HostRegister.Rdx, RegisterMap.Work, 0, 0));
        _asm.RotateRight(RegisterMap.Work, HostRegister.Rdx, half);
        _asm.Move32(RegisterMap.Work, RegisterMap.Work);
        _asm.Byte(Assembler.JumpIfCounterIsZero);
        int reachedAt = _asm.Offset;
        _asm.Byte(0);
        _asm.Load(HostRegister.Rax, accumulator, 3);
        _asm.Load(HostRegister.Rdx, data, 3);
        _asm.Byte(0xEB); // JMP behind it
        int farAt = _asm.Offset;
        _asm.Byte(0);
        _asm.LandShort(reachedAt);
        _asm.MultiplyWide(RegisterMap.Scratch, HostRegister.Rdx, Operand.Memory(HostRegister.Rax, GateContext.TickMultiplierAt));
        _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rax, GateContext.StartTimeAt), 3);
        _asm.AddressOf(RegisterMap.Scratch, Operand.Sum(RegisterMap.Scratch, RegisterMap.Work, 0, 0));
        _asm.Load(HostRegister.Rax, accumulator, 3);
        _asm.Load(HostRegister.Rdx, data, 3);
        _asm.Byte(0xC3);
        _asm.LandShort(farAt);
    }

    private void MoveVectors(int opcode)
    {
        for (int i = 0, place = SavedVectors; i < Map.Vectors; i++)
        {
            if (!Map.IsPinned(i))
                continue;
            _asm.Emit(opcode, i, FrameAt(place));
            place += 16;
        }
    }
}
