using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Multiplication, division, bits and flags; atomic memory operations, strings and system instructions.</summary>
public sealed partial class Interpreter
{
    private static ExitReason ExecuteWide(ref CpuState state, in MicroOp op)
    {
        ref ulong d = ref state.Registers[op.Destination];
        ulong a = state.Registers[op.A];
        ulong b = state.Registers[op.B];
        switch (op.Code)
        {
            case OpCode.Multiply: d = Alu.Multiply(a, b, op, ref state.Flags); break;
            case OpCode.MultiplyWide or OpCode.MultiplyWideSigned:
                (d, state.Registers[op.C]) = Alu.MultiplyWide(op.Code == OpCode.MultiplyWideSigned, a, b, op, ref state.Flags);
                break;
            case OpCode.Divide or OpCode.DivideSigned:
                if (!Alu.TryDivide(op.Code == OpCode.DivideSigned, a, state.Registers[op.C], b, op.Size, out ulong quotient, out ulong remainder))
                    return ExitReason.DivideError;
                state.Registers[op.C] = remainder;
                d = quotient;
                break;
            case OpCode.BitTest or OpCode.BitSet or OpCode.BitReset or OpCode.BitComplement: d = Bit(op, a, b, ref state.Flags); break;
            case OpCode.BitScanForward or OpCode.BitScanReverse: Scan(op, a, ref d, ref state.Flags); break;
            case OpCode.PopulationCount:
                d = (ulong)BitOperations.PopCount(a & Alu.Mask(op.Size));
                state.Flags = (state.Flags & ~Alu.Arithmetic) | (d == 0 ? Alu.Zero : 0);
                break;
            case OpCode.ByteSwap: d = op.Size == 3 ? BinaryPrimitives.ReverseEndianness(a) : op.Size == 1 ? BinaryPrimitives.ReverseEndianness((ushort)a) : BinaryPrimitives.ReverseEndianness((uint)a); break;
            case OpCode.Crc32: d = op.C == 1 ? PlainCrc((uint)a, b, 1 << op.Size) : Crc((uint)a, b, op.Size); break;
            case OpCode.SetCondition: d = Alu.Holds((Condition)op.C, state.Flags) ? 1ul : 0; break;
            case OpCode.Select: d = Alu.Holds((Condition)op.C, state.Flags) ? a : b; break;
            case OpCode.GetFlags: d = state.Flags; break;
            case OpCode.SetFlags: state.Flags = (state.Flags & ~(ulong)op.Immediate) | (a & (ulong)op.Immediate); break;
            case OpCode.SubtractIf or OpCode.AddIf: CompareIf(op, a, b, ref state.Flags); break;
            case OpCode.ComplementCarry: state.Flags ^= Alu.Carry; break;
            default: throw Unknown(op);
        }
        return ExitReason.Budget;
    }

    private static void CompareIf(in MicroOp op, ulong a, ulong b, ref ulong flags)
    {
        if (!Alu.Holds((Condition)op.C, flags))
        {
            flags = (flags & ~Alu.Arithmetic) | (ulong)op.Immediate;
        }
        else if (op.Code == OpCode.SubtractIf)
        {
            Alu.Subtract(a, b, 0, op, ref flags);
        }
        else
        {
            Alu.Add(a, b, 0, op, ref flags);
            flags ^= Alu.Carry;
        }
    }

