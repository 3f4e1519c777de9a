using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct rusage (getrusage(2)). Programs' time is counted in instructions, at one a nanosecond.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ResourceUsage
{
    public long UserSeconds;
    public long UserMicroseconds;
    public long SystemSeconds;
    public long SystemMicroseconds;

    /// <summary>In kilobytes.</summary>
    public long LargestResident;
    private Zeros _others;

    /// <summary>Of nanoseconds in programs and in their calls, and bytes.</summary>
    public static ResourceUsage Of(ulong user, ulong system, ulong resident = 0) => new()
    {
        UserSeconds = (long)(user / 1_000_000_000),
        UserMicroseconds = (long)(user / 1000 % 1_000_000),
        SystemSeconds = (long)(system / 1_000_000_000),
        SystemMicroseconds = (long)(system / 1000 % 1_000_000),
        LargestResident = (long)(resident / 1024),
    };

    [System.Runtime.CompilerServices.InlineArray(13)]
    private struct Zeros
    {
        private long _first;
    }
}
