using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>siginfo_t: 128 bytes whose meaning depends on code and signal (sigaction(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SigInfo
{
    public int Signal;
    public int Error;
    public int Code;
    private int _padding;
    private SigInfoBody _body;

    public static SigInfo Of(in SignalInfo info)
    {
        var raw = new SigInfo { Signal = info.Signal, Error = info.Error, Code = info.Code };
        Span<ulong> words = raw._body;
        if (info.IsFault)
        {
            words[0] = info.Value;
            words[1] = info.Detail;
        }
        else if (info.IsTimer)
        {
            words[0] = (uint)info.Timer | (ulong)(uint)info.Overrun << 32;
            words[1] = info.Value;
        }
        else if (info.IsPoll)
        {
            words[0] = (ulong)info.Band;
            words[1] = info.Value;
        }
        else
        {
            words[0] = (uint)info.SenderProcess | (ulong)info.SenderUser << 32;
            words[1] = info.Value;
        }
        return raw;
    }

    /// <summary>What rt_sigqueueinfo(2) was given.</summary>
    public readonly SignalInfo ToSignal(int signal)
    {
        ulong first = _body[0];
        return new SignalInfo(signal, Code) { Error = Error, SenderProcess = (int)(uint)first, SenderUser = (uint)(first >> 32), Value = _body[1] };
    }
}

[InlineArray(14)]
internal struct SigInfoBody
{
    private ulong _first;
}

/// <summary>stack_t.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SigAltStack
{
    public const uint OnStack = 1;
    public const uint Disabled = 2;
    public const uint AutoDisarm = 1u << 31;

    public ulong Address;
    public uint Flags;
    private uint _padding;
    public ulong Size;
}

/// <summary>The kernel's struct sigaction.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SigActionRaw
{
    public const ulong NoChildStop = 1;
    public const ulong NoChildWait = 2;
    public const ulong OnStack = 0x08000000;
    public const ulong Restart = 0x10000000;
    public const ulong NoDefer = 0x40000000;
    public const ulong ResetHandler = 0x80000000;

    public ulong Handler;
    public ulong Flags;
    public ulong Restorer;
    public ulong Mask;

    /// <summary>Some architectures' structure has no restorer.</summary>
    public static bool TryRead(AddressSpace memory, GuestAddress at, bool hasRestorer, out SigActionRaw action)
    {
        if (hasRestorer)
            return memory.TryRead(at, out action);
        action = default;
        return memory.TryRead(at, out action.Handler) && memory.TryRead(at + 8, out action.Flags) && memory.TryRead(at + 16, out action.Mask);
    }

    public readonly bool TryWrite(AddressSpace memory, GuestAddress at, bool hasRestorer) => hasRestorer
        ? memory.TryWrite(at, this)
        : memory.TryWrite(at, Handler) && memory.TryWrite(at + 8, Flags) && memory.TryWrite(at + 16, Mask);

    public readonly SignalAction Decode() => new()
    {
        Handler = Handler,
        RawFlags = Flags,
        Restorer = Restorer,
        Mask = new SignalSet(Mask) & ~Vivarium.Emulator.Kernel.Signals.Signal.Unstoppable,
        Restarts = (Flags & Restart) != 0,
        ResetsOnDelivery = (Flags & ResetHandler) != 0,
        KeepsUnblocked = (Flags & NoDefer) != 0,
        UsesAlternateStack = (Flags & OnStack) != 0,
        NoChildStops = (Flags & NoChildStop) != 0,
        NoChildZombies = (Flags & NoChildWait) != 0,
    };

    public static SigActionRaw Encode(in SignalAction action) =>
        new() { Handler = action.Handler, Flags = action.RawFlags, Restorer = action.Restorer, Mask = action.Mask.Bits };
}
