namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>The connection of a terminal to one outside the world.</summary>
internal sealed class OutsideTerminal : ITerminalPort
{
    private readonly Terminal _terminal;
    private readonly IHostTerminal _host;
    private readonly byte[] _typed = new byte[1024];
    private bool _isReading;
    private bool _isGone;

    public OutsideTerminal(World world, Terminal terminal, IHostTerminal host)
    {
        (_terminal, _host) = (terminal, host);
        terminal.Port = this;
        _isReading = host.IsInteractive;
        host.Ready += () => world.Post(OnReady);
    }

    public int Room => _host.Room;

    /// <summary>A screen shows what it gets.</summary>
    public bool IsHeld
    {
        set { }
    }

    public int Write(ReadOnlySpan<byte> bytes) => _host.Write(bytes);

    public void Flush() => _host.DropOutput();

    public void Notify(TerminalNotice notice)
    {
    }

    public void OnInputRoom() => Read();

    public void OnUse(bool waits)
    {
        if (_isGone)
            return;
        _host.Claim(waits);
        if (_isReading)
            return;
        _isReading = true;
        Read();
    }

    /// <summary>Takes what was typed, whether or not a program reads: it may be Ctrl-C.</summary>
    public void Read()
    {
        while (_isReading && !_isGone && _terminal.InputRoom > 0)
        {
            int count = _host.TryRead(_typed.AsSpan(0, Math.Min(_typed.Length, _terminal.InputRoom)));
            if (count < 0)
                return;
            _isGone = count == 0;
            if (_isGone)
                _terminal.Disconnect();
            else
                _terminal.Receive(_typed.AsSpan(0, count));
        }
    }

    private void OnReady()
    {
        Read();
        _terminal.Discipline.ProcessEchoes();
        _terminal.OnOutputRoom();
    }
}
