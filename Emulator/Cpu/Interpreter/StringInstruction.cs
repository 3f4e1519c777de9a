using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>
/// MOVS, STOS, LODS, SCAS and CMPS with their repeat prefixes (SDM Vol. 2). Registers move on after every element, so a fault
/// or a pause in the middle leaves them as silicon does, and the instruction simply runs again for the rest.
/// </summary>
internal static class StringInstruction
{
    private const int Rax = 0;
    private const int Rcx = 1;
    private const int Rsi = 6;
    private const int Rdi = 7;
    private const ulong Direction = 1 << 10;

    /// <summary>Elements done before other guests get a turn.</summary>
    private const ulong Turn = 1 << 16;

    /// <summary>False when elements are left: the instruction is to be run again.</summary>
    public static bool Execute(ref CpuState state, AddressSpace memory, in MicroOp op)
    {
        if (op.C == 0)
        {
            Element(ref state, memory, op);
            return true;
        }
        for (ulong done = 0; state.Registers[Rcx] != 0;)
        {
            if (done >= Turn)
                return false;
            ulong bulk = Bulk(ref state, memory, op);
            if (bulk == 0)
            {
                Element(ref state, memory, op);
                bulk = 1;
            }
            state.Registers[Rcx] -= bulk;
            done += bulk;
            if (bulk == 1 && EndsBy(op, state.Flags))
                break;
        }
        return true;
    }

    /// <summary>REPE ends at a difference, REPNE at a match; only for SCAS and CMPS.</summary>
    private static bool EndsBy(in MicroOp op, ulong flags) =>
        (StringOperation)op.Immediate >= StringOperation.Scan && ((flags & Alu.Zero) != 0) == (op.C == 2);

    private static void Element(ref CpuState state, AddressSpace memory, in MicroOp op)
    {
        ref ulong source = ref state.Registers[Rsi];
        ref ulong target = ref state.Registers[Rdi];
        ulong step = (state.Flags & Direction) != 0 ? 0 - (1ul << op.Size) : 1ul << op.Size;
        ulong from = source + (op.B == 1 ? state.FsBase : op.B == 2 ? state.GsBase : 0);
        switch ((StringOperation)op.Immediate)
        {
            case StringOperation.Move:
                Write(memory, target, Read(memory, from, op.Size), op.Size);
                source += step;
                target += step;
                break;
            case StringOperation.Store:
                Write(memory, target, state.Registers[Rax], op.Size);
                target += step;
                break;
            case StringOperation.Load:
                Replace(ref state.Registers[Rax], Read(memory, from, op.Size), op.Size);
                source += step;
                break;
            case StringOperation.Scan:
                Alu.Subtract(state.Registers[Rax], Read(memory, target, op.Size), 0, op, ref state.Flags);
                target += step;
                break;
            default:
                Alu.Subtract(Read(memory, from, op.Size), Read(memory, target, op.Size), 0, op, ref state.Flags);
                source += step;
                target += step;
                break;
        }
    }

    /// <summary>Copies or fills many elements at once where that looks the same; returns how many, 0 for one at a time.</summary>
    private static ulong Bulk(ref CpuState state, AddressSpace memory, in MicroOp op)
    {
        bool isMove = (StringOperation)op.Immediate == StringOperation.Move;
        ulong count = Math.Min(state.Registers[Rcx], Turn);
        if ((state.Flags & Direction) != 0 || count < 8 || (!isMove && (StringOperation)op.Immediate != StringOperation.Store))
            return 0;
        ulong target = state.Registers[Rdi], source = state.Registers[Rsi] + (op.B == 1 ? state.FsBase : op.B == 2 ? state.GsBase : 0);
        Span<byte> to = memory.View(new GuestAddress(target), count << op.Size, MemoryAccess.Write);
        if (isMove)
        {
            // A target just behind its source repeats bytes, which only element order shows.
            if (target - source < count << op.Size)
                return 0;
            Span<byte> from = memory.View(new GuestAddress(source), (ulong)to.Length, MemoryAccess.Read);
            count = (ulong)from.Length >> op.Size;
            from[..(int)(count << op.Size)].CopyTo(to);
            state.Registers[Rsi] += count << op.Size;
        }
        else
        {
            count = (ulong)to.Length >> op.Size;
            Fill(to[..(int)(count << op.Size)], state.Registers[Rax], op.Size);
        }
        state.Registers[Rdi] += count << op.Size;
        return count;
    }

    private static void Fill(Span<byte> to, ulong value, int size)
    {
        switch (size)
        {
            case 0: to.Fill((byte)value); break;
            case 1: System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(to).Fill((ushort)value); break;
            case 2: System.Runtime.InteropServices.MemoryMarshal.Cast<byte, uint>(to).Fill((uint)value); break;
            default: System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(to).Fill(value); break;
        }
    }

    private static ulong Read(AddressSpace memory, ulong address, int size) => size switch
    {
        0 => memory.Load<byte>(address),
        1 => memory.Load<ushort>(address),
        2 => memory.Load<uint>(address),
        _ => memory.Load<ulong>(address),
    };

    private static void Write(AddressSpace memory, ulong address, ulong value, int size)
    {
        switch (size)
        {
            case 0: memory.Store(address, (byte)value); break;
            case 1: memory.Store(address, (ushort)value); break;
            case 2: memory.Store(address, (uint)value); break;
            default: memory.Store(address, value); break;
        }
    }

    /// <summary>Writes a register as instructions of that size do: 32 bits clear the rest, 8 and 16 keep it.</summary>
    private static void Replace(ref ulong register, ulong value, int size) =>
        register = size >= 2 ? value : (register & ~Alu.Mask(size)) | value;
}
