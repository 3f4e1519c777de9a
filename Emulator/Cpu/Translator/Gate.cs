using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>What translated code is entered with, besides the guest's registers. Laid out for <see cref="Gate"/>'s code.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Sequential)]
internal struct GateContext
{
    public nint Window;
    public nint JumpTable;
    public ulong JumpMask;

    /// <summary>The budget shifted by <see cref="RegisterMap.BudgetShift"/>, and log2 of the window's size.</summary>
    public long Budget;

    /// <summary>The time stamp counter's function, or 0, and its offset.</summary>
    public nint ClockFunction;
    public long ClockOffset;

    /// <summary>What was in <see cref="RegisterMap.Work"/> when the code was left.</summary>
    public ulong Work;

    /// <summary>The mask of the first jump table; <see cref="JumpMask"/> is the second's.</summary>
    public ulong FirstMask;

    /// <summary>The clock by the processor's counter: <see cref="TickScale"/>, with the offset in its time.</summary>
    public long NegatedStart;
    public ulong TickMultiplier;
    public long StartTime;

    public const int ClockFunctionAt = 32;
    public const int ClockOffsetAt = 40;
    public const int WorkAt = 48;
    public const int FirstMaskAt = 56;
    public const int NegatedStartAt = 64;
    public const int TickMultiplierAt = 72;
    public const int StartTimeAt = 80;
}

/// <summary>
/// The way into translated code and out of it: a function that loads the guest's registers and jumps to a block, and the places
/// that blocks jump to when they end. Also keeps the probe, an address that can be read with nothing readable in the 4 GB
/// behind it: reading there at an offset faults unless the offset is zero.
/// </summary>
internal sealed unsafe partial class Gate
{
    /// <summary>The slot of the state, a temporary's, that parked flags are left in.</summary>
    public const int ParkedFlagsSlot = 254;

    /// <summary>The first of the slots that a fault leaves the scratch vector's 32 bytes in.</summary>
    public const int VectorSlot = 250;

    private const int StateFlags = 3080;
    private const int StatePc = 3072;
    private const int StateFsBase = 3088;
    private const int StateControl = 3104;
    private const int StateVectors = 2048;

    /// <summary>MXCSR as the run-time has it.</summary>
    private const int HostControl = 0x1F80;

    /// <summary>CF, PF, AF, ZF, SF and OF.</summary>
    private const int Arithmetic = 0x8D5;
    private const int OverflowBit = 11;

    // Group 2.
    private const int ShiftLeft = 4, ShiftRight = 5;

    private readonly Assembler _asm = new();

    /// <summary>Bytes that its code takes at most.</summary>
    public const int Size = 8192;

    /// <summary>The gate of an architecture, in its own part of a store's head.</summary>
    public Gate(CodeStore store, RegisterMap map)
    {
        Map = map;
        _asm.Begin(store.Head + ((int)map.Architecture * Size), store.RunOffset);
        EmitExit();
        Align();
        for (byte variant = 0; variant < _lookUps.Length; variant++)
        {
            _lookUps[variant] = EmitLookUp(variant);
            Align();
        }
        EmitReadClock();
        Align();
        FaultExit = _asm.RunAddress;
        // It may have been within an x87 instruction.
        _asm.Byte(0xDB); // FNINIT
        _asm.Byte(0xE3);
        StorePc();
        if (System.Runtime.Intrinsics.X86.Avx.IsSupported)
        {
            _asm.Load(RegisterMap.Scratch, FrameAt(Frame.State), 3);
            _asm.MoveWide(RegisterMap.VectorScratch, Operand.Memory(RegisterMap.Scratch, 8 * VectorSlot), stores: true);
            _asm.ClearUpperHalves();
        }
        // The store's other gates are left by it too.
        _asm.Move(RegisterMap.Scratch, (long)ExitKind.Fault);
        _asm.Jump(FrameAt(Frame.LeaveAddress));
        if (map.Architecture == Architecture.X64)
            EmitX87();
        Align();
        Enter = (delegate* unmanaged<CpuState*, GateContext*, nint, long>)_asm.RunAddress;
        EmitEnter();
        CodeStore.RedirectFaults(FaultExit);
    }

    public RegisterMap Map { get; }

    /// <summary>Enters a block; returns an <see cref="ExitKind"/> and its data.</summary>
    public delegate* unmanaged<CpuState*, GateContext*, nint, long> Enter { get; }

    /// <summary>Where blocks leave: with the program counter in the frame and the exit's code in the scratch register.</summary>
    public nint Exit { get; private set; }

