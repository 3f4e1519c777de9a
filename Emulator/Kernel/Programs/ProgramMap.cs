using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>How an element is to be stored; the values are Linux'.</summary>
public enum MapUpdate : ulong
{
    Any,
    IfAbsent,
    IfPresent,
}

/// <summary>What programs and those who load them share (bpf(2)).</summary>
public abstract class ProgramMap(int keySize, int valueSize, uint entries)
{
    public int KeySize { get; } = keySize;

    public int ValueSize { get; } = valueSize;

    public uint Entries { get; } = entries;

    /// <summary>Bytes of the world's memory that it counts for.</summary>
    public ulong Charged { get; set; }

    /// <summary>Programs find values by key in it; a ring has none.</summary>
    public virtual bool HasElements => true;

    /// <summary>Where a value is; false when there is none.</summary>
    public abstract bool TryFind(ReadOnlySpan<byte> key, out byte[] store, out int offset);

    public abstract Errno Update(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdate how);

    public abstract Errno Delete(ReadOnlySpan<byte> key);

    /// <summary>The key behind another, or the first one; ENOENT behind the last.</summary>
    public abstract Errno Next(ReadOnlySpan<byte> key, Span<byte> next);
}

/// <summary>Values by number, all there from the start.</summary>
public sealed class ArrayMap(int valueSize, uint entries) : ProgramMap(sizeof(uint), valueSize, entries)
{
    private readonly int _stride = (valueSize + 7) & ~7;
    private readonly byte[] _values = new byte[((valueSize + 7) & ~7) * (long)entries];

    public override bool TryFind(ReadOnlySpan<byte> key, out byte[] store, out int offset)
    {
        uint index = BinaryPrimitives.ReadUInt32LittleEndian(key);
        (store, offset) = (_values, index < Entries ? (int)(index * (uint)_stride) : 0);
        return index < Entries;
    }

    public override Errno Update(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdate how)
    {
        if (!TryFind(key, out byte[] store, out int offset))
            return Errno.E2BIG;
        if (how == MapUpdate.IfAbsent)
            return Errno.EEXIST;
        value[..ValueSize].CopyTo(store.AsSpan(offset));
        return Errno.None;
    }

    public override Errno Delete(ReadOnlySpan<byte> key) => Errno.EINVAL;

    public override Errno Next(ReadOnlySpan<byte> key, Span<byte> next)
    {
        uint index = key.IsEmpty ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(key);
        if (index != uint.MaxValue && index == Entries - 1)
            return Errno.ENOENT;
        BinaryPrimitives.WriteUInt32LittleEndian(next, index >= Entries ? 0 : index + 1);
        return Errno.None;
    }
}

/// <summary>Values by key, in the order they came in.</summary>
public sealed class HashMap(int keySize, int valueSize, uint entries) : ProgramMap(keySize, valueSize, entries)
{
    private readonly Dictionary<byte[], LinkedListNode<(byte[] Key, byte[] Value)>> _found = new(ByteNameComparer.Instance);
    private readonly LinkedList<(byte[] Key, byte[] Value)> _order = new();

    public override bool TryFind(ReadOnlySpan<byte> key, out byte[] store, out int offset)
    {
        bool isThere = _found.TryGetValue(key.ToArray(), out LinkedListNode<(byte[] Key, byte[] Value)>? node);
        (store, offset) = (node?.Value.Value ?? [], 0);
        return isThere;
    }

    public override Errno Update(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdate how)
    {
        bool isThere = TryFind(key, out byte[] store, out _);
        if (isThere && how == MapUpdate.IfAbsent)
            return Errno.EEXIST;
        if (!isThere && how == MapUpdate.IfPresent)
            return Errno.ENOENT;
        if (isThere)
        {
            value[..ValueSize].CopyTo(store);
            return Errno.None;
        }
        if (_found.Count >= Entries)
            return Errno.E2BIG;
        byte[] own = key.ToArray();
        _found.Add(own, _order.AddLast((own, value[..ValueSize].ToArray())));
        return Errno.None;
    }

    public override Errno Delete(ReadOnlySpan<byte> key)
    {
        if (!_found.Remove(key.ToArray(), out LinkedListNode<(byte[] Key, byte[] Value)>? node))
            return Errno.ENOENT;
        _order.Remove(node);
        return Errno.None;
    }

    public override Errno Next(ReadOnlySpan<byte> key, Span<byte> next)
    {
        LinkedListNode<(byte[] Key, byte[] Value)>? node = !key.IsEmpty && _found.TryGetValue(key.ToArray(), out LinkedListNode<(byte[] Key, byte[] Value)>? at) ? at.Next : _order.First;
        node?.Value.Key.CopyTo(next);
        return node is null ? Errno.ENOENT : Errno.None;
    }
}

