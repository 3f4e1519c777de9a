using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Simplifies a lowered block of RISC-V: a rotation made of two shifts and their union, an extension made of two shifts, and writes that are
/// overwritten before anything reads them, with nothing in between at which the block may be left.
/// </summary>
internal sealed class BlockSimplifier
{
    private const int Registers = 32;
    private const int StackPointer = 2;
    private const int None = -1;

    /// <summary>A shift by a constant that a register holds the result of.</summary>
    private readonly record struct Shift(int Instruction, OpCode Code, int Size, int Count, byte Source, int Version, byte Register, int VersionAfter);

    /// <summary>What is to become of an instruction.</summary>
    private enum Fate : byte
    {
        Kept,
        Dropped,
        Replaced,
    }

    private readonly Fate[] _fates = new Fate[LoweredBlock.MostInstructions];
    private readonly MicroOp[] _replacements = new MicroOp[LoweredBlock.MostInstructions];
    private readonly Shift?[] _shifts = new Shift?[Registers];

    /// <summary>How often each register was written, and the last instruction that read it.</summary>
    private readonly int[] _versions = new int[Registers];
    private readonly int[] _lastReads = new int[Registers];
    private MicroOp[] _spare = new MicroOp[256];
    private LoweredBlock _block = null!;
    private int _lastBarrier;
    private bool _hasChanged;

    public void Simplify(LoweredBlock block)
    {
        (_block, _lastBarrier, _hasChanged) = (block, None, false);
        Array.Clear(_fates);
        Array.Clear(_shifts);
        Array.Clear(_versions);
        Array.Fill(_lastReads, None);
        for (int i = 0; i < block.InstructionCount; i++)
            Look(i);
        for (int i = 0; i < block.InstructionCount; i++)
            OrderOperands(i);
        DropDeadWrites();
        if (_hasChanged)
            Rebuild();
    }

    private ReadOnlySpan<MicroOp> OpsOf(int instruction)
    {
        int from = _block.Instructions[instruction].Op;
        int to = instruction + 1 < _block.InstructionCount ? _block.Instructions[instruction + 1].Op : _block.OpCount;
        return _block.Ops.AsSpan(from, to - from);
    }

    /// <summary>What overwrites its second operand becomes what overwrites its first, as the host's instructions do.</summary>
    private void OrderOperands(int instruction)
    {
        int from = _block.Instructions[instruction].Op, count = OpsOf(instruction).Length;
        ref MicroOp op = ref _block.Ops[from];
        if (count > 2 || op.Code is not (OpCode.Add or OpCode.And or OpCode.Or or OpCode.Xor or OpCode.Multiply))
            return;
        byte destination = count == 2 && _block.Ops[from + 1].A == op.Destination ? _block.Ops[from + 1].Destination : op.Destination;
        if (op.B == destination && op.A < Registers)
            (op.A, op.B) = (op.B, op.A);
    }

    // ---- shifts ------------------------------------------------------------------------------------------------------

    private void Look(int instruction)
    {
        ReadOnlySpan<MicroOp> ops = OpsOf(instruction);
        Shift? shift = ShiftOf(instruction, ops);
        if (shift is { } second && TryExtension(second))
            shift = null;
        else if (ops.Length == 1 && ops[0] is { Size: 3, Code: OpCode.Or or OpCode.Xor } union)
            TryRotation(instruction, union);
        Note(instruction, _fates[instruction] == Fate.Replaced ? _replacements.AsSpan(instruction, 1) : ops);
        if (!IsPure(ops))
            _lastBarrier = instruction;
        if (shift is { } noted)
            _shifts[noted.Register] = noted with { VersionAfter = _versions[noted.Register] };
    }

