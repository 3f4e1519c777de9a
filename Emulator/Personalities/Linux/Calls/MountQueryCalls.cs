using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Mounts by their unique ids: statmount(2), listmount(2).</summary>
public static class MountQueryCalls
{
    /// <summary>LSMT_ROOT: the root of the caller.</summary>
    private const ulong OwnRoot = ulong.MaxValue;

    private const int RequestSize = 24, RequestSizeWithSpace = 32;

    /// <summary>Unique ids are larger (MNT_UNIQUE_ID_OFFSET), so that no old id is taken for one.</summary>
    private const ulong LastOldId = 1UL << 31;

    /// <summary>struct mnt_id_req: a mount, what is wanted of it or the mount after which a list goes on, and a name space of mounts.</summary>
    private readonly record struct Request(ulong Mount, ulong Parameter, ulong Space);

    public static CallResult Statmount(CallContext call, GuestAddress request, GuestAddress buffer, ulong size, uint flags)
    {
        if (flags != 0)
            return Errno.EINVAL;
        Errno error = ReadRequest(call, request, out Request wanted);
        if (error != Errno.None)
            return error;
        if (wanted.Mount <= LastOldId)
            return Errno.EINVAL;
        error = FindSpace(call, wanted.Space, out PathEntry? root);
        if (error != Errno.None)
            return error;
        if (Find(root!, wanted.Mount) is not { } mount)
            return Errno.ENOENT;
        if (!IsReachable(mount, mount.Root, root!) && !Administers(call))
            return Errno.EPERM;
        MountRecord record = new(mount, root!, call.Process.FileContext.Root, SpaceId(call.Thread.Namespaces.Mounts));
        error = record.Fill(wanted.Parameter, size);
        if (error != Errno.None)
            return error;
        return call.Memory.TryWrite(buffer, record.Bytes(size)) ? 0 : Errno.EFAULT;
    }

    public static CallResult Listmount(CallContext call, GuestAddress request, GuestAddress ids, ulong count, uint flags)
    {
        const uint reverse = 1;
        const ulong most = 1_000_000;
        if ((flags & ~reverse) != 0)
            return Errno.EINVAL;
        if (count > most)
            return Errno.EOVERFLOW;
        Errno error = ReadRequest(call, request, out Request wanted);
        if (error != Errno.None)
            return error;
        if (wanted.Mount <= LastOldId || wanted.Parameter is > 0 and <= LastOldId)
            return Errno.EINVAL;
        error = FindSpace(call, wanted.Space, out PathEntry? root);
        if (error != Errno.None)
            return error;
        PathEntry top = root!;
        if (wanted.Mount != OwnRoot)
        {
            if (Find(root!, wanted.Mount) is not { } mount)
                return Errno.ENOENT;
            top = new PathEntry(mount, mount.Root);
        }
        if (!IsReachable(top.Mount, top.Dentry, root!) && !Administers(call))
            return Errno.EPERM;
        ulong written = 0;
        foreach (Mount mount in Below(top, wanted, (flags & reverse) != 0))
        {
            if (written == count)
                break;
            if (!call.Memory.TryWrite(ids + (written++ * sizeof(ulong)), mount.UniqueId))
                return Errno.EFAULT;
        }
        return (long)written;
    }

    /// <summary>All that is mounted at or below a place but the mount asked for, in the order of ids.</summary>
    private static IEnumerable<Mount> Below(PathEntry top, Request wanted, bool isReversed)
    {
        List<Mount> found = [];
        foreach (Mount mount in Vfs.Mounts(top.Mount))
        {
            bool isAfter = wanted.Parameter == 0 || (isReversed ? mount.UniqueId < wanted.Parameter : mount.UniqueId > wanted.Parameter);
            if (isAfter && mount.UniqueId != wanted.Mount && IsReachable(mount, mount.Root, top))
                found.Add(mount);
        }
        found.Sort((one, other) => isReversed ? other.Id.CompareTo(one.Id) : one.Id.CompareTo(other.Id));
        return found;
    }

