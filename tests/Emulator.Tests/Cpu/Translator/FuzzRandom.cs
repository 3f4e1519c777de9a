namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>A fast generator of reproducible numbers (SplitMix64).</summary>
internal sealed class FuzzRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E37_79B9_7F4A_7C15;
        var mixed = (_state ^ (_state >> 30)) * 0xBF58_476D_1CE4_E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB;
        return mixed ^ (mixed >> 31);
    }

    public int Below(int limit) => (int)((Next() >> 32) * (ulong)limit >> 32);

    /// <summary>A number of both ends' range.</summary>
    public int Between(int first, int last) => first + Below(last - first + 1);

    /// <summary>True so many times of a thousand.</summary>
    public bool Chance(int thousandths) => Below(1000) < thousandths;

    public T Pick<T>(ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    public void Fill(Span<byte> bytes)
    {
        var words = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = 0; i < words.Length; i++)
            words[i] = Next();
    }

    /// <summary>An operand: small, a power of two, a mask, half a register or anything.</summary>
    public ulong Value() => Below(6) switch
    {
        0 => (ulong)Between(-40, 40),
        1 => 1UL << Below(64),
        2 => (1UL << Below(64)) - 1,
        3 => Next() & 0xFFFF_FFFF,
        4 => Next() >> Below(64),
        _ => Next(),
    };
}
