using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>A file that can only be mapped, whose pages no other process and no tracer reads (memfd_secret(2)).</summary>
public sealed class SecretFile(World world) : OpenFile(OpenFlags.ReadWrite)
{
    private readonly SecretInode _inode = new(world);

    public override Inode Inode => _inode;

    public override string Description => "/secretmem (deleted)";

    public override MemoryObject? MapObject() => _inode.Content;

    protected override void OnLastClose() => _inode.Content.Release();

    private sealed class SecretInode(World world) : Inode
    {
        private FileStatus _status = new AnonymousInode(world, FileKind.Regular, 0x180).Status;

        public AnonymousObject Content { get; } = new(world.Accountant) { IsSecret = true };

        public override FileKind Kind => FileKind.Regular;

        public override FileStatus Status => _status with { Size = Content.Length };

        /// <summary>Its size is set once.</summary>
        public override Errno SetAttributes(in AttributeChange change)
        {
            if (change.Size is { } size)
            {
                if (Content.Length != 0)
                    return Errno.EINVAL;
                // No file is longer than its world's memory.
                if (!Content.SetLength(size))
                    return Errno.EFBIG;
            }
            _status.Mode = change.Mode ?? _status.Mode;
            return Errno.None;
        }
    }
}
