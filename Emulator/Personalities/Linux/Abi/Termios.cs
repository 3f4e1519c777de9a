using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Terminals;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct termios of the kernel (asm-generic/termbits.h); the C library's own is longer.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Termios
{
    public uint Input;
    public uint Output;
    public uint Control;
    public uint Local;
    public byte Line;
    public ControlCharacters Characters;

    public static Termios From(in TerminalSettings settings) => new()
    {
        Input = (uint)settings.Input,
        Output = (uint)settings.Output,
        Control = settings.Control,
        Local = (uint)settings.Local,
        Line = settings.Line,
        Characters = settings.Characters,
    };

    /// <summary>The settings with the speeds that the bits of c_cflag name; <paramref name="old"/> keeps those they do not.</summary>
    public readonly TerminalSettings ToSettings(in TerminalSettings old)
    {
        TerminalSettings settings = new()
        {
            Input = (InputModes)Input,
            Output = (OutputModes)Output,
            Control = Control,
            Local = (LocalModes)Local,
            Line = Line,
            Characters = Characters,
        };
        settings.OutputSpeed = Speed.Of(Control) ?? old.OutputSpeed;
        settings.InputSpeed = Speed.OfInput(Control, settings.OutputSpeed) ?? old.InputSpeed;
        return settings;
    }
}

/// <summary>struct termios2: with speeds in numbers.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Termios2
{
    public Termios Modes;
    public uint InputSpeed;
    public uint OutputSpeed;

    public static Termios2 From(in TerminalSettings settings) => new()
    {
        Modes = Termios.From(settings),
        InputSpeed = settings.InputSpeed,
        OutputSpeed = settings.OutputSpeed,
    };

    public readonly TerminalSettings ToSettings()
    {
        TerminalSettings given = new() { InputSpeed = InputSpeed, OutputSpeed = OutputSpeed };
        return Modes.ToSettings(given);
    }
}

/// <summary>struct termio of System V: half as wide, and with eight special characters.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct Termio
{
    private const int Characters = 8;

    public ushort Input;
    public ushort Output;
    public ushort Control;
    public ushort Local;
    public byte Line;
    private FirstCharacters _characters;
    private byte _padding;

    public static Termio From(in TerminalSettings settings)
    {
        Termio termio = new()
        {
            Input = (ushort)settings.Input,
            Output = (ushort)settings.Output,
            Control = (ushort)settings.Control,
            Local = (ushort)settings.Local,
            Line = settings.Line,
        };
        for (int i = 0; i < Characters; i++)
            termio._characters[i] = settings.Characters[i];
        return termio;
    }

    /// <summary>Replaces the lower half of the modes and the first special characters.</summary>
    public readonly TerminalSettings ToSettings(in TerminalSettings old)
    {
        const uint Upper = 0xFFFF0000;
        Termios full = Termios.From(old);
        full.Input = (full.Input & Upper) | Input;
        full.Output = (full.Output & Upper) | Output;
        full.Control = (full.Control & Upper) | Control;
        full.Local = (full.Local & Upper) | Local;
        full.Line = Line;
        for (int i = 0; i < Characters; i++)
            full.Characters[i] = _characters[i];
        return full.ToSettings(old);
    }

    [System.Runtime.CompilerServices.InlineArray(Characters)]
    private struct FirstCharacters
    {
        private byte _first;
    }
}

/// <summary>struct winsize.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct WinSize
{
    public ushort Rows;
    public ushort Columns;
    public ushort PixelWidth;
    public ushort PixelHeight;
}

/// <summary>The speeds that c_cflag names (CBAUD, termios(3)).</summary>
internal static class Speed
{
    private const uint Mask = 0x100F;

    /// <summary>BOTHER: the number is given beside it.</summary>
    private const uint Other = 0x1000;
    private const int InputShift = 16;

    private static ReadOnlySpan<uint> Low => [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];

    private static ReadOnlySpan<uint> High =>
        [57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000];

    /// <summary>Bits a second; null when the number is given elsewhere.</summary>
    public static uint? Of(uint control) => (control & Mask) switch
    {
        Other => null,
        > Other and uint high => High[(int)(high - Other) - 1],
        uint low => Low[(int)low],
    };

    /// <summary>The input's speed is the output's when its bits are 0.</summary>
    public static uint? OfInput(uint control, uint output) => ((control >> InputShift) & Mask) == 0 ? output : Of(control >> InputShift);
}
