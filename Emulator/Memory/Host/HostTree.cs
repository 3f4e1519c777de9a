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

    private const int MostShared = 8;

    private static readonly Lock SharedGate = new();

    /// <summary>Trees that nobody changes through them, by path, those opened last at the end: the next world looks into the same directories.</summary>
    private static readonly List<(string Path, HostStatus Status, HostTree Tree)> Shared = [];

    private readonly HostDirectories? _directories;
    private int _root;
    private int _holders = 1;
    private bool _walkByHand;

    private HostTree(int root, bool isShared)
    {
        _root = root;
        _directories = isShared ? new HostDirectories(root) : null;
    }

    /// <summary>Opens a root; it may itself be reached over links. Null with the host's errno when that fails.</summary>
    public static HostTree? Open(string path, out int error)
    {
        fixed (byte* name = CString(Encoding.UTF8.GetBytes(path)))
        {
            int root = HostFileCalls.OpenAt(
                HostFileCalls.CurrentDirectory, name, HostFileCalls.PathOnly | HostFileCalls.CloseOnExec, 0);
            error = root < 0 ? Marshal.GetLastPInvokeError() : 0;
            return root < 0 ? null : new HostTree(root, isShared: false);
        }
    }

    /// <summary>
    /// Opens a root for looking and reading only, together with others who do: directories of it are held open. What was looked up is
    /// asked of the host again by each who looks it up, yet a directory on the way there may be one that was moved meanwhile.
    /// </summary>
    /// <param name="status">The root's.</param>
    public static HostTree? OpenShared(string path, out HostStatus status, out int error)
    {
        fixed (byte* name = CString(Encoding.UTF8.GetBytes(path)))
            error = Status(HostFileCalls.CurrentDirectory, name, 0, out status);
        if (error != 0)
            return null;
        lock (SharedGate)
        {
            int index = Shared.FindIndex(entry => entry.Path == path);
            if (index >= 0 && IsSame(Shared[index].Status, status))
                return Shared[index].Tree.Share();
            if (index >= 0 || Shared.Count == MostShared)
            {
                Shared[Math.Max(index, 0)].Tree.Dispose();
                Shared.RemoveAt(Math.Max(index, 0));
            }
            HostTree? tree = OpenToShare(path, out error);
            // What was heard before may be another's by now.
            if (tree is not null && (error = Status(tree._root, out status)) == 0)
                Shared.Add((path, status, tree.Share()));
            return tree;
        }
    }

    private static HostTree? OpenToShare(string path, out int error)
    {
        if (Open(path, out error) is not { } tree)
            return null;
        var shared = new HostTree(tree._root, isShared: true);
        GC.SuppressFinalize(tree);
        return shared;
    }

    private static bool IsSame(in HostStatus one, in HostStatus other) => one.Major == other.Major && one.Minor == other.Minor && one.Inode == other.Inode;

    private HostTree Share()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    ~HostTree() => HostFileCalls.Close(_root);

    public void Dispose()
    {
        if (Interlocked.Decrement(ref _holders) != 0)
            return;
        _directories?.Clear();
        HostFileCalls.Close(_root);
        _root = -1;
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// True when a name in the root is a directory's. The host is asked once as long as the root has the times it is seen with: no name in it has come
    /// or gone since. What the directory looks like may have changed.
    /// </summary>
    public bool HasDirectory(ReadOnlySpan<byte> name, long modified, long changed)
    {
        const uint type = 0xF000, directory = 0x4000;
        if (_directories?.IsKnown(name, (modified, changed)) == true)
            return true;
        if (Status(name, out HostStatus status) != 0 || (status.Mode & type) != directory)
            return false;
        _directories?.Know(name, (modified, changed));
        return true;
    }

    public int Status(ReadOnlySpan<byte> path, out HostStatus status)
    {
        // The root and names in it take one call; a longer path could lead over a link.
        if (!path.Contains((byte)'/') && !path.SequenceEqual(".."u8))
        {
            fixed (byte* name = CString(path))
                return Checked(path, Status(_root, name, HostFileCalls.SymlinkNoFollow, out status), status);
        }
        status = default;
        int error;
        if (Parent(path, out ReadOnlySpan<byte> last, out error) is { } parent)
        {
            fixed (byte* name = CString(last))
                error = Status(parent.Descriptor, name, HostFileCalls.SymlinkNoFollow, out status);
            parent.Release();
            return Checked(path, error, status);
        }
        if (error != 0)
            return error;
        error = Locate(path, out int descriptor);
        if (error != 0)
            return error;
        error = Status(descriptor, out status);
        HostFileCalls.Close(descriptor);
        return error;
    }

    /// <summary>What was just heard of a path.</summary>
    private int Checked(ReadOnlySpan<byte> path, int error, in HostStatus status)
    {
        _directories?.Check(path, error, status);
        return error;
    }

    /// <summary>
    /// The directory that a path's last name is in, to be released, when this tree holds directories open; null without an error when the path
    /// has to be walked by the host.
    /// </summary>
    private DirectoryHandle? Parent(ReadOnlySpan<byte> path, out ReadOnlySpan<byte> last, out int error)
    {
        error = 0;
        int slash = path.LastIndexOf((byte)'/');
        last = path[(slash + 1)..];
        return _directories is null || slash < 0 || HasOddName(path) ? null : _directories.Open(path[..slash], out error);
    }

    /// <summary>True when "." or ".." or an empty name is part of a path.</summary>
    private static bool HasOddName(ReadOnlySpan<byte> path)
    {
        foreach (Range range in path.Split((byte)'/'))
        {
            ReadOnlySpan<byte> name = path[range];
            if (name.IsEmpty || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
                return true;
        }
        return false;
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
            file = new HostFile(descriptor, HostFileIdentity.Of(status));
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
        descriptor = -1;
        if (Parent(path, out ReadOnlySpan<byte> last, out int failure) is { } parent)
        {
            fixed (byte* name = CString(last))
                descriptor = HostFileCalls.OpenAt(parent.Descriptor, name, flags, 0);
            failure = Check(descriptor);
            parent.Release();
            return failure;
        }
        if (failure != 0)
            return failure;
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
        return Status(descriptor, &empty, HostFileCalls.SymlinkNoFollow, out status);
    }

    private static int Status(int directory, byte* name, int flags, out HostStatus status)
    {
        const uint BasicAndBirth = 0xFFF;
        const uint BirthMask = 0x800;
        HostFileCalls.Statx raw;
        int error = Check(HostFileCalls.GetStatx(directory, name, HostFileCalls.EmptyPath | flags, BasicAndBirth, &raw));
        status = error != 0 ? default : new HostStatus(
            raw.Major, raw.Minor, raw.Inode, raw.Mode, raw.Links, raw.User, raw.Group, raw.RawMajor, raw.RawMinor, (long)raw.Size,
            raw.BlockSize, (long)raw.Blocks, raw.AccessTime.TotalNanoseconds, raw.ModifyTime.TotalNanoseconds,
            raw.ChangeTime.TotalNanoseconds, (raw.Mask & BirthMask) != 0 ? raw.BirthTime.TotalNanoseconds : null);
        return error;
    }

    internal static int Check(int result) => result < 0 ? Marshal.GetLastPInvokeError() : 0;

    internal static byte[] CString(ReadOnlySpan<byte> text) => [.. text, 0];
}
