using Iced.Intel;

namespace Vivarium.Emulator.Tests.Cpu.Integer;

/// <summary>Makes general-purpose instructions of every form that can be run out of context: no branches, no stack, nothing privileged.</summary>
internal static class IntegerForms
{
    private static readonly CpuidFeature[] Features =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.CMOV, CpuidFeature.POPCNT, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.SSE4_2,
    ];

    // Tested by whole programs: what needs a stack, strings, and what would leave the stub.
    private static readonly HashSet<Mnemonic> Excluded =
    [
        Mnemonic.Push, Mnemonic.Pop, Mnemonic.Pushf, Mnemonic.Pushfq, Mnemonic.Popf, Mnemonic.Popfq, Mnemonic.Enter, Mnemonic.Leave, Mnemonic.Xlatb,
        Mnemonic.Lsl, Mnemonic.Lar, Mnemonic.Verr, Mnemonic.Verw, Mnemonic.Sldt, Mnemonic.Str, Mnemonic.Smsw, Mnemonic.Sgdt, Mnemonic.Sidt, Mnemonic.Lss,
        Mnemonic.Lfs, Mnemonic.Lgs, Mnemonic.Les, Mnemonic.Lds, Mnemonic.Std, Mnemonic.Sti, Mnemonic.Cli, Mnemonic.Int3, Mnemonic.Int1, Mnemonic.Into, Mnemonic.Hlt,
        Mnemonic.Rdpmc, Mnemonic.Cpuid, Mnemonic.Rdtsc, Mnemonic.Wait, Mnemonic.Wbinvd, Mnemonic.Invd, Mnemonic.Swapgs, Mnemonic.Clts, Mnemonic.Invlpg, Mnemonic.Ud0,
        Mnemonic.Ud1, Mnemonic.Ud2, Mnemonic.Lmsw, Mnemonic.Lgdt, Mnemonic.Lidt, Mnemonic.Lldt, Mnemonic.Ltr,
    ];

    public static IEnumerable<Code> All()
    {
        foreach (var code in Enum.GetValues<Code>())
        {
            var info = code.ToOpCode();
            if (!info.IsInstruction || !info.Mode64 || info.Encoding != EncodingKind.Legacy || info.IsPrivileged || info.IsReservedNop)
                continue;
            if (code.FlowControl() != FlowControl.Next || Excluded.Contains(code.Mnemonic()) || code.ToString().Contains("xmm", StringComparison.Ordinal))
                continue;
            Instruction instruction = default;
            instruction.Code = code;
            if (code.CpuidFeatures().Intersect(Features).Any() && !instruction.IsStringInstruction)
                yield return code;
        }
    }

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

        if (hasMemory && info.CanUseLockPrefix)
            instruction.HasLockPrefix = random.Next(2) == 0;
        return memory == hasMemory;
    }

    private static bool TrySetOperand(ref Instruction instruction, int index, OpCodeOperandKind kind, bool memory, Random random, ref bool hasMemory)
    {
        var isMemory = kind == OpCodeOperandKind.mem
            || (memory && kind is OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem);
        if (isMemory)
        {
            hasMemory = true;
            SetMemory(ref instruction, index, random);
            return memory;
        }

        var register = RegisterOf(kind, random);
        if (register != Register.None)
        {
            instruction.SetOpRegister(index, register);
            return true;
        }

        return TrySetImmediate(ref instruction, index, kind, random);
    }

    /// <summary>The operand at RSI; for LEA any address.</summary>
    private static void SetMemory(ref Instruction instruction, int index, Random random)
    {
        instruction.SetOpKind(index, OpKind.Memory);
        instruction.MemoryBase = Register.RSI;
        if (instruction.Mnemonic != Mnemonic.Lea)
            return;
        var isNarrow = random.Next(4) == 0;
        instruction.MemoryBase = (isNarrow ? Register.EAX : Register.RAX) + random.Next(4);
        instruction.MemoryIndex = (isNarrow ? Register.EAX : Register.RAX) + random.Next(4);
        instruction.MemoryIndexScale = 1 << random.Next(4);
        instruction.MemoryDisplSize = isNarrow ? 4 : 8;
        instruction.MemoryDisplacement64 = isNarrow ? (uint)random.Next() : (ulong)random.Next(int.MinValue, int.MaxValue);
    }

    private static Register RegisterOf(OpCodeOperandKind kind, Random random) => kind switch
    {
        // AL, CL, DL, BL, AH, CH, DH, BH.
        OpCodeOperandKind.r8_reg or OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r8_opcode => Register.AL + random.Next(8),
        OpCodeOperandKind.r16_reg or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r16_opcode or OpCodeOperandKind.r16_rm => Register.AX + random.Next(4),
        OpCodeOperandKind.r32_reg or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r32_opcode or OpCodeOperandKind.r32_rm => Register.EAX + random.Next(4),
        OpCodeOperandKind.r64_reg or OpCodeOperandKind.r64_or_mem or OpCodeOperandKind.r64_opcode or OpCodeOperandKind.r64_rm => Register.RAX + random.Next(4),
        OpCodeOperandKind.al => Register.AL,
        OpCodeOperandKind.cl => Register.CL,
        OpCodeOperandKind.ax => Register.AX,
        OpCodeOperandKind.eax => Register.EAX,
        OpCodeOperandKind.rax => Register.RAX,
        _ => Register.None,
    };

    private static bool TrySetImmediate(ref Instruction instruction, int index, OpCodeOperandKind kind, Random random)
    {
        var (operand, value) = kind switch
        {
            OpCodeOperandKind.imm8 => (OpKind.Immediate8, (ulong)random.Next(256)),
            OpCodeOperandKind.imm8_const_1 => (OpKind.Immediate8, 1UL),
            OpCodeOperandKind.imm8sex16 => (OpKind.Immediate8to16, (ulong)(long)random.Next(-128, 128)),
            OpCodeOperandKind.imm8sex32 => (OpKind.Immediate8to32, (ulong)(long)random.Next(-128, 128)),
            OpCodeOperandKind.imm8sex64 => (OpKind.Immediate8to64, (ulong)(long)random.Next(-128, 128)),
            OpCodeOperandKind.imm16 => (OpKind.Immediate16, (ulong)random.Next(65536)),
            OpCodeOperandKind.imm32 => (OpKind.Immediate32, (uint)random.NextInt64(1L << 32)),
            OpCodeOperandKind.imm32sex64 => (OpKind.Immediate32to64, (ulong)(long)random.Next(int.MinValue, int.MaxValue)),
            OpCodeOperandKind.imm64 => (OpKind.Immediate64, (ulong)random.NextInt64(long.MinValue, long.MaxValue)),
            _ => (OpKind.Register, 0UL),
        };
        if (operand == OpKind.Register)
            return false;
        instruction.SetOpKind(index, operand);
        instruction.SetImmediate(index, value);
        return true;
    }
}
