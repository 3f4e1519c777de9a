using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>An inode as a volume keeps it (struct ext4_inode).</summary>
internal sealed class ExtRecord(ExtVolume volume, uint number)
{
    public const int OldSize = 128, MapPlace = 0x28, MapSize = 60;

    private const uint TypeMask = 0xF000;
    private const long Second = 1_000_000_000;

    public ExtVolume Volume => volume;

    public uint Number => number;

    public byte[] Raw { get; } = new byte[volume.Super.InodeSize];

    /// <summary>Its map of blocks, or the text of a short link.</summary>
    public Span<byte> Map => Raw.AsSpan(MapPlace, MapSize);

    /// <summary>Bytes behind the old 128 that have fields in them.</summary>
    public int ExtraSize { get => Raw.Length > OldSize ? Get16(0x80) : 0; private set => Set16(0x80, (ushort)value); }

    public FileKind Kind => (Get16(0) & TypeMask) switch
    {
        0x1000 => FileKind.Fifo,
        0x2000 => FileKind.CharacterDevice,
        0x4000 => FileKind.Directory,
        0x6000 => FileKind.BlockDevice,
        0x8000 => FileKind.Regular,
        0xA000 => FileKind.SymbolicLink,
        0xC000 => FileKind.Socket,
        _ => FileKind.Unknown,
    };

    public uint Mode { get => Get16(0) & 0xFFFu; set => Set16(0, (ushort)((Get16(0) & TypeMask) | (value & 0xFFF))); }

    public bool IsFree => Get16(0) == 0 || Links == 0;

    public uint User
    {
        get => Get16(2) | ((uint)Get16(0x78) << 16);
        set
        {
            Set16(2, (ushort)value);
            Set16(0x78, (ushort)(value >> 16));
        }
    }

    public uint Group
    {
        get => Get16(0x18) | ((uint)Get16(0x7A) << 16);
        set
        {
            Set16(0x18, (ushort)value);
            Set16(0x7A, (ushort)(value >> 16));
        }
    }

    public long Size
    {
        get => Kind is FileKind.Regular or FileKind.Directory ? (long)(Get32(4) | ((ulong)Get32(0x6C) << 32)) : Get32(4);
        set
        {
            Set32(4, (uint)value);
            Set32(0x6C, (uint)(value >> 32));
        }
    }

    public ushort Links { get => Get16(0x1A); set => Set16(0x1A, value); }

    public ExtInodeFlags Flags { get => (ExtInodeFlags)Get32(0x20); set => Set32(0x20, (uint)value); }

    public uint Generation { get => Get32(0x64); set => Set32(0x64, value); }

    /// <summary>In units of 512 bytes, of data and of structures.</summary>
    public long Sectors
    {
        get
        {
            ulong count = Get32(0x1C);
            if (!volume.Super.Has(ExtReadOnlyCompatible.HugeFile))
                return (long)count;
            count |= (ulong)Get16(0x74) << 32;
            return (long)((Flags & ExtInodeFlags.HugeFile) != 0 ? count * (uint)(volume.BlockSize / 512) : count);
        }

        set
        {
            ulong count = (ulong)Math.Max(0, value);
            if ((Flags & ExtInodeFlags.HugeFile) != 0)
                count /= (uint)(volume.BlockSize / 512);
            Set32(0x1C, (uint)count);
            if (volume.Super.Has(ExtReadOnlyCompatible.HugeFile))
                Set16(0x74, (ushort)(count >> 32));
        }
    }

    /// <summary>The block of its extended attributes; 0 for none.</summary>
    public ulong AttributeBlock
    {
        get => Get32(0x68) | (volume.Super.Has(ExtIncompatible.Wide) ? (ulong)Get16(0x76) << 32 : 0);
        set
        {
            Set32(0x68, (uint)value);
            if (volume.Super.Has(ExtIncompatible.Wide))
                Set16(0x76, (ushort)(value >> 32));
        }
    }

    /// <summary>When it was deleted, seconds; in the list of orphans the next of them.</summary>
    public uint DeletionTime { get => Get32(0x14); set => Set32(0x14, value); }

    public long AccessTime { get => Time(8, 0x8C); set => SetTime(8, 0x8C, value); }

    public long ChangeTime { get => Time(0xC, 0x84); set => SetTime(0xC, 0x84, value); }

    public long ModifyTime { get => Time(0x10, 0x88); set => SetTime(0x10, 0x88, value); }

    public bool HasBirthTime => HasField(0x90);

    public long BirthTime
    {
        get => HasBirthTime ? Time(0x90, 0x94) : 0;
        set
        {
            if (HasBirthTime)
                SetTime(0x90, 0x94, value);
        }
    }

    /// <summary>Seed of the checksums of what belongs to it.</summary>
    public uint ChecksumSeed => Crc32.Of(Crc32.Of(volume.Super.ChecksumSeed, number), Generation);

    /// <summary>Device numbers are kept in the old form where that has room, else in the new one (linux/kdev_t.h).</summary>
    public ulong Device
    {
        get
        {
            uint old = BinaryPrimitives.ReadUInt32LittleEndian(Map), @new = BinaryPrimitives.ReadUInt32LittleEndian(Map[4..]);
            return old != 0 ? DeviceNumber.Make((old >> 8) & 0xFF, old & 0xFF) : DeviceNumber.Make((@new >> 8) & 0xFFF, (@new & 0xFF) | ((@new >> 12) & 0xFFF00));
        }

        set
        {
            uint major = DeviceNumber.Major(value), minor = DeviceNumber.Minor(value);
            bool isSmall = major < 256 && minor < 256;
            Map.Clear();
            if (isSmall)
                BinaryPrimitives.WriteUInt32LittleEndian(Map, (major << 8) | minor);
            else
                BinaryPrimitives.WriteUInt32LittleEndian(Map[4..], (minor & 0xFF) | (major << 8) | ((minor & ~0xFFu) << 12));
        }
    }

