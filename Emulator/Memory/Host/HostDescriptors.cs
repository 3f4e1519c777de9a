using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>
/// The host's calls for descriptors that this process was given, and its groups: those of every start that take addresses, for which code is made
/// when this is compiled, not when a program starts. Results are the C library's: -1 with the error in the last P/Invoke error.
/// </summary>
public static partial class HostDescriptors
{
    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(int descriptor, ref byte buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(int descriptor, ref readonly byte buffer, nuint count);

    /// <summary>Polls <paramref name="count"/> entries starting at <paramref name="first"/>; milliseconds, or -1.</summary>
    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    public static partial int Poll(ref PollEntry first, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "getgroups", SetLastError = true)]
    public static partial int GetGroups(int size, ref uint groups);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    private const int CloseOnExec = 0x80000;
    private const int Interrupted = 4; // EINTR
    private const int FirstSize = 8192;

    /// <summary>
    /// All that a file holds, or null when it cannot be read. For the few small files of every start: the run-time's own way loads some fifty methods more.
    /// </summary>
    public static byte[]? TryReadAll(string path)
    {
        int file = Open(path, CloseOnExec);
        if (file < 0)
            return null;
        byte[] bytes = new byte[FirstSize];
        int length = 0;
        nint count;
        do
        {
            if (length == bytes.Length)
                Array.Resize(ref bytes, 2 * length);
            count = Read(file, ref bytes[length], (nuint)(bytes.Length - length));
            length += (int)Math.Max(count, 0);
        }
        while (count > 0 || (count < 0 && Marshal.GetLastPInvokeError() == Interrupted));
        Close(file);
        return count < 0 ? null : bytes.AsSpan(0, length).ToArray();
    }
}

/// <summary>struct pollfd of poll(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PollEntry
{
    public int Descriptor;
    public short Events;
    public short Returned;
}
