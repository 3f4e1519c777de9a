using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Personalities.Bsd.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd.Abi;

/// <summary>struct ptrace_lwpinfo.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceThreadInfo
{
    public const int EventSignal = 1;

    /// <summary>PL_FLAG_.</summary>
    public const int CallEntry = 4, CallExit = 8, Executed = 0x10, HasSignal = 0x20, Forked = 0x40, Child = 0x80, Born = 0x100, Exited = 0x200, Vforked = 0x400, VforkDone = 0x800;

    /// <summary>Where the signal's information ends: who has no room for it is not told of it.</summary>
    public const int SignalEnd = 128;

    public int Thread, Event, Flags;
    public BsdSigSet Blocked, Pending;
    private int _padding;
    public FreeBsdSigInfo Signal;
    public ThreadName Name;
    public int ChildProcess;
    public uint Call, Arguments;

    [InlineArray(20)]
    internal struct ThreadName
    {
        private byte _first;
    }
}

/// <summary>struct ptrace_sc_ret.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceCallResult
{
    public ulong First, Second;
    public int Error;
    private int _padding;
}

/// <summary>struct ptrace_vm_entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceArea
{
    public int Entry, Timestamp;
    public ulong Start, End, Offset;
    public uint Protection, PathLength;
    public long FileId;
    public uint FileSystemId;
    private int _padding;
    public ulong Path;
}
