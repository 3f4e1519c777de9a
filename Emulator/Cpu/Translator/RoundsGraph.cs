using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// A value of several rounds of a loop. <see cref="OpCode.Nop"/>: what register <see cref="Immediate"/> has in front of them;
/// <see cref="OpCode.AddressOf"/>: A + Immediate; others as micro-ops, A and B being values. A store is one, too, though nothing has it.
/// </summary>
internal struct RoundsNode
{
    public OpCode Code;
    public byte Size;

    /// <summary>Its sign reaches from bit 31 up.</summary>
    public bool IsWord;

    /// <summary>Something reads more than its low half.</summary>
    public bool IsWide;

    /// <summary>A load that the one operation that reads it makes by itself, or a NOT of which an ANDN is made.</summary>
    public bool IsFolded;
    public short A;
    public short B;

    /// <summary>How many values are made of it, and registers have it at the end.</summary>
    public short Uses;
    public long Immediate;
}

/// <summary>Bytes at a pointer, from the first to behind the last.</summary>
internal readonly record struct RoundsSpan(long From, long To);

/// <summary>
/// What several rounds of a loop compute, as one stretch of code that nothing leaves and in which nothing faults: copies, extensions that nobody
/// sees and values that nobody reads are gone, and operations stand in front of the first that wants them.
/// </summary>
internal sealed class RoundsGraph
{
    public const short None = -1;

    /// <summary>RISC-V's.</summary>
    public const int Registers = 32;

    private const int MostNodes = 1024;
    private const int WordBits = 32;

    private readonly RoundsNode[] _nodes = new RoundsNode[MostNodes];
    private readonly short[] _current = new short[256];
    private readonly short[] _entries = new short[Registers];
    private readonly short[] _alias = new short[MostNodes];
    private readonly short[] _order = new short[MostNodes];
    private readonly bool[] _isPlaced = new bool[MostNodes];
    private readonly RoundsSpan?[] _loaded = new RoundsSpan?[Registers], _stored = new RoundsSpan?[Registers];
    private int _count, _placed;
    private bool _hasStores;

    public ref RoundsNode this[int node] => ref _nodes[node];

    public int Count => _count;

    /// <summary>The values to compute, in order.</summary>
    public ReadOnlySpan<short> Order => _order.AsSpan(0, _placed);

    /// <summary>A register's value in front of the rounds, or <see cref="None"/> if it is of no interest.</summary>
    public short EntryOf(int register) => _entries[register];

    /// <summary>A register's value behind them; its entry's when nothing changes it.</summary>
    public short ResultOf(int register) => _current[register];

    /// <summary>What is loaded at a register's value in front of the rounds.</summary>
    public RoundsSpan? LoadedAt(int register) => _loaded[register];

    /// <summary>What is stored there.</summary>
    public RoundsSpan? StoredAt(int register) => _stored[register];

    /// <summary>Begins anew.</summary>
    /// <param name="kept">The registers whose values keep their places: each is in a register of the host.</param>
    public void Begin(uint kept)
    {
        (_count, _placed, _hasStores) = (0, 0, false);
        Array.Fill(_current, None);
        Array.Fill(_entries, None);
        Array.Clear(_loaded);
        Array.Clear(_stored);
        for (byte register = 1; register < Registers; register++)
        {
            if ((kept >> register & 1) != 0)
                Read(register);
        }
    }

    /// <summary>Adds a micro-op; false when that is none of those that are understood.</summary>
    public bool TryAdd(in MicroOp op)
    {
        if (_count + 4 > MostNodes || op.Flags != FlagMask.None)
            return false;
        switch (op.Code)
        {
            case OpCode.Nop:
                return true;
            case OpCode.Move when op.Size == 3:
                return Set(op, Read(op.A));
            case OpCode.MoveImmediate:
                return Set(op, Add(new RoundsNode { Code = OpCode.MoveImmediate, IsWord = op.Immediate == (int)op.Immediate, Immediate = op.Immediate }));
            case OpCode.AddImmediate when op.Size == 3:
                return Set(op, Sum(Read(op.A), op.Immediate));
            case OpCode.SubtractImmediate when op.Size == 3:
                return Set(op, Sum(Read(op.A), -op.Immediate));
            case OpCode.Load or OpCode.LoadSigned:
                return TryAddress(op, _loaded, out short from, out long at)
                    && Set(op, Add(new RoundsNode { Code = op.Code, Size = op.Size, IsWord = op.Size < 2 || (op.Size == 2 && op.Code == OpCode.LoadSigned), A = from, B = None, Immediate = at }));
            case OpCode.Store:
                return TryStore(op);
            case OpCode.SignExtend:
                short extended = Read(op.A);
                return Set(op, extended != None && _nodes[extended].IsWord && op.Size == 2 ? extended : Unary(op, extended, isWord: true));
            case OpCode.ZeroExtend when op.Size <= 2:
                return Set(op, Unary(op, Read(op.A), isWord: op.Size < 2));
            case OpCode.Not or OpCode.Negate or OpCode.AddImmediate or OpCode.SubtractImmediate:
                return op.Size >= 2 && Set(op, Unary(op, Read(op.A), op.Code == OpCode.Not && IsWord(op.A) && op.Size == 3));
            case OpCode.AndImmediate or OpCode.OrImmediate or OpCode.XorImmediate:
                return op.Size >= 2 && op.Immediate == (int)op.Immediate && Set(op, Unary(op, Read(op.A), IsWord(op.A) && op.Size == 3));
            case OpCode.ShiftLeftImmediate or OpCode.ShiftRightImmediate or OpCode.ShiftRightArithmeticImmediate or OpCode.RotateRightImmediate:
                return op.Size >= 2 && Set(op, Unary(op, Read(op.A), op.Code == OpCode.ShiftRightArithmeticImmediate && IsWord(op.A) && op.Size == 3));
            case OpCode.And or OpCode.Or or OpCode.Xor:
                return op.Size >= 2 && Set(op, Binary(op, IsWord(op.A) && IsWord(op.B) && op.Size == 3));
            case OpCode.Add or OpCode.Subtract or OpCode.Multiply or OpCode.ShiftLeft or OpCode.ShiftRight or OpCode.ShiftRightArithmetic:
                return op.Size >= 2 && Set(op, Binary(op, isWord: false));
            default:
                return false;
        }
    }

