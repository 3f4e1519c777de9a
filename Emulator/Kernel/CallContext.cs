using System.Runtime.CompilerServices;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// The system call a thread is in: its arguments, what it needs to wait, and short cuts to what handlers use. One per thread,
/// reused. A handler that would block returns <see cref="Wait(Source, RestartKind, long?)"/>; when something happened it is run again
/// with the same arguments and the same <see cref="Progress"/>.
/// </summary>
public sealed class CallContext(GuestThread thread)
{
    private readonly ulong[] _arguments = new ulong[8];

    public GuestThread Thread { get; } = thread;

    public Process Process => Thread.Process;

    public World World => Process.World;

    public AddressSpace Memory => Process.Memory;

    /// <summary>The personality's call number; below 0 for what it does not know.</summary>
    public int Number { get; private set; }

    /// <summary>The number by which the program made it, known or not; -1 when its tracer made it none.</summary>
    public int Asked { get; private set; }

    public ReadOnlySpan<ulong> Arguments => _arguments;

    /// <summary>World time when the call was entered, nanoseconds; looked at when it is first asked for, which most calls never do.</summary>
    public long StartedAt => _startedAt ??= World.Clock.Monotonic;

    private long? _startedAt;

    /// <summary>The call's place among the world's calls while it is to be recorded; 0 = not, or done.</summary>
    internal long Sequence { get; set; }

    /// <summary>When it began, by the records' clock.</summary>
    internal long RecordStart { get; private set; }

    /// <summary>When its thread was parked; 0 = it is not.</summary>
    internal long ParkedAt { get; set; }

    internal long BlockedTime { get; set; }

    /// <summary>The call that let this one go on, and its process.</summary>
    internal long WokenBy { get; set; }

    internal int WokenByProcess { get; set; }

    /// <summary>The other world that made that call; null = this one.</summary>
    internal byte[]? WokenByWorld { get; set; }

    internal int WokenBySent { get; set; }

    /// <summary>Its place among the calls that sent something to another world, from 1; 0 = it did not.</summary>
    internal int Sent { get; set; }

    /// <summary>Null: no fault was looked for yet; else the time until which the call is held up, 0 = not at all.</summary>
    internal long? HeldUntil { get; set; }

    /// <summary>What it fails with instead of being done.</summary>
    internal Errno PlannedError { get; set; }

    internal byte[]? Subject { get; set; }

    internal byte[]? Data { get; set; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void BeginRecord(long sequence, long now)
    {
        RecordStart = now;
        Sequence = sequence;
        ParkedAt = 0;
        BlockedTime = 0;
        WokenBy = 0;
        WokenByProcess = 0;
        WokenByWorld = null;
        WokenBySent = 0;
        Sent = 0;
        Subject = null;
        Data = null;
    }

    /// <summary>True when the handler is run a last time because a signal arrived: a wait now ends the call.</summary>
    public bool Interrupted { get; internal set; }

    /// <summary>The thread's filter has let it pass.</summary>
    public bool IsScreened { get; set; }

    /// <summary>Bytes (or items) already done by earlier runs of this call; returned instead of EINTR when it is not 0.</summary>
    public long Progress { get; set; }

    /// <summary>Free slot for a handler that needs more than a number across runs; cleared at the end of the call.</summary>
    public object? State { get; set; }

    /// <summary>Absolute monotonic world time at which the wait gives up; null = never. Kept across runs.</summary>
    public long? Deadline { get; private set; }

    public bool DeadlinePassed => Deadline is { } deadline && World.Clock.Monotonic >= deadline;

    internal List<Source> Sources { get; } = [];

    /// <param name="asked">The program's own number of it.</param>
    public void Begin(int number, int asked, ReadOnlySpan<ulong> arguments)
    {
        Number = number;
        Asked = asked;
        if (arguments.Length == Records.CallArguments.Count)
            Store(arguments);
        else
            arguments.CopyTo(_arguments);
        _startedAt = null;
        Interrupted = false;
        IsScreened = false;
        HeldUntil = null;
        Progress = 0;
        State = null;
        Deadline = null;
        ClearSources();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void ClearSources()
    {
        if (Sources.Count != 0)
            Sources.Clear();
    }

    /// <summary>As many as calls have in registers: a call to copy them takes longer than copying.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Store(ReadOnlySpan<ulong> arguments)
    {
        ulong[] own = _arguments;
        own[5] = arguments[5];
        own[4] = arguments[4];
        own[3] = arguments[3];
        own[2] = arguments[2];
        own[1] = arguments[1];
        own[0] = arguments[0];
    }

    /// <summary>Fixes the deadline at the first run: <paramref name="timeout"/> nanoseconds from the call's start; null = forever.</summary>
    public void SetTimeout(long? timeout)
    {
        if (Deadline is null && timeout is { } nanoseconds)
            Deadline = nanoseconds > long.MaxValue - StartedAt ? long.MaxValue : StartedAt + Math.Max(0, nanoseconds);
    }

    public void SetDeadline(long monotonic) => Deadline ??= monotonic;

    /// <summary>Sets the deadline anew, for waits that grow longer while something happens.</summary>
    public void MoveDeadline(long monotonic) => Deadline = monotonic;

    /// <summary>Would block on one source.</summary>
    public CallResult Wait(Source source, RestartKind restart = RestartKind.IfHandlerAllows)
    {
        Sources.Add(source);
        return Wait(restart);
    }

    /// <summary>Would block on the sources added by <see cref="AddSource"/> and the deadline.</summary>
    public CallResult Wait(RestartKind restart = RestartKind.IfHandlerAllows)
    {
        if (!Interrupted)
            return CallResult.Blocked(restart);
        return Progress != 0 ? CallResult.Ok(Progress) : CallResult.Interrupted(restart);
    }

    public void AddSource(Source source) => Sources.Add(source);

    /// <summary>The thread's turn ends with this call.</summary>
    public void Yield() => Thread.Yields = true;

    /// <summary>The caller's space of process ids.</summary>
    public PidSpace Pids => Process.Space;

    /// <summary>The System V objects and POSIX message queues that the caller sees.</summary>
    public Ipc.IpcSpace Ipc => Thread.Namespaces.Ipc;

    /// <summary>A process by its number in the caller's space.</summary>
    public Process? FindProcess(int number) => Pids.FindProcess(number);

    /// <summary>A live thread by its number in the caller's space.</summary>
    public GuestThread? FindThread(int number) => Pids.FindThread(number);

    /// <summary>The number in the caller's space of who may be gone; 0 for nobody.</summary>
    public int NumberOf(KeptId? id) => id?.In(Pids) ?? 0;

    /// <summary>The caller's own number as it sees itself.</summary>
    public int ProcessNumber => Pids.Inside(Process.Id);

    /// <summary>Stands for <see cref="FixedFile"/> where a descriptor is asked for; no table has it.</summary>
    public const int FixedDescriptor = int.MinValue + 1;

    /// <summary>A file that the call uses without having a descriptor of it.</summary>
    public OpenFile? FixedFile { get; set; }

    /// <summary>The open file of a descriptor of this process, or null (EBADF).</summary>
    public OpenFile? File(int descriptor) => descriptor == FixedDescriptor ? FixedFile : Process.Files.Get(descriptor);
}
