using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Text;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.Vector;

/// <summary>Every form of MMX and SSE..SSE4.2, on random operands rich in special values, against the host's own processor.</summary>
public sealed class VectorSiliconTests(ITestOutputHelper output)
{
    private static readonly CpuidFeature[] Features =
    [
        CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2,
        CpuidFeature.MMX, CpuidFeature.PCLMULQDQ,
    ];

    // Hints, and integer instructions that came with SSE.
    private static readonly HashSet<Mnemonic> Others =
    [
        Mnemonic.Prefetchnta, Mnemonic.Prefetcht0, Mnemonic.Prefetcht1, Mnemonic.Prefetcht2, Mnemonic.Sfence, Mnemonic.Lfence, Mnemonic.Mfence,
        Mnemonic.Pause, Mnemonic.Crc32, Mnemonic.Monitor, Mnemonic.Mwait, Mnemonic.Clflush,
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
        foreach (var code in InstructionForms.Of(Features))
        {
            if (Others.Contains(code.Mnemonic()))
                continue;
            CheckForm(harness, code, memory, random, vectors, failures);
        }

        output.WriteLine($"{harness.Vectors} vectors of {harness.Forms} forms");
        Assert.True(failures.Length == 0, failures.ToString());
    }

    private static void CheckForm(FloatHarness harness, Code code, bool memory, Random random, FloatVectors vectors, StringBuilder failures)
    {
        const int Instructions = 12, Operands = 80;
        for (var i = 0; i < Instructions; i++)
        {
            if (!InstructionForms.TryCreate(code, memory, random, out var instruction))
                return;
            if (!harness.TryPrepare(instruction, failures))
                return;
            for (var j = 0; j < Operands; j++)
            {
                var state = RandomState(vectors, instruction.Mnemonic is >= Mnemonic.Pcmpestri and <= Mnemonic.Pcmpistrm);
                if (!harness.Agrees(state, vectors, FloatHarness.Approximation(code.Mnemonic()), failures))
                    return;
            }
        }
    }

    internal static CpuState RandomState(FloatVectors vectors, bool isString)
    {
        Unsafe.SkipInit(out CpuState state);
        state = default;
        var kind = isString ? 3 : vectors.Next(4);
        for (var i = 0; i < 4; i++)
            state.Vectors[i] = RandomVector(vectors, kind);
        for (var i = 0; i < 4; i++)
            state.Registers[i] = vectors.Next(3) == 0 ? (ulong)vectors.Next(40) - 20 : vectors.NextBits();
        for (var i = 0; i < 8; i++)
        {
            var (significand, signExponent) = vectors.Next80();
            state.X87.Registers[i] = new X87Register { Significand = significand, SignExponent = signExponent };
        }

        state.X87.Control = 0x037F;
        state.X87.Top = vectors.Next(8);
        state.X87.Tags = (byte)vectors.Next(256);
        // Any rounding, flushing and sticky flags; all exceptions masked.
        var modes = vectors.Next(2) == 0 ? 0 : (uint)vectors.NextBits() & 0xE040;
        state.Mxcsr = 0x1F80 | modes | (uint)vectors.Next(64);
        state.Flags = 0x202 | vectors.NextBits() & 0x8D5;
        return state;
    }

    private static Vector128<byte> RandomVector(FloatVectors vectors, int kind) => kind switch
    {
        0 => Vector128.Create(vectors.Next64(), vectors.Next64()).AsByte(),
        1 => Vector128.Create(vectors.Next32(), vectors.Next32(), vectors.Next32(), vectors.Next32()).AsByte(),
        2 => Vector128.Create(vectors.NextBits(), vectors.NextBits()).AsByte(),
        // Few different bytes: equal lanes, zeros, small counts.
        _ => Vector128.Create(vectors.NextBits() & 0x0101_0302_0001_0083, vectors.NextBits() & 0x0001_8002_0100_0301).AsByte(),
    };
}
