using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Xunit;

namespace Vivarium.Emulator.Tests.Kernel;

/// <summary>Queues, masks, handlers, restarts (signal(7)).</summary>
public sealed class SignalTests
{
    private const ulong SaOnStack = 0x08000000;
    private const ulong SaRestart = 0x10000000;
    private const ulong SaNoDefer = 0x40000000;
    private const ulong SaResetHandler = 0x80000000;
    private const ulong Siginfo = Script.Data + 0x1000;

    /// <summary>A handler that notes its signal and what it is blocked from then.</summary>
    private static Script WithHandler(Script script, string label = "handler") =>
        script.Label(label).Note(static turn => $"signal {turn.Cpu.State.Registers[7]}").Return();

    private static Script Queue(Script script, int signal, ulong value) => script
        .Do(turn => turn.Set(Siginfo, SigInfo.Of(new SignalInfo(signal, -1) { SenderProcess = 100, Value = value })))
        .Call("rt_sigqueueinfo", 100, signal, Siginfo);

    [Fact]
    public void Standard_signals_merge_and_real_time_signals_queue_with_their_values()
    {
        Script script = new Script().Handle(10, "handler").Handle(34, "valued", 4).Mask(0, 10, 34);
        script.Call("kill", 100, 10).Call("kill", 100, 10);
        for (ulong value = 1; value <= 3; value++)
            Queue(script, 34, value);
        script.Mask(1, 10, 34).Note("end").Exit();
        script.Label("valued").Note(static turn => $"34 with {turn.Word(turn.Cpu.State.Registers[6] + 24)}").Return();
        WithHandler(script).Run();
        // Handlers nest: the last set up runs first; 34 is blocked while its own handler runs.
        Assert.Equal(["34 with 1", "34 with 2", "34 with 3", "signal 10", "end"], script.Notes.OrderBy(note => note == "end").ThenBy(note => note[0] == 's').ToArray());
        Assert.Equal(1, script.Notes.Count(note => note == "signal 10"));
    }

    [Fact]
    public void Waiting_takes_the_lowest_signal_first_and_equal_ones_in_order()
    {
        Script script = new Script().Mask(0, 10, 12, 34, 35);
        Queue(script, 35, 1);
        Queue(script, 34, 2);
        Queue(script, 34, 3);
        script.Call("kill", 100, 12).Call("kill", 100, 10);
        for (int i = 0; i < 5; i++)
        {
            script.Do(static turn => turn.Set(Script.Data, Script.SetOf(10, 12, 34, 35))).Call("rt_sigtimedwait", Script.Data, Siginfo, 0, 8)
                .Note(static turn => $"{turn.Result}:{turn.Word(Siginfo + 24)}");
        }
        script.Exit().Run();
        Assert.Equal(["10:0", "12:0", "34:2", "34:3", "35:1"], script.Notes);
    }

    [Fact]
    public void Sigtimedwait_gives_up_at_its_deadline()
    {
        Script script = new Script().Mask(0, 10).Do(static turn =>
        {
            turn.Set(Script.Data, Script.SetOf(10));
            turn.Set(Script.Data + 64, (0L, 1_000_000L));
        }).Call("rt_sigtimedwait", Script.Data, 0, Script.Data + 64, 8).NoteResult("wait").Exit().Run();
        Assert.Equal(["wait EAGAIN"], script.Notes);
    }

    [Fact]
    public void A_handler_runs_with_its_own_signal_and_its_mask_blocked_and_gives_both_back()
    {
        Script script = new();
        script.Handle(10, "outer", 0, Script.SetOf(12)).Handle(12, "inner").Call("kill", 100, 10).Note("after").Exit()
            .Label("outer").Note("outer begins").Call("kill", 100, 12).JumpIf(_ => script.Notes.Count(note => note == "outer begins") > 1, "last").Call("kill", 100, 10)
            .Label("last").Note("outer ends").Return()
            .Label("inner").Note("inner").Return();
        script.Run();
        Assert.Equal(2, script.Notes.Count(note => note == "outer begins"));
        Assert.Equal("outer begins outer ends", string.Join(' ', script.Notes.Take(2)));
        Assert.Equal("after", script.Notes[^1]);
    }

