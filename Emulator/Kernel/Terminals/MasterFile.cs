using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>The open master of a pseudo-terminal: what is written is typed, what programs write is read.</summary>
public sealed class MasterFile : TerminalEnd
{
    private readonly Action<int> _closed;
    private bool _isSuspended;

    /// <param name="closed">Told the terminal's number when the master is closed and its name has to go.</param>
    internal MasterFile(PseudoTerminal pair, PseudoTerminalFileSystem fileSystem, Inode inode, PathEntry path, OpenFlags flags, Action<int> closed)
        : base(inode, path, flags)
    {
        Pair = pair;
        FileSystem = fileSystem;
        _closed = closed;
    }

    public PseudoTerminal Pair { get; }

    /// <summary>Where the terminal's name is.</summary>
    public PseudoTerminalFileSystem FileSystem { get; }

    public override Terminal Terminal => Pair.Terminal;

    public override Source Source => Pair.Source;

    public override int Unread => Pair.Unread;

    public override void FlushInput() => Pair.Drop();

    public override void FlushOutput() => Terminal.DropIncoming();

    public override void SuspendOutput(bool isStopped)
    {
        _isSuspended = isStopped;
        if (!isStopped)
            Source.Pulse(Readiness.Out);
    }

    public override void SendUrgent(ControlCharacter character) => Terminal.Receive([TerminalSettings.Standard[character]]);

    public override Errno CheckAccess(CallContext call, int signal) => Errno.None;

    public override Readiness Poll()
    {
        Readiness ready = Pair.Unread > 0 ? Readiness.In : Readiness.None;
        if (Pair.IsPacketMode && Pair.Notices != TerminalNotice.None)
            ready |= Readiness.In | Readiness.Priority;
        if (Pair.IsSlaveClosed)
            ready |= Readiness.HangUp;
        return ready | (Terminal.InputRoom > 0 && !_isSuspended ? Readiness.Out : Readiness.None);
    }

    public override IoResult Read(Span<byte> destination)
    {
        if (destination.IsEmpty)
            return 0;
        if (Pair.IsPacketMode && Pair.Notices != TerminalNotice.None)
        {
            destination[0] = (byte)Pair.TakeNotices();
            return 1;
        }
        if (Pair.Unread == 0)
            return Pair.IsSlaveClosed ? Errno.EIO : IoResult.WouldBlock;
        if (!Pair.IsPacketMode)
            return Pair.Read(destination);
        destination[0] = 0;
        return 1 + Pair.Read(destination[1..]);
    }

    public override IoResult Write(ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        int taken = _isSuspended ? 0 : Terminal.Receive(source);
        return taken > 0 ? taken : IoResult.WouldBlock;
    }

    protected override void OnLastClose()
    {
        _closed(Terminal.Number);
        Terminal.Disconnect();
    }
}
