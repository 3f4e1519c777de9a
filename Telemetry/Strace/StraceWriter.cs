using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities;
using Vivarium.Emulator.Personalities.Linux;

namespace Vivarium.Telemetry.Strace;

/// <summary>Takes one or more whole lines of UTF-8, with their line ends.</summary>
public delegate void ListingSink(ReadOnlySpan<byte> lines);

/// <summary>
/// Lists calls, signals and ends as <c>strace -f -T</c> does. A call is one line, written when it ends; when another thread's line comes
/// in between, it is cut into an unfinished and a resumed half.
/// </summary>
/// <param name="sink">Takes the lines as they come.</param>
/// <param name="showTimes">Whether a line ends with the world time that the call took.</param>
public sealed class StraceWriter(ListingSink sink, bool showTimes = true) : ICallObserver
{
    /// <summary>The column of the equals sign.</summary>
    private const int ResultColumn = 40;

    // x86-64's register numbers.
    private const int Accumulator = 0;
    private const int StackPointer = 4;

    private readonly Dictionary<GuestThread, TracedCall> _open = [];
    private readonly HashSet<GuestThread> _threads = [];

    // The call whose beginning would be on the line under way, were it written already.
    private GuestThread? _current;

    /// <summary>The first line: the program's own start, which no call of the world made.</summary>
    public void Start(GuestThread thread, IReadOnlyList<byte[]> arguments, byte[] path, int variables)
    {
        _threads.Add(thread);
        var text = new StringBuilder("execve(").AppendQuoted(path).Append(", [");
        for (int i = 0; i < arguments.Count; i++)
            text.Append(i == 0 ? "" : ", ").AppendQuoted(arguments[i]);
        // argc, argv and its null pointer lie below (System V ABI, "Process Initialization").
        ulong environment = thread.Cpu.State.Registers[StackPointer] + (8 * ((ulong)arguments.Count + 2));
        text.Append("], ").AppendAddress(environment).Append(CultureInfo.InvariantCulture, $" /* {variables} var{(variables == 1 ? "" : "s")} */) ");
        Emit(Align(text).Append("= 0"));
    }

    public void OnEnter(GuestThread thread)
    {
        Interrupt(thread);
        _threads.Add(thread);
        CallContext context = thread.Call;
        var call = new TracedCall(context.Number, CallTables.Describe(context.Number, thread.Cpu.Architecture), thread.Process.Memory)
        {
            Architecture = thread.Cpu.Architecture,
            Start = context.StartedAt,
            Stack = thread.Cpu.State.Registers[StackPointer],
        };
        call.Begin(context.Arguments);
        CallFormatter.Enter(call);
        _open[thread] = call;
        _current = thread;
    }

    public void OnExit(GuestThread thread, in CallResult result)
    {
        if (!_open.Remove(thread, out TracedCall? call))
            return;
        Interrupt(thread);
        StringBuilder line = Prefix(thread);
        if (_current != thread)
            line.Append("<... ").Append(call.Name).Append(" resumed>");
        else
            line.Append(call.Text);
        _current = null;
        int written = call.Text.Length;
        if (call.Shape is not { Result.Kind: Emulator.Personalities.Tables.ValueKind.None })
            call.End(ValueOf(thread, call, result), result.Outcome is CallOutcome.Error or CallOutcome.Interrupted ? result.Error : Errno.None);
        CallFormatter.Leave(call);
        line.Append(call.Text, written, call.Text.Length - written).Append(' ');
        Align(line).Append("= ").Append(CallFormatter.Result(call, result.Outcome));
        if (showTimes)
            AppendTime(line, thread.Process.World.Clock.Monotonic - call.Start);
        Emit(line);
    }

    public void OnSignal(GuestThread thread, in SignalInfo info)
    {
        Interrupt(null);
        Emit(SignalText.Append(Prefix(thread).Append("--- ").AppendSignal(info.Signal).Append(' '), info).Append(" ---"));
    }

    public void OnEnd(GuestThread thread, WaitStatus status)
    {
        FinishAbandoned(thread);
        Interrupt(null);
        StringBuilder line = Prefix(thread).Append("+++ ");
        if (status.Change == ChildChange.Exited)
            line.Append(CultureInfo.InvariantCulture, $"exited with {status.Value}");
        else
            line.Append("killed by ").AppendSignal(status.Value).Append(status.DumpedCore ? " (core dumped)" : "");
        Emit(line.Append(" +++"));
        _threads.Remove(thread);
    }

    /// <summary>A thread that another ended in the middle of a call: its half line gets the end that exit has.</summary>
    private void FinishAbandoned(GuestThread thread)
    {
        if (!_open.Remove(thread, out TracedCall? call))
            return;
        // Whoever ended it is in the middle of a call as well.
        Interrupt(thread);
        StringBuilder line = Prefix(thread);
        if (_current == thread)
            line.Append(call.Text);
        else
            line.Append("<... ").Append(call.Name).Append(" resumed>");
        // strace finishes lines of which nothing was to come.
        line.Append(call.Shape is { } shape && call.Next >= shape.Arguments.Length ? ") " : " <unfinished ...>) ");
        _current = null;
        Emit(Align(line).Append("= ?"));
    }

    /// <summary>rt_sigreturn's value is whatever the registers of the interrupted code hold.</summary>
    private static long ValueOf(GuestThread thread, TracedCall call, in CallResult result) =>
        result.Outcome == CallOutcome.NoReturn && call.Name == "rt_sigreturn" ? (long)thread.Cpu.State.Registers[Accumulator] : result.Value;

    /// <summary>Another line is coming: the call that is under way, unless it is <paramref name="next"/>'s, is written as far as it is known.</summary>
    private void Interrupt(GuestThread? next)
    {
        if (_current is not { } thread || thread == next)
            return;
        _current = null;
        if (_open.TryGetValue(thread, out TracedCall? call))
            Emit(Prefix(thread).Append(call.Text).Append(" <unfinished ...>"));
    }

    private StringBuilder Prefix(GuestThread thread)
    {
        var line = new StringBuilder();
        return _threads.Count > 1 ? line.Append(CultureInfo.InvariantCulture, $"[pid {thread.Id,5}] ") : line;
    }

    private static StringBuilder Align(StringBuilder line) => line.Append(' ', Math.Max(0, ResultColumn - line.Length));

    private static void AppendTime(StringBuilder line, long nanoseconds) => line.Append(
        CultureInfo.InvariantCulture, $" <{nanoseconds / 1_000_000_000}.{nanoseconds / 1000 % 1_000_000:000000}>");

    private void Emit(StringBuilder line) => sink(Encoding.UTF8.GetBytes(line.Append('\n').ToString()));
}
