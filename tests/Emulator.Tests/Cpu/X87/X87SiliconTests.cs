using System.Runtime.CompilerServices;
using System.Text;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;
using Vivarium.Emulator.Tests.Cpu.Vector;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.X87;

/// <summary>Every x87 form but the transcendental ones, all control words and stack states, against the host's own processor.</summary>
public sealed class X87SiliconTests(ITestOutputHelper output)
{
    // The 8087's and 80287's do-nothings and aliases that no assembler emits.
    private static readonly HashSet<Mnemonic> Excluded =
    [
        Mnemonic.Fneni, Mnemonic.Fndisi, Mnemonic.Fnsetpm, Mnemonic.Frstpm, Mnemonic.Fstpnce, Mnemonic.Wait, Mnemonic.Fnsave, Mnemonic.Fnstenv,
        Mnemonic.Fldenv, Mnemonic.Frstor, Mnemonic.Fnstdw, Mnemonic.Fnstsg,
    ];

    private static readonly HashSet<Mnemonic> Transcendental =
    [
        Mnemonic.Fsin, Mnemonic.Fcos, Mnemonic.Fsincos, Mnemonic.Fptan, Mnemonic.Fpatan, Mnemonic.F2xm1, Mnemonic.Fyl2x, Mnemonic.Fyl2xp1,
    ];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AgreesWithSilicon(bool memory)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VIVARIUM_SEED"), out var given) ? given : 20261121;
        output.WriteLine($"seed {seed}");
        var vectors = new FloatVectors(seed);
        var random = new Random(seed);
        using var harness = new FloatHarness(memory);
        var failures = new StringBuilder();
        foreach (var code in InstructionForms.Of(CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.CMOV, CpuidFeature.SSE3))
        {
            var mnemonic = code.Mnemonic();
            if (mnemonic.ToString().StartsWith('F') && !Excluded.Contains(mnemonic) && !Transcendental.Contains(mnemonic))
                CheckForm(harness, code, memory, random, vectors, failures);
        }

        output.WriteLine($"{harness.Vectors} vectors of {harness.Forms} forms");
        Assert.True(failures.Length == 0, failures.ToString());
    }

    private static void CheckForm(FloatHarness harness, Code code, bool memory, Random random, FloatVectors vectors, StringBuilder failures)
    {
        const int Instructions = 8, Operands = 500;
        for (var i = 0; i < Instructions; i++)
        {
            if (!InstructionForms.TryCreate(code, memory, random, out var instruction) || !harness.TryPrepare(instruction, failures))
                return;
            for (var j = 0; j < Operands; j++)
            {
                if (!harness.Agrees(RandomState(vectors), vectors, false, failures))
                    return;
            }
        }
    }

    internal static CpuState RandomState(FloatVectors vectors)
    {
        Unsafe.SkipInit(out CpuState state);
        state = default;
        state.Mxcsr = 0x1F80;
        state.Flags = 0x202 | vectors.NextBits() & 0x8D5;
        ref var x87 = ref state.X87;
        for (var i = 0; i < 8; i++)
        {
            var (significand, signExponent) = vectors.Next80();
            x87.Registers[i] = new X87Register { Significand = significand, SignExponent = signExponent };
        }

        // Any rounding and precision but the reserved one; in half of the cases some exceptions unmasked.
        var precision = vectors.Next(3);
        x87.Control = (ushort)(0x7F | vectors.Next(4) << 10 | (precision == 0 ? 0 : precision + 1) << 8);
        if (vectors.Next(2) == 0)
            x87.Control &= (ushort)~vectors.Next(64);
        // Nothing pending: flags only where masked.
        x87.Status = (ushort)((uint)vectors.Next(64) & x87.Control | vectors.NextBits() & 0x4740);
        x87.Top = vectors.Next(8);
        x87.Tags = (byte)(vectors.Next(6) == 0 ? vectors.Next(256) : vectors.Next(2) == 0 ? 0xFF : 0xFF & ~(1 << ((x87.Top - 1) & 7)));
        return state;
    }
}
