namespace Vivarium.Emulator.Kernel.Files;

/// <summary>The inode of an object that no directory names: a pipe, a socket, an event descriptor.</summary>
public sealed class AnonymousInode : Inode
{
    private FileStatus _status;

    public AnonymousInode(World world, FileKind kind, uint mode, uint user = 0, uint group = 0)
    {
        long now = world.Clock.Realtime;
        Number = world.NewObjectNumber();
        Kind = kind;
        _status = new FileStatus
        {
            Device = DeviceNumber.Make(0, (uint)kind + 8), Inode = Number, Kind = kind, Mode = mode, Links = 1, User = user, Group = group, BlockSize = 4096,
            AccessTime = now, ModifyTime = now, ChangeTime = now,
        };
    }

    /// <summary>Unique among the world's objects without a name; shown as in "pipe:[12]".</summary>
    public ulong Number { get; }

    public override FileKind Kind { get; }

    public override FileStatus Status => _status;

    public override Errno SetAttributes(in AttributeChange change)
    {
        // Event descriptors and their like have attributes for show only (fs/anon_inodes.c).
        if (Kind == FileKind.Unknown)
            return Errno.EOPNOTSUPP;
        _status.Mode = change.Mode ?? _status.Mode;
        return Errno.None;
    }
}