    [Fact]
    public void Nodefer_nests_and_resethand_works_once()
    {
        Script script = new Script();
        script.Handle(10, "handler", SaNoDefer | SaResetHandler).Call("kill", 100, 10).Note("back").Call("kill", 100, 10).Note("not reached").Exit();
        WithHandler(script).Run();
        Assert.Equal(["signal 10", "back"], script.Notes);
        Assert.Equal(WaitStatus.OfSignal(10, dumpedCore: false), script.Result);
    }

    [Fact]
    public void An_alternate_stack_is_used_and_left_again()
    {
        const ulong stack = Script.Data + 0x8000, size = 0x4000;
        Script script = new();
        script.Do(static turn => turn.Set(Script.Data, (stack, 0UL, size))).Call("sigaltstack", Script.Data, 0)
            .Handle(10, "handler", SaOnStack).Call("kill", 100, 10)
            .Call("sigaltstack", 0, Script.Data + 64).Note(static turn => $"outside {turn.Word(Script.Data + 72)}").Exit()
            .Label("handler").Note(static turn => $"inside {turn.Cpu.State.Registers[4] is > stack and < stack + size}")
            .Call("sigaltstack", 0, Script.Data + 64).Note(static turn => $"flags {turn.Word(Script.Data + 72)}")
            .Call("sigaltstack", Script.Data, 0).NoteResult("change").Return().Run();
        Assert.Equal(["inside True", "flags 1", "change EPERM", "outside 0"], script.Notes);
    }

    [Theory]
    [InlineData(0UL, "read EINTR")]
    [InlineData(SaRestart, "read 3")]
    public void An_interrupted_read_restarts_when_the_handler_allows(ulong flags, string expected)
    {
        Script script = new Script();
        script.Call("pipe2", Script.Data + 64, 0).Handle(10, "handler", flags).Thread("other", 1)
            .Call("read", Operand.Of(static turn => turn.Word(Script.Data + 64)), Script.Data + 128, 10).NoteResult("read").Exit()
            .Label("other").Do(static turn => turn.Set(Script.Data + 256, (0L, 1_000_000L))).Call("nanosleep", Script.Data + 256, 0).Call("tgkill", 100, 100, 10)
            .Do(static turn => turn.Set(Script.Data + 256, (0L, 1_000_000L))).Call("nanosleep", Script.Data + 256, 0)
            .Call("write", Operand.Of(static turn => turn.Word(Script.Data + 68)), Script.Data + 256, 3).Call("pause");
        WithHandler(script).Run();
        Assert.Equal(["signal 10", expected], script.Notes);
    }

    [Fact]
    public void A_sleep_goes_on_after_stop_and_continue_and_ends_with_what_is_left_after_a_handler()
    {
        Script script = new Script();
        script.Handle(10, "handler", SaRestart).Call("fork").InChild("child")
            .Do(static turn => turn.Set(Script.Data + 64, (1L, 0L))).Call("nanosleep", Script.Data + 64, Script.Data + 96).NoteResult("first")
            .Note(static turn => $"left {turn.Word(Script.Data + 104) / 1_000_000}")
            .Do(static turn => turn.Set(Script.Data + 64, (1L, 0L))).Call("nanosleep", Script.Data + 64, Script.Data + 96).NoteResult("second").Exit()
            .Label("child").Sleep(300).Call("kill", 100, 10).Sleep(200).Call("kill", 100, 19).Sleep(200).Call("kill", 100, 18).Exit();
        WithHandler(script).Run();
        Assert.Equal("signal 10", script.Notes[0]);
        Assert.Equal("first EINTR", script.Notes[1]);
        Assert.Contains(script.Notes[2], new[] { "left 699", "left 700" });
        Assert.Equal("second 0", script.Notes[3]);
    }

