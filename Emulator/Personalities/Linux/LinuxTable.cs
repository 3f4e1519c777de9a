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

    /// <summary>The number by which an arm64 program makes a call of the table, or -1: arm64 lacks it.</summary>
    public static int ToArm64(int number) => ToNative(FromTable.Arm64, number);

    /// <summary>The number by which a riscv64 program makes a call of the table, or -1: riscv64 lacks it.</summary>
    public static int ToRiscV64(int number) => ToNative(FromTable.RiscV64, number);

    /// <summary>True when a handler exists.</summary>
    public static bool IsImplemented(int number) =>
        (uint)number / 64 < (uint)ImplementedBits.Length && (ImplementedBits[number / 64] >> (number % 64) & 1) != 0;

    /// <summary>ENOSYS, as from a kernel that was built without the call.</summary>
    private static CallResult Unimplemented(CallContext call)
    {
        call.World.CountMissing(call);
        return Errno.ENOSYS;
    }

    private static int ToNative(int[] natives, int number) => (uint)number < (uint)natives.Length ? natives[number] : -1;

    /// <summary>The architectures' numbers by the table's: filters of calls ask at each call.</summary>
    private static class FromTable
    {
        public static readonly int[] Arm64 = Invert(Arm64Numbers);
        public static readonly int[] RiscV64 = Invert(RiscV64Numbers);

        private static int[] Invert(ReadOnlySpan<short> numbers)
        {
            int most = -1;
            foreach (int number in numbers)
                most = Math.Max(most, number);
            int[] natives = new int[most + 1];
            Array.Fill(natives, -1);
            // Downwards: of two numbers of one call the lower stays.
            for (int native = numbers.Length - 1; native >= 0; native--)
            {
                if (numbers[native] >= 0)
                    natives[numbers[native]] = native;
            }
            return natives;
        }
    }
}
