using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Xunit;

namespace Vivarium.Emulator.Tests.Kernel;

/// <summary>Ends, stops, continuations and who is told of them; process groups, sessions, orphans.</summary>
public sealed class WaitTests
{
    private const ulong Status = Script.Data + 64;
    private const int NoHang = 1, Untraced = 2, Continued = 8;

    /// <summary>wait4 of any child, noted as "who status".</summary>
    private static Script Wait(Script script, int options = 0, int pid = -1) => script.Call("wait4", pid, Status, options, 0)
        .Note(static turn => turn.Result > 0 ? $"{turn.Result} {turn.Word(Status):x}" : turn.Result == 0 ? "none" : turn.Error.ToString());

    [Fact]
    public void A_childs_stop_continuation_and_end_are_each_told_once()
    {
        Script script = new Script();
        script.Call("fork").InChild("child");
        Wait(script, Untraced | Continued);
        Wait(script, Untraced | Continued | NoHang);
        script.Call("kill", 101, Signal.Continue);
        Wait(script, Untraced | Continued);
        script.Call("kill", 101, Signal.Terminate);
        Wait(script, Untraced | Continued);
        Wait(script);
        script.Exit().Label("child").Call("kill", 101, Signal.Stop).Label("loop").Call("pause").Jump("loop").Run();
        Assert.Equal(["101 137f", "none", "101 ffff", "101 f", "ECHILD"], script.Notes);
    }

    [Fact]
    public void Wait_tells_apart_pid_group_and_any()
    {
        Script script = new Script();
        script.Call("fork").InChild("grouped").Call("fork").InChild("plain").Sleep(10);
        Wait(script, NoHang, 102);
        Wait(script, NoHang, 0);
        Wait(script, NoHang, -101);
        Wait(script, NoHang, -101);
        script.Exit().Label("grouped").Call("setpgid", 0, 0).Exit(1).Label("plain").Exit(2).Run();
        Assert.Equal(["102 200", "ECHILD", "101 100", "ECHILD"], script.Notes);
    }

    [Fact]
    public void Waitid_can_look_without_taking()
    {
        const int exited = 4, noWait = 0x01000000;
        Script script = new Script();
        script.Call("fork").InChild("child").Call("waitid", 0, 0, Script.Data + 128, exited | noWait, 0)
            .Note(static turn => $"{turn.Result} code {turn.Word(Script.Data + 136)} pid {turn.Word(Script.Data + 144)} status {turn.Word(Script.Data + 152)}");
        Wait(script);
        script.Exit().Label("child").Exit(9).Run();
        Assert.Equal(["0 code 1 pid 101 status 9", "101 900"], script.Notes);
    }

    [Fact]
    public void Ignoring_SIGCHLD_leaves_no_zombies_and_wait_ends_with_ECHILD()
    {
        Script script = new Script();
        script.Handle(Signal.Child, "ignore").Call("fork").InChild("child");
        Wait(script);
        script.Exit().Label("child").Sleep(5).Exit(1).Run();
        Assert.Equal(["ECHILD"], script.Notes);
    }

    [Fact]
    public void Clone_children_are_waited_for_only_when_asked()
    {
        const int cloneChildren = unchecked((int)0x80000000), all = 0x40000000;
        Script script = new Script();
        // An exit signal other than SIGCHLD makes a "clone child".
        script.Call("clone", 0, 0, 0, 0, 0).InChild("child").Sleep(10);
        Wait(script);
        Wait(script, cloneChildren);
        script.Call("clone", 0, 0, 0, 0, 0).InChild("child");
        Wait(script, all);
        script.Exit().Label("child").Exit(1).Run();
        Assert.Equal(["ECHILD", "101 100", "102 100"], script.Notes);
    }

    [Fact]
    public void Orphans_go_to_the_nearest_subreaper_or_to_init()
    {
        const int setSubreaper = 36;
        Script script = new Script();
        script.Call("prctl", setSubreaper, 1, 0, 0, 0).Call("fork").InChild("middle");
        Wait(script);
        Wait(script);
        script.Call("prctl", setSubreaper, 0, 0, 0, 0).Call("fork").InChild("middle");
        Wait(script);
        Wait(script);
        script.Sleep(100).Exit().Label("middle").Call("fork").InChild("orphan").Exit(1).Label("orphan").Sleep(10).Call("getppid").NoteResult("parent").Exit(2).Run();
        Assert.Equal(["101 100", "parent 100", "102 200", "103 100", "ECHILD", "parent 1"], script.Notes);
    }

