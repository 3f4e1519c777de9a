using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>
/// Between a terminal and its programs: line editing, echo, signal characters and output processing (termios(3)), as Linux's
/// N_TTY does them, including what POSIX leaves open. Knows neither processes nor files. Cut by verb: receiving, editing, echoing,
/// writing, reading.
/// </summary>
public sealed partial class LineDiscipline
{
    /// <summary>Bytes of unread input (N_TTY_BUF_SIZE); the last place is for the line's end.</summary>
    public const int BufferSize = 4096;

    private const int Mask = BufferSize - 1;

    private readonly ILine _line;
    private readonly byte[] _buffer = new byte[BufferSize];

    /// <summary>Places of the buffer that end a line.</summary>
    private readonly bool[] _ends = new bool[BufferSize];
    private readonly bool[] _special = new bool[256];
    private TerminalSettings _settings;

    // Counts that never wrap: where the next byte goes, where finished lines end, what a raw reader may take, what was read.
    private long _head;
    private long _lineHead;
    private long _rawHead;
    private long _tail;

    private bool _isCanonical;
    private bool _isTransparent;
    private bool _takesLiterally;

    public LineDiscipline(ILine line, in TerminalSettings settings)
    {
        _line = line;
        Apply(settings, isFirst: true);
    }

    public ref readonly TerminalSettings Settings => ref _settings;

    /// <summary>Takes new settings. Unread input stays: what was typed as a line becomes raw, and raw input a line.</summary>
    public void Apply(in TerminalSettings settings) => Apply(settings, isFirst: false);

    private void Apply(in TerminalSettings settings, bool isFirst)
    {
        TerminalSettings old = _settings;
        _settings = settings;
        if (isFirst || ((old.Local ^ settings.Local) & (LocalModes.Canonical | LocalModes.ExternalEditing)) != 0)
            ChangeReading();
        _isCanonical = Has(LocalModes.Canonical);
        FindSpecials();
        if (!isFirst && old.Has(InputModes.FlowControlsOutput) && !Has(InputModes.FlowControlsOutput))
        {
            _line.Start();
            ProcessEchoes();
        }
    }

    private void ChangeReading()
    {
        Array.Clear(_ends);
        if (!Has(LocalModes.Canonical) || _head == _tail)
        {
            _lineHead = _tail;
        }
        else
        {
            // What is there counts as a line, though it has no end.
            _ends[(_head - 1) & Mask] = true;
            _lineHead = _head;
        }
        _rawHead = _head;
        _isErasing = false;
        _takesLiterally = false;
    }

    /// <summary>Which characters need more than being stored and echoed.</summary>
    private void FindSpecials()
    {
        const InputModes looking = InputModes.StripEighthBit | InputModes.UpperToLower | InputModes.IgnoreReturn | InputModes.ReturnToNewLine
            | InputModes.NewLineToReturn | InputModes.FlowControlsOutput | InputModes.MarkParityErrors;
        Array.Clear(_special);
        _isTransparent = Has(LocalModes.ExternalEditing)
            ? !Has(InputModes.StripEighthBit | InputModes.UpperToLower)
            : !Has(looking) && !Has(LocalModes.Canonical | LocalModes.Signals | LocalModes.Echo);
        _special['\r'] = Has(InputModes.IgnoreReturn | InputModes.ReturnToNewLine);
        _special['\n'] = Has(InputModes.NewLineToReturn) || Has(LocalModes.Canonical);
        if (Has(LocalModes.Canonical))
        {
            Mark(ControlCharacter.Erase, ControlCharacter.Kill, ControlCharacter.EndOfFile, ControlCharacter.EndOfLine);
            if (Has(LocalModes.Extended))
                Mark(ControlCharacter.WordErase, ControlCharacter.LiteralNext, ControlCharacter.EndOfLine2);
            if (Has(LocalModes.Extended) && Has(LocalModes.Echo))
                Mark(ControlCharacter.Reprint);
        }
        if (Has(InputModes.FlowControlsOutput))
            Mark(ControlCharacter.Start, ControlCharacter.Stop);
        if (Has(LocalModes.Signals))
            Mark(ControlCharacter.Interrupt, ControlCharacter.Quit, ControlCharacter.Suspend);
        _special[TerminalSettings.Disabled] = false;
    }

    private void Mark(params ReadOnlySpan<ControlCharacter> places)
    {
        foreach (ControlCharacter place in places)
            _special[_settings[place]] = true;
    }

    /// <summary>Drops unread input (TCIFLUSH).</summary>
    public void FlushInput()
    {
        _head = _lineHead = _rawHead = _tail = 0;
        _isErasing = false;
        Array.Clear(_ends);
    }

    /// <summary>Takes typed bytes as far as there is room for them; returns how many.</summary>
    public int Receive(ReadOnlySpan<byte> bytes)
    {
        int taken = 0;
        while (taken < bytes.Length)
        {
            int room = InputRoom(out bool isOverflow);
            if (room == 0)
                break;
            ReadOnlySpan<byte> part = bytes.Slice(taken, Math.Min(room, bytes.Length - taken));
            ReceivePart(part);
            taken += part.Length;
            if (isOverflow && _head - _tail == BufferSize)
                _head--;
        }
        return taken;
    }

