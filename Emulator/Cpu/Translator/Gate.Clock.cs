namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The time stamp counter, read by calling the host's clock_gettime from translated code.</summary>
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