    private readonly LookUp[] _lookUps = new LookUp[ExecutionMode.Interpreted];

    /// <summary>A mode's ways through the jump table with the address in the scratch register.</summary>
    /// <param name="Start">Goes through both tables.</param>
    /// <param name="Miss">Where a jump goes that the first table led to another block, or nowhere: looks in the second one.</param>
    /// <param name="Spent">Where the first place of the first table leads: out, when the budget is spent, or to <paramref name="Miss"/>.</param>
    /// <param name="EmptyEntry">What empty entries of the second table lead to: out.</param>
    public readonly record struct LookUp(nint Start, nint Miss, nint Spent, nint EmptyEntry);

    /// <summary>Nothing for the variant that is never translated.</summary>
    public LookUp LookUpOf(byte variant) => variant < _lookUps.Length ? _lookUps[variant] : default;

    /// <summary>Where the signal handler sends a fault in host code, with the faulting address in the scratch register.</summary>
    public nint FaultExit { get; }

    /// <summary>One for all gates: there is no second place for it below 2 GB.</summary>
    public static int ProbeAddress { get; } = ReserveProbe();

    /// <summary>True when the host has what translated code uses: BMI2, and GS for programs.</summary>
    public static bool IsSupported =>
        System.Runtime.Intrinsics.X86.Bmi2.X64.IsSupported && System.Runtime.Intrinsics.X86.Sse42.IsSupported
        && (LibC.AuxiliaryValue(LibC.HardwareCapabilities2) & LibC.FsGsBase) != 0;

    /// <summary>Where a constant for translated code is; below 2 GB too.</summary>
    public static Operand Constant(HostConstant constant) =>
        Operand.Memory(HostRegister.None, ProbeAddress + sizeof(int) - (int)GuestAddress.PageSize + (16 * (int)constant));

    private const int VectorConstants = 0x800;

    public static Operand Constant(VectorConstant constant) =>
        Operand.Memory(HostRegister.None, ProbeAddress + sizeof(int) - (int)GuestAddress.PageSize + VectorConstants + (16 * (int)constant));

    /// <summary>An access there always faults: how translated code leaves an instruction to the interpreter.</summary>
    public static Operand Fault => Operand.Memory(HostRegister.None, ProbeAddress + (int)GuestAddress.PageSize);

    private const int FlagTables = 0x600;

    /// <summary>Where RISC-V's flags are for each of MXCSR's six, and behind them MXCSR's for each of RISC-V's five: bytes, by an index in a register.</summary>
    public static Operand FlagsOfHost(HostRegister index) => FlagTable(index, 0);

    public static Operand HostFlags(HostRegister index) => FlagTable(index, FlagsOfHostCount);

    private const int FlagsOfHostCount = 64, HostFlagsCount = 32;

    private static Operand FlagTable(HostRegister index, int at) =>
        Operand.Memory(index, ProbeAddress + sizeof(int) - (int)GuestAddress.PageSize + FlagTables + at);

    private static bool WriteConstants(nint place)
    {
        for (uint i = 0; i < FlagsOfHostCount; i++)
            ((byte*)place)[FlagTables + i] = (byte)RiscV.RiscVState.FlagsOf(i);
        for (uint i = 0; i < HostFlagsCount; i++)
            ((byte*)place)[FlagTables + FlagsOfHostCount + i] = (byte)RiscV.RiscVState.HostFlagsOf(i);
        ReadOnlySpan<ulong> values = HostConstants.Values;
        for (int i = 0; i < values.Length; i++)
            ((ulong*)place)[2 * i] = values[i];
        HostConstants.Vectors.CopyTo(new Span<ulong>((byte*)place + VectorConstants, HostConstants.Vectors.Length));
        return true;
    }

    private static int ReserveProbe()
    {
        nuint hole = unchecked((nuint)((1ul << 32) + GuestAddress.PageSize));
        for (nint at = 0x1000_0000; at < 0x7000_0000; at += 0x0800_0000)
        {
            nint place = LibC.Map(at, hole, LibC.ProtectionNone, LibC.MapPrivate | LibC.MapAnonymous | LibC.MapNoReserve | LibC.MapFixedNoReplace, -1, 0);
            if (place == at && LibC.Protect(place, (nuint)GuestAddress.PageSize, LibC.ProtectionRead | LibC.ProtectionWrite) == 0 && WriteConstants(place)
                && LibC.Protect(place, (nuint)GuestAddress.PageSize, LibC.ProtectionRead) == 0)
                return (int)(place + (nint)GuestAddress.PageSize - sizeof(int));
            if (place != LibC.Failed)
                LibC.Unmap(place, hole);
        }
        throw new InvalidOperationException("no room for the probe below 2 GB");
    }

