namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>What is left to do when the host has done an x87 instruction for the guest.</summary>
internal enum X87Finish
{
    /// <summary>The host's top, pushed.</summary>
    Push,

    /// <summary>The top becomes the stack register that bits 8 and up of the scratch register number.</summary>
    Result,

    /// <summary>The same, with an operand behind it that goes.</summary>
    ResultOfTwo,

    /// <summary>The first two, in the other order: of the stack's top and the register that the low bits of the scratch register number.</summary>
    Exchange,

    /// <summary>It was stored.</summary>
    Store,

    /// <summary>The top was compared with memory, and goes.</summary>
    Comparison,

    /// <summary>Two were compared, and go.</summary>
    ComparisonOfTwo,

    /// <summary>The same, into the flags.</summary>
    FlagComparison,
}

/// <summary>
/// Functions for x87 instructions, called by translated code. The guest's stack is in its <see cref="CpuState"/>; an instruction's operands are
/// loaded to the host's, which is empty otherwise, computed with under the guest's control word, and stored. What is not usual (an exception
/// that is not masked, an operand that is empty, a stack that is full) is the interpreter's: the block is left as by a fault. They keep all
/// registers but the work register, and the flags.
/// </summary>
internal sealed unsafe partial class Gate
{
    private const int StateX87 = 3112;
    private const int StateX87Control = 3240;
    private const int StateX87Status = 3242;
    private const int StateX87Tags = 3244;

    private const int ExceptionBits = 0x3F;
    private const int RoundedUp = 0x200;
    private const int OrderBits = 0x4500;
    private const int UsualControl = 0x37F;
    private const int TopShift = 11;
    private const int MostPops = 2;

    /// <summary>Saved by each function, below its return address.</summary>
    private const int X87Saved = 4 * sizeof(long);

    private const int IfZero = 4;
    private const int IfNotZero = 5;
    private const int IfCarry = 2;
    private const int IfNotCarry = 3;

    private readonly nint[] _finishes = new nint[8 * (MostPops + 1)];
    private readonly List<int> _slowJumps = [];

    /// <summary>Loads the guest's top.</summary>
    public nint FetchTop { get; private set; }

    /// <summary>Loads the stack register that the low bits of the scratch register number.</summary>
    public nint FetchOne { get; private set; }

    /// <summary>Loads that, and over it the one that bits 8 and up number.</summary>
    public nint FetchTwo { get; private set; }

    /// <summary>The function that ends an instruction, which pops the guest's stack so many times.</summary>
    public nint Finish(X87Finish kind, int pops) => _finishes[((int)kind * (MostPops + 1)) + pops];

    private static Operand Reg(HostRegister register) => Operand.Of(register);

    private void EmitX87()
    {
        FetchTop = EmitFetch(static gate => gate.LoadStackRegister(shift: -1));
        FetchOne = EmitFetch(static gate => gate.LoadStackRegister(shift: 0));
        FetchTwo = EmitFetch(static gate =>
        {
            gate.CheckStackRegister(shift: 8);
            gate.LoadStackRegister(shift: 0);
            gate.LoadStackRegister(shift: 8);
        });
        for (X87Finish kind = X87Finish.Push; kind <= X87Finish.FlagComparison; kind++)
        {
            int most = kind is X87Finish.Push or X87Finish.Exchange ? 0 : kind == X87Finish.ComparisonOfTwo ? MostPops : 1;
            for (int pops = 0; pops <= most; pops++)
                _finishes[((int)kind * (MostPops + 1)) + pops] = EmitFinish(kind, pops);
        }
    }

    // ---- entry and return ------------------------------------------------------------------------------------------

    private nint BeginX87()
    {
        Align();
        nint start = _asm.RunAddress;
        _slowJumps.Clear();
        _asm.Push(HostRegister.Rax);
        _asm.Byte(0x9F); // LAHF
        _asm.Emit(0x0F90, 0, Reg(HostRegister.Rax)); // SETO AL
        _asm.Push(HostRegister.Rax);
        _asm.Push(HostRegister.Rdx);
        _asm.Push(HostRegister.Rbx);
        _asm.Load(HostRegister.Rdx, FrameAt(Frame.State + X87Saved + sizeof(long)), 3);
        return start;
    }

    private void RestoreX87()
    {
        _asm.Pop(HostRegister.Rbx);
        _asm.Pop(HostRegister.Rdx);
        _asm.Pop(HostRegister.Rax);
        _asm.AluImmediate(0, Reg(HostRegister.Rax), 0x7F, 0); // overflows again if AL was 1
        _asm.Byte(0x9E); // SAHF
        _asm.Pop(HostRegister.Rax);
    }

