using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>
/// Replays a journal (Documentation/filesystems/ext4/journal.rst): transactions of descriptors, copies of blocks and a commit, each with the transaction's number,
/// from the journal's start up to the first that is not whole. Numbers are big-endian. Blocks that a later transaction revoked are not written.
/// </summary>
internal sealed class ExtJournal
{
    private const uint Magic = 0xC03B3998;
    private const uint DescriptorKind = 1, CommitKind = 2, RevokeKind = 5, OldSuper = 3, Super = 4;
    private const uint Revokes = 1, Wide = 2, AsyncCommit = 4, Checksums2 = 8, Checksums3 = 0x10;
    private const int Header = 12, SuperLength = 1024, ChecksumPlace = 0xFC;

    private readonly ExtVolume _volume;
    private readonly ExtMap _map;
    private readonly byte[] _super;
    private readonly Dictionary<ulong, uint> _revoked = [];
    private readonly uint _features, _length, _first, _seed;

    private ExtJournal(ExtVolume volume, ExtMap map, byte[] super)
    {
        (_volume, _map, _super) = (volume, map, super);
        _features = Get(super, 4) == OldSuper ? 0 : Get(super, 0x28);
        _length = Get(super, 0x10);
        _first = Get(super, 0x14);
        _seed = Crc32.Of(uint.MaxValue, super.AsSpan(0x30, 16));
    }

    private bool HasChecksums => (_features & (Checksums2 | Checksums3)) != 0;

    private int TagLength => (_features & Checksums3) != 0 ? 16 : ((_features & Checksums2) != 0 ? 10 : 8) + ((_features & Wide) != 0 ? 4 : 0);

    /// <summary>Replays the volume's journal and empties it. EINVAL for one that cannot be, EIO when a checksum in it is wrong.</summary>
    public static Errno Replay(ExtVolume volume, out string? problem)
    {
        problem = "no journal found";
        if (volume.Super.JournalInode == 0 || volume.Super.JournalInode > volume.Super.Inodes)
            return Errno.EINVAL;
        var record = new ExtRecord(volume, volume.Super.JournalInode);
        Errno error = record.Load();
        if (error == Errno.None && (record.Kind != FileKind.Regular || record.Links == 0))
            error = Errno.EINVAL;
        if (error != Errno.None)
            return error;
        ExtMap map = ExtMap.Of(record);
        byte[] super = new byte[volume.BlockSize];
        error = ReadBlock(volume, map, 0, super);
        problem = error == Errno.None ? Check(volume, record, super) : "error loading journal";
        if (error != Errno.None || problem is not null)
            return error == Errno.None ? Errno.EINVAL : error;
        return new ExtJournal(volume, map, super).Run(out problem);
    }

    private static string? Check(ExtVolume volume, ExtRecord record, byte[] super)
    {
        uint features = Get(super, 0x28), length = Get(super, 0x10), first = Get(super, 0x14);
        if (Get(super, 0) != Magic || Get(super, 4) is not (OldSuper or Super))
            return "no valid journal superblock found";
        // The first version had no features.
        features = Get(super, 4) == OldSuper ? 0 : features;
        if ((features & ~(Revokes | Wide | AsyncCommit | Checksums2 | Checksums3)) != 0)
            return $"journal has unsupported features ({features:x})";
        if (Get(super, 0xC) != volume.BlockSize || length > record.Size / volume.BlockSize || first == 0 || first >= length)
            return "journal size or block size is invalid";
        bool isSealed = (features & (Checksums2 | Checksums3)) == 0 || Get(super, ChecksumPlace) == SuperChecksum(super);
        return isSealed ? null : "journal checksum error";
    }

    private static uint SuperChecksum(byte[] super)
    {
        uint crc = Crc32.Of(uint.MaxValue, super.AsSpan(0, ChecksumPlace));
        return Crc32.Of(Crc32.Of(crc, [0, 0, 0, 0]), super.AsSpan(ChecksumPlace + 4, SuperLength - ChecksumPlace - 4));
    }

    private Errno Run(out string? problem)
    {
        problem = null;
        uint start = Get(_super, 0x1C), sequence = Get(_super, 0x18);
        if (start == 0)
            return Errno.None;
        if (start < _first || start >= _length)
            return Errno.EINVAL;
        Errno error = Scan(start, sequence, out uint end);
        if (error == Errno.None)
            error = Go(start, sequence, end, isReplay: false);
        if (error == Errno.None)
            error = Go(start, sequence, end, isReplay: true);
        problem = error == Errno.None ? null : "error in recovery";
        if (error != Errno.None)
            return error;
        Put(_super, 0x18, end + 1);
        Put(_super, 0x1C, 0);
        if (HasChecksums)
            Put(_super, ChecksumPlace, SuperChecksum(_super));
        error = _map.Find(0, 1, out ExtRun run);
        return error != Errno.None ? error : _volume.WriteData(run.Block, 0, _super);
    }

    /// <summary>Finds the number of the first transaction that is not whole.</summary>
    private Errno Scan(uint block, uint sequence, out uint end)
    {
        end = sequence;
        byte[] data = new byte[_volume.BlockSize];
        // Whatever a journal says, it is gone through once.
        for (uint passed = 0; passed < _length; passed++)
        {
            Errno error = ReadBlock(_volume, _map, block, data);
            if (error != Errno.None)
                return error;
            if (Get(data, 0) != Magic || Get(data, 8) != end)
                return Errno.None;
            uint skipped = 1;
            switch (Get(data, 4))
            {
                case DescriptorKind:
                    if (!IsSealed(data, data.Length - 4))
                        return Errno.None;
                    skipped += (uint)Tags(data).Count;
                    break;
                case CommitKind:
                    if (!IsSealed(data, 0x10))
                        return Errno.None;
                    end++;
                    break;
                case RevokeKind:
                    break;
                default:
                    return Errno.None;
            }
            passed += skipped - 1;
            block = Wrap(block + skipped);
        }
        return Errno.None;
    }

