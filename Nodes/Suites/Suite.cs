namespace Vivarium.Nodes.Suites;

/// <summary>A suite as its file has it; docs/suites.md explains the fields. Names in the file have hyphens.</summary>
internal sealed class SuiteFile
{
    public string? Name { get; set; }

    /// <summary>What every case has that does not say otherwise.</summary>
    public CaseEntry Defaults { get; set; } = new();

    public MatrixEntry Matrix { get; set; } = new();

    public List<CaseEntry> Cases { get; set; } = [];
}

/// <summary>Every case is run under each combination of these.</summary>
internal sealed class MatrixEntry
{
    public List<string> Images { get; set; } = [];

    public List<string> Engines { get; set; } = [];

    public List<ulong> Seeds { get; set; } = [];

    /// <summary>Systems that the programs are for.</summary>
    public List<string> Os { get; set; } = [];

    /// <summary>Processors that the programs are for.</summary>
    public List<string> Arch { get; set; } = [];

    /// <summary>Combinations of system and processor that there are no programs for.</summary>
    public List<PlatformEntry> Exclude { get; set; } = [];
}

/// <summary>A system, a processor, or one with the other.</summary>
internal sealed class PlatformEntry
{
    public string? Os { get; set; }

    public string? Arch { get; set; }
}

/// <summary>A case as written; what is null comes from the suite's defaults.</summary>
internal sealed class CaseEntry
{
    public string? Name { get; set; }

    public string? Program { get; set; }

    public List<string>? Arguments { get; set; }

    /// <summary>In place of program and arguments: a line for /bin/sh -c.</summary>
    public string? Shell { get; set; }

    public string? Input { get; set; }

    public List<FileEntry>? Files { get; set; }

    public Dictionary<string, string>? Environment { get; set; }

    public string? Directory { get; set; }

    public string? User { get; set; }

    public string? Image { get; set; }

    public string? Engine { get; set; }

    public string? Os { get; set; }

    public string? Arch { get; set; }

    public string? Clock { get; set; }

    public string? Memory { get; set; }

    public string? Timeout { get; set; }

    public ExpectEntry? Expect { get; set; }
}

internal sealed class FileEntry
{
    public string? Path { get; set; }

    public string? Content { get; set; }

    /// <summary>In place of content: a file beside the suite.</summary>
    public string? From { get; set; }

    /// <summary>In octal, as in "0755".</summary>
    public string? Mode { get; set; }
}

/// <summary>What a case must do. What is null is not looked at, but the exit code, which must be 0.</summary>
internal sealed class ExpectEntry
{
    public int? Exit { get; set; }

    /// <summary>Standard output, byte for byte.</summary>
    public string? Output { get; set; }

    /// <summary>A regular expression somewhere in standard output.</summary>
    public string? Pattern { get; set; }

    public string? Error { get; set; }

    public string? ErrorPattern { get; set; }
}

/// <summary>A suite cannot be run; the message is one line that names file and place.</summary>
internal sealed class SuiteException(string message) : Exception(message);
