namespace Vivarium.Telemetry.Records;

/// <summary>A stretch of a job's calls, encoded; it needs no other to be read.</summary>
/// <param name="FirstIndex">The place of its first record among all the job's, from 0.</param>
/// <param name="Count">Records in it.</param>
/// <param name="Names">File names that its records mention, by number.</param>
/// <param name="Bytes">The records, see <see cref="SegmentEncoder"/>.</param>
public sealed record CallSegment(long FirstIndex, int Count, IReadOnlyList<byte[]> Names, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>What it weighs in memory, roughly.</summary>
    public long Size
    {
        get
        {
            long size = Bytes.Length;
            foreach (byte[] name in Names)
                size += name.Length + 32;
            return size;
        }
    }
}

/// <summary>Which parts of a record are written; the others are as its predecessor of the same kind had them.</summary>
[Flags]
internal enum RecordParts : byte
{
    None = 0,
    Thread = 1,
    Number = 2,
    Arguments = 4,
    Result = 8,
    End = 16,
    Wait = 32,
    Subject = 64,
    More = 128,
}

/// <summary>Parts that are rare.</summary>
[Flags]
internal enum MoreParts : byte
{
    None = 0,
    Data = 1,
    Sequence = 2,

    /// <summary>It sent something to another world.</summary>
    Sent = 4,

    /// <summary>Another world woke it.</summary>
    World = 8,
}

/// <summary>What the last call of one number came to: the next one is told by what differs.</summary>
internal sealed class PriorCall
{
    public Emulator.Kernel.Records.CallArguments Arguments;
    public long Result;
    public byte[]? SubjectBytes;
}

/// <summary>The last call of each number; equal in writer and reader.</summary>
internal sealed class PriorCalls
{
    private readonly CallNumbers<PriorCall> _calls = new();

    public PriorCall this[int number] => _calls.Find(number) ?? _calls.Add(number, new PriorCall());

    public void Clear() => _calls.Clear();
}
