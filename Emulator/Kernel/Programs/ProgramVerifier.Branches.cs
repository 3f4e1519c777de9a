using static Vivarium.Emulator.Kernel.Programs.ProgramCodes;

namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>Where ways part, what is known behind that, and calls of the kernel's functions.</summary>
internal sealed partial class ProgramVerifier
{
    private bool Branch(ProgramInstruction now)
    {
        switch (now.Operation)
        {
            case Exit:
                return Leaves();
            case Call:
                _state.At++;
                return Calls((ProgramHelper)now.Immediate);
            case Always:
                _state.At += 1 + now.Offset;
                return true;
        }
        if (!IsReadable(now.Destination) || (now.TakesRegister && !IsReadable(now.Source)))
            return false;
        int width = now.Class == Jump ? 64 : 32;
        RegisterState one = _state.Registers[now.Destination], two = now.TakesRegister ? _state.Registers[now.Source] : RegisterState.Of((ulong)now.Immediate);
        if (!one.IsNumber || !two.IsNumber)
            return BranchesOnPointer(now, one, two, width);
        int taken = _state.At + 1 + now.Offset, next = _state.At + 1;
        VerifierState other = _state.Fork(taken);
        _state.At = next;
        bool mayHold = Narrow(other, now, one, two, width, holds: true), mayFail = Narrow(_state, now, one, two, width, holds: false);
        if (mayHold && mayFail)
            return Push(other);
        if (mayHold)
            _state = other;
        return mayHold || mayFail;
    }

    private bool Push(VerifierState other)
    {
        if (_waiting.Count >= MostWaiting)
            return Refuse(Errno.E2BIG, $"The sequence of {MostWaiting} jumps is too complex.");
        _waiting.Push(other);
        return true;
    }

    /// <summary>A pointer may be asked whether it is null, and nothing else.</summary>
    private bool BranchesOnPointer(ProgramInstruction now, in RegisterState one, in RegisterState two, int width)
    {
        bool isNullCheck = width == 64 && one.IsPointer && two is { IsNumber: true, IsConstant: true, Least: 0 } && now.Operation is Equal or NotEqual;
        if (!isNullCheck)
            return Refuse($"R{now.Destination} pointer comparison prohibited");
        int whenNull = now.Operation == Equal ? _state.At + 1 + now.Offset : _state.At + 1, otherwise = now.Operation == Equal ? _state.At + 1 : _state.At + 1 + now.Offset;
        if (one.Kind is not (RegisterKind.MapValueOrNull or RegisterKind.RecordOrNull))
        {
            _state.At = otherwise;
            return true;
        }
        VerifierState isNull = _state.Fork(whenNull);
        Resolve(isNull, one.Identity, isNull: true);
        Resolve(_state, one.Identity, isNull: false);
        isNull.Records.Remove(one.Identity);
        _state.At = otherwise;
        return Push(isNull);
    }

    private static void Resolve(VerifierState state, int identity, bool isNull)
    {
        foreach (RegisterState[] all in (RegisterState[][])[state.Registers, state.Slots])
        {
            for (int i = 0; i < all.Length; i++)
            {
                ref RegisterState at = ref all[i];
                if (at.Identity != identity || at.Kind is not (RegisterKind.MapValueOrNull or RegisterKind.RecordOrNull))
                    continue;
                if (isNull)
                    at = RegisterState.Of(0);
                else
                    at.Kind = at.Kind == RegisterKind.MapValueOrNull ? RegisterKind.MapValue : RegisterKind.Record;
            }
        }
    }