    private void EndX87()
    {
        RestoreX87();
        _asm.Byte(0xC3);
        foreach (int jump in _slowJumps)
            _asm.Land(jump);
        // As if the instruction had faulted at its call.
        RestoreX87();
        _asm.Pop(RegisterMap.Scratch);
        _asm.AddressOf(RegisterMap.Scratch, Operand.Memory(RegisterMap.Scratch, -1));
        _asm.Jump(FaultExit);
    }

    private void SlowIf(int condition)
    {
        _asm.Byte(0x0F);
        _asm.Byte(0x80 | condition);
        _slowJumps.Add(_asm.Offset);
        _asm.Int32(0);
    }

    /// <summary>With an exception unmasked anything may happen.</summary>
    private void CheckControl()
    {
        _asm.Load(HostRegister.Rax, StateOf(StateX87Control), 1);
        _asm.Emit(0xF7, 2, Reg(HostRegister.Rax)); // NOT
        _asm.Alu(0xF6, 0, Reg(HostRegister.Rax), 0); // TEST
        _asm.Byte(ExceptionBits);
        SlowIf(IfNotZero);
    }

    private static Operand StateOf(int offset) => Operand.Memory(HostRegister.Rdx, offset);

    /// <summary>The guest's control word for the host, when it is not what the host has: and back.</summary>
    private void LoadControl(bool isBack)
    {
        _asm.AluImmediate(7, StateOf(StateX87Control), UsualControl, 1);
        _asm.Byte(0x70 | IfZero);
        int over = _asm.Offset;
        _asm.Byte(0);
        if (isBack)
        {
            _asm.Byte(0x68); // PUSH
            _asm.Int32(UsualControl);
            _asm.Emit(0xD9, 5, FrameAt(0)); // FLDCW
            _asm.Pop(HostRegister.Rax);
        }
        else
            _asm.Emit(0xD9, 5, StateOf(StateX87Control));
        _asm.LandShort(over);
    }

    // ---- operands --------------------------------------------------------------------------------------------------

    private nint EmitFetch(Action<Gate> load)
    {
        nint start = BeginX87();
        CheckControl();
        load(this);
        LoadControl(isBack: false);
        EndX87();
        return start;
    }

    /// <summary>
    /// The number of the physical register, in RAX, of a stack register: that of a byte of the scratch register, or the top. The status word is
    /// in RBX.
    /// </summary>
    private void Number(int shift)
    {
        Top(0);
        if (shift < 0)
            return;
        _asm.Move32(RegisterMap.Work, RegisterMap.Scratch);
        if (shift > 0)
        {
            _asm.Emit(0xC1, 5, Reg(RegisterMap.Work)); // SHR
            _asm.Byte(shift);
        }
        _asm.Alu(0x02, (int)HostRegister.Rax, Reg(RegisterMap.Work), 2); // ADD
        _asm.AluImmediate(4, Reg(HostRegister.Rax), 7, 2);
    }

    private void CheckStackRegister(int shift)
    {
        _asm.Load(HostRegister.Rbx, StateOf(StateX87Status), 1);
        Number(shift);
        _asm.Load(RegisterMap.Work, StateOf(StateX87Tags), 0);
        _asm.Emit(0x0FA3, (int)HostRegister.Rax, Reg(RegisterMap.Work)); // BT
        SlowIf(IfNotCarry);
    }

    private void LoadStackRegister(int shift)
    {
        CheckStackRegister(shift);
        _asm.Emit(0xDB, 5, PhysicalRegister()); // FLD
    }

    /// <summary>The register whose number is in RAX, which changes.</summary>
    private Operand PhysicalRegister()
    {
        _asm.Emit(0xC1, 4, Reg(HostRegister.Rax)); // SHL
        _asm.Byte(4);
        return new Operand(HostRegister.Rdx, HostRegister.Rax, 0, StateX87, IsMemory: true, IsGuest: false);
    }

    // ---- results ---------------------------------------------------------------------------------------------------

