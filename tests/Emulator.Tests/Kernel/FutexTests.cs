using Vivarium.Emulator.Kernel;
using Xunit;

namespace Vivarium.Emulator.Tests.Kernel;

/// <summary>futex(2) between threads and processes: order, bit sets, requeueing, time-outs, robust lists, priority inheritance.</summary>
public sealed class FutexTests
{
    private const ulong Word = Script.Data + 0x2000;
    private const ulong Second = Script.Data + 0x2040;
    private const int Private = 128;
    private const int Wait = 0, Wake = 1, Requeue = 3, CompareRequeue = 4, LockPi = 6, UnlockPi = 7, TryLockPi = 8, WaitBits = 9, WakeBits = 10;
    private const uint Waiters = 0x80000000, OwnerDied = 0x40000000;

    /// <summary>Threads 101.. that wait on the word and note when they go on.</summary>
    private static Script WithWaiters(int count, Func<int, uint>? bits = null)
    {
        var script = new Script();
        for (int i = 1; i <= count; i++)
        {
            uint set = bits?.Invoke(i) ?? uint.MaxValue;
            script.Thread($"waiter {i}", i);
            script.Jump($"after {i}").Label($"waiter {i}").Call("futex", Word, WaitBits | Private, 0, 0, 0, (long)set).Note(static turn => $"woken {turn.Thread.Id}")
                .Call("exit", 0).Label($"after {i}");
        }
        return script.Sleep(1);
    }

    [Fact]
    public void Waiters_wake_in_the_order_they_came()
    {
        Script script = WithWaiters(4);
        script.Call("futex", Word, Wake | Private, 1).NoteResult("wake").Sleep(1).Call("futex", Word, Wake | Private, 2).NoteResult("wake").Sleep(1)
            .Call("futex", Word, Wake | Private, int.MaxValue).NoteResult("wake").Sleep(1).Call("futex", Word, Wake | Private, 1).NoteResult("wake").Exit().Run();
        Assert.Equal(["wake 1", "woken 101", "wake 2", "woken 102", "woken 103", "wake 1", "woken 104", "wake 0"], script.Notes);
    }

    [Fact]
    public void Bit_sets_choose_among_waiters()
    {
        Script script = WithWaiters(3, static number => 1u << number);
        script.Call("futex", Word, WakeBits | Private, 10, 0, 0, 0b1010).NoteResult("wake").Sleep(1)
            .Call("futex", Word, WakeBits | Private, 10, 0, 0, 0b1).NoteResult("wake").Exit().Run();
        Assert.Equal(["wake 2", "woken 101", "woken 103", "wake 0"], script.Notes);
    }

    [Fact]
    public void Requeued_waiters_keep_their_order_on_the_other_word()
    {
        Script script = WithWaiters(4);
        script.Call("futex", Word, CompareRequeue | Private, 1, 2, Second, 5).NoteResult("wrong value")
            .Call("futex", Word, CompareRequeue | Private, 1, 2, Second, 0).NoteResult("requeue").Sleep(1)
            .Call("futex", Second, Wake | Private, 1).NoteResult("second").Sleep(1).Call("futex", Word, Wake | Private, 10).NoteResult("first").Sleep(1)
            .Call("futex", Second, Wake | Private, 10).NoteResult("second").Sleep(1).Exit().Run();
        Assert.Equal(["wrong value EAGAIN", "requeue 3", "woken 101", "second 1", "woken 102", "first 1", "woken 104", "second 1", "woken 103"], script.Notes);
    }

    [Fact]
    public void A_wait_ends_at_its_deadline_or_with_a_signal_and_is_then_forgotten()
    {
        Script script = new();
        script.Handle(10, "handler").Do(static turn => turn.Set(Script.Data + 64, (0L, 1_000_000L)))
            .Call("futex", Word, Wait | Private, 0, Script.Data + 64).NoteResult("late").Thread("other", 1)
            .Call("futex", Word, Wait | Private, 0, 0).NoteResult("signalled").Call("futex", Word, Wake | Private, 1).NoteResult("wake").Exit()
            .Label("other").Sleep(1).Call("tgkill", 100, 100, 10).Call("exit", 0)
            .Label("handler").Return().Run();
        Assert.Equal(["late ETIMEDOUT", "signalled EINTR", "wake 0"], script.Notes);
    }

    [Fact]
    public void A_waiter_that_was_killed_takes_nobodys_wake_up()
    {
        // Two processes wait on shared memory; the first of them is killed while it waits.
        const int shared = 0x31, readWrite = 3;
        const ulong place = 0x300_0000;
        Script script = new();
        script.Call("mmap", place, 4096, readWrite, shared, -1, 0).NoteResult("map").Call("fork").InChild("waiter").Sleep(1).Call("fork").InChild("waiter").Sleep(1)
            .Call("kill", 101, 9).Call("futex", place, Wake, 1).NoteResult("wake").Sleep(1).Exit()
            .Label("waiter").Call("futex", place, Wait, 0, 0).Note(static turn => $"woken {turn.Thread.Id}").Exit().Run();
        Assert.Equal([$"map {place}", "wake 1", "woken 102"], script.Notes);
    }