    /// <summary>The guest register in RDI, through which the state is reached.</summary>
    private int InRdi
    {
        get
        {
            for (int i = 0; i < Map.Count; i++)
            {
                if (Map.Host(i) == HostRegister.Rdi)
                    return i;
            }
            throw new InvalidOperationException("no guest register in RDI");
        }
    }

    private static Operand FrameAt(int offset) => Operand.Memory(HostRegister.Rsp, offset);

    private static Operand StateAt(int offset) => Operand.Memory(HostRegister.Rdi, offset);

    private void Align() => _asm.Offset = (_asm.Offset + 15) & ~15;

    private void StorePc() => _asm.Store(FrameAt(Frame.Pc), RegisterMap.Scratch, 3);

    private void Leave(ExitKind kind)
    {
        _asm.Move(RegisterMap.Scratch, (long)kind);
        _asm.Jump(Exit);
    }

    private LookUp EmitLookUp(byte variant)
    {
        const HostRegister entry = HostRegister.R13;
        Span<int> hits = stackalloc int[JumpTable.Ways];
        nint spent = _asm.RunAddress;
        _asm.SignOf(RegisterMap.Work, RegisterMap.Budget);
        _asm.Byte(Assembler.JumpIfCounterIsZero);
        int missAt = _asm.Offset;
        _asm.Byte(0);
        StorePc();
        Leave(ExitKind.Miss);
        _asm.LandShort(missAt);
        nint miss = _asm.RunAddress;
        _asm.Store(FrameAt(Frame.SavedCounter), entry, 3);
        _asm.ExtractBits(entry, RegisterMap.Scratch, FrameAt(Frame.JumpMask));
        _asm.Load(RegisterMap.Work, FrameAt(Frame.JumpTable), 3);
        _asm.AddressOf(entry, Operand.Sum(entry, entry, 0, 0));
        _asm.AddressOf(entry, Operand.Sum(RegisterMap.Work, entry, 3, 0));
        // An entry is the negated address and its host code, so that a sum tells a hit without touching the flags.
        for (int way = 0; way < hits.Length; way++)
        {
            _asm.Load(RegisterMap.Work, Operand.Memory(entry, way * JumpTable.EntrySize), 3);
            _asm.AddressOf(RegisterMap.Work, Operand.Sum(RegisterMap.Work, RegisterMap.Scratch, 0, 0));
            _asm.Byte(Assembler.JumpIfCounterIsZero);
            hits[way] = _asm.Offset;
            _asm.Byte(0);
        }
        _asm.Load(entry, FrameAt(Frame.SavedCounter), 3);
        nint emptyEntry = _asm.RunAddress;
        StorePc();
        Leave(ExitKind.Miss);
        nint found = _asm.RunAddress;
        EmitFound(entry, variant);
        for (int way = 0; way < hits.Length; way++)
        {
            _asm.LandShort(hits[way]);
            _asm.Load(entry, Operand.Memory(entry, (way * JumpTable.EntrySize) + sizeof(long)), 3);
            _asm.Jump(found);
        }
        Align();
        nint start = _asm.RunAddress;
        _asm.JumpThroughTable(JumpTable.FirstPlace(variant), looks: false);
        return new LookUp(start, miss, spent, emptyEntry);
    }

    /// <summary>
    /// An address was found in the second table, its place in the first one being another's. It gets the place: of two that meet there the one that
    /// is seldom sought would keep it else. Not so the place that a spent budget chooses.
    /// </summary>
    private void EmitFound(HostRegister code, byte variant)
    {
        _asm.ExtractBits(RegisterMap.Work, RegisterMap.Scratch, FrameAt(Frame.FirstMask));
        _asm.Byte(Assembler.JumpIfCounterIsZero);
        int isFirst = _asm.Offset;
        _asm.Byte(0);
        _asm.Store(JumpTable.FirstPlace(variant), code, 3);
        _asm.LandShort(isFirst);
        _asm.Move(RegisterMap.Work, code);
        _asm.Load(code, FrameAt(Frame.SavedCounter), 3);
        _asm.Jump(Operand.Of(RegisterMap.Work));
    }

