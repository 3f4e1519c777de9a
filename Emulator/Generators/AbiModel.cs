namespace Vivarium.Emulator.Generators;

/// <summary>One <c>.abi</c> file: an operating system's calls, and the values and structures they take.</summary>
internal sealed class AbiModel(string path)
{
    public string Path { get; } = path;

    public string Name { get; set; } = "";

    /// <summary>Added to the numbers of its calls wherever calls of several systems meet.</summary>
    public int Base { get; set; }

    public List<AbiSet> Sets { get; } = [];

    public List<AbiStruct> Structs { get; } = [];

    public List<AbiCall> Calls { get; } = [];

    /// <summary>Groups of errors that rows name together.</summary>
    public List<AbiErrorGroup> ErrorGroups { get; } = [];

    public List<AbiError> Errors { get; } = [];

    public Dictionary<string, AbiSet> SetsByName { get; } = [];

    public Dictionary<string, AbiStruct> StructsByName { get; } = [];

    /// <summary>The errors of a call one by one, its groups' among them.</summary>
    public IEnumerable<string> ErrorsOf(AbiCall call) => (call.Errors ?? []).SelectMany(word =>
        ErrorGroups.Find(group => group.Name == word) is { } group ? (IEnumerable<string>)group.Errors : [word]);
}

/// <summary>A mistake in the table, by line (from 0).</summary>
internal sealed record AbiError(int Line, string Message);

/// <summary>Errors that many calls have in common.</summary>
internal sealed record AbiErrorGroup(int Line, string Name)
{
    public List<string> Errors { get; } = [];
}

/// <summary>Names of a value: one of them (an enumeration) or several (flags).</summary>
internal sealed record AbiSet(int Line, string Name, bool IsFlags, int Size, bool IsSigned)
{
    public List<AbiValue> Values { get; } = [];

    /// <summary>Names that have another value on arm64.</summary>
    public List<AbiValue> Arm64Values { get; } = [];
}

/// <summary>A name that holds when the value, masked, is this one.</summary>
internal sealed record AbiValue(ulong Value, ulong Mask, string Name);

internal sealed record AbiStruct(int Line, string Name, int Size, string? CName)
{
    public List<AbiMember> Members { get; } = [];
}

internal sealed record AbiMember(int Line, string Name, string Kind, int Count, int? DeclaredOffset, bool IsShown, bool IsOptional)
{
    public int Offset { get; set; }
}

/// <summary>The directions of a pointer argument; <see cref="None"/> for a value.</summary>
internal enum AbiDirection
{
    None,
    In,
    Out,
    InOut,
}

/// <param name="Count">A number, an argument's name, <c>ret</c> or nothing.</param>
internal sealed record AbiArgument(string Name, AbiDirection Direction, string Kind, string? Count);

internal sealed record AbiCall(int Line, string Name, int? X64, int? Arm64, int? RiscV64, string Class, string Result)
{
    public List<AbiArgument> Arguments { get; } = [];

    public List<string> Notes { get; } = [];

    /// <summary>The errors it may end with, groups as they are written; null when its row does not say.</summary>
    public List<string>? Errors { get; set; }

    public string? Absent { get; set; }

    public string? Partial { get; set; }

    public string? Refused { get; set; }

    /// <summary>The call of Linux, or of the system named before it, whose handler is this one's too, argument for argument.</summary>
    public string? Same { get; set; }

    /// <summary>The number by which the kernel knows the call on every architecture: x86-64's, or one past all of them.</summary>
    public int Number => Base + (X64 ?? 0x1000 + (Arm64 ?? RiscV64 ?? 0));

    /// <summary>What keeps the numbers of several systems apart.</summary>
    public int Base { get; set; }
}
