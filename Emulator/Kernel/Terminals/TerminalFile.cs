using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>An open terminal.</summary>
public sealed class TerminalFile : TerminalEnd
{
    private const long TimeUnit = 100_000_000;

    /// <summary>
    /// The kernel's step of a read. A minimum beyond it is never reached, and such a read ends with a full step (iterate_tty_read).
    /// </summary>
    private const int Step = 64;

    private static readonly object Waited = new();

    public TerminalFile(Terminal terminal, Inode inode, PathEntry? path, OpenFlags flags)
        : base(inode, path, flags)
    {
        Terminal = terminal;
        terminal.Add(this);
    }

    public override Terminal Terminal { get; }

    public override Source Source => Terminal.Source;

    public override Source AsyncSource => Terminal.Source;

    public override int Unread => Terminal.Discipline.Pending;

    public override void FlushInput() => Terminal.FlushInput();

    public override void FlushOutput() => Terminal.FlushOutput();

    public override void SuspendOutput(bool isStopped) => Terminal.SuspendOutput(isStopped);

    public override void SendUrgent(ControlCharacter character)
    {
        if (Terminal.Settings[character] is not TerminalSettings.Disabled and byte value)
            Terminal.SendUrgent(value);
    }

    public override Errno CheckAccess(CallContext call, int signal) => Terminal.CheckAccess(call, signal);

    internal void HangUp() => IsHungUp = true;

    public override Readiness Poll()
    {
        if (IsHungUp)
            return Readiness.In | Readiness.Out | Readiness.Error | Readiness.HangUp;
        Terminal.Port.OnUse(waits: false);
        return (Terminal.Discipline.IsReadable ? Readiness.In : 0) | (((ILine)Terminal).Room > 0 ? Readiness.Out : 0);
    }

    public override IoResult Read(CallContext call, Span<byte> destination)
    {
        // A reader that waited when the other side went fails; one that comes later finds the end.
        if (IsHungUp)
            return call.State == Waited && Terminal.IsDisconnected ? Errno.EIO : 0;
        Errno error = Terminal.CheckAccess(call, Signal.TerminalInput);
        if (error != Errno.None || destination.IsEmpty)
            return error;
        IoResult result = Terminal.Settings.IsCanonical ? ReadLine(destination) : ReadRaw(call, destination);
        if (result.IsBlocked)
        {
            call.State = Waited;
            Terminal.Port.OnUse(waits: !IsNonBlocking);
        }
        else
        {
            Terminal.OnInputTaken();
        }
        return result;
    }

    private IoResult ReadLine(Span<byte> destination) =>
        Terminal.Discipline.HasLine ? Terminal.Discipline.ReadLine(destination) : IoResult.WouldBlock;

    /// <summary>MIN and TIME of termios(3), "Canonical and noncanonical mode".</summary>
    private IoResult ReadRaw(CallContext call, Span<byte> destination)
    {
        LineDiscipline discipline = Terminal.Discipline;
        int minimum = Terminal.Settings[ControlCharacter.Minimum];
        long time = Terminal.Settings[ControlCharacter.Time] * TimeUnit;
        // Looked at in the first run of the call, when it is entered.
        long entered = time == 0 ? 0 : call.StartedAt;
        if (minimum > Step)
            destination = destination[..Math.Min(destination.Length, Step)];
        int available = discipline.Available;
        if (available >= Math.Min(Math.Max(minimum, 1), destination.Length) || (available > 0 && (IsNonBlocking || call.Interrupted)))
            return discipline.ReadRaw(destination);
        if (minimum == 0 && time == 0)
            return 0;
        if (time != 0 && (minimum == 0 || available > 0))
        {
            long start = minimum == 0 ? entered : Math.Max(entered, Terminal.LastInput);
            call.MoveDeadline(start + time);
            if (call.DeadlinePassed)
                return discipline.ReadRaw(destination);
        }
        return IoResult.WouldBlock;
    }

    public override IoResult Write(CallContext call, ReadOnlySpan<byte> source)
    {
        if (IsHungUp)
            return Errno.EIO;
        if (Terminal.Settings.Has(LocalModes.StopBackgroundOutput))
        {
            Errno error = Terminal.CheckAccess(call, Signal.TerminalOutput);
            if (error != Errno.None)
                return error;
        }
        if (source.IsEmpty)
            return 0;
        int written = Terminal.Discipline.Write(source);
        return written > 0 ? written : IoResult.WouldBlock;
    }

    protected override void OnLastClose() => Terminal.Remove(this);
}
