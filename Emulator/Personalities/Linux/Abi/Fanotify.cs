using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct fanotify_event_metadata with the records behind it (fanotify(7)).</summary>
internal sealed class FanotifyFormat : IAlertFormat
{
    private const int MetadataSize = 24, HeaderSize = 4, FileSystemId = 8, HandleHeader = 8, HandleBytes = 8, ProcessSize = 8;
    private const byte Version = 3;
    private const byte FileRecord = 1, NameRecord = 2, DirectoryRecord = 3, ProcessRecord = 4, OldNameRecord = 10, NewNameRecord = 12;
    private const int HandleType = 1;

    public static FanotifyFormat Instance { get; } = new();

    public int SizeOf(FileAlertGroup group, FileAlert alert)
    {
        int size = MetadataSize;
        foreach ((_, _, byte[]? name) in RecordsOf(group, alert))
            size += RecordSize(name);
        return size + ((group.Report & AlertReport.ProcessDescriptor) != 0 ? ProcessSize : 0);
    }

    private static int RecordSize(byte[]? name)
    {
        int size = HeaderSize + FileSystemId + HandleHeader + HandleBytes + (name is null ? 0 : name.Length + 1);
        return (size + 3) & ~3;
    }

    /// <summary>The directory with its name, then where a renamed file went, then the file (copy_info_records_to_user in fs/notify/fanotify/fanotify_user.c).</summary>
    private static List<(byte Type, Inode Of, byte[]? Name)> RecordsOf(FileAlertGroup group, FileAlert alert)
    {
        const FileChange names = FileChange.MovedFrom | FileChange.MovedTo | FileChange.Created | FileChange.Deleted;
        List<(byte, Inode, byte[]?)> records = [];
        bool isRename = (alert.Change & FileChange.Renamed) != 0;
        if (alert.Directory is { } directory)
            records.Add((isRename ? OldNameRecord : alert.Name is null ? DirectoryRecord : NameRecord, directory, alert.Name));
        if (alert.NewDirectory is { } target)
            records.Add((NewNameRecord, target, alert.NewName));
        if (alert.Object is not { } file)
            return records;
        bool isDirectory = (alert.Change & FileChange.IsDirectory) != 0;
        if (records.Count > 0 || (group.Report & AlertReport.Directory) == 0)
            records.Add((FileRecord, file, null));
        else if ((group.Report & AlertReport.Name) != 0 && isDirectory)
            records.Add((NameRecord, file, "."u8.ToArray()));
        else
            records.Add(((alert.Change & names) != 0 || isDirectory ? DirectoryRecord : FileRecord, file, null));
        return records;
    }

    public void Write(FileAlertGroup group, FileAlert alert, int descriptor, int processDescriptor, int source, Span<byte> destination)
    {
        destination.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(destination, destination.Length);
        destination[4] = Version;
        BinaryPrimitives.WriteInt16LittleEndian(destination[6..], MetadataSize);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], (uint)alert.Change);
        BinaryPrimitives.WriteInt32LittleEndian(destination[16..], descriptor);
        BinaryPrimitives.WriteInt32LittleEndian(destination[20..], source);
        Span<byte> rest = destination[MetadataSize..];
        foreach ((byte type, Inode of, byte[]? name) in RecordsOf(group, alert))
        {
            int size = RecordSize(name);
            WriteRecord(rest[..size], type, of, name);
            rest = rest[size..];
        }
        if ((group.Report & AlertReport.ProcessDescriptor) == 0)
            return;
        rest[0] = ProcessRecord;
        BinaryPrimitives.WriteInt16LittleEndian(rest[2..], ProcessSize);
        BinaryPrimitives.WriteInt32LittleEndian(rest[4..], processDescriptor);
    }

    public int NumberOf(Errno error) => -(int)error;

    /// <summary>fanotify_show_fdinfo in fs/notify/fdinfo.c.</summary>
    public string Describe(FileAlertGroup group, IEnumerable<(object Marked, AlertMark Mark)> marks)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"fanotify flags:{group.Asked.Flags:x} event-flags:{group.Asked.EventFlags:x}\n");
        foreach ((object marked, AlertMark mark) in marks)
        {
            const uint survives = 0x40, evictable = 0x200, byFlags = 0x400;
            uint flags = (mark.KeepsIgnoring ? survives : 0) | (mark.IsEvictable ? evictable : 0) | (mark.IgnoresByFlags ? byFlags : 0);
            string masks = string.Create(CultureInfo.InvariantCulture, $"mflags:{flags:x} mask:{(uint)mark.Mask:x} ignored_mask:{(uint)mark.Ignored:x}");
            text.Append(CultureInfo.InvariantCulture, $"fanotify {NameOf(marked)} {masks}{(marked is Inode inode ? " " + HandleText(inode) : "")}\n");
        }
        return text.ToString();
    }

    private static string NameOf(object marked) => marked switch
    {
        Inode inode => string.Create(CultureInfo.InvariantCulture, $"ino:{inode.Status.Inode:x} sdev:{Device(inode):x}"),
        Mount mount => string.Create(CultureInfo.InvariantCulture, $"mnt_id:{mount.Id:x}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"sdev:{Device(((FileSystem)marked).Root):x}"),
    };

    /// <summary>As the kernel itself keeps numbers of devices.</summary>
    private static uint Device(Inode inode) => (DeviceNumber.Major(inode.Status.Device) << 20) | DeviceNumber.Minor(inode.Status.Device);

    private static string HandleText(Inode inode)
    {
        Span<byte> handle = stackalloc byte[HandleBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(handle, inode.Status.Inode);
        return string.Create(CultureInfo.InvariantCulture, $"fhandle-bytes:{HandleBytes:x} fhandle-type:{HandleType:x} f_handle:{Convert.ToHexStringLower(handle)}");
    }

    private static void WriteRecord(Span<byte> record, byte type, Inode of, byte[]? name)
    {
        record[0] = type;
        BinaryPrimitives.WriteInt16LittleEndian(record[2..], (short)record.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(record[HeaderSize..], of.FileSystem?.Status.Id ?? 0);
        Span<byte> handle = record[(HeaderSize + FileSystemId)..];
        BinaryPrimitives.WriteInt32LittleEndian(handle, HandleBytes);
        BinaryPrimitives.WriteInt32LittleEndian(handle[4..], HandleType);
        BinaryPrimitives.WriteUInt64LittleEndian(handle[HandleHeader..], of.Status.Inode);
        name?.CopyTo(handle[(HandleHeader + HandleBytes)..]);
    }

    /// <summary>struct fanotify_response: a descriptor and what is allowed.</summary>
    public static IoResult Respond(FileAlertGroup group, ReadOnlySpan<byte> source)
    {
        const int size = 8;
        const uint allow = 1, deny = 2;
        if (source.Length < size)
            return Errno.EINVAL;
        int descriptor = BinaryPrimitives.ReadInt32LittleEndian(source);
        uint response = BinaryPrimitives.ReadUInt32LittleEndian(source[4..]);
        if (response is not (allow or deny) || descriptor < 0)
            return Errno.EINVAL;
        Errno error = group.Respond(descriptor, response == deny);
        return error == Errno.None ? size : error;
    }
}
