using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Telemetry.Strace;

/// <summary>A call that is being written down: its text so far and what the rest needs.</summary>
/// <param name="number">The table's number.</param>
/// <param name="shape">Its row; null for a number nobody knows.</param>
/// <param name="memory">The caller's memory.</param>
public sealed class TracedCall(int number, CallShape? shape, AddressSpace memory)
{
    /// <summary>Of all systems; Linux' calls have six at most.</summary>
    private const int MostArguments = 8;

    private readonly ulong[] _arguments = new ulong[MostArguments];

    public int Number { get; } = number;

    public CallShape? Shape { get; } = shape;

    public AddressSpace Memory { get; } = memory;

    /// <summary>The caller's processor.</summary>
    public Architecture Architecture { get; init; }

    public string Name => Shape?.Name ?? $"syscall_0x{Number:x}";

    public StringBuilder Text { get; } = new();

    /// <summary>World time of its beginning, nanoseconds.</summary>
    public long Start { get; init; }

    /// <summary>The caller's stack pointer.</summary>
    public ulong Stack { get; init; }

    /// <summary>True when the call is over and <see cref="Value"/> and <see cref="Error"/> are known.</summary>
    public bool IsDone { get; private set; }

    public long Value { get; private set; }

    public Errno Error { get; private set; }

    public bool HasFailed => Error != Errno.None;

    /// <summary>The first argument that is not written yet.</summary>
    internal int Next { get; set; }

    /// <summary>True when the comma before that argument is written already.</summary>
    internal bool HasSeparator { get; set; }

    /// <summary>What an argument that goes both ways pointed to when the call began.</summary>
    internal ulong[] Before { get; } = new ulong[MostArguments];

    /// <summary>Goes into parentheses behind the result.</summary>
    internal string? Remark { get; set; }

    public ReadOnlySpan<ulong> Arguments => _arguments;

    public ulong this[int index] => _arguments[index];

    public void Begin(ReadOnlySpan<ulong> arguments) => arguments[..Math.Min(MostArguments, arguments.Length)].CopyTo(_arguments);

    public void End(long value, Errno error)
    {
        Value = value;
        Error = error;
        IsDone = true;
    }
}
