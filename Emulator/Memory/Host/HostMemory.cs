using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>Host mappings at fixed places inside windows. A failure here is a host limit (vm.max_map_count) and reported as false.</summary>
internal static unsafe class HostMemory
{
    public static int ToHost(Protection protection)
    {
        if (protection == Protection.None)
            return LibC.ProtectionNone;
        // Guest code is data to the host, and x86 pages that can be written can be read.
        return (protection & Protection.Write) != 0 ? LibC.ProtectionRead | LibC.ProtectionWrite : LibC.ProtectionRead;
    }

    public static bool MapAnonymous(nint address, ulong length, Protection protection) =>
        LibC.Map(address, (nuint)length, ToHost(protection), LibC.MapPrivate | LibC.MapAnonymous | LibC.MapNoReserve | LibC.MapFixed, -1, 0) == address;

    public static bool MapFile(nint address, ulong length, Protection protection, bool shared, int file, ulong offset) =>
        LibC.Map(address, (nuint)length, ToHost(protection), (shared ? LibC.MapShared : LibC.MapPrivate | LibC.MapNoReserve) | LibC.MapFixed, file, (long)offset) == address;

    /// <summary>Drops what is mapped and leaves the range reserved.</summary>
    public static void Release(nint address, ulong length)
    {
        int flags = LibC.MapPrivate | LibC.MapAnonymous | LibC.MapNoReserve | LibC.MapFixed;
        if (LibC.Map(address, (nuint)length, LibC.ProtectionNone, flags, -1, 0) != address)
            throw new InvalidOperationException($"cannot release guest memory (mmap: error {Marshal.GetLastPInvokeError()})");
    }

    public static bool Protect(nint address, ulong length, Protection protection) => LibC.Protect(address, (nuint)length, ToHost(protection)) == 0;

    /// <summary>Moves pages to another place, growing them to <paramref name="newLength"/>; the old range is left unmapped and must be released.</summary>
    public static bool Move(nint from, ulong length, nint to, ulong newLength) =>
        LibC.Remap(from, (nuint)length, (nuint)newLength, LibC.RemapMayMove | LibC.RemapFixed, to) == to;

    public static int NewFile(string name)
    {
        Span<byte> text = stackalloc byte[64];
        int length = System.Text.Encoding.ASCII.GetBytes(name, text);
        text[length] = 0;
        const uint closeOnExec = 1;
        fixed (byte* start = text)
            return LibC.MemoryFile(start, closeOnExec);
    }
}
