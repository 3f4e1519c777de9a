using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>
/// rseq(2): a thread that loses its turn, or takes a signal, inside a sequence it announced goes on at the sequence's abort handler. Worlds
/// have one worker, so the processor is 0 whenever the guest looks.
/// </summary>
internal static class RestartableSequences
{
    // struct rseq: cpu_id_start, cpu_id, rseq_cs, flags, node_id, mm_cid.
    private const ulong ProcessorOffset = 4, SequenceOffset = 8, NodeOffset = 20, ConcurrencyOffset = 24;

    public static bool WriteProcessor(GuestThread thread, uint processor)
    {
        GuestAddress area = thread.RestartableArea;
        AddressSpace memory = thread.Process.Memory;
        uint start = processor == uint.MaxValue ? 0 : processor;
        return memory.TryWrite(area, start) && memory.TryWrite(area + ProcessorOffset, processor) && memory.TryWrite(area + NodeOffset, 0u)
            && memory.TryWrite(area + ConcurrencyOffset, 0u);
    }

    /// <summary>Aborts the sequence under way, if any.</summary>
    public static void Interrupt(GuestThread thread)
    {
        if (thread.RestartableArea.IsNull)
            return;
        AddressSpace memory = thread.Process.Memory;
        GuestAddress pointer = thread.RestartableArea + SequenceOffset;
        if (!memory.TryRead(pointer, out ulong sequence))
        {
            Fault(thread);
            return;
        }
        if (sequence == 0)
            return;
        // struct rseq_cs: version, flags, start_ip, post_commit_offset, abort_ip.
        Span<ulong> words = stackalloc ulong[4];
        if (!memory.TryRead(new GuestAddress(sequence), System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)) || !memory.TryWrite(pointer, 0UL))
        {
            Fault(thread);
            return;
        }
        ref ulong pc = ref thread.Cpu.State.Pc;
        if (pc - words[1] >= words[2])
            return;
        if ((uint)words[0] != 0 || words[3] - words[1] < words[2] || !memory.TryRead(new GuestAddress(words[3] - 4), out uint signature) || signature != thread.RestartableSignature)
        {
            Fault(thread);
            return;
        }
        pc = words[3];
    }

    private static void Fault(GuestThread thread)
    {
        const int fromKernel = 0x80;
        thread.Process.World.ForceSignal(thread, new SignalInfo(Signal.Segment, fromKernel) { IsFault = true });
    }
}
