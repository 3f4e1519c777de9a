namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>
/// Echo. What is to be shown waits in a queue, because output may be stopped, and because how far a tab reaches is known only when
/// its turn comes. Steps that are more than a byte begin with <see cref="Step"/>.
/// </summary>
public sealed partial class LineDiscipline
{
    private const byte Step = 0xFF;
    private const byte StepMoveBack = 0x80;
    private const byte StepLineStart = 0x81;
    private const byte StepEraseTab = 0x82;

    /// <summary>Echo goes out in blocks while it comes fast, and all of it at the end of what was received.</summary>
    private const int EchoBlock = 256;

    /// <summary>Beyond this the oldest echo is dropped: nobody takes the output.</summary>
    private const int MostEcho = BufferSize - EchoBlock - 32;

    private readonly List<byte> _echo = [];

    /// <summary>Echo that may go out, up to here; the rest belongs to what is being received.</summary>
    private int _echoMark;

    /// <summary>Echo whose turn has come, up to here; when output is stopped it waits for more than more typing.</summary>
    private int _echoTried;

    /// <summary>The cursor's column, and the one in which the line began.</summary>
    private int _column;
    private int _lineColumn;

    private void Echo(byte shown)
    {
        if (shown != Step && IsControl(shown) && shown != '\t' && Has(LocalModes.EchoControl))
            _echo.Add(Step);
        EchoRaw(shown);
    }

    private void EchoRaw(byte shown)
    {
        if (shown == Step)
            _echo.Add(Step);
        _echo.Add(shown);
    }

    private void EchoRubOut()
    {
        EchoRaw((byte)'\b');
        EchoRaw((byte)' ');
        EchoRaw((byte)'\b');
    }

    private void EchoMoveBack() => _echo.AddRange(Step, StepMoveBack);

    private void EchoLineStart() => _echo.AddRange(Step, StepLineStart);

    private void EchoEraseTab(int columns, bool afterTab) =>
        _echo.AddRange(Step, StepEraseTab, (byte)((columns & 7) | (afterTab ? 0x80 : 0)));

    private void FinishErasing()
    {
        if (!_isErasing)
            return;
        EchoRaw((byte)'/');
        _isErasing = false;
    }

    private void CommitEchoes()
    {
        _echoMark = _echo.Count;
        if (_echoMark >= EchoBlock)
            SendEchoes(_echoMark);
    }

    /// <summary>Sends what waits, now that output may go on.</summary>
    public void ProcessEchoes()
    {
        if (_echoMark > 0)
            SendEchoes(_echoMark);
    }

    private void FlushEchoes()
    {
        if (_echo.Count > _echoTried && Has(LocalModes.Echo | LocalModes.EchoNewLine))
            SendEchoes(_echo.Count);
    }

    private void DropEchoes()
    {
        _echo.Clear();
        _echoMark = _echoTried = 0;
    }

    private void SendEchoes(int end)
    {
        int done = 0;
        while (done < end)
        {
            int length = _echo[done] == Step ? SendStep(done) : SendEchoed(_echo[done]) ? 1 : 0;
            if (length == 0)
                break;
            done += length;
        }
        while (end - done > MostEcho)
            done += StepLength(done);
        _echo.RemoveRange(0, done);
        _echoMark = Math.Max(0, _echoMark - done);
        _echoTried = end - done;
    }

    private bool SendEchoed(byte shown) => Has(OutputModes.Process) ? SendProcessed(shown) : Send(shown);

    private int StepLength(int at) => _echo[at] != Step ? 1 : _echo[at + 1] == StepEraseTab ? 3 : 2;

    /// <summary>Does the step that begins at a place; returns its length, or 0 when there is no room for it.</summary>
    private int SendStep(int at)
    {
        byte step = _echo[at + 1];
        switch (step)
        {
            case StepMoveBack:
                _column = Math.Max(0, _column - 1);
                return 2;
            case StepLineStart:
                _lineColumn = _column;
                return 2;
            case StepEraseTab:
                return SendTabErasure(_echo[at + 2]) ? 3 : 0;
            case Step:
                if (!Send(Step))
                    return 0;
                _column++;
                return 2;
            default:
                if (_line.Room < 2)
                    return 0;
                _line.Write([(byte)'^', (byte)(step ^ 0x40)]);
                _column += 2;
                return 2;
        }
    }

    private bool SendTabErasure(byte columns)
    {
        int before = (columns & 0x80) != 0 ? columns : columns + _lineColumn;
        int width = 8 - (before & 7);
        if (_line.Room < width)
            return false;
        Span<byte> back = stackalloc byte[8];
        back.Fill((byte)'\b');
        _line.Write(back[..width]);
        _column = Math.Max(0, _column - width);
        return true;
    }

    private bool Send(byte shown) => _line.Room > 0 && _line.Write([shown]) == 1;
}
