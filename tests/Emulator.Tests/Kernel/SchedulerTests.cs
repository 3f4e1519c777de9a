using Vivarium.Emulator.Kernel;
using Xunit;

namespace Vivarium.Emulator.Tests.Kernel;

/// <summary>Who runs when: turns, seeds, sleeping, yielding.</summary>
public sealed class SchedulerTests
{
    /// <summary>Threads that note their number after each piece of work.</summary>
    private static Script Workers(int threads, int rounds, ulong work)
    {
        var script = new Script();
        for (int i = 1; i < threads; i++)
            script.Thread($"worker {i}", i);
        for (int i = 0; i < threads; i++)
        {
            int number = i;
            script.Label($"worker {i}").Do(static turn => turn[0] = 0);
            script.Label($"round {i}").Spin(work).Note($"{number}").Do(static turn => turn[0]++);
            script.JumpIf(turn => turn[0] < (ulong)rounds, $"round {i}");
            // The first waits for all others before it ends the world.
            if (i == 0)
                script.Label("wait").Call("sched_yield").JumpIf(_ => script.Notes.Count < threads * rounds, "wait").Exit();
            else
                script.Call("exit", 0);
        }
        return script;
    }

    [Fact]
    public void Busy_threads_get_equal_turns()
    {
        const int threads = 4, rounds = 50;
        Script script = Workers(threads, rounds, 160_000).Run();
        Assert.Equal(threads * rounds, script.Notes.Count);
        // Never is one ahead of another by more than what fits two turns.
        int[] done = new int[threads];
        foreach (string note in script.Notes)
        {
            done[note[0] - '0']++;
            Assert.True(done.Max() - done.Min() <= 6, string.Join("", script.Notes));
        }
    }

    [Fact]
    public void Shuffled_turns_starve_nobody()
    {
        const int threads = 4, rounds = 100;
        for (ulong seed = 1; seed <= 5; seed++)
        {
            Script script = Workers(threads, rounds, 160_000).Run(seed, shuffles: true);
            int firstEnd = Enumerable.Range(0, threads).Min(thread => script.Notes.LastIndexOf($"{thread}"));
            int[] last = new int[threads];
            for (int i = 0; i < firstEnd; i++)
            {
                int thread = script.Notes[i][0] - '0';
                Assert.True(i - last[thread] < 60, $"seed {seed}: thread {thread} waits from {last[thread]} to {i}");
                last[thread] = i;
            }
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_schedule_and_another_another()
    {
        string Order(ulong seed) => string.Join("", Workers(4, 30, 160_000).Run(seed, shuffles: true).Notes);
        Assert.Equal(Order(1), Order(1));
        Assert.Equal(Order(2), Order(2));
        Assert.NotEqual(Order(1), Order(2));
    }

    [Fact]
    public void A_thread_that_yields_lets_all_others_run_first()
    {
        Script script = new Script().Thread("other", 1)
            .Note("a").Call("sched_yield").Note("b").Call("sched_yield").Note("c").Exit()
            .Label("other").Note("1").Call("sched_yield").Note("2").Call("sched_yield").Jump("other").Run();
        Assert.Equal(["a", "1", "b", "2", "c"], script.Notes);
    }

    [Fact]
    public void Sleepers_wake_in_the_order_of_their_deadlines_and_virtual_time_jumps()
    {
        Script script = new Script().Thread("long", 1).Thread("short", 2)
            .Sleep(5000).Note("main").Exit()
            .Label("long").Do(static turn => turn.Set(Script.Data + 128, (3L, 0L))).Call("nanosleep", Script.Data + 128, 0).Note("long").Call("exit", 0)
            .Label("short").Do(static turn => turn.Set(Script.Data + 192, (1L, 0L))).Call("nanosleep", Script.Data + 192, 0).Note("short").Call("exit", 0)
            .Run();
        Assert.Equal(["short", "long", "main"], script.Notes);
    }

    [Fact]
    public void A_sleep_takes_the_time_it_should()
    {
        long before = 0;
        Script script = new();
        script.Do(_ => before = script.World.Clock.Monotonic).Sleep(250).Note(_ => $"{(script.World.Clock.Monotonic - before) / 1_000_000} ms").Exit().Run();
        Assert.Equal(["250 ms"], script.Notes);
    }

    [Fact]
    public void An_interval_timer_shorter_than_its_own_signal_still_lets_the_program_run()
    {
        // Every microsecond a signal, and a handler that takes longer.
        Script script = new Script();
        script.Handle(14, "handler").Do(static turn => turn.Set(Script.Data + 64, (0L, 1L, 0L, 1L))).Call("setitimer", 0, Script.Data + 64, 0)
            .Spin(200_000).Note("done").Exit()
            .Label("handler").Spin(3000).Return().Run();
        Assert.Equal(["done"], script.Notes);
    }

    [Fact]
    public void Ids_are_not_handed_out_twice_while_in_use()
    {
        Script script = new Script();
        script.Call("fork").InChild("child").NoteResult("fork").Call("fork").InChild("child").NoteResult("fork")
            .Thread("thread", 1).NoteResult("thread").Sleep(10).Exit()
            .Label("thread").Call("gettid").NoteResult("tid").Call("getpid").NoteResult("pid").Call("exit", 0)
            .Label("child").Sleep(1000).Exit().Run();
        Assert.Equal(["fork 101", "fork 102", "thread 103", "tid 103", "pid 100"], script.Notes);
    }

    [Fact]
    public void Exit_group_ends_every_thread_at_once()
    {
        Script script = new Script();
        for (int i = 1; i <= 10; i++)
            script.Thread(i % 2 == 0 ? "busy" : "asleep", i);
        script.Spin(500_000).Note("end").Exit(7).Label("busy").Spin(1000).Jump("busy").Label("asleep").Call("pause").Jump("asleep").Run();
        Assert.Equal(WaitStatus.OfExit(7), script.Result);
        Assert.Equal(["end"], script.Notes);
    }

    [Fact]
    public void The_process_ends_with_the_code_of_the_thread_that_ends_last()
    {
        Script script = new Script().Thread("last", 1).Call("exit", 3).Label("last").Sleep(10).Call("exit", 5).Run();
        Assert.Equal(WaitStatus.OfExit(5), script.Result);
    }
}
