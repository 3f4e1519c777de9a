using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Control words, the environment and state images (SDM Vol. 1, 8.1.10; FXSAVE in Vol. 2), and MMX's view of the registers.</summary>
internal static class X87Images
{
    private const ushort InitialControl = 0x037F;

    public static bool Execute(ref CpuState state, AddressSpace memory, in MicroOp op, ref ExitReason exit)
    {
        ref var x87 = ref state.X87;
        var address = state.Registers[op.A] + (ulong)op.Immediate;
        var isNarrow = (op.C & (byte)X87Control.Narrow) != 0;
        switch ((X87Control)(op.C & 0x3F))
        {
            case X87Control.Initialize:
                Initialize(ref x87);
                return true;
            case X87Control.ClearExceptions:
                x87.Status &= 0x7F00;
                return true;
            case X87Control.StoreControl:
                memory.Store(address, x87.Control);
                return true;
            case X87Control.StoreStatus:
                memory.Store(address, x87.Status);
                return true;
            case X87Control.StoreEnvironment:
                StoreEnvironment(ref x87, memory, address, isNarrow);
                x87.Control |= 0x3F;
                X87Stack.Summarize(ref x87);
                return true;
            case X87Control.Save:
                StoreEnvironment(ref x87, memory, address, isNarrow);
                StoreRegisters(ref x87, memory, address + (isNarrow ? 14UL : 28));
                Initialize(ref x87);
                return true;
            case X87Control.FxSave:
                exit = ExitReason.GeneralProtection;
                return (address & 15) == 0 && FxSave(ref state, memory, address, (op.C & (byte)X87Control.Wide) != 0);
            case X87Control.FxRestore:
                exit = ExitReason.GeneralProtection;
                return (address & 15) == 0 && FxRestore(ref state, memory, address, (op.C & (byte)X87Control.Wide) != 0);
        }

        // The rest waits for pending exceptions.
        if (X87Stack.IsPending(x87))
            return false;
        ExecuteWaiting(ref x87, memory, (X87Control)(op.C & 0x3F), address, isNarrow);
        return true;
    }

    private static void ExecuteWaiting(ref X87State x87, AddressSpace memory, X87Control control, ulong address, bool isNarrow)
    {
        switch (control)
        {
            case X87Control.LoadControl:
                x87.Control = X87Stack.LegalControl(memory.Load<ushort>(address));
                X87Stack.Summarize(ref x87);
                break;
            case X87Control.LoadEnvironment:
                LoadEnvironment(ref x87, memory, address, isNarrow);
                break;
            case X87Control.Restore:
                var image = x87;
                LoadEnvironment(ref image, memory, address, isNarrow);
                LoadRegisters(ref image, memory, address + (isNarrow ? 14UL : 28));
                x87 = image;
                break;
            default:
                x87.Tags = 0;
                x87.Top = 0;
                break;
        }
    }

    private static void Initialize(ref X87State x87)
    {
        x87.Control = InitialControl;
        x87.Status = 0;
        x87.Tags = 0;
        x87.LastInstruction = 0;
        x87.LastOperand = 0;
        x87.LastOpcode = 0;
    }

    private static void StoreEnvironment(ref X87State x87, AddressSpace memory, ulong address, bool isNarrow)
    {
        var tags = FullTags(ref x87);
        if (isNarrow)
        {
            memory.Store(address + 12, (ushort)0);
            memory.Store(address, x87.Control | (ulong)x87.Status << 16 | (ulong)tags << 32 | (x87.LastInstruction & 0xFFFF) << 48);
            memory.Store(address + 8, (uint)(x87.LastOperand & 0xFFFF) << 16);
            return;
        }

        const uint ReservedOnes = 0xFFFF_0000;
        memory.Store(address + 24, ReservedOnes);
        memory.Store(address, ReservedOnes | x87.Control);
        memory.Store(address + 4, ReservedOnes | x87.Status);
        memory.Store(address + 8, ReservedOnes | tags);
        memory.Store(address + 12, (uint)x87.LastInstruction);
        memory.Store(address + 16, (uint)x87.LastOpcode << 16);
        memory.Store(address + 20, (uint)x87.LastOperand);
    }

