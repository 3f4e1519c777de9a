using System.Text;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>A file system being set up, or set up anew, step by step (fsopen(2), fspick(2)). Reading it tells why the last step failed.</summary>
public sealed class MountContext(World world, FileSystemType type, Mount? picked, OpenFlags flags) : OpenFile(flags | OpenFlags.ReadWrite)
{
    private const int MostMessages = 8;

    private readonly Inode _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
    private readonly List<(string Key, string? Value)> _options = [];
    private readonly Queue<string> _messages = new();
    private string? _source;
    private bool _forbidsChanges;
    private bool _failed;

    /// <summary>What was made, until it is mounted.</summary>
    public FileSystem? Made { get; private set; }

    /// <summary>It was made and mounted: nothing more can be done with it.</summary>
    public bool IsMounted { get; set; }

    public string SourceName => _source ?? "none";

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:[fscontext]";

    public override bool IsPollable => false;

    /// <summary>Takes an option. EBUSY once the file system is made, EINVAL for what the type does not know.</summary>
    public Errno Set(string key, string? value)
    {
        if (Made is not null || _failed || IsMounted)
            return Errno.EBUSY;
        // The kernel's own words count whatever value comes with them (fs/fs_context.c, vfs_parse_sb_flag).
        switch (key, value)
        {
            case ("ro" or "rw", _):
                _forbidsChanges = key == "ro";
                return Errno.None;
            case ("sync" or "async" or "dirsync" or "lazytime" or "nolazytime" or "mand" or "nomand", _):
                return Errno.None;
            case ("source", not null) when picked is null && !type.Accepts(key, null):
                if (_source is not null)
                    return Fail("Multiple sources");
                _source = value;
                return Errno.None;
            case ("source", not null) when _source is null:
                _source = value;
                return Errno.None;
        }
        if (!type.Accepts(key, value))
            return Fail($"{type.Name}: Unknown parameter '{key}'");
        _options.Add((key, value));
        return Errno.None;
    }

    /// <summary>Makes the file system. EBUSY when it was made, or cannot be any more.</summary>
    public Errno Make(CallContext call)
    {
        if (Made is not null || _failed || IsMounted || picked is not null)
            return Errno.EBUSY;
        Errno error = type.Make(new FileSystemRequest(call, SourceName, _options) { IsReadOnly = _forbidsChanges }, out FileSystem? made);
        _failed = error != Errno.None;
        if (error != Errno.None)
            return error;
        made!.ForbidsChanges = _forbidsChanges;
        Made = made;
        return Errno.None;
    }

    /// <summary>Changes the file system that was picked.</summary>
    public Errno Reconfigure(CallContext call)
    {
        if (picked is null)
            return Errno.EBUSY;
        Errno error = type.Change?.Invoke(picked.FileSystem, new FileSystemChange(call, _options, _forbidsChanges)) ?? Errno.None;
        if (error != Errno.None)
            return error;
        picked.FileSystem.ForbidsChanges = _forbidsChanges;
        return Errno.None;
    }

    protected override void OnLastClose()
    {
        if (!IsMounted)
            Made?.EndIfUnused();
    }

    private Errno Fail(string message)
    {
        if (_messages.Count == MostMessages)
            _messages.Dequeue();
        _messages.Enqueue("e " + message + "\n");
        return Errno.EINVAL;
    }

    /// <summary>One message; ENODATA when there is none, EMSGSIZE when it does not fit.</summary>
    public override IoResult Read(Span<byte> destination)
    {
        if (!_messages.TryPeek(out string? message))
            return Errno.ENODATA;
        byte[] text = Encoding.Latin1.GetBytes(message);
        if (text.Length > destination.Length)
            return Errno.EMSGSIZE;
        _messages.Dequeue();
        text.CopyTo(destination);
        return text.Length;
    }
}
