using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Scalar floating point under RISC-V's rules, by the host's instructions of three operands. A single's upper half comes from its
/// first operand, so that it stays boxed; a NaN that comes out is made the canonical one; what the host would get wrong, or what is
/// rare and long, is left to the interpreter by an access that faults.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int ConditionParity = 10;
    private const int ConditionNotParity = 11;
    private const int ConditionBelow = 2;
    private const int ConditionAboveOrEqual = 3;
    private const int ConditionBelowOrEqual = 6;
    private const int ConditionAbove = 7;
    private const int ConditionNotOverflow = 1;
    private const int Scratch15 = RegisterMap.VectorScratch;

    /// <summary>The vectors that are known to hold boxed singles.</summary>
    private ulong _boxed;

    /// <summary>The mode's variant that the block is for.</summary>
    private byte _variant;

    private static bool HasScalars => Avx.IsSupported && Fma.IsSupported;

    private static bool IsDouble(int kind) => kind == (int)LaneKind.Float64;

    private static int ScalarPp(int kind) => IsDouble(kind) ? 3 : 2;

    private int EmitScalar(in MicroOp op, int at)
    {
        if (!HasScalars || !TryFreeFlags(at))
            return 0;
        switch (op.Code)
        {
            case OpCode.ScalarAdd: return EmitScalarBinary(op, 0x58);
            case OpCode.ScalarMultiply: return EmitScalarBinary(op, 0x59);
            case OpCode.ScalarSubtract: return EmitScalarBinary(op, 0x5C);
            case OpCode.ScalarDivide: return EmitScalarBinary(op, 0x5E);
            case OpCode.ScalarSquareRoot: return EmitScalarBinary(op with { B = op.A }, 0x51);
            case OpCode.ScalarMultiplyAdd: return EmitMultiplyAdd(op);
            case OpCode.ScalarMin or OpCode.ScalarMax: return EmitScalarChoice(op);
            case OpCode.ScalarCompare: return EmitScalarCompare(op, at);
            case OpCode.ScalarSignInject: return EmitSignInject(op);
            case OpCode.ScalarConvert: return EmitScalarConvert(op);
            case OpCode.ScalarFromInteger: return EmitScalarFromInteger(op, at);
            case OpCode.ScalarToInteger: return EmitScalarToInteger(op, at);
            case OpCode.ScalarGetControl: return EmitGetFlags(op.Destination, op.Immediate, at);
            case OpCode.ScalarSetControl: return EmitSetFlags(op.A, op.Immediate, at);
            case OpCode.ScalarBox:
                SetBoxed(op.Destination, true);
                int host = IsPinned(op.Destination) ? op.Destination : Scratch15;
                _asm.EmitVex(1, 0, false, 0x56, host, UseVector(op.A), Gate.Constant(HostConstant.SingleBox)); // VORPS
                FinishVector(op.Destination, host);
                return 1;
            default:
                return 0;
        }
    }

    // ---- operands --------------------------------------------------------------------------------------------------

    /// <summary>Whether the host rounds as a micro-op wants it.</summary>
    private bool HasRounding(in MicroOp op)
    {
        long form = op.Immediate & ScalarForm.RoundingMask;
        return form == ScalarForm.Dynamic || (form == (long)RoundingMode.NearestEven && _variant == 0);
    }

    private void SetBoxed(int vector, bool isBoxed)
    {
        ulong bit = 1ul << vector;
        _boxed = isBoxed ? _boxed | bit : _boxed & ~bit;
    }

    /// <summary>A single that has not ones above it reads as a NaN, which the interpreter does.</summary>
    private void RequireBoxed(int vector, int kind)
    {
        if (IsDouble(kind) || (_boxed & (1ul << vector)) != 0)
            return;
        const int half = 32;
        if (IsPinned(vector))
            _asm.Emit(0x0F7E, vector, Operand.Of(RegisterMap.Work), wide: true, prefix: 0x66); // MOVQ
        else
            _asm.Load(RegisterMap.Work, VectorPlace(vector), 3);
        _asm.RotateRight(RegisterMap.Work, RegisterMap.Work, half);
        _asm.Emit(0xF7, 2, Operand.Of(RegisterMap.Work)); // NOT
        _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
        SetBoxed(vector, true);
    }

    private static Operand KindConstant(HostConstant ofDouble, int kind) => Gate.Constant(IsDouble(kind) ? ofDouble : ofDouble + 1);

    private int ScalarTarget(int destination) => IsPinned(destination) ? destination : Scratch15;

    private void FinishScalar(int destination, int host, int kind)
    {
        if (!IsPinned(destination))
            _asm.Emit(0x0F11, host, VectorPlace(destination), prefix: 0xF2); // MOVSD
        else if (host != destination)
            LoadWhole(destination, Operand.Of(host), isAligned: true);
        SetBoxed(destination, !IsDouble(kind));
    }

    /// <summary>A scalar into a host register: from the frame as it was stored there, whose upper half may be old.</summary>
    private void LoadScalar(int host, int vector)
    {
        if (IsPinned(vector))
            LoadWhole(host, Operand.Of(vector), isAligned: true);
        else
            _asm.Emit(0x0F10, host, VectorPlace(vector), prefix: 0xF2); // MOVSD
    }

    private int UseScalar(int vector)
    {
        if (IsPinned(vector))
            return vector;
        LoadScalar(Scratch15, vector);
        return Scratch15;
    }

    private void Unordered(int first, in Operand second, int kind, bool isSignaling = false) =>
        _asm.Emit(isSignaling ? 0x0F2F : 0x0F2E, first, second, prefix: IsDouble(kind) ? 0x66 : 0);

    // ---- arithmetic ------------------------------------------------------------------------------------------------

    private int EmitScalarBinary(in MicroOp op, int opcode)
    {
        if (!HasRounding(op))
            return 0;
        RequireBoxed(op.A, op.Size);
        RequireBoxed(op.B, op.Size);
        int host = ScalarTarget(op.Destination);
        _asm.EmitVex(1, ScalarPp(op.Size), false, opcode, host, UseScalar(op.A), VectorPlace(op.B));
        Canonicalize(host, op.Size);
        FinishScalar(op.Destination, host, op.Size);
        return 1;
    }

    /// <summary>
    /// The three forms: 231 adds to its first operand the product of the others, 132 multiplies it by the last and adds the second. A
    /// NaN is left to the interpreter: infinity times zero raises no flag here when the addend is a NaN.
    /// </summary>
    private int EmitMultiplyAdd(in MicroOp op)
    {
        byte a = op.A, b = op.B, c = op.C;
        if (!IsPinned(a) && IsPinned(b))
            (a, b) = (b, a);
        if (!HasRounding(op))
            return 0;
        RequireBoxed(a, op.Size);
        RequireBoxed(b, op.Size);
        RequireBoxed(c, op.Size);
        int form = ((op.Immediate & ScalarForm.NegateProduct) != 0 ? 4 : 0) + ((op.Immediate & ScalarForm.NegateAddend) != 0 ? 2 : 0);
        const int form132 = 0x99, form231 = 0xB9;
        if (HasAsides && IsPinned(a) && IsPinned(op.Destination) && op.Destination != a && op.Destination != b)
        {
            // In its place; where that overwrites the addend, it is kept for the interpreter.
            bool overwrites = op.Destination == c;
            LoadScalar(overwrites ? Scratch15 : op.Destination, c);
            _asm.EmitVex(2, 1, IsDouble(op.Size), form231 + form, op.Destination, a, VectorPlace(b));
            Unordered(op.Destination, Operand.Of(op.Destination), op.Size);
            InterpretUnless(ConditionNotParity, overwrites ? op.Destination : None);
            SetBoxed(op.Destination, !IsDouble(op.Size));
            return 1;
        }
        bool isSum = IsPinned(a), borrows = !isSum && !IsPinned(c);
        int second = isSum ? a : borrows ? 0 : c;
        LoadScalar(Scratch15, isSum ? c : a);
        if (borrows)
        {
            // All three are in the frame: one more register is borrowed for the addend.
            _asm.Emit(0x0F29, second, Operand.Memory(HostRegister.Rsp, Frame.VectorTemporaries)); // MOVAPS
            LoadScalar(second, c);
        }
        _asm.EmitVex(2, 1, IsDouble(op.Size), (isSum ? form231 : form132) + form, Scratch15, second, VectorPlace(b));
        if (borrows)
            LoadWhole(second, Operand.Memory(HostRegister.Rsp, Frame.VectorTemporaries), isAligned: true);
        Unordered(Scratch15, Operand.Of(Scratch15), op.Size);
        InterpretUnless(ConditionNotParity);
        FinishScalar(op.Destination, Scratch15, op.Size);
        return 1;
    }

    /// <summary>Of equal numbers both signs are taken together, of NaNs the interpreter chooses.</summary>
    private int EmitScalarChoice(in MicroOp op)
    {
        RequireBoxed(op.A, op.Size);
        RequireBoxed(op.B, op.Size);
        bool isMin = op.Code == OpCode.ScalarMin;
        int first = UseScalar(op.A);
        Unordered(first, VectorPlace(op.B), op.Size);
        InterpretUnless(ConditionNotParity);
        int differ = JumpShort(ConditionNotEqual);
        _asm.EmitVex(1, 0, false, isMin ? 0x56 : 0x54, Scratch15, first, VectorPlace(op.B)); // VORPS, VANDPS
        int done = JumpShort(-1);
        LandShort(differ);
        _asm.EmitVex(1, ScalarPp(op.Size), false, isMin ? 0x5D : 0x5F, Scratch15, first, VectorPlace(op.B));
        LandShort(done);
        FinishScalar(op.Destination, Scratch15, op.Size);
        return 1;
    }

    /// <summary>A is below B when B is above A, which nothing unordered is.</summary>
    private int EmitScalarCompare(in MicroOp op, int at)
    {
        int kind = ScalarForm.Kind(op.Immediate);
        if (kind == ScalarForm.Equal && !_map.HasAccumulator)
            return 0;
        RequireBoxed(op.A, op.Size);
        RequireBoxed(op.B, op.Size);
        FlushDependents(op.Destination, at);
        Operand work = Operand.Of(RegisterMap.Work);
        if (kind == ScalarForm.Equal)
        {
            Unordered(UseScalar(op.A), VectorPlace(op.B), op.Size);
            _asm.Emit(0x0F90 | ConditionNotParity, 0, Operand.Of(HostRegister.Rax), bytes: true);
            _asm.Emit(0x0F90 | ConditionEqual, 0, work, bytes: true);
            _asm.Alu(0x22, (int)RegisterMap.Work, Operand.Of(HostRegister.Rax), 0); // AND
        }
        else
        {
            if (IsQuiet)
                _asm.CompareSilently(UseScalar(op.B), UseScalar(op.A), IsDouble(op.Size));
            else
                Unordered(UseScalar(op.B), VectorPlace(op.A), op.Size, isSignaling: true);
            _asm.Emit(0x0F90 | (kind == ScalarForm.Less ? ConditionAbove : ConditionAboveOrEqual), 0, work, bytes: true);
        }
        HostRegister target = Target(op.Destination);
        _asm.Load(target, work, 0);
        Finish(op.Destination, target, at);
        return 1;
    }

    /// <summary>The bits in which the signs differ, exchanged; of one operand: kept, turned or cleared.</summary>
    private int EmitSignInject(in MicroOp op)
    {
        RequireBoxed(op.A, op.Size);
        RequireBoxed(op.B, op.Size);
        const int and = 0x54, xor = 0x57;
        long kind = ScalarForm.Kind(op.Immediate);
        Operand sign = KindConstant(HostConstant.DoubleSign, op.Size);
        int host = ScalarTarget(op.Destination);
        if (op.A == op.B && kind == ScalarForm.CopySign)
        {
            LoadScalar(host, op.A);
        }
        else if (op.A == op.B)
        {
            bool negates = kind == ScalarForm.NegateSign;
            _asm.EmitVex(1, 0, false, negates ? xor : and, host, UseScalar(op.A), negates ? sign : KindConstant(HostConstant.DoubleMagnitude, op.Size));
        }
        else
        {
            LoadScalar(Scratch15, op.B);
            if (kind != ScalarForm.ExclusiveSign)
                _asm.EmitVex(1, 0, false, xor, Scratch15, Scratch15, VectorPlace(op.A));
            if (kind == ScalarForm.NegateSign)
                _asm.EmitVex(1, 0, false, xor, Scratch15, Scratch15, sign);
            _asm.EmitVex(1, 0, false, and, Scratch15, Scratch15, sign);
            _asm.EmitVex(1, 0, false, xor, host, Scratch15, VectorPlace(op.A));
        }
        FinishScalar(op.Destination, host, op.Size);
        return 1;
    }

    // ---- conversions -----------------------------------------------------------------------------------------------

    /// <summary>What a single is converted into has ones above it; nothing depends on what was there before.</summary>
    private void ClearTarget(int kind)
    {
        if (IsDouble(kind))
            _asm.EmitVex(1, 0, false, 0x57, Scratch15, Scratch15, Operand.Of(Scratch15)); // VXORPS
        else
            _asm.EmitVex(1, 1, false, 0x76, Scratch15, Scratch15, Operand.Of(Scratch15)); // VPCMPEQD
    }

    private int EmitScalarConvert(in MicroOp op)
    {
        if (!IsDouble(op.C) && !HasRounding(op))
            return 0;
        RequireBoxed(op.A, op.Size);
        ClearTarget(op.C);
        _asm.EmitVex(1, ScalarPp(op.Size), false, 0x5A, Scratch15, Scratch15, VectorPlace(op.A)); // VCVTSS2SD, VCVTSD2SS
        Canonicalize(Scratch15, op.C);
        FinishScalar(op.Destination, Scratch15, op.C);
        return 1;
    }

    private int EmitScalarFromInteger(in MicroOp op, int at)
    {
        if (!HasRounding(op))
            return 0;
        bool isUnsigned = (op.Immediate & ScalarForm.Unsigned) != 0;
        Operand from = UseOperand(op.A, op.C, RegisterMap.Work, at);
        if (isUnsigned)
        {
            _asm.Load(RegisterMap.Work, from, op.C);
            from = Operand.Of(RegisterMap.Work);
        }
        ClearTarget(op.Size);
        if (!isUnsigned || op.C == 2)
            FromSigned(op.Size, from, wide: op.C == 3 || isUnsigned);
        else
            FromUnsigned(op.Size);
        FinishScalar(op.Destination, Scratch15, op.Size);
        return 1;
    }

    private void FromSigned(int kind, in Operand from, bool wide) => _asm.EmitVex(1, ScalarPp(kind), wide, 0x2A, Scratch15, Scratch15, from);

    /// <summary>The work register, as half of it when its top bit is set; the bit lost by halving still counts in rounding.</summary>
    private void FromUnsigned(int kind)
    {
        HostRegister low = HostRegister.Rax;
        if (!_map.HasAccumulator)
            _asm.Store(SavedRax, low, 3);
        _asm.Alu(0x84, (int)RegisterMap.Work, Operand.Of(RegisterMap.Work), 3); // TEST
        const int conditionSign = 8;
        int large = JumpShort(conditionSign);
        FromSigned(kind, Operand.Of(RegisterMap.Work), wide: true);
        int done = JumpShort(-1);
        LandShort(large);
        _asm.Move32(low, RegisterMap.Work);
        _asm.AluImmediate(GroupAnd, Operand.Of(low), 1, 2);
        _asm.Emit(0xD1, 5, Operand.Of(RegisterMap.Work), wide: true); // SHR
        _asm.Alu(0x0A, (int)RegisterMap.Work, Operand.Of(low), 3); // OR
        FromSigned(kind, Operand.Of(RegisterMap.Work), wide: true);
        _asm.EmitVex(1, ScalarPp(kind), false, 0x58, Scratch15, Scratch15, Operand.Of(Scratch15));
        LandShort(done);
        if (!_map.HasAccumulator)
            _asm.Load(low, SavedRax, 3);
    }

    private int EmitScalarToInteger(in MicroOp op, int at)
    {
        long rounding = op.Immediate & ScalarForm.RoundingMask;
        bool truncates = rounding == (long)RoundingMode.TowardZero;
        bool isDirected = op.C == 3 && rounding is (long)RoundingMode.Down or (long)RoundingMode.Up;
        bool isUnsigned = (op.Immediate & ScalarForm.Unsigned) != 0;
        if (isUnsigned ? !truncates : !(truncates || isDirected || HasRounding(op)))
            return 0;
        RequireBoxed(op.A, op.Size);
        FlushDependents(op.Destination, at);
        if (isUnsigned)
            ToUnsigned(op);
        else
            ToSigned(op, truncates, isDirected ? (int)rounding : -1);
        if (op.C == 2)
            _asm.LoadSigned(RegisterMap.Work, Operand.Of(RegisterMap.Work), 2);
        Finish(op.Destination, RegisterMap.Work, at);
        return 1;
    }

    /// <summary>The host's "integer indefinite" is the one number whose predecessor overflows.</summary>
    private void ToSigned(in MicroOp op, bool truncates, int direction)
    {
        Operand from = VectorPlace(op.A);
        if (direction >= 0)
        {
            _asm.EmitVex(3, 1, false, IsDouble(op.Size) ? 0x0B : 0x0A, Scratch15, Scratch15, from); // VROUNDSD, VROUNDSS
            _asm.Byte(direction);
            from = Operand.Of(Scratch15);
        }
        Truncate(op.Size, from, wide: op.C == 3, truncates || direction >= 0);
        _asm.AluImmediate(GroupCompare, Operand.Of(RegisterMap.Work), 1, op.C);
        InterpretUnless(ConditionNotOverflow);
    }

    private void Truncate(int kind, in Operand from, bool wide, bool truncates = true) =>
        _asm.Emit(truncates ? 0x0F2C : 0x0F2D, (int)RegisterMap.Work, from, wide, prefix: IsDouble(kind) ? 0xF2 : 0xF3);

    /// <summary>The range is looked at first, since what is out of it must not raise inexact. From 2 to the 63 on the top bit is set apart.</summary>
    private void ToUnsigned(in MicroOp op)
    {
        int value = UseScalar(op.A);
        Unordered(value, KindConstant(HostConstant.DoubleMinusOne, op.Size), op.Size);
        InterpretUnless(ConditionAbove);
        Unordered(value, KindConstant(op.C == 2 ? HostConstant.Double32 : HostConstant.Double64, op.Size), op.Size);
        InterpretUnless(ConditionBelow);
        if (op.C == 2)
        {
            Truncate(op.Size, Operand.Of(value), wide: true);
            return;
        }
        const int topBit = 63;
        Operand limit = KindConstant(HostConstant.Double63, op.Size);
        Unordered(value, limit, op.Size);
        int large = JumpShort(ConditionAboveOrEqual);
        Truncate(op.Size, Operand.Of(value), wide: true);
        int done = JumpShort(-1);
        LandShort(large);
        _asm.EmitVex(1, ScalarPp(op.Size), false, 0x5C, Scratch15, value, limit);
        Truncate(op.Size, Operand.Of(Scratch15), wide: true);
        _asm.Emit(0x0FBA, 7, Operand.Of(RegisterMap.Work), wide: true); // BTC
        _asm.Byte(topBit);
        LandShort(done);
    }
}
