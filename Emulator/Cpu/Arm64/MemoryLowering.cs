using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Loads and stores of integer registers (Arm ARM, C4.1.96 and on). The forms of addresses serve vector registers too.</summary>
internal static class MemoryLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        switch (word.Field(27, 3))
        {
            case 1 when !word.Bit(24):
                return ExclusiveLowering.TryLower(emitter, word);
            case 3 when !word.Bit(24):
                return TryLiteral(emitter, word);
            case 5:
                return TryPair(emitter, word);
            case 7 when !word.Bit(24) && word.Bit(21) && word.Field(10, 2) == 0:
                return AtomicLowering.TryLower(emitter, word);
            case 7:
                return TrySingle(emitter, word);
            default:
                return false;
        }
    }

    // ---- one register -----------------------------------------------------------------------------------------------

    /// <summary>
    /// The address of a load or store of one register with a scaled, unscaled, indexed or register offset (C1.3.3), and what the base register
    /// becomes behind it. False when there is no such form.
    /// </summary>
    /// <param name="emitter">Receives what computes it.</param>
    /// <param name="word">The instruction.</param>
    /// <param name="scale">log2 of the bytes that are loaded or stored.</param>
    /// <param name="place">The address, and the base register's change.</param>
    public static bool TryAddress(Arm64Emitter emitter, Arm64Word word, int scale, out Arm64Place place)
    {
        place = default;
        if (word.Bit(24))
        {
            place = new Arm64Place(emitter.Address(word.Rn, (long)word.Field(10, 12) << scale), word.Rn, 0);
            return true;
        }
        uint form = word.Field(10, 2);
        if (!word.Bit(21))
        {
            int offset = word.SignedField(12, 9);
            // Unscaled, post-indexed, unprivileged, pre-indexed.
            place = new Arm64Place(emitter.Address(word.Rn, form == 1 ? 0 : offset), word.Rn, (form & 1) != 0 ? offset : 0);
            return true;
        }
        if (form != 2 || !word.Bit(14))
            return false;
        place = new Arm64Place(emitter.IndexedAddress(word.Rn, word.Rm, word.Field(13, 3), word.Bit(12) ? scale : 0), word.Rn, 0);
        return true;
    }

    private static bool TrySingle(Arm64Emitter emitter, Arm64Word word)
    {
        int scale = (int)word.Field(30, 2);
        uint operation = word.Field(22, 2);
        bool isPrefetch = scale == 3 && operation == 2;
        if (scale >= 2 && operation == 3)
            return false;
        if (isPrefetch)
            return word.Bit(24) || (word.Bit(21) ? word.Field(10, 2) == 2 && word.Bit(14) : word.Field(10, 2) == 0);
        if (!TryAddress(emitter, word, scale, out Arm64Place place))
            return false;
        switch (operation)
        {
            case 0:
                emitter.Emit(OpCode.Store, scale, 0, place.Address.Register, emitter.Read(word.Rt), place.Address.Displacement);
                break;
            case 1:
                Load(emitter, OpCode.Load, scale, word.Rt, place.Address);
                break;
            default:
                LoadSigned(emitter, scale, word.Rt, place.Address, isWide: operation == 2);
                break;
        }
        place.WriteBack(emitter);
        return true;
    }

    /// <summary>A load into register 31 is made all the same: it may fault.</summary>
    private static void Load(Arm64Emitter emitter, OpCode code, int scale, byte register, Arm64Address address)
    {
        byte to = emitter.Write(register);
        emitter.Emit(code, scale, to, address.Register, immediate: address.Displacement);
        emitter.Touch(register, to);
    }

    private static void LoadSigned(Arm64Emitter emitter, int scale, byte register, Arm64Address address, bool isWide)
    {
        if (isWide || register == 31)
        {
            Load(emitter, OpCode.LoadSigned, scale, register, address);
            return;
        }
        byte loaded = emitter.Compute(OpCode.LoadSigned, scale, address.Register, immediate: address.Displacement);
        emitter.Emit(OpCode.ZeroExtend, 2, register, loaded);
    }

    private static bool TryLiteral(Arm64Emitter emitter, Arm64Word word)
    {
        uint operation = word.Field(30, 2);
        if (operation == 3)
            return true;
        Arm64Address address = emitter.KnownAddress(LiteralAddress(emitter, word));
        Load(emitter, operation == 2 ? OpCode.LoadSigned : OpCode.Load, operation == 1 ? 3 : 2, word.Rt, address);
        return true;
    }

    /// <summary>The address that a load of a literal names.</summary>
    public static ulong LiteralAddress(Arm64Emitter emitter, Arm64Word word) => emitter.Pc + (ulong)(word.SignedField(5, 19) * 4L);

    // ---- pairs ------------------------------------------------------------------------------------------------------

    /// <summary>The same for a pair: no-allocate, post-indexed, signed offset, pre-indexed.</summary>
    public static Arm64Place PairAddress(Arm64Emitter emitter, Arm64Word word, int scale)
    {
        long offset = (long)word.SignedField(15, 7) << scale;
        uint form = word.Field(23, 2);
        return new Arm64Place(emitter.Address(word.Rn, form == 1 ? 0 : offset), word.Rn, (form & 1) != 0 ? offset : 0);
    }

    private static bool TryPair(Arm64Emitter emitter, Arm64Word word)
    {
        uint kind = word.Field(30, 2);
        bool isLoad = word.Bit(22);
        // LDPSW has no store and no no-allocate form.
        if (kind == 3 || (kind == 1 && (!isLoad || word.Field(23, 2) == 0)))
            return false;
        int scale = kind == 2 ? 3 : 2;
        Arm64Place place = PairAddress(emitter, word, scale);
        if (isLoad)
            LoadPair(emitter, word, kind == 1 ? OpCode.LoadSigned : OpCode.Load, scale, place);
        else
        {
            emitter.Emit(OpCode.Store, scale, 0, place.Address.Register, emitter.Read(word.Rt), place.Address.Displacement);
            emitter.Emit(OpCode.Store, scale, 0, place.Address.Register, emitter.Read(word.Rt2), place.Address.Displacement + (1 << scale));
        }
        place.WriteBack(emitter);
        return true;
    }

    /// <summary>No register changes before the second load.</summary>
    private static void LoadPair(Arm64Emitter emitter, Arm64Word word, OpCode code, int scale, Arm64Place place)
    {
        byte first = emitter.Compute(code, scale, place.Address.Register, immediate: place.Address.Displacement);
        Load(emitter, code, scale, word.Rt2, place.Address with { Displacement = place.Address.Displacement + (1 << scale) });
        if (word.Rt != 31)
            emitter.Emit(OpCode.Move, 3, word.Rt, first);
        else
            emitter.Touch(31, first);
    }
}

/// <summary>The address of a load or store, and how its base register changes behind it.</summary>
internal readonly record struct Arm64Place(Arm64Address Address, byte Base, long Change)
{
    /// <summary>To be called behind the access, which may fault.</summary>
    public void WriteBack(Arm64Emitter emitter)
    {
        if (Change != 0)
            emitter.Emit(OpCode.AddImmediate, 3, Base, Base, immediate: Change);
    }
}