    private bool IsWord(byte register) => Read(register) is >= 0 and var node && _nodes[node].IsWord;

    private short Add(in RoundsNode node)
    {
        _nodes[_count] = node;
        return (short)_count++;
    }

    private short Read(byte register)
    {
        if (_current[register] == None && register is > 0 and < Registers)
            _current[register] = _entries[register] = Add(new RoundsNode { Code = OpCode.Nop, Immediate = register });
        return _current[register];
    }

    private bool Set(in MicroOp op, short node)
    {
        _current[op.Destination] = node;
        return node != None;
    }

    private short Unary(in MicroOp op, short a, bool isWord) =>
        a == None ? None : Add(new RoundsNode { Code = op.Code, Size = op.Size, IsWord = isWord, A = a, B = None, Immediate = op.Immediate });

    private short Binary(in MicroOp op, bool isWord)
    {
        (short a, short b) = (Read(op.A), Read(op.B));
        return a == None || b == None ? None : Add(new RoundsNode { Code = op.Code, Size = op.Size, IsWord = isWord, A = a, B = b });
    }

    private short Sum(short a, long by)
    {
        if (a == None)
            return None;
        if (_nodes[a].Code == OpCode.AddressOf)
            (a, by) = (_nodes[a].A, by + _nodes[a].Immediate);
        if (by == 0)
            return a;
        return by == (int)by ? Add(new RoundsNode { Code = OpCode.AddressOf, Size = 3, A = a, B = None, Immediate = by }) : None;
    }

    /// <summary>Only at what a register had in front of the rounds, and a constant.</summary>
    private bool TryAddress(in MicroOp op, RoundsSpan?[] spans, out short address, out long at)
    {
        (address, at) = (Read(op.A), op.Immediate);
        if (address == None)
            return false;
        if (_nodes[address].Code == OpCode.AddressOf)
            (address, at) = (_nodes[address].A, at + _nodes[address].Immediate);
        if (_nodes[address].Code != OpCode.Nop || at != (int)at)
            return false;
        ref RoundsSpan? span = ref spans[_nodes[address].Immediate];
        long end = at + (1L << op.Size);
        span = span is { } known ? new RoundsSpan(Math.Min(known.From, at), Math.Max(known.To, end)) : new RoundsSpan(at, end);
        return true;
    }

    private bool TryStore(in MicroOp op)
    {
        short value = Read(op.B);
        if (value == None || !TryAddress(op, _stored, out short address, out long at))
            return false;
        Add(new RoundsNode { Code = OpCode.Store, Size = op.Size, A = address, B = value, Immediate = at });
        return _hasStores = true;
    }

    // ---- what is left of it ------------------------------------------------------------------------------------------

    /// <summary>Behind the last micro-op: what is to be computed, how wide, and in which order.</summary>
    public void Finish()
    {
        for (int register = 1; register < Registers; register++)
        {
            if (_current[register] is >= 0 and var node)
                (_nodes[node].IsWide, _nodes[node].Uses) = (true, 1);
        }
        FindWidths();
        for (int i = 0; i < _count; i++)
            _alias[i] = IsAlias(_nodes[i]) ? _alias[_nodes[i].A] : (short)i;
        CountUses();
        Fold();
        _isPlaced.AsSpan(0, _count).Clear();
        for (short i = 0; i < _count; i++)
        {
            ref RoundsNode node = ref _nodes[i];
            if (node.Code != OpCode.Nop && !node.IsFolded && (node.Uses > 1 || IsResult(i) || IsInOrder(node)))
                Place(i);
        }
    }

