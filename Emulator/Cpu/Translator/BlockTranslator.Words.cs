using System.Numerics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// RISC-V's instructions on words extend the sign of their result, which most often only other instructions on words read. So the extension
/// waits: of a <em>narrow</em> register the low 32 bits are right, and it is extended when something reads more, or the block ends. The fault
/// map tells of those that are narrow.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool _extendsLater;

    /// <summary>The registers whose upper halves are not computed yet.</summary>
    private uint _narrow;

    /// <summary>Those, and others, whose value is a word's with its sign extended.</summary>
    private uint _words;

    /// <summary>Those that the present instruction leaves narrow.</summary>
    private uint _nextNarrow;

    private uint _narrowAtPoll;

    private void BeginWords() =>
        (_extendsLater, _narrow, _words, _nextNarrow, _narrowAtPoll) = (_map.Architecture == Architecture.RiscV64, 0, 0, 0, 0);

    private static uint Bit(byte register) => register < 32 ? 1u << register : 0;

    /// <summary>Extends registers in their places; leaves the flags alone.</summary>
    private void Widen(uint registers)
    {
        for (; registers != 0; registers &= registers - 1)
        {
            int register = BitOperations.TrailingZeroCount(registers);
            HostRegister host = HostOf(register);
            if (host != HostRegister.None)
            {
                _asm.LoadSigned(host, Operand.Of(host), 2);
                continue;
            }
            _asm.LoadSigned(RegisterMap.Work, SlotOf(register), 2);
            _asm.Store(SlotOf(register), RegisterMap.Work, 3);
        }
    }

    private void WidenAll()
    {
        Widen(_narrow);
        _narrow = 0;
    }

    /// <summary>The stack pointer is never narrow: blocks check it without naming it.</summary>
    private bool MayBeNarrow(byte register) => _extendsLater && register is > 0 and < 32 && register != _map.StackPointer;

    /// <summary>A result of 32 bits may wait for its extension: in a host register, since in the frame it would be loaded and stored for that.</summary>
    private bool MayStayNarrow(byte register) => MayBeNarrow(register) && HostOf(register) != HostRegister.None;

    /// <summary>Good for what no micro-op of the present instruction has written.</summary>
    private bool IsKnownWord(byte register) => (Bit(register) & _words & ~_narrow) != 0;

    /// <summary>Before an instruction: extends what it reads more than 32 bits of. A branch that ends a round of an unrolled loop is left by a way that does it.</summary>
    private void PrepareWords(int from, int to)
    {
        _nextNarrow = 0;
        if (_narrow == 0)
            return;
        if (to > from && IsControl(_ops[to - 1].Code) && !(to == _opCount && IsLoop && !_isLastCopy))
        {
            WidenAll();
            return;
        }
        bool isPlain = to - from == 1 || IsOfWords(from, to);
        uint wide = 0;
        for (int i = from; i < to; i++)
            wide |= isPlain ? WideOperands(_ops[i]) : AllOperands(_ops[i]);
        Widen(wide & _narrow);
        _narrow &= ~wide;
    }

    /// <summary>A vector's number, too, so that its writing is not taken for that of a narrow register.</summary>
    private static uint AllOperands(in MicroOp op) => Bit(op.A) | Bit(op.B) | Bit(op.C) | (op.Code >= OpCode.VectorLoad ? Bit(op.Destination) : 0);

    private bool IsOfWords(int from, int to)
    {
        for (int i = from; i < to; i++)
        {
            if (_ops[i].Code is >= OpCode.Load and not OpCode.Branch)
                return false;
        }
        return true;
    }

    /// <summary>The registers of which a micro-op reads more than the low half; for some these are other numbers, which only costs an extension.</summary>
    private uint WideOperands(in MicroOp op)
    {
        if (op.Code == OpCode.Store && op.Size <= 2)
            return Bit(op.A);
        if (IsLogic(op) && (LogicOperands(op) & ~_words) == 0 && !HasTemporaries(op))
            return 0;
        if (IsComparison(op) && CanCompareWords(op))
            return 0;
        bool isOfWord = op.Size <= 2 && op.Code is OpCode.SignExtend or OpCode.ZeroExtend or OpCode.Multiply
            or OpCode.Add or OpCode.AddImmediate or OpCode.Subtract or OpCode.SubtractImmediate or OpCode.And or OpCode.AndImmediate or OpCode.Or or OpCode.OrImmediate
            or OpCode.Xor or OpCode.XorImmediate or OpCode.Not or OpCode.Negate or OpCode.ShiftLeft or OpCode.ShiftLeftImmediate or OpCode.ShiftRight
            or OpCode.ShiftRightImmediate or OpCode.ShiftRightArithmetic or OpCode.ShiftRightArithmeticImmediate or OpCode.RotateRightImmediate;
        const int half = 32;
        if (isOfWord || op is { Code: OpCode.ShiftLeftImmediate, Immediate: >= half })
            return 0;
        return AllOperands(op);
    }

    /// <summary>What gives a word when its operands are words, whatever is above their low halves.</summary>
    private bool IsLogic(in MicroOp op) => op.Size == 3 && MayBeNarrow(op.Destination) && op.Code is OpCode.And or OpCode.Or or OpCode.Xor or OpCode.AndNot
        or OpCode.AndImmediate or OpCode.OrImmediate or OpCode.XorImmediate or OpCode.Not;

    private static bool HasSecond(in MicroOp op) => op.Code is OpCode.And or OpCode.Or or OpCode.Xor or OpCode.AndNot;

    private static uint LogicOperands(in MicroOp op) => Bit(op.A) | (HasSecond(op) ? Bit(op.B) : 0);

    private static bool HasTemporaries(in MicroOp op) => IsTemporary(op.A) || (HasSecond(op) && IsTemporary(op.B));

    private static bool IsComparison(in MicroOp op) => op is { Size: 3, Destination: MicroOp.Discard, Code: OpCode.Subtract or OpCode.SubtractImmediate };

    /// <summary>Words are in the same order as their extensions, with a sign and without.</summary>
    private bool CanCompareWords(in MicroOp op) =>
        !IsTemporary(op.A) && (Bit(op.A) & _words) != 0 && (op.Code == OpCode.SubtractImmediate || (!IsTemporary(op.B) && (Bit(op.B) & _words) != 0));

    /// <summary>The comparison at an index may be one of words, since an operand is narrow; undone by <see cref="RestoreComparison"/>, as the block may be emitted again.</summary>
    private bool NarrowComparison(int at)
    {
        ref MicroOp op = ref _ops[at];
        if (!IsComparison(op) || ((Bit(op.A) | Bit(op.B)) & _narrow) == 0)
            return false;
        op.Size = 2;
        return true;
    }

    private void RestoreComparison(int at) => _ops[at].Size = 3;

    /// <summary>Behind an instruction: which registers are words now, and which narrow.</summary>
    private void NoteWords(int from, int to)
    {
        uint narrow = _nextNarrow;
        for (int i = from; i < to; i++)
        {
            ref MicroOp op = ref _ops[i];
            uint bit = Bit(op.Destination);
            if (bit == 0)
                continue;
            if (IsLogic(op) && !HasTemporaries(op) && (LogicOperands(op) & _narrow) != 0)
                narrow |= bit;
            bool isWord = op.Code < OpCode.VectorLoad && IsWord(op);
            _words = isWord ? _words | bit : _words & ~bit;
        }
        for (int i = from; i < to; i++)
            _narrow &= ~Bit(_ops[i].Destination);
        _narrow |= narrow;
    }

    private bool IsWord(in MicroOp op) => op.Code switch
    {
        OpCode.SignExtend or OpCode.LoadSigned => op.Size <= 2,
        OpCode.ZeroExtend or OpCode.Load => op.Size <= 1,
        OpCode.MoveImmediate => op.Immediate == (int)op.Immediate,
        OpCode.Move => (Bit(op.A) & _words) != 0,
        OpCode.SetCondition => true,
        _ => IsLogic(op) && !HasTemporaries(op) && (LogicOperands(op) & ~_words) == 0,
    };
}
