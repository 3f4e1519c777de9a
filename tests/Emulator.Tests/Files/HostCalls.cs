using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>The host kernel's file calls, as the oracle. Results are errno and a text to compare.</summary>
internal sealed unsafe class HostCalls(int directory)
{
    private const int SymlinkNoFollow = 0x100;
    private const int RemoveDirectoryFlag = 0x200;

    private static Errno Last(int result) => result < 0 ? (Errno)Marshal.GetLastPInvokeError() : Errno.None;

    public static int OpenDirectory(string path) => openat(-100, path, 0x10000, 0);

    public Errno MakeDirectory(string path, uint mode) => Last(mkdirat(directory, path, mode));

    public Errno MakeNode(string path, uint mode) => Last(mknodat(directory, path, mode, 0));

    public Errno Symlink(string target, string path) => Last(symlinkat(target, directory, path));

    public Errno Link(string from, string to, bool follow) => Last(linkat(directory, from, directory, to, follow ? 0x400 : 0));

    public Errno Unlink(string path) => Last(unlinkat(directory, path, 0));

    public Errno RemoveDirectory(string path) => Last(unlinkat(directory, path, RemoveDirectoryFlag));

    public Errno Rename(string from, string to, uint flags) => Last(renameat2(directory, from, directory, to, flags));

    public Errno ChangeMode(string path, uint mode) => Last(fchmodat(directory, path, mode, 0));

    public Errno ChangeOwner(string path, uint user, uint group) => Last(fchownat(directory, path, user, group, SymlinkNoFollow));

    public Errno Access(string path, int mode) => Last(faccessat(directory, path, mode, 0x200));

    public Errno Truncate(string path, long length)
    {
        int fd = openat(directory, path, 1, 0);
        if (fd < 0)
            return Last(fd);
        Errno error = Last(ftruncate(fd, length));
        _ = close(fd);
        return error;
    }

    public Errno ReadLink(string path, out string text)
    {
        byte* buffer = stackalloc byte[4096];
        nint length = readlinkat(directory, path, buffer, 4096);
        text = length < 0 ? "" : Encoding.UTF8.GetString(buffer, (int)length);
        return Last((int)length);
    }

    /// <summary>Opens, appends or overwrites with a text, reads all back.</summary>
    public Errno Open(string path, int flags, uint mode, string write, out string content)
    {
        content = "";
        int fd = openat(directory, path, flags, mode);
        if (fd < 0)
            return Last(fd);
        byte[] bytes = Encoding.UTF8.GetBytes(write);
        fixed (byte* start = bytes)
        {
            if (bytes.Length != 0 && (flags & 3) != 0)
                _ = write_(fd, start, (nuint)bytes.Length);
        }
        byte* buffer = stackalloc byte[4096];
        nint length = (flags & 3) == 1 ? 0 : pread(fd, buffer, 4096, 0);
        content = length <= 0 ? "" : Encoding.UTF8.GetString(buffer, (int)length);
        _ = close(fd);
        return Errno.None;
    }

    /// <summary>Kind, mode, links, owner and, but for directories, size.</summary>
    public Errno Status(string path, bool follow, out string text)
    {
        byte* raw = stackalloc byte[256];
        int result = statx(directory, path, follow ? 0 : SymlinkNoFollow, 0x7FF, raw);
        ushort mode = *(ushort*)(raw + 28);
        text = result < 0 ? "" : $"{Convert.ToString(mode, 8)} {*(uint*)(raw + 16)} {*(uint*)(raw + 20)}:{*(uint*)(raw + 24)} {((mode & 0xF000) == 0x4000 ? 0 : *(long*)(raw + 40))}";
        return Last(result);
    }

    public Errno List(string path, out string names)
    {
        names = "";
        int fd = openat(directory, path, 0x10000, 0);
        if (fd < 0)
            return Last(fd);
        SortedSet<string> all = new(StringComparer.Ordinal);
        byte* buffer = stackalloc byte[8192];
        nint length;
        while ((length = getdents64(fd, buffer, 8192)) > 0)
        {
            for (nint at = 0; at < length; at += *(ushort*)(buffer + at + 16))
                all.Add($"{Marshal.PtrToStringUTF8((nint)(buffer + at + 19))}:{buffer[at + 18]}");
        }
        _ = close(fd);
        names = string.Join(' ', all);
        return Errno.None;
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int openat(int directory, string path, int flags, uint mode);

    [DllImport("libc", SetLastError = true)]
    private static extern int close(int fd);

    [DllImport("libc", SetLastError = true)]
    private static extern int mkdirat(int directory, string path, uint mode);

    [DllImport("libc", SetLastError = true)]
    private static extern int mknodat(int directory, string path, uint mode, ulong device);

    [DllImport("libc", SetLastError = true)]
    private static extern int symlinkat(string target, int directory, string path);

    [DllImport("libc", SetLastError = true)]
    private static extern int linkat(int from, string path, int to, string newPath, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int unlinkat(int directory, string path, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int renameat2(int from, string path, int to, string newPath, uint flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int fchmodat(int directory, string path, uint mode, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int fchownat(int directory, string path, uint user, uint group, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int faccessat(int directory, string path, int mode, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int ftruncate(int fd, long length);

    [DllImport("libc", SetLastError = true)]
    private static extern nint readlinkat(int directory, string path, byte* buffer, nuint size);

    [DllImport("libc", SetLastError = true)]
    private static extern nint pread(int fd, byte* buffer, nuint size, long offset);

    [DllImport("libc", EntryPoint = "write", SetLastError = true)]
    private static extern nint write_(int fd, byte* buffer, nuint size);

    [DllImport("libc", SetLastError = true)]
    private static extern nint getdents64(int fd, byte* buffer, nuint size);

    [DllImport("libc", SetLastError = true)]
    private static extern int statx(int directory, string path, int flags, uint mask, byte* status);

    [DllImport("libc")]
    private static extern int setfsuid(uint user);

    [DllImport("libc")]
    private static extern int setfsgid(uint group);

    [DllImport("libc")]
    private static extern uint umask(uint mask);

    [DllImport("libc")]
    private static extern uint geteuid();

    public static bool IsRoot => geteuid() == 0;

    public static uint SetCreationMask(uint mask) => umask(mask);

    /// <summary>File access of this thread as another user; its capabilities for files go with the root user.</summary>
    public static void ActAs(uint user, uint group)
    {
        _ = setfsgid(group);
        _ = setfsuid(user);
    }
}