    /// <summary>
    /// While a line is typed that is longer than the buffer, more is let through one by one, so that it can be erased or ended;
    /// each byte takes the last one's place.
    /// </summary>
    private int InputRoom(out bool isOverflow)
    {
        int room = BufferSize - (int)(_head - _tail);
        if (Has(InputModes.MarkParityErrors))
            room = (room + 2) / 3;
        room--;
        isOverflow = room <= 0 && _isCanonical && _lineHead == _tail;
        return isOverflow ? 1 : Math.Max(0, room);
    }

    private void ReceivePart(ReadOnlySpan<byte> bytes)
    {
        if (_isTransparent)
        {
            foreach (byte typed in bytes)
                Put(typed);
        }
        else
        {
            foreach (byte typed in bytes)
                ReceiveCharacter(typed);
            FlushEchoes();
        }
        if (_settings.IsCanonical)
            return;
        _rawHead = _head;
        if (_head != _tail)
            _line.OnInput();
    }

    private void ReceiveCharacter(byte typed)
    {
        if (Has(InputModes.StripEighthBit))
            typed &= 0x7F;
        if (Has(InputModes.UpperToLower) && Has(LocalModes.Extended) && IsUpper(typed))
            typed += 0x20;
        if (_takesLiterally)
        {
            _takesLiterally = false;
            ReceivePlain(typed);
        }
        else if (_special[typed] && !Has(LocalModes.ExternalEditing))
        {
            ReceiveSpecial(typed);
        }
        else
        {
            ReceivePlain(typed);
        }
    }

    private void ReceivePlain(byte typed)
    {
        RestartByAny();
        if (Has(LocalModes.Echo))
        {
            FinishErasing();
            if (_lineHead == _head)
                EchoLineStart();
            Echo(typed);
            CommitEchoes();
        }
        Store(typed);
    }

    private void ReceiveSpecial(byte typed)
    {
        if (Has(InputModes.FlowControlsOutput) && ControlFlow(typed))
            return;
        if (Has(LocalModes.Signals) && SignalOf(typed) is not 0 and int signal)
        {
            ReceiveSignal(typed, signal);
            return;
        }
        RestartByAny();
        if (typed == '\r')
        {
            if (Has(InputModes.IgnoreReturn))
                return;
            if (Has(InputModes.ReturnToNewLine))
                typed = (byte)'\n';
        }
        else if (typed == '\n' && Has(InputModes.NewLineToReturn))
        {
            typed = (byte)'\r';
        }
        if (_isCanonical && Edit(typed))
            return;
        if (Has(LocalModes.Echo))
        {
            FinishErasing();
            if (typed == '\n')
            {
                EchoRaw(typed);
            }
            else
            {
                if (_lineHead == _head)
                    EchoLineStart();
                Echo(typed);
            }
            CommitEchoes();
        }
        Store(typed);
    }

    private bool ControlFlow(byte typed)
    {
        if (typed == _settings[ControlCharacter.Start])
        {
            _line.Start();
            ProcessEchoes();
            return true;
        }
        if (typed != _settings[ControlCharacter.Stop])
            return false;
        _line.Stop();
        return true;
    }

    private int SignalOf(byte typed)
    {
        if (typed == _settings[ControlCharacter.Interrupt])
            return Signal.Interrupt;
        if (typed == _settings[ControlCharacter.Quit])
            return Signal.Quit;
        return typed == _settings[ControlCharacter.Suspend] ? Signal.TerminalStop : 0;
    }

    private void ReceiveSignal(byte typed, int signal)
    {
        _line.Signal(signal);
        if (!Has(LocalModes.NoFlush))
        {
            DropEchoes();
            FlushInput();
            _line.FlushForSignal();
        }
        if (Has(InputModes.FlowControlsOutput))
            _line.Start();
        if (Has(LocalModes.Echo))
        {
            Echo(typed);
            CommitEchoes();
        }
        else
        {
            ProcessEchoes();
        }
    }

    private void RestartByAny()
    {
        if (!_line.IsStopped || !Has(InputModes.FlowControlsOutput) || !Has(InputModes.AnyRestarts))
            return;
        _line.Start();
        ProcessEchoes();
    }

    /// <summary>A byte that looks like the mark of a parity error is doubled where such marks are made.</summary>
    private void Store(byte typed)
    {
        if (typed == 0xFF && Has(InputModes.MarkParityErrors))
            Put(typed);
        Put(typed);
    }

    private void Put(byte typed) => _buffer[_head++ & Mask] = typed;

    private bool Has(InputModes mode) => (_settings.Input & mode) != 0;

    private bool Has(OutputModes mode) => (_settings.Output & mode) != 0;

    private bool Has(LocalModes mode) => (_settings.Local & mode) != 0;

    /// <summary>A byte inside a UTF-8 sequence, where the terminal is told to know them.</summary>
    private bool IsContinuation(byte value) => Has(InputModes.Utf8) && (value & 0xC0) == 0x80;

    private static bool IsControl(byte value) => value is < 0x20 or 0x7F;

    // Past ASCII the kernel's tables of characters are Latin-1's.
    private static bool IsUpper(byte value) => value is (>= (byte)'A' and <= (byte)'Z') or (>= 0xC0 and <= 0xDE and not 0xD7);

    private static bool IsLower(byte value) => value is (>= (byte)'a' and <= (byte)'z') or (>= 0xDF and not 0xF7);
}
