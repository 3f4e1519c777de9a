using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Linux.Arm64;

/// <summary>
/// Further register sets of AArch64 (aarch64_regsets in arch/arm64/kernel/ptrace.c), of a processor without SVE, SME, pointer authentication, tagged
/// memory and registers for breakpoints.
/// </summary>
internal static class Arm64TraceSets
{
    private const int ThreadPointer = 0x401, Breakpoints = 0x402, Watchpoints = 0x403, CallNumber = 0x404;

    private static readonly TraceSet[] All = [new ThreadPointerSet(), new DebugSet(Breakpoints), new DebugSet(Watchpoints), new CallSet()];

    public static TraceSet? Find(int type) => Array.Find(All, set => set.Type == type);

    /// <summary>NT_ARM_TLS: TPIDR_EL0, and TPIDR2_EL0, which is 0 without SME.</summary>
    private sealed class ThreadPointerSet() : TraceSet(ThreadPointer, 2 * sizeof(ulong), sizeof(ulong))
    {
        public override void Read(Tracee tracee, Span<byte> set)
        {
            set.Clear();
            MemoryMarshal.Write(set, tracee.Thread.Cpu.State.Registers[Arm64State.ThreadPointer]);
        }

        public override Errno Write(Tracee tracee, ReadOnlySpan<byte> set, int given)
        {
            tracee.Thread.Cpu.State.Registers[Arm64State.ThreadPointer] = MemoryMarshal.Read<ulong>(set);
            return Errno.None;
        }
    }

    /// <summary>
    /// NT_ARM_HW_BREAK and NT_ARM_HW_WATCH, struct user_hwdebug_state: which debug architecture, how many registers, and 16 addresses and controls. There are
    /// no registers here, so that none can be set.
    /// </summary>
    private sealed class DebugSet(int type) : TraceSet(type, Head + (Most * Register), sizeof(uint))
    {
        private const int Head = 8, Register = 16, Most = 16, Address = 8;

        /// <summary>ID_AA64DFR0_EL1.DebugVer of ARMv8.0.</summary>
        private const uint DebugVersion = 6;

        public override void Read(Tracee tracee, Span<byte> set)
        {
            set.Clear();
            MemoryMarshal.Write(set, DebugVersion << 8);
        }

        /// <summary>The head is left aside (hw_break_set).</summary>
        public override Errno Write(Tracee tracee, ReadOnlySpan<byte> set, int given) =>
            given <= Head ? Errno.None : given < Head + Address ? Errno.EINVAL : Errno.ENOSPC;
    }

    /// <summary>NT_ARM_SYSTEM_CALL: the number of the call under way, -1 outside of one and when a signal has interrupted it (forget_syscall).</summary>
    private sealed class CallSet() : TraceSet(CallNumber, sizeof(int), sizeof(int))
    {
        public override void Read(Tracee tracee, Span<byte> set)
        {
            GuestThread thread = tracee.Thread;
            int number = tracee.Stop?.Kind switch
            {
                TraceStopKind.CallExit when tracee.LeftCall is { } left => left,
                TraceStopKind.CallEntry or TraceStopKind.CallExit or TraceStopKind.Event when thread.InCall => thread.Call.Asked,
                _ => -1,
            };
            MemoryMarshal.Write(set, number);
        }

        /// <summary>At its entry a call becomes another one, or with -1 none: then x0 is its result.</summary>
        public override Errno Write(Tracee tracee, ReadOnlySpan<byte> set, int given)
        {
            GuestThread thread = tracee.Thread;
            if (given < sizeof(int) || !tracee.IsBeforeCall || !thread.InCall)
                return Errno.None;
            ReadOnlySpan<ulong> arguments = [.. thread.Call.Arguments];
            int number = MemoryMarshal.Read<int>(set);
            thread.Call.Begin(LinuxTable.FromArm64(number), number, arguments);
            tracee.SkipsCall = number == -1;
            return Errno.None;
        }
    }
}
