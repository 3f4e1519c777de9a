using System.Runtime.InteropServices;
using Vivarium.Messages;

namespace Vivarium.Nodes.Hosting;

/// <summary>Passes the signals this process gets from its user on to a job, in place of what they would do to this process.</summary>
internal sealed class SignalRelay : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Action<JobCommand> _tell;
    private readonly Terminal? _terminal;

    public SignalRelay(Action<JobCommand> tell, Terminal? terminal)
    {
        _tell = tell;
        _terminal = terminal;
        Relay(PosixSignal.SIGINT, TerminalSignal.Interrupt);
        Relay(PosixSignal.SIGTERM, TerminalSignal.Terminate);
        Relay(PosixSignal.SIGHUP, TerminalSignal.HangUp);
        Relay(PosixSignal.SIGQUIT, TerminalSignal.Quit);
        Relay(PosixSignal.SIGTSTP, TerminalSignal.Stop);
        _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGCONT, _ => OnContinue()));
        if (terminal is not null)
            _registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => OnResize()));
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
    }

    private void Relay(PosixSignal signal, TerminalSignal number) =>
        _registrations.Add(PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            _tell(new JobCommand.Signal(number));
        }));

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
