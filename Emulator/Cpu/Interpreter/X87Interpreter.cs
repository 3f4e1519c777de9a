using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>
/// Executes the x87 micro-ops, one for each instruction. Memory is read and written before any register changes, so that a
/// faulting instruction can be run again. Known deviation: the pointers to the last instruction and its operand (SDM Vol. 1,
/// 8.1.8) stay as they were loaded; they serve debuggers of the 8087's asynchronous faults only.
/// </summary>
internal static class X87Interpreter
{
    public static bool Execute(ref CpuState state, AddressSpace memory, in MicroOp op, ref ExitReason exit)
    {
        ref var x87 = ref state.X87;
        if (op.Code == OpCode.X87Control)
            return X87Images.Execute(ref state, memory, op, ref exit);
        if (op.Code == OpCode.X87GetWord)
        {
            state.Registers[op.Destination] = op.Immediate == 0 ? x87.Control : x87.Status;
            return true;
        }

        if (X87Stack.IsPending(x87))
            return false;
        switch (op.Code)
        {
            case OpCode.X87Wait:
                return true;
            case OpCode.MmxRead:
                X87Images.ReadMmx(ref state, op);
                return true;
            case OpCode.MmxWrite:
                X87Images.WriteMmx(ref state, op);
                return true;
        }

        var address = state.Registers[op.A] + (ulong)op.Immediate;
        Compute(ref state, memory, op, address);
        return true;
    }

    private static void Compute(ref CpuState state, AddressSpace memory, in MicroOp op, ulong address)
    {
        ref var x87 = ref state.X87;
        switch (op.Code)
        {
            case OpCode.X87Load:
                X87Transfers.Load(ref x87, memory, op, address);
                break;
            case OpCode.X87Store:
                X87Transfers.Store(ref x87, memory, op, address);
                break;
            case OpCode.X87Arithmetic:
                Arithmetic(ref x87, memory, op, address);
                break;
            case OpCode.X87Compare:
                Compare(ref state, memory, op, address);
                break;
            case OpCode.X87Constant:
                X87Transfers.Constant(ref x87, (int)op.Immediate);
                break;
            case OpCode.X87Exchange:
                Exchange(ref x87, op.B);
                break;
            case OpCode.X87Function:
                X87Functions.Execute(ref x87, (X87Function)op.Immediate);
                break;
            case OpCode.X87MoveConditional:
                MoveConditional(ref x87, op.B, state.Registers[op.A] != 0);
                break;
            case OpCode.X87Free:
                X87Stack.Free(ref x87, op.B);
                X87Stack.SetConditions(ref x87, X87Stack.C1, 0);
                X87Stack.Pop(ref x87, op.C);
                break;
            default:
                throw new InvalidOperationException($"not an x87 operation: {op.Code}");
        }
    }

    /// <summary>Reads an arithmetic operand. False when it is an empty stack register.</summary>
    private static bool TryOperand(ref X87State x87, AddressSpace memory, in MicroOp op, ulong address, out FloatValue value)
    {
        value = (X87Operand)op.Size switch
        {
            X87Operand.Float32 => FloatValue.Unpack(FloatFormat.Binary32, memory.Load<uint>(address)),
            X87Operand.Float64 => FloatValue.Unpack(FloatFormat.Binary64, memory.Load<ulong>(address)),
            X87Operand.Int16 => FloatValue.FromInteger(memory.Load<short>(address)),
            X87Operand.Int32 => FloatValue.FromInteger(memory.Load<int>(address)),
            _ => FloatValue.Unpack(X87Stack.Register(ref x87, op.B)),
        };
        return (X87Operand)op.Size != X87Operand.Register || !X87Stack.IsEmpty(ref x87, op.B);
    }

