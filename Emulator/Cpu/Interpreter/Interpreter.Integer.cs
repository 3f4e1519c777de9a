using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>The loop over a block's micro-ops and the integer families.</summary>
public sealed partial class Interpreter
{
    /// <summary>Runs a block; Budget means that it ended and the program counter is at its successor.</summary>
    private static ExitReason Execute(ref CpuState state, AddressSpace memory, Block block, ref int at, GuestCpu cpu)
    {
        MicroOp[] ops = block.Ops;
        // 256 slots: any byte is a valid register number.
        ref ulong registers = ref Unsafe.As<IntegerFile, ulong>(ref state.Registers);
        for (int i = 0; i < ops.Length; i++)
        {
            ref MicroOp op = ref ops[i];
            at = i;
            ref ulong d = ref Unsafe.Add(ref registers, op.Destination);
            ulong a = Unsafe.Add(ref registers, op.A);
            switch (op.Code)
            {
                case OpCode.Nop:
                    break;
                case OpCode.Move:
                    d = a;
                    break;
                case OpCode.MoveImmediate:
                    d = (ulong)op.Immediate;
                    break;
                case OpCode.ZeroExtend:
                    d = a & Alu.Mask(op.Size);
                    break;
                case OpCode.SignExtend:
                    d = (ulong)Alu.SignExtend(a, op.Size);
                    break;
                case OpCode.AddressOf:
                    d = a + (Unsafe.Add(ref registers, op.B) << op.C) + (ulong)op.Immediate;
                    break;
                case OpCode.Add:
                    d = Alu.Add(a, Unsafe.Add(ref registers, op.B), 0, op, ref state.Flags);
                    break;
                case OpCode.AddImmediate:
                    d = Alu.Add(a, (ulong)op.Immediate, 0, op, ref state.Flags);
                    break;
                case OpCode.Subtract:
                    d = Alu.Subtract(a, Unsafe.Add(ref registers, op.B), 0, op, ref state.Flags);
                    break;
                case OpCode.SubtractImmediate:
                    d = Alu.Subtract(a, (ulong)op.Immediate, 0, op, ref state.Flags);
                    break;
                case OpCode.And:
                    d = Alu.Logic(a & Unsafe.Add(ref registers, op.B), op, ref state.Flags);
                    break;
                case OpCode.AndImmediate:
                    d = Alu.Logic(a & (ulong)op.Immediate, op, ref state.Flags);
                    break;
                case OpCode.Xor:
                    d = Alu.Logic(a ^ Unsafe.Add(ref registers, op.B), op, ref state.Flags);
                    break;
                case OpCode.Load:
                    d = Load(memory, a + (ulong)op.Immediate, op.Size);
                    break;
                case OpCode.LoadSigned:
                    d = (ulong)Alu.SignExtend(Load(memory, a + (ulong)op.Immediate, op.Size), op.Size);
                    break;
                case OpCode.Store:
                    Store(memory, a + (ulong)op.Immediate, Unsafe.Add(ref registers, op.B), op.Size);
                    break;
                case OpCode.Insert:
                    d = (d & ~Alu.Mask(op.Size)) | (a & Alu.Mask(op.Size));
                    break;
                case OpCode.Jump:
                    state.Pc = (ulong)op.Immediate;
                    return ExitReason.Budget;
                case OpCode.Branch:
                    if (Alu.Holds((Condition)op.C, state.Flags))
                    {
                        state.Pc = (ulong)op.Immediate;
                        return SideExit;
                    }
                    break;
                case OpCode.BranchIfZero or OpCode.BranchIfNotZero or OpCode.BranchIfBitClear or OpCode.BranchIfBitSet:
                    if (IsTaken(op, a))
                    {
                        state.Pc = (ulong)op.Immediate;
                        return SideExit;
                    }
                    break;
                case OpCode.JumpRegister:
                    state.Pc = a;
                    return ExitReason.Budget;
                case OpCode.SystemCall:
                    state.Pc = block.End;
                    return ExitReason.SystemCall;
                default:
                    ExitReason exit = ExecuteOther(ref state, memory, op, cpu);
                    if (exit == ExitReason.Budget)
                        break;
                    if (exit == EndOfBlock)
                    {
                        state.Pc = block.End;
                        return (ExitReason)op.C;
                    }
                    return exit;
            }
        }
        state.Pc = block.End;
        return ExitReason.Budget;
    }

    /// <summary>Not an exit: the block was left by a jump, perhaps before its end.</summary>
    private const ExitReason SideExit = (ExitReason)253;

    /// <summary>Not an exit: a block ended here.</summary>
    private const ExitReason EndOfBlock = (ExitReason)254;

    private static bool IsTaken(in MicroOp op, ulong a) => op.Code switch
    {
        OpCode.BranchIfZero => (a & Alu.Mask(op.Size)) == 0,
        OpCode.BranchIfNotZero => (a & Alu.Mask(op.Size)) != 0,
        OpCode.BranchIfBitClear => ((a >> op.C) & 1) == 0,
        _ => ((a >> op.C) & 1) != 0,
    };