    private static void LoadEnvironment(ref X87State x87, AddressSpace memory, ulong address, bool isNarrow)
    {
        var step = isNarrow ? 2UL : 4;
        var control = memory.Load<ushort>(address);
        var status = memory.Load<ushort>(address + step);
        var tags = memory.Load<ushort>(address + 2 * step);
        ulong instruction = isNarrow ? memory.Load<ushort>(address + 6) : memory.Load<uint>(address + 12);
        ulong operand = isNarrow ? memory.Load<ushort>(address + 10) : memory.Load<uint>(address + 20);
        x87.LastInstruction = instruction;
        x87.LastOperand = operand;
        X87Stack.SetWords(ref x87, control, status);
        x87.Tags = 0;
        for (var i = 0; i < 8; i++)
        {
            if ((tags >> (2 * i) & 3) != 3)
                x87.Tags |= (byte)(1 << i);
        }
    }

    /// <summary>The two-bit tags: valid, zero, special, empty; found from the contents.</summary>
    private static ushort FullTags(ref X87State x87)
    {
        var tags = 0;
        for (var i = 0; i < 8; i++)
        {
            var tag = 3;
            if ((x87.Tags >> i & 1) != 0)
            {
                ref var register = ref x87.Registers[i];
                var exponent = register.SignExponent & 0x7FFF;
                if (exponent == 0 && register.Significand == 0)
                    tag = 1;
                else
                    tag = exponent is 0 or 0x7FFF || register.Significand >> 63 == 0 ? 2 : 0;
            }

            tags |= tag << (2 * i);
        }

        return (ushort)tags;
    }

    private static void StoreRegisters(ref X87State x87, AddressSpace memory, ulong address)
    {
        for (var i = 0; i < 8; i++, address += 10)
        {
            var register = X87Stack.Register(ref x87, i);
            memory.Store(address, register.Significand);
            memory.Store(address + 8, register.SignExponent);
        }
    }

    private static void LoadRegisters(ref X87State x87, AddressSpace memory, ulong address)
    {
        for (var i = 0; i < 8; i++, address += 10)
        {
            X87Stack.Register(ref x87, i) = new X87Register
            {
                Significand = memory.Load<ulong>(address),
                SignExponent = memory.Load<ushort>(address + 8),
            };
        }
    }

    private static bool FxSave(ref CpuState state, AddressSpace memory, ulong address, bool isWide)
    {
        Span<byte> image = stackalloc byte[FxImage.Length];
        FxImage.Write(state, image, isWide);
        // The last bytes, which are left alone, are the programs' own. From the end, so that a fault at a page boundary changes nothing.
        for (var i = FxImage.Used - 16; i >= 0; i -= 16)
            memory.Store(address + (ulong)i, Vector128.Create<byte>(image[i..]));
        return true;
    }

    private static bool FxRestore(ref CpuState state, AddressSpace memory, ulong address, bool isWide)
    {
        Span<byte> image = stackalloc byte[FxImage.Length];
        for (var i = 0; i < FxImage.Used; i += 16)
            memory.Load<Vector128<byte>>(address + (ulong)i).CopyTo(image[i..]);
        return FxImage.TryRead(ref state, image, isWide);
    }

    public static void ReadMmx(ref CpuState state, in MicroOp op)
    {
        if (op.C == 0)
            EnterMmx(ref state.X87);
        state.Vectors[op.Destination] = Vector128.CreateScalar(state.X87.Registers[op.A & 7].Significand).AsByte();
    }

    public static void WriteMmx(ref CpuState state, in MicroOp op)
    {
        EnterMmx(ref state.X87);
        state.X87.Registers[op.Destination & 7] = new X87Register
        {
            Significand = state.Vectors[op.A].AsUInt64().ToScalar(),
            SignExponent = 0xFFFF,
        };
    }

    /// <summary>Every MMX instruction but EMMS sets the top to 0 and all tags to valid.</summary>
    private static void EnterMmx(ref X87State x87)
    {
        x87.Top = 0;
        x87.Tags = 0xFF;
    }
}
