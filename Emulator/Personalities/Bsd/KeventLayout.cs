using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>
/// One layout of struct kevent: ident, filter, flags, notes, data, and what its user keeps with it, in this order; and what numbers a system's filters and
/// units have.
/// </summary>
/// <param name="size">Its bytes.</param>
/// <param name="flagsAt">Where flags are; the filter before them is as wide as this leaves.</param>
/// <param name="extraAt">Where the last two of its extra words are; 0 = it has none that are kept.</param>
internal abstract class KeventLayout(int size, int flagsAt, int notesAt, int dataAt, int userAt, int extraAt)
{
    private const int FilterAt = 8;

    public int Size => size;

    /// <summary>Null for a number of no filter.</summary>
    protected abstract EventFilter? FilterOf(long number);

    protected abstract short NumberOf(EventFilter filter);

    /// <summary>Nanoseconds of a unit of timers; 0 for none.</summary>
    protected abstract long UnitOf(uint unit);

    /// <summary>What is watched for when these notes are given.</summary>
    protected virtual uint NotesOf(EventFilter filter, uint notes) => notes;

    /// <summary>EINVAL for a filter or a timer's unit that there is none of.</summary>
    public Errno Read(ReadOnlySpan<byte> bytes, out QueueEvent change)
    {
        const uint unitMask = 0xF;
        long number = flagsAt - FilterAt == sizeof(short) ? MemoryMarshal.Read<short>(bytes[FilterAt..]) : MemoryMarshal.Read<uint>(bytes[FilterAt..]);
        EventFilter? filter = FilterOf(number);
        uint notes = MemoryMarshal.Read<uint>(bytes[notesAt..]);
        change = new QueueEvent(
            MemoryMarshal.Read<ulong>(bytes), filter ?? default, (EventFlags)MemoryMarshal.Read<ushort>(bytes[flagsAt..]), NotesOf(filter ?? default, notes),
            MemoryMarshal.Read<long>(bytes[dataAt..]), MemoryMarshal.Read<ulong>(bytes[userAt..]));
        if (extraAt != 0)
            change = change with { Extra = (MemoryMarshal.Read<ulong>(bytes[extraAt..]), MemoryMarshal.Read<ulong>(bytes[(extraAt + sizeof(ulong))..])) };
        if (filter is null)
            return Errno.EINVAL;
        return filter == EventFilter.Timer && (change.Flags & EventFlags.Add) != 0 ? SetTime(ref change, UnitOf(notes & unitMask)) : Errno.None;
    }

    /// <summary>Turns a change into the report of its error, or of success as 0 (EV_RECEIPT): all else stays as it was given.</summary>
    public void WriteOutcome(Span<byte> change, long error)
    {
        change[flagsAt..notesAt].Clear();
        MemoryMarshal.Write(change[flagsAt..], (ushort)EventFlags.Error);
        MemoryMarshal.Write(change[dataAt..], error);
    }

    public void Write(in QueueEvent report, Span<byte> bytes)
    {
        bytes.Clear();
        MemoryMarshal.Write(bytes, report.Ident);
        MemoryMarshal.Write(bytes[FilterAt..], NumberOf(report.Filter));
        MemoryMarshal.Write(bytes[flagsAt..], (ushort)report.Flags);
        MemoryMarshal.Write(bytes[notesAt..], report.Notes);
        MemoryMarshal.Write(bytes[dataAt..], report.Data);
        MemoryMarshal.Write(bytes[userAt..], report.UserData);
        if (extraAt == 0)
            return;
        MemoryMarshal.Write(bytes[extraAt..], report.Extra.First);
        MemoryMarshal.Write(bytes[(extraAt + sizeof(ulong))..], report.Extra.Second);
    }

    /// <summary>Turns a timer's data into nanoseconds: EINVAL when it is negative or has no unit.</summary>
    private static Errno SetTime(ref QueueEvent change, long unit)
    {
        if (unit == 0 || change.Data < 0)
            return Errno.EINVAL;
        change = change with { Data = change.Data > long.MaxValue / unit ? long.MaxValue : change.Data * unit };
        return Errno.None;
    }
}
