using Iced.Intel;
using Vivarium.Emulator.Tests.Cpu.Integer;
using Vivarium.Emulator.Tests.Cpu.Vector;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>An instruction's form, its operand kinds and what must be known to choose operands.</summary>
internal sealed class InstructionForm
{
    // Hints; approximations; what loads or stores control words and images of the unit; transcendental functions; and the 8087's do-nothings.
    private static readonly HashSet<Mnemonic> Excluded =
    [
        Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2, Mnemonic.Sfence, Mnemonic.Lfence, Mnemonic.Mfence, Mnemonic.Pause,
        Mnemonic.Monitor, Mnemonic.Mwait, Mnemonic.Clflush, Mnemonic.Rcpps, Mnemonic.Rcpss, Mnemonic.Rsqrtps, Mnemonic.Rsqrtss, Mnemonic.Ldmxcsr, Mnemonic.Crc32,
        Mnemonic.Fneni, Mnemonic.Fndisi, Mnemonic.Fnsetpm, Mnemonic.Frstpm, Mnemonic.Fstpnce, Mnemonic.Wait, Mnemonic.Fnsave, Mnemonic.Fnstenv, Mnemonic.Fsave, Mnemonic.Fstenv,
        Mnemonic.Fldenv, Mnemonic.Frstor, Mnemonic.Fnstdw, Mnemonic.Fnstsg, Mnemonic.Fstdw, Mnemonic.Fstsg, Mnemonic.Fldcw, Mnemonic.Feni, Mnemonic.Fdisi, Mnemonic.Fsetpm,
        Mnemonic.Fsin, Mnemonic.Fcos, Mnemonic.Fsincos, Mnemonic.Fptan, Mnemonic.Fpatan, Mnemonic.F2xm1, Mnemonic.Fyl2x, Mnemonic.Fyl2xp1, Mnemonic.Fprem, Mnemonic.Fprem1,
    ];

    public InstructionForm(Code code)
    {
        Code = code;
        Mnemonic = code.Mnemonic();
        var info = code.ToOpCode();
        CanLock = info.CanUseLockPrefix;
        Operands = [.. Enumerable.Range(0, info.OpCount).Select(info.GetOpKind)];
    }

    public Code Code { get; }

    public Mnemonic Mnemonic { get; }

    public bool CanLock { get; }

    public OpCodeOperandKind[] Operands { get; }

    /// <summary>Operands that change: the first of most, the second too of exchanges, none of comparisons.</summary>
    public bool Writes(int operand) => operand switch
    {
        0 => Mnemonic is not (Mnemonic.Cmp or Mnemonic.Test or Mnemonic.Bt or Mnemonic.Push),
        1 => Mnemonic is Mnemonic.Xchg or Mnemonic.Xadd,
        _ => false,
    };

    // Long mode's general-purpose instructions. Moves and the commonest arithmetic are met more often than their number of forms says.
    public static readonly InstructionForm[] Integer = [.. IntegerForms.All().Where(IsDefined).SelectMany(code => Enumerable.Repeat(new InstructionForm(code), Weight(code.Mnemonic())))];

    public static readonly InstructionForm[] Vector = [.. Of(CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2, CpuidFeature.PCLMULQDQ)
        .Where(form => !form.Mnemonic.ToString().StartsWith('F') && !form.UsesMmx)];

    public static readonly InstructionForm[] Mmx = [.. Of(CpuidFeature.MMX, CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSSE3).Where(form => form.UsesMmx)];

    public static readonly InstructionForm[] X87 = [.. Of(CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.CMOV, CpuidFeature.SSE3)
        .Where(form => form.Mnemonic.ToString().StartsWith('F'))];

    public static readonly InstructionForm[] Stack =
    [
        .. new[]
        {
            Code.Push_r64, Code.Push_r64, Code.Push_r16, Code.Pushq_imm8, Code.Pushq_imm32, Code.Push_rm64, Code.Push_rm16, Code.Pop_r64, Code.Pop_r64, Code.Pop_r16,
            Code.Pop_rm64, Code.Pop_rm16, Code.Push_imm16, Code.Pushw_imm8,
        }.Select(code => new InstructionForm(code)),
    ];

    private bool UsesMmx => Operands.Any(kind => kind is OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm) || Mnemonic == Mnemonic.Emms;

    private static IEnumerable<InstructionForm> Of(params CpuidFeature[] features) =>
        InstructionForms.Of(features).Where(code => !Excluded.Contains(code.Mnemonic())).Select(code => new InstructionForm(code));

    /// <summary>16-bit double shifts past the width have no defined result; 16-bit MOVSXD reads two bytes or four.</summary>
    private static bool IsDefined(Code code) =>
        code is not (Code.Shld_rm16_r16_CL or Code.Shld_rm16_r16_imm8 or Code.Shrd_rm16_r16_CL or Code.Shrd_rm16_r16_imm8 or Code.Bswap_r16
            or Code.Movsxd_r16_rm16);

    private static int Weight(Mnemonic mnemonic) => mnemonic switch
    {
        Mnemonic.Mov or Mnemonic.Lea => 6,
        Mnemonic.Movzx or Mnemonic.Movsx or Mnemonic.Movsxd or Mnemonic.Imul => 4,
        Mnemonic.Add or Mnemonic.Sub or Mnemonic.Cmp or Mnemonic.Test or Mnemonic.And or Mnemonic.Xor or Mnemonic.Inc or Mnemonic.Dec => 3,
        _ => 1,
    };
}