    private void Note(int instruction, ReadOnlySpan<MicroOp> ops)
    {
        foreach (ref readonly MicroOp op in ops)
        {
            for (uint reads = Reads(op); reads != 0; reads &= reads - 1)
                _lastReads[System.Numerics.BitOperations.TrailingZeroCount(reads)] = instruction;
        }
        foreach (ref readonly MicroOp op in ops)
        {
            // A vector's number may be the same.
            if (op.Destination >= Registers)
                continue;
            _versions[op.Destination]++;
            _shifts[op.Destination] = null;
        }
    }

    private Shift? ShiftOf(int instruction, ReadOnlySpan<MicroOp> ops)
    {
        MicroOp op = ops[0];
        if (op.Code is not (OpCode.ShiftLeftImmediate or OpCode.ShiftRightImmediate or OpCode.ShiftRightArithmeticImmediate) || op.A >= Registers)
            return null;
        bool isWord = op.Size == 2 && ops.Length == 2 && ops[1] is { Code: OpCode.SignExtend, Size: 2 } && ops[1].A == op.Destination && ops[1].Destination < Registers;
        if (!isWord && (op.Size != 3 || ops.Length != 1))
            return null;
        byte register = ops[^1].Destination;
        return register == StackPointer ? null : new Shift(instruction, op.Code, op.Size, (int)op.Immediate, op.A, _versions[op.A], register, 0);
    }

    /// <summary>
    /// Whether a shift's source is still what it was. When the shift overwrote it, it will be once the shift is dropped: nothing
    /// but the present instruction may read its result then, which that overwrites.
    /// </summary>
    private bool HasSource(in Shift shift, byte destination, out bool drops)
    {
        drops = shift.Source == shift.Register;
        return drops ? shift.Register == destination && IsOnlyRead(shift) : _versions[shift.Source] == shift.Version;
    }

    private bool IsOnlyRead(in Shift shift) =>
        _versions[shift.Register] == shift.VersionAfter && _lastReads[shift.Register] <= shift.Instruction && _lastBarrier < shift.Instruction;

    /// <summary>A shift to the left and as far to the right.</summary>
    private bool TryExtension(in Shift second)
    {
        if (second.Code == OpCode.ShiftLeftImmediate || _shifts[second.Source] is not { Code: OpCode.ShiftLeftImmediate } first
            || first.Size != second.Size || first.Count != second.Count || !HasSource(first, second.Register, out bool drops))
            return false;
        int size = ((8 << first.Size) - first.Count) switch { 8 => 0, 16 => 1, 32 => 2, _ => None };
        if (size == None || first.Count == 0)
            return false;
        OpCode code = second.Code == OpCode.ShiftRightImmediate ? OpCode.ZeroExtend : OpCode.SignExtend;
        Replace(second.Instruction, new MicroOp { Code = code, Size = (byte)size, Destination = second.Register, A = first.Source });
        if (drops)
            Drop(first);
        return true;
    }

    /// <summary>Shifts of one register by complementary counts.</summary>
    private void TryRotation(int instruction, in MicroOp union)
    {
        if (union.A >= Registers || union.B >= Registers || union.Destination == StackPointer || _shifts[union.A] is not { } left || _shifts[union.B] is not { } right)
            return;
        if (left.Code != OpCode.ShiftLeftImmediate)
            (left, right) = (right, left);
        int bits = 8 << left.Size;
        if (left.Code != OpCode.ShiftLeftImmediate || right.Code != OpCode.ShiftRightImmediate || left.Size != right.Size || left.Count + right.Count != bits
            || left.Count == 0 || right.Count == 0 || left.Source != right.Source || left.Version != right.Version)
            return;
        // One of them may have overwritten the source; the other then was before it.
        Shift? self = left.Source == left.Register ? left : right.Source == right.Register ? right : null;
        if (self is { } overwriting ? !HasSource(overwriting, union.Destination, out _) : _versions[left.Source] != left.Version)
            return;
        Replace(instruction, new MicroOp { Code = OpCode.RotateRightImmediate, Size = (byte)left.Size, Destination = union.Destination, A = left.Source, Immediate = right.Count });
        if (self is { } dropped)
            Drop(dropped);
    }

