using System.Runtime.InteropServices;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>What is still mapped at a place of a spare window. Without a backing it is anonymous; protections are the host's.</summary>
internal readonly record struct KeptMapping(ulong Start, ulong End, object? Backing, ulong Offset, int Protection)
{
    /// <summary>Its parts are, or may be, protected differently.</summary>
    private const int Mixed = -1;

    /// <summary>True when a part of it is what would be mapped there, but for the protection.</summary>
    public bool Covers(in KeptMapping wanted) =>
        Start <= wanted.Start && wanted.End <= End && Equals(Backing, wanted.Backing) && (Backing is null || wanted.Offset - Offset == wanted.Start - Start);

    /// <summary>The first mapping together with those behind it that go on with its backing.</summary>
    public static KeptMapping Join(ReadOnlySpan<KeptMapping> parts, out int count)
    {
        KeptMapping all = parts[0] with { Protection = Mixed };
        for (count = 1; count < parts.Length && all.GoesOn(parts[count]); count++)
            all = all with { End = parts[count].End };
        return all;
    }

    /// <summary>How this range is protected, when it lies in one of the parts.</summary>
    public int ProtectionIn(ReadOnlySpan<KeptMapping> parts)
    {
        foreach (KeptMapping part in parts)
        {
            if (part.Start <= Start && End <= part.End)
                return part.Protection;
        }
        return Mixed;
    }

    private bool GoesOn(in KeptMapping next) =>
        End == next.Start && Equals(Backing, next.Backing) && (Backing is null || Offset + (End - Start) == next.Offset);
}

/// <summary>The window of a child that has ended, which its parent's next child takes over: what both map alike stays mapped.</summary>
internal sealed unsafe class SpareWindow(Lineage lineage, byte* window, ulong size, FaultRecord* record, List<KeptMapping> mappings, List<PageRun> changed)
{
    public Lineage Lineage { get; } = lineage;

    public byte* Base => window;

    public ulong Size => size;

    public FaultRecord* Record => record;

    public List<KeptMapping> Mappings { get; } = mappings;

    /// <summary>The pages that the child changed: what they hold must not be seen again.</summary>
    public List<PageRun> Changed { get; } = changed;

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
