using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>sigaltstack(2)'s rules.</summary>
internal static class AlternateStacks
{
    public static bool IsOnAlternateStack(this GuestThread thread, ulong stackPointer) =>
        (thread.AlternateStackFlags & SigAltStack.AutoDisarm) == 0
        && stackPointer > thread.AlternateStack.Value && stackPointer - thread.AlternateStack.Value <= thread.AlternateStackSize;

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
        if (wanted.Size < SigAltStack.MinimumSize)
            return Errno.ENOMEM;
        thread.AlternateStack = new GuestAddress(wanted.Address);
        thread.AlternateStackSize = wanted.Size;
        thread.AlternateStackFlags = wanted.Flags;
        return Errno.None;
    }
}