    [Fact]
    public void A_robust_futex_passes_on_with_its_owners_death()
    {
        const ulong head = Script.Data + 0x3000, entry = Word - 16;
        Script script = new();
        script.Thread("owner", 1).Sleep(1).Do(static turn => turn.Set(Word, turn.Word(Word) | Waiters))
            .Call("futex", Word, Wait | Private, Operand.Of(static turn => turn.Word(Word)), 0).NoteResult("wait")
            .Note(static turn => $"word {turn.Word(Word):x}").Exit()
            .Label("owner").Do(static turn =>
            {
                turn.Set(head, (entry, 16L, 0UL));
                turn.Set(entry, head);
                turn.Set(Word, (uint)turn.Thread.Id);
            }).Call("set_robust_list", head, 24).Call("sched_yield").Do(static turn => turn.Set(Script.Data + 64, (0L, 5_000_000L)))
            .Call("nanosleep", Script.Data + 64, 0).Call("exit", 0).Run();
        Assert.Equal(["wait 0", $"word {Waiters | OwnerDied:x}"], script.Notes);
    }

    [Fact]
    public void A_PI_futex_is_handed_to_the_first_waiter_and_the_word_names_its_owner()
    {
        Script script = new();
        script.Call("futex", Word, LockPi | Private, 0, 0).NoteResult("lock").Thread("waiter", 1).Thread("waiter", 2).Sleep(1)
            .Note(static turn => $"word {turn.Word(Word):x}").Call("futex", Word, TryLockPi | Private, 0, 0).NoteResult("again")
            .Call("futex", Word, UnlockPi | Private).NoteResult("unlock").Sleep(1).Note(static turn => $"word {turn.Word(Word):x}").Exit()
            .Label("waiter").Call("futex", Word, LockPi | Private, 0, 0).Note(static turn => $"{turn.Thread.Id} has it: {turn.Word(Word):x}")
            .Call("futex", Word, UnlockPi | Private).Call("exit", 0).Run();
        Assert.Equal(["lock 0", $"word {100 | Waiters:x}", "again EDEADLK", "unlock 0", $"101 has it: {101 | Waiters:x}", $"102 has it: {102 | Waiters:x}", "word 0"], script.Notes);
    }

    [Fact]
    public void A_PI_futex_passes_on_with_its_owners_death()
    {
        const ulong head = Script.Data + 0x3000, entry = Word - 16;
        Script script = new();
        script.Thread("owner", 1).Sleep(1).Call("futex", Word, LockPi | Private, 0, 0).NoteResult("lock").Note(static turn => $"word {turn.Word(Word):x}").Exit()
            .Label("owner").Do(static turn =>
            {
                // The lowest bit of an entry says that its futex is a PI one.
                turn.Set(head, (entry | 1, 16L, 0UL));
                turn.Set(entry, head);
            }).Call("set_robust_list", head, 24).Call("futex", Word, LockPi | Private, 0, 0).Do(static turn => turn.Set(Script.Data + 64, (0L, 5_000_000L)))
            .Call("nanosleep", Script.Data + 64, 0).Call("exit", 0).Run();
        Assert.Equal(["lock 0", $"word {100 | Waiters | OwnerDied:x}"], script.Notes);
    }

    [Fact]
    public void Only_the_owner_unlocks_and_a_dead_owner_is_no_owner()
    {
        Script script = new();
        script.Do(static turn => turn.Set(Word, 4000u)).Call("futex", Word, LockPi | Private, 0, 0).NoteResult("lock").Call("futex", Word, UnlockPi | Private).NoteResult("unlock")
            .Exit().Run();
        Assert.Equal(["lock ESRCH", "unlock EPERM"], script.Notes);
    }

    [Fact]
    public void A_thread_that_ends_clears_its_id_and_wakes_one_waiter()
    {
        const ulong flags = 0x10F00 | 0x200000;
        Script script = new();
        script.Do(static turn => turn.Set(Word, 77u)).Call("clone", flags, Script.Data + 0x9000, 0, Word, 0).InChild("thread")
            .Call("futex", Word, Wait, 77, 0).NoteResult("join").Note(static turn => $"word {turn.Word(Word)}").Exit()
            .Label("thread").Do(static turn => turn.Set(Script.Data + 64, (0L, 5_000_000L))).Call("nanosleep", Script.Data + 64, 0).Call("exit", 0).Run();
        Assert.Equal(["join 0", "word 0"], script.Notes);
    }
}
