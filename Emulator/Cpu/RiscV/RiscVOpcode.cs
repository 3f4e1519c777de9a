namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>RV64GC with Zba, Zbb and Zbs, in the order of the unprivileged ISA manual's listings (chapter 34); a dot is an underscore.</summary>
internal enum RiscVOpcode : byte
{
    Invalid,

    // RV32I
    Lui, Auipc, Jal, Jalr, Beq, Bne, Blt, Bge, Bltu, Bgeu, Lb, Lh, Lw, Lbu, Lhu, Sb, Sh, Sw,
    Addi, Slti, Sltiu, Xori, Ori, Andi, Add, Sub, Sll, Slt, Sltu, Xor, Srl, Sra, Or, And, Fence, Ecall, Ebreak,

    // RV64I
    Lwu, Ld, Sd, Slli, Srli, Srai, Addiw, Slliw, Srliw, Sraiw, Addw, Subw, Sllw, Srlw, Sraw,

    // Zifencei, Zicsr
    Fence_I, Csrrw, Csrrs, Csrrc, Csrrwi, Csrrsi, Csrrci,

    // RV32M, RV64M
    Mul, Mulh, Mulhsu, Mulhu, Div, Divu, Rem, Remu, Mulw, Divw, Divuw, Remw, Remuw,

    // RV32A, RV64A: the .d form of each is behind its .w form
    Lr_W, Lr_D, Sc_W, Sc_D, Amoswap_W, Amoswap_D, Amoadd_W, Amoadd_D, Amoxor_W, Amoxor_D, Amoand_W, Amoand_D, Amoor_W, Amoor_D,
    Amomin_W, Amomin_D, Amomax_W, Amomax_D, Amominu_W, Amominu_D, Amomaxu_W, Amomaxu_D,

    // RV32F, RV32D: the .d form of each is behind its .s form
    Flw, Fld, Fsw, Fsd, Fmadd_S, Fmadd_D, Fmsub_S, Fmsub_D, Fnmsub_S, Fnmsub_D, Fnmadd_S, Fnmadd_D,
    Fadd_S, Fadd_D, Fsub_S, Fsub_D, Fmul_S, Fmul_D, Fdiv_S, Fdiv_D, Fsqrt_S, Fsqrt_D, Fsgnj_S, Fsgnj_D, Fsgnjn_S, Fsgnjn_D, Fsgnjx_S, Fsgnjx_D,
    Fmin_S, Fmin_D, Fmax_S, Fmax_D, Fcvt_W_S, Fcvt_W_D, Fcvt_Wu_S, Fcvt_Wu_D, Fmv_X_W, Fmv_X_D, Feq_S, Feq_D, Flt_S, Flt_D, Fle_S, Fle_D,
    Fclass_S, Fclass_D, Fcvt_S_W, Fcvt_D_W, Fcvt_S_Wu, Fcvt_D_Wu, Fmv_W_X, Fmv_D_X, Fcvt_S_D, Fcvt_D_S,

    // RV64F, RV64D
    Fcvt_L_S, Fcvt_L_D, Fcvt_Lu_S, Fcvt_Lu_D, Fcvt_S_L, Fcvt_D_L, Fcvt_S_Lu, Fcvt_D_Lu,

    // Zba
    Add_Uw, Sh1add, Sh1add_Uw, Sh2add, Sh2add_Uw, Sh3add, Sh3add_Uw, Slli_Uw,

    // Zbb
    Andn, Orn, Xnor, Clz, Clzw, Ctz, Ctzw, Cpop, Cpopw, Max, Maxu, Min, Minu, Sext_B, Sext_H, Zext_H,
    Rol, Rolw, Ror, Rori, Roriw, Rorw, Orc_B, Rev8,

    // Zbs
    Bclr, Bclri, Bext, Bexti, Binv, Binvi, Bset, Bseti,
}
