using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Bsd.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd.Abi;

/// <summary>struct sigaction of sigaction(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FreeBsdSigAction
{
    public ulong Handler;
    public uint Flags;
    public BsdSigSet Mask;
    private int _padding;
}

/// <summary>siginfo_t (siginfo(3)).</summary>
[StructLayout(LayoutKind.Sequential, Size = 80)]
internal struct FreeBsdSigInfo
{
    private const int Exited = 1, User = 0x10001, Queue = 0x10002, Timer = 0x10003, Kernel = 0x10006, Thread = 0x10007;

    public int Signal;
    public int Error;
    public int Code;
    public int Process;
    public uint UserId;
    public int Status;
    public ulong Address;
    public ulong Value;
    public int Trap;

    /// <param name="trap">The system's number of the trap of a fault.</param>
    public static FreeBsdSigInfo Of(in SignalInfo info, int trap)
    {
        var raw = new FreeBsdSigInfo
        {
            Signal = FreeBsdPersonality.Instance.Numbers.FromNeutral(info.Signal),
            Error = info.Error,
            Code = CodeOf(info),
        };
        if (info.IsFault)
        {
            raw.Address = info.Value;
            raw.Trap = trap;
            return raw;
        }
        raw.Process = info.SenderProcess;
        raw.UserId = info.SenderUser;
        if (info.IsChild)
            raw.Status = info.Code == Exited ? (int)info.Value : FreeBsdPersonality.Instance.Numbers.FromNeutral((int)info.Value);
        else
            raw.Value = info.Value;
        return raw;
    }

    /// <summary>The codes of kernel and senders have numbers of their own; those of faults but for FPE_ are shared.</summary>
    private static int CodeOf(in SignalInfo info)
    {
        if (info.IsFault)
            return info.Signal == Kernel_FloatingPoint ? FloatingPointCode(info.Code) : info.Code == 0x80 ? Kernel : info.Code;
        return info.Code switch
        {
            0 => User,
            -1 => Queue,
            -2 => Timer,
            -6 => Thread,
            _ => info.IsChild ? info.Code : Kernel,
        };
    }

    private const int Kernel_FloatingPoint = Vivarium.Emulator.Kernel.Signals.Signal.FloatingPoint;

    /// <summary>FPE_INTDIV and FPE_INTOVF are the other way round.</summary>
    private static int FloatingPointCode(int code) => code switch
    {
        1 => 2,
        2 => 1,
        _ => code,
    };

    /// <summary>From the processor's exceptions to T_ of machine/trap.h.</summary>
    public static int TrapNumber(int exception) => exception switch
    {
        0 => 18, // T_DIVIDE
        1 => 10, // T_TRCTRAP
        3 => 3, // T_BPTFLT
        6 => 1, // T_PRIVINFLT
        12 => 27, // T_STKFLT
        13 => 9, // T_PROTFLT
        14 => 12, // T_PAGEFLT
        16 => 6, // T_ARITHTRAP
        19 => 29, // T_XMMFLT
        _ => exception,
    };
}
