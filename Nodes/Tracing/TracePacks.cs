using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// The traces of many jobs in a few files, packs: one behind the other, each behind a head with its job, attempt and length. A file for each job would
/// cost the host more than the trace. The oldest packs make room. A process appends to packs of its own; a trace that was cut off when an
/// earlier one died ends its pack. Thread-safe.
/// </summary>
internal sealed class TracePacks : IDisposable
{
    private const string Extension = ".traces";

    /// <summary>A mark, the job, when it was written (Unix nanoseconds), the trace's length, which attempt it is of.</summary>
    private const int HeadLength = OldHeadLength + 4;

    /// <summary>Without attempts, as they were once written.</summary>
    private const int OldHeadLength = 4 + 16 + 8 + 4;

    private const int PacksOfRoom = 16;
    private const uint OldMark = 0x43525456; // "VTRC"
    private const uint Mark = 0x32525456; // "VTR2"

    private readonly Lock _lock = new();
    private readonly string _folder;
    private readonly long _room;
    private readonly long _packLength;
    private readonly Queue<Pack> _packs = [];
    private readonly Dictionary<Guid, Place> _places = [];

    /// <summary>Those of attempts before the last one that was kept: few jobs have any.</summary>
    private readonly Dictionary<(Guid Job, int Attempt), Place> _earlier = [];
    private Pack? _last;
    private long _length;
    private long _lastNumber;

    /// <param name="folder">Where the packs are; made when it is missing.</param>
    /// <param name="room">Bytes of packs that are kept.</param>
    /// <exception cref="IOException">The folder cannot be made or read.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public TracePacks(string folder, long room)
    {
        (_folder, _room, _packLength) = (folder, room, room / PacksOfRoom);
        Directory.CreateDirectory(folder);
        string[] files = Directory.GetFiles(folder, "*" + Extension);
        Array.Sort(files, StringComparer.Ordinal);
        foreach (string file in files)
            Take(file);
    }

