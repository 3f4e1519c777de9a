using System.Globalization;
using System.Text.RegularExpressions;

namespace Vivarium.Emulator.Generators;

/// <summary>Reads an <c>.abi</c> table; the form is described at the top of <c>linux.abi</c>.</summary>
internal sealed class AbiParser(string path)
{
    private static readonly Regex CallForm = new(
        @"^call (\w+) (\d+|-) (\d+|-) (\d+|-) (\S+) \((.*)\) (\w+)$", RegexOptions.CultureInvariant);

    private static readonly Regex ArgumentForm = new(
        @"^(\w+):(?:(in|out|inout) )?(\w+)(?:\[(\w+)\])?$", RegexOptions.CultureInvariant);

    private static readonly Regex MemberForm = new(
        @"^(\w+):(\w+)(?:\[(\d+)\])?(?:@(\d+))?(!)?(\?)?$", RegexOptions.CultureInvariant);

    private static readonly Regex ValueForm = new(
        @"^(-?\w+)(?:/(\w+))? (\w+)$", RegexOptions.CultureInvariant);

    private readonly AbiModel _model = new(path);
    private AbiSet? _set;
    private AbiStruct? _struct;
    private AbiCall? _call;
    private AbiErrorGroup? _group;
    private int _line;

    public AbiModel Parse(string text)
    {
        string[] lines = text.Split('\n');
        for (_line = 0; _line < lines.Length; _line++)
        {
            string line = lines[_line].TrimEnd('\r', ' ', '\t');
            if (line.Length == 0 || line[0] == '#')
                continue;
            if (line[0] == '|' || line.TrimStart('\t')[0] == '|')
                _call?.Notes.Add(line.TrimStart('\t', '|', ' '));
            else if (line[0] == '\t')
                ParseChild(line.Trim('\t'));
            else
                ParseDeclaration(line);
        }
        AbiChecker.Check(_model);
        return _model;
    }

    private void ParseDeclaration(string line)
    {
        _set = null;
        _struct = null;
        _call = null;
        _group = null;
        string[] words = line.Split(' ');
        switch (words[0])
        {
            case "abi" when words.Length is 2 or 3:
                _model.Name = words[1];
                ulong start = 0;
                if (words.Length == 3 && !TryValue(words[2], out start))
                    Error($"not a number: {words[2]}");
                _model.Base = (int)start;
                break;
            case "enum" or "flags" when words.Length == 3:
                ParseSet(words);
                break;
            case "struct" when words.Length is 3 or 5:
                ParseStruct(words);
                break;
            case "errors" when words.Length == 2:
                _group = new AbiErrorGroup(_line, words[1]);
                _model.ErrorGroups.Add(_group);
                break;
            case "call":
                ParseCall(line);
                break;
            default:
                Error($"not a declaration: {line}");
                break;
        }
    }

    private void ParseSet(string[] words)
    {
        (int size, bool isSigned) = words[2] switch
        {
            "u8" => (1, false),
            "u16" => (2, false),
            "u32" => (4, false),
            "u64" => (8, false),
            "i16" => (2, true),
            "i32" => (4, true),
            _ => (0, false),
        };
        if (size == 0)
            Error($"not a type of values: {words[2]}");
        _set = new AbiSet(_line, words[1], words[0] == "flags", size, isSigned);
        _model.Sets.Add(_set);
    }

