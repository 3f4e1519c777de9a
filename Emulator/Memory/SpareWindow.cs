using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>What is still mapped at a place of a spare window. Without a backing it is anonymous; the protection is the host's.</summary>
internal readonly record struct KeptMapping(ulong Start, ulong End, object? Backing, ulong Offset, int Protection)
{
    /// <summary>True when the mapping behind this one goes on with the same backing.</summary>
    public bool GoesOn(in KeptMapping next) =>
        End == next.Start && Equals(Backing, next.Backing) && (Backing is null || Offset + (End - Start) == next.Offset);

    public KeptMapping Part(ulong start, ulong end) => this with { Start = start, End = end, Offset = Offset + (start - Start) };
}

/// <summary>What a spare window still holds of the process before, in address order.</summary>
/// <param name="changed">The pages that it changed: what they hold must not be seen again.</param>
internal sealed class Leftovers(List<KeptMapping> mappings, List<PageRun> changed)
{
    public List<KeptMapping> Mappings => mappings;

    public List<PageRun> Changed => changed;

    /// <summary>Takes a range out if it is mapped as wanted, but for the protection. <paramref name="isProtected"/> tells whether that is the same, too.</summary>
    public bool TryTake(in KeptMapping wanted, out bool isProtected)
    {
        isProtected = true;
        int index = 0;
        while (index < mappings.Count && mappings[index].End <= wanted.Start)
            index++;
        ulong at = wanted.Start;
        for (int i = index; at < wanted.End; i++)
        {
            if (i == mappings.Count || mappings[i].Start > at || !Equals(mappings[i].Backing, wanted.Backing)
                || (wanted.Backing is not null && mappings[i].Part(at, at).Offset != wanted.Part(at, at).Offset))
                return false;
            isProtected &= mappings[i].Protection == wanted.Protection;
            at = mappings[i].End;
        }
        Cut(wanted.Start, wanted.End);
        return true;
    }

    /// <summary>A range is not theirs any more.</summary>
    public void Cut(ulong start, ulong end)
    {
        for (int i = mappings.Count - 1; i >= 0; i--)
        {
            KeptMapping kept = mappings[i];
            if (kept.Start >= end || kept.End <= start)
                continue;
            mappings.RemoveAt(i);
            if (kept.End > end)
                mappings.Insert(i, kept.Part(end, kept.End));
            if (kept.Start < start)
                mappings.Insert(i, kept.Part(kept.Start, start));
        }
    }
}

/// <summary>The window of a child that has ended, which its parent's next child takes over: what both map alike stays mapped.</summary>
internal sealed unsafe class SpareWindow(Lineage lineage, byte* window, ulong size, FaultRecord* record, EngineTables tables, Leftovers leftovers)
{
    public Lineage Lineage { get; } = lineage;

    public byte* Base => window;

    public ulong Size => size;

    public FaultRecord* Record => record;

    public EngineTables Tables { get; } = tables;

    public Leftovers Leftovers { get; } = leftovers;

    public void Free()
    {
        Arena.Free((nint)window, size, wasMapped: true);
        NativeMemory.Free(record);
    }
}

/// <summary>Stands for a parent whose children leave it their windows; it holds no memory itself.</summary>
internal sealed class Lineage
{
    public bool HasEnded { get; set; }

    /// <summary>Spare windows kept for it.</summary>
    public int Spares { get; set; }
}

/// <summary>All spare windows of this process of the host: few, the oldest are freed first. Thread-safe.</summary>
internal static class SpareWindows
{
    private const int Most = 64;
    private const int MostOfLineage = 4;

    private static readonly Lock Gate = new();
    private static readonly List<SpareWindow> All = [];

    /// <summary>Keeps a window; false when its parent has ended or has enough of them.</summary>
    public static bool TryKeep(SpareWindow spare)
    {
        SpareWindow? oldest = null;
        lock (Gate)
        {
            if (spare.Lineage.HasEnded || spare.Lineage.Spares == MostOfLineage)
                return false;
            if (All.Count == Most)
                oldest = RemoveAt(0);
            All.Add(spare);
            spare.Lineage.Spares++;
        }
        oldest?.Free();
        return true;
    }

    /// <summary>The window of a parent's last child that ended; null when there is none.</summary>
    public static SpareWindow? Take(Lineage lineage)
    {
        lock (Gate)
        {
            for (int i = All.Count - 1; i >= 0 && lineage.Spares > 0; i--)
            {
                if (All[i].Lineage == lineage)
                    return RemoveAt(i);
            }
            return null;
        }
    }

    /// <summary>A parent has ended: frees what is kept for it.</summary>
    public static void End(Lineage lineage)
    {
        lock (Gate)
            lineage.HasEnded = true;
        while (Take(lineage) is { } spare)
            spare.Free();
    }

    /// <summary>Frees all: windows are wanted elsewhere.</summary>
    public static void FreeAll()
    {
        while (true)
        {
            SpareWindow spare;
            lock (Gate)
            {
                if (All.Count == 0)
                    return;
                spare = RemoveAt(All.Count - 1);
            }
            spare.Free();
        }
    }

    private static SpareWindow RemoveAt(int index)
    {
        SpareWindow spare = All[index];
        All.RemoveAt(index);
        spare.Lineage.Spares--;
        return spare;
    }
}
