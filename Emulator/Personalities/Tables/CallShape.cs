using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.Tables;

/// <summary>Which way memory behind a pointer argument is used; <see cref="None"/> for a plain value.</summary>
public enum Direction : byte
{
    None,
    In,
    Out,
    InOut,
}

/// <summary>What says how many items are behind a pointer.</summary>
public enum CountKind : byte
{
    One,
    Fixed,

    /// <summary>Another argument, by index; when that is a pointer, what it points to.</summary>
    Argument,

    /// <summary>The call's result.</summary>
    Result,
}

/// <summary>The type of a value. <paramref name="Size"/>: bytes in memory, 0 when it is never there.</summary>
public readonly record struct ValueType(ValueKind Kind, int Size, NamedSet? Set = null, StructShape? Struct = null)
{
    /// <summary>The type as an architecture has it.</summary>
    public ValueType On(Architecture architecture) => this with { Set = Set?.On(architecture), Struct = Struct?.On(architecture) };
}

/// <summary>One argument of a call. <paramref name="Count"/>: a number or an argument's index, as <paramref name="CountKind"/> says.</summary>
public sealed record ArgumentShape(string Name, Direction Direction, ValueType Type, CountKind CountKind, int Count);

/// <summary>One row of a table: a system call as its callers see it.</summary>
/// <param name="Number">The table's number: x86-64's where that has the call.</param>
/// <param name="Class">Comma-separated groups (desc, file, mem, proc, sig, ipc, net, creds, clock), or null.</param>
public sealed record CallShape(int Number, string Name, string? Class, ArgumentShape[] Arguments, ValueType Result)
{
    public int? Arm64 { get; init; }

    public int? RiscV64 { get; init; }

    /// <summary>The errors it may end with, in the row's order; null when the row does not say.</summary>
    public Errno[]? Errors { get; init; }

    /// <summary>Why there is no handler.</summary>
    public string? Absent { get; init; }

    /// <summary>What the handler does not do.</summary>
    public string? Partial { get; init; }

    /// <summary>Why the handler answers as a kernel without such a thing does, and does nothing.</summary>
    public string? Refused { get; init; }

    public string? Notes { get; init; }

    /// <summary>The row with the names that an architecture's values have.</summary>
    public CallShape On(Architecture architecture) => architecture == Architecture.Arm64
        ? this with { Arguments = Array.ConvertAll(Arguments, argument => argument with { Type = argument.Type.On(architecture) }) } : this;
}

/// <summary>A structure's layout and the order in which listings show its members.</summary>
/// <param name="CName">Its name in C's headers (without <c>struct</c>), or null when they do not have it.</param>
public sealed record StructShape(string Name, string? CName, int Size, MemberShape[] Members)
{
    private StructShape? _onArm64;

    /// <summary>The structure with the names that an architecture's values have; itself where none differs.</summary>
    public StructShape On(Architecture architecture)
    {
        if (architecture != Architecture.Arm64 || !Array.Exists(Members, member => member.Type.On(architecture) != member.Type))
            return this;
        return _onArm64 ??= this with { Members = Array.ConvertAll(Members, member => member with { Type = member.Type.On(architecture) }) };
    }
}

/// <summary>A member. <paramref name="IsShown"/>: listings show it even when they show only some;
/// <paramref name="IsOptional"/>: not when it is 0.</summary>
public sealed record MemberShape(string Name, ValueType Type, int Offset, int Count, bool IsShown, bool IsOptional);
