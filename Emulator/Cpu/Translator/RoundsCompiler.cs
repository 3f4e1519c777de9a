using System.Numerics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Host code for a <see cref="RoundsGraph"/>: its values get registers in one pass, in the order in which they are computed; when none is free, the value that is
/// wanted last goes to the frame (Belady 1966). Registers are in their homes at both ends. The host's flags are free.
/// </summary>
internal sealed class RoundsCompiler(Assembler asm)
{
    private const int None = -1;
    private const int Never = int.MaxValue;

    /// <summary>Of values in the frame; in it there are as many slots for temporaries.</summary>
    private const int MostSpilled = Frame.TemporaryCount;

    private const int HostRegisters = 16;

    /// <summary>Where a value is: in a register, in a slot of the frame, in both, or nowhere yet.</summary>
    private struct Place
    {
        public int Register;

        /// <summary>A guest register's slot, or from <see cref="RoundsGraph.Registers"/> on one for temporaries.</summary>
        public int Slot;

        /// <summary>Where its next use is in <see cref="_uses"/>.</summary>
        public int NextUse;
        public int LastUse;
    }

    private RoundsGraph _graph = null!;
    private HostRegister[] _homes = [];
    private Operand[] _slots = [];
    private Place[] _places = [];

    /// <summary>The positions at which values are used, those of each value together.</summary>
    private int[] _uses = [];
    private readonly int[] _holders = new int[HostRegisters];
    private readonly List<(short Value, int Register)> _moves = [];
    private uint _free, _allocatable, _locked, _freeSlots;

    /// <summary>Slots that the present value's code may still read.</summary>
    private uint _lateSlots;
    private int _position;
    private bool _hasFailed;

    /// <summary>Emits a graph's code; false when the frame has too few slots, and what was emitted is of no use.</summary>
    /// <param name="graph">What to compute.</param>
    /// <param name="homes">The host registers of the guest's, or None.</param>
    /// <param name="slots">The slots of the others.</param>
    /// <param name="allocatable">Host registers that may be used, a bit each: homes, and those that hold nothing.</param>
    public bool TryEmit(RoundsGraph graph, HostRegister[] homes, Operand[] slots, uint allocatable)
    {
        (_graph, _homes, _slots, _allocatable, _free, _hasFailed, _locked) = (graph, homes, slots, allocatable, allocatable, false, 0);
        (_freeSlots, _lateSlots) = (uint.MaxValue, 0);
        FindUses();
        Begin();
        ReadOnlySpan<short> order = graph.Order;
        for (_position = 0; _position < order.Length && !_hasFailed; _position++)
        {
            _locked = 0;
            _freeSlots |= _lateSlots;
            _lateSlots = 0;
            EmitValue(order[_position]);
        }
        if (!_hasFailed)
            End();
        return !_hasFailed;
    }

    // ---- uses --------------------------------------------------------------------------------------------------------

    private void FindUses()
    {
        ReadOnlySpan<short> order = _graph.Order;
        if (_places.Length < _graph.Count)
            (_places, _uses) = (new Place[_graph.Count], new int[4 * _graph.Count]);
        for (int i = 0, at = 0; i < _graph.Count; i++)
        {
            _places[i] = new Place { Register = None, Slot = None, NextUse = at, LastUse = at };
            at += _graph[i].Uses;
        }
        for (int position = 0; position < order.Length; position++)
        {
            ref RoundsNode node = ref _graph[order[position]];
            if (node.Code == OpCode.MoveImmediate)
                continue;
            NoteUse(node.A, position);
            if (node.B >= 0)
                NoteUse(node.B, position);
        }
        for (int register = 1; register < RoundsGraph.Registers; register++)
        {
            if (_graph.ResultOf(register) is >= 0 and var result)
                NoteUse(result, order.Length);
        }
    }

    private void NoteUse(short operand, int position) => _uses[_places[ReadFor(operand)].LastUse++] = position;

    /// <summary>The value that code reads for an operand: a folded one's own operand in its place.</summary>
    private short ReadFor(short operand) => _graph[operand].IsFolded ? _graph[operand].A : operand;

    private int NextUse(int value) => _places[value].NextUse < _places[value].LastUse ? _uses[_places[value].NextUse] : Never;

    private bool IsDying(int value) => _places[value].NextUse + 1 == _places[value].LastUse;

