using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>
/// Linux's system calls. Generated from <c>linux.abi</c>: <see cref="Dispatch"/>, <see cref="Name"/>, <see cref="Describe"/>.
/// A call's number here is x86-64's; calls that x86-64 lacks have numbers from 4096 on.
/// </summary>
public static partial class LinuxTable
{
    /// <summary>Where the table's numbers of the calls begin that x86-64 lacks.</summary>
    private const int Elsewhere = 4096;

    /// <summary>The table's number of a call that an x86-64 program makes, or -1 for those that the table has for others.</summary>
    public static int FromX64(int number) => (uint)number < Elsewhere ? number : -1;

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
        if (call.Thread.Tracee is { SkipsCall: true })
            return Skipped(call);
        call.World.CountMissing(call);
        return Errno.ENOSYS;
    }

    /// <summary>A call that a tracer made none of: what it left as its value, or as its negated error.</summary>
    internal static CallResult Skipped(CallContext call)
    {
        const long lastError = 4095;
        long value = (long)LinuxArchitecture.Of(call.Thread).Trace!.Result(call.Thread.Cpu.State);
        return value is < 0 and >= -lastError ? CallResult.Fail((Errno)(-value)) : CallResult.Ok(value);
    }
}
