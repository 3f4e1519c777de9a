using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Tracing;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>Register sets by the names of core dumps' notes (PT_GETREGSET, PT_SETREGSET of ptrace(2); proc_read_regset in sys/kern/sys_process.c).</summary>
internal static class FreeBsdRegisterSets
{
    // NT_ of sys/elf_common.h. There is no XSAVE here, and so no NT_X86_XSTATE.
    private const int Status = 1, Floats = 2, ThreadName = 7, SegmentBases = 0x200, ThreadPointer = 0x401;

    /// <summary>struct prstatus up to the registers; struct thrmisc.</summary>
    private const int StatusHeader = 48, NameSize = 24, NameRoom = 19;

    private const ulong UserLimit = 0x8000_0000_0000;

    /// <summary>Reads a set to where a struct iovec says, or only its length where that says nowhere.</summary>
    public static Errno Read(CallContext call, BsdArchitecture architecture, Tracee tracee, int note, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out ulong place) || !call.Memory.TryRead(address + 8, out ulong length))
            return Errno.EFAULT;
        int size = SizeOf(architecture, note);
        if (size == 0)
            return Errno.EINVAL;
        if (place == 0)
            return call.Memory.TryWrite(address + 8, (ulong)size) ? Errno.None : Errno.EFAULT;
        if (length != (ulong)size)
            return Errno.EINVAL;
        Span<byte> set = stackalloc byte[StatusHeader + BsdTraceLayout.Largest];
        set.Clear();
        Fill(call, architecture, tracee, note, set);
        return call.Memory.TryWrite(new GuestAddress(place), set[..size]) ? Errno.None : Errno.EFAULT;
    }

    /// <summary>Takes a set: EINVAL for another length, for what cannot be set, and for what no program may have.</summary>
    public static Errno Write(CallContext call, BsdArchitecture architecture, Tracee tracee, int note, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out ulong place) || !call.Memory.TryRead(address + 8, out ulong length))
            return Errno.EFAULT;
        int size = SizeOf(architecture, note);
        if (size == 0 || note == ThreadName || length != (ulong)size)
            return Errno.EINVAL;
        Span<byte> set = stackalloc byte[StatusHeader + BsdTraceLayout.Largest];
        set = set[..size];
        if (!call.Memory.TryRead(new GuestAddress(place), set))
            return Errno.EFAULT;
        ref CpuState state = ref tracee.Thread.Cpu.State;
        switch (note)
        {
            case Status:
                return architecture.Trace.WriteGeneral(tracee, set[StatusHeader..]);
            case Floats:
                return architecture.Trace.WriteFloats(tracee.Thread, set) ? Errno.None : Errno.EINVAL;
            case SegmentBases:
                ReadOnlySpan<ulong> bases = MemoryMarshal.Cast<byte, ulong>(set);
                if (bases[0] >= UserLimit || bases[1] >= UserLimit)
                    return Errno.EINVAL;
                (state.FsBase, state.GsBase) = (bases[0], bases[1]);
                return Errno.None;
            default:
                architecture.ThreadPointer(ref state) = BinaryPrimitives.ReadUInt64LittleEndian(set);
                return Errno.None;
        }
    }

    /// <summary>0 for a set that there is none of.</summary>
    private static int SizeOf(BsdArchitecture architecture, int note) => note switch
    {
        Status => StatusHeader + architecture.Trace.GeneralSize,
        Floats => architecture.Trace.FloatSize,
        ThreadName => NameSize,
        SegmentBases when architecture.Architecture == Architecture.X64 => 2 * sizeof(ulong),
        ThreadPointer when architecture.Architecture == Architecture.Arm64 => sizeof(ulong),
        _ => 0,
    };

    private static void Fill(CallContext call, BsdArchitecture architecture, Tracee tracee, int note, Span<byte> set)
    {
        GuestThread thread = tracee.Thread;
        switch (note)
        {
            case Status:
                FillStatus(call, architecture, tracee, set);
                break;
            case Floats:
                architecture.Trace.ReadFloats(thread, set);
                break;
            case ThreadName:
                thread.Name.AsSpan(0, Math.Min(thread.Name.Length, NameRoom)).CopyTo(set);
                break;
            case SegmentBases:
                BinaryPrimitives.WriteUInt64LittleEndian(set, thread.Cpu.State.FsBase);
                BinaryPrimitives.WriteUInt64LittleEndian(set[8..], thread.Cpu.State.GsBase);
                break;
            default:
                BinaryPrimitives.WriteUInt64LittleEndian(set, architecture.ThreadPointer(ref thread.Cpu.State));
                break;
        }
    }

    /// <summary>struct prstatus: version 1, its size, those of both sets, release, signal of the trap, thread, registers.</summary>
    private static void FillStatus(CallContext call, BsdArchitecture architecture, Tracee tracee, Span<byte> set)
    {
        const int version = 1;
        int signal = tracee.Stop is { Kind: TraceStopKind.Signal, Info: { IsFault: true } trap } ? FreeBsdPersonality.Instance.Numbers.FromNeutral(trap.Signal) : 0;
        ReadOnlySpan<ulong> sizes = [version, (ulong)SizeOf(architecture, Status), (ulong)architecture.Trace.GeneralSize, (ulong)architecture.Trace.FloatSize];
        ReadOnlySpan<int> rest = [(int)FreeBsdPersonality.Release, signal, FreeBsdThreadId.Of(tracee.Thread, call)];
        MemoryMarshal.AsBytes(sizes).CopyTo(set);
        MemoryMarshal.AsBytes(rest).CopyTo(set[MemoryMarshal.AsBytes(sizes).Length..]);
        architecture.Trace.ReadGeneral(tracee, set[StatusHeader..]);
    }
}
