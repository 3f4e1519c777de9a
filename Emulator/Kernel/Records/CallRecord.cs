using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Kernel.Records;

/// <summary>The six argument registers of a call.</summary>
[InlineArray(Count)]
public struct CallArguments
{
    public const int Count = 6;

    private ulong _first;
}

/// <summary>What one call came to. Fixed in size but for three references, so that writing one costs a few nanoseconds.</summary>
public struct CallRecord
{
    /// <summary>Its place in the order in which the world's calls began; from 1.</summary>
    public long Sequence;

    /// <summary>Monotonic world time of its beginning and end, nanoseconds.</summary>
    public long Start;

    public long End;

    /// <summary>How much of that it waited, until its thread ran again.</summary>
    public long Blocked;

    /// <summary>The call that ended its last wait, by <see cref="Sequence"/>; 0 = none did: a timer, a signal, something outside the world.</summary>
    public long WokenBy;

    /// <summary>The process that made that call.</summary>
    public int WokenByProcess;

    /// <summary>The world that made that call, by its <see cref="WorldSpec.Identity"/>; null = this one.</summary>
    public byte[]? WokenByWorld;

    /// <summary>With <see cref="WokenByWorld"/>: that call's <see cref="Sent"/>.</summary>
    public int WokenBySent;

    /// <summary>Its number among the calls that sent something to another world, from 1, which later ones share; 0 = it did not.</summary>
    public int Sent;

    public int Process;

    public int Thread;

    /// <summary>The personality's number.</summary>
    public int Number;

    public CallArguments Arguments;

    /// <summary>The value, when <see cref="Outcome"/> is <see cref="CallOutcome.Value"/>.</summary>
    public long Result;

    /// <summary>The error, when <see cref="Outcome"/> is <see cref="CallOutcome.Error"/>.</summary>
    public Errno Error;

    /// <summary><see cref="CallOutcome.Blocked"/>: its thread was ended before the call was; <see cref="CallOutcome.NoReturn"/>: no result, or begun anew.</summary>
    public CallOutcome Outcome;

    /// <summary>The file it is about, as bytes: the name it was given, or that of its descriptor's file. Null for none.</summary>
    public byte[]? Subject;

    /// <summary>The first bytes it read or wrote, when those are captured.</summary>
    public byte[]? Data;

    /// <summary>The thread did not outlive the call.</summary>
    public bool EndsThread;

    /// <summary>The caller's processor: some flags have places of their own there.</summary>
    public Architecture Architecture;

    public readonly long Duration => Math.Max(0, End - Start);

    public readonly bool HasFailed => Outcome == CallOutcome.Error;
}

/// <summary>What is worth keeping of a call's memory, by the places of its arguments; -1 = nothing.</summary>
/// <param name="Descriptor">The descriptor whose file the call is about.</param>
/// <param name="Path">The name of the file that the call is about, NUL-terminated.</param>
/// <param name="Data">A buffer.</param>
/// <param name="Length">The buffer's length; -1 = the call's result, of a call that fills it.</param>
public readonly record struct CallCapture(sbyte Descriptor, sbyte Path, sbyte Data, sbyte Length)
{
    public static CallCapture None => new(-1, -1, -1, -1);

    public bool IsNone => Descriptor < 0 && Path < 0 && Data < 0;
}

/// <summary>Takes records in batches, in the order in which the calls ended.</summary>
public interface ICallSink
{
    /// <summary>Called on the world's worker; the records are overwritten afterwards.</summary>
    void Take(ReadOnlySpan<CallRecord> records);
}