    private void ParseStruct(string[] words)
    {
        if (!int.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out int size))
            Error($"not a size: {words[2]}");
        _struct = new AbiStruct(_line, words[1], size, words.Length == 5 ? words[4] : null);
        _model.Structs.Add(_struct);
    }

    private void ParseCall(string line)
    {
        Match match = CallForm.Match(line);
        if (!match.Success)
        {
            Error($"not 'call NAME X64 ARM64 RISCV64 CLASS (ARGUMENT:TYPE, ...) RESULT': {line}");
            return;
        }
        _call = new AbiCall(_line, match.Groups[1].Value, Number(match.Groups[2]), Number(match.Groups[3]), Number(match.Groups[4]),
            match.Groups[5].Value, match.Groups[7].Value) { Base = _model.Base };
        foreach (string item in Items(match.Groups[6].Value))
        {
            Match argument = ArgumentForm.Match(item);
            if (!argument.Success)
            {
                Error($"not an argument: {item}");
                continue;
            }
            AbiDirection direction = argument.Groups[2].Value switch
            {
                "in" => AbiDirection.In,
                "out" => AbiDirection.Out,
                "inout" => AbiDirection.InOut,
                _ => AbiDirection.None,
            };
            _call.Arguments.Add(new AbiArgument(argument.Groups[1].Value, direction, argument.Groups[3].Value, Text(argument.Groups[4])));
        }
        _model.Calls.Add(_call);
    }

    private void ParseChild(string line)
    {
        if (_set is not null)
            ParseValues(_set, line);
        else if (_struct is not null)
            ParseMembers(_struct, line);
        else if (_group is not null)
            _group.Errors.AddRange(line.Split(' '));
        else if (_call is not null && line.StartsWith("errors ", StringComparison.Ordinal))
            (_call.Errors ??= []).AddRange(line.Substring("errors ".Length).Split(' ').Where(word => word != "-"));
        else if (_call is not null && line.StartsWith("absent ", StringComparison.Ordinal))
            _call.Absent = line.Substring("absent ".Length);
        else if (_call is not null && line.StartsWith("partial ", StringComparison.Ordinal))
            _call.Partial = line.Substring("partial ".Length);
        else if (_call is not null && line.StartsWith("refused ", StringComparison.Ordinal))
            _call.Refused = line.Substring("refused ".Length);
        else if (_call is not null && line.StartsWith("same ", StringComparison.Ordinal))
            _call.Same = line.Substring("same ".Length);
        else
            Error($"belongs to nothing: {line}");
    }

    private void ParseValues(AbiSet set, string line)
    {
        const string onArm64 = "arm64 ";
        bool isArm64 = line.StartsWith(onArm64, StringComparison.Ordinal);
        List<AbiValue> values = isArm64 ? set.Arm64Values : set.Values;
        if (isArm64)
            line = line.Substring(onArm64.Length);
        foreach (string item in Items(line))
        {
            Match match = ValueForm.Match(item);
            if (!match.Success || !TryValue(match.Groups[1].Value, out ulong value))
            {
                Error($"not 'VALUE[/MASK] NAME': {item}");
                continue;
            }
            ulong mask = value;
            if (match.Groups[2].Success && !TryValue(match.Groups[2].Value, out mask))
                Error($"not a mask: {item}");
            if (isArm64 && !set.Values.Exists(other => other.Name == match.Groups[3].Value))
                Error($"has no value elsewhere: {item}");
            values.Add(new AbiValue(value, mask, match.Groups[3].Value));
        }
    }

    private void ParseMembers(AbiStruct structure, string line)
    {
        foreach (string item in Items(line))
        {
            Match match = MemberForm.Match(item);
            if (!match.Success)
            {
                Error($"not 'MEMBER:KIND[@OFFSET]': {item}");
                continue;
            }
            structure.Members.Add(new AbiMember(_line, match.Groups[1].Value, match.Groups[2].Value, Number(match.Groups[3]) ?? 1,
                Number(match.Groups[4]), match.Groups[5].Success, match.Groups[6].Success));
        }
    }

    private static IEnumerable<string> Items(string list)
    {
        foreach (string item in list.Split(','))
        {
            if (item.Trim() is { Length: > 0 } text)
                yield return text;
        }
    }

    private static bool TryValue(string text, out ulong value)
    {
        if (text.StartsWith("0x", StringComparison.Ordinal))
            return ulong.TryParse(text.Substring(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        bool parsed = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number);
        value = (ulong)number;
        return parsed;
    }

    private static string? Text(Group group) => group.Success ? group.Value : null;

    private static int? Number(Group group) => int.TryParse(group.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;

    private void Error(string message) => _model.Errors.Add(new AbiError(_line, message));
}
