using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct rusage (getrusage(2)). Processor time is counted in instructions, at one a nanosecond.</summary>
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

    public static ResourceUsage Of(ulong instructions, ulong resident = 0) => new()
    {
        UserSeconds = (long)(instructions / 1_000_000_000),
        UserMicroseconds = (long)(instructions / 1000 % 1_000_000),
        LargestResident = (long)(resident / 1024),
    };

    [System.Runtime.CompilerServices.InlineArray(13)]
    private struct Zeros
    {
        private long _first;
    }
}
