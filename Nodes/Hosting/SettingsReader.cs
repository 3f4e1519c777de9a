using System.Text;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// Reads the form that settings are written in, from start to end: JSON (RFC 8259) of one object, whose members are settings or objects of settings,
/// with comments as in C and a comma behind the last member. Every start reads settings; the run-time's reader, made for more, takes a tenth of it.
/// </summary>
internal ref struct SettingsReader(ReadOnlySpan<byte> text)
{
    private readonly ReadOnlySpan<byte> _text = text;
    private int _at;
    private int _tokenAt;
    private int _depth;
    private string _section = "";

    /// <summary>What is wrong with the text; null while nothing is.</summary>
    public string? Error { get; private set; }

    /// <summary>The line, counted from one, of what was read last.</summary>
    public readonly int Line => 1 + _text[..Math.Min(_tokenAt, _text.Length)].Count((byte)'\n');

    /// <summary>The next setting, with its section in its name; a number, truth or null as it is written. False at the end, or when the text is wrong.</summary>
    public bool Read(out string name, out string value)
    {
        name = value = "";
        if (_depth == 0 && (!Expect((byte)'{') || ++_depth == 0))
            return false;
        while (Error is null)
        {
            byte next = Peek();
            if (next == '}')
            {
                _at++;
                if (--_depth == 0)
                    return ExpectEnd();
                EndMember();
                continue;
            }
            name = ReadText();
            if (!Expect((byte)':'))
                return false;
            name = _depth == 1 ? name : $"{_section}.{name}";
            next = Peek();
            if (next == '{' && _depth == 1)
            {
                _at++;
                (_section, _depth) = (name, 2);
                continue;
            }
            if (next is (byte)'{' or (byte)'[')
                return Fail($"{name} has no parts");
            value = next == '"' ? ReadText() : ReadWord();
            int valueAt = _tokenAt;
            EndMember();
            _tokenAt = Error is null ? valueAt : _tokenAt;
            return Error is null;
        }
        return false;
    }

    /// <summary>The next byte that is neither space nor comment; 0 at the end.</summary>
    private byte Peek()
    {
        while (_at < _text.Length)
        {
            if (_text[_at] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
                _at++;
            else if (_text[_at..].StartsWith("//"u8))
                _at = EndOf("\n"u8);
            else if (_text[_at..].StartsWith("/*"u8))
                _at = EndOf("*/"u8);
            else
                break;
        }
        _tokenAt = Error is null ? _at : _tokenAt;
        return _at < _text.Length ? _text[_at] : (byte)0;
    }

    private readonly int EndOf(ReadOnlySpan<byte> mark)
    {
        int index = _text[_at..].IndexOf(mark);
        return index < 0 ? _text.Length : _at + index + mark.Length;
    }

    private bool Expect(byte wanted)
    {
        if (Peek() != wanted)
            return Fail(_at < _text.Length ? $"'{(char)wanted}' was expected" : "the text ends too soon");
        _at++;
        return true;
    }

    private bool ExpectEnd()
    {
        if (Peek() != 0)
            Fail("there is more behind the end");
        return false;
    }

    /// <summary>Members end with a comma or with the object.</summary>
    private void EndMember()
    {
        byte next = Peek();
        if (next == ',')
            _at++;
        else if (next != '}')
            Fail(_at < _text.Length ? "',' or '}' was expected" : "the text ends too soon");
    }

    private string ReadWord()
    {
        int end = _at;
        while (end < _text.Length && (char.IsAsciiLetterOrDigit((char)_text[end]) || _text[end] is (byte)'-' or (byte)'+' or (byte)'.'))
            end++;
        ReadOnlySpan<byte> word = _text[_at..end];
        bool isGood = word.SequenceEqual("true"u8) || word.SequenceEqual("false"u8) || word.SequenceEqual("null"u8)
            || (word.Length > 0 && (word[0] == '-' || char.IsAsciiDigit((char)word[0])));
        if (!isGood)
            Fail(end < _text.Length ? "a value was expected" : "the text ends too soon");
        _at = end;
        return Encoding.ASCII.GetString(word);
    }

    private string ReadText()
    {
        if (!Expect((byte)'"'))
            return "";
        List<byte> bytes = [];
        while (_at < _text.Length && _text[_at] is not ((byte)'"' or < 0x20))
        {
            byte next = _text[_at++];
            if (next == '\\')
                ReadEscape(bytes);
            else
                bytes.Add(next);
        }
        if (_at >= _text.Length || _text[_at] != '"')
            Fail("a text does not end on its line");
        _at++;
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private void ReadEscape(List<byte> bytes)
    {
        byte kind = _at < _text.Length ? _text[_at++] : (byte)0;
        int place = "\"\\/bfnrt"u8.IndexOf(kind);
        if (place >= 0)
            bytes.Add("\"\\/\b\f\n\r\t"u8[place]);
        else if (kind == 'u' && TryReadUnit(out char unit))
            AddUnit(bytes, unit);
        else
            Fail("there is no such escape");
    }

    /// <summary>A unit of UTF-16, together with the other half of its pair.</summary>
    private void AddUnit(List<byte> bytes, char unit)
    {
        char low = '\0';
        bool isPair = char.IsHighSurrogate(unit) && _text[_at..].StartsWith("\\u"u8);
        if (isPair)
        {
            _at += 2;
            isPair = TryReadUnit(out low) && char.IsLowSurrogate(low);
        }
        if (char.IsSurrogate(unit) && !isPair)
            Fail("half of a pair of surrogates is missing");
        else
            bytes.AddRange(Encoding.UTF8.GetBytes(isPair ? $"{unit}{low}" : $"{unit}"));
    }

    private bool TryReadUnit(out char unit)
    {
        unit = '\0';
        if (_text.Length - _at < 4)
            return false;
        foreach (byte digit in _text.Slice(_at, 4))
        {
            if (!char.IsAsciiHexDigit((char)digit))
                return false;
            unit = (char)((unit << 4) | (digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10));
        }
        _at += 4;
        return true;
    }

    private bool Fail(string error)
    {
        Error ??= error;
        return false;
    }
}
