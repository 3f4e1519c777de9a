using System.Text;
using Iced.Intel;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;
using Vivarium.Emulator.Tests.Cpu.Vector;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.X87;

/// <summary>The images that FNSTENV, FNSAVE and FXSAVE write and their counterparts read, against the host's own processor.</summary>
public sealed class X87ImageTests
{
    [Theory]
    [InlineData(Code.Fnstenv_m28byte)]
    [InlineData(Code.Fnstenv_m14byte)]
    [InlineData(Code.Fldenv_m28byte)]
    [InlineData(Code.Fldenv_m14byte)]
    [InlineData(Code.Fnsave_m108byte)]
    [InlineData(Code.Fnsave_m94byte)]
    [InlineData(Code.Frstor_m108byte)]
    [InlineData(Code.Frstor_m94byte)]
    [InlineData(Code.Fxsave64_m512byte)]
    [InlineData(Code.Fxsave_m512byte)]
    [InlineData(Code.Fxrstor64_m512byte)]
    [InlineData(Code.Fxrstor_m512byte)]
    public void AgreesWithSilicon(Code code)
    {
        var vectors = new FloatVectors(20261121);
        using var harness = new FloatHarness(memory: true);
        var failures = new StringBuilder();
        Assert.True(InstructionForms.TryCreate(code, true, new Random(1), out var instruction));
        Assert.True(harness.TryPrepare(instruction, failures), failures.ToString());
        for (var i = 0; i < 300 && failures.Length == 0; i++)
            harness.Agrees(X87SiliconTests.RandomState(vectors), vectors, false, failures);
        Assert.True(failures.Length == 0, failures.ToString());
    }
}