    private static ExitReason ExecuteOther(ref CpuState state, AddressSpace memory, in MicroOp op, GuestCpu cpu)
    {
        if (op.Code >= OpCode.NeonLanes)
            return NeonInterpreter.Execute(ref state, op);
        if (op.Code >= OpCode.ScalarAdd)
            return ScalarInterpreter.Execute(ref state, op);
        if (op.Code >= OpCode.VectorLoad)
            return VectorInterpreter.Execute(ref state, memory, op, out ExitReason vector) ? ExitReason.Budget : vector;
        if (op.Code <= OpCode.Not)
            return ExecuteArithmetic(ref state, op);
        return op.Code <= OpCode.ShiftDoubleRight ? ExecuteShift(ref state, op)
            : op.Code <= OpCode.ComplementCarry ? ExecuteWide(ref state, op)
            : op.Code <= OpCode.TrailingZeros ? ExecuteTotal(ref state, op)
            : ExecuteSystem(ref state, memory, op, cpu);
    }

    private static ExitReason ExecuteArithmetic(ref CpuState state, in MicroOp op)
    {
        ref ulong d = ref state.Registers[op.Destination];
        ulong a = state.Registers[op.A];
        ulong b = state.Registers[op.B];
        ulong immediate = (ulong)op.Immediate;
        ulong carry = state.Flags & Alu.Carry;
        switch (op.Code)
        {
            case OpCode.InsertHigh: d = (d & ~0xFF00ul) | ((a & 0xFF) << 8); break;
            case OpCode.ExtractHigh: d = (a >> 8) & 0xFF; break;
            case OpCode.AddThreadBase: d = a + (immediate == 0 ? state.FsBase : state.GsBase); break;
            case OpCode.Or: d = Alu.Logic(a | b, op, ref state.Flags); break;
            case OpCode.OrImmediate: d = Alu.Logic(a | immediate, op, ref state.Flags); break;
            case OpCode.XorImmediate: d = Alu.Logic(a ^ immediate, op, ref state.Flags); break;
            case OpCode.AddCarry: d = Alu.Add(a, b, carry, op, ref state.Flags); break;
            case OpCode.AddCarryImmediate: d = Alu.Add(a, immediate, carry, op, ref state.Flags); break;
            case OpCode.SubtractBorrow: d = Alu.Subtract(a, b, carry, op, ref state.Flags); break;
            case OpCode.SubtractBorrowImmediate: d = Alu.Subtract(a, immediate, carry, op, ref state.Flags); break;
            case OpCode.Increment: d = Alu.Step(a, up: true, op, ref state.Flags); break;
            case OpCode.Decrement: d = Alu.Step(a, up: false, op, ref state.Flags); break;
            case OpCode.Negate: d = Alu.Subtract(0, a, 0, op, ref state.Flags); break;
            case OpCode.Not: d = ~a & Alu.Mask(op.Size); break;
            default: throw Unknown(op);
        }
        return ExitReason.Budget;
    }

    private static ExitReason ExecuteShift(ref CpuState state, in MicroOp op)
    {
        ref ulong d = ref state.Registers[op.Destination];
        ulong a = state.Registers[op.A];
        if (op.Code is OpCode.ShiftDoubleLeft or OpCode.ShiftDoubleRight)
        {
            d = Alu.ShiftDouble(op.Code == OpCode.ShiftDoubleLeft, a, state.Registers[op.B], state.Registers[op.C], op, ref state.Flags);
            return ExitReason.Budget;
        }
        // Register and immediate forms alternate.
        bool isImmediate = ((op.Code - OpCode.ShiftLeft) & 1) != 0;
        ulong count = isImmediate ? (ulong)op.Immediate : state.Registers[op.B];
        OpCode code = isImmediate ? op.Code - 1 : op.Code;
        d = code switch
        {
            OpCode.RotateLeft or OpCode.RotateRight => Alu.Rotate(code == OpCode.RotateLeft, a, count, op, ref state.Flags),
            OpCode.RotateCarryLeft or OpCode.RotateCarryRight => Alu.RotateCarry(code == OpCode.RotateCarryLeft, a, count, op, ref state.Flags),
            _ => Alu.Shift(code, a, count, op, ref state.Flags),
        };
        return ExitReason.Budget;
    }

    private static ulong Load(AddressSpace memory, ulong address, int size) => size switch
    {
        3 => memory.Load<ulong>(address),
        2 => memory.Load<uint>(address),
        0 => memory.Load<byte>(address),
        _ => memory.Load<ushort>(address),
    };

    private static void Store(AddressSpace memory, ulong address, ulong value, int size)
    {
        switch (size)
        {
            case 3: memory.Store(address, value); break;
            case 2: memory.Store(address, (uint)value); break;
            case 0: memory.Store(address, (byte)value); break;
            default: memory.Store(address, (ushort)value); break;
        }
    }

    private static InvalidOperationException Unknown(in MicroOp op) => new($"no execution of micro-op {op.Code}");
}
