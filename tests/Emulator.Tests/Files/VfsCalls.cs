using Xunit;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>The same calls on our tree, with results in the same form.</summary>
internal sealed class VfsCalls(Vfs vfs, PathEntry directory)
{
    public FileCredentials Credentials { get; set; } = FileCredentials.Root;

    public uint CreationMask { get; set; }

    private FileCaller Caller => new(new FileContext(vfs.Root, directory) { CreationMask = CreationMask }, Credentials);

    private static byte[] B(string text) => Encoding.UTF8.GetBytes(text);

    public Errno MakeDirectory(string path, uint mode) => vfs.Make(Caller, directory, B(path), FileKind.Directory, mode & 0x3FF, 0, null, out _);

    public Errno MakeNode(string path, uint mode) =>
        vfs.Make(Caller, directory, B(path), (mode & 0xF000) == 0x1000 ? FileKind.Fifo : FileKind.Regular, mode & 0xFFF, 0, null, out _);

    public Errno Symlink(string target, string path) =>
        target.Length == 0 ? Errno.ENOENT : vfs.Make(Caller, directory, B(path), FileKind.SymbolicLink, 0x1FF, 0, B(target), out _);

    public Errno Link(string from, string to, bool follow)
    {
        Errno error = Resolve(from, follow, out PathEntry? source);
        return error != Errno.None ? error : vfs.Link(Caller, source!, directory, B(to));
    }

    public Errno Unlink(string path) => vfs.Unlink(Caller, directory, B(path));

    public Errno RemoveDirectory(string path) => vfs.RemoveDirectory(Caller, directory, B(path));

    public Errno Rename(string from, string to, uint flags) => vfs.Rename(
        Caller, directory, B(from), directory, B(to), flags switch { 1 => RenameMode.NoReplace, 2 => RenameMode.Exchange, _ => RenameMode.Replace });

    public Errno ChangeMode(string path, uint mode)
    {
        Errno error = Resolve(path, true, out PathEntry? entry);
        return error != Errno.None ? error : Vfs.ChangeMode(Credentials, entry!.Inode, entry, mode);
    }

    public Errno ChangeOwner(string path, uint user, uint group)
    {
        Errno error = Resolve(path, false, out PathEntry? entry);
        return error != Errno.None ? error : Vfs.ChangeOwner(
            Credentials, entry!.Inode, entry, user == uint.MaxValue ? null : user, group == uint.MaxValue ? null : group);
    }

    public Errno Access(string path, int mode)
    {
        Errno error = Resolve(path, true, out PathEntry? entry);
        return error != Errno.None || mode == 0 ? error : Permission.Check(entry!.Inode, (FileAccessKind)mode, Credentials);
    }

    public Errno Truncate(string path, long length)
    {
        Errno error = vfs.Open(Caller, directory, B(path), OpenFlags.Write, 0, WalkFlags.None, out OpenFile? file);
        if (error != Errno.None)
            return error;
        error = file!.Inode.Kind == FileKind.Regular ? Vfs.Resize(Credentials, file.Inode, file.Path, length) : Errno.EINVAL;
        file.Release();
        return error;
    }

    public Errno ReadLink(string path, out string text)
    {
        text = "";
        Errno error = Resolve(path, false, out PathEntry? entry);
        if (error != Errno.None)
            return error;
        error = entry!.Inode.ReadLink(null, out byte[]? target);
        text = target is null ? "" : Encoding.UTF8.GetString(target);
        return error;
    }

    public Errno Open(string path, int flags, uint mode, string write, out string content)
    {
        content = "";
        OpenFlags decoded = Emulator.Personalities.Linux.Abi.Fcntl.Decode((uint)flags);
        Errno error = vfs.Open(Caller, directory, B(path), decoded, mode & 0xFFF, WalkFlags.None, out OpenFile? file);
        if (error != Errno.None)
            return error;
        if (write.Length != 0 && file!.CanWrite)
            file.Write(B(write));
        byte[] buffer = new byte[4096];
        IoResult read = file!.CanRead ? file.ReadAt(0, buffer) : 0;
        content = read.Error != Errno.None ? "" : Encoding.UTF8.GetString(buffer, 0, (int)read.Count);
        file.Release();
        return Errno.None;
    }

    public Errno Status(string path, bool follow, out string text)
    {
        text = "";
        Errno error = Resolve(path, follow, out PathEntry? entry);
        if (error != Errno.None)
            return error;
        FileStatus status = entry!.Inode.Status;
        uint mode = Emulator.Personalities.Linux.Abi.FileType.Encode(status.Kind) | status.Mode;
        text = $"{Convert.ToString(mode, 8)} {status.Links} {status.User}:{status.Group} {(status.Kind == FileKind.Directory ? 0 : status.Size)}";
        return Errno.None;
    }

    public Errno List(string path, out string names)
    {
        names = "";
        Errno error = vfs.Open(Caller, directory, B(path), OpenFlags.Read | OpenFlags.Directory, 0, WalkFlags.None, out OpenFile? file);
        if (error != Errno.None)
            return error;
        NameSink sink = new(capacity: 3);
        while (((DirectoryFile)file!).List(null, sink) == Errno.None && sink.Taken != 0)
            sink.Taken = 0;
        file.Release();
        names = string.Join(' ', sink.Names);
        return Errno.None;
    }

    private Errno Resolve(string path, bool follow, out PathEntry? entry) =>
        vfs.Resolve(Caller, directory, B(path), follow ? WalkFlags.Follow : WalkFlags.None, out entry);

    /// <summary>Takes a few entries at a time, so that listings go on at their cookies.</summary>
    private sealed class NameSink(int capacity) : IDirectorySink
    {
        public SortedSet<string> Names { get; } = new(StringComparer.Ordinal);

        public int Taken { get; set; }

        public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            if (Taken == capacity)
                return false;
            Taken++;
            Assert.True(Names.Add($"{Encoding.UTF8.GetString(name)}:{Emulator.Personalities.Linux.Abi.FileType.DirectoryType(kind)}"));
            return true;
        }
    }
}
