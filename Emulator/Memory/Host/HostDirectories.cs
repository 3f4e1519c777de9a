using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>A directory of the host, held open without I/O by the cache and by those who look something up in it.</summary>
internal sealed class DirectoryHandle(int descriptor, uint major, uint minor, ulong inode)
{
    private int _holders = 1;

    public int Descriptor => descriptor;

    public void Share() => Interlocked.Increment(ref _holders);

    public void Release()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
            HostFileCalls.Close(descriptor);
    }

    public bool Is(in HostStatus status) => major == status.Major && minor == status.Minor && inode == status.Inode;
}

/// <summary>
/// The directories of a tree that were looked into lately, by path, so that a name in one takes a single call. Each is checked against what the
/// host says whenever it is itself looked up. Thread-safe.
/// </summary>
internal sealed unsafe class HostDirectories(int root)
{
    private const int Most = 128;

    private readonly Lock _gate = new();
    private readonly Dictionary<byte[], DirectoryHandle> _handles = new(PathComparer.Instance);

    // Names in the root, and the root's times.
    private readonly HashSet<byte[]> _names = new(PathComparer.Instance);
    private (long Modified, long Changed) _times;

    /// <summary>The directory of a path below the root, to be released; null with the host's errno. Links are not followed.</summary>
    public DirectoryHandle? Open(ReadOnlySpan<byte> path, out int error)
    {
        lock (_gate)
        {
            error = 0;
            if (_handles.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(path, out DirectoryHandle? known))
            {
                known.Share();
                return known;
            }
        }
        int slash = path.LastIndexOf((byte)'/');
        DirectoryHandle? parent = slash < 0 ? null : Open(path[..slash], out error);
        if (error != 0)
            return null;
        DirectoryHandle? opened = Open(parent?.Descriptor ?? root, path[(slash + 1)..], out error);
        parent?.Release();
        if (opened is not null)
            Keep(path, opened);
        return opened;
    }

    /// <summary>The host was asked what lies at a path: another directory than before, or none, is not what is held.</summary>
    public void Check(ReadOnlySpan<byte> path, int error, in HostStatus status)
    {
        lock (_gate)
        {
            Dictionary<byte[], DirectoryHandle>.AlternateLookup<ReadOnlySpan<byte>> handles = _handles.GetAlternateLookup<ReadOnlySpan<byte>>();
            if (!handles.TryGetValue(path, out DirectoryHandle? known) || (error == 0 && known.Is(status)))
                return;
            // What lies below is reached through it.
            foreach (byte[] other in _handles.Keys)
            {
                if (other.AsSpan().StartsWith(path) && (other.Length == path.Length || other[path.Length] == (byte)'/') && _handles.Remove(other, out DirectoryHandle? handle))
                    handle.Release();
            }
        }
    }

    /// <summary>True for a name in the root that was a directory's when the root had these times. Changes within one tick of the host's clock may look like one.</summary>
    public bool IsKnown(ReadOnlySpan<byte> name, (long Modified, long Changed) times)
    {
        lock (_gate)
            return times == _times && _names.GetAlternateLookup<ReadOnlySpan<byte>>().Contains(name);
    }

    /// <summary>Takes note of such a name, whose times were heard before it was looked up.</summary>
    public void Know(ReadOnlySpan<byte> name, (long Modified, long Changed) times)
    {
        lock (_gate)
        {
            if (times != _times || _names.Count == Most)
                _names.Clear();
            _times = times;
            _names.Add(name.ToArray());
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            foreach (DirectoryHandle handle in _handles.Values)
                handle.Release();
            _handles.Clear();
        }
    }

    private void Keep(ReadOnlySpan<byte> path, DirectoryHandle opened)
    {
        lock (_gate)
        {
            if (_handles.Count == Most)
            {
                foreach (DirectoryHandle handle in _handles.Values)
                    handle.Release();
                _handles.Clear();
            }
            if (!_handles.TryAdd(path.ToArray(), opened))
                return;
            opened.Share();
        }
    }

    private static DirectoryHandle? Open(int directory, ReadOnlySpan<byte> name, out int error)
    {
        int descriptor;
        fixed (byte* text = HostTree.CString(name))
            descriptor = HostFileCalls.OpenAt(
                directory, text, HostFileCalls.PathOnly | HostFileCalls.Directory | HostFileCalls.NoFollow | HostFileCalls.CloseOnExec, 0);
        HostStatus status = default;
        error = descriptor < 0 ? Marshal.GetLastPInvokeError() : HostTree.Status(descriptor, out status);
        if (error == 0)
            return new DirectoryHandle(descriptor, status.Major, status.Minor, status.Inode);
        if (descriptor >= 0)
            HostFileCalls.Close(descriptor);
        return null;
    }

    /// <summary>Paths by their bytes.</summary>
    private sealed class PathComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static readonly PathComparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] path) => GetHashCode(path.AsSpan());

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            HashCode hash = default;
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
