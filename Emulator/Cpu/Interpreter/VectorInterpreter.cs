using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Executes the vector micro-ops: movement here, lanes and floating point in the files beside it.</summary>
internal static class VectorInterpreter
{
    /// <summary>Executes one vector or x87 micro-op. False when the instruction must exit with <paramref name="exit"/>.</summary>
    public static bool Execute(ref CpuState state, AddressSpace memory, in MicroOp op, out ExitReason exit)
    {
        exit = ExitReason.FloatingPoint;
        if (op.Code >= OpCode.X87Load)
            return X87Interpreter.Execute(ref state, memory, op, ref exit);
        if (op.Code >= OpCode.FloatAdd)
            return VectorFloat.Execute(ref state, op, ref exit);
        if (op.Code <= OpCode.VectorMoveMask)
            return Move(ref state, memory, op, ref exit);
        switch (op.Code)
        {
            case OpCode.VectorTest:
                Test(ref state, op);
                break;
            case OpCode.VectorStringIndex:
            case OpCode.VectorStringMask:
                VectorStrings.Execute(ref state, op);
                break;
            case OpCode.VectorBlendVariable:
                state.Vectors[op.Destination] = VectorLanes.BlendVariable(op.Size, state.Vectors[op.A], state.Vectors[op.B], state.Vectors[op.C]);
                break;
            default:
                state.Vectors[op.Destination] = VectorLanes.Compute(op, state.Vectors[op.A], state.Vectors[op.B]);
                break;
        }

        return true;
    }

    private static bool Move(ref CpuState state, AddressSpace memory, in MicroOp op, ref ExitReason exit)
    {
        ref var destination = ref state.Vectors[op.Destination & 63];
        var address = state.Registers[op.A] + (ulong)op.Immediate;
        switch (op.Code)
        {
            case OpCode.VectorLoad:
                destination = Load(memory, address, op.Size);
                break;
            case OpCode.VectorLoadLane:
                destination = Insert(state.Vectors[op.B], op.Size, op.C, LoadInteger(memory, address, op.Size));
                break;
            case OpCode.VectorStore:
                if (op.Size == 4)
                    memory.Store(address, state.Vectors[op.B]);
                else
                    StoreInteger(memory, address, op.Size, state.Vectors[op.B].AsUInt64().ToScalar());
                break;
            case OpCode.VectorStoreLane:
                StoreInteger(memory, address, op.Size, Extract(state.Vectors[op.B], op.Size, op.C));
                break;
            case OpCode.VectorStoreMasked:
                StoreMasked(memory, address, 1 << op.Size, state.Vectors[op.B], state.Vectors[op.C]);
                break;
            case OpCode.VectorCheckAlignment:
                exit = ExitReason.GeneralProtection;
                return (address & ((1UL << op.Size) - 1)) == 0;
            case OpCode.VectorMove:
                destination = state.Vectors[op.A];
                break;
            case OpCode.VectorZero:
                destination = default;
                break;
            case OpCode.VectorFromInteger:
                destination = Insert(default, op.Size, 0, state.Registers[op.A]);
                break;
            case OpCode.VectorToInteger:
                state.Registers[op.Destination] = Extract(state.Vectors[op.A], op.Size, op.C);
                break;
            case OpCode.VectorInsertInteger:
                destination = Insert(state.Vectors[op.A], op.Size, op.C, state.Registers[op.B]);
                break;
            case OpCode.VectorInsertLane:
                destination = Insert(state.Vectors[op.A], op.Size, op.C, Extract(state.Vectors[op.B], op.Size, (int)op.Immediate));
                break;
            default:
                state.Registers[op.Destination] = MoveMask(op.Size, state.Vectors[op.A]);
                break;
        }

        return true;
    }

    private static Vector128<byte> Load(AddressSpace memory, ulong address, int size) => size == 4
        ? memory.Load<Vector128<byte>>(address)
        : Vector128.CreateScalar(LoadInteger(memory, address, size)).AsByte();

    private static ulong LoadInteger(AddressSpace memory, ulong address, int size) => size switch
    {
        0 => memory.Load<byte>(address),
        1 => memory.Load<ushort>(address),
        2 => memory.Load<uint>(address),
        _ => memory.Load<ulong>(address),
    };

    private static void StoreInteger(AddressSpace memory, ulong address, int size, ulong value)
    {
        switch (size)
        {
            case 0:
                memory.Store(address, (byte)value);
                break;
            case 1:
                memory.Store(address, (ushort)value);
                break;
            case 2:
                memory.Store(address, (uint)value);
                break;
            default:
                memory.Store(address, value);
                break;
        }
    }

    private static void StoreMasked(AddressSpace memory, ulong address, int bytes, Vector128<byte> value, Vector128<byte> mask)
    {
        for (var i = 0; i < bytes; i++)
        {
            if (mask.GetElement(i) >= 0x80)
                memory.Store(address + (ulong)i, value.GetElement(i));
        }
    }

    private static ulong Extract(Vector128<byte> value, int size, int lane) => size switch
    {
        0 => value.GetElement(lane),
        1 => value.AsUInt16().GetElement(lane),
        2 => value.AsUInt32().GetElement(lane),
        _ => value.AsUInt64().GetElement(lane),
    };

    private static Vector128<byte> Insert(Vector128<byte> into, int size, int lane, ulong value) => size switch
    {
        0 => into.WithElement(lane, (byte)value),
        1 => into.AsUInt16().WithElement(lane, (ushort)value).AsByte(),
        2 => into.AsUInt32().WithElement(lane, (uint)value).AsByte(),
        _ => into.AsUInt64().WithElement(lane, value).AsByte(),
    };

    private static uint MoveMask(int kind, Vector128<byte> value) => (LaneKind)kind switch
    {
        LaneKind.Int8 => value.ExtractMostSignificantBits(),
        LaneKind.Int32 or LaneKind.Float32 => value.AsUInt32().ExtractMostSignificantBits(),
        _ => value.AsUInt64().ExtractMostSignificantBits(),
    };

    private static void Test(ref CpuState state, in MicroOp op)
    {
        Vector128<byte> a = state.Vectors[op.A], b = state.Vectors[op.B];
        var flags = (a & b) == Vector128<byte>.Zero ? X86Flags.Zero : 0;
        if (Vector128.AndNot(b, a) == Vector128<byte>.Zero)
            flags |= X86Flags.Carry;
        X86Flags.Replace(ref state, flags);
    }
}

/// <summary>The arithmetic flags in <see cref="CpuState.Flags"/>.</summary>
internal static class X86Flags
{
    public const ulong Carry = 1;
    public const ulong Parity = 4;
    public const ulong Zero = 0x40;
    public const ulong Sign = 0x80;
    public const ulong Overflow = 0x800;
    private const ulong Arithmetic = 0x8D5;

    /// <summary>Sets the arithmetic flags to exactly <paramref name="flags"/>.</summary>
    public static void Replace(ref CpuState state, ulong flags) => state.Flags = (state.Flags & ~Arithmetic) | flags;
}