    /// <summary>Reads it from the volume: EUCLEAN, EBADMSG.</summary>
    public Errno Load()
    {
        Errno error = volume.FindInode(number, out ExtBlock block, out int place);
        if (error != Errno.None)
            return error;
        block.Data.AsSpan(place, Raw.Length).CopyTo(Raw);
        if (ExtraSize % 4 != 0 || OldSize + ExtraSize > Raw.Length)
            return volume.Corrupt($"inode #{number}: iget: bad extra_isize {ExtraSize} (inode size {Raw.Length})");
        if (volume.Super.HasChecksums && !IsSealed())
            return volume.Corrupt($"inode #{number}: iget: checksum invalid", Errno.EBADMSG);
        return Errno.None;
    }

    /// <summary>A new one of a kind, with all else zero.</summary>
    public void Start(FileKind kind, uint generation)
    {
        Raw.AsSpan().Clear();
        uint type = kind switch
        {
            FileKind.Fifo => 0x1000, FileKind.CharacterDevice => 0x2000, FileKind.Directory => 0x4000, FileKind.BlockDevice => 0x6000,
            FileKind.Regular => 0x8000, FileKind.SymbolicLink => 0xA000, _ => 0xC000,
        };
        Set16(0, (ushort)type);
        Generation = generation;
        const int usual = 32;
        if (Raw.Length > OldSize)
            ExtraSize = Math.Min(volume.Super.WantedExtraSize is > 0 and var wanted ? wanted / 4 * 4 : usual, Raw.Length - OldSize);
    }

    /// <summary>Puts it into its block, which is to be written.</summary>
    public Errno Store()
    {
        Errno error = volume.FindInode(number, out ExtBlock block, out int place);
        if (error != Errno.None)
            return error;
        if (volume.Super.HasChecksums)
        {
            uint checksum = Checksum();
            Set16(0x7C, (ushort)checksum);
            if (HasField(0x82, 2))
                Set16(0x82, (ushort)(checksum >> 16));
        }
        Raw.CopyTo(block.Data.AsSpan(place));
        block.IsDirty = true;
        return Errno.None;
    }

    private bool IsSealed()
    {
        uint checksum = Checksum();
        return Get16(0x7C) == (ushort)checksum && (!HasField(0x82, 2) || Get16(0x82) == checksum >> 16);
    }

    /// <summary>Over all of it, with zeros for the checksum itself.</summary>
    private uint Checksum()
    {
        uint crc = Crc32.Of(ChecksumSeed, Raw.AsSpan(0, 0x7C));
        crc = Crc32.Of(Crc32.Of(crc, [0, 0]), Raw.AsSpan(0x7E, OldSize - 0x7E));
        if (Raw.Length == OldSize)
            return crc;
        crc = Crc32.Of(crc, Raw.AsSpan(OldSize, 2));
        return HasField(0x82, 2) ? Crc32.Of(Crc32.Of(crc, [0, 0]), Raw.AsSpan(0x84)) : Crc32.Of(crc, Raw.AsSpan(0x82));
    }

    private bool HasField(int place, int size = 4) => Raw.Length > OldSize && OldSize + ExtraSize >= place + size;

    /// <summary>Seconds with a sign, two bits of epochs of 2^32 seconds, and nanoseconds.</summary>
    private long Time(int place, int extraPlace)
    {
        long seconds = (int)Get32(place);
        if (!HasField(extraPlace))
            return seconds * Second;
        uint extra = Get32(extraPlace);
        seconds += (long)(extra & 3) << 32;
        // What does not fit into the kernel's clock is as near as it gets.
        return seconds > (long.MaxValue / Second) - 1 ? long.MaxValue : (seconds * Second) + Math.Min(extra >> 2, Second - 1);
    }

    private void SetTime(int place, int extraPlace, long time)
    {
        long seconds = Math.DivRem(time, Second, out long nanoseconds);
        if (nanoseconds < 0)
            (seconds, nanoseconds) = (seconds - 1, nanoseconds + Second);
        if (!HasField(extraPlace))
        {
            Set32(place, (uint)(int)Math.Clamp(seconds, int.MinValue, int.MaxValue));
            return;
        }
        seconds = Math.Clamp(seconds, int.MinValue, ((1L << 34) - 1) + int.MinValue);
        Set32(place, (uint)seconds);
        Set32(extraPlace, (uint)(((seconds - (int)seconds) >> 32) & 3) | ((uint)nanoseconds << 2));
    }

    public uint Get32(int place) => BinaryPrimitives.ReadUInt32LittleEndian(Raw.AsSpan(place));

    public void Set32(int place, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Raw.AsSpan(place), value);

    private ushort Get16(int place) => BinaryPrimitives.ReadUInt16LittleEndian(Raw.AsSpan(place));

    private void Set16(int place, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Raw.AsSpan(place), value);

    /// <summary>Counts blocks that it got, or lost.</summary>
    public void AddBlocks(long count) => Sectors += count * (volume.BlockSize / 512);
}
