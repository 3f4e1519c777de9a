using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Personalities.Tables;

/// <summary>A name that holds when <c>value &amp; Mask == Value</c>.</summary>
public readonly record struct NamedValue(ulong Value, ulong Mask, string Name);

/// <summary>Names of a value: one of them (an enumeration), or several (flags).</summary>
/// <param name="Name">The set's own name in its table.</param>
/// <param name="IsFlags">True when names combine.</param>
/// <param name="Size">Bytes of the value.</param>
/// <param name="IsSigned">True when a value without a name is shown signed.</param>
/// <param name="Values">In the order of listing.</param>
public sealed record NamedSet(string Name, bool IsFlags, int Size, bool IsSigned, NamedValue[] Values)
{
    /// <summary>The names as arm64 has them, where those differ; null where they do not.</summary>
    public NamedValue[]? Arm64Values { get; init; }

    /// <summary>The set of an architecture.</summary>
    public NamedSet On(Architecture architecture) =>
        architecture == Architecture.Arm64 && Arm64Values is { } values ? _onArm64 ??= this with { Values = values, Arm64Values = null } : this;

    private NamedSet? _onArm64;

    /// <summary>The bits of a register that belong to the value.</summary>
    public ulong Truncate(ulong register) => Size == 8 ? register : register & ((1UL << (Size * 8)) - 1);

    /// <summary>An enumeration's name of a value, or null.</summary>
    public string? NameOf(ulong value)
    {
        value = Truncate(value);
        foreach (NamedValue named in Values)
        {
            if (Truncate(named.Value) == value)
                return named.Name;
        }
        return null;
    }
}
