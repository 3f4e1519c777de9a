using Iced.Intel;

namespace Vivarium.Emulator.Cpu.Debugging;

/// <summary>What one instruction will read and write, for data breakpoints: found from its operands before it runs.</summary>
internal sealed class DataAccesses
{
    private readonly record struct Access(ulong Address, ulong Length, bool IsWrite);

    private readonly InstructionInfoFactory _factory = new();
    private readonly List<Access> _accesses = [];

    /// <summary>Notes what an instruction accesses; of a repeated one, its next turn.</summary>
    public void Foresee(in Instruction instruction, in CpuState state)
    {
        _accesses.Clear();
        foreach (UsedMemory used in _factory.GetInfo(instruction, InstructionInfoOptions.NoRegisterUsage).GetUsedMemory())
        {
            // Of a repeated instruction the size of all turns is not known, of one it is.
            MemorySize size = used.MemorySize == MemorySize.Unknown ? instruction.MemorySize : used.MemorySize;
            bool isWrite = used.Access is OpAccess.Write or OpAccess.CondWrite or OpAccess.ReadWrite or OpAccess.ReadCondWrite;
            if (isWrite || used.Access is OpAccess.Read or OpAccess.CondRead)
                _accesses.Add(new Access(AddressOf(state, used), (ulong)size.GetSize(), isWrite));
        }
    }

    /// <summary>DR6's bits of the breakpoints that it meets.</summary>
    public ulong Hits(DebugRegisters debug)
    {
        ulong hits = 0;
        foreach (Access access in _accesses)
            hits |= debug.Touched(access.Address, access.Length, access.IsWrite);
        return hits;
    }

    public static ulong AddressOf(in CpuState state, in UsedMemory used)
    {
        ulong address = Value(state, used.Base) + (Value(state, used.Index) * (ulong)used.Scale) + used.Displacement;
        if (used.AddressSize == CodeSize.Code32)
            address = (uint)address;
        return address + (used.Segment switch { Register.FS => state.FsBase, Register.GS => state.GsBase, _ => 0 });
    }

    private static ulong Value(in CpuState state, Register register)
    {
        if (!register.IsGPR())
            return 0;
        ulong value = state.Registers[register.GetFullRegister() - Register.RAX];
        return register.IsGPR32() ? (uint)value : value;
    }
}
