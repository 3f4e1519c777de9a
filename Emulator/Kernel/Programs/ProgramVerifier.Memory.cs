using static Vivarium.Emulator.Kernel.Programs.ProgramCodes;

namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>Loads and stores: what each kind of pointer may be used for.</summary>
internal sealed partial class ProgramVerifier
{
    /// <summary>Of struct __sk_buff: words that programs on sockets may read, and the five that are theirs.</summary>
    private const int ContextHead = 48, OwnEnd = 68, HashAt = 68, NapiAt = 84;

    private bool Loads(ProgramInstruction now)
    {
        if (!IsReadable(now.Source) || !IsWritable(now.Destination))
            return false;
        RegisterState at = _state.Registers[now.Source];
        if (at.Kind == RegisterKind.Stack)
            return LoadsStack(now, at);
        if (!IsInside(now.Source, at, now.Offset, now.Width, writes: false))
            return false;
        _state.Registers[now.Destination] = now.Width == 8 ? RegisterState.Any : RegisterState.Between(0, (1ul << (8 * now.Width)) - 1);
        return true;
    }

    private bool LoadsStack(ProgramInstruction now, in RegisterState at)
    {
        if (!TryPlace(now.Source, at, now.Offset, now.Width, out int place))
            return false;
        if (_state.Bytes[place] == VerifierState.Spilled)
        {
            RegisterState kept = _state.Slots[place / 8];
            if (now.Width == 8)
            {
                _state.Registers[now.Destination] = kept;
                return true;
            }
            if (!kept.IsNumber)
                return Refuse("corrupted spill memory");
        }
        for (int i = 0; i < now.Width; i++)
        {
            if (_state.Bytes[place + i] == VerifierState.Unset && !isPrivileged)
                return Refuse($"invalid read from stack off {place - StackSize}+{i} size {now.Width}");
        }
        _state.Registers[now.Destination] = now.Width == 8 ? RegisterState.Any : RegisterState.Between(0, (1ul << (8 * now.Width)) - 1);
        return true;
    }

    private bool Stores(ProgramInstruction now)
    {
        bool isAtomic = now.Class == StoreRegister && now.Mode == Atomic;
        if (!IsReadable(now.Destination) || (now.Class == StoreRegister && !IsReadable(now.Source)))
            return false;
        RegisterState value = now.Class == Store ? RegisterState.Of((ulong)now.Immediate) : _state.Registers[now.Source], at = _state.Registers[now.Destination];
        if (isAtomic)
            return ChangesAtOnce(now, value, at);
        if (at.Kind != RegisterKind.Stack)
            return (value.IsNumber || Refuse($"R{now.Source} leaks addr into memory")) && IsInside(now.Destination, at, now.Offset, now.Width, writes: true);
        if (!TryPlace(now.Destination, at, now.Offset, now.Width, out int place))
            return false;
        if (!value.IsNumber && now.Width != 8)
            return Refuse("invalid size of register spill");
        Keep(place, now.Width, value);
        return true;
    }

    private void Keep(int place, int width, in RegisterState value)
    {
        bool isWhole = width == 8;
        // What is left of a register that was kept here is mere bytes.
        for (int slot = place / 8; slot <= (place + width - 1) / 8; slot++)
        {
            for (int i = slot * 8; i < (slot * 8) + 8; i++)
                _state.Bytes[i] = _state.Bytes[i] == VerifierState.Spilled ? VerifierState.Data : _state.Bytes[i];
        }
        Array.Fill(_state.Bytes, isWhole ? VerifierState.Spilled : VerifierState.Data, place, width);
        if (isWhole)
            _state.Slots[place / 8] = value;
    }

