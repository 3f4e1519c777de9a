namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>Editing the line that is being typed.</summary>
public sealed partial class LineDiscipline
{
    private enum Erasure : byte
    {
        Character,
        Word,
        Line,
    }

    /// <summary>In the middle of erasing on paper: characters are shown between a backslash and a slash.</summary>
    private bool _isErasing;

    /// <summary>Acts on an editing character; false when it is none.</summary>
    private bool Edit(byte typed)
    {
        bool isExtended = Has(LocalModes.Extended);
        if (typed == _settings[ControlCharacter.Erase] || typed == _settings[ControlCharacter.Kill]
            || (typed == _settings[ControlCharacter.WordErase] && isExtended))
        {
            Erase(typed);
            CommitEchoes();
            return true;
        }
        if (typed == _settings[ControlCharacter.LiteralNext] && isExtended)
        {
            TakeNextLiterally();
            return true;
        }
        if (typed == _settings[ControlCharacter.Reprint] && Has(LocalModes.Echo) && isExtended)
        {
            Reprint(typed);
            return true;
        }
        return EndLine(typed);
    }

    private bool EndLine(byte typed)
    {
        if (typed == '\n')
        {
            if (Has(LocalModes.Echo | LocalModes.EchoNewLine))
            {
                EchoRaw(typed);
                CommitEchoes();
            }
            PutEnd(typed);
            return true;
        }
        if (typed == _settings[ControlCharacter.EndOfFile])
        {
            PutEnd(TerminalSettings.Disabled);
            return true;
        }
        if (typed != _settings[ControlCharacter.EndOfLine] && (typed != _settings[ControlCharacter.EndOfLine2] || !Has(LocalModes.Extended)))
            return false;
        if (Has(LocalModes.Echo))
        {
            if (_lineHead == _head)
                EchoLineStart();
            Echo(typed);
            CommitEchoes();
        }
        if (typed == 0xFF && Has(InputModes.MarkParityErrors))
            Put(typed);
        PutEnd(typed);
        return true;
    }

    private void PutEnd(byte end)
    {
        _ends[_head & Mask] = true;
        Put(end);
        _lineHead = _head;
        _line.OnInput();
    }

    private void TakeNextLiterally()
    {
        _takesLiterally = true;
        if (!Has(LocalModes.Echo))
            return;
        FinishErasing();
        if (!Has(LocalModes.EchoControl))
            return;
        EchoRaw((byte)'^');
        EchoRaw((byte)'\b');
        CommitEchoes();
    }

    private void Reprint(byte typed)
    {
        FinishErasing();
        Echo(typed);
        EchoRaw((byte)'\n');
        for (long at = _lineHead; at != _head; at++)
            Echo(_buffer[at & Mask]);
        CommitEchoes();
    }

    private void Erase(byte typed)
    {
        if (_head == _lineHead)
            return;
        Erasure erasure = typed == _settings[ControlCharacter.Erase] ? Erasure.Character
            : typed == _settings[ControlCharacter.WordErase] ? Erasure.Word
            : Erasure.Line;
        if (erasure == Erasure.Line && KillUnseen())
            return;
        bool inWord = false;
        while (_head != _lineHead)
        {
            long start = PreviousCharacter();
            byte first = _buffer[start & Mask];
            if (IsContinuation(first))
                break;
            if (erasure == Erasure.Word)
            {
                if (IsWordPart(first))
                    inWord = true;
                else if (inWord)
                    break;
            }
            int length = (int)(_head - start);
            _head = start;
            if (Has(LocalModes.Echo))
                EchoErasure(first, length, erasure);
            if (erasure == Erasure.Character)
                break;
        }
        if (_head == _lineHead && Has(LocalModes.Echo))
            FinishErasing();
    }

    /// <summary>Kills the line without showing each character go; false when it is to be shown.</summary>
    private bool KillUnseen()
    {
        if (!Has(LocalModes.Echo))
        {
            _head = _lineHead;
            return true;
        }
        if (Has(LocalModes.EchoKill) && Has(LocalModes.EchoKillErase) && Has(LocalModes.EchoErase))
            return false;
        _head = _lineHead;
        FinishErasing();
        Echo(_settings[ControlCharacter.Kill]);
        if (Has(LocalModes.EchoKill))
            EchoRaw((byte)'\n');
        return true;
    }

    /// <summary>Where the last character of the line begins, with all its bytes.</summary>
    private long PreviousCharacter()
    {
        long start = _head;
        do
            start--;
        while (IsContinuation(_buffer[start & Mask]) && start != _lineHead);
        return start;
    }

    private void EchoErasure(byte first, int length, Erasure erasure)
    {
        if (Has(LocalModes.EchoPrint))
        {
            if (!_isErasing)
            {
                EchoRaw((byte)'\\');
                _isErasing = true;
            }
            Echo(first);
            for (int i = 1; i < length; i++)
            {
                EchoRaw(_buffer[(_head + i) & Mask]);
                EchoMoveBack();
            }
        }
        else if (erasure == Erasure.Character && !Has(LocalModes.EchoErase))
        {
            Echo(_settings[ControlCharacter.Erase]);
        }
        else if (first == '\t')
        {
            EchoTabErasure();
        }
        else
        {
            if (IsControl(first) && Has(LocalModes.EchoControl))
                EchoRubOut();
            if (!IsControl(first) || Has(LocalModes.EchoControl))
                EchoRubOut();
        }
    }

    /// <summary>Counts the columns since the tab before, or the start of the line: they tell how wide the erased tab was.</summary>
    private void EchoTabErasure()
    {
        int columns = 0;
        bool afterTab = false;
        for (long at = _head; at != _lineHead;)
        {
            byte before = _buffer[--at & Mask];
            if (before == '\t')
            {
                afterTab = true;
                break;
            }
            if (IsControl(before))
                columns += Has(LocalModes.EchoControl) ? 2 : 0;
            else if (!IsContinuation(before))
                columns++;
        }
        EchoEraseTab(columns, afterTab);
    }

    private static bool IsWordPart(byte value) => value == '_' || char.IsAsciiDigit((char)value) || IsUpper(value) || IsLower(value);
}
