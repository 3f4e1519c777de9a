using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Personalities.Bsd.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.Abi;

/// <summary>struct ptrace_siginfo.</summary>
[StructLayout(LayoutKind.Sequential, Size = 136)]
internal struct TraceSignal
{
    public NetBsdSigInfo Info;

    /// <summary>0 for the whole process.</summary>
    public int Thread;
}

/// <summary>struct ptrace_lwpstatus.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceThreadStatus
{
    public int Thread;
    public BsdSigSet Pending, Blocked;
    public ThreadName Name;
    public ulong Private;

    [InlineArray(20)]
    internal struct ThreadName
    {
        private byte _first;
    }
}