/// <summary>
/// Records that programs leave and their reader takes, in the order they were begun (kernel/bpf/ringbuf.c): the reader's position in the first page, the writer's in the second, then the
/// data, which is mapped twice so that records need not end where it does.
/// </summary>
public sealed class RingMap : ProgramMap, IDisposable
{
    /// <summary>What precedes a record: its length with two flags, and the page it began on.</summary>
    private const int Header = 8;
    private const uint IsBusy = 1u << 31, IsDiscarded = 1 << 30;

    private readonly AnonymousObject _content;

    private RingMap(uint size, AnonymousObject content)
        : base(0, 0, size) => _content = content;

    /// <summary>Null without memory for it.</summary>
    public static RingMap? TryMake(World world, uint size)
    {
        var content = new AnonymousObject(world.Accountant);
        if (content.SetLength((2L * size) + (2L * (long)GuestAddress.PageSize)))
            return new RingMap(size, content);
        content.Release();
        return null;
    }

    public Source Source { get; } = new();

    public MemoryObject Content => _content;

    public override bool HasElements => false;

    private ulong Consumer => Get(0);

    private ulong Producer => Get((long)GuestAddress.PageSize);

    public bool HasRecords => Consumer != Producer;

    private ulong Get(long at)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        _content.Read(at, word);
        return BinaryPrimitives.ReadUInt64LittleEndian(word);
    }

    private void Put(long at, ulong value)
    {
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(word, value);
        _content.Write(at, word);
    }

    /// <summary>Writes data at both of its places.</summary>
    private void PutData(ulong position, ReadOnlySpan<byte> bytes)
    {
        const long start = 2 * (long)GuestAddress.PageSize;
        long at = (long)(position & (Entries - 1));
        int beyond = (int)Math.Max(0, at + bytes.Length - Entries);
        _content.Write(start + at, bytes);
        _content.Write(start + at + Entries, bytes[..^beyond]);
        _content.Write(start, bytes[^beyond..]);
    }

    private void PutData(ulong position, uint word)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, word);
        PutData(position, bytes);
    }

    /// <summary>Begins a record: its position, or null when it does not fit.</summary>
    public ulong? Reserve(ulong length)
    {
        ulong whole = (length + Header + 7) & ~7ul, producer = Producer;
        if (length > Entries || whole > Entries || producer - Consumer > Entries || producer + whole - Consumer > Entries)
            return null;
        PutData(producer, (uint)length | IsBusy);
        PutData(producer + sizeof(uint), (uint)((producer & (Entries - 1)) / GuestAddress.PageSize) + 2);
        Put((long)GuestAddress.PageSize, producer + whole);
        return producer;
    }

    /// <summary>Ends a record with its bytes, or without any.</summary>
    public void Commit(ulong position, ReadOnlySpan<byte> bytes, bool isDiscarded, bool wakes)
    {
        PutData(position + Header, bytes);
        PutData(position, (uint)bytes.Length | (isDiscarded ? IsDiscarded : 0));
        if (wakes)
            Source.Pulse(Readiness.In);
    }

    /// <summary>What bpf_ringbuf_query tells: unread bytes, size, positions.</summary>
    public ulong Query(ulong what) => what switch { 0 => Producer - Consumer, 1 => Entries, 2 => Consumer, 3 => Producer, _ => 0 };

    public override bool TryFind(ReadOnlySpan<byte> key, out byte[] store, out int offset)
    {
        (store, offset) = ([], 0);
        return false;
    }

    public override Errno Update(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, MapUpdate how) => Errno.EOPNOTSUPP;

    public override Errno Delete(ReadOnlySpan<byte> key) => Errno.EOPNOTSUPP;

    public override Errno Next(ReadOnlySpan<byte> key, Span<byte> next) => Errno.EOPNOTSUPP;

    public void Dispose() => _content.Release();
}

/// <summary>A map by a descriptor.</summary>
public sealed class MapFile(World world, ProgramMap map, OpenFlags flags) : OpenFile(flags)
{
    private readonly Inode _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);

    public ProgramMap Map => map;

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:bpf-map";

    public override Source Source => map is RingMap ring ? ring.Source : base.Source;

    public override Readiness Poll() => map is RingMap { HasRecords: true } ? Readiness.In : Readiness.None;

    public override MemoryObject? MapObject(ref ulong offset) => (map as RingMap)?.Content;

    protected override void OnLastClose() => world.LeaveMap(map);
}