    /// <summary>CRC-32 with the polynomial 0x04C11DB7, its bits in the opposite order, as CRC32B and so on compute it.</summary>
    private static ulong PlainCrc(uint crc, ulong data, int bytes)
    {
        for (; bytes > 0; bytes--, data >>= 8)
        {
            crc ^= (byte)data;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB8_8320 : 0);
        }
        return crc;
    }

    private static ulong Bit(in MicroOp op, ulong a, ulong b, ref ulong flags)
    {
        int index = (int)(b & (ulong)((8 << op.Size) - 1));
        ulong bit = 1ul << index;
        if (op.Flags != FlagMask.None)
            flags = (flags & ~Alu.Carry) | ((a >> index) & 1);
        return Alu.Mask(op.Size) & op.Code switch
        {
            OpCode.BitSet => a | bit,
            OpCode.BitReset => a & ~bit,
            OpCode.BitComplement => a ^ bit,
            _ => a,
        };
    }

    private static void Scan(in MicroOp op, ulong a, ref ulong d, ref ulong flags)
    {
        a &= Alu.Mask(op.Size);
        if (a != 0)
            d = (ulong)(op.Code == OpCode.BitScanForward ? BitOperations.TrailingZeroCount(a) : 63 - BitOperations.LeadingZeroCount(a));
        flags = (flags & ~Alu.Zero) | (a == 0 ? Alu.Zero : 0);
    }

    private static ulong Crc(uint crc, ulong data, int size) => size switch
    {
        0 => BitOperations.Crc32C(crc, (byte)data),
        1 => BitOperations.Crc32C(crc, (ushort)data),
        2 => BitOperations.Crc32C(crc, (uint)data),
        _ => BitOperations.Crc32C(crc, data),
    };

    private static ExitReason ExecuteSystem(ref CpuState state, AddressSpace memory, in MicroOp op, GuestCpu cpu)
    {
        ulong address = state.Registers[op.A] + (ulong)op.Immediate;
        switch (op.Code)
        {
            case OpCode.ClearBlock:
                ulong start = address & ~((1ul << op.Size) - 1);
                for (ulong at = start; at < start + (1ul << op.Size); at += sizeof(ulong))
                    memory.Store(at, 0ul);
                return ExitReason.Budget;
            case OpCode.StoreIfUnchanged:
                return StoreIfUnchanged(memory, address, state.Registers[op.B], state.Registers[op.C], op.Size) ? ExitReason.Budget : Restart;
            case OpCode.StoreReserved:
                bool isStored = state.Registers[op.C] == address && StoreIfUnchanged(memory, address, state.Registers[op.B], state.Registers[op.C + 1], op.Size);
                (state.Registers[op.C], state.Registers[op.Destination]) = (ulong.MaxValue, isStored ? 0ul : 1);
                return ExitReason.Budget;
            case OpCode.CompareExchange:
                state.Registers[op.Destination] = CompareExchange(memory, address, state.Registers[op.B], state.Registers[op.C], op.Size);
                return ExitReason.Budget;
            case OpCode.CompareExchangePair:
                CompareExchangePair(ref state, memory, address, op);
                return ExitReason.Budget;
            case OpCode.CheckAlignment:
                return (address & ((1ul << op.Size) - 1)) == 0 ? ExitReason.Budget : op.C == 0 ? ExitReason.GeneralProtection : (ExitReason)op.C;
            case OpCode.String:
                return StringInstruction.Execute(ref state, memory, op) ? ExitReason.Budget : Restart;
            case OpCode.CpuId:
                X86CpuId.Execute(ref state);
                return ExitReason.Budget;
            case OpCode.CheckPort:
                bool isPermitted = op.C == 0 ? cpu.Ports?.Permits((ushort)state.Registers[op.A], 1 << op.Size) == true : cpu.Ports?.Level == 3;
                return isPermitted ? ExitReason.Budget : ExitReason.GeneralProtection;
            case OpCode.TimeStamp when cpu.HidesTimeStamp:
                return ExitReason.GeneralProtection;
            case OpCode.TimeStamp:
                state.Registers[op.Destination] = cpu.TimeStamp?.Read() ?? cpu.Instructions;
                return ExitReason.Budget;
            case OpCode.Trap:
                return op.Immediate == 1 ? EndOfBlock : (ExitReason)op.C;
            default:
                throw Unknown(op);
        }
    }

    private static bool StoreIfUnchanged(AddressSpace memory, ulong address, ulong value, ulong expected, int size) =>
        CompareExchange(memory, address, value, expected, size) == (expected & Alu.Mask(size));

    /// <summary>What memory held. The mask is needed: CMPXCHG leaves what was above the operand in RAX when it stores, which the compiler takes for zeros.</summary>
    private static ulong CompareExchange(AddressSpace memory, ulong address, ulong value, ulong expected, int size) => Alu.Mask(size) & size switch
    {
        3 => memory.CompareExchange(address, value, expected),
        2 => memory.CompareExchange(address, (uint)value, (uint)expected),
        1 => memory.CompareExchange(address, (ushort)value, (ushort)expected),
        _ => memory.CompareExchange(address, (byte)value, (byte)expected),
    };

    /// <summary>CMPXCHG8B/16B: compares RDX:RAX with memory; equal: stores RCX:RBX and sets zero, else loads RDX:RAX.</summary>
    private static void CompareExchangePair(ref CpuState state, AddressSpace memory, ulong address, in MicroOp op)
    {
        int half = 1 << op.Size;
        ulong low = Load(memory, address, op.Size), high = Load(memory, address + (ulong)half, op.Size);
        ulong mask = Alu.Mask(op.Size);
        bool equal = low == (state.Registers[0] & mask) && high == (state.Registers[2] & mask);
        // The store happens in both cases, so that a read-only page faults as on silicon.
        ulong newLow = equal ? state.Registers[3] : low, newHigh = equal ? state.Registers[1] : high;
        if (op.Size == 3)
            memory.Store(address, Vector128.Create(newLow, newHigh));
        else
            memory.Store(address, (newLow & mask) | (newHigh << 32));
        if (!equal)
            (state.Registers[0], state.Registers[2]) = (low, high);
        state.Flags = (state.Flags & ~Alu.Zero) | (equal ? Alu.Zero : 0);
    }
}
