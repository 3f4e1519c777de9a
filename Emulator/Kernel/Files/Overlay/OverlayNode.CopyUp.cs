using System.Buffers;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Overlay;

/// <summary>Content, and how it comes to the upper layer.</summary>
internal sealed partial class OverlayNode
{
    private const int Chunk = 1 << 18;

    private int _opens;

    public override IoResult ReadAt(long offset, Span<byte> destination) => Real.ReadAt(offset, destination);

    public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source)
    {
        Errno error = CopyUp();
        return error != Errno.None ? error : Real.WriteAt(offset, source);
    }

    public override Inode? Pin() => Real.Pin();

    public override Errno AcquireContent(bool forWriting)
    {
        Errno error = forWriting ? CopyUp() : Errno.None;
        if (error == Errno.None)
            error = Real.AcquireContent(forWriting);
        if (error == Errno.None)
            _opens++;
        return error;
    }

    public override void ReleaseContent()
    {
        _opens--;
        Real.ReleaseContent();
    }

    public override Errno MapContent(bool forWriting, out MemoryObject? content)
    {
        content = null;
        Errno error = forWriting ? CopyUp() : Errno.None;
        return error != Errno.None ? error : Real.MapContent(forWriting, out content);
    }

    public override Errno Allocate(long offset, long length, RangeChange change, bool keepSize)
    {
        Errno error = CopyUp();
        return error != Errno.None ? error : Real.Allocate(offset, length, change, keepSize);
    }

    public override long NextData(long offset) => Real.NextData(offset);

    public override long NextHole(long offset) => Real.NextHole(offset);

    /// <summary>Makes the upper layer's own copy, with the first <paramref name="keep"/> bytes; the directories above come first. EROFS without an upper layer.</summary>
    internal Errno CopyUp(long keep = long.MaxValue)
    {
        if (_upper is not null)
            return Errno.None;
        if (_owner.Layers.Upper is null)
            return Errno.EROFS;
        Errno error = _parent!.CopyUp();
        if (error != Errno.None)
            return error;
        Dentry directory = _parent._upper!;
        FileStatus above = directory.Inode!.Status;
        Inode lower = Real;
        error = MakeCopy(lower, directory, out Dentry? made);
        if (error != Errno.None)
            return error;
        error = Kind == FileKind.Regular ? CopyContent(lower, made!.Inode!, keep) : Errno.None;
        if (error != Errno.None)
        {
            if (!_isGone)
                LayerNames.Remove(directory, made!);
            return error;
        }
        CopyAttributes(lower, made!.Inode!);
        // Nobody is to see that the directory changed.
        directory.Inode.SetAttributes(new AttributeChange { AccessTime = above.AccessTime, ModifyTime = above.ModifyTime });
        for (int i = 0; i < _opens; i++)
        {
            made.Inode!.AcquireContent(forWriting: true);
            lower.ReleaseContent();
        }
        _upper = made;
        if (Kind != FileKind.Directory)
            _lowers = [];
        return Errno.None;
    }

    /// <summary>A file whose last name is gone gets a copy without one.</summary>
    private Errno MakeCopy(Inode lower, Dentry directory, out Dentry? made)
    {
        FileStatus status = lower.Status;
        byte[]? target = null;
        made = null;
        if (Kind == FileKind.SymbolicLink && lower.ReadLink(null, out target) is not Errno.None and var error)
            return error;
        var spec = new NodeSpec(Kind, status.Mode, status.User, status.Group, status.RawDevice, target) { AccessList = lower.AccessList, DefaultAccessList = lower.DefaultAccessList };
        if (!_isGone)
            return LayerNames.Make(directory, _name, spec, out made);
        error = directory.Inode!.MakeUnnamed(spec with { IsNeverNamed = true }, out Inode? inode);
        if (error != Errno.None)
            return error;
        made = new Dentry(directory, _name, inode);
        return Errno.None;
    }

    private static void CopyAttributes(Inode lower, Inode upper)
    {
        if (lower.ListAttributes(out byte[] names) == Errno.None)
        {
            foreach (byte[] name in Split(names))
            {
                if (!IsPrivate(name) && lower.GetAttribute(name, out byte[]? value) == Errno.None)
                    upper.SetAttribute(name, value, create: false, replace: false);
            }
        }
        FileStatus status = lower.Status;
        if (upper.Kind != FileKind.SymbolicLink)
            upper.SetAttributes(new AttributeChange { Mode = status.Mode });
        upper.SetAttributes(new AttributeChange { AccessTime = status.AccessTime, ModifyTime = status.ModifyTime });
    }

    private static Errno CopyContent(Inode lower, Inode upper, long keep)
    {
        Errno error = lower.AcquireContent(forWriting: false);
        if (error != Errno.None)
            return error;
        long size = Math.Min(keep, lower.Status.Size);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Chunk);
        for (long at = 0; at < size && error == Errno.None;)
        {
            IoResult read = lower.ReadAt(at, buffer.AsSpan(0, (int)Math.Min(Chunk, size - at)));
            error = read.Error;
            if (error != Errno.None || read.Count == 0)
                break;
            // A write may be short; it goes on where it ended.
            IoResult written = upper.WriteAt(at, buffer.AsSpan(0, (int)read.Count));
            error = written.Error;
            at += written.Count;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        lower.ReleaseContent();
        return error;
    }
}
