using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// x87: the host does an instruction between two calls of the gate's functions, which load its operands from the guest's stack and store its
/// result there. And the control word, which C libraries and Python's floats change and restore all the time. Transcendental functions,
/// environments and MMX are the interpreter's.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int ControlAt = 3240, StatusAt = 3242;

    private int EmitX87(in MicroOp op, int at)
    {
        bool isMemory = (X87Operand)op.Size != X87Operand.Register;
        switch (op.Code)
        {
            case OpCode.X87Control:
                return EmitX87Control(op, at);
            case OpCode.X87GetWord:
                _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rsp, Frame.State), 3);
                _asm.Load(RegisterMap.Work, Operand.Memory(RegisterMap.Work, op.Immediate == 0 ? ControlAt : StatusAt), 1);
                Finish(op.Destination, RegisterMap.Work, at);
                return 1;
            case OpCode.X87Load:
                return isMemory ? EmitX87LoadMemory(op, at) : EmitX87Registers(_gate.FetchOne, op.B, 0, 0, 0, X87Finish.Push, 0, at);
            case OpCode.X87Store:
                return isMemory ? EmitX87StoreMemory(op, at) : EmitX87Registers(_gate.FetchTop, 0, op.Destination, 0, 0, X87Finish.Result, op.C & 1, at);
            case OpCode.X87Constant:
                return op.Immediate switch { 0 => EmitX87Constant(0xE8), 6 => EmitX87Constant(0xEE), _ => 0 };
            case OpCode.X87Exchange:
                return EmitX87Registers(_gate.FetchTwo, op.B, 0, 0, 0, X87Finish.Exchange, 0, at);
            case OpCode.X87Arithmetic:
                int operation = (op.C & 7) << 3, pops = op.C >> 7;
                return isMemory
                    ? EmitX87OnMemory(op, op.C & 7, X87Finish.Result, 0, at)
                    : EmitX87Registers(_gate.FetchTwo, op.B, op.Destination, 0xD8, 0xC1 + operation, X87Finish.ResultOfTwo, pops, at);
            case OpCode.X87Compare:
                return EmitX87Compare(op, isMemory, at);
            case OpCode.X87Function:
                return EmitX87Function((X87Function)op.Immediate, at);
            default:
                return 0;
        }
    }

    /// <summary>An instruction on one or two stack registers: <paramref name="second"/> on top, and what becomes the result.</summary>
    private int EmitX87Registers(nint fetch, int first, int second, int opcode, int opcodeOperand, X87Finish finish, int pops, int at)
    {
        AcquireScratch(at);
        _asm.Move(RegisterMap.Scratch, (long)(uint)(first | (second << 8)));
        _asm.Call(fetch);
        if (opcode != 0)
        {
            _asm.Byte(opcode);
            _asm.Byte(opcodeOperand);
        }
        _asm.Call(_gate.Finish(finish, pops));
        return 1;
    }

    private int EmitX87Constant(int opcode)
    {
        _asm.Byte(0xD9);
        _asm.Byte(opcode);
        _asm.Call(_gate.Finish(X87Finish.Push, 0));
        return 1;
    }

    private int EmitX87LoadMemory(in MicroOp op, int at)
    {
        (int opcode, int extension) = (X87Operand)op.Size switch
        {
            X87Operand.Float32 => (0xD9, 0),
            X87Operand.Float64 => (0xDD, 0),
            X87Operand.Float80 => (0xDB, 5),
            X87Operand.Int16 => (0xDF, 0),
            X87Operand.Int32 => (0xDB, 0),
            X87Operand.Int64 => (0xDF, 5),
            _ => (0, 0),
        };
        if (opcode == 0)
            return 0;
        _asm.Emit(opcode, extension, GuestOperand(op.A, op.Immediate, at));
        _asm.Call(_gate.Finish(X87Finish.Push, 0));
        return 1;
    }

    /// <summary>The host always pops.</summary>
    private int EmitX87StoreMemory(in MicroOp op, int at)
    {
        bool truncates = (op.C & 2) != 0;
        (int opcode, int extension) = (X87Operand)op.Size switch
        {
            X87Operand.Float32 => (0xD9, 3),
            X87Operand.Float64 => (0xDD, 3),
            X87Operand.Float80 => (0xDB, 7),
            X87Operand.Int16 => (0xDF, truncates ? 1 : 3),
            X87Operand.Int32 => (0xDB, truncates ? 1 : 3),
            X87Operand.Int64 => truncates ? (0xDD, 1) : (0xDF, 7),
            _ => (0, 0),
        };
        if (opcode == 0)
            return 0;
        Operand to = GuestOperand(op.A, op.Immediate, at);
        _asm.Call(_gate.FetchTop);
        _asm.Emit(opcode, extension, to);
        _asm.Call(_gate.Finish(X87Finish.Store, op.C & 1));
        return 1;
    }

    /// <summary>The top and memory: arithmetic and comparisons, numbered by the reg field.</summary>
    private int EmitX87OnMemory(in MicroOp op, int operation, X87Finish finish, int pops, int at)
    {
        int opcode = (X87Operand)op.Size switch
        {
            X87Operand.Float32 => 0xD8,
            X87Operand.Float64 => 0xDC,
            X87Operand.Int32 => 0xDA,
            X87Operand.Int16 => 0xDE,
            _ => 0,
        };
        if (opcode == 0)
            return 0;
        Operand from = GuestOperand(op.A, op.Immediate, at);
        _asm.Call(_gate.FetchTop);
        _asm.Emit(opcode, operation, from);
        if (finish == X87Finish.Result)
            _asm.Move(RegisterMap.Scratch, 0L);
        _asm.Call(_gate.Finish(finish, pops));
        return 1;
    }

    private int EmitX87Compare(in MicroOp op, bool isMemory, int at)
    {
        const int compare = 2;
        bool isQuiet = (op.C & 4) != 0, intoFlags = (op.C & 8) != 0;
        int pops = op.C & 3;
        if (isMemory)
            return EmitX87OnMemory(op, compare, X87Finish.Comparison, pops, at);
        (int opcode, int operand) = (intoFlags, isQuiet) switch
        {
            (false, false) => (0xD8, 0xD1), // FCOM ST(1)
            (false, true) => (0xDD, 0xE1), // FUCOM
            (true, false) => (0xDB, 0xF1), // FCOMI
            (true, true) => (0xDB, 0xE9), // FUCOMI
        };
        return EmitX87Registers(_gate.FetchTwo, op.B, 0, opcode, operand, intoFlags ? X87Finish.FlagComparison : X87Finish.ComparisonOfTwo, pops, at);
    }

    private int EmitX87Function(X87Function function, int at) => function switch
    {
        X87Function.ChangeSign or X87Function.Absolute or X87Function.SquareRoot or X87Function.RoundToInteger =>
            EmitX87Registers(_gate.FetchTop, 0, 0, 0xD9, (int)function, X87Finish.Result, 0, at),
        X87Function.Test or X87Function.Examine => EmitX87Registers(_gate.FetchTop, 0, 0, 0xD9, (int)function, X87Finish.Comparison, 0, at),
        _ => 0,
    };

    private int EmitX87Control(in MicroOp op, int at) => (X87Control)op.C switch
    {
        X87Control.StoreControl => EmitStoreControl(op, at),
        X87Control.LoadControl => EmitLoadControl(op, at),
        _ => 0,
    };

    private int EmitStoreControl(in MicroOp op, int at)
    {
        Operand to = GuestOperand(op.A, op.Immediate, at);
        _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rsp, Frame.State), 3);
        _asm.Load(RegisterMap.Work, Operand.Memory(RegisterMap.Work, ControlAt), 1);
        _asm.Store(to, RegisterMap.Work, 1);
        return 1;
    }

    /// <summary>
    /// FLDCW of a word that masks all exceptions and has no reserved bits, while none is pending: nothing but the word changes then (SDM
    /// Vol. 1, 8.1.5). A probe faults in other cases.
    /// </summary>
    private int EmitLoadControl(in MicroOp op, int at)
    {
        const int mustBeClear = 0xE080, mustBeSet = 0x7F, errorSummary = 0x80;
        Operand saved = Operand.Memory(HostRegister.Rsp, Frame.SavedData);
        Operand from = GuestOperand(op.A, op.Immediate, at);
        _asm.Load(RegisterMap.Work, from, 1);
        AcquireScratch(at);
        _asm.Store(saved, RegisterMap.Work, 3);
        ProbeWorkBits(mustBeClear);
        _asm.Load(RegisterMap.Work, saved, 3);
        _asm.Emit(0xF7, 2, Operand.Of(RegisterMap.Work), wide: true); // NOT, which leaves the flags alone
        ProbeWorkBits(mustBeSet);
        _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rsp, Frame.State), 3);
        _asm.Load(RegisterMap.Work, Operand.Memory(RegisterMap.Work, StatusAt), 1);
        ProbeWorkBits(errorSummary);
        _asm.Load(RegisterMap.Work, saved, 3);
        _asm.Load(RegisterMap.Scratch, Operand.Memory(HostRegister.Rsp, Frame.State), 3);
        _asm.Store(Operand.Memory(RegisterMap.Scratch, ControlAt), RegisterMap.Work, 1);
        return 1;
    }

    /// <summary>Faults when the work register has any of some bits; changes it and the scratch register.</summary>
    private void ProbeWorkBits(long bits)
    {
        _asm.Move(RegisterMap.Scratch, bits);
        _asm.ExtractBits(RegisterMap.Work, RegisterMap.Work, Operand.Of(RegisterMap.Scratch));
        _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
    }
}
