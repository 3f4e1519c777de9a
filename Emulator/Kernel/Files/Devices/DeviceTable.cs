namespace Vivarium.Emulator.Kernel.Files;

/// <summary>The drivers of a world: who opens the node of a device number.</summary>
public sealed class DeviceTable
{
    private readonly Dictionary<(FileKind Kind, uint Major, uint? Minor), NodeOpener> _openers = [];

    /// <summary>Registers a driver for one minor number, or with null for a whole major number.</summary>
    public void Register(FileKind kind, uint major, uint? minor, NodeOpener opener) => _openers[(kind, major, minor)] = opener;

    /// <summary>ENXIO when nothing drives the device.</summary>
    public Errno Open(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        ulong device = inode.Status.RawDevice;
        uint major = DeviceNumber.Major(device);
        if (_openers.TryGetValue((inode.Kind, major, DeviceNumber.Minor(device)), out NodeOpener? opener)
            || _openers.TryGetValue((inode.Kind, major, null), out opener))
        {
            return opener(inode, path, flags, call, out file);
        }
        file = null;
        return Errno.ENXIO;
    }
}
