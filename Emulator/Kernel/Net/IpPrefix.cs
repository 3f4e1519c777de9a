using System.Net;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Arithmetic on address prefixes.</summary>
public static class IpPrefix
{
    /// <summary>True when the first <paramref name="length"/> bits are the same, in the same family.</summary>
    public static bool Matches(IPAddress prefix, int length, IPAddress address)
    {
        if (prefix.AddressFamily != address.AddressFamily)
            return false;
        Span<byte> one = stackalloc byte[16], two = stackalloc byte[16];
        prefix.TryWriteBytes(one, out int size);
        address.TryWriteBytes(two, out _);
        length = Math.Min(length, size * 8);
        if (!one[..(length / 8)].SequenceEqual(two[..(length / 8)]))
            return false;
        int rest = length % 8;
        return rest == 0 || (one[length / 8] ^ two[length / 8]) >> (8 - rest) == 0;
    }

    /// <summary>The address with its host bits cleared, or set.</summary>
    public static IPAddress Mask(IPAddress address, int length, bool setHostBits = false)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int size);
        for (int bit = length; bit < size * 8; bit++)
        {
            byte mask = (byte)(0x80 >> (bit % 8));
            bytes[bit / 8] = (byte)(setHostBits ? bytes[bit / 8] | mask : bytes[bit / 8] & ~mask);
        }
        return new IPAddress(bytes[..size]);
    }

    public static bool Is4(IPAddress address) => address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;

    public static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);

    public static bool IsMulticast(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int size);
        return size == 4 ? bytes[0] >> 4 == 0xE : bytes[0] == 0xFF;
    }

    public static IPAddress AnyOf(IPAddress like) => Is4(like) ? IPAddress.Any : IPAddress.IPv6Any;

    public static IPAddress LoopbackOf(IPAddress like) => Is4(like) ? IPAddress.Loopback : IPAddress.IPv6Loopback;

    /// <summary>The address without the interface that a link-local one is bound to.</summary>
    public static IPAddress WithoutScope(IPAddress address) => Is4(address) || address.ScopeId == 0 ? address : new IPAddress(address.GetAddressBytes());
}
