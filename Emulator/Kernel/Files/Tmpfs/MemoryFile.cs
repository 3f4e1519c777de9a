using System.Buffers;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>
/// A regular file: bytes in a mappable object of its own, or the lower file's until the first write (copy-up). Readers that
/// were open before see the new content, too; mappings made before keep the lower one, as overlayfs documents.
/// </summary>
public sealed partial class MemoryFile : MemoryNode
{
    private const int CopyChunk = 1 << 18;

    private MemoryObject? _content;
    private int _opens;
    private bool _lowerAcquired;

    internal MemoryFile(MemoryFileSystem fileSystem, in FileStatus status, Inode? lower)
        : base(fileSystem, status, lower)
    {
    }

    public override FileStatus Status
    {
        get
        {
            if (_content is not null)
            {
                // A mapping may have grown nothing, but a write through the object's other owners may have.
                State.Size = _content.Length;
                State.Blocks = (long)Math.Max((ulong)(_content.Kept + 4095) / 4096, Pages) * 8;
            }
            return State;
        }
    }

    private bool IsLower => _content is null && Lower is not null;

    public override IoResult ReadAt(long offset, Span<byte> destination)
    {
        if (_content is not null)
            return _content.Read(offset, destination);
        return Lower is null ? 0 : Lower.ReadAt(offset, destination);
    }

    public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source)
    {
        Errno error = MayWrite(offset, ref source);
        if (error == Errno.None)
            error = MakeRoom(offset, ref source);
        if (error == Errno.None)
            error = TakeOver(keep: long.MaxValue);
        if (error != Errno.None)
            return error;
        if (!_content!.Write(offset, source))
            return Errno.ENOSPC;
        Modified();
        return source.Length;
    }

    private protected override Errno Resize(long size)
    {
        Errno error = MayResize(size);
        if (error == Errno.None)
            error = TakeOver(keep: size);
        if (error != Errno.None)
            return error;
        if (!_content!.SetLength(size))
            return Errno.ENOSPC;
        DropPages(size, long.MaxValue);
        Modified();
        return Errno.None;
    }

    public override Errno AcquireContent(bool forWriting)
    {
        Errno error = IsLower && !_lowerAcquired ? AcquireLower() : Errno.None;
        if (error == Errno.None)
            _opens++;
        return error;
    }

    public override Inode Pin()
    {
        _opens++;
        return this;
    }

    public override void Unpin() => ReleaseContent();

    public override void ReleaseContent()
    {
        if (--_opens > 0)
            return;
        if (_lowerAcquired)
        {
            Lower!.ReleaseContent();
            _lowerAcquired = false;
        }
        if (Links == 0)
            OnUnlinked();
    }

    public override Errno MapContent(bool forWriting, out MemoryObject? content)
    {
        if (IsLower && !forWriting)
            return Lower!.MapContent(false, out content);
        Errno error = TakeOver(keep: long.MaxValue);
        content = _content;
        if (forWriting)
            Owner.Space?.Watch(this);
        return error;
    }

    private Errno AcquireLower()
    {
        Errno error = Lower!.AcquireContent(false);
        _lowerAcquired = error == Errno.None;
        return error;
    }

    /// <summary>Gives the file its own content, with the lower file's first <paramref name="keep"/> bytes.</summary>
    private Errno TakeOver(long keep)
    {
        if (_content is not null)
            return Errno.None;
        MemoryObject content = Owner.NewContent();
        Errno error = Lower is null || keep == 0 ? Errno.None : CopyLower(content, keep);
        if (error != Errno.None)
        {
            content.Release();
            return error;
        }
        _content = content;
        return Errno.None;
    }

    private Errno CopyLower(MemoryObject content, long keep)
    {
        bool acquired = _lowerAcquired;
        Errno error = acquired ? Errno.None : AcquireLower();
        if (error != Errno.None)
            return error;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyChunk);
        for (long offset = 0; offset < keep && error == Errno.None;)
        {
            IoResult read = Lower!.ReadAt(offset, buffer.AsSpan(0, (int)Math.Min(CopyChunk, keep - offset)));
            error = read.Error;
            if (error == Errno.None && read.Count == 0)
                break;
            if (error == Errno.None && !content.Write(offset, buffer.AsSpan(0, (int)read.Count)))
                error = Errno.ENOSPC;
            offset += read.Count;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        if (!acquired && _opens == 0)
        {
            Lower!.ReleaseContent();
            _lowerAcquired = false;
        }
        return error;
    }

    /// <summary>Frees the bytes of a file that has no name and no opener left; mappings hold the object themselves.</summary>
    private protected override void OnUnlinked()
    {
        if (_opens != 0)
            return;
        base.OnUnlinked();
        _content?.Release();
        _content = null;
    }
}
