using Iced.Intel;
using Vivarium.Emulator.Cpu.X86;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Integer;

/// <summary>The block builder's memory of which family lowers an instruction.</summary>
public sealed class FamilyTests
{
    [Fact]
    public void EveryCodeHasAPlace() => Assert.True((int)Enum.GetValues<Code>().Max() < X86BlockBuilder.Codes);
}
