using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>Signals to who watches a directory by an open description of it (fcntl(2), F_NOTIFY).</summary>
public sealed class DirectoryNotice : FileWatch
{
    private readonly World _world;
    private readonly OpenFile _file;
    private readonly int _descriptor;
    private readonly bool _isRepeated;

    private DirectoryNotice(World world, OpenFile file, int descriptor, bool isRepeated)
        : base(file.Inode)
    {
        (_world, _file, _descriptor, _isRepeated) = (world, file, descriptor, isRepeated);
        file.Closed += Drop;
    }

    public override object Owner => _file;

    /// <summary>Watches for changes, in place of what the description watched for before when that was for one signal only; none ends it.</summary>
    public static void Set(World world, OpenFile file, int descriptor, FileChange mask, bool isRepeated)
    {
        DirectoryNotice? old = Array.Find(file.Inode.Watches, watch => watch.Owner == file) as DirectoryNotice;
        old?.Drop();
        if (mask == FileChange.None)
            return;
        // What was asked for before is still to be told.
        new DirectoryNotice(world, file, descriptor, isRepeated || old?._isRepeated == true) { Mask = mask | (old?.Mask ?? FileChange.None) }.Attach();
    }

    public override void Tell(in FileNote note)
    {
        if (!_isRepeated)
        {
            Mask &= ~note.Change;
            if (Mask == FileChange.None)
                Drop();
        }
        _file.SignalOwner?.Raise(_world, _descriptor);
    }

    public override void OnInodeGone() => _file.Closed -= Drop;

    private void Drop()
    {
        _file.Closed -= Drop;
        Detach();
    }
}
