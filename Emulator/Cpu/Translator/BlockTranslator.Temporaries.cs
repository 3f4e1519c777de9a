using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Where the values of an instruction's micro-ops are: registers, constants, addresses and loads not yet emitted.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int FirstTemporary = 64;

    private enum Kind : byte
    {
        Unset,
        Constant,

        /// <summary>In the scratch register.</summary>
        Scratch,

        /// <summary>In its slot of the frame.</summary>
        Slot,

        /// <summary>A sum of registers, not yet computed (a copy of a register is a sum of one).</summary>
        Sum,

        /// <summary>A load from such a sum, not yet emitted.</summary>
        Load,
    }

    /// <summary>A value that need not be anywhere yet. Base and index are register numbers, or <see cref="NoRegister"/>.</summary>
    private struct Value
    {
        public Kind Kind;
        public byte Base;
        public byte Index;
        public byte Scale;

        /// <summary>1: FS is added, 2: GS.</summary>
        public byte Thread;
        public byte Size;
        public bool IsSigned;

        /// <summary>The constant, or the displacement.</summary>
        public long Displacement;

        public readonly bool Uses(byte register) => Kind is Kind.Sum or Kind.Load && (Base == register || Index == register);

        public readonly bool IsCopy => Kind == Kind.Sum && Index == NoRegister && Thread == 0 && Displacement == 0;
    }

    private const byte NoRegister = 255;

    private readonly Value[] _values = new Value[256];
    private readonly int[] _lastUse = new int[256];
    private readonly List<byte> _active = [];

    /// <summary>The temporary in the scratch register; 0 for none.</summary>
    private byte _holder;

    private void BeginInstruction(int from, int to)
    {
        foreach (byte temporary in _active)
            _values[temporary] = default;
        _active.Clear();
        _holder = 0;
        BeginVectors();
        for (int i = from; i < to; i++)
        {
            ref MicroOp op = ref _ops[i];
            // Constants in these fields are below the first temporary.
            _lastUse[op.A] = _lastUse[op.B] = _lastUse[op.C] = i;
        }
    }

    private static bool IsTemporary(byte register) => register >= FirstTemporary;

    private bool IsLastUse(byte temporary, int at) => _lastUse[temporary] <= at;

    private void Set(byte temporary, in Value value)
    {
        if (temporary == MicroOp.Discard)
            return;
        FlushDependents(temporary, -1);
        if (_holder == temporary)
            _holder = 0;
        if (_values[temporary].Kind == Kind.Unset)
            _active.Add(temporary);
        _values[temporary] = value;
        if (value.Kind is Kind.Sum or Kind.Load)
        {
            ExtendUse(value.Base, temporary);
            ExtendUse(value.Index, temporary);
        }
    }

    /// <summary>A part of a value that is not computed yet is used as long as the value.</summary>
    private void ExtendUse(byte part, byte whole)
    {
        if (IsTemporary(part) && part != NoRegister)
            _lastUse[part] = Math.Max(_lastUse[part], _lastUse[whole]);
    }

    private static Operand TemporarySlot(byte temporary) => Operand.Memory(HostRegister.Rsp, Frame.Temporaries + (8 * (temporary - FirstTemporary)));

    /// <summary>Frees the scratch register; a temporary in it goes to its slot (the register still has its value).</summary>
    private void AcquireScratch(int at)
    {
        if (_holder == 0)
            return;
        if (!IsLastUse(_holder, at - 1))
            _asm.Store(TemporarySlot(_holder), RegisterMap.Scratch, 3);
        _values[_holder].Kind = Kind.Slot;
        _holder = 0;
    }

    private void Hold(byte temporary)
    {
        Set(temporary, new Value { Kind = Kind.Scratch });
        _holder = temporary;
    }

    /// <summary>Emits pending loads other than those that the micro-op at an index is the last to use.</summary>
    private void FlushLoads(int at)
    {
        for (int i = 0; i < _active.Count; i++)
        {
            byte temporary = _active[i];
            if (_values[temporary].Kind == Kind.Load && !(IsOperand(temporary, at) && IsLastUse(temporary, at)) && _lastUse[temporary] >= at)
                Materialize(temporary, at);
        }
    }

    private bool IsOperand(byte temporary, int at) => _ops[at].A == temporary || _ops[at].B == temporary || _ops[at].C == temporary;

    /// <summary>Before a register changes: computes what is a sum with it and is used behind the micro-op at an index.</summary>
    private void FlushDependents(byte register, int at)
    {
        for (int i = 0; i < _active.Count; i++)
        {
            byte temporary = _active[i];
            if (_values[temporary].Uses(register) && (at < 0 || !IsLastUse(temporary, at)))
                Materialize(temporary, at < 0 ? 0 : at);
        }
    }

    /// <summary>Puts a temporary's value into the scratch register.</summary>
    private void Materialize(byte temporary, int at)
    {
        Value value = _values[temporary];
        if (value.Kind == Kind.Load)
        {
            Operand from = GuestOperand(value, at);
            if (_holder != 0)
                AcquireScratch(at);
            LoadInto(RegisterMap.Scratch, from, value);
        }
        else
        {
            AcquireScratch(at);
            if (value.Kind == Kind.Constant)
                _asm.Move(RegisterMap.Scratch, value.Displacement);
            else
                ComputeSum(RegisterMap.Scratch, value);
        }
        _values[temporary] = new Value { Kind = Kind.Scratch };
        _holder = temporary;
    }

    private void LoadInto(HostRegister to, in Operand from, in Value value)
    {
        if (value.IsSigned)
            _asm.LoadSigned(to, from, value.Size);
        else
            _asm.Load(to, from, value.Size);
    }

    /// <summary>A host register that holds a register's 64 bits: its own, or <paramref name="into"/>. Never the work register unless asked for.</summary>
    private HostRegister Use(byte register, HostRegister into, int at)
    {
        if (!IsTemporary(register))
        {
            HostRegister host = HostOf(register);
            if (host != HostRegister.None)
                return host;
            _asm.Load(into, SlotOf(register), 3);
            return into;
        }
        Value value = _values[register];
        switch (value.Kind)
        {
            case Kind.Constant:
                _asm.Move(into, value.Displacement);
                return into;
            case Kind.Scratch:
                return RegisterMap.Scratch;
            case Kind.Slot:
                _asm.Load(into, TemporarySlot(register), 3);
                return into;
            case Kind.Sum when value.IsCopy:
                return Use(value.Base, into, at);
            case Kind.Sum when into == RegisterMap.Work:
                // A sum of two registers without host registers takes two.
                Materialize(register, at);
                return RegisterMap.Scratch;
            case Kind.Sum:
                ComputeSum(into, value);
                return into;
            default:
                Operand from = GuestOperand(value, at);
                LoadInto(into, from, value);
                return into;
        }
    }

    /// <summary>
    /// A register or memory operand with the low 1 &lt;&lt; size bytes of a register. A pending load becomes one when it has that size; a
    /// value that is nowhere goes into <paramref name="into"/>.
    /// </summary>
    private Operand UseOperand(byte register, int size, HostRegister into, int at)
    {
        if (!IsTemporary(register))
        {
            HostRegister host = HostOf(register);
            return host == HostRegister.None ? SlotOf(register) : Operand.Of(host);
        }
        Value value = _values[register];
        return value.Kind switch
        {
            Kind.Slot => TemporarySlot(register),
            Kind.Sum when value.IsCopy => UseOperand(value.Base, size, into, at),
            Kind.Load when value.Size == size && IsLastUse(register, at) => GuestOperand(value, at),
            _ => Operand.Of(Use(register, into, at)),
        };
    }

    private bool TryConstant(byte register, out long value)
    {
        value = _values[register].Displacement;
        return IsTemporary(register) && _values[register].Kind == Kind.Constant;
    }

    /// <summary>The register in which a value for <paramref name="destination"/> is best computed: its own, or the work register.</summary>
    private HostRegister Target(byte destination)
    {
        HostRegister host = IsTemporary(destination) ? HostRegister.None : HostOf(destination);
        return host == HostRegister.None ? RegisterMap.Work : host;
    }

    /// <summary>Makes a host register's value that of a guest register or temporary.</summary>
    private void Finish(byte destination, HostRegister value, int at)
    {
        if (destination == MicroOp.Discard)
            return;
        if (IsTemporary(destination))
        {
            if (value != RegisterMap.Scratch)
            {
                AcquireScratch(at + 1);
                _asm.Move(RegisterMap.Scratch, value);
            }
            Hold(destination);
            return;
        }
        HostRegister host = HostOf(destination);
        if (host == HostRegister.None)
            _asm.Store(SlotOf(destination), value, 3);
        else
            _asm.Move(host, value);
        Unverify(destination);
    }

    /// <summary>The value of a temporary that nobody has computed: a sum for one that is an address or a copy, else a copy of itself.</summary>
    private Value SumOf(byte register)
    {
        if (IsTemporary(register) && _values[register].Kind is Kind.Sum or Kind.Constant)
        {
            Value value = _values[register];
            if (value.Kind == Kind.Constant)
                (value.Kind, value.Base, value.Index) = (Kind.Sum, NoRegister, NoRegister);
            return value;
        }
        return new Value { Kind = Kind.Sum, Base = register, Index = NoRegister, Displacement = register < _map.Count ? _ahead[register] : 0 };
    }

    /// <summary>Computes a sum into a register, which is not the work register, without touching the flags.</summary>
    private void ComputeSum(HostRegister to, in Value sum)
    {
        long displacement = sum.Displacement;
        bool fits = displacement == (int)displacement;
        int near = fits ? (int)displacement : 0;
        // The index may live in the destination: then the base must not be loaded there.
        HostRegister room = sum.Index < _map.Count && HostOf(sum.Index) == to ? RegisterMap.Work : to;
        HostRegister first = sum.Base == NoRegister ? HostRegister.None : Use(sum.Base, room, 0);
        HostRegister index = sum.Index == NoRegister ? HostRegister.None : Use(sum.Index, first == to ? RegisterMap.Work : to, 0);
        if (first == HostRegister.None && index == HostRegister.None)
            (near, fits) = (0, Constant(to, displacement));
        else if (index == HostRegister.None && near == 0)
            _asm.Move(to, first);
        else
            _asm.AddressOf(to, Operand.Sum(first, index, sum.Scale, near));
        if (!fits)
        {
            _asm.Move(RegisterMap.Work, displacement);
            _asm.AddressOf(to, Operand.Sum(to, RegisterMap.Work, 0, 0));
        }
        if (sum.Thread != 0)
        {
            _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rsp, sum.Thread == 1 ? Frame.FsBase : Frame.GsBase), 3);
            _asm.AddressOf(to, Operand.Sum(to, RegisterMap.Work, 0, 0));
        }
    }

    private bool Constant(HostRegister to, long value)
    {
        _asm.Move(to, value);
        return true;
    }
}
