namespace Vivarium.Emulator.Kernel.Signals;

/// <summary>A set of signals 1..64, signal n at bit n-1.</summary>
public readonly record struct SignalSet(ulong Bits)
{
    public bool IsEmpty => Bits == 0;

    public static SignalSet Of(int signal) => new(1UL << (signal - 1));

    public bool Contains(int signal) => (Bits >> (signal - 1) & 1) != 0;

    /// <summary>The lowest signal in the set, 0 when it is empty.</summary>
    public int First => Bits == 0 ? 0 : System.Numerics.BitOperations.TrailingZeroCount(Bits) + 1;

    public static SignalSet operator |(SignalSet a, SignalSet b) => new(a.Bits | b.Bits);

    public static SignalSet operator &(SignalSet a, SignalSet b) => new(a.Bits & b.Bits);

    public static SignalSet operator ~(SignalSet a) => new(~a.Bits);
}
