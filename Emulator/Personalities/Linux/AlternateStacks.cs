using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>sigaltstack(2)'s rules.</summary>
internal static class AlternateStacks
{
    public static bool IsOnAlternateStack(this GuestThread thread, ulong stackPointer) =>
        (thread.AlternateStackFlags & SigAltStack.AutoDisarm) == 0 && thread.IsWithinAlternateStack(stackPointer);

    /// <summary>The same, whether it would be disarmed there or not (__on_sig_stack).</summary>
    public static bool IsWithinAlternateStack(this GuestThread thread, ulong stackPointer) =>
        stackPointer > thread.AlternateStack.Value && stackPointer - thread.AlternateStack.Value <= thread.AlternateStackSize;

    /// <summary>
    /// Where a handler's frame ends: at the alternate stack's top, if the action asks for that stack and it is not in use, or else at the stack pointer
    /// (sigsp in include/linux/sched/signal.h).
    /// </summary>
    public static ulong StackFor(this GuestThread thread, in SignalAction action, ulong stackPointer) =>
        action.UsesAlternateStack && thread.AlternateStackSize != 0 && !thread.IsOnAlternateStack(stackPointer)
            ? thread.AlternateStack.Value + thread.AlternateStackSize : stackPointer;

    /// <summary>A handler has been given its frame: a stack that is for one at a time is no alternate stack any more (SS_AUTODISARM).</summary>
    public static void DisarmAlternateStack(this GuestThread thread)
    {
        if ((thread.AlternateStackFlags & SigAltStack.AutoDisarm) != 0)
            thread.DisableAlternateStack();
    }

    /// <summary>What a handler's frame held beside the registers: the mask and the settings of the alternate stack, whose errors are ignored.</summary>
    public static void LeaveHandler(this GuestThread thread, ulong mask, in SigAltStack stack, ulong stackPointer)
    {
        thread.SavedMask = null;
        thread.Blocked = new SignalSet(mask) & ~Signal.Unstoppable;
        thread.SetAlternateStack(stack, stackPointer);
    }

    /// <summary>The settings with the state a guest sees: disabled, or on it.</summary>
    public static SigAltStack AlternateStackAsSeen(this GuestThread thread, ulong stackPointer) => new()
    {
        Address = thread.AlternateStack.Value,
        Size = thread.AlternateStackSize,
        Flags = (thread.AlternateStackFlags & SigAltStack.AutoDisarm)
            | (thread.AlternateStackSize == 0 ? SigAltStack.Disabled : thread.IsOnAlternateStack(stackPointer) ? SigAltStack.OnStack : 0),
    };

    public static void DisableAlternateStack(this GuestThread thread)
    {
        thread.AlternateStack = default;
        thread.AlternateStackSize = 0;
        thread.AlternateStackFlags = SigAltStack.Disabled;
    }

    /// <summary>EPERM while it is in use, EINVAL for unknown flags, ENOMEM when it is too small.</summary>
    public static Errno SetAlternateStack(this GuestThread thread, in SigAltStack wanted, ulong stackPointer)
    {
        if (thread.IsOnAlternateStack(stackPointer))
            return Errno.EPERM;
        uint mode = wanted.Flags & ~SigAltStack.AutoDisarm;
        if (mode is not (0 or SigAltStack.OnStack or SigAltStack.Disabled))
            return Errno.EINVAL;
        if (mode == SigAltStack.Disabled)
        {
            thread.DisableAlternateStack();
            return Errno.None;
        }
        if (wanted.Size < LinuxArchitecture.Of(thread).SmallestAlternateStack)
            return Errno.ENOMEM;
        thread.AlternateStack = new GuestAddress(wanted.Address);
        thread.AlternateStackSize = wanted.Size;
        thread.AlternateStackFlags = wanted.Flags;
        return Errno.None;
    }
}
