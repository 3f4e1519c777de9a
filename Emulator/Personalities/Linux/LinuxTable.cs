using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>
/// Linux's system calls. Generated from <c>linux.abi</c>: <see cref="Dispatch"/>, <see cref="Name"/>, <see cref="Describe"/>.
/// A call's number here is x86-64's; calls that x86-64 lacks have numbers past 4096.
/// </summary>
public static partial class LinuxTable
{
    /// <summary>The table's number of a call that an arm64 program makes, or -1.</summary>
    public static int FromArm64(int number) => (uint)number < (uint)Arm64Numbers.Length ? Arm64Numbers[number] : -1;

    /// <summary>The table's number of a call that a riscv64 program makes, or -1.</summary>
    public static int FromRiscV64(int number) => (uint)number < (uint)RiscV64Numbers.Length ? RiscV64Numbers[number] : -1;

    /// <summary>True when a handler exists.</summary>
    public static bool IsImplemented(int number) =>
        (uint)number / 64 < (uint)ImplementedBits.Length && (ImplementedBits[number / 64] >> (number % 64) & 1) != 0;

    /// <summary>ENOSYS, as from a kernel that was built without the call.</summary>
    private static CallResult Unimplemented(CallContext call)
    {
        call.World.CountMissing(call);
        return Errno.ENOSYS;
    }
}
