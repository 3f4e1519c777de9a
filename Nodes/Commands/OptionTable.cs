namespace Vivarium.Nodes.Commands;

/// <summary>How an option takes its argument.</summary>
internal enum OptionForm
{
    /// <summary>--name</summary>
    Flag,

    /// <summary>--name VALUE or --name=VALUE</summary>
    Value,

    /// <summary>--name or --name=VALUE; a following word is never the value.</summary>
    OptionalValue,
}

/// <summary>One option of a command: how it is written, what it says in the help, and what it does.</summary>
/// <param name="Apply">Takes the value ("" when there is none) and returns what is wrong with it, or null.</param>
internal sealed record Option(string Group, string Name, OptionForm Form, string Metavariable, string Help, Func<string, string?> Apply)
{
    public string Usage => Form switch
    {
        OptionForm.Value => $"{Name} {Metavariable}",
        OptionForm.OptionalValue => $"{Name}[={Metavariable}]",
        _ => Name,
    };
}

/// <summary>
/// A command's options, parsed by the utility conventions of POSIX (XBD 12.2): options end at "--" or at the first operand,
/// so a program's own options need no quoting.
/// </summary>
internal sealed class OptionTable(IReadOnlyList<Option> options)
{
    private const int HelpColumn = 26;

    public IReadOnlyList<Option> Options => options;

    /// <summary>
    /// Applies the options at the front of <paramref name="arguments"/>. Returns the number of words they took, "--" included;
    /// when something is wrong, <paramref name="error"/> says what.
    /// </summary>
    public int Parse(ReadOnlySpan<string> arguments, out string? error)
    {
        error = null;
        int next = 0;
        while (next < arguments.Length && arguments[next] is ['-', _, ..] word)
        {
            next++;
            if (word == "--")
                break;
            int equals = word.IndexOf('=');
            string name = equals < 0 ? word : word[..equals];
            if (Find(name) is not { } option)
            {
                error = $"unknown option {name}";
                break;
            }
            string value = equals < 0 ? "" : word[(equals + 1)..];
            if (option.Form == OptionForm.Flag && equals >= 0)
                error = $"{name} takes no value";
            else if (option.Form == OptionForm.Value && equals < 0 && next == arguments.Length)
                error = $"{name} needs a value: {option.Usage}";
            else if (option.Form == OptionForm.Value && equals < 0)
                value = arguments[next++];
            error ??= option.Apply(value) is { } wrong ? $"{name}: {wrong}" : null;
            if (error is not null)
                break;
        }
        return next;
    }

    public void WriteHelp(TextWriter output)
    {
        string group = "";
        foreach (Option option in options)
        {
            if (option.Group != group)
            {
                group = option.Group;
                output.Write($"\n{group}:\n");
            }
            string usage = "  " + option.Usage;
            string[] lines = option.Help.Split('\n');
            output.Write(usage.Length < HelpColumn ? usage.PadRight(HelpColumn) : usage + "\n" + new string(' ', HelpColumn));
            output.Write(string.Join("\n" + new string(' ', HelpColumn), lines));
            output.Write('\n');
        }
    }

    private Option? Find(string name)
    {
        foreach (Option option in options)
        {
            if (option.Name == name)
                return option;
        }
        return null;
    }
}
