namespace Vivarium.Emulator.Loader;

/// <summary>A script's first line: "#!", an interpreter and at most one argument (execve(2), "Interpreter scripts").</summary>
public readonly record struct ScriptHeader(byte[] Interpreter, byte[]? Argument)
{
    /// <summary>Linux looks at this much of the file (BINPRM_BUF_SIZE).</summary>
    public const int Limit = 256;

    /// <summary>Parses the file's first <see cref="Limit"/> bytes; null when it is no script, or its interpreter's name is cut off.</summary>
    public static ScriptHeader? Parse(ReadOnlySpan<byte> start)
    {
        if (start.Length < 3 || start[0] != '#' || start[1] != '!')
            return null;
        ReadOnlySpan<byte> line = start[2..];
        int end = line.IndexOf((byte)'\n');
        bool isCut = end < 0 && start.Length >= Limit;
        line = (end < 0 ? line : line[..end]).Trim(" \t"u8);
        if (end < 0 && line.IndexOf((byte)0) is >= 0 and int zero)
            line = line[..zero].Trim(" \t"u8);
        int blank = line.IndexOfAny((byte)' ', (byte)'\t');
        if (line.IsEmpty || (blank < 0 && isCut))
            return null;
        if (blank < 0)
            return new ScriptHeader(line.ToArray(), null);
        return new ScriptHeader(line[..blank].ToArray(), line[blank..].Trim(" \t"u8).ToArray());
    }
}