    private static void Arithmetic(ref X87State x87, AddressSpace memory, in MicroOp op, ulong address)
    {
        var isPopping = (op.C & 0x80) != 0;
        if (!TryOperand(ref x87, memory, op, address, out var source) || X87Stack.IsEmpty(ref x87, op.Destination))
        {
            if (X87Stack.Fault(ref x87, false))
                return;
            X87Stack.Write(ref x87, op.Destination, X87Stack.Indefinite);
        }
        else
        {
            var context = FloatContext.FromX87(x87.Control);
            var target = FloatValue.Unpack(X87Stack.Register(ref x87, op.Destination));
            var exact = (X87Arithmetic)(op.C & 7) switch
            {
                X87Arithmetic.Add => FloatArithmetic.Add(target, source, ref context),
                X87Arithmetic.Multiply => FloatArithmetic.Multiply(target, source, ref context),
                X87Arithmetic.Subtract => FloatArithmetic.Subtract(target, source, ref context),
                X87Arithmetic.SubtractReversed => FloatArithmetic.Subtract(source, target, ref context),
                X87Arithmetic.Divide => FloatArithmetic.Divide(target, source, ref context),
                _ => FloatArithmetic.Divide(source, target, ref context),
            };
            var result = FloatRounding.PackExtended(exact, X87Stack.Precision(x87), ref context);
            if (X87Stack.Report(ref x87, context))
                return;
            X87Stack.Write(ref x87, op.Destination, result);
        }

        if (isPopping)
            X87Stack.Pop(ref x87);
    }

    private static void Compare(ref CpuState state, AddressSpace memory, in MicroOp op, ulong address)
    {
        ref var x87 = ref state.X87;
        var order = FloatOrder.Unordered;
        bool isWithheld;
        if (!TryOperand(ref x87, memory, op, address, out var source) || X87Stack.IsEmpty(ref x87, 0))
        {
            isWithheld = X87Stack.Fault(ref x87, false);
        }
        else
        {
            var context = FloatContext.FromX87(x87.Control);
            order = FloatComparison.Compare(FloatValue.Unpack(X87Stack.Register(ref x87, 0)), source, (op.C & 4) == 0, ref context);
            var previous = (ushort)(x87.Status & X87Stack.C1);
            isWithheld = X87Stack.Report(ref x87, context);
            // FCOMI and its kin keep C1.
            if ((op.C & 8) != 0)
                X87Stack.SetConditions(ref x87, X87Stack.C1, previous);
        }

        // Processors deliver the order in any case; an unmasked exception only keeps the stack.
        if ((op.C & 8) != 0)
            X86Flags.Replace(ref state, VectorFloatConversion.FlagsOf(order));
        else
            X87Functions.SetOrder(ref x87, order);
        if (!isWithheld)
            X87Stack.Pop(ref x87, op.C & 3);
    }

    private static void Exchange(ref X87State x87, int index)
    {
        if (X87Stack.IsEmpty(ref x87, 0) || X87Stack.IsEmpty(ref x87, index))
        {
            if (X87Stack.Fault(ref x87, false))
                return;
            if (X87Stack.IsEmpty(ref x87, 0))
                X87Stack.Write(ref x87, 0, X87Stack.Indefinite);
            if (X87Stack.IsEmpty(ref x87, index))
                X87Stack.Write(ref x87, index, X87Stack.Indefinite);
        }
        else
        {
            X87Stack.SetConditions(ref x87, X87Stack.C1, 0);
        }

        ref var top = ref X87Stack.Register(ref x87, 0);
        ref var other = ref X87Stack.Register(ref x87, index);
        (top, other) = (other, top);
    }

    private static void MoveConditional(ref X87State x87, int index, bool holds)
    {
        if (X87Stack.IsEmpty(ref x87, 0) || X87Stack.IsEmpty(ref x87, index))
        {
            // Whether the condition holds or not.
            if (!X87Stack.Fault(ref x87, false))
                X87Stack.Write(ref x87, 0, X87Stack.Indefinite);
            return;
        }

        if (holds)
            X87Stack.Register(ref x87, 0) = X87Stack.Register(ref x87, index);
    }
}
