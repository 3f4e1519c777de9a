using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vivarium.Nodes.Native;

/// <summary>The host's C library, as far as standard streams and terminals need it. Linux, 64-bit layouts.</summary>
internal static class Libc
{
    public const int Eintr = 4;
    public const int Eagain = 11;

    public const short PollIn = 0x001;
    public const short PollOut = 0x004;

    /// <summary>Get window size, ioctl_tty(2).</summary>
    public const uint TiocGWinSz = 0x5413;

    private const string Name = "libc";

    [DllImport(Name, EntryPoint = "read", SetLastError = true)]
    public static extern nint Read(int descriptor, ref byte buffer, nuint count);

    [DllImport(Name, EntryPoint = "write", SetLastError = true)]
    public static extern nint Write(int descriptor, ref readonly byte buffer, nuint count);

    /// <summary>Polls <paramref name="count"/> entries starting at <paramref name="first"/>.</summary>
    [DllImport(Name, EntryPoint = "poll", SetLastError = true)]
    public static extern int Poll(ref PollEntry first, nuint count, int timeout);

    [DllImport(Name, EntryPoint = "lseek")]
    public static extern long LSeek(int descriptor, long offset, int whence);

    [DllImport(Name, EntryPoint = "isatty")]
    public static extern int IsATty(int descriptor);

    [DllImport(Name, EntryPoint = "tcgetattr", SetLastError = true)]
    public static extern int TcGetAttr(int descriptor, out Termios settings);

    [DllImport(Name, EntryPoint = "tcsetattr", SetLastError = true)]
    public static extern int TcSetAttr(int descriptor, int actions, ref readonly Termios settings);

    [DllImport(Name, EntryPoint = "cfmakeraw")]
    public static extern void CfMakeRaw(ref Termios settings);

    [DllImport(Name, EntryPoint = "tcgetpgrp")]
    public static extern int TcGetPgrp(int descriptor);

    [DllImport(Name, EntryPoint = "getpgrp")]
    public static extern int GetPgrp();

    [DllImport(Name, EntryPoint = "getuid")]
    public static extern uint GetUid();

    [DllImport(Name, EntryPoint = "getgid")]
    public static extern uint GetGid();

    [DllImport(Name, EntryPoint = "getgroups", SetLastError = true)]
    private static extern int GetGroups(int size, uint[]? groups);

    /// <summary>Supplementary groups of this process.</summary>
    public static uint[] Groups()
    {
        uint[] groups = new uint[Math.Max(0, GetGroups(0, null))];
        int count = groups.Length == 0 ? 0 : GetGroups(groups.Length, groups);
        return groups[..Math.Max(0, count)];
    }

    [DllImport(Name, EntryPoint = "kill", SetLastError = true)]
    public static extern int Kill(int process, int signal);

    [DllImport(Name, EntryPoint = "ioctl", SetLastError = true)]
    public static extern int IoctlWindowSize(int descriptor, nuint request, out WindowSize size);
}

/// <summary>struct pollfd of poll(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollEntry
{
    public int Descriptor;
    public short Events;
    public short Returned;
}

/// <summary>struct winsize of ioctl_tty(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WindowSize
{
    public ushort Rows;
    public ushort Columns;
    public ushort PixelWidth;
    public ushort PixelHeight;
}

/// <summary>glibc's and musl's struct termios; only ever filled and read by the C library.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Termios
{
    private TermiosBytes _bytes;
}

/// <summary>60 bytes in glibc and musl; room is left for a longer one.</summary>
[InlineArray(16)]
internal struct TermiosBytes
{
    private ulong _first;
}