    private nint EmitFinish(X87Finish kind, int pops)
    {
        nint start = BeginX87();
        if (kind == X87Finish.Push)
            CheckPush();
        TakeStatus(kind);
        switch (kind)
        {
            case X87Finish.Push:
                Top(-1);
                SetTop();
                StoreResult();
                break;
            case X87Finish.Result or X87Finish.ResultOfTwo:
                Number(shift: 8);
                StoreResult();
                break;
            case X87Finish.Exchange:
                Number(shift: 0);
                _asm.Emit(0xDB, 7, PhysicalRegister()); // FSTP
                Top(0);
                _asm.Emit(0xDB, 7, PhysicalRegister());
                break;
        }
        int left = kind is X87Finish.ComparisonOfTwo or X87Finish.FlagComparison ? 2 : kind is X87Finish.ResultOfTwo or X87Finish.Comparison ? 1 : 0;
        for (; left > 0; left--)
        {
            _asm.Byte(0xDD); // FSTP ST(0)
            _asm.Byte(0xD8);
        }
        if (pops > 0)
            Pop(pops);
        _asm.Store(StateOf(StateX87Status), HostRegister.Rbx, 1);
        LoadControl(isBack: true);
        EndX87();
        return start;
    }

    private void CheckPush()
    {
        CheckControl();
        _asm.Load(HostRegister.Rbx, StateOf(StateX87Status), 1);
        Top(-1);
        _asm.Load(RegisterMap.Work, StateOf(StateX87Tags), 0);
        _asm.Emit(0x0FA3, (int)HostRegister.Rax, Reg(RegisterMap.Work)); // BT
        SlowIf(IfCarry);
    }

    /// <summary>The guest's status word, in RBX, with what the host's tells of the instruction; this has no exceptions any more then.</summary>
    private void TakeStatus(X87Finish kind)
    {
        int replaced = kind switch
        {
            X87Finish.FlagComparison => 0,
            X87Finish.Comparison or X87Finish.ComparisonOfTwo => OrderBits | RoundedUp,
            _ => RoundedUp,
        };
        _asm.Byte(0xDF); // FNSTSW AX
        _asm.Byte(0xE0);
        _asm.Load(HostRegister.Rbx, StateOf(StateX87Status), 1);
        _asm.AluImmediate(4, Reg(HostRegister.Rbx), ~replaced, 2);
        _asm.Move32(RegisterMap.Work, HostRegister.Rax);
        _asm.AluImmediate(4, Reg(RegisterMap.Work), replaced | ExceptionBits, 2);
        _asm.Alu(0x0A, (int)HostRegister.Rbx, Reg(RegisterMap.Work), 2); // OR
        _asm.Alu(0xF6, 0, Reg(HostRegister.Rax), 0); // TEST
        _asm.Byte(ExceptionBits);
        _asm.Byte(0x70 | IfZero);
        _asm.Byte(2);
        _asm.Byte(0xDB); // FNCLEX
        _asm.Byte(0xE2);
    }

    /// <summary>The top's number and some more, in RAX.</summary>
    private void Top(int more)
    {
        _asm.Move32(HostRegister.Rax, HostRegister.Rbx);
        _asm.Emit(0xC1, 5, Reg(HostRegister.Rax)); // SHR
        _asm.Byte(TopShift);
        if (more != 0)
            _asm.AluImmediate(0, Reg(HostRegister.Rax), more, 2);
        _asm.AluImmediate(4, Reg(HostRegister.Rax), 7, 2);
    }

    /// <summary>RAX becomes the top's number in the status word.</summary>
    private void SetTop()
    {
        _asm.AluImmediate(4, Reg(HostRegister.Rbx), ~(7 << TopShift), 2);
        _asm.Move32(RegisterMap.Work, HostRegister.Rax);
        _asm.Emit(0xC1, 4, Reg(RegisterMap.Work)); // SHL
        _asm.Byte(TopShift);
        _asm.Alu(0x0A, (int)HostRegister.Rbx, Reg(RegisterMap.Work), 2);
    }

    /// <summary>The host's top becomes the register whose number is in RAX.</summary>
    private void StoreResult()
    {
        ChangeTag(0x0FAB); // BTS
        _asm.Emit(0xDB, 7, PhysicalRegister()); // FSTP
    }

    private void ChangeTag(int opcode)
    {
        _asm.Load(RegisterMap.Work, StateOf(StateX87Tags), 0);
        _asm.Emit(opcode, (int)HostRegister.Rax, Reg(RegisterMap.Work));
        _asm.Store(StateOf(StateX87Tags), RegisterMap.Work, 0);
    }

    private void Pop(int pops)
    {
        for (int i = 0; i < pops; i++)
        {
            Top(i);
            ChangeTag(0x0FB3); // BTR
        }
        Top(pops);
        SetTop();
    }
}
