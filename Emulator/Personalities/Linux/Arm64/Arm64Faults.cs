using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Arm64;

/// <summary>
/// From a processor's exception to the signal that Linux sends for it, and to the syndrome that its frame tells (arch/arm64/mm/fault.c,
/// arch/arm64/kernel/traps.c; Arm ARM, D17.2.37, ESR_EL1). Address and syndrome of the last fault stay until the next one: frames of other signals have
/// them, too.
/// </summary>
internal static class Arm64Faults
{
    private const int IllegalOpcode = 1, Breakpoint = 1, TrapTrace = 2, BadAlignment = 1;

    /// <summary>ESR_EL1: exception classes, all from EL0, and the length of an instruction (IL).</summary>
    private const ulong InstructionAbort = 0x20ul << 26, CounterAlignment = 0x22ul << 26, DataAbort = 0x24ul << 26, IsLong = 1ul << 25;

    /// <summary>Its WnR and the fault status codes: the first two of a level.</summary>
    private const ulong IsWrite = 1 << 6, Translation = 0x04, Permission = 0x0C, Alignment = 0x21;

    private const int LastLevel = 3;

    /// <summary>TASK_SIZE of a kernel with 48 bits of addresses and pages of 4 KB.</summary>
    private const ulong UserEnd = 1ul << 48;

    public static SignalInfo ToSignal(GuestThread thread, in EngineExit exit)
    {
        ulong pc = thread.Cpu.State.Pc;
        // A counter that is not aligned is found out before anything is fetched (D1.3.5, "Synchronous exception prioritization").
        if ((pc & 3) != 0 && (exit.Reason == ExitReason.Misaligned || exit is { Reason: ExitReason.MemoryFault, Fault.Access: MemoryAccess.Execute }))
        {
            thread.Trap = new TrapInfo(0, CounterAlignment | IsLong, 0);
            return FaultSignals.Of(Signal.Bus, BadAlignment, pc);
        }
        switch (exit.Reason)
        {
            case ExitReason.MemoryFault:
                MemoryFault fault = exit.Fault with { Address = new GuestAddress(Untag(exit.Fault.Address.Value)) };
                thread.Trap = new TrapInfo(0, SyndromeOf(thread.Process.Memory, fault), fault.Address.Value);
                return FaultSignals.OfMemory(fault);
            case ExitReason.Breakpoint:
                return FaultSignals.Of(Signal.Trap, Breakpoint, pc);
            case ExitReason.SingleStep:
                return FaultSignals.Of(Signal.Trap, TrapTrace, pc);
            case ExitReason.Misaligned:
                return Misaligned(thread, pc);
            default:
                thread.Trap = default;
                return FaultSignals.Of(Signal.Illegal, IllegalOpcode, pc);
        }
    }

    /// <summary>Of an exclusive or atomic access, whose address is its base register.</summary>
    private static SignalInfo Misaligned(GuestThread thread, ulong pc)
    {
        ulong address = 0;
        bool isStore = false;
        if (thread.Process.Memory.TryRead(new GuestAddress(pc), out uint word))
        {
            address = Untag(thread.Cpu.State.Registers[(int)(word >> 5) & 31]);
            isStore = IsStore(word);
        }
        thread.Trap = new TrapInfo(0, DataAbort | IsLong | (isStore ? IsWrite : 0) | Alignment, address);
        return FaultSignals.Of(Signal.Bus, BadAlignment, address);
    }

    /// <summary>STXR, STXP, STLR and their like (C4.1.94): the load bit is clear, and it is no compare and swap, which reads first as all atomic operations do.</summary>
    private static bool IsStore(uint word)
    {
        const uint group = 0x3F00_0000, exclusive = 0x0800_0000, load = 1 << 22, ordered = 1 << 23, pair = 1 << 21, wide = 1u << 31;
        bool swaps = (word & pair) != 0 && ((word & ordered) != 0 || (word & wide) == 0);
        return (word & (group | load)) == exclusive && !swaps;
    }

    private static ulong SyndromeOf(AddressSpace memory, in MemoryFault fault)
    {
        ulong kind = fault.Access == MemoryAccess.Execute ? InstructionAbort : DataAbort;
        ulong write = fault.Access == MemoryAccess.Write ? IsWrite : 0;
        // What lies in the kernel's part is not told from what is not there at all (set_thread_esr).
        ulong status = fault.Address.Value >= UserEnd ? Translation
            : IsForbidden(memory, fault) ? Permission | LastLevel
            : Translation | LevelOf(memory, fault.Address.Value);
        return kind | IsLong | write | status;
    }

    /// <summary>There is a page, which does not allow the access. A page without any right has no valid entry (PAGE_NONE).</summary>
    private static bool IsForbidden(AddressSpace memory, in MemoryFault fault)
    {
        if (fault.Kind != FaultKind.Protection || !memory.TryFindArea(fault.Address, out AreaInfo area) || area.Protection == Protection.None)
            return false;
        Span<byte> isThere = stackalloc byte[1];
        return memory.TryTellResident(new GuestAddress(fault.Address.Value & ~(GuestAddress.PageSize - 1)), isThere) && (isThere[0] & 1) != 0;
    }

    /// <summary>At which level a walk of the tables ends: each covers nine bits of the address, and is there when something is mapped in its reach.</summary>
    private static ulong LevelOf(AddressSpace memory, ulong address)
    {
        const int highest = 39, bits = 9;
        for (int level = 0, shift = highest; level < LastLevel; level++, shift -= bits)
        {
            ulong start = address >> shift << shift;
            if (!memory.HasArea(start, start + (1ul << shift)))
                return (ulong)level;
        }
        return LastLevel;
    }

    /// <summary>Without the byte that programs may use (untagged_addr; sigaction(2), SA_EXPOSE_TAGBITS, is not known here).</summary>
    private static ulong Untag(ulong address)
    {
        const int highest = 55;
        return (address >> highest & 1) != 0 ? address : address & ((1ul << (highest + 1)) - 1);
    }
}
