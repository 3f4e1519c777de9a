using Iced.Intel;
using Vivarium.Emulator.Cpu.Debugging;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>
/// Accesses that reach addresses which are not canonical: by way of the stack segment they raise #SS, else #GP (SDM Vol. 3, 6.15). In 64-bit mode
/// the stack segment is that of the base registers RSP and RBP, and prefixes of it mean nothing (SDM Vol. 1, 3.7.4).
/// </summary>
internal static class CanonicalFaults
{
    public const int StackFault = 12, GeneralProtection = 13, PageFault = 14;

    /// <summary>Behind the lower half of canonical addresses; no access ends there that is longer than a page.</summary>
    private const ulong LowerEnd = 1UL << 47;

    private const int LongestInstruction = 15;

    /// <summary>The exception that a faulting access raises; the registers are as before its instruction.</summary>
    public static int ExceptionOf(GuestCpu cpu, AddressSpace memory, in MemoryFault fault)
    {
        ulong address = fault.Address.Value;
        bool mayLeave = fault.Kind == FaultKind.NotMapped && address is < LowerEnd and >= LowerEnd - GuestAddress.PageSize;
        if (fault.Kind != FaultKind.NonCanonical && !mayLeave)
            return PageFault;
        if (fault.Access == MemoryAccess.Execute)
            return fault.Kind == FaultKind.NonCanonical ? GeneralProtection : PageFault;
        ref CpuState state = ref cpu.State;
        byte[] bytes = new byte[LongestInstruction];
        int length = memory.Fetch(state.Pc, bytes, out _);
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(bytes, 0, length), state.Pc);
        decoder.Decode(out Instruction instruction);
        UsedMemory used = Find(instruction, state, address, out ulong end);
        if (mayLeave && end <= LowerEnd)
            return PageFault;
        bool isStack = used.Segment is not (Register.FS or Register.GS) && used.Base is (Register.RSP or Register.RBP);
        return isStack ? StackFault : GeneralProtection;
    }

    /// <summary>The access of an instruction that is at an address; its first one when none is, as for bits far from their operand. Also where it ends.</summary>
    private static UsedMemory Find(in Instruction instruction, in CpuState state, ulong address, out ulong end)
    {
        UsedMemory? first = null;
        end = address;
        foreach (UsedMemory used in new InstructionInfoFactory().GetInfo(instruction, InstructionInfoOptions.NoRegisterUsage).GetUsedMemory())
        {
            MemorySize size = used.MemorySize == MemorySize.Unknown ? instruction.MemorySize : used.MemorySize;
            ulong start = DataAccesses.AddressOf(state, used), length = (ulong)size.GetSize();
            if (address - start < length)
            {
                end = start + length;
                return used;
            }
            if (first is null)
                (first, end) = (used, address + length);
        }
        return first ?? default;
    }
}
