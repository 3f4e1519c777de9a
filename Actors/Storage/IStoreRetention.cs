namespace Vivarium.Actors.Storage;

/// <summary>Which ended jobs are kept.</summary>
/// <param name="EndedBefore">Jobs that ended before this are not, Unix nanoseconds by the store's clock.</param>
/// <param name="Most">Ended jobs that are kept at most; those accepted first go first.</param>
public readonly record struct JobsToKeep(long EndedBefore, long Most);

/// <summary>Removes what nobody needs any more, in batches that hold nobody up. Any node may, at any time.</summary>
public interface IStoreRetention
{
    /// <summary>
    /// Removes ended jobs that are not to be kept, with journal, output and labels; the result is how many. Of the ended jobs
    /// accepted first it looks at <paramref name="limit"/>.
    /// </summary>
    ValueTask<int> RemoveJobs(JobsToKeep keep, int limit);

    /// <summary>
    /// Removes images without a name that no job needs, and pieces of images that were never completed, when neither was used or
    /// written since a time; the result is how many.
    /// </summary>
    ValueTask<int> RemoveImages(long unusedSince);
}
