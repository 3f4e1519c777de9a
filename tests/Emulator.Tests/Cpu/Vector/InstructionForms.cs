using Iced.Intel;

namespace Vivarium.Emulator.Tests.Cpu.Vector;

/// <summary>Makes instructions of every form of a set of CPU features, from Iced's encoding tables.</summary>
internal static class InstructionForms
{
    /// <summary>All legacy-encoded forms valid in 64-bit mode.</summary>
    public static IEnumerable<Code> Of(params CpuidFeature[] features)
    {
        foreach (var code in Enum.GetValues<Code>())
        {
            var info = code.ToOpCode();
            if (info.IsInstruction && info.Mode64 && info.Encoding == EncodingKind.Legacy && code.CpuidFeatures().Intersect(features).Any())
                yield return code;
        }
    }

    /// <summary>Makes one instruction of a form. Operands that may be memory are when <paramref name="memory"/> is set: [rsi].</summary>
    public static bool TryCreate(Code code, bool memory, Random random, out Instruction instruction)
    {
        instruction = default;
        instruction.Code = code;
        var info = code.ToOpCode();
        var hasMemory = false;
        for (var i = 0; i < info.OpCount; i++)
        {
            if (!TrySetOperand(ref instruction, i, info.GetOpKind(i), memory, random, ref hasMemory))
                return false;
        }

        return memory == hasMemory;
    }

    private static bool TrySetOperand(ref Instruction instruction, int index, OpCodeOperandKind kind, bool memory, Random random, ref bool hasMemory)
    {
        var register = kind switch
        {
            OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm => Register.XMM0 + random.Next(4),
            OpCodeOperandKind.xmm_or_mem when !memory => Register.XMM0 + random.Next(4),
            OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm => Register.MM0 + random.Next(4),
            OpCodeOperandKind.mm_or_mem when !memory => Register.MM0 + random.Next(4),
            OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_rm => Register.EAX + random.Next(4),
            OpCodeOperandKind.r32_or_mem when !memory => Register.EAX + random.Next(4),
            OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_rm => Register.RAX + random.Next(4),
            OpCodeOperandKind.r64_or_mem when !memory => Register.RAX + random.Next(4),
            OpCodeOperandKind.ax => Register.AX,
            OpCodeOperandKind.st0 => Register.ST0,
            OpCodeOperandKind.sti_opcode => Register.ST0 + random.Next(8),
            _ => Register.None,
        };
        if (register != Register.None)
        {
            instruction.SetOpRegister(index, register);
            return true;
        }

        switch (kind)
        {
            case OpCodeOperandKind.imm8:
                instruction.SetOpKind(index, OpKind.Immediate8);
                instruction.Immediate8 = (byte)random.Next(256);
                return true;
            case OpCodeOperandKind.seg_rDI:
                instruction.SetOpKind(index, OpKind.MemorySegRDI);
                hasMemory = true;
                return memory;
            case OpCodeOperandKind.mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.r32_or_mem
                or OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r32_reg_mem when memory:
                instruction.SetOpKind(index, OpKind.Memory);
                instruction.MemoryBase = Register.RSI;
                hasMemory = true;
                return true;
            default:
                return false;
        }
    }

    public static byte[] Encode(Instruction instruction)
    {
        using var stream = new MemoryStream();
        Encoder.Create(64, new StreamCodeWriter(stream)).Encode(instruction, 0);
        return stream.ToArray();
    }

    /// <summary>The instruction as the decoder sees it.</summary>
    public static Instruction Decode(byte[] bytes)
    {
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(bytes));
        decoder.Decode(out var instruction);
        return instruction;
    }
}