    /// <summary>One of its uses is over.</summary>
    private void Release(int value)
    {
        ref Place place = ref _places[value];
        if (++place.NextUse < place.LastUse)
            return;
        if (place.Register != None)
            _free |= 1u << place.Register;
        place.Register = None;
        if (place.Slot >= RoundsGraph.Registers)
            _lateSlots |= 1u << (place.Slot - RoundsGraph.Registers);
    }

    // ---- places ------------------------------------------------------------------------------------------------------

    private void Begin()
    {
        for (int register = 1; register < RoundsGraph.Registers; register++)
        {
            if (_graph.EntryOf(register) is not (>= 0 and var entry) || _graph[entry].Uses == 0)
                continue;
            if (_homes[register] == HostRegister.None)
                _places[entry].Slot = register;
            else
                Occupy((int)_homes[register], entry);
        }
    }

    private void Occupy(int register, int value)
    {
        _free &= ~(1u << register);
        _holders[register] = value;
        _places[value].Register = register;
    }

    private Operand SlotAt(int slot) => slot < RoundsGraph.Registers ? _slots[slot] : Operand.Memory(HostRegister.Rsp, Frame.Temporaries + (8 * (slot - RoundsGraph.Registers)));

    /// <summary>A register for a value: one that is free, its home at best, or that of the value which is wanted last.</summary>
    private int Allocate(int value)
    {
        int register = HomeOf(value);
        if (register == None || (_free >> register & 1) == 0)
            register = _free != 0 ? BitOperations.TrailingZeroCount(_free) : Evict();
        if (register == None)
            return (int)RegisterMap.Work;
        Occupy(register, value);
        _locked |= 1u << register;
        return register;
    }

    /// <summary>The register that wants it at the end, or <see cref="None"/>.</summary>
    private int HomeOf(int value)
    {
        for (int register = 1; register < RoundsGraph.Registers; register++)
        {
            if (_graph.ResultOf(register) == value && _homes[register] != HostRegister.None)
                return (int)_homes[register];
        }
        return None;
    }

    private int Evict()
    {
        int last = None;
        for (uint left = _allocatable & ~_locked; left != 0; left &= left - 1)
        {
            int register = BitOperations.TrailingZeroCount(left);
            if (last == None || NextUse(_holders[register]) > NextUse(_holders[last]))
                last = register;
        }
        if (last == None)
        {
            _hasFailed = true;
            return None;
        }
        ref Place place = ref _places[_holders[last]];
        if (place.Slot == None)
        {
            place.Slot = TakeSlot(_holders[last]);
            if (_hasFailed)
                return None;
            asm.Store(SlotAt(place.Slot), (HostRegister)last, 3);
        }
        place.Register = None;
        return last;
    }

    /// <summary>The slot of the guest register that wants the value at the end, when what that had before is not wanted any more; else one for temporaries.</summary>
    private int TakeSlot(int value)
    {
        for (int register = 1; register < RoundsGraph.Registers; register++)
        {
            if (_graph.ResultOf(register) == value && _homes[register] == HostRegister.None && (_graph.EntryOf(register) is var entry and >= 0 ? NextUse(entry) == Never : true))
                return register;
        }
        return TakeTemporary();
    }

    /// <summary>A slot for temporaries; without one it has failed.</summary>
    private int TakeTemporary()
    {
        int slot = BitOperations.TrailingZeroCount(_freeSlots);
        if (slot >= MostSpilled)
        {
            _hasFailed = true;
            return None;
        }
        _freeSlots &= ~(1u << slot);
        return RoundsGraph.Registers + slot;
    }

    /// <summary>A register that holds a value.</summary>
    private HostRegister Use(short value)
    {
        if (_places[value].Register == None)
        {
            Operand from = SlotAt(_places[value].Slot);
            int register = Allocate(value);
            asm.Load((HostRegister)register, from, 3);
        }
        _locked |= 1u << _places[value].Register;
        return (HostRegister)_places[value].Register;
    }

    /// <summary>Where a value is, or is loaded from.</summary>
    private Operand UseAnywhere(short value)
    {
        ref RoundsNode node = ref _graph[value];
        if (node.IsFolded)
            return Operand.Guest(Use(node.A), (int)node.Immediate);
        if (_places[value].Register == None)
            return SlotAt(_places[value].Slot);
        _locked |= 1u << _places[value].Register;
        return Operand.Of(_places[value].Register);
    }

    private void ReleaseOperand(short operand) => Release(ReadFor(operand));

    // ---- values ------------------------------------------------------------------------------------------------------

