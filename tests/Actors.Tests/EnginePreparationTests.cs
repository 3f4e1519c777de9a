using Vivarium.Actors.Execution;
using Vivarium.Emulator.Cpu;
using Xunit;

namespace Vivarium.Actors.Tests;

public sealed class EnginePreparationTests
{
    [Fact]
    public void Its_program_runs_to_its_end() => Assert.Equal(ExitReason.SystemCall, EnginePreparation.Run());
}
