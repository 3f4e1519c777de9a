using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Arm64;

/// <summary>
/// The signal frame of AArch64: struct rt_sigframe (siginfo, then ucontext; asm/sigcontext.h), and above it a frame record, so that unwinders find
/// the interrupted function.
/// </summary>
internal static class Arm64SignalFrame
{
    private const int FramePointer = 29;

    /// <summary>SA_RESTORER.</summary>
    private const ulong HasRestorer = 0x0400_0000;

    public static bool Enter(GuestThread thread, in SignalInfo info, in SignalAction action)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong stack = state.Registers[Arm64State.StackPointer];
        ulong record = (thread.StackFor(action, stack) & ~15ul) - (ulong)Unsafe.SizeOf<FrameRecord>();
        ulong at = (record - (ulong)Unsafe.SizeOf<RtSigFrame>()) & ~15ul;
        AddressSpace memory = thread.Process.Memory;
        var link = new FrameRecord { FramePointer = state.Registers[FramePointer], LinkRegister = state.Registers[Arm64State.LinkRegister] };
        if (!memory.TryWrite(new GuestAddress(record), link) || !memory.TryWrite(new GuestAddress(at), FrameOf(thread, info, stack)))
            return false;
        state.Registers[0] = (ulong)info.Signal;
        state.Registers[1] = at;
        state.Registers[2] = at + (ulong)Unsafe.SizeOf<SigInfo>();
        state.Registers[FramePointer] = record;
        state.Registers[Arm64State.LinkRegister] = (action.RawFlags & HasRestorer) != 0 ? action.Restorer : thread.Process.Layout.VdsoStart + VdsoImage.TextStart;
        state.Registers[Arm64State.StackPointer] = at;
        state.Registers[Arm64State.Monitor] = ulong.MaxValue;
        state.Pc = action.Handler;
        return true;
    }

    private static RtSigFrame FrameOf(GuestThread thread, in SignalInfo info, ulong stack)
    {
        ref CpuState state = ref thread.Cpu.State;
        var frame = new RtSigFrame
        {
            Info = SigInfo.Of(info),
            Stack = thread.AlternateStackAsSeen(stack),
            Mask = (thread.SavedMask ?? thread.Blocked).Bits,
            FaultAddress = thread.Trap.Address,
            StackPointer = stack,
            Pc = state.Pc,
            State = Arm64State.GetFlags(state),
        };
        for (int i = 0; i < RegisterFile.Count; i++)
            frame.Registers[i] = state.Registers[i];
        WriteRecords(MemoryMarshal.AsBytes((Span<ulong>)frame.Records), thread);
        return frame;
    }

    /// <summary>The floating-point state, then the syndrome if the thread ever had a fault (setup_sigframe); zeros end them.</summary>
    private static void WriteRecords(Span<byte> records, GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        var floats = new FloatRecord { Magic = FloatMagic, Size = (uint)Unsafe.SizeOf<FloatRecord>(), Status = Arm64State.GetStatus(state), Control = Arm64State.GetControl(state) };
        for (int i = 0; i < Vectors.Count; i++)
            floats.Vectors[i] = state.Vectors[Arm64State.VectorOf(i)];
        MemoryMarshal.Write(records, floats);
        if (thread.Trap.Error != 0)
            MemoryMarshal.Write(records[Unsafe.SizeOf<FloatRecord>()..], new SyndromeRecord { Magic = SyndromeMagic, Size = (uint)Unsafe.SizeOf<SyndromeRecord>(), Syndrome = thread.Trap.Error });
    }

    /// <summary>The floating-point record, wherever it is; false when it is missing, and for records of what this processor has not (parse_user_sigframe).</summary>
    private static bool TryFindFloats(ReadOnlySpan<byte> records, out FloatRecord floats)
    {
        const int alignment = 16;
        floats = default;
        while (records.Length >= alignment)
        {
            uint magic = MemoryMarshal.Read<uint>(records), size = MemoryMarshal.Read<uint>(records[sizeof(uint)..]);
            if (magic == 0)
                return size == 0 && floats.Magic != 0;
            bool isFloats = magic == FloatMagic && floats.Magic == 0 && size == Unsafe.SizeOf<FloatRecord>();
            if ((!isFloats && magic != SyndromeMagic) || size > records.Length || size == 0 || size % alignment != 0)
                return false;
            if (isFloats)
                floats = MemoryMarshal.Read<FloatRecord>(records);
            records = records[(int)size..];
        }
        return false;
    }

    /// <summary>Undoes <see cref="Enter"/> with what the handler left in the frame; false when the frame cannot be read or is none.</summary>
    public static bool Leave(GuestThread thread)
    {
        ref CpuState state = ref thread.Cpu.State;
        ulong at = state.Registers[Arm64State.StackPointer];
        if ((at & 15) != 0 || !thread.Process.Memory.TryRead(new GuestAddress(at), out RtSigFrame frame)
            || !TryFindFloats(MemoryMarshal.AsBytes((Span<ulong>)frame.Records), out FloatRecord floats))
            return false;
        state.Pc = frame.Pc;
        for (int i = 0; i < RegisterFile.Count; i++)
            state.Registers[i] = frame.Registers[i];
        state.Registers[Arm64State.StackPointer] = frame.StackPointer;
        state.Registers[Arm64State.Monitor] = ulong.MaxValue;
        for (int i = 0; i < Vectors.Count; i++)
            state.Vectors[Arm64State.VectorOf(i)] = floats.Vectors[i];
        Arm64State.SetFlags(ref state, (uint)frame.State);
        Arm64State.SetStatus(ref state, floats.Status);
        Arm64State.SetControl(ref state, floats.Control);
        thread.LeaveHandler(frame.Mask, frame.Stack, state.Registers[Arm64State.StackPointer]);
        return true;
    }

    [InlineArray(Count)]
    private struct RegisterFile
    {
        public const int Count = 31;

        private ulong _first;
    }

    [InlineArray(Count)]
    private struct Vectors
    {
        public const int Count = 32;

        private Vector128<byte> _first;
    }

    /// <summary>What is left of 1024 bits of signals, and the gap before the machine context, which is aligned to 16 bytes.</summary>
    [InlineArray(16)]
    private struct UnusedMask
    {
        private ulong _first;
    }

    /// <summary>Records of a magic number, a size and that many bytes, and room for more.</summary>
    [InlineArray(4096 / sizeof(ulong))]
    private struct Records
    {
        private ulong _first;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct FrameRecord
    {
        public ulong FramePointer;
        public ulong LinkRegister;
    }

    /// <summary>FPSIMD_MAGIC, ESR_MAGIC.</summary>
    private const uint FloatMagic = 0x4650_8001, SyndromeMagic = 0x4553_5201;

    /// <summary>struct fpsimd_context.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct FloatRecord
    {
        public uint Magic;
        public uint Size;
        public uint Status;
        public uint Control;
        public Vectors Vectors;
    }

    /// <summary>struct esr_context.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SyndromeRecord
    {
        public uint Magic;
        public uint Size;
        public ulong Syndrome;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RtSigFrame
    {
        public SigInfo Info;
        public ulong Flags;
        public ulong Link;
        public SigAltStack Stack;
        public ulong Mask;
        public UnusedMask Unused;
        public ulong FaultAddress;
        public RegisterFile Registers;
        public ulong StackPointer;
        public ulong Pc;

        /// <summary>PSTATE, of which NZCV may be restored.</summary>
        public ulong State;
        private ulong _gap;
        public Records Records;
    }
}
