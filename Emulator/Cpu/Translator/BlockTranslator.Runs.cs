using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Loops that copy memory through registers: four loads, side by side, and as many stores of what they loaded. Processors complete a store or two in
/// a cycle, whatever it stores, so that one of 32 bytes takes the place of four. The scratch vector has the registers' values until the last round of
/// the unrolled loop loads them; ways out take them from there, and the fault map tells of it.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int RunLength = 4;

    /// <summary>The instruction that the run's loads begin at, or <see cref="Nowhere"/>.</summary>
    private int _runAt;

    /// <summary>The registers that the run goes through, a byte each.</summary>
    private uint _run;

    /// <summary>The scratch vector has their values.</summary>
    private bool _isInVector;

    private static Operand RunPlace => Operand.Memory(HostRegister.Rsp, Frame.VectorTemporaries);

    private void PlanRun(int copies)
    {
        (_runAt, _run, _isInVector) = (Nowhere, 0, false);
        if (!_extendsLater || copies == 1 || !Avx.IsSupported)
            return;
        for (int i = 0; i + (2 * RunLength) <= _block.InstructionCount; i++)
        {
            if (!IsRun(i, out uint registers))
                continue;
            if (IsAlone(i, registers))
                _runAt = i;
            break;
        }
        for (int i = 0; i < RunLength && _runAt != Nowhere; i++)
            _run |= (uint)OpsOf(_runAt + i)[0].Destination << (8 * i);
    }

    /// <summary>Whether four loads begin at an instruction, and behind them the stores of what they load.</summary>
    private bool IsRun(int instruction, out uint registers)
    {
        registers = 0;
        if (OpsOf(instruction) is not [{ Code: OpCode.Load, Size: 3, A: < 32 } firstLoad] || OpsOf(instruction + RunLength) is not [{ Code: OpCode.Store, Size: 3, A: < 32 } firstStore])
            return false;
        for (int i = 0; i < RunLength; i++)
        {
            long by = i * sizeof(ulong);
            if (OpsOf(instruction + i) is not [{ Code: OpCode.Load, Size: 3, Destination: > 0 and < 32 } load] || load.A != firstLoad.A || load.Immediate != firstLoad.Immediate + by
                || (registers & Bit(load.Destination)) != 0
                || OpsOf(instruction + RunLength + i) is not [{ Code: OpCode.Store, Size: 3 } store] || store.A != firstStore.A || store.Immediate != firstStore.Immediate + by || store.B != load.Destination)
                return false;
            registers |= Bit(load.Destination);
        }
        return (registers & (Bit(firstLoad.A) | Bit(firstStore.A))) == 0;
    }

    /// <summary>Whether nothing else in the loop uses the registers, or a vector.</summary>
    private bool IsAlone(int run, uint registers)
    {
        for (int i = 0; i < _block.InstructionCount; i++)
        {
            if (i >= run && i < run + (2 * RunLength))
                continue;
            foreach (ref readonly MicroOp op in OpsOf(i))
            {
                if (op.Code == OpCode.Branch)
                    continue;
                bool isKnown = BlockSimplifier.IsPure(op) || op.Code is OpCode.Load or OpCode.LoadSigned or OpCode.Store or OpCode.Jump;
                if (!isKnown || ((Bit(op.Destination) | AllOperands(op)) & registers) != 0)
                    return false;
            }
        }
        return true;
    }

    /// <summary>Emits an instruction of a run, if it is of one: the first load and the first store are made for all. Either faults as a whole, in front of what the others would do.</summary>
    private bool IsOfRun(int instruction)
    {
        if (_runAt == Nowhere || instruction < _runAt || instruction >= _runAt + (2 * RunLength))
            return false;
        int at = _block.Instructions[instruction].Op;
        MicroOp op = _ops[at];
        if (instruction == _runAt)
        {
            _asm.MoveWide(Scratch15, GuestOperand(op.A, op.Immediate, at), stores: false);
            _isInVector = !_isLastCopy;
        }
        if (instruction < _runAt + RunLength)
        {
            if (_isLastCopy)
                EmitLoad(op, at);
            Unverify(op.Destination);
        }
        else if (instruction == _runAt + RunLength)
        {
            _asm.MoveWide(Scratch15, GuestOperand(op.A, op.Immediate, at), stores: true);
            if (_isLastCopy)
                _asm.ClearUpperHalves();
        }
        return true;
    }

    /// <summary>On a way out: puts the values into their registers.</summary>
    private void LoadRun()
    {
        _asm.MoveWide(Scratch15, RunPlace, stores: true);
        _asm.ClearUpperHalves();
        for (int i = 0; i < RunLength; i++)
        {
            byte register = (byte)(_run >> (8 * i));
            HostRegister target = Target(register);
            _asm.Load(target, RunPlace with { Displacement = RunPlace.Displacement + (i * sizeof(ulong)) }, 3);
            if (HostOf(register) == HostRegister.None)
                _asm.Store(SlotOf(register), target, 3);
        }
    }
}
