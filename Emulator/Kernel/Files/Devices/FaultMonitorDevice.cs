namespace Vivarium.Emulator.Kernel.Files.Devices;

/// <summary>Whoever may open it may make monitors of page faults (/dev/userfaultfd).</summary>
public static class FaultMonitorDevice
{
    private const uint Major = 10, Minor = 257, OwnerOnly = 0x180;

    internal static void AddNode(FileSystem nodes) =>
        nodes.Root.Make("userfaultfd"u8, new NodeSpec(FileKind.CharacterDevice, OwnerOnly, 0, 0, DeviceNumber.Make(Major, Minor)), out _);

    internal static void Register(DeviceTable table) =>
        table.Register(FileKind.CharacterDevice, Major, Minor, static (Inode inode, PathEntry path, OpenFlags flags, CallContext _, out OpenFile? file) =>
        {
            file = new FaultMonitorDeviceFile(inode, path, flags);
            return Errno.None;
        });
}

/// <summary>An open /dev/userfaultfd.</summary>
public sealed class FaultMonitorDeviceFile(Inode inode, PathEntry path, OpenFlags flags) : OpenFile(flags)
{
    public override Inode Inode => inode;

    public override PathEntry? Path => path;

    public override bool IgnoresSeek => true;
}