    private void EmitEnter()
    {
        foreach (HostRegister saved in (ReadOnlySpan<HostRegister>)[HostRegister.Rbp, HostRegister.Rbx, HostRegister.R12, HostRegister.R13, HostRegister.R14, HostRegister.R15])
            _asm.Push(saved);
        _asm.Move(HostRegister.Rax, HostRegister.Rsp);
        _asm.AluImmediate(5, Operand.Of(HostRegister.Rsp), Frame.Size + Frame.Alignment, 3);
        _asm.AluImmediate(4, Operand.Of(HostRegister.Rsp), -Frame.Alignment, 3);
        _asm.Store(FrameAt(Frame.CallerStack), HostRegister.Rax, 3);
        _asm.Store(FrameAt(Frame.State), HostRegister.Rdi, 3);
        _asm.Store(FrameAt(Frame.Context), HostRegister.Rsi, 3);
        _asm.Store(FrameAt(Frame.Target), HostRegister.Rdx, 3);
        _asm.Move(HostRegister.Rax, Exit);
        _asm.Store(FrameAt(Frame.LeaveAddress), HostRegister.Rax, 3);
        // The run-time's own; its sticky bits mean nothing to it, and reading them takes as long as twenty stores.
        _asm.StoreImmediate(FrameAt(Frame.HostControl), HostControl, 2);
        LoadContext();
        if (System.Runtime.Intrinsics.X86.Avx.IsSupported)
        {
            // VZEROUPPER: with anything in the upper halves every SSE instruction would have to merge it with its result.
            _asm.Byte(0xC5);
            _asm.Byte(0xF8);
            _asm.Byte(0x77);
        }
        _asm.Emit(0x0FAE, 2, StateAt(StateControl)); // LDMXCSR
        for (int i = Map.Vectors - 1; i >= 0; i--)
        {
            int host = Map.IsPinned(i) ? i : RegisterMap.VectorScratch;
            _asm.Emit(0x0F10, host, StateAt(StateVectors + (16 * i))); // MOVUPS
            if (!Map.IsPinned(i))
                _asm.Emit(0x0F29, host, RegisterMap.VectorSlot(i)); // MOVAPS
        }
        LoadRegisters();
        _asm.Jump(FrameAt(Frame.Target));
    }

