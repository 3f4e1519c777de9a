namespace Vivarium.Emulator.Cpu;

/// <summary>
/// What guest code means besides its bytes: its instruction set, and what of the processor's state was taken for granted when it was
/// lowered. A key of every cache of code.
/// </summary>
/// <param name="Architecture">The instruction set.</param>
/// <param name="Variant">
/// 0, or what is not usual about the state: <see cref="OtherRounding"/>, <see cref="Interpreted"/>. Below <see cref="Variants"/>.
/// </param>
public readonly record struct ExecutionMode(Architecture Architecture, byte Variant = 0)
{
    private const int Variants = 4;

    /// <summary>The control register rounds otherwise than to nearest even, as the host does too.</summary>
    public const byte OtherRounding = 1;

    /// <summary>A state that the host has not: nothing is translated. Also what code is lowered for that the interpreter runs.</summary>
    public const byte Interpreted = 3;

    public const int Architectures = 3;

    /// <summary>One more than the largest key.</summary>
    public const int Count = Architectures * Variants;

    /// <summary>A small number for each mode.</summary>
    public int Key => ((int)Architecture * Variants) + Variant;

    /// <summary>By the key: what the compiler would write compares through objects that the run-time makes when a program starts.</summary>
    public bool Equals(ExecutionMode other) => Key == other.Key;

    public override int GetHashCode() => Key;

    /// <summary>An address and the mode in one: guest addresses have fewer than 56 bits.</summary>
    public ulong At(ulong pc) => pc | ((ulong)Key << 56);
}
