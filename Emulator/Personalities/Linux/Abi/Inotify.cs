using System.Buffers.Binary;
using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>sys/inotify.h: flags of watches, and struct inotify_event with its name padded to a multiple of its own size.</summary>
internal sealed class Inotify : IFileRecordFormat
{
    public const uint OnlyDirectory = 0x01000000;
    public const uint DontFollow = 0x02000000;
    public const uint ExcludeUnlinked = 0x04000000;
    public const uint MaskCreate = 0x10000000;
    public const uint MaskAdd = 0x20000000;
    public const uint OneShot = 0x80000000;

    /// <summary>Every bit that inotify_add_watch(2) takes, those of events it only reports included.</summary>
    public const uint Known = 0xFFF | 0xE000 | OnlyDirectory | DontFollow | ExcludeUnlinked | MaskCreate | MaskAdd | (uint)FileChange.IsDirectory | OneShot;

    private const int HeaderSize = 16;

    public static Inotify Format { get; } = new();

    public int SizeOf(in FileRecord record) =>
        HeaderSize + (record.Name.Length == 0 ? 0 : (record.Name.Length + 1 + HeaderSize - 1) / HeaderSize * HeaderSize);

    public void Write(in FileRecord record, Span<byte> destination)
    {
        destination.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(destination, record.Watch);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], (uint)(record.Change & ~FileChange.OpenedToExecute));
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], record.Cookie);
        BinaryPrimitives.WriteInt32LittleEndian(destination[12..], destination.Length - HeaderSize);
        record.Name.CopyTo(destination[HeaderSize..]);
    }
}
