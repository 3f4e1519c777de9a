using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Bsd.Abi;

namespace Vivarium.Emulator.Personalities.NetBsd.Abi;

/// <summary>struct sigaction.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NetBsdSigAction
{
    public ulong Handler;
    public BsdSigSet Mask;
    public uint Flags;
    private int _padding;
}

/// <summary>siginfo_t: what sent it, then what its code says (siginfo(2)).</summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
internal struct NetBsdSigInfo
{
    private const int Exited = 1, ThreadKill = -5, LinuxThreadKill = -6;

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
            Signal = NetBsdPersonality.Instance.Numbers.FromNeutral(info.Signal),
            Code = info.Code == LinuxThreadKill ? ThreadKill : info.Code,
            Error = info.Error,
        };
        if (info.IsFault)
            (raw.First, raw.Second) = (info.Value, (ulong)trap);
        else
            (raw.First, raw.Second) = ((uint)info.SenderProcess | (ulong)info.SenderUser << 32, info.IsChild && info.Code != Exited ? (ulong)NetBsdPersonality.Instance.Numbers.FromNeutral((int)info.Value) : info.Value);
        return raw;
    }
}