    private static Errno ReadRequest(CallContext call, GuestAddress address, out Request request)
    {
        request = default;
        if (!call.Memory.TryRead(address, out uint size))
            return Errno.EFAULT;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        if (size < RequestSize)
            return Errno.EINVAL;
        byte[] bytes = new byte[Math.Max(size, RequestSizeWithSpace)];
        if (!call.Memory.TryRead(address, bytes.AsSpan(0, (int)size)))
            return Errno.EFAULT;
        if (bytes.AsSpan(RequestSizeWithSpace).IndexOfAnyExcept((byte)0) >= 0)
            return Errno.E2BIG;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4)) != 0)
            return Errno.EINVAL;
        ulong Word(int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
        request = new Request(Word(8), Word(16), Word(24));
        return Errno.None;
    }

    /// <summary>The root that is looked from: the caller's, or the top of the name space that was asked for. ENOENT without a right to look there.</summary>
    private static Errno FindSpace(CallContext call, ulong id, out PathEntry? root)
    {
        root = call.Process.FileContext.Root;
        if (id == 0 || id == SpaceId(call.Thread.Namespaces.Mounts))
            return Errno.None;
        foreach (Process process in call.World.Processes())
        {
            if (process.IsZombie || SpaceId(process.MainThread.Namespaces.Mounts) != id)
                continue;
            if (!call.Thread.Credentials.Has(Capability.Administer) || !call.Thread.Namespaces.Rules(process.MainThread.Namespaces.Mounts.Owner))
                break;
            Mount top = process.FileContext.Root.Mount;
            while (top.Parent is { } parent)
                top = parent;
            root = new PathEntry(top, top.Root);
            return Errno.None;
        }
        return Errno.ENOENT;
    }

    /// <summary>The number of a name space of mounts (NS_GET_MNTNS_ID); inodes of name spaces do not come again.</summary>
    internal static ulong SpaceId(MountSpace space) => space.Inode.Status.Inode;

    private static bool Administers(CallContext call) =>
        call.Thread.Credentials.Has(Capability.Administer) && call.Thread.Namespaces.Rules(call.Thread.Namespaces.Mounts.Owner);

    private static Mount? Find(PathEntry root, ulong id)
    {
        foreach (Mount mount in Vfs.Mounts(root.Mount))
        {
            if (mount.UniqueId == id)
                return mount;
        }
        return null;
    }

    /// <summary>A place in a mount lies at or below another (is_path_reachable in fs/namespace.c).</summary>
    private static bool IsReachable(Mount mount, Dentry name, PathEntry from)
    {
        while (mount != from.Mount && mount.Parent is { } parent)
        {
            name = mount.MountPoint!;
            mount = parent;
        }
        return mount == from.Mount && from.Dentry.IsAncestorOf(name);
    }

    /// <summary>struct statmount and the strings behind it.</summary>
    private sealed class MountRecord(Mount mount, PathEntry root, PathEntry ownRoot, ulong space)
    {
        private const int HeadSize = 512;
        private const ulong SuperBasic = 1, MountBasic = 2, PropagateFrom = 4, MountRoot = 8, MountPoint = 0x10, TypeName = 0x20, SpaceNumber = 0x40, Options = 0x80;
        private const ulong Source = 0x200, OptionArray = 0x400, SupportedMask = 0x1000;
        private const ulong Supported = 0x1FFF;

        private readonly byte[] _head = new byte[HeadSize];
        private readonly List<byte> _strings = [];
        private ulong _told;

        /// <summary>EOVERFLOW when strings are wanted that do not fit.</summary>
        public Errno Fill(ulong wanted, ulong size)
        {
            if ((wanted & SuperBasic) != 0)
                FillSuper();
            if ((wanted & MountBasic) != 0)
                FillMount();
            if ((wanted & PropagateFrom) != 0)
                FillSender();
            if ((wanted & SpaceNumber) != 0)
                Word(112, space, SpaceNumber);
            if ((wanted & SupportedMask) != 0)
                Word(144, Supported, SupportedMask);
            FillStrings(wanted);
            return _strings.Count > 0 && (ulong)(HeadSize + _strings.Count) > size ? Errno.EOVERFLOW : Errno.None;
        }

        public ReadOnlySpan<byte> Bytes(ulong size)
        {
            int head = (int)Math.Min(size, HeadSize);
            BinaryPrimitives.WriteInt32LittleEndian(_head, head + _strings.Count);
            BinaryPrimitives.WriteUInt64LittleEndian(_head.AsSpan(8), _told);
            return _strings.Count == 0 ? _head.AsSpan(0, head) : (byte[])[.. _head, .. _strings];
        }

        private void FillSuper()
        {
            FileSystem fileSystem = mount.FileSystem;
            ulong device = mount.Root.Inode!.Status.Device;
            BinaryPrimitives.WriteUInt32LittleEndian(_head.AsSpan(16), DeviceNumber.Major(device));
            BinaryPrimitives.WriteUInt32LittleEndian(_head.AsSpan(20), DeviceNumber.Minor(device));
            Word(24, fileSystem.Status.Magic, SuperBasic);
            BinaryPrimitives.WriteUInt32LittleEndian(_head.AsSpan(32), fileSystem.IsReadOnly ? 1u : 0);
        }

        private void FillMount()
        {
            const ulong unbindable = 1 << 17, isPrivate = 1 << 18, slave = 1 << 19, shared = 1 << 20;
            Mount parent = mount.Parent ?? mount;
            Word(40, mount.UniqueId, MountBasic);
            Word(48, parent.UniqueId, MountBasic);
            BinaryPrimitives.WriteInt32LittleEndian(_head.AsSpan(56), mount.Id);
            BinaryPrimitives.WriteInt32LittleEndian(_head.AsSpan(60), parent.Id);
            Word(64, MountAttributes.Encode(mount.Flags), MountBasic);
            ulong ways = (mount.Peers is not null ? shared : 0) | (mount.Master is not null ? slave : 0) | (mount.IsUnbindable ? unbindable : 0);
            Word(72, ways == 0 ? isPrivate : ways, MountBasic);
            Word(80, (ulong)(mount.Peers?.Id ?? 0), MountBasic);
            Word(88, (ulong)(mount.Master?.Id ?? 0), MountBasic);
        }

        /// <summary>The nearest of the groups above it that has a mount under the caller's root (get_dominating_id in fs/pnode.c).</summary>
        private void FillSender()
        {
            ulong sender = 0;
            for (PeerGroup? group = mount.Master; group is not null && sender == 0;)
            {
                PeerGroup? above = null;
                foreach (Mount member in group.Mounts)
                {
                    above = member.Master;
                    if (IsReachable(member, member.Root, ownRoot))
                        sender = (ulong)group.Id;
                }
                group = above;
            }
            Word(96, sender, PropagateFrom);
        }

        /// <summary>Strings that were not asked for are empty: an empty one stands first.</summary>
        private void FillStrings(ulong wanted)
        {
            if ((wanted & MountRoot) != 0)
                Text(104, MountText.PathInFileSystem(mount.Root), MountRoot);
            if ((wanted & MountPoint) != 0)
            {
                byte[] path = new PathEntry(mount, mount.Root).PathFrom(root, out bool isReachable);
                Text(108, isReachable ? path : [], MountPoint);
            }
            if ((wanted & TypeName) != 0)
                Text(36, Encoding.UTF8.GetBytes(mount.FileSystem.TypeName), TypeName);
            string options = mount.FileSystem.Options;
            if ((wanted & Options) != 0 && options.Length > 0)
                Text(4, Encoding.UTF8.GetBytes(options), Options);
            if ((wanted & Source) != 0)
                Text(124, Encoding.UTF8.GetBytes(mount.Source), Source);
            if ((wanted & OptionArray) != 0 && options.Length > 0)
            {
                string[] words = options.Split(',');
                BinaryPrimitives.WriteInt32LittleEndian(_head.AsSpan(128), words.Length);
                Text(132, Encoding.UTF8.GetBytes(string.Join('\0', words)), OptionArray);
            }
        }

        private void Word(int at, ulong value, ulong told)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_head.AsSpan(at), value);
            _told |= told;
        }

        private void Text(int at, ReadOnlySpan<byte> text, ulong told)
        {
            if (_strings.Count == 0)
                _strings.Add(0);
            BinaryPrimitives.WriteInt32LittleEndian(_head.AsSpan(at), _strings.Count);
            _strings.AddRange(text);
            _strings.Add(0);
            _told |= told;
        }
    }
}
