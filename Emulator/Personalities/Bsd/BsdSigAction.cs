using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>SA_ flags of sigaction(2), the same in FreeBSD and NetBSD.</summary>
internal static class BsdActionFlags
{
    public const uint OnStack = 1;
    public const uint Restart = 2;
    public const uint ResetHand = 4;
    public const uint NoChildStop = 8;
    public const uint NoDefer = 0x10;
    public const uint NoChildWait = 0x20;
    public const uint SigInfo = 0x40;

    /// <summary>SS_DISABLE and SS_ONSTACK of sigaltstack(2).</summary>
    public const int StackOnStack = 1;
    public const int StackDisabled = 4;

    public static SignalAction Decode(ulong handler, uint flags, SignalSet mask, ulong trampoline = 0) => new()
    {
        Handler = handler,
        RawFlags = flags,
        Restorer = trampoline,
        Mask = mask & ~Signal.Unstoppable,
        Restarts = (flags & Restart) != 0,
        ResetsOnDelivery = (flags & ResetHand) != 0,
        KeepsUnblocked = (flags & NoDefer) != 0,
        UsesAlternateStack = (flags & OnStack) != 0,
        NoChildStops = (flags & NoChildStop) != 0,
        NoChildZombies = (flags & NoChildWait) != 0,
    };
}

/// <summary>stack_t of amd64 and arm64.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BsdStack
{
    public const ulong SmallestSize = 2048;

    public ulong Address;
    public ulong Size;
    public int Flags;
    private int _padding;

    public static BsdStack Of(GuestThread thread, ulong stackPointer) => new()
    {
        Address = thread.AlternateStack.Value,
        Size = thread.AlternateStackSize,
        Flags = thread.AlternateStackSize == 0 ? BsdActionFlags.StackDisabled : IsOn(thread, stackPointer) ? BsdActionFlags.StackOnStack : 0,
    };

    public static bool IsOn(GuestThread thread, ulong stackPointer) =>
        stackPointer > thread.AlternateStack.Value && stackPointer - thread.AlternateStack.Value <= thread.AlternateStackSize;

    /// <summary>EPERM while it is in use, EINVAL for unknown flags, ENOMEM when it is too small (sigaltstack(2)).</summary>
    public readonly Errno SetFor(GuestThread thread, ulong stackPointer)
    {
        if (IsOn(thread, stackPointer))
            return Errno.EPERM;
        if ((Flags & ~BsdActionFlags.StackDisabled) != 0)
            return Errno.EINVAL;
        bool isDisabled = (Flags & BsdActionFlags.StackDisabled) != 0;
        if (!isDisabled && Size < SmallestSize)
            return Errno.ENOMEM;
        thread.AlternateStack = new Memory.GuestAddress(isDisabled ? 0 : Address);
        thread.AlternateStackSize = isDisabled ? 0 : Size;
        thread.AlternateStackFlags = 0;
        return Errno.None;
    }
}
