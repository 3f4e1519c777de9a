using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Personalities.FreeBsd.Abi;

/// <summary>struct statfs since FreeBSD 12 (statfs(2)).</summary>
internal static class FreeBsdStatFs
{
    private const int Size = 2344;
    private const uint Version = 0x20140518;
    private const int NameMax = 184, TypeName = 280, From = 296, On = 1320;
    private const int LongestType = 16, LongestPath = 1024;

    public static byte[] Encode(Mount mount)
    {
        byte[] bytes = new byte[Size];
        FileSystemStatus status = mount.FileSystem.Status;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Version);
        ReadOnlySpan<ulong> words =
        [
            mount.IsReadOnly ? 1UL : 0, (ulong)status.BlockSize, (ulong)status.BlockSize, (ulong)status.Blocks, (ulong)status.FreeBlocks,
            (ulong)status.AvailableBlocks, (ulong)status.Files, (ulong)status.FreeFiles,
        ];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8 + (8 * i)), words[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(NameMax), (uint)status.NameLength);
        Put(bytes.AsSpan(TypeName, LongestType), Encoding.UTF8.GetBytes(mount.FileSystem.TypeName));
        Put(bytes.AsSpan(From, LongestPath), Encoding.UTF8.GetBytes(mount.FileSystem.TypeName));
        Put(bytes.AsSpan(On, LongestPath), new PathEntry(mount, mount.Root).FullPath());
        return bytes;
    }

    private static void Put(Span<byte> field, ReadOnlySpan<byte> text) => text[..Math.Min(text.Length, field.Length - 1)].CopyTo(field);
}