    /// <summary>What a condition that holds, or does not, says of a number that is compared with a constant; false when that cannot be.</summary>
    private static bool Narrow(VerifierState state, ProgramInstruction now, in RegisterState one, in RegisterState two, int width, bool holds)
    {
        if (one.IsConstant && two.IsConstant)
            return ProgramArithmetic.Holds(now.Operation, one.Least, two.Least, width) == holds;
        if (!two.IsConstant || (width == 32 && one.Most > int.MaxValue))
            return true;
        RegisterState known = one;
        ulong with = width == 32 ? (uint)two.Least : two.Least;
        long signed = width == 32 ? (int)two.Least : (long)two.Least;
        int condition = holds ? now.Operation : Opposite(now.Operation);
        switch (condition)
        {
            case Equal:
                (known.Least, known.Most) = (Math.Max(known.Least, with), Math.Min(known.Most, with));
                break;
            case NotEqual when known.Least == with:
                known.Least++;
                break;
            case NotEqual when known.Most == with:
                known.Most--;
                break;
            case Greater:
                if (with == ulong.MaxValue)
                    return false;
                known.Least = Math.Max(known.Least, with + 1);
                break;
            case GreaterOrEqual:
                known.Least = Math.Max(known.Least, with);
                break;
            case Less:
                if (with == 0)
                    return false;
                known.Most = Math.Min(known.Most, with - 1);
                break;
            case LessOrEqual:
                known.Most = Math.Min(known.Most, with);
                break;
            case SignedGreater:
                if (signed == long.MaxValue)
                    return false;
                known.LeastSigned = Math.Max(known.LeastSigned, signed + 1);
                break;
            case SignedGreaterOrEqual:
                known.LeastSigned = Math.Max(known.LeastSigned, signed);
                break;
            case SignedLess:
                if (signed == long.MinValue)
                    return false;
                known.MostSigned = Math.Min(known.MostSigned, signed - 1);
                break;
            case SignedLessOrEqual:
                known.MostSigned = Math.Min(known.MostSigned, signed);
                break;
        }
        if (!known.Settle())
            return false;
        state.Registers[now.Destination] = known;
        return true;
    }

    private static int Opposite(int condition) => condition switch
    {
        Equal => NotEqual,
        NotEqual => Equal,
        Greater => LessOrEqual,
        GreaterOrEqual => Less,
        Less => GreaterOrEqual,
        LessOrEqual => Greater,
        SignedGreater => SignedLessOrEqual,
        SignedGreaterOrEqual => SignedLess,
        SignedLess => SignedGreaterOrEqual,
        SignedLessOrEqual => SignedGreater,
        _ => -1,
    };

    private bool Leaves()
    {
        RegisterState result = _state.Registers[0];
        if (result.Kind == RegisterKind.Unset)
            return Refuse("R0 !read_ok");
        if (!result.IsNumber && !isPrivileged)
            return Refuse("R0 leaks addr as return value");
        return _state.Records.Count == 0 ? false : Refuse(Errno.EINVAL, $"Unreleased reference id={_state.Records[0]}");
    }

    private bool Calls(ProgramHelper helper)
    {
        switch (helper)
        {
            case ProgramHelper.MapLookup:
                return TakesMap(1, hasElements: true, out ProgramMap? map) && TakesBytes(2, map!.KeySize, writes: false)
                    && Gives(new RegisterState { Kind = RegisterKind.MapValueOrNull, Map = map, Identity = ++_identities });
            case ProgramHelper.MapUpdate:
                return TakesMap(1, hasElements: true, out map) && TakesBytes(2, map!.KeySize, writes: false) && TakesBytes(3, map.ValueSize, writes: false) && TakesNumber(4) && Gives(RegisterState.Any);
            case ProgramHelper.MapDelete:
                return TakesMap(1, hasElements: true, out map) && TakesBytes(2, map!.KeySize, writes: false) && Gives(RegisterState.Any);
            case ProgramHelper.MonotonicTime or ProgramHelper.BootTime:
                return Gives(RegisterState.Any);
            case ProgramHelper.RandomNumber:
                return Gives(RegisterState.Between(0, uint.MaxValue));
            case ProgramHelper.Processor:
                return Gives(RegisterState.Between(0, uint.MaxValue));
            case ProgramHelper.LoadBytes:
                return TakesContext(1) && TakesNumber(2) && TakesSize(4, out int size) && TakesBytes(3, size, writes: true) && Gives(RegisterState.Any);
            case ProgramHelper.RingOutput:
                return TakesMap(1, hasElements: false, out _) && TakesSize(3, out size) && TakesBytes(2, size, writes: false) && TakesNumber(4) && Gives(RegisterState.Any);
            case ProgramHelper.RingReserve:
                return Reserves();
            case ProgramHelper.RingSubmit or ProgramHelper.RingDiscard:
                return EndsRecord();
            case ProgramHelper.RingQuery:
                return TakesMap(1, hasElements: false, out _) && TakesNumber(2) && Gives(RegisterState.Any);
            default:
                return Refuse(Errno.EINVAL, $"invalid func unknown#{(int)helper}");
        }
    }

