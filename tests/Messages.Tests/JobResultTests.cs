using Vivarium.Messages;
using Xunit;

namespace Vivarium.Messages.Tests;

public sealed class JobResultTests
{
    [Theory]
    [InlineData(JobEnd.Exited, 0, JobFailure.None, 0)]
    [InlineData(JobEnd.Exited, 42, JobFailure.None, 42)]
    [InlineData(JobEnd.Killed, 11, JobFailure.None, 139)]
    [InlineData(JobEnd.TimedOut, 0, JobFailure.None, 124)]
    [InlineData(JobEnd.NotStarted, 0, JobFailure.NotFound, 127)]
    [InlineData(JobEnd.NotStarted, 0, JobFailure.NotExecutable, 126)]
    [InlineData(JobEnd.NotStarted, 0, JobFailure.BadSetup, 125)]
    [InlineData(JobEnd.Broken, 0, JobFailure.None, 125)]
    [InlineData(JobEnd.Cancelled, 0, JobFailure.None, 143)]
    public void Exit_codes_are_the_shells(JobEnd end, int code, JobFailure failure, int expected)
    {
        var result = new JobResult { End = end, Code = code, Failure = failure };
        Assert.Equal(expected, result.ExitCode);
    }

    [Fact]
    public void Final_states_are_the_last_four()
    {
        Assert.Equal(
            [JobState.Succeeded, JobState.Failed, JobState.Cancelled, JobState.TimedOut],
            Enum.GetValues<JobState>().Where(state => state.IsFinal()));
    }
}