    private void EmitValue(short value)
    {
        ref RoundsNode node = ref _graph[value];
        bool isWide = node.Size == 3;
        switch (node.Code)
        {
            case OpCode.MoveImmediate:
                asm.Move((HostRegister)Allocate(value), node.Immediate);
                return;
            case OpCode.Load or OpCode.LoadSigned:
                HostRegister address = Use(node.A);
                int loaded = Reuse(value, node.A);
                EmitLoad((HostRegister)loaded, Operand.Guest(address, (int)node.Immediate), node);
                return;
            case OpCode.Store:
                HostRegister pointer = Use(node.A);
                asm.Store(Operand.Guest(pointer, (int)node.Immediate), Use(node.B), node.Size);
                Release(node.A);
                Release(node.B);
                return;
            case OpCode.AddressOf or OpCode.AddImmediate or OpCode.SubtractImmediate:
                HostRegister first = Use(node.A);
                asm.AddressOf((HostRegister)Reuse(value, node.A), Operand.Sum(first, HostRegister.None, 0, (int)(node.Code == OpCode.SubtractImmediate ? -node.Immediate : node.Immediate)), isWide);
                return;
            case OpCode.SignExtend or OpCode.ZeroExtend:
                Operand extended = UseAnywhere(node.A);
                int to = Reuse(value, node.A);
                if (node.Code == OpCode.SignExtend)
                    asm.LoadSigned((HostRegister)to, extended, node.Size);
                else
                    asm.Load((HostRegister)to, extended, node.Size);
                return;
            case OpCode.RotateRightImmediate:
                Operand rotated = UseAnywhere(node.A);
                asm.EmitVex(3, 3, isWide, 0xF0, Reuse(value, node.A), 0, rotated);
                asm.Byte((int)node.Immediate & ((8 << node.Size) - 1));
                return;
            case OpCode.ShiftLeft or OpCode.ShiftRight or OpCode.ShiftRightArithmetic:
                Operand shifted = UseAnywhere(node.A);
                HostRegister count = Use(node.B);
                int prefix = node.Code switch { OpCode.ShiftLeft => 1, OpCode.ShiftRightArithmetic => 2, _ => 3 };
                int result = Reuse(value, node.A, node.B);
                asm.EmitVex(2, prefix, isWide, 0xF7, result, (int)count, shifted);
                return;
            case OpCode.AndNot:
                HostRegister inverted = Use(_graph[node.A].A);
                Operand kept = UseAnywhere(node.B);
                asm.EmitVex(2, 0, isWide, 0xF2, Reuse(value, node.A, node.B), (int)inverted, kept);
                return;
            default:
                if (node.B < 0)
                    EmitUnary(value, ref node);
                else
                    EmitBinary(value, ref node);
                return;
        }
    }

    /// <summary>A value's register when its operands have been read: one of theirs at best.</summary>
    private int Reuse(short value, short a, short b = None)
    {
        ReleaseOperand(a);
        if (b != None)
            ReleaseOperand(b);
        return Allocate(value);
    }

    private void EmitLoad(HostRegister to, in Operand from, in RoundsNode node)
    {
        if (node.Code == OpCode.LoadSigned && (node.IsWide || node.Size < 2))
            asm.LoadSigned(to, from, node.Size);
        else
            asm.Load(to, from, node.Size);
    }

    /// <summary>The first operand in the result's register, which was its own if nothing else wants it.</summary>
    private HostRegister Begin(short value, short a, out bool isOwn)
    {
        int register = _places[a].Register;
        isOwn = register != None && IsDying(a);
        if (!isOwn)
        {
            Operand from = UseAnywhere(a);
            register = Allocate(value);
            asm.Load((HostRegister)register, from, 3);
            return (HostRegister)register;
        }
        return (HostRegister)register;
    }

    private void End(short value, short a, bool isOwn, HostRegister register)
    {
        Release(a);
        if (isOwn)
            Occupy((int)register, value);
    }

    private void EmitUnary(short value, ref RoundsNode node)
    {
        HostRegister register = Begin(value, node.A, out bool isOwn);
        Operand target = Operand.Of(register);
        bool isWide = node.Size == 3;
        switch (node.Code)
        {
            case OpCode.Not:
                asm.Emit(0xF7, 2, target, isWide);
                break;
            case OpCode.Negate:
                asm.Emit(0xF7, 3, target, isWide);
                break;
            case OpCode.ShiftLeftImmediate or OpCode.ShiftRightImmediate or OpCode.ShiftRightArithmeticImmediate:
                asm.Emit(0xC1, node.Code switch { OpCode.ShiftLeftImmediate => 4, OpCode.ShiftRightImmediate => 5, _ => 7 }, target, isWide);
                asm.Byte((int)node.Immediate & ((8 << node.Size) - 1));
                break;
            default:
                asm.AluImmediate(node.Code switch { OpCode.AndImmediate => 4, OpCode.OrImmediate => 1, _ => 6 }, target, (int)node.Immediate, node.Size);
                break;
        }
        End(value, node.A, isOwn, register);
    }

