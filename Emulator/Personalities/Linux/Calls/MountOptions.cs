namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>The text of mount(2)'s data.</summary>
internal static class MountOptions
{
    /// <summary>"key=value" or "key", between commas; a backslash keeps a comma from ending one.</summary>
    public static IReadOnlyList<(string Key, string? Value)> Split(string text)
    {
        List<(string, string?)> options = [];
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] == '\\')
            {
                i++;
                continue;
            }
            if (i < text.Length && text[i] != ',')
                continue;
            if (i > start)
                options.Add(Pair(text[start..Math.Min(i, text.Length)].Replace("\\,", ",", StringComparison.Ordinal)));
            start = i + 1;
        }
        return options;
    }

    private static (string Key, string? Value) Pair(string option)
    {
        int sign = option.IndexOf('=', StringComparison.Ordinal);
        return sign < 0 ? (option, null) : (option[..sign], option[(sign + 1)..]);
    }
}
