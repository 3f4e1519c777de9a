using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Personalities.NetBsd.Abi;

/// <summary>sigset_t: 128 signals in words of 32.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NetBsdSigSet
{
    public uint Word0, Word1, Word2, Word3;

    public static NetBsdSigSet Of(SignalSet set)
    {
        UInt128 bits = NetBsdPersonality.Numbers.FromNeutral(set);
        return new() { Word0 = (uint)bits, Word1 = (uint)(bits >> 32), Word2 = (uint)(bits >> 64), Word3 = (uint)(bits >> 96) };
    }

    public readonly SignalSet ToNeutral() => NetBsdPersonality.Numbers.ToNeutral(new UInt128(Word2 | (ulong)Word3 << 32, Word0 | (ulong)Word1 << 32));
}

/// <summary>struct sigaction.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NetBsdSigAction
{
    public ulong Handler;
    public NetBsdSigSet Mask;
    public uint Flags;
    private int _padding;
}

/// <summary>siginfo_t: what sent it, then what its code says (siginfo(2)).</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct NetBsdSigInfo
{
    private const int ThreadKill = -5, LinuxThreadKill = -6;

    public int Signal;
    public int Code;
    public int Error;
    private int _padding;
    public ulong First;
    public ulong Second;

    public static NetBsdSigInfo Of(in SignalInfo info, int trap)
    {
        var raw = new NetBsdSigInfo
        {
            Signal = NetBsdPersonality.Numbers.FromNeutral(info.Signal),
            Code = info.Code == LinuxThreadKill ? ThreadKill : info.Code,
            Error = info.Error,
        };
        if (info.IsFault)
            (raw.First, raw.Second) = (info.Value, (ulong)trap);
        else
            (raw.First, raw.Second) = ((uint)info.SenderProcess | (ulong)info.SenderUser << 32, info.Value);
        return raw;
    }
}