    /// <summary>Keeps the trace of a job's attempt, in place of an earlier one of it.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void Append(Guid job, ReadOnlySpan<byte> trace, long now, int attempt = 1)
    {
        byte[] record = new byte[HeadLength + trace.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(record, Mark);
        job.TryWriteBytes(record.AsSpan(4));
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(20), now);
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(28), trace.Length);
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(OldHeadLength), attempt);
        trace.CopyTo(record.AsSpan(HeadLength));
        lock (_lock)
        {
            if (_last is null || _last.Length >= _packLength)
                _last = Begin();
            // Counted when it is there: what could not be written is written over.
            RandomAccess.Write(_last.Handle, record, _last.Length);
            Put(job, new Place(_last, _last.Length, attempt));
            _last.Length += record.Length;
            _length += record.Length;
            while (_length > _room && _packs.Count > 1)
                Drop(_packs.Dequeue());
        }
    }

    /// <summary>The trace of a job's attempt, 0 = its last one's; null when there is none.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public byte[]? Read(Guid job, int attempt = 0)
    {
        // Under the lock, so that the pack stays open: traces are small.
        lock (_lock)
        {
            if (Find(job, attempt) is not { } place || !TryReadHead(place.Pack, place.Offset, out Head head))
                return null;
            byte[] trace = new byte[head.Length];
            return ReadFully(place.Pack, place.Offset + head.Size, trace) ? trace : null;
        }
    }

    /// <summary>When that trace was written, Unix nanoseconds; null when there is none.</summary>
    public long? WrittenAt(Guid job, int attempt = 0)
    {
        lock (_lock)
            return Find(job, attempt) is { } place && TryReadHead(place.Pack, place.Offset, out Head head) ? head.WrittenAt : null;
    }

    /// <summary>Removes what was written before a time, Unix nanoseconds: nobody finds it any more; its room is free when its whole pack is that old.</summary>
    /// <exception cref="IOException">It cannot be removed.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void RemoveOlder(long than)
    {
        lock (_lock)
        {
            while (_packs.TryPeek(out Pack? pack))
            {
                Forget(pack, than);
                if (pack.Forgotten < pack.Length)
                    return;
                Drop(_packs.Dequeue());
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _places.Clear();
            _earlier.Clear();
            foreach (Pack pack in _packs)
                pack.Handle.Dispose();
            _packs.Clear();
            _last = null;
        }
    }

    private Place? Find(Guid job, int attempt)
    {
        if (_places.TryGetValue(job, out Place place) && (attempt == 0 || attempt == place.Attempt))
            return place;
        return attempt != 0 && _earlier.TryGetValue((job, attempt), out place) ? place : null;
    }

    private void Put(Guid job, Place place)
    {
        if (_places.TryGetValue(job, out Place last) && last.Attempt > place.Attempt)
        {
            _earlier[(job, place.Attempt)] = place;
            return;
        }
        if (last.Pack is not null && last.Attempt != place.Attempt)
            _earlier[(job, last.Attempt)] = last;
        _places[job] = place;
    }

    private Pack Begin()
    {
        string path = Path.Combine(_folder, (++_lastNumber).ToString("D12", CultureInfo.InvariantCulture) + Extension);
        var pack = new Pack(path, File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read));
        _packs.Enqueue(pack);
        return pack;
    }

    /// <summary>Finds the traces of a pack that an earlier process left.</summary>
    private void Take(string file)
    {
        if (!long.TryParse(Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out long number))
            return;
        _lastNumber = Math.Max(_lastNumber, number);
        var pack = new Pack(file, File.OpenHandle(file));
        long end = RandomAccess.GetLength(pack.Handle);
        while (TryReadHead(pack, pack.Length, out Head head) && pack.Length + head.Size + head.Length <= end)
        {
            Put(head.Job, new Place(pack, pack.Length, head.Attempt));
            pack.Length += head.Size + head.Length;
        }
        _length += pack.Length;
        _packs.Enqueue(pack);
    }

    private void Drop(Pack pack)
    {
        Forget(pack, long.MaxValue);
        // What could not be read is looked for among all.
        if (pack.Forgotten < pack.Length)
        {
            foreach ((Guid job, Place place) in _places)
            {
                if (place.Pack == pack)
                    _places.Remove(job);
            }
            foreach (((Guid, int) attempt, Place place) in _earlier)
            {
                if (place.Pack == pack)
                    _earlier.Remove(attempt);
            }
        }
        _last = _last == pack ? null : _last;
        _length -= pack.Length;
        pack.Handle.Dispose();
        File.Delete(pack.Path);
    }

    /// <summary>Takes a pack's first traces, as far as they are that old, out of what is found.</summary>
    private void Forget(Pack pack, long before)
    {
        while (pack.Forgotten < pack.Length && TryReadHead(pack, pack.Forgotten, out Head head) && head.WrittenAt < before)
        {
            var place = new Place(pack, pack.Forgotten, head.Attempt);
            if (_places.TryGetValue(head.Job, out Place last) && last == place)
                _places.Remove(head.Job);
            else if (_earlier.TryGetValue((head.Job, head.Attempt), out Place earlier) && earlier == place)
                _earlier.Remove((head.Job, head.Attempt));
            pack.Forgotten += head.Size + head.Length;
        }
    }

    private static bool TryReadHead(Pack pack, long offset, out Head head)
    {
        Span<byte> bytes = stackalloc byte[HeadLength];
        head = default;
        if (!ReadFully(pack, offset, bytes[..OldHeadLength]))
            return false;
        bool isOld = BinaryPrimitives.ReadUInt32LittleEndian(bytes) == OldMark;
        if (!isOld && (BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Mark || !ReadFully(pack, offset + OldHeadLength, bytes[OldHeadLength..])))
            return false;
        head = new Head(
            new Guid(bytes.Slice(4, 16)),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[20..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[28..]),
            isOld ? 1 : BinaryPrimitives.ReadInt32LittleEndian(bytes[OldHeadLength..]),
            isOld ? OldHeadLength : HeadLength);
        return head.Length >= 0;
    }

    private static bool ReadFully(Pack pack, long offset, Span<byte> bytes)
    {
        for (int done = 0; done < bytes.Length;)
        {
            int count = RandomAccess.Read(pack.Handle, bytes[done..], offset + done);
            if (count == 0)
                return false;
            done += count;
        }
        return true;
    }

    /// <param name="Length">The trace's bytes, behind the head.</param>
    /// <param name="Size">The head's own.</param>
    private readonly record struct Head(Guid Job, long WrittenAt, int Length, int Attempt, int Size);

    private readonly record struct Place(Pack Pack, long Offset, int Attempt);

    private sealed class Pack(string path, SafeFileHandle handle)
    {
        public string Path => path;

        public SafeFileHandle Handle => handle;

        public long Length { get; set; }

        /// <summary>What is before it was removed.</summary>
        public long Forgotten { get; set; }
    }
}