    private void LoadContext()
    {
        // Most often the thread has it from the last time; writing takes fifteen times as long as reading.
        const int jumpIfEqual = 0x74, lengthOfWrite = 5;
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsi, 0), 3);
        _asm.Emit(0x0FAE, 1, Operand.Of(HostRegister.Rcx), wide: true, prefix: 0xF3); // RDGSBASE
        _asm.Alu(0x38, (int)HostRegister.Rax, Operand.Of(HostRegister.Rcx), 3); // CMP
        _asm.Byte(jumpIfEqual);
        _asm.Byte(lengthOfWrite);
        _asm.Emit(0x0FAE, 3, Operand.Of(HostRegister.Rax), wide: true, prefix: 0xF3); // WRGSBASE
        Copy(Operand.Memory(HostRegister.Rsi, 8), Frame.JumpTable);
        Copy(Operand.Memory(HostRegister.Rsi, 16), Frame.JumpMask);
        _asm.Load(RegisterMap.Budget, Operand.Memory(HostRegister.Rsi, 24), 3);
        Copy(StateAt(StateFsBase), Frame.FsBase);
        Copy(StateAt(StateFsBase + sizeof(ulong)), Frame.GsBase);
        Copy(Operand.Memory(HostRegister.Rsi, GateContext.FirstMaskAt), Frame.FirstMask);
        _asm.StoreImmediate(FrameAt(Frame.NoMask), 0, 3);

        void Copy(in Operand from, int to)
        {
            _asm.Load(HostRegister.Rax, from, 3);
            _asm.Store(FrameAt(to), HostRegister.Rax, 3);
        }
    }

    private void LoadRegisters()
    {
        for (int i = 0; i < Map.Count; i++)
        {
            if (Map.Host(i) != HostRegister.None)
                continue;
            _asm.Load(HostRegister.Rax, StateAt(8 * i), 3);
            _asm.Store(Map.Slot(i), HostRegister.Rax, 3);
        }
        LoadFlags();
        for (int i = 0; i < Map.Count; i++)
        {
            if (Map.Host(i) != HostRegister.None && Map.Host(i) != HostRegister.Rdi)
                _asm.Load(Map.Host(i), StateAt(8 * i), 3);
        }
        _asm.Load(HostRegister.Rdi, StateAt(8 * InRdi), 3);
    }

    /// <summary>The arithmetic flags by SAHF and an addition: POPF takes ten times as long.</summary>
    private void LoadFlags()
    {
        _asm.Load(HostRegister.Rax, StateAt(StateFlags), 3);
        _asm.Move(HostRegister.Rcx, HostRegister.Rax);
        _asm.AluImmediate(4, Operand.Of(HostRegister.Rcx), ~Arithmetic, 3);
        _asm.Store(FrameAt(Frame.OtherFlags), HostRegister.Rcx, 3);
        _asm.Move32(HostRegister.Rcx, HostRegister.Rax);
        Shift(ShiftLeft, HostRegister.Rcx, 8);
        Shift(ShiftRight, HostRegister.Rax, OverflowBit);
        _asm.AluImmediate(4, Operand.Of(HostRegister.Rax), 1, 2);
        _asm.Alu(0x08, (int)HostRegister.Rcx, Operand.Of(HostRegister.Rax), 2); // OR
        _asm.AluImmediate(0, Operand.Of(HostRegister.Rax), 0x7F, 0); // overflows if AL was 1
        _asm.Byte(0x9E); // SAHF
    }

    /// <summary>RAX and RDX are free; nothing so far has changed the flags.</summary>
    private void StoreFlags()
    {
        _asm.Byte(0x9F); // LAHF
        _asm.Emit(0x0F90, 0, Operand.Of(HostRegister.Rax)); // SETO AL
        _asm.Load(HostRegister.Rdx, Operand.Of(HostRegister.Rax), 0);
        Shift(ShiftLeft, HostRegister.Rdx, OverflowBit);
        Shift(ShiftRight, HostRegister.Rax, 8);
        _asm.AluImmediate(4, Operand.Of(HostRegister.Rax), Arithmetic & byte.MaxValue, 2);
        _asm.Alu(0x08, (int)HostRegister.Rdx, Operand.Of(HostRegister.Rax), 2); // OR
        _asm.Alu(0x0A, (int)HostRegister.Rax, FrameAt(Frame.OtherFlags), 3);
        _asm.Store(StateAt(StateFlags), HostRegister.Rax, 3);
    }

    private void Shift(int operation, HostRegister register, int count)
    {
        _asm.Emit(0xC1, operation, Operand.Of(register));
        _asm.Byte(count);
    }

    private void EmitExit()
    {
        Exit = _asm.RunAddress;
        _asm.Store(FrameAt(Frame.SavedData), HostRegister.Rdi, 3);
        _asm.Load(HostRegister.Rdi, FrameAt(Frame.State), 3);
        for (int i = 0; i < Map.Count; i++)
        {
            if (Map.Host(i) != HostRegister.None && Map.Host(i) != HostRegister.Rdi)
                _asm.Store(StateAt(8 * i), Map.Host(i), 3);
        }
        CopyOut(FrameAt(Frame.SavedData), 8 * InRdi);
        for (int i = 0; i < Map.Count; i++)
        {
            if (Map.Host(i) == HostRegister.None)
                CopyOut(Map.Slot(i), 8 * i);
        }
        StoreFlags();
        for (int i = 0; i < Map.Vectors; i++)
        {
            int host = Map.IsPinned(i) ? i : RegisterMap.VectorScratch;
            if (!Map.IsPinned(i))
                _asm.Emit(0x0F28, host, RegisterMap.VectorSlot(i));
            _asm.Emit(0x0F11, host, StateAt(StateVectors + (16 * i)));
        }
        _asm.Emit(0x0FAE, 3, StateAt(StateControl)); // STMXCSR
        _asm.Emit(0x0FAE, 2, FrameAt(Frame.HostControl)); // LDMXCSR
        CopyOut(FrameAt(Frame.Pc), StatePc);
        CopyOut(FrameAt(Frame.ParkedFlags), 8 * ParkedFlagsSlot);
        _asm.Load(HostRegister.Rsi, FrameAt(Frame.Context), 3);
        _asm.Store(Operand.Memory(HostRegister.Rsi, 24), RegisterMap.Budget, 3);
        _asm.Store(Operand.Memory(HostRegister.Rsi, GateContext.WorkAt), RegisterMap.Work, 3);
        _asm.Move(HostRegister.Rax, RegisterMap.Scratch);
        _asm.Load(HostRegister.Rsp, FrameAt(Frame.CallerStack), 3);
        foreach (HostRegister saved in (ReadOnlySpan<HostRegister>)[HostRegister.R15, HostRegister.R14, HostRegister.R13, HostRegister.R12, HostRegister.Rbx, HostRegister.Rbp])
            _asm.Pop(saved);
        _asm.Byte(0xC3);

        void CopyOut(in Operand from, int to)
        {
            _asm.Load(HostRegister.Rax, from, 3);
            _asm.Store(StateAt(to), HostRegister.Rax, 3);
        }
    }
}
