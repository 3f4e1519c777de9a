using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The x87 control word, which C libraries and Python's floats change and restore all the time. All else of x87 is the interpreter's.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int ControlAt = 3240, StatusAt = 3242;

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
