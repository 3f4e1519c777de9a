using System.Runtime.InteropServices;
using Vivarium.Messages;
using Vivarium.Nodes.Native;

namespace Vivarium.Nodes.Hosting;

/// <summary>Passes the signals this process gets from its user on to a job, in place of what they would do to this process.</summary>
internal sealed class SignalRelay : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Action<JobCommand> _tell;
    private readonly Terminal? _terminal;
    private int _hasStoppedGroup;

    public SignalRelay(Action<JobCommand> tell, Terminal? terminal)
    {
        _tell = tell;
        _terminal = terminal;
        Relay(PosixSignal.SIGINT, TerminalSignal.Interrupt);
        Relay(PosixSignal.SIGTERM, TerminalSignal.Terminate);
        Relay(PosixSignal.SIGHUP, TerminalSignal.HangUp);
        Relay(PosixSignal.SIGQUIT, TerminalSignal.Quit);
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTSTP, OnStop));
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => OnContinue()));
        if (terminal is not null)
            _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => OnResize()));
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }

    /// <summary>Stops every other process of this one's group, as its terminal would.</summary>
    public void StopGroup()
    {
        // This process gets it too. Its job is stopped already, and the run-time may call the handler when it goes on again.
        Interlocked.Exchange(ref _hasStoppedGroup, 1);
        Libc.Kill(0, Libc.SigTstp);
    }

    private void Relay(PosixSignal signal, TerminalSignal number) =>
        _registrations.Add(PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            _tell(new JobCommand.Signal(number));
        }));

    private void OnStop(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.Exchange(ref _hasStoppedGroup, 0) == 0)
            _tell(new JobCommand.Signal(TerminalSignal.Stop));
    }

    /// <summary>While it was stopped, the terminal was the shell's, and may have another size since.</summary>
    private void OnContinue()
    {
        _terminal?.Resume();
        OnResize();
        _tell(new JobCommand.Signal(TerminalSignal.Continue));
    }

    private void OnResize()
    {
        if (_terminal?.Size is { } size)
            _tell(new JobCommand.Resize(size.Columns, size.Rows));
    }
}
