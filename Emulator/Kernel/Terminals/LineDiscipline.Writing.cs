namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>What programs write.</summary>
public sealed partial class LineDiscipline
{
    /// <summary>Takes as much as can go out now; 0 when nothing can.</summary>
    public int Write(ReadOnlySpan<byte> bytes)
    {
        ProcessEchoes();
        if (!Has(OutputModes.Process))
            return _line.Room > 0 ? _line.Write(bytes) : 0;
        int done = 0;
        while (done < bytes.Length)
        {
            int plain = SendPlain(bytes[done..]);
            done += plain;
            if (done == bytes.Length || !SendProcessed(bytes[done]))
                break;
            done++;
        }
        return done;
    }

    /// <summary>Sends the bytes up to the next that needs a closer look, in one piece.</summary>
    private int SendPlain(ReadOnlySpan<byte> bytes)
    {
        int length = 0;
        int column = _column;
        foreach (byte value in bytes[..Math.Min(bytes.Length, _line.Room)])
        {
            if (IsControl(value) || Has(OutputModes.LowerToUpper))
                break;
            length++;
            column += IsContinuation(value) ? 0 : 1;
        }
        if (length == 0)
            return 0;
        _column = column;
        return _line.Write(bytes[..length]);
    }

    /// <summary>Sends a byte as the output modes have it; false when there is no room.</summary>
    private bool SendProcessed(byte value)
    {
        switch (value)
        {
            case (byte)'\n':
                if (Has(OutputModes.NewLineReturns))
                    _column = 0;
                if (Has(OutputModes.NewLineToReturnNewLine))
                    return SendNewLine();
                _lineColumn = _column;
                return Send(value);
            case (byte)'\r':
                return SendReturn();
            case (byte)'\t':
                return SendTab();
            case (byte)'\b':
                if (!Send(value))
                    return false;
                _column = Math.Max(0, _column - 1);
                return true;
        }
        if (Has(OutputModes.LowerToUpper) && IsLower(value))
            value -= 0x20;
        if (!Send(value))
            return false;
        if (!IsControl(value) && !IsContinuation(value))
            _column++;
        return true;
    }

    private bool SendNewLine()
    {
        if (_line.Room < 2)
            return false;
        _line.Write("\r\n"u8);
        _lineColumn = _column = 0;
        return true;
    }

    private bool SendReturn()
    {
        if (Has(OutputModes.NoReturnAtColumnZero) && _column == 0)
            return _line.Room > 0;
        bool becomesNewLine = Has(OutputModes.ReturnToNewLine);
        if (!Send((byte)(becomesNewLine ? '\n' : '\r')))
            return false;
        if (!becomesNewLine || Has(OutputModes.NewLineReturns))
            _lineColumn = _column = 0;
        return true;
    }

    private bool SendTab()
    {
        int width = 8 - (_column & 7);
        if ((_settings.Output & OutputModes.ExpandTabs) == OutputModes.ExpandTabs)
        {
            if (_line.Room < width)
                return false;
            _line.Write("        "u8[..width]);
        }
        else if (!Send((byte)'\t'))
        {
            return false;
        }
        _column += width;
        return true;
    }
}
