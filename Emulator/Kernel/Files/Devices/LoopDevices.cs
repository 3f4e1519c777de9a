using System.Globalization;
using System.Text;

namespace Vivarium.Emulator.Kernel.Files.Devices;

/// <summary>The loop devices of a world, and the device that gives them out (loop(4), "/dev/loop-control").</summary>
public sealed class LoopDevices
{
    public const uint Major = 7;
    public const uint ControlMajor = 10, ControlMinor = 237;

    /// <summary>As many are there from the start, and as many there may be.</summary>
    private const int First = 8, Most = 1 << 12;

    private const uint NodeMode = 0x1B0; // 0660
    private const uint DiskGroup = 6;

    /// <summary>By number.</summary>
    private readonly List<LoopDevice?> _devices = [];
    private FileSystem? _nodes;

    public LoopDevices()
    {
        for (int i = 0; i < First; i++)
            _devices.Add(new LoopDevice(i));
    }

    public IEnumerable<LoopDevice> All
    {
        get
        {
            foreach (LoopDevice? device in _devices)
            {
                if (device is not null)
                    yield return device;
            }
        }
    }

    public LoopDevice? Find(int number) => (uint)number < (uint)_devices.Count ? _devices[number] : null;

    /// <summary>The device that a number stands for; null when there is none.</summary>
    public LoopDevice? FindBlock(ulong number) => DeviceNumber.Major(number) == Major ? Find((int)DeviceNumber.Minor(number)) : null;

    /// <summary>Makes the device nodes, and later those of devices that are added.</summary>
    internal void AddNodes(FileSystem nodes)
    {
        _nodes = nodes;
        nodes.Root.Make("loop-control"u8, new NodeSpec(FileKind.CharacterDevice, NodeMode, 0, DiskGroup, DeviceNumber.Make(ControlMajor, ControlMinor)), out _);
        foreach (LoopDevice device in All)
            AddNode(device);
    }

    internal void Register(DeviceTable table)
    {
        table.Register(FileKind.BlockDevice, Major, null, Open);
        table.Register(FileKind.CharacterDevice, ControlMajor, ControlMinor, OpenControl);
    }

    private Errno Open(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        if (Find((int)DeviceNumber.Minor(inode.Status.RawDevice)) is not { } device)
            return Errno.ENXIO;
        if (device.IsReadOnly && (flags & OpenFlags.Write) != 0)
            return Errno.EACCES;
        if ((flags & OpenFlags.Exclusive) != 0 && device.IsClaimed)
            return Errno.EBUSY;
        file = new BlockFile(device, inode, path, flags);
        return Errno.None;
    }

    private Errno OpenControl(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = new LoopControlFile(this, inode, path, flags);
        return Errno.None;
    }

    /// <summary>A device of this number, or with -1 of the next: EEXIST, ENOSPC.</summary>
    public Errno Add(int number, out LoopDevice? device)
    {
        device = null;
        if (number < 0)
            number = _devices.FindLastIndex(static there => there is not null) + 1;
        if (Find(number) is not null)
            return Errno.EEXIST;
        if (number >= Most)
            return Errno.ENOSPC;
        device = new LoopDevice(number);
        while (_devices.Count <= number)
            _devices.Add(null);
        _devices[number] = device;
        AddNode(device);
        return Errno.None;
    }

    /// <summary>EBUSY while it is open or has a file.</summary>
    public Errno Remove(int number)
    {
        if (number < 0)
            return Errno.EINVAL;
        if (Find(number) is not { } device)
            return Errno.ENODEV;
        if (device.Openers > 0 || !device.IsFree)
            return Errno.EBUSY;
        _devices[number] = null;
        if (_nodes is not null && _nodes.RootName.Find(NameOf(device), out Dentry name) == Errno.None && _nodes.Root.Unlink(NameOf(device), name.Inode!) == Errno.None)
            name.Remove();
        return Errno.None;
    }

    /// <summary>The first that has no file, or a new one.</summary>
    public Errno FindFree(out LoopDevice? free)
    {
        foreach (LoopDevice device in All)
        {
            free = device;
            if (device.IsFree)
                return Errno.None;
        }
        return Add(-1, out free);
    }

    private void AddNode(LoopDevice device) => _nodes?.Root.Make(NameOf(device), new NodeSpec(FileKind.BlockDevice, NodeMode, 0, DiskGroup, device.Device), out _);

    internal static byte[] NameOf(LoopDevice device) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"loop{device.Number}"));
}

/// <summary>An open /dev/loop-control.</summary>
public sealed class LoopControlFile(LoopDevices devices, Inode inode, PathEntry path, OpenFlags flags) : OpenFile(flags)
{
    public LoopDevices Devices => devices;

    public override Inode Inode => inode;

    public override PathEntry? Path => path;
}
