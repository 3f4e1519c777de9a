namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>
/// The encodings: an instruction is the one whose bits under its mask are its own (unprivileged ISA manual, chapter 34, "RV32/64G
/// Instruction Set Listings", and the B extension's). Found by major opcode and funct3, each of which has a few.
/// </summary>
internal static class RiscVEncodings
{
    private readonly record struct Encoding(RiscVOpcode Opcode, uint Mask, uint Bits);

    // What of a word an encoding fixes.
    private const uint Major = 0x0000007F;
    private const uint Funct3 = 0x0000707F;
    private const uint Funct6 = 0xFC00707F;
    private const uint Funct7 = 0xFE00707F;
    private const uint Rounded = 0xFE00007F;
    private const uint Unary = 0xFFF0707F;
    private const uint RoundedUnary = 0xFFF0007F;
    private const uint Fused = 0x0600007F;
    private const uint Atomic = 0xF800707F;
    private const uint Reserved = 0xF9F0707F;
    private const uint All = 0xFFFFFFFF;

    private static readonly Encoding[] Table =
    [
        new(RiscVOpcode.Lui, Major, 0x37), new(RiscVOpcode.Auipc, Major, 0x17), new(RiscVOpcode.Jal, Major, 0x6F), new(RiscVOpcode.Jalr, Funct3, 0x67),
        new(RiscVOpcode.Beq, Funct3, 0x0063), new(RiscVOpcode.Bne, Funct3, 0x1063), new(RiscVOpcode.Blt, Funct3, 0x4063),
        new(RiscVOpcode.Bge, Funct3, 0x5063), new(RiscVOpcode.Bltu, Funct3, 0x6063), new(RiscVOpcode.Bgeu, Funct3, 0x7063),
        new(RiscVOpcode.Lb, Funct3, 0x0003), new(RiscVOpcode.Lh, Funct3, 0x1003), new(RiscVOpcode.Lw, Funct3, 0x2003),
        new(RiscVOpcode.Lbu, Funct3, 0x4003), new(RiscVOpcode.Lhu, Funct3, 0x5003),
        new(RiscVOpcode.Sb, Funct3, 0x0023), new(RiscVOpcode.Sh, Funct3, 0x1023), new(RiscVOpcode.Sw, Funct3, 0x2023),
        new(RiscVOpcode.Addi, Funct3, 0x0013), new(RiscVOpcode.Slti, Funct3, 0x2013), new(RiscVOpcode.Sltiu, Funct3, 0x3013),
        new(RiscVOpcode.Xori, Funct3, 0x4013), new(RiscVOpcode.Ori, Funct3, 0x6013), new(RiscVOpcode.Andi, Funct3, 0x7013),
        new(RiscVOpcode.Add, Funct7, 0x00000033), new(RiscVOpcode.Sub, Funct7, 0x40000033), new(RiscVOpcode.Sll, Funct7, 0x00001033),
        new(RiscVOpcode.Slt, Funct7, 0x00002033), new(RiscVOpcode.Sltu, Funct7, 0x00003033), new(RiscVOpcode.Xor, Funct7, 0x00004033),
        new(RiscVOpcode.Srl, Funct7, 0x00005033), new(RiscVOpcode.Sra, Funct7, 0x40005033), new(RiscVOpcode.Or, Funct7, 0x00006033),
        new(RiscVOpcode.And, Funct7, 0x00007033), new(RiscVOpcode.Fence, Funct3, 0x000F),
        new(RiscVOpcode.Ecall, All, 0x00000073), new(RiscVOpcode.Ebreak, All, 0x00100073),

        new(RiscVOpcode.Lwu, Funct3, 0x6003), new(RiscVOpcode.Ld, Funct3, 0x3003), new(RiscVOpcode.Sd, Funct3, 0x3023),
        new(RiscVOpcode.Slli, Funct6, 0x00001013), new(RiscVOpcode.Srli, Funct6, 0x00005013), new(RiscVOpcode.Srai, Funct6, 0x40005013),
        new(RiscVOpcode.Addiw, Funct3, 0x001B), new(RiscVOpcode.Slliw, Funct7, 0x0000101B), new(RiscVOpcode.Srliw, Funct7, 0x0000501B),
        new(RiscVOpcode.Sraiw, Funct7, 0x4000501B), new(RiscVOpcode.Addw, Funct7, 0x0000003B), new(RiscVOpcode.Subw, Funct7, 0x4000003B),
        new(RiscVOpcode.Sllw, Funct7, 0x0000103B), new(RiscVOpcode.Srlw, Funct7, 0x0000503B), new(RiscVOpcode.Sraw, Funct7, 0x4000503B),

        new(RiscVOpcode.Fence_I, Funct3, 0x100F),
        new(RiscVOpcode.Csrrw, Funct3, 0x1073), new(RiscVOpcode.Csrrs, Funct3, 0x2073), new(RiscVOpcode.Csrrc, Funct3, 0x3073),
        new(RiscVOpcode.Csrrwi, Funct3, 0x5073), new(RiscVOpcode.Csrrsi, Funct3, 0x6073), new(RiscVOpcode.Csrrci, Funct3, 0x7073),

        new(RiscVOpcode.Mul, Funct7, 0x02000033), new(RiscVOpcode.Mulh, Funct7, 0x02001033), new(RiscVOpcode.Mulhsu, Funct7, 0x02002033),
        new(RiscVOpcode.Mulhu, Funct7, 0x02003033), new(RiscVOpcode.Div, Funct7, 0x02004033), new(RiscVOpcode.Divu, Funct7, 0x02005033),
        new(RiscVOpcode.Rem, Funct7, 0x02006033), new(RiscVOpcode.Remu, Funct7, 0x02007033),
        new(RiscVOpcode.Mulw, Funct7, 0x0200003B), new(RiscVOpcode.Divw, Funct7, 0x0200403B), new(RiscVOpcode.Divuw, Funct7, 0x0200503B),
        new(RiscVOpcode.Remw, Funct7, 0x0200603B), new(RiscVOpcode.Remuw, Funct7, 0x0200703B),

        new(RiscVOpcode.Lr_W, Reserved, 0x1000202F), new(RiscVOpcode.Lr_D, Reserved, 0x1000302F),
        new(RiscVOpcode.Sc_W, Atomic, 0x1800202F), new(RiscVOpcode.Sc_D, Atomic, 0x1800302F),
        new(RiscVOpcode.Amoswap_W, Atomic, 0x0800202F), new(RiscVOpcode.Amoswap_D, Atomic, 0x0800302F),
        new(RiscVOpcode.Amoadd_W, Atomic, 0x0000202F), new(RiscVOpcode.Amoadd_D, Atomic, 0x0000302F),
        new(RiscVOpcode.Amoxor_W, Atomic, 0x2000202F), new(RiscVOpcode.Amoxor_D, Atomic, 0x2000302F),
        new(RiscVOpcode.Amoand_W, Atomic, 0x6000202F), new(RiscVOpcode.Amoand_D, Atomic, 0x6000302F),
        new(RiscVOpcode.Amoor_W, Atomic, 0x4000202F), new(RiscVOpcode.Amoor_D, Atomic, 0x4000302F),
        new(RiscVOpcode.Amomin_W, Atomic, 0x8000202F), new(RiscVOpcode.Amomin_D, Atomic, 0x8000302F),
        new(RiscVOpcode.Amomax_W, Atomic, 0xA000202F), new(RiscVOpcode.Amomax_D, Atomic, 0xA000302F),
        new(RiscVOpcode.Amominu_W, Atomic, 0xC000202F), new(RiscVOpcode.Amominu_D, Atomic, 0xC000302F),
        new(RiscVOpcode.Amomaxu_W, Atomic, 0xE000202F), new(RiscVOpcode.Amomaxu_D, Atomic, 0xE000302F),

        new(RiscVOpcode.Flw, Funct3, 0x2007), new(RiscVOpcode.Fld, Funct3, 0x3007), new(RiscVOpcode.Fsw, Funct3, 0x2027), new(RiscVOpcode.Fsd, Funct3, 0x3027),
        .. Both(RiscVOpcode.Fmadd_S, Fused, 0x00000043), .. Both(RiscVOpcode.Fmsub_S, Fused, 0x00000047),
        .. Both(RiscVOpcode.Fnmsub_S, Fused, 0x0000004B), .. Both(RiscVOpcode.Fnmadd_S, Fused, 0x0000004F),
        .. Both(RiscVOpcode.Fadd_S, Rounded, 0x00000053), .. Both(RiscVOpcode.Fsub_S, Rounded, 0x08000053),
        .. Both(RiscVOpcode.Fmul_S, Rounded, 0x10000053), .. Both(RiscVOpcode.Fdiv_S, Rounded, 0x18000053),
        .. Both(RiscVOpcode.Fsqrt_S, RoundedUnary, 0x58000053), .. Both(RiscVOpcode.Fsgnj_S, Funct7, 0x20000053),
        .. Both(RiscVOpcode.Fsgnjn_S, Funct7, 0x20001053), .. Both(RiscVOpcode.Fsgnjx_S, Funct7, 0x20002053),
        .. Both(RiscVOpcode.Fmin_S, Funct7, 0x28000053), .. Both(RiscVOpcode.Fmax_S, Funct7, 0x28001053),
        .. Both(RiscVOpcode.Fcvt_W_S, RoundedUnary, 0xC0000053), .. Both(RiscVOpcode.Fcvt_Wu_S, RoundedUnary, 0xC0100053),
        .. Both(RiscVOpcode.Fmv_X_W, Unary, 0xE0000053), .. Both(RiscVOpcode.Feq_S, Funct7, 0xA0002053),
        .. Both(RiscVOpcode.Flt_S, Funct7, 0xA0001053), .. Both(RiscVOpcode.Fle_S, Funct7, 0xA0000053),
        .. Both(RiscVOpcode.Fclass_S, Unary, 0xE0001053), .. Both(RiscVOpcode.Fcvt_S_W, RoundedUnary, 0xD0000053),
        .. Both(RiscVOpcode.Fcvt_S_Wu, RoundedUnary, 0xD0100053), .. Both(RiscVOpcode.Fmv_W_X, Unary, 0xF0000053),
        new(RiscVOpcode.Fcvt_S_D, RoundedUnary, 0x40100053), new(RiscVOpcode.Fcvt_D_S, RoundedUnary, 0x42000053),
        .. Both(RiscVOpcode.Fcvt_L_S, RoundedUnary, 0xC0200053), .. Both(RiscVOpcode.Fcvt_Lu_S, RoundedUnary, 0xC0300053),
        .. Both(RiscVOpcode.Fcvt_S_L, RoundedUnary, 0xD0200053), .. Both(RiscVOpcode.Fcvt_S_Lu, RoundedUnary, 0xD0300053),

        new(RiscVOpcode.Add_Uw, Funct7, 0x0800003B), new(RiscVOpcode.Sh1add, Funct7, 0x20002033), new(RiscVOpcode.Sh1add_Uw, Funct7, 0x2000203B),
        new(RiscVOpcode.Sh2add, Funct7, 0x20004033), new(RiscVOpcode.Sh2add_Uw, Funct7, 0x2000403B), new(RiscVOpcode.Sh3add, Funct7, 0x20006033),
        new(RiscVOpcode.Sh3add_Uw, Funct7, 0x2000603B), new(RiscVOpcode.Slli_Uw, Funct6, 0x0800101B),

        new(RiscVOpcode.Andn, Funct7, 0x40007033), new(RiscVOpcode.Orn, Funct7, 0x40006033), new(RiscVOpcode.Xnor, Funct7, 0x40004033),
        new(RiscVOpcode.Clz, Unary, 0x60001013), new(RiscVOpcode.Clzw, Unary, 0x6000101B), new(RiscVOpcode.Ctz, Unary, 0x60101013),
        new(RiscVOpcode.Ctzw, Unary, 0x6010101B), new(RiscVOpcode.Cpop, Unary, 0x60201013), new(RiscVOpcode.Cpopw, Unary, 0x6020101B),
        new(RiscVOpcode.Max, Funct7, 0x0A006033), new(RiscVOpcode.Maxu, Funct7, 0x0A007033), new(RiscVOpcode.Min, Funct7, 0x0A004033),
        new(RiscVOpcode.Minu, Funct7, 0x0A005033), new(RiscVOpcode.Sext_B, Unary, 0x60401013), new(RiscVOpcode.Sext_H, Unary, 0x60501013),
        new(RiscVOpcode.Zext_H, Unary, 0x0800403B), new(RiscVOpcode.Rol, Funct7, 0x60001033), new(RiscVOpcode.Rolw, Funct7, 0x6000103B),
        new(RiscVOpcode.Ror, Funct7, 0x60005033), new(RiscVOpcode.Rori, Funct6, 0x60005013), new(RiscVOpcode.Roriw, Funct7, 0x6000501B),
        new(RiscVOpcode.Rorw, Funct7, 0x6000503B), new(RiscVOpcode.Orc_B, Unary, 0x28705013), new(RiscVOpcode.Rev8, Unary, 0x6B805013),

        new(RiscVOpcode.Bclr, Funct7, 0x48001033), new(RiscVOpcode.Bclri, Funct6, 0x48001013), new(RiscVOpcode.Bext, Funct7, 0x48005033),
        new(RiscVOpcode.Bexti, Funct6, 0x48005013), new(RiscVOpcode.Binv, Funct7, 0x68001033), new(RiscVOpcode.Binvi, Funct6, 0x68001013),
        new(RiscVOpcode.Bset, Funct7, 0x28001033), new(RiscVOpcode.Bseti, Funct6, 0x28001013),
    ];