    /// <summary>Accesses stay in their order where there are stores.</summary>
    private bool IsInOrder(in RoundsNode node) => _hasStores && (node.Code == OpCode.Store || (node.Uses != 0 && node.Code is OpCode.Load or OpCode.LoadSigned));

    private static bool IsLeaf(in RoundsNode node) => (node.Uses == 0 && node.Code != OpCode.Store) || node.Code is OpCode.Nop or OpCode.MoveImmediate;

    /// <summary>Uses are only whether there are any, until aliases are known.</summary>
    private void FindWidths()
    {
        for (int i = _count - 1; i >= 0; i--)
        {
            ref RoundsNode node = ref _nodes[i];
            if (IsLeaf(node))
                continue;
            Want(node.A, node.Code switch
            {
                OpCode.Load or OpCode.LoadSigned or OpCode.Store => true,
                OpCode.SignExtend or OpCode.ZeroExtend => false,
                OpCode.ShiftRight or OpCode.ShiftRightImmediate or OpCode.ShiftRightArithmetic or OpCode.ShiftRightArithmeticImmediate or OpCode.RotateRightImmediate => node.Size == 3,
                _ => node.Size == 3 && node.IsWide,
            });
            if (node.B != None)
                Want(node.B, node.Size == 3 && (node.IsWide || node.Code == OpCode.Store) && node.Code is not (OpCode.ShiftLeft or OpCode.ShiftRight or OpCode.ShiftRightArithmetic));
            // The low half of what is as well computed of low halves.
            bool isOfLowHalves = node.Code is OpCode.And or OpCode.Or or OpCode.Xor or OpCode.Add or OpCode.Subtract or OpCode.Multiply or OpCode.Not or OpCode.Negate
                or OpCode.AndImmediate or OpCode.OrImmediate or OpCode.XorImmediate || (node.Code == OpCode.ShiftLeftImmediate && node.Immediate < WordBits);
            if (!node.IsWide && node.Size == 3 && isOfLowHalves)
                node.Size = 2;
        }
    }

    private void Want(short node, bool isWide)
    {
        _nodes[node].Uses = 1;
        _nodes[node].IsWide |= isWide;
    }

    private static bool IsAlias(in RoundsNode node) => node is { Code: OpCode.SignExtend or OpCode.ZeroExtend, Size: 2, IsWide: false };

    private void CountUses()
    {
        for (int i = 0; i < _count; i++)
            _nodes[i].Uses = 0;
        for (int register = 1; register < Registers; register++)
        {
            if (_current[register] >= 0)
                _nodes[_current[register] = _alias[_current[register]]].Uses++;
        }
        for (int i = _count - 1; i >= 0; i--)
        {
            ref RoundsNode node = ref _nodes[i];
            if (IsLeaf(node))
                continue;
            node.A = _alias[node.A];
            _nodes[node.A].Uses++;
            if (node.B == None)
                continue;
            node.B = _alias[node.B];
            _nodes[node.B].Uses++;
        }
    }

    private bool IsResult(int node)
    {
        for (int register = 1; register < Registers; register++)
        {
            if (_current[register] == node)
                return true;
        }
        return false;
    }

    /// <summary>A load that an operation of its size reads alone is its second operand; so is what is not inverted of AND, whose first operand is.</summary>
    private void Fold()
    {
        for (int i = 0; i < _count; i++)
        {
            ref RoundsNode node = ref _nodes[i];
            if (node.Uses == 0 || node.B == None || node.A == node.B || node.Code is not (OpCode.And or OpCode.Or or OpCode.Xor or OpCode.Add or OpCode.Subtract or OpCode.Multiply))
                continue;
            if (node.Code == OpCode.And && (IsInverted(node.A, node.Size) || IsInverted(node.B, node.Size)))
            {
                if (!IsInverted(node.A, node.Size))
                    (node.A, node.B) = (node.B, node.A);
                node.Code = OpCode.AndNot;
                _nodes[node.A].IsFolded = true;
                continue;
            }
            if (node.Code != OpCode.Subtract && IsOperand(node.A, node.Size))
                (node.A, node.B) = (node.B, node.A);
            _nodes[node.B].IsFolded = IsOperand(node.B, node.Size);
        }
    }

    private bool IsInverted(short node, int size) => _nodes[node] is { Code: OpCode.Not, Uses: 1 } not && (not.Size == size || size == 2);

    private bool IsOperand(short node, int size) =>
        !_hasStores && _nodes[node] is { Uses: 1, Code: OpCode.Load or OpCode.LoadSigned } load && (load.Size == size || (load.Size == 3 && size == 2));

    /// <summary>In front of it comes what only it reads.</summary>
    private void Place(short at)
    {
        ref RoundsNode node = ref _nodes[at];
        if (_isPlaced[at] || node.Code == OpCode.Nop)
            return;
        _isPlaced[at] = true;
        if (node.Code != OpCode.MoveImmediate)
        {
            Place(node.A);
            if (node.B != None)
                Place(node.B);
        }
        if (!node.IsFolded)
            _order[_placed++] = at;
    }
}