    private void EmitBinary(short value, ref RoundsNode node)
    {
        (short a, short b) = (node.A, node.B);
        bool isFolded = _graph[b].IsFolded, isWide = node.Size == 3;
        if (node.Code != OpCode.Subtract && !isFolded && !(_places[a].Register != None && IsDying(a)) && _places[b].Register != None && (IsDying(b) || _places[a].Register == None))
            (a, b) = (b, a);
        // Both may be the same, and then have two uses.
        if (a == b)
        {
            Use(a);
        }
        else if (node.Code == OpCode.Add && !isFolded && _places[a].Register != None && !IsDying(a) && _places[b].Register != None)
        {
            Operand sum = Operand.Sum(Use(a), Use(b), 0, 0);
            asm.AddressOf((HostRegister)Reuse(value, a, b), sum, isWide);
            return;
        }
        Operand second = UseAnywhere(b);
        if (_places[a].Register != None)
            _locked |= 1u << _places[a].Register;
        HostRegister register = Begin(value, a, out bool isOwn);
        int opcode = node.Code switch { OpCode.Add => 0x03, OpCode.Subtract => 0x2B, OpCode.And => 0x23, OpCode.Or => 0x0B, OpCode.Xor => 0x33, _ => 0x0FAF };
        asm.Emit(opcode, (int)register, second, isWide);
        ReleaseOperand(b);
        End(value, a, isOwn, register);
    }

    // ---- the end -----------------------------------------------------------------------------------------------------

    /// <summary>Values go to their homes: first those whose homes nothing else is read from, and of a circle one by way of a slot.</summary>
    private void End()
    {
        _moves.Clear();
        for (int register = 1; register < RoundsGraph.Registers; register++)
        {
            if (_graph.ResultOf(register) is >= 0 and var result && !IsAtHome(result, register))
                _moves.Add((result, register));
        }
        while (_moves.Count > 0 && !_hasFailed)
        {
            int next = _moves.FindIndex(move => !IsRead(move.Register));
            if (next >= 0)
            {
                MoveHome(_moves[next].Value, _moves[next].Register);
                _moves.RemoveAt(next);
                continue;
            }
            // What is in the first one's home waits in a slot.
            Displace(_moves[0].Register);
        }
    }

    private bool IsAtHome(short value, int register) =>
        _homes[register] == HostRegister.None ? _places[value].Slot == register : _places[value].Register == (int)_homes[register];

    /// <summary>Whether a move is still to read what is in a register's home.</summary>
    private bool IsRead(int register)
    {
        foreach ((short value, int to) in _moves)
        {
            if (to != register && IsIn(value, register))
                return true;
        }
        return false;
    }

    /// <summary>Whether a register's home is the place that a value is read from.</summary>
    private bool IsIn(short value, int register) =>
        _homes[register] == HostRegister.None ? _places[value].Slot == register && _places[value].Register == None : _places[value].Register == (int)_homes[register];

    private void MoveHome(short value, int register)
    {
        HostRegister home = _homes[register];
        bool isInRegister = _places[value].Register != None;
        HostRegister from = isInRegister ? (HostRegister)_places[value].Register : home == HostRegister.None ? RegisterMap.Work : home;
        if (!isInRegister)
            asm.Load(from, SlotAt(_places[value].Slot), 3);
        if (home == HostRegister.None)
            asm.Store(_slots[register], from, 3);
        else
            asm.Move(home, from);
    }

    private void Displace(int register)
    {
        int slot = TakeTemporary();
        if (_hasFailed)
            return;
        foreach ((short value, _) in _moves)
        {
            if (!IsIn(value, register))
                continue;
            ref Place place = ref _places[value];
            HostRegister from = place.Register == None ? RegisterMap.Work : (HostRegister)place.Register;
            if (place.Register == None)
                asm.Load(from, SlotAt(place.Slot), 3);
            asm.Store(SlotAt(slot), from, 3);
            (place.Register, place.Slot) = (None, slot);
        }
    }
}
