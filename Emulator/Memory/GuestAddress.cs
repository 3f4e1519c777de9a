namespace Vivarium.Emulator.Memory;

/// <summary>A byte address in a guest's address space. Never a host address.</summary>
public readonly record struct GuestAddress(ulong Value) : IComparable<GuestAddress>
{
    public const ulong PageSize = 4096;

    public static GuestAddress Null => default;

    public bool IsNull => Value == 0;

    public bool IsPageAligned => (Value & (PageSize - 1)) == 0;

    public GuestAddress PageDown => new(Value & ~(PageSize - 1));

    /// <summary>The next page boundary at or above this address; wraps to 0 at the top of the address space.</summary>
    public GuestAddress PageUp => new((Value + PageSize - 1) & ~(PageSize - 1));

    public int CompareTo(GuestAddress other) => Value.CompareTo(other.Value);

    public override string ToString() => $"0x{Value:x}";

    public static GuestAddress operator +(GuestAddress address, ulong offset) => new(address.Value + offset);

    public static GuestAddress operator -(GuestAddress address, ulong offset) => new(address.Value - offset);

    public static ulong operator -(GuestAddress left, GuestAddress right) => left.Value - right.Value;

    public static bool operator <(GuestAddress left, GuestAddress right) => left.Value < right.Value;

    public static bool operator >(GuestAddress left, GuestAddress right) => left.Value > right.Value;

    public static bool operator <=(GuestAddress left, GuestAddress right) => left.Value <= right.Value;

    public static bool operator >=(GuestAddress left, GuestAddress right) => left.Value >= right.Value;
}

/// <summary>The guest address of a <typeparamref name="T"/> laid out as the guest's ABI lays it out.</summary>
public readonly record struct GuestPointer<T>(GuestAddress Address)
    where T : unmanaged
{
    public bool IsNull => Address.IsNull;
}
