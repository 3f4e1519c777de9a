namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>What programs read.</summary>
public sealed partial class LineDiscipline
{
    /// <summary>Bytes that a read could get (FIONREAD): of whole lines, without marks of end of file.</summary>
    public int Pending
    {
        get
        {
            if (!_settings.IsCanonical)
                return (int)(_head - _tail);
            int count = 0;
            for (long at = _tail; at < _lineHead; at++)
                count += IsEndOfFile(at) ? 0 : 1;
            return count;
        }
    }

    /// <summary>Bytes a raw reader can have.</summary>
    public int Available => (int)(_rawHead - _tail);

    /// <summary>There is a line, which may be an end of file.</summary>
    public bool HasLine => _lineHead != _tail;

    /// <summary>True for the level of poll(2): a line, or as many bytes as the settings want at least.</summary>
    public bool IsReadable
    {
        get
        {
            if (_settings.IsCanonical)
                return HasLine;
            byte minimum = _settings[ControlCharacter.Minimum];
            return Available >= (_settings[ControlCharacter.Time] == 0 && minimum != 0 ? minimum : 1);
        }
    }

    /// <summary>Takes a line or the part of it that there is room for; 0 at an end of file.</summary>
    public int ReadLine(Span<byte> destination)
    {
        int count = 0;
        while (count < destination.Length && _tail < _lineHead)
        {
            bool isEnd = _ends[_tail & Mask];
            bool isEndOfFile = IsEndOfFile(_tail);
            byte value = _buffer[_tail & Mask];
            _ends[_tail++ & Mask] = false;
            if (!isEndOfFile)
                destination[count++] = value;
            if (isEnd)
                return count;
        }
        // A mark of end of file right behind what filled the buffer belongs to it.
        if (count > 0 && _tail < _lineHead && IsEndOfFile(_tail))
            _ends[_tail++ & Mask] = false;
        return count;
    }

    public int ReadRaw(Span<byte> destination)
    {
        int count = Math.Min(Available, destination.Length);
        for (int i = 0; i < count; i++)
            destination[i] = _buffer[_tail++ & Mask];
        return count;
    }

    private bool IsEndOfFile(long at) => _ends[at & Mask] && _buffer[at & Mask] == TerminalSettings.Disabled;
}
