using System.Diagnostics;
using System.Text;
using Vivarium.Messages;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>
/// A node with its store on the disk and its API on a loopback address, client and node in this process: what a job costs from the request
/// that submits it to the answer that has its result, both durable.
/// </summary>
internal sealed class ClusterNode(EmbeddedNode node, string program) : IAsyncDisposable
{
    /// <summary>Jobs of a request, where many are submitted.</summary>
    private const int Together = 100;

    private const int Submitters = 2;
    private const int Waiters = 8;

    private static readonly TimeSpan WarmUpTime = TimeSpan.FromSeconds(5);

    /// <param name="store">As cluster.store.</param>
    /// <param name="folder">Where the node's folder is made, on the disk that is to be measured.</param>
    /// <exception cref="ClientException">It cannot be started.</exception>
    public static async Task<ClusterNode> Start(string store, string folder, string program)
    {
        var node = new ClusterNode(await EmbeddedNode.Start(store: store, parent: folder).ConfigureAwait(false), program);
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < WarmUpTime)
            await node.RunMany(Together * Submitters).ConfigureAwait(false);
        return node;
    }

    /// <summary>Jobs submitted by a hundred and waited for one by one: milliseconds of all, by the number of jobs.</summary>
    public async Task<double> RunMany(int count)
    {
        long start = Stopwatch.GetTimestamp();
        var ids = new string[count];
        await Parallel.ForAsync(0, count / Together, new ParallelOptions { MaxDegreeOfParallelism = Submitters }, async (part, stop) =>
        {
            SubmitAnswer answer = await Submit(Together, stop).ConfigureAwait(false);
            answer.Jobs.ToArray().CopyTo(ids, part * Together);
        }).ConfigureAwait(false);
        await Parallel.ForAsync(0, count / Together * Together, new ParallelOptions { MaxDegreeOfParallelism = Waiters }, async (i, stop) =>
            Check(await node.Client.Wait(ids[i], stop).ConfigureAwait(false))).ConfigureAwait(false);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds / count;
    }

    /// <summary>Jobs one after another: milliseconds from the submission of each to its result, unsorted.</summary>
    public async Task<double[]> RunOneByOne(int count)
    {
        double[] times = new double[count];
        for (int i = 0; i < count; i++)
        {
            long start = Stopwatch.GetTimestamp();
            SubmitAnswer answer = await Submit(1, default).ConfigureAwait(false);
            Check(await node.Client.Wait(answer.Jobs[0]).ConfigureAwait(false));
            times[i] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        return times;
    }

    public ValueTask DisposeAsync() => node.DisposeAsync();

    private Task<SubmitAnswer> Submit(int count, CancellationToken stop) => node.Client.Submit(
        new SubmitRequest { Job = new JobRequest { Command = [new ByteText(Encoding.UTF8.GetBytes(program))] }, Count = count },
        Guid.NewGuid().ToString("N"),
        stop);

    private static void Check(JobDetail job)
    {
        if (job.State != JobState.Succeeded)
            throw new InvalidOperationException($"job {job.Id} ended as {job.State}");
    }
}
