using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// FRFLAGS, FLT or FLE, FSFLAGS: how compilers for RISC-V compare without raising a flag, in front of each square root too. The comparison
/// becomes one that raises none, so that there is nothing to restore; and the register that held the flags meanwhile is often overwritten
/// unread. Reading MXCSR waits for all arithmetic under way, so it is put off: until something reads the register, the block is left, or
/// arithmetic may raise more flags before the register is overwritten. At a fault MXCSR still has them.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The register that is to have the flags, which MXCSR has; 0 for none.</summary>
    private byte _flagsIn;

    /// <summary>The instruction that reads the flags for the comparison behind it.</summary>
    private int _quietAt;

    private void BeginQuietComparisons() => (_flagsIn, _quietAt) = (0, Nowhere);

    private ReadOnlySpan<MicroOp> OpsOf(int instruction)
    {
        int from = _block.Instructions[instruction].Op;
        int to = instruction + 1 < _block.InstructionCount ? _block.Instructions[instruction + 1].Op : _opCount;
        return _ops.AsSpan(from, to - from);
    }

    /// <summary>Whether an instruction needs no code, being the first or last of three.</summary>
    private bool IsOfQuietComparison(int instruction)
    {
        if (_quietAt != Nowhere && instruction == _quietAt + 2)
            return true;
        if (!_map.HasFarVectors || instruction + 2 >= _block.InstructionCount)
            return false;
        ReadOnlySpan<MicroOp> get = OpsOf(instruction), compare = OpsOf(instruction + 1), set = OpsOf(instruction + 2);
        if (get.Length != 2 || get[0] is not { Code: OpCode.ScalarGetControl, Immediate: ScalarForm.ControlFlags } || get[1].Code != OpCode.Move || get[1].A != get[0].Destination
            || compare.Length != 1 || compare[0].Code != OpCode.ScalarCompare || ScalarForm.Kind(compare[0].Immediate) == ScalarForm.Equal
            || set.Length != 1 || set[0] is not { Code: OpCode.ScalarSetControl, Immediate: ScalarForm.ControlFlags })
            return false;
        byte register = get[1].Destination;
        if (set[0].A != register || compare[0].Destination == register)
            return false;
        SettleFlags();
        (_flagsIn, _quietAt) = (register, instruction);
        Unverify(register);
        return true;
    }

    /// <summary>The comparison under way is to raise no flags.</summary>
    private bool IsQuiet => _quietAt != Nowhere && _instruction == _quietAt + 1;

    /// <summary>Before an instruction: puts the flags in their register if it reads that, leaves the block, or may raise others.</summary>
    private void PrepareFlagsIn(int instruction, int from, int to)
    {
        if (_flagsIn == 0 || (instruction > _quietAt && instruction <= _quietAt + 2))
            return;
        bool raises = false;
        for (int at = from; at < to; at++)
        {
            ref MicroOp op = ref _ops[at];
            bool isSideExit = op.Code == OpCode.Branch && to < _opCount;
            bool names = op.A == _flagsIn || op.B == _flagsIn || op.C == _flagsIn || (op.Code >= OpCode.VectorLoad && op.Destination == _flagsIn);
            // A branch's third operand is its condition.
            if (isSideExit ? op.A == _flagsIn : names || IsControl(op.Code) || op.Code is OpCode.ScalarGetControl or OpCode.ScalarSetControl)
            {
                SettleFlags();
                return;
            }
            raises |= op.Code is >= OpCode.ScalarAdd and not (OpCode.ScalarSignInject or OpCode.ScalarBox or OpCode.ScalarClassify);
        }
        if (!raises)
            return;
        if (IsForgotten(instruction, touches: false))
            IsForgotten(instruction, touches: true);
        else
            SettleFlags();
        _flagsIn = 0;
    }

    /// <summary>Behind an instruction: it may have overwritten the register.</summary>
    private void NoteFlagsIn(int instruction, int from, int to)
    {
        for (int at = from; at < to && _flagsIn != 0 && instruction != _quietAt; at++)
        {
            if (_ops[at].Destination == _flagsIn)
                _flagsIn = 0;
        }
    }

    private void SettleFlags()
    {
        if (_flagsIn != 0)
            StoreFlags(_flagsIn);
        _flagsIn = 0;
    }

    private void StoreFlags(byte register)
    {
        ReadScalarFlags();
        HostRegister host = HostOf(register);
        if (host == HostRegister.None)
            _asm.Store(SlotOf(register), RegisterMap.Work, 3);
        else
            _asm.Move(host, RegisterMap.Work);
    }

    /// <summary>
    /// From an instruction on: whether the register is overwritten before anybody can see it. Loads in between could fault; they are made
    /// here for the first time, where the flags are still known.
    /// </summary>
    private bool IsForgotten(int instruction, bool touches)
    {
        const int farthest = 16;
        ulong written = 0;
        for (int i = instruction; i < Math.Min(_block.InstructionCount, instruction + farthest); i++)
        {
            bool overwrites = false;
            foreach (ref readonly MicroOp op in OpsOf(i))
            {
                bool isVector = op.Code >= OpCode.VectorLoad;
                if (op.Code is OpCode.Load or OpCode.LoadSigned or OpCode.VectorLoad)
                {
                    if (op.A >= FirstTemporary || op.A == _flagsIn || (op.Destination == _flagsIn && !isVector) || ((written >> op.A) & 1) != 0 || (Bit(op.A) & _narrow) != 0)
                        return false;
                    if (touches)
                        _asm.Load(RegisterMap.Work, GuestOperand(op.A, op.Immediate, _block.Instructions[instruction].Op), op.Size);
                }
                else if (isVector ? !IsHarmless(op) : !BlockSimplifier.IsPure(op) || op.A == _flagsIn || op.B == _flagsIn || op.C == _flagsIn)
                {
                    return false;
                }
                if (isVector || op.Destination >= FirstTemporary)
                    continue;
                written |= 1ul << op.Destination;
                overwrites |= op.Destination == _flagsIn;
            }
            if (overwrites)
                return true;
        }
        return false;
    }

    /// <summary>Arithmetic on doubles that is never left to the interpreter.</summary>
    private bool IsHarmless(in MicroOp op) => IsDouble(op.Size) && (op.Code == OpCode.ScalarSignInject
        || (op.Code is OpCode.ScalarAdd or OpCode.ScalarSubtract or OpCode.ScalarMultiply or OpCode.ScalarDivide or OpCode.ScalarSquareRoot && HasRounding(op)));
}
