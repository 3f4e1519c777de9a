using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Memory.Host;

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

    [DllImport(Name, EntryPoint = "lseek")]
    public static extern long LSeek(int descriptor, long offset, int whence);

    [DllImport(Name, EntryPoint = "isatty")]
    public static extern int IsATty(int descriptor);

    public const int ReadWrite = 2;
    public const int NoControllingTerminal = 0x100;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;

    public const int SigCont = 18;
    public const int SigStop = 19;
    public const int SigTstp = 20;
    public const int SigTtin = 21;

    // TCGETS and TCSETSW, ioctl_tty(2).
    private const nuint GetSettingsRequest = 0x5401;
    private const nuint SetSettingsRequest = 0x5403;

    [DllImport(Name, EntryPoint = "ioctl", SetLastError = true)]
    private static extern int IoctlSettings(int descriptor, nuint request, ref KernelTermios settings);

    public static int GetSettings(int descriptor, out KernelTermios settings)
    {
        settings = default;
        return IoctlSettings(descriptor, GetSettingsRequest, ref settings);
    }

    /// <summary>Sets a terminal after what was written is out.</summary>
    public static int SetSettings(int descriptor, KernelTermios settings) => IoctlSettings(descriptor, SetSettingsRequest, ref settings);

    [DllImport(Name, EntryPoint = "tcgetsid", SetLastError = true)]
    private static extern int TcGetSid(int descriptor);

    /// <summary>True when it is this process's controlling terminal.</summary>
    public static bool IsControlling(int descriptor) => TcGetSid(descriptor) > 0;

    [DllImport(Name, EntryPoint = "tcgetpgrp")]
    public static extern int TcGetPgrp(int descriptor);

    [DllImport(Name, EntryPoint = "getpgrp")]
    public static extern int GetPgrp();

    [DllImport(Name, EntryPoint = "getuid")]
    public static extern uint GetUid();

    [DllImport(Name, EntryPoint = "getgid")]
    public static extern uint GetGid();

    /// <summary>Supplementary groups of this process.</summary>
    public static List<uint> Groups()
    {
        // NGROUPS_MAX; asked for once, the kernel's own call copies what there is.
        const int most = 65536;
        uint[] groups = new uint[Math.Clamp(HostDescriptors.GetGroups(0, ref MemoryMarshal.GetArrayDataReference<uint>([])), 0, most)];
        int count = groups.Length == 0 ? 0 : HostDescriptors.GetGroups(groups.Length, ref groups[0]);
        return [.. groups.AsSpan(0, Math.Max(0, count))];
    }

    [DllImport(Name, EntryPoint = "kill", SetLastError = true)]
    public static extern int Kill(int process, int signal);

    [DllImport(Name, EntryPoint = "ioctl", SetLastError = true)]
    public static extern int IoctlWindowSize(int descriptor, nuint request, out HostWindowSize size);
}

/// <summary>struct winsize of ioctl_tty(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HostWindowSize
{
    public ushort Rows;
    public ushort Columns;
    public ushort PixelWidth;
    public ushort PixelHeight;
}

/// <summary>struct termios of the kernel (asm-generic/termbits.h), not the C library's.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KernelTermios
{
    private uint _input;
    private uint _output;
    private uint _control;
    private uint _local;
    private byte _line;
    private ControlCharacters _characters;

    public readonly TerminalSettings ToSettings() => new()
    {
        Input = (InputModes)_input,
        Output = (OutputModes)_output,
        Control = _control,
        Local = (LocalModes)_local,
        Characters = _characters,
        InputSpeed = TerminalSettings.Standard.InputSpeed,
        OutputSpeed = TerminalSettings.Standard.OutputSpeed,
    };

    /// <summary>As cfmakeraw(3) makes it: bytes come and go as they are.</summary>
    public readonly KernelTermios ToRaw()
    {
        const InputModes changes = InputModes.IgnoreBreak | InputModes.BreakInterrupts | InputModes.MarkParityErrors | InputModes.StripEighthBit
            | InputModes.NewLineToReturn | InputModes.IgnoreReturn | InputModes.ReturnToNewLine | InputModes.FlowControlsOutput;
        const LocalModes works = LocalModes.Echo | LocalModes.EchoNewLine | LocalModes.Canonical | LocalModes.Signals | LocalModes.Extended;
        KernelTermios raw = this;
        raw._input &= ~(uint)changes;
        raw._output &= ~(uint)OutputModes.Process;
        raw._local &= ~(uint)works;
        raw._characters[(int)ControlCharacter.Minimum] = 1;
        raw._characters[(int)ControlCharacter.Time] = 0;
        return raw;
    }
}