    private bool Gives(in RegisterState result)
    {
        ForgetCalled();
        _state.Registers[0] = result;
        return true;
    }

    private bool Reserves()
    {
        if (!TakesMap(1, hasElements: false, out _) || !TakesSize(2, out int size) || !TakesNumber(3))
            return false;
        _state.Records.Add(++_identities);
        return Gives(new RegisterState { Kind = RegisterKind.RecordOrNull, Identity = _identities, Length = size });
    }

    private bool EndsRecord()
    {
        RegisterState record = _state.Registers[1];
        if (record.Kind != RegisterKind.Record || !_state.Records.Contains(record.Identity))
            return Refuse(Errno.EINVAL, "R1 must be referenced when passed to release function");
        if (!record.IsConstant || record.Least != 0)
            return Refuse(Errno.EINVAL, "dereference of modified alloc_mem ptr R1 disallowed");
        if (!TakesNumber(2))
            return false;
        _state.Records.Remove(record.Identity);
        // No copy of it can be used any more.
        foreach (RegisterState[] all in (RegisterState[][])[_state.Registers, _state.Slots])
        {
            for (int i = 0; i < all.Length; i++)
            {
                if (all[i].Kind == RegisterKind.Record && all[i].Identity == record.Identity)
                    all[i] = RegisterState.Any;
            }
        }
        ForgetCalled();
        return true;
    }

    private bool TakesMap(int register, bool hasElements, out ProgramMap? map)
    {
        map = _state.Registers[register].Map;
        if (_state.Registers[register].Kind != RegisterKind.Map)
            return Refuse($"R{register} type is not the expected one, expected=map_ptr");
        return map!.HasElements == hasElements || Refuse(Errno.EINVAL, "cannot pass map_type into func");
    }

    private bool TakesContext(int register) =>
        _state.Registers[register] is { Kind: RegisterKind.Context, IsConstant: true } || Refuse($"R{register} type is not the expected one, expected=ctx");

    private bool TakesNumber(int register)
    {
        if (!IsReadable(register))
            return false;
        return _state.Registers[register].IsNumber || Refuse($"R{register} type is not the expected one, expected=scalar");
    }

    /// <summary>A length, which must be known and more than nothing.</summary>
    private bool TakesSize(int register, out int size)
    {
        const int most = 1 << 29;
        RegisterState given = _state.Registers[register];
        size = given is { IsNumber: true, IsConstant: true, Least: > 0 and < most } ? (int)given.Least : 0;
        return size != 0 || Refuse($"R{register} is not a known constant");
    }

    private bool TakesBytes(int register, int size, bool writes)
    {
        if (!IsReadable(register))
            return false;
        RegisterState at = _state.Registers[register];
        if (at.Kind != RegisterKind.Stack)
            return at.Kind is RegisterKind.MapValue or RegisterKind.Record ? IsInside(register, at, 0, size, writes) : Refuse($"R{register} type is not the expected one, expected=fp");
        if (!at.IsConstant || at.LeastSigned < -StackSize || at.LeastSigned + size > 0)
            return Refuse($"invalid indirect access to stack R{register} off={at.LeastSigned} size={size}");
        int place = (int)at.LeastSigned + StackSize;
        if (!writes)
            return IsSet(place, size, register);
        Keep(place, size, RegisterState.Any);
        if (size != 8)
            return true;
        Array.Fill(_state.Bytes, VerifierState.Data, place, size);
        return true;
    }
}
