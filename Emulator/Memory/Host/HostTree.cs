using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>What the host says of a file. Times are nanoseconds since the epoch, devices as major and minor numbers.</summary>
public readonly record struct HostStatus(
    uint Major, uint Minor, ulong Inode, uint Mode, uint Links, uint User, uint Group, uint RawMajor, uint RawMinor, long Size,
    uint BlockSize, long Blocks, long AccessTime, long ModifyTime, long ChangeTime,
    long? BirthTime);

/// <summary>Sizes of the host's file system (statfs(2)).</summary>
public readonly record struct HostFileSystemStatus(
    uint Magic, uint BlockSize, ulong Blocks, ulong FreeBlocks, ulong AvailableBlocks, ulong Files, ulong FreeFiles, ulong Id, uint NameLength);

/// <summary>One name of a host directory; the kind is getdents64's d_type.</summary>
public readonly record struct HostEntry(byte[] Name, ulong Inode, byte Type);

/// <summary>
/// A directory of the host and what is below it. Paths are relative, without a leading slash, and never lead out: no component is followed
/// when it is a symbolic link, and ".." does not go above the root (openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or a walk
/// component by component where that call is missing). Results are 0 or the host's errno. Thread-safe.
/// </summary>
public sealed unsafe partial class HostTree : IDisposable
{
    private const int NoSystemCall = 38;
    private const int NotPermitted = 1;
    private const int Invalid = 22;

    private int _root;
    private bool _walkByHand;

    private HostTree(int root) => _root = root;

    /// <summary>Opens a root; it may itself be reached over links. Null with the host's errno when that fails.</summary>
    public static HostTree? Open(string path, out int error)
    {
        fixed (byte* name = CString(Encoding.UTF8.GetBytes(path)))
        {
            int root = HostFileCalls.OpenAt(
                HostFileCalls.CurrentDirectory, name, HostFileCalls.PathOnly | HostFileCalls.CloseOnExec, 0);
            error = root < 0 ? Marshal.GetLastPInvokeError() : 0;
            return root < 0 ? null : new HostTree(root);
        }
    }

    ~HostTree() => HostFileCalls.Close(_root);

    public void Dispose()
    {
        if (_root >= 0)
            HostFileCalls.Close(_root);
        _root = -1;
        GC.SuppressFinalize(this);
    }

    public int Status(ReadOnlySpan<byte> path, out HostStatus status)
    {
        // The root and names in it take one call; a longer path could lead over a link.
        if (!path.Contains((byte)'/') && !path.SequenceEqual(".."u8))
        {
            fixed (byte* name = CString(path))
                return Status(_root, name, out status);
        }
        status = default;
        int error = Locate(path, out int descriptor);
        if (error != 0)
            return error;
        error = Status(descriptor, out status);
        HostFileCalls.Close(descriptor);
        return error;
    }

    public int FileSystemStatus(ReadOnlySpan<byte> path, out HostFileSystemStatus status)
    {
        status = default;
        int error = Locate(path, out int descriptor);
        if (error != 0)
            return error;
        HostFileCalls.StatFs raw;
        error = Check(HostFileCalls.GetStatFs(descriptor, &raw));
        HostFileCalls.Close(descriptor);
        status = new HostFileSystemStatus((uint)raw.Type, (uint)raw.BlockSize, raw.Blocks, raw.FreeBlocks, raw.AvailableBlocks, raw.Files, raw.FreeFiles, raw.Id, (uint)raw.NameLength);
        return error;
    }

    public int ReadLink(ReadOnlySpan<byte> path, out byte[] target)
    {
        target = [];
        int error = Locate(path, out int descriptor);
        if (error != 0)
            return error;
        byte* buffer = stackalloc byte[4096];
        byte empty = 0;
        nint length = HostFileCalls.ReadLinkAt(descriptor, &empty, buffer, 4096);
        error = length < 0 ? Marshal.GetLastPInvokeError() : 0;
        HostFileCalls.Close(descriptor);
        if (length >= 0)
            target = new ReadOnlySpan<byte>(buffer, (int)length).ToArray();
        return error;
    }

    /// <summary>All names but "." and "..", in the host's order.</summary>
    public int List(ReadOnlySpan<byte> path, List<HostEntry> entries)
    {
        int error = OpenBeneath(path, HostFileCalls.ReadOnly | HostFileCalls.Directory, out int descriptor);
        if (error != 0)
            return error;
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(32768);
        fixed (byte* start = buffer)
        {
            nint length;
            while ((length = HostFileCalls.GetDirectoryEntries(descriptor, start, (nuint)buffer.Length)) > 0)
                AddEntries(new ReadOnlySpan<byte>(start, (int)length), entries);
            error = length < 0 ? Marshal.GetLastPInvokeError() : 0;
        }
        System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        HostFileCalls.Close(descriptor);
        return error;
    }