    private void Replace(int instruction, in MicroOp op)
    {
        (_fates[instruction], _replacements[instruction], _hasChanged) = (Fate.Replaced, op, true);
    }

    private void Drop(in Shift shift)
    {
        _fates[shift.Instruction] = Fate.Dropped;
        _versions[shift.Register]++;
    }

    // ---- dead writes -------------------------------------------------------------------------------------------------

    private void DropDeadWrites()
    {
        uint dead = 0;
        for (int i = _block.InstructionCount - 1; i >= 0; i--)
        {
            ReadOnlySpan<MicroOp> ops = OpsOf(i);
            if (_fates[i] == Fate.Dropped)
                continue;
            if (_fates[i] == Fate.Replaced)
                ops = _replacements.AsSpan(i, 1);
            if (!IsPure(ops))
            {
                dead = 0;
                continue;
            }
            uint written = 0, read = 0;
            foreach (ref readonly MicroOp op in ops)
            {
                written |= Bit(op.Destination);
                read |= Reads(op);
            }
            if (written != 0 && (written & ~dead) == 0)
            {
                (_fates[i], _hasChanged) = (Fate.Dropped, true);
                continue;
            }
            dead = (dead | (written & ~(1u << StackPointer))) & ~read;
        }
    }

    private static uint Bit(byte register) => register < Registers ? (1u << register) & ~1u : 0;

    private static uint Reads(in MicroOp op) => Bit(op.A) | Bit(op.B) | Bit(op.C);

    /// <summary>Neither faults nor leaves the block, and always has host code.</summary>
    private static bool IsPure(ReadOnlySpan<MicroOp> ops)
    {
        foreach (ref readonly MicroOp op in ops)
        {
            if (!IsPure(op))
                return false;
        }
        return true;
    }

    public static bool IsPure(in MicroOp op) => op.Code is OpCode.Nop or OpCode.Move or OpCode.MoveImmediate or OpCode.ZeroExtend or OpCode.SignExtend or OpCode.AddressOf
        or OpCode.Add or OpCode.AddImmediate or OpCode.Subtract or OpCode.SubtractImmediate or OpCode.And or OpCode.AndImmediate or OpCode.Or or OpCode.OrImmediate
        or OpCode.Xor or OpCode.XorImmediate or OpCode.Not or OpCode.Negate or OpCode.Multiply or OpCode.SetCondition
        or (>= OpCode.ShiftLeft and <= OpCode.ShiftRightArithmeticImmediate) or OpCode.RotateRightImmediate;

    // ---- the new block -----------------------------------------------------------------------------------------------

    private void Rebuild()
    {
        const byte temporary = 64;
        int count = 0, limit = _block.OpCount + _block.InstructionCount;
        if (_spare.Length < limit)
            _spare = new MicroOp[2 * limit];
        for (int i = 0, from = 0; i < _block.InstructionCount; i++)
        {
            int to = i + 1 < _block.InstructionCount ? _block.Instructions[i + 1].Op : _block.OpCount, start = count;
            switch (_fates[i])
            {
                case Fate.Dropped:
                    _spare[count++] = new MicroOp { Code = OpCode.Nop };
                    break;
                case Fate.Replaced when _replacements[i] is { Code: OpCode.RotateRightImmediate, Size: 2 } rotation:
                    _spare[count++] = rotation with { Destination = temporary };
                    _spare[count++] = new MicroOp { Code = OpCode.SignExtend, Size = 2, Destination = rotation.Destination, A = temporary };
                    break;
                case Fate.Replaced:
                    _spare[count++] = _replacements[i];
                    break;
                default:
                    _block.Ops.AsSpan(from, to - from).CopyTo(_spare.AsSpan(count));
                    count += to - from;
                    break;
            }
            _block.Instructions[i] = _block.Instructions[i] with { Op = start };
            from = to;
        }
        _spare = _block.ExchangeOps(_spare, count);
        _block.FindLiveFlags();
    }
}
