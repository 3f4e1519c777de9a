using System.Runtime.CompilerServices;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>What is done to input (termios(3), c_iflag). The values happen to be Linux's generic ones; others are kept unheeded.</summary>
[Flags]
public enum InputModes : uint
{
    None = 0,
    IgnoreBreak = 0x1,
    BreakInterrupts = 0x2,
    IgnoreParityErrors = 0x4,
    MarkParityErrors = 0x8,
    CheckParity = 0x10,
    StripEighthBit = 0x20,
    NewLineToReturn = 0x40,
    IgnoreReturn = 0x80,
    ReturnToNewLine = 0x100,
    UpperToLower = 0x200,
    FlowControlsOutput = 0x400,
    AnyRestarts = 0x800,
    FlowControlsInput = 0x1000,
    BellWhenFull = 0x2000,
    Utf8 = 0x4000,
}

/// <summary>What is done to output (c_oflag).</summary>
[Flags]
public enum OutputModes : uint
{
    None = 0,
    Process = 0x1,
    LowerToUpper = 0x2,
    NewLineToReturnNewLine = 0x4,
    ReturnToNewLine = 0x8,
    NoReturnAtColumnZero = 0x10,
    NewLineReturns = 0x20,

    /// <summary>Both bits: tabs become spaces.</summary>
    ExpandTabs = 0x1800,
}

/// <summary>Line editing, echo and signals (c_lflag).</summary>
[Flags]
public enum LocalModes : uint
{
    None = 0,
    Signals = 0x1,
    Canonical = 0x2,
    Echo = 0x8,
    EchoErase = 0x10,
    EchoKill = 0x20,
    EchoNewLine = 0x40,
    NoFlush = 0x80,
    StopBackgroundOutput = 0x100,
    EchoControl = 0x200,
    EchoPrint = 0x400,
    EchoKillErase = 0x800,
    Extended = 0x8000,

    /// <summary>The line is edited outside, at the master's side (EXTPROC).</summary>
    ExternalEditing = 0x10000,
}

/// <summary>Places of the special characters (c_cc).</summary>
public enum ControlCharacter
{
    Interrupt,
    Quit,
    Erase,
    Kill,
    EndOfFile,
    Time,
    Minimum,
    Switch,
    Start,
    Stop,
    Suspend,
    EndOfLine,
    Reprint,
    Discard,
    WordErase,
    LiteralNext,
    EndOfLine2,
}

/// <summary>The special characters; 0 disables one.</summary>
[InlineArray(Count)]
public struct ControlCharacters
{
    /// <summary>NCCS of Linux's kernel interface.</summary>
    public const int Count = 19;

    private byte _first;
}

/// <summary>A terminal's settings (termios(3)).</summary>
public struct TerminalSettings
{
    /// <summary>A disabled special character (_POSIX_VDISABLE), and what stands for end of file in the buffer.</summary>
    public const byte Disabled = 0;

    private const uint Bits38400 = 0xF, Bits8 = 0x30, EnableReceiver = 0x80;
    private const uint SizeAndParity = 0x130;

    public InputModes Input;
    public OutputModes Output;

    /// <summary>c_cflag: no wire means no meaning, it is only kept.</summary>
    public uint Control;
    public LocalModes Local;

    /// <summary>The line discipline's number.</summary>
    public byte Line;
    public ControlCharacters Characters;

    /// <summary>Bits a second.</summary>
    public uint InputSpeed;
    public uint OutputSpeed;

    /// <summary>What a new terminal has: line editing, echo and signals (tty_std_termios).</summary>
    public static TerminalSettings Standard
    {
        get
        {
            var settings = new TerminalSettings
            {
                Input = InputModes.ReturnToNewLine | InputModes.FlowControlsOutput,
                Output = OutputModes.Process | OutputModes.NewLineToReturnNewLine,
                Control = Bits38400 | Bits8 | EnableReceiver,
                Local = LocalModes.Signals | LocalModes.Canonical | LocalModes.Echo | LocalModes.EchoErase | LocalModes.EchoKill
                    | LocalModes.EchoControl | LocalModes.EchoKillErase | LocalModes.Extended,
                InputSpeed = 38400,
                OutputSpeed = 38400,
            };
            // ^C ^\ DEL ^U ^D, time 0, minimum 1, no switch, ^Q ^S ^Z, no end of line, ^R ^O ^W ^V.
            ReadOnlySpan<byte> standard = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0];
            standard.CopyTo(settings.Characters);
            return settings;
        }
    }

    public readonly byte this[ControlCharacter place] => Characters[(int)place];

    public readonly bool Has(InputModes mode) => (Input & mode) != 0;

    public readonly bool Has(OutputModes mode) => (Output & mode) != 0;

    public readonly bool Has(LocalModes mode) => (Local & mode) != 0;

    /// <summary>Lines are edited and handed out whole.</summary>
    public readonly bool IsCanonical => Has(LocalModes.Canonical) && !Has(LocalModes.ExternalEditing);

    /// <summary>^S and ^Q have their usual meaning, so that who is at the master's side may act on them itself.</summary>
    internal readonly bool HasUsualFlowControl =>
        Has(InputModes.FlowControlsOutput) && this[ControlCharacter.Stop] == 19 && this[ControlCharacter.Start] == 17;

    /// <summary>A pseudo-terminal has eight bits and no parity, whatever is asked for (pty_set_termios).</summary>
    internal void KeepPseudoTerminal() => Control = (Control & ~SizeAndParity) | Bits8 | EnableReceiver;
}

/// <summary>A terminal's size in characters and pixels.</summary>
public readonly record struct WindowSize(ushort Rows, ushort Columns, ushort PixelWidth = 0, ushort PixelHeight = 0);
