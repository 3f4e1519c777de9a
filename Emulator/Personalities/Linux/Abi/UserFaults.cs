using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct uffdio_api of linux/userfaultfd.h.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdioApi
{
    public ulong Api;
    public ulong Features;
    public ulong Ioctls;
}

/// <summary>struct uffdio_range.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdioRange
{
    public ulong Start;
    public ulong Len;
}

/// <summary>struct uffdio_copy and struct uffdio_move, whose last member is the result.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdioCopy
{
    public ulong Dst;
    public ulong Src;
    public ulong Len;
    public ulong Mode;
    public long Copy;
}

/// <summary>struct uffd_msg.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UffdMessage
{
    public const byte PageFault = 0x12, Fork = 0x13, Remap = 0x14, Remove = 0x15, Unmap = 0x16;

    public ulong Event;
    public ulong First;
    public ulong Second;
    public ulong Third;
}