    private bool ChangesAtOnce(ProgramInstruction now, in RegisterState value, in RegisterState at)
    {
        if (!value.IsNumber)
            return Refuse($"R{now.Source} leaks addr into mem");
        if (at.Kind is not (RegisterKind.Stack or RegisterKind.MapValue or RegisterKind.Record))
            return Refuse($"BPF_ATOMIC stores into R{now.Destination} is not allowed");
        if (now.Immediate == CompareExchange && (!IsReadable(0) || (!_state.Registers[0].IsNumber && !Refuse("R0 leaks addr into mem"))))
            return false;
        if (at.Kind == RegisterKind.Stack)
        {
            if (!TryPlace(now.Destination, at, now.Offset, now.Width, out int place) || !IsSet(place, now.Width, now.Destination))
                return false;
            Keep(place, now.Width, RegisterState.Any);
        }
        else if (!IsInside(now.Destination, at, now.Offset, now.Width, writes: true))
        {
            return false;
        }
        if ((now.Immediate & Fetch) == 0)
            return true;
        int result = now.Immediate == CompareExchange ? 0 : now.Source;
        if (!IsWritable(result))
            return false;
        _state.Registers[result] = now.Width == 8 ? RegisterState.Any : RegisterState.Between(0, uint.MaxValue);
        return true;
    }

    /// <summary>A place on the stack, which must be known and aligned.</summary>
    private bool TryPlace(int register, in RegisterState at, int offset, int size, out int place)
    {
        place = 0;
        if (!at.IsConstant)
            return Refuse($"R{register} variable stack access prohibited");
        long from = at.LeastSigned + offset;
        if (from < -StackSize || from + size > 0)
            return Refuse($"invalid stack off={from} size={size}");
        if (from % size != 0)
            return Refuse($"misaligned stack access off {from} size {size}");
        place = (int)from + StackSize;
        return true;
    }

    /// <summary>Bytes of the stack that a function reads.</summary>
    private bool IsSet(int place, int size, int register)
    {
        for (int i = place; i < place + size; i++)
        {
            if (_state.Bytes[i] == VerifierState.Unset && !isPrivileged)
                return Refuse($"invalid read from stack R{register} off {place - StackSize}+{i - place} size {size}");
            if (_state.Bytes[i] == VerifierState.Spilled && !_state.Slots[i / 8].IsNumber)
                return Refuse($"R{register} leaks addr from stack");
        }
        return true;
    }

    private bool IsInside(int register, in RegisterState at, int offset, int size, bool writes)
    {
        switch (at.Kind)
        {
            case RegisterKind.Context:
                return IsOfContext(at.LeastSigned + offset, size, writes) || Refuse($"invalid bpf_context access off={at.LeastSigned + offset} size={size}");
            case RegisterKind.MapValue:
                return IsInside(register, at, offset, size, at.Map!.ValueSize, "map value");
            case RegisterKind.Record:
                return IsInside(register, at, offset, size, at.Length, "memory");
            default:
                return Refuse($"R{register} invalid mem access");
        }
    }

    private bool IsInside(int register, in RegisterState at, int offset, int size, int length, string what)
    {
        if (at.IsConstant && at.LeastSigned + offset >= 0 && at.LeastSigned + offset + size <= length)
            return true;
        if (at.LeastSigned + offset < 0)
            return Refuse($"R{register} min value is negative, either use unsigned index or do a if (index >=0) check.");
        if (at.LeastSigned < 0 || at.Most >= (ulong)MostOffset)
            return Refuse($"R{register} unbounded memory access, make sure to bounds check any such access");
        return (long)at.Most + offset + size <= length || Refuse($"invalid access to {what}, value_size={length} off={at.LeastSigned + offset} size={size}");
    }

    private static bool IsOfContext(long at, int size, bool writes)
    {
        bool isOwn = at >= ContextHead && at + size <= OwnEnd && at % size == 0;
        bool isReadable = !writes && at % size == 0 && size <= 4 && (at is >= 0 and < ContextHead || at / 4 * 4 is HashAt or NapiAt);
        return isOwn || isReadable;
    }
}
