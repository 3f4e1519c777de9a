using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;
using Vivarium.Emulator.Tests.Cpu.Vector;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.X87;

/// <summary>
/// The transcendental instructions against the host's own: results agree to the last bit or the next, flags exactly (but C1, which
/// tells how that processor's own approximation was rounded).
/// </summary>
public sealed class X87TranscendentalTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(Code.F2xm1)]
    [InlineData(Code.Fyl2x)]
    [InlineData(Code.Fyl2xp1)]
    [InlineData(Code.Fpatan)]
    [InlineData(Code.Fsin)]
    [InlineData(Code.Fcos)]
    [InlineData(Code.Fsincos)]
    [InlineData(Code.Fptan)]
    public void AgreesWithSilicon(Code code)
    {
        const int Vectors = 6000;
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VIVARIUM_SEED"), out var given) ? given : 20261121;
        var vectors = new FloatVectors(seed);
        using var silicon = new Silicon();
        Instruction instruction = default;
        instruction.Code = code;
        var stub = silicon.Compile(InstructionForms.Encode(instruction));
        var emulation = new FloatEmulation(instruction, 0);
        int equal = 0, near = 0;
        for (var i = 0; i < Vectors; i++)
        {
            var state = X87SiliconTests.RandomState(vectors);
            var (native, emulated) = (state, state);
            silicon.Execute(stub, ref native);
            emulation.Run(ref emulated, null!);
            var distance = Distance(native, emulated, code is Code.Fsincos or Code.Fptan);
            Assert.True(distance <= 1, $"{code} seed {seed} vector {i}:\n before {Describe(state)}\n silicon {Describe(native)}\n ours {Describe(emulated)}");
            _ = distance == 0 ? equal++ : near++;
        }

        output.WriteLine($"{code}: {equal} equal, {near} one unit in the last place off; seed {seed}");
    }

    /// <summary>The largest distance of results in units of the last place; int.MaxValue when anything else differs.</summary>
    private static long Distance(in CpuState native, in CpuState emulated, bool pushes)
    {
        if (((native.X87.Status ^ emulated.X87.Status) & ~X87Stack.C1) != 0 || native.X87.Tags != emulated.X87.Tags)
            return int.MaxValue;
        long distance = 0;
        for (var i = 0; i < 8; i++)
        {
            var (a, b) = (native.X87.Registers[i], emulated.X87.Registers[i]);
            var index = (i - native.X87.Top) & 7;
            var mayDiffer = index == 0 || (pushes && index == 1);
            if (a.SignExponent == b.SignExponent && a.Significand == b.Significand)
                continue;
            var units = (long)(a.Significand - b.Significand);
            // Across a power of two the units differ: compare the neighbours 0xFFFF… and 0x8000….
            if (Math.Abs(a.SignExponent - b.SignExponent) == 1)
                units = Math.Abs(units) == long.MaxValue ? 1 : int.MaxValue;
            distance = mayDiffer && Math.Abs(a.SignExponent - b.SignExponent) <= 1 ? Math.Max(distance, Math.Abs(units)) : int.MaxValue;
        }

        return distance;
    }

    private static string Describe(in CpuState state)
    {
        var text = $"cw {state.X87.Control:x4} sw {state.X87.Status:x4} tags {state.X87.Tags:x2}";
        for (var i = 0; i < 3; i++)
        {
            var register = state.X87.Registers[(state.X87.Top + i) & 7];
            text += $" {register.SignExponent:x4}.{register.Significand:x16}";
        }

        return text;
    }
}