    private uint Wrap(uint block) => block < _length ? block : _first + ((block - _length) % (_length - _first));

    /// <summary>
    /// Goes through all whole transactions, first for what they revoke, then for what they write. EIO when they are no longer as <see cref="Scan"/>
    /// found them: a journal may have told to write into itself.
    /// </summary>
    private Errno Go(uint block, uint sequence, uint end, bool isReplay)
    {
        byte[] data = new byte[_volume.BlockSize];
        Errno error = Errno.None;
        for (uint passed = 0; sequence != end && error == Errno.None; passed++)
        {
            error = ReadBlock(_volume, _map, block, data);
            block = Wrap(block + 1);
            if (error != Errno.None)
                return error;
            if (passed >= _length || Get(data, 0) != Magic || Get(data, 8) != sequence)
                return Errno.EIO;
            switch (Get(data, 4))
            {
                case DescriptorKind:
                    List<Tag> tags = Tags(data);
                    for (int i = 0; i < tags.Count && isReplay && error == Errno.None; i++)
                        error = Write(tags[i], Wrap(block + (uint)i), sequence);
                    block = Wrap(block + (uint)tags.Count);
                    break;
                case RevokeKind when !isReplay:
                    Revoke(data, sequence);
                    break;
                case CommitKind:
                    sequence++;
                    break;
            }
        }
        return error;
    }

    private readonly record struct Tag(ulong Block, uint Checksum, bool IsEscaped);

    private List<Tag> Tags(byte[] data)
    {
        const uint escaped = 1, sameIdentifier = 2, last = 8;
        const int identifier = 16;
        List<Tag> tags = [];
        int end = data.Length - (HasChecksums ? 4 : 0);
        for (int place = Header; place + TagLength <= end;)
        {
            bool isThird = (_features & Checksums3) != 0;
            uint flags = isThird ? Get(data, place + 4) : BinaryPrimitives.ReadUInt16BigEndian(data.AsSpan(place + 6));
            uint checksum = isThird ? Get(data, place + 12) : BinaryPrimitives.ReadUInt16BigEndian(data.AsSpan(place + 4));
            ulong high = (_features & Wide) != 0 ? Get(data, place + 8) : 0;
            tags.Add(new Tag(Get(data, place) | (high << 32), checksum, (flags & escaped) != 0));
            if ((flags & last) != 0)
                break;
            place += TagLength + ((flags & sameIdentifier) != 0 ? 0 : identifier);
        }
        return tags;
    }

    private Errno Write(in Tag tag, uint from, uint sequence)
    {
        if (_revoked.TryGetValue(tag.Block, out uint revoked) && (int)(revoked - sequence) >= 0)
            return Errno.None;
        byte[] data = new byte[_volume.BlockSize];
        Errno error = ReadBlock(_volume, _map, from, data);
        if (error != Errno.None)
            return error;
        if (HasChecksums)
        {
            byte[] number = new byte[4];
            Put(number, 0, sequence);
            uint crc = Crc32.Of(Crc32.Of(_seed, number), data);
            if (((_features & Checksums3) != 0 ? crc : (ushort)crc) != tag.Checksum)
                return Errno.EIO;
        }
        if (tag.IsEscaped)
            Put(data, 0, Magic);
        return tag.Block < _volume.Super.Blocks ? _volume.WriteData(tag.Block, 0, data) : Errno.EIO;
    }

    private void Revoke(byte[] data, uint sequence)
    {
        int size = (_features & Wide) != 0 ? 8 : 4;
        int end = (int)Math.Min(Get(data, Header), (uint)(data.Length - (HasChecksums ? 4 : 0)));
        for (int place = Header + 4; place + size <= end; place += size)
        {
            ulong block = size == 8 ? BinaryPrimitives.ReadUInt64BigEndian(data.AsSpan(place)) : Get(data, place);
            if (!_revoked.TryGetValue(block, out uint known) || (int)(sequence - known) > 0)
                _revoked[block] = sequence;
        }
    }

    /// <summary>The checksum of a block is over all of it, with zeros in its own place.</summary>
    private bool IsSealed(byte[] data, int place)
    {
        if (!HasChecksums)
            return true;
        uint crc = Crc32.Of(_seed, data.AsSpan(0, place));
        return Get(data, place) == Crc32.Of(Crc32.Of(crc, [0, 0, 0, 0]), data.AsSpan(place + 4));
    }

    private static Errno ReadBlock(ExtVolume volume, ExtMap map, uint block, byte[] data)
    {
        Errno error = map.Find(block, 1, out ExtRun run);
        if (error != Errno.None)
            return error;
        return run.IsWritten ? volume.ReadData(run.Block, 0, data) : volume.Corrupt("journal has a hole");
    }

    private static uint Get(byte[] data, int place) => BinaryPrimitives.ReadUInt32BigEndian(data.AsSpan(place));

    private static void Put(byte[] data, int place, uint value) => BinaryPrimitives.WriteUInt32BigEndian(data.AsSpan(place), value);
}