    [Fact]
    public void Epoll_wait_and_sigtimedwait_fail_after_stop_and_continue()
    {
        Script script = new Script();
        script.Call("epoll_create1", 0).Do(static turn => turn[0] = (ulong)turn.Result).Call("fork").InChild("child")
            .Call("epoll_wait", Operand.Of(static turn => (long)turn[0]), Script.Data + 128, 1, 1000).NoteResult("epoll_wait")
            .Do(static turn => turn.Set(Script.Data, Script.SetOf(12))).Call("rt_sigtimedwait", Script.Data, 0, 0, 8).NoteResult("sigtimedwait").Exit()
            .Label("child").Sleep(100).Call("kill", 100, 19).Sleep(100).Call("kill", 100, 18)
            .Sleep(100).Call("kill", 100, 19).Sleep(100).Call("kill", 100, 18).Exit().Run();
        Assert.Equal(["epoll_wait EINTR", "sigtimedwait EINTR"], script.Notes);
    }

    [Fact]
    public void Sigsuspend_takes_what_its_mask_lets_through_and_gives_the_old_mask_back()
    {
        Script script = new Script();
        script.Handle(10, "handler").Handle(12, "handler").Mask(0, 10, 12).Call("kill", 100, 12).Call("kill", 100, 10)
            .Do(static turn => turn.Set(Script.Data, ~Script.SetOf(10))).Call("rt_sigsuspend", Script.Data, 8).NoteResult("suspend")
            .Call("rt_sigpending", Script.Data, 8).Note(static turn => $"pending {turn.Word(Script.Data):x}").Exit();
        WithHandler(script).Run();
        Assert.Equal(["signal 10", "suspend EINTR", "pending 800"], script.Notes);
    }

    [Fact]
    public void An_ignored_signal_interrupts_nothing_and_pending_ones_go_when_ignored()
    {
        Script script = new Script();
        script.Handle(10, "ignore").Mask(0, 12).Call("kill", 100, 12).Handle(12, "ignore").Call("rt_sigpending", Script.Data, 8)
            .Note(static turn => $"pending {turn.Word(Script.Data)}").Thread("other", 1).Sleep(100).NoteResult("sleep").Exit()
            .Label("other").Call("kill", 100, 10).Call("exit", 0).Run();
        Assert.Equal(["pending 0", "sleep 0"], script.Notes);
    }

    [Theory]
    [InlineData("ignore")]
    [InlineData("blocked")]
    public void A_fault_that_is_ignored_or_blocked_kills(string how)
    {
        Script script = new Script();
        if (how == "ignore")
            script.Handle(11, "ignore");
        else
            script.Handle(11, "handler").Mask(0, 11);
        script.Fault().Exit();
        WithHandler(script).Run();
        Assert.Empty(script.Notes);
        Assert.Equal(ChildChange.Killed, script.Result.Change);
        Assert.Equal(11, script.Result.Value);
    }

    [Fact]
    public void A_process_directed_signal_goes_to_a_thread_that_does_not_block_it()
    {
        Script script = new Script();
        script.Handle(10, "handler").Thread("open", 1).Mask(0, 10).Sleep(1).Call("kill", 100, 10).Sleep(1).Note("main").Exit()
            .Label("open").Call("pause").NoteResult("pause").Call("exit", 0)
            .Label("handler").Note(static turn => $"thread {turn.Thread.Id}").Return().Run();
        Assert.Equal(["thread 101", "pause EINTR", "main"], script.Notes);
    }

    [Fact]
    public void The_queue_of_pending_signals_is_limited_by_the_users_limit()
    {
        const int sigPending = 11;
        Script script = new Script().Mask(0, 34).Do(static turn => turn.Set(Script.Data + 64, (3UL, 3UL))).Call("setrlimit", sigPending, Script.Data + 64);
        for (ulong i = 0; i < 4; i++)
            Queue(script, 34, i).NoteResult("queue");
        script.Call("kill", 100, 12).NoteResult("kill").Exit();
        script.Run();
        Assert.Equal(["queue 0", "queue 0", "queue 0", "queue EAGAIN"], script.Notes.Take(4));
    }
}
