using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// The traces of many jobs in a few files, packs: one behind the other, each behind a head with its job and length. A file for each job would
/// cost the host more than the trace. The oldest packs make room. A process appends to packs of its own; a trace that was cut off when an
/// earlier one died ends its pack. Thread-safe.
/// </summary>
internal sealed class TracePacks : IDisposable
{
    private const string Extension = ".traces";

    /// <summary>A mark, the job, when it was written (Unix nanoseconds), the trace's length.</summary>
    private const int HeadLength = 4 + 16 + 8 + 4;

    private const int PacksOfRoom = 16;
    private const uint Mark = 0x43525456; // "VTRC"

    private readonly Lock _lock = new();
    private readonly string _folder;
    private readonly long _room;
    private readonly long _packLength;
    private readonly Queue<Pack> _packs = [];
    private readonly Dictionary<Guid, Place> _places = [];
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

    /// <summary>Keeps a job's trace, in place of an earlier one of it.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public void Append(Guid job, ReadOnlySpan<byte> trace, long now)
    {
        byte[] record = new byte[HeadLength + trace.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(record, Mark);
        job.TryWriteBytes(record.AsSpan(4));
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(20), now);
        BinaryPrimitives.WriteInt32LittleEndian(record.AsSpan(28), trace.Length);
        trace.CopyTo(record.AsSpan(HeadLength));
        lock (_lock)
        {
            if (_last is null || _last.Length >= _packLength)
                _last = Begin();
            // Counted when it is there: what could not be written is written over.
            RandomAccess.Write(_last.Handle, record, _last.Length);
            _places[job] = new Place(_last, _last.Length);
            _last.Length += record.Length;
            _length += record.Length;
            while (_length > _room && _packs.Count > 1)
                Drop(_packs.Dequeue());
        }
    }

    /// <summary>A job's trace; null when there is none.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public byte[]? Read(Guid job)
    {
        // Under the lock, so that the pack stays open: traces are small.
        lock (_lock)
        {
            if (!_places.TryGetValue(job, out Place place) || !TryReadHead(place.Pack, place.Offset, out Head head))
                return null;
            byte[] trace = new byte[head.Length];
            return ReadFully(place.Pack, place.Offset + HeadLength, trace) ? trace : null;
        }
    }

    /// <summary>When a job's trace was written, Unix nanoseconds; null when there is none.</summary>
    public long? WrittenAt(Guid job)
    {
        lock (_lock)
            return _places.TryGetValue(job, out Place place) && TryReadHead(place.Pack, place.Offset, out Head head) ? head.WrittenAt : null;
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
            foreach (Pack pack in _packs)
                pack.Handle.Dispose();
            _packs.Clear();
            _last = null;
        }
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
        while (TryReadHead(pack, pack.Length, out Head head) && pack.Length + HeadLength + head.Length <= end)
        {
            _places[head.Job] = new Place(pack, pack.Length);
            pack.Length += HeadLength + head.Length;
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
            if (_places.TryGetValue(head.Job, out Place place) && place == new Place(pack, pack.Forgotten))
                _places.Remove(head.Job);
            pack.Forgotten += HeadLength + head.Length;
        }
    }

    private static bool TryReadHead(Pack pack, long offset, out Head head)
    {
        Span<byte> bytes = stackalloc byte[HeadLength];
        head = default;
        if (!ReadFully(pack, offset, bytes) || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Mark)
            return false;
        head = new Head(new Guid(bytes.Slice(4, 16)), BinaryPrimitives.ReadInt64LittleEndian(bytes[20..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[28..]));
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

    private readonly record struct Head(Guid Job, long WrittenAt, int Length);

    private readonly record struct Place(Pack Pack, long Offset);

    private sealed class Pack(string path, SafeFileHandle handle)
    {
        public string Path => path;

        public SafeFileHandle Handle => handle;

        public long Length { get; set; }

        /// <summary>What is before it was removed.</summary>
        public long Forgotten { get; set; }
    }
}
