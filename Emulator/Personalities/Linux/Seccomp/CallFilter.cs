using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Programs;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Linux.X64;

namespace Vivarium.Emulator.Personalities.Linux.Seccomp;

/// <summary>What a thread may call (seccomp(2)): strict mode, or a chain of programs, the newest first. Inherited, and never taken back.</summary>
public sealed class CallFilter(ClassicProgram<CallData>? program, CallFilter? older) : ICallFilter
{
    public const uint KillProcess = 0x80000000, KillThread = 0, Trap = 0x00030000, Fail = 0x00050000, Notify = 0x7FC00000;
    public const uint Trace = 0x7FF00000, Log = 0x7FFC0000, Allow = 0x7FFF0000;

    /// <summary>Bytes of struct seccomp_data.</summary>
    public const int DataLength = 64;

    private const uint ActionMask = 0xFFFF0000, DataMask = 0xFFFF;
    private const int MostErrors = 4095;

    /// <summary>SECCOMP_MODE_STRICT.</summary>
    public static CallFilter Strict { get; } = new(null, null);

    /// <summary>1 in strict mode, 2 with programs.</summary>
    public int Mode => program is null ? 1 : 2;

    public CallFilter? Older => older;

    /// <summary>Decides about calls that the program leaves to it; null when there never was one.</summary>
    internal CallListener? Listener { get; set; }

    private int _users;

    /// <summary>A thread has it, or one made from it.</summary>
    public bool IsUsed => _users > 0;

    public void Join()
    {
        for (CallFilter? at = this; at is not null; at = at.Older)
            at._users++;
    }

    public void Leave()
    {
        for (CallFilter? at = this; at is not null; at = at.Older)
        {
            if (--at._users == 0)
                at.Listener?.HangUp();
        }
    }

    /// <summary>Whether a chain is this one, or was made from it.</summary>
    public bool IsWithin(CallFilter? chain)
    {
        for (CallFilter? at = chain; at is not null; at = at.Older)
        {
            if (ReferenceEquals(at, this))
                return true;
        }
        return false;
    }

    /// <summary>Null when the call may be made; else what becomes of it.</summary>
    public CallResult? Screen(CallContext call)
    {
        if (program is null)
            return call.Number is 0 or 1 or 15 or 60 ? null : EndThread(call, Signal.Kill);
        if (call.State is CallNotice notice)
            return Await(call, notice);
        GuestThread thread = call.Thread;
        bool wasAsked = thread.IsCallAsked;
        if (wasAsked)
        {
            // A signal is no answer.
            if (thread.Tracee is { Stop: not null })
                return CallResult.Blocked(RestartKind.Never);
            thread.IsCallAsked = false;
            if (thread.Tracee is { SkipsCall: true })
                return LinuxTable.Skipped(call);
        }
        uint verdict = Decide(call, out CallFilter decider);
        switch (verdict & ActionMask)
        {
            case Allow or Log:
                return null;
            case Fail:
                uint error = Math.Min(verdict & DataMask, MostErrors);
                return error == 0 ? CallResult.Ok() : CallResult.Fail((Errno)error);
            case Notify when decider.Listener is { IsClosed: false } listener:
                call.State = notice = listener.Add(call.Thread, DataOf(call));
                return Await(call, notice);
            case Trace when wasAsked:
                return null;
            case Trace when call.World.AskTracer(thread, verdict & DataMask):
                return CallResult.Blocked(RestartKind.Never);
            case Trace or Notify:
                // Nobody traces, nobody listens.
                return Errno.ENOSYS;
            case Trap:
                return Raise(call, (int)(verdict & DataMask));
            case KillThread:
                return EndThread(call, Signal.BadCall);
            default:
                call.Process.Exit(WaitStatus.OfSignal(Signal.BadCall, dumpedCore: false));
                return CallResult.NoReturn;
        }
    }

    /// <summary>Waits for a listener's answer; null when the call is to go on. A signal withdraws the question.</summary>
    private static CallResult? Await(CallContext call, CallNotice notice)
    {
        if (notice.Answer is { } answer)
        {
            call.State = null;
            return notice.GoesOn ? null : answer;
        }
        if (call.Interrupted)
        {
            notice.Abandon();
            call.State = null;
        }
        return call.Wait(notice.Source);
    }

    /// <summary>All programs run; the most restrictive verdict holds, the newest of equals.</summary>
    private uint Decide(CallContext call, out CallFilter decider)
    {
        Span<uint> data = stackalloc uint[DataLength / sizeof(uint)];
        WriteData(call, data);
        uint verdict = Allow;
        decider = this;
        for (CallFilter? at = this; at is not null; at = at.Older)
        {
            uint next = at.Program.Run(new CallData(data));
            if ((int)(next & ActionMask) < (int)(verdict & ActionMask))
                (verdict, decider) = (next, at);
        }
        return verdict;
    }

    private static uint[] DataOf(CallContext call)
    {
        uint[] data = new uint[DataLength / sizeof(uint)];
        WriteData(call, data);
        return data;
    }

    /// <summary>struct seccomp_data: number, architecture, program counter, arguments.</summary>
    private static void WriteData(CallContext call, Span<uint> data)
    {
        ulong pc = call.Thread.Cpu.State.Pc;
        LinuxArchitecture architecture = LinuxArchitecture.Of(call.Thread);
        (data[0], data[1], data[2], data[3]) = ((uint)call.Asked, architecture.AuditArchitecture, (uint)pc, (uint)(pc >> 32));
        for (int i = 0; i < 6; i++)
            (data[4 + (i * 2)], data[5 + (i * 2)]) = ((uint)call.Arguments[i], (uint)(call.Arguments[i] >> 32));
    }

    private ClassicProgram<CallData> Program => program!;

    /// <summary>SIGSYS, with the registers as they were before the call.</summary>
    private static CallResult Raise(CallContext call, int data)
    {
        const int byFilter = 1;
        ref CpuState state = ref call.Thread.Cpu.State;
        LinuxArchitecture architecture = LinuxArchitecture.Of(call.Thread);
        if (call.Thread.Cpu.Architecture == Cpu.Architecture.X64)
            state.Registers[X64Registers.Rax] = (ulong)call.Asked;
        call.World.ForceSignal(call.Thread, new SignalInfo(Signal.BadCall, byFilter)
        {
            Error = data, IsFault = true, Value = state.Pc, Detail = (uint)call.Asked | (ulong)architecture.AuditArchitecture << 32,
        });
        return CallResult.NoReturn;
    }

    private static CallResult EndThread(CallContext call, int signal)
    {
        if (call.Process.Threads.Count == 1)
            call.Process.Exit(WaitStatus.OfSignal(signal, dumpedCore: false));
        else
            call.Process.ExitThread(call.Thread, signal);
        return CallResult.NoReturn;
    }
}