    private static readonly Encoding[][] ByMajor = Sort();

    /// <summary>The .s and .d forms: fmt is bits 26:25.</summary>
    private static Encoding[] Both(RiscVOpcode single, uint mask, uint bits) =>
        [new(single, mask, bits), new(single + 1, mask, bits | 0x02000000)];

    private static int Index(uint word) => (int)((word >> 2) & 0x1F) << 3 | (int)((word >> 12) & 7);

    private static Encoding[][] Sort()
    {
        var lists = new List<Encoding>[256];
        foreach (Encoding encoding in Table)
        {
            for (uint funct3 = 0; funct3 < 8; funct3++)
            {
                uint word = encoding.Bits | (funct3 << 12);
                if ((encoding.Mask & 0x7000) == 0 || (word & encoding.Mask) == encoding.Bits)
                    (lists[Index(word)] ??= []).Add(encoding);
            }
        }
        return Array.ConvertAll(lists, static list => list?.ToArray() ?? []);
    }

    /// <summary>The bits that an instruction fixes, and what they are.</summary>
    public static (uint Mask, uint Bits) Find(RiscVOpcode opcode)
    {
        Encoding encoding = Array.Find(Table, candidate => candidate.Opcode == opcode);
        return (encoding.Mask, encoding.Bits);
    }

    /// <summary>The instruction of a 32-bit word.</summary>
    public static RiscVOpcode Decode(uint word)
    {
        if ((word & 3) == 3)
        {
            foreach (Encoding encoding in ByMajor[Index(word)])
            {
                if ((word & encoding.Mask) == encoding.Bits)
                    return encoding.Opcode;
            }
        }
        return RiscVOpcode.Invalid;
    }
}
