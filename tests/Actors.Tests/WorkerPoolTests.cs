using Vivarium.Actors.Execution;
using Xunit;

namespace Vivarium.Actors.Tests;

public sealed class WorkerPoolTests
{
    [Fact]
    public void Works_in_turn()
    {
        var pool = new WorkerPool(new FakeClock(), 7);
        List<string> order = [];
        for (int i = 0; i < 3; i++)
        {
            string name = $"{(char)('a' + i)}";
            int left = 2;
            pool.Add(new Script(quantum =>
            {
                Assert.Equal(7, quantum);
                order.Add(name);
                if (--left > 0)
                    return RunState.Ready;
                if (name == "c")
                    pool.Stop();
                return RunState.Done;
            })).Wake();
        }
        pool.Work();
        Assert.Equal(["a", "b", "c", "a", "b", "c"], order);
    }

    [Fact]
    public void A_sleeper_wakes_at_its_time()
    {
        var clock = new FakeClock();
        var pool = new WorkerPool(clock, 1);
        long wokenAt = 0;
        int runs = 0;
        pool.Add(new Script(_ =>
        {
            if (runs++ == 0)
                return RunState.Idle(5_000_000);
            wokenAt = clock.Monotonic;
            pool.Stop();
            return RunState.Done;
        })).Wake();
        using var time = new Timer(_ => clock.Advance(1_000_000), null, 1, 1);
        pool.Work();
        Assert.True(wokenAt >= 5_000_000);
        Assert.Equal(2, runs);
    }

    [Fact]
    public void Waking_while_it_runs_is_not_lost()
    {
        var pool = new WorkerPool(new FakeClock(), 1);
        WorkerPool.Ticket? ticket = null;
        int runs = 0;
        ticket = pool.Add(new Script(_ =>
        {
            if (++runs == 1)
            {
                ticket!.Wake();
                return RunState.Idle(null);
            }
            pool.Stop();
            return RunState.Done;
        }));
        ticket.Wake();
        pool.Work();
        Assert.Equal(2, runs);
    }

    [Fact]
    public void Who_waits_for_work_does_it()
    {
        var pool = new WorkerPool(new FakeClock(), 1);
        var end = new TaskCompletionSource();
        int mine = Environment.CurrentManagedThreadId, runs = 0, others = 0;
        pool.Add(new Script(_ =>
        {
            Assert.Equal(mine, Environment.CurrentManagedThreadId);
            if (++runs < 3)
                return RunState.Ready;
            end.SetResult();
            return RunState.Done;
        })).Wake();
        pool.WorkUntil(end.Task);
        Assert.Equal(3, runs);
        // What comes after is for the next.
        pool.Add(new Script(_ =>
        {
            others++;
            return RunState.Done;
        })).Wake();
        pool.WorkUntil(end.Task);
        Assert.Equal(0, others);
        pool.WorkReady();
        Assert.Equal(1, others);
    }

    [Fact]
    public void Who_waits_is_woken_by_the_end_of_work_done_elsewhere()
    {
        var pool = new WorkerPool(new FakeClock(), 1);
        for (int i = 0; i < 200; i++)
        {
            var end = new TaskCompletionSource(i % 2 == 0 ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
            var other = new Thread(end.SetResult);
            other.Start();
            pool.WorkUntil(end.Task);
            Assert.True(end.Task.IsCompleted);
            other.Join();
        }
    }

    [Fact]
    public void Many_sleepers_share_two_threads()
    {
        var pool = new WorkerPool(new FakeClock(), 1);
        int done = 0;
        const int Count = 10_000;
        var tickets = new WorkerPool.Ticket[Count];
        for (int i = 0; i < Count; i++)
        {
            int runs = 0;
            tickets[i] = pool.Add(new Script(_ =>
            {
                if (++runs == 1)
                    return RunState.Idle(null);
                if (Interlocked.Increment(ref done) == Count)
                    pool.Stop();
                return RunState.Done;
            }));
            tickets[i].Wake();
        }
        var workers = new[] { new Thread(pool.Work), new Thread(pool.Work) };
        foreach (Thread worker in workers)
            worker.Start();
        // Woken once more while queued, running or asleep; a wake while queued is the same as none.
        while (Volatile.Read(ref done) < Count)
        {
            foreach (WorkerPool.Ticket ticket in tickets)
                ticket.Wake();
        }
        foreach (Thread worker in workers)
            worker.Join();
        Assert.Equal(Count, done);
    }

    private sealed class Script(Func<long, RunState> run) : IWork
    {
        public RunState Run(long quantum) => run(quantum);
    }
}