    /// <summary>struct linux_dirent64: inode, next offset, length, type, name (getdents64(2)).</summary>
    private static void AddEntries(ReadOnlySpan<byte> records, List<HostEntry> entries)
    {
        while (!records.IsEmpty)
        {
            int length = MemoryMarshal.Read<ushort>(records[16..]);
            ReadOnlySpan<byte> name = records[19..length];
            name = name[..name.IndexOf((byte)0)];
            if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                entries.Add(new HostEntry(name.ToArray(), MemoryMarshal.Read<ulong>(records), records[18]));
            records = records[length..];
        }
    }

    /// <summary>Opens a regular file for I/O; ENXIO-like failure (EINVAL) for anything else. It never blocks.</summary>
    public int OpenFile(ReadOnlySpan<byte> path, bool forWriting, out HostFile? file)
    {
        file = null;
        int access = forWriting ? HostFileCalls.ReadWrite : HostFileCalls.ReadOnly;
        int error = OpenBeneath(path, access | HostFileCalls.NonBlocking | HostFileCalls.NoTerminal, out int descriptor);
        if (error != 0)
            return error;
        error = Status(descriptor, out HostStatus status);
        if (error == 0 && (status.Mode & 0xF000) != 0x8000)
            error = Invalid;
        if (error == 0)
            file = new HostFile(descriptor);
        else
            HostFileCalls.Close(descriptor);
        return error;
    }

    /// <summary>A handle on the object itself, whatever its kind, that allows no I/O.</summary>
    private int Locate(ReadOnlySpan<byte> path, out int descriptor) => OpenBeneath(path, HostFileCalls.PathOnly, out descriptor);

    private int OpenBeneath(ReadOnlySpan<byte> path, int flags, out int descriptor)
    {
        flags |= HostFileCalls.NoFollow | HostFileCalls.CloseOnExec;
        if (path.IsEmpty)
            return OpenRoot(flags & ~HostFileCalls.NoFollow, out descriptor);
        if (!_walkByHand)
        {
            fixed (byte* name = CString(path))
            {
                HostFileCalls.OpenHow how = new()
                {
                    Flags = (ulong)flags,
                    Resolve = HostFileCalls.ResolveBeneath | HostFileCalls.ResolveNoSymlinks | HostFileCalls.ResolveNoMagicLinks,
                };
                descriptor = HostFileCalls.OpenAt2(_root, name, &how, (nuint)sizeof(HostFileCalls.OpenHow));
                int error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
                if (error is not (NoSystemCall or NotPermitted))
                    return error;
            }
            // Kernels before 5.6 lack the call, and sandboxes that do not know it refuse it.
            _walkByHand = true;
        }
        return WalkByHand(path, flags, out descriptor);
    }

    /// <summary>The root itself, which may be a file; opened through its handle.</summary>
    private int OpenRoot(int flags, out int descriptor)
    {
        fixed (byte* self = DescriptorPath(_root))
            descriptor = HostFileCalls.OpenAt(HostFileCalls.CurrentDirectory, self, flags, 0);
        return Check(descriptor);
    }

    private int WalkByHand(ReadOnlySpan<byte> path, int flags, out int descriptor)
    {
        int directory = _root;
        while (true)
        {
            int slash = path.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = slash < 0 ? path : path[..slash];
            if (name.SequenceEqual(".."u8))
            {
                descriptor = -1;
                Leave(directory);
                return Invalid;
            }
            int wanted = slash < 0 ? flags : HostFileCalls.PathOnly | HostFileCalls.Directory | HostFileCalls.NoFollow | HostFileCalls.CloseOnExec;
            fixed (byte* text = CString(name))
                descriptor = HostFileCalls.OpenAt(directory, text, wanted, 0);
            int error = descriptor < 0 ? Marshal.GetLastPInvokeError() : 0;
            Leave(directory);
            if (error != 0 || slash < 0)
                return error;
            directory = descriptor;
            path = path[(slash + 1)..];
        }

        void Leave(int passed)
        {
            if (passed != _root)
                HostFileCalls.Close(passed);
        }
    }

    internal static int Status(int descriptor, out HostStatus status)
    {
        byte empty = 0;
        return Status(descriptor, &empty, out status);
    }

    private static int Status(int directory, byte* name, out HostStatus status)
    {
        const uint BasicAndBirth = 0xFFF;
        const uint BirthMask = 0x800;
        HostFileCalls.Statx raw;
        int error = Check(HostFileCalls.GetStatx(directory, name, HostFileCalls.EmptyPath | HostFileCalls.SymlinkNoFollow, BasicAndBirth, &raw));
        status = error != 0 ? default : new HostStatus(
            raw.Major, raw.Minor, raw.Inode, raw.Mode, raw.Links, raw.User, raw.Group, raw.RawMajor, raw.RawMinor, (long)raw.Size,
            raw.BlockSize, (long)raw.Blocks, raw.AccessTime.TotalNanoseconds, raw.ModifyTime.TotalNanoseconds,
            raw.ChangeTime.TotalNanoseconds, (raw.Mask & BirthMask) != 0 ? raw.BirthTime.TotalNanoseconds : null);
        return error;
    }

    internal static int Check(int result) => result < 0 ? Marshal.GetLastPInvokeError() : 0;

    internal static byte[] CString(ReadOnlySpan<byte> text) => [.. text, 0];
}
