using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Terminals;

namespace Vivarium.Emulator.Personalities.Bsd.Abi;

/// <summary>struct termios of both systems (termios(4), sys/_termios.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BsdTermios
{
    /// <summary>_POSIX_VDISABLE.</summary>
    private const byte Disabled = 0xFF;

    /// <summary>Sizes, parity, receiver: the same bits as Linux's, four places higher.</summary>
    private const uint LinuxWireBits = 0xFF0;
    private const int WireShift = 4;

    /// <summary>CBAUD, of which the speeds' own members take the place, and CRTSCTS.</summary>
    private const uint LinuxHardwareFlow = 1u << 31, HardwareFlow = 0x30000;

    public uint Input, Output, Control, Local;
    public Characters Special;
    public uint InputSpeed, OutputSpeed;

    [InlineArray(20)]
    internal struct Characters
    {
        private byte _first;
    }

    private static readonly (uint Own, InputModes Neutral)[] InputBits =
    [
        (0x1, InputModes.IgnoreBreak), (0x2, InputModes.BreakInterrupts), (0x4, InputModes.IgnoreParityErrors), (0x8, InputModes.MarkParityErrors),
        (0x10, InputModes.CheckParity), (0x20, InputModes.StripEighthBit), (0x40, InputModes.NewLineToReturn), (0x80, InputModes.IgnoreReturn),
        (0x100, InputModes.ReturnToNewLine), (0x200, InputModes.FlowControlsOutput), (0x400, InputModes.FlowControlsInput), (0x800, InputModes.AnyRestarts),
        (0x2000, InputModes.BellWhenFull), (0x4000, InputModes.Utf8),
    ];

    private static readonly (uint Own, OutputModes Neutral)[] OutputBits =
    [
        (0x1, OutputModes.Process), (0x2, OutputModes.NewLineToReturnNewLine), (0x4, OutputModes.ExpandTabs), (0x10, OutputModes.ReturnToNewLine),
        (0x20, OutputModes.NoReturnAtColumnZero), (0x40, OutputModes.NewLineReturns),
    ];

    private static readonly (uint Own, LocalModes Neutral)[] LocalBits =
    [
        (0x1, LocalModes.EchoKillErase), (0x2, LocalModes.EchoErase), (0x4, LocalModes.EchoKill), (0x8, LocalModes.Echo), (0x10, LocalModes.EchoNewLine),
        (0x20, LocalModes.EchoPrint), (0x40, LocalModes.EchoControl), (0x80, LocalModes.Signals), (0x100, LocalModes.Canonical), (0x400, LocalModes.Extended),
        (0x800, LocalModes.ExternalEditing), (0x400000, LocalModes.StopBackgroundOutput), (0x80000000, LocalModes.NoFlush),
    ];

    /// <summary>Places of c_cc: EOF 0, EOL, EOL2, ERASE, WERASE, KILL, REPRINT, one that is spare, INTR, QUIT, SUSP, DSUSP, START, STOP, LNEXT, DISCARD, MIN, TIME, STATUS.</summary>
    private static ReadOnlySpan<sbyte> Places =>
    [
        (sbyte)ControlCharacter.EndOfFile, (sbyte)ControlCharacter.EndOfLine, (sbyte)ControlCharacter.EndOfLine2, (sbyte)ControlCharacter.Erase,
        (sbyte)ControlCharacter.WordErase, (sbyte)ControlCharacter.Kill, (sbyte)ControlCharacter.Reprint, -1, (sbyte)ControlCharacter.Interrupt,
        (sbyte)ControlCharacter.Quit, (sbyte)ControlCharacter.Suspend, -1, (sbyte)ControlCharacter.Start, (sbyte)ControlCharacter.Stop,
        (sbyte)ControlCharacter.LiteralNext, (sbyte)ControlCharacter.Discard, (sbyte)ControlCharacter.Minimum, (sbyte)ControlCharacter.Time, -1, -1,
    ];

    public static BsdTermios From(in TerminalSettings settings)
    {
        var told = new BsdTermios
        {
            Control = (settings.Control & LinuxWireBits) << WireShift | ((settings.Control & LinuxHardwareFlow) != 0 ? HardwareFlow : 0),
            InputSpeed = settings.InputSpeed,
            OutputSpeed = settings.OutputSpeed,
        };
        foreach ((uint own, InputModes neutral) in InputBits)
            told.Input |= settings.Has(neutral) ? own : 0;
        foreach ((uint own, OutputModes neutral) in OutputBits)
            told.Output |= settings.Has(neutral) ? own : 0;
        foreach ((uint own, LocalModes neutral) in LocalBits)
            told.Local |= settings.Has(neutral) ? own : 0;
        for (int i = 0; i < Places.Length; i++)
            told.Special[i] = Places[i] < 0 ? Disabled : Told(settings, (ControlCharacter)Places[i]);
        return told;
    }

    private static byte Told(in TerminalSettings settings, ControlCharacter place)
    {
        byte character = settings[place];
        return character == TerminalSettings.Disabled && place is not (ControlCharacter.Minimum or ControlCharacter.Time) ? Disabled : character;
    }

    /// <summary>The settings; what has no place here stays as it was.</summary>
    public readonly TerminalSettings ToSettings(in TerminalSettings old)
    {
        TerminalSettings settings = old;
        settings.Control = (old.Control & ~(LinuxWireBits | LinuxHardwareFlow)) | (Control >> WireShift & LinuxWireBits) | ((Control & HardwareFlow) != 0 ? LinuxHardwareFlow : 0);
        foreach ((uint own, InputModes neutral) in InputBits)
            settings.Input = (Input & own) != 0 ? settings.Input | neutral : settings.Input & ~neutral;
        foreach ((uint own, OutputModes neutral) in OutputBits)
            settings.Output = (Output & own) != 0 ? settings.Output | neutral : settings.Output & ~neutral;
        foreach ((uint own, LocalModes neutral) in LocalBits)
            settings.Local = (Local & own) != 0 ? settings.Local | neutral : settings.Local & ~neutral;
        for (int i = 0; i < Places.Length; i++)
        {
            if (Places[i] >= 0)
                settings.Characters[Places[i]] = Special[i] == Disabled ? TerminalSettings.Disabled : Special[i];
        }
        // The input's speed is the output's when it is 0 (cfsetispeed(3)).
        settings.OutputSpeed = OutputSpeed;
        settings.InputSpeed = InputSpeed == 0 ? OutputSpeed : InputSpeed;
        return settings;
    }
}