    [Fact]
    public void The_parents_death_is_told_to_those_who_asked()
    {
        Script script = new Script();
        script.Call("fork").InChild("middle").Sleep(100).Exit()
            .Label("middle").Call("fork").InChild("child").Sleep(10).Exit()
            .Label("child").Handle(10, "handler").Call("prctl", 1, 10, 0, 0, 0).Call("pause").Exit()
            .Label("handler").Note("told").Return().Run();
        Assert.Equal(["told"], script.Notes);
    }

    [Fact]
    public void Sessions_and_groups_follow_their_rules()
    {
        Script script = new Script();
        script.Call("setsid").NoteResult("leader setsid").Call("fork").InChild("child").Call("setpgid", 101, 101).NoteResult("parent setpgid").Sleep(10)
            .Call("setpgid", 101, 100).NoteResult("other session").Call("getpgid", 101).NoteResult("group").Call("getsid", 101).NoteResult("session").Exit()
            .Label("child").Sleep(1).Call("setpgid", 0, 100).NoteResult("back").Call("setpgid", 0, 55).NoteResult("no such group")
            .Call("setsid").NoteResult("child setsid").Call("setpgid", 0, 0).NoteResult("leader setpgid").Sleep(100).Exit().Run();
        Assert.Equal(
            ["leader setsid EPERM", "parent setpgid 0", "back 0", "no such group EPERM", "child setsid 101", "leader setpgid EPERM", "other session EPERM", "group 101", "session 101"],
            script.Notes);
    }

    [Fact]
    public void A_signal_to_a_group_reaches_its_members_in_order()
    {
        Script script = new Script();
        script.Handle(10, "handler").Call("fork").InChild("member").Call("fork").InChild("member").Call("setpgid", 0, 0).Mask(0, 10).Sleep(5)
            .Call("kill", -100, 10).NoteResult("kill").Sleep(5).Call("kill", -55, 10).NoteResult("nobody").Exit()
            .Label("member").Call("pause").Exit().Label("handler").Note(static turn => $"{turn.Thread.Id}").Return().Run();
        Assert.Equal(["kill 0", "101", "102", "nobody ESRCH"], script.Notes);
    }

    [Fact]
    public void A_stopped_member_of_a_group_that_becomes_an_orphan_is_hung_up_and_continued()
    {
        // 101 leads a job of its own and stops its member 102; when 101 ends nobody of the session could continue 102.
        Script script = new Script();
        script.Call("fork").InChild("leader").Sleep(200).Exit()
            .Label("leader").Call("setsid").Call("fork").InChild("job").Sleep(50).Exit()
            .Label("job").Call("setpgid", 0, 0).Handle(Signal.HangUp, "handler").Handle(Signal.Continue, "handler").Call("kill", 102, Signal.Stop).Note("goes on").Exit()
            .Label("handler").Note(static turn => $"signal {turn.Cpu.State.Registers[7]}").Return().Run();
        Assert.Equal(["goes on", "signal 1", "signal 18"], script.Notes.Order());
    }

    [Fact]
    public void Terminal_stops_do_not_stop_an_orphaned_group()
    {
        Script script = new Script();
        script.Call("fork").InChild("leader").Sleep(200).Exit()
            .Label("leader").Call("setsid").Call("kill", 101, Signal.TerminalStop).Note("not stopped").Exit().Run();
        Assert.Equal(["not stopped"], script.Notes);
    }

    [Fact]
    public void Vfork_holds_the_parent_until_the_child_ends()
    {
        Script script = new Script();
        script.Call("vfork").InChild("child").Note("parent").Exit().Label("child").Sleep(10).Note("child").Exit().Run();
        Assert.Equal(["child", "parent"], script.Notes);
    }

    [Fact]
    public void SIGCHLD_tells_what_became_of_the_child()
    {
        Script script = new Script();
        script.Handle(Signal.Child, "handler", 4).Call("fork").InChild("child").Sleep(10).Exit()
            .Label("child").Call("kill", 101, Signal.Terminate)
            .Label("handler").Note(static turn =>
            {
                ulong info = turn.Cpu.State.Registers[6];
                return $"code {turn.Word(info + 8)} pid {turn.Word(info + 16)} status {turn.Word(info + 24)}";
            }).Return().Run();
        Assert.Equal(["code 2 pid 101 status 15"], script.Notes);
    }
}
