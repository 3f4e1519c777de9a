namespace Vivarium.Actors.Tests;

/// <summary>What a test that is its own worker needs at once.</summary>
internal static class Answers
{
    public static T Now<T>(this ValueTask<T> task) => task.AsTask().Now();

    public static T Now<T>(this Task<T> task) => task.WaitAsync(TimeSpan.FromSeconds(120)).GetAwaiter().GetResult();
}
