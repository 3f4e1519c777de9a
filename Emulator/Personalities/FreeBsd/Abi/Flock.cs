using System.Runtime.InteropServices;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd.Abi;

/// <summary>struct flock (fcntl(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FreeBsdFlock
{
    private const short ReadLock = 1, Unlock = 2, WriteLock = 3;

    public long Start;
    public long Length;
    public int Process;
    public short Type;
    public short Whence;
    public int System;
    private int _padding;

    /// <summary>Null for a type that there is none of.</summary>
    public readonly Flock? TryToLinux() => Type is ReadLock or Unlock or WriteLock
        ? new Flock { Type = (short)(Type == ReadLock ? 0 : Type == WriteLock ? 1 : 2), Whence = Whence, Start = Start, Length = Length, ProcessId = Process }
        : null;

    public static FreeBsdFlock From(in Flock lockInfo) => new()
    {
        Type = lockInfo.Type switch { 0 => ReadLock, 1 => WriteLock, _ => Unlock },
        Whence = lockInfo.Whence,
        Start = lockInfo.Start,
        Length = lockInfo.Length,
        Process = lockInfo.ProcessId,
    };
}
