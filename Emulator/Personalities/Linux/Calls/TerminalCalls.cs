using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl_tty(2): terminals, their masters, and vhangup(2).</summary>
public static class TerminalCalls
{
    private const uint GetSettings = 0x5401, SetSettings = 0x5402, SetSettingsFlush = 0x5404;
    private const uint GetOldSettings = 0x5405, SetOldSettings = 0x5406, SetOldSettingsFlush = 0x5408;
    private const uint SendBreak = 0x5409, FlowControl = 0x540A, Flush = 0x540B, SendBreakFor = 0x5425;
    private const uint SetExclusive = 0x540C, ClearExclusive = 0x540D, GetExclusive = 0x80045440;
    private const uint SetControlling = 0x540E, GetGroup = 0x540F, SetGroup = 0x5410, GiveUpControlling = 0x5422, GetSession = 0x5429;
    private const uint OutputQueue = 0x5411, InputQueue = 0x541B, InjectInput = 0x5412;
    private const uint GetWindowSize = 0x5413, SetWindowSize = 0x5414;
    private const uint SetDiscipline = 0x5423, GetDiscipline = 0x5424, StartBreak = 0x5427, EndBreak = 0x5428;
    private const uint GetSettings2 = 0x802C542A, SetSettings2 = 0x402C542B, SetSettings2Flush = 0x402C542D;
    private const uint GetDevice = 0x80045432, HangUp = 0x5437;
    private const uint SetPacketMode = 0x5420, GetNumber = 0x80045430, SetLock = 0x40045431, SendSignal = 0x40045436;
    private const uint GetPacketMode = 0x80045438, GetLock = 0x80045439, GetPeer = 0x5441;

    /// <summary>Hangs up the caller's terminal.</summary>
    public static CallResult Vhangup(CallContext call)
    {
        if (!call.Thread.Credentials.IsPrivileged)
            return Errno.EPERM;
        call.Process.Terminal?.HangUp();
        return 0;
    }

    /// <summary>ioctl(2) on a terminal or a master.</summary>
    internal static CallResult Control(CallContext call, TerminalEnd end, uint request, ulong argument)
    {
        if (end.IsHungUp)
            return request == SetGroup ? Errno.ENOTTY : Errno.EIO;
        var address = new GuestAddress(argument);
        switch (request)
        {
            case GetSettings or GetOldSettings or GetSettings2:
                return ReadSettings(call, end.Terminal, request, address);
            case >= SetSettings and <= SetSettingsFlush or >= SetOldSettings and <= SetOldSettingsFlush or >= SetSettings2 and <= SetSettings2Flush:
                return ChangeSettings(call, end, request, address);
            case SendBreak or SendBreakFor or StartBreak or EndBreak:
                return Check(call, end);
            case FlowControl:
                return ControlFlow(call, end, argument);
            case Flush:
                return Drop(call, end, argument);
            case OutputQueue:
                return Store(call, address, 0);
            case InputQueue:
                return Store(call, address, end.Unread);
            case InjectInput:
                return Inject(call, end.Terminal, address);
            case GetWindowSize or SetWindowSize:
                return WindowSize(call, end.Terminal, request == SetWindowSize, address);
            case SetControlling or GiveUpControlling or GetGroup or SetGroup or GetSession:
                return ControlJobs(call, end, request, argument);
            default:
                return end is MasterFile master ? ControlMaster(call, master, request, argument) : ControlDevice(call, end, request, address);
        }
    }

    private static CallResult ReadSettings(CallContext call, Terminal terminal, uint request, GuestAddress address)
    {
        bool stored = request switch
        {
            GetSettings => call.Memory.TryWrite(address, Termios.From(terminal.Settings)),
            GetSettings2 => call.Memory.TryWrite(address, Termios2.From(terminal.Settings)),
            _ => call.Memory.TryWrite(address, Termio.From(terminal.Settings)),
        };
        return stored ? 0 : Errno.EFAULT;
    }

    /// <summary>Nothing is ever under way on a pseudo-terminal, so that waiting for output to drain is immediate.</summary>
    private static CallResult ChangeSettings(CallContext call, TerminalEnd end, uint request, GuestAddress address)
    {
        Terminal terminal = end.Terminal;
        CallResult allowed = Check(call, terminal);
        if (allowed.Outcome != CallOutcome.Value)
            return allowed;
        TerminalSettings settings;
        if (request >= SetSettings2)
        {
            if (!call.Memory.TryRead(address, out Termios2 given))
                return Errno.EFAULT;
            settings = given.ToSettings();
        }
        else if (request >= SetOldSettings)
        {
            if (!call.Memory.TryRead(address, out Termio given))
                return Errno.EFAULT;
            settings = given.ToSettings(terminal.Settings);
        }
        else
        {
            if (!call.Memory.TryRead(address, out Termios given))
                return Errno.EFAULT;
            settings = given.ToSettings(terminal.Settings);
        }
        if (request is SetSettingsFlush or SetOldSettingsFlush or SetSettings2Flush)
            terminal.FlushInput();
        terminal.Apply(settings);
        return 0;
    }

    private static CallResult ControlFlow(CallContext call, TerminalEnd end, ulong action)
    {
        CallResult allowed = Check(call, end);
        if (allowed.Outcome != CallOutcome.Value)
            return allowed;
        switch (action)
        {
            case 0 or 1: // TCOOFF, TCOON
                end.SuspendOutput(action == 0);
                return 0;
            case 2 or 3: // TCIOFF, TCION
                end.SendUrgent(action == 2 ? ControlCharacter.Stop : ControlCharacter.Start);
                return 0;
            default:
                return Errno.EINVAL;
        }
    }

    private static CallResult Drop(CallContext call, TerminalEnd end, ulong what)
    {
        CallResult allowed = Check(call, end);
        if (allowed.Outcome != CallOutcome.Value)
            return allowed;
        if (what > 2)
            return Errno.EINVAL;
        if (what is 0 or 2) // TCIFLUSH, TCIOFLUSH
            end.FlushInput();
        if (what is 1 or 2) // TCOFLUSH, TCIOFLUSH
            end.FlushOutput();
        return 0;
    }

    /// <summary>TIOCSTI, as kernels have it by default now: for administrators.</summary>
    private static CallResult Inject(CallContext call, Terminal terminal, GuestAddress address)
    {
        if (!call.Thread.Credentials.IsPrivileged)
            return Errno.EIO;
        if (!call.Memory.TryRead(address, out byte typed))
            return Errno.EFAULT;
        terminal.Receive([typed]);
        return 0;
    }

    private static CallResult WindowSize(CallContext call, Terminal terminal, bool isChange, GuestAddress address)
    {
        if (isChange)
        {
            if (!call.Memory.TryRead(address, out WinSize wanted))
                return Errno.EFAULT;
            terminal.Resize(new WindowSize(wanted.Rows, wanted.Columns, wanted.PixelWidth, wanted.PixelHeight));
            return 0;
        }
        WindowSize size = terminal.Size;
        var told = new WinSize { Rows = size.Rows, Columns = size.Columns, PixelWidth = size.PixelWidth, PixelHeight = size.PixelHeight };
        return call.Memory.TryWrite(address, told) ? 0 : Errno.EFAULT;
    }

    private static CallResult ControlJobs(CallContext call, TerminalEnd end, uint request, ulong argument)
    {
        Terminal terminal = end.Terminal;
        Process process = call.Process;
        bool isOwn = end is MasterFile || process.Terminal == terminal;
        switch (request)
        {
            case SetControlling:
                return terminal.TakeControl(call, end.CanRead, steals: argument == 1);
            case GiveUpControlling:
                if (end is MasterFile || process.Terminal != terminal)
                    return Errno.ENOTTY;
                process.GiveUpTerminal();
                return 0;
            case GetGroup:
                return isOwn ? Store(call, new GuestAddress(argument), call.Pids.Inside(terminal.ForegroundGroup)) : Errno.ENOTTY;
            case GetSession:
                return isOwn && terminal.Session != 0 ? Store(call, new GuestAddress(argument), call.Pids.Inside(terminal.Session)) : Errno.ENOTTY;
            default:
                return ChangeGroup(call, terminal, new GuestAddress(argument));
        }
    }

    private static CallResult ChangeGroup(CallContext call, Terminal terminal, GuestAddress address)
    {
        CallResult allowed = Check(call, terminal);
        if (allowed.Outcome == CallOutcome.Error)
            return Errno.ENOTTY;
        if (allowed.Outcome != CallOutcome.Value)
            return allowed;
        return call.Memory.TryRead(address, out int group) ? group < 0 ? Errno.EINVAL : terminal.SetForegroundGroup(call, call.Pids.Outside(group)) : Errno.EFAULT;
    }

    private static CallResult ControlDevice(CallContext call, TerminalEnd end, uint request, GuestAddress address)
    {
        switch (request)
        {
            case SetExclusive or ClearExclusive:
                end.Terminal.IsExclusive = request == SetExclusive;
                return 0;
            case GetExclusive:
                return Store(call, address, end.Terminal.IsExclusive ? 1 : 0);
            case GetDiscipline:
                return Store(call, address, 0);
            case SetDiscipline:
                // There is only N_TTY.
                return !call.Memory.TryRead(address, out int discipline) ? Errno.EFAULT : discipline == 0 ? 0 : Errno.EINVAL;
            case GetDevice:
                return Store(call, address, (int)end.Terminal.Device);
            case HangUp:
                if (!call.Thread.Credentials.IsPrivileged)
                    return Errno.EPERM;
                end.Terminal.HangUp();
                return 0;
            default:
                return Errno.ENOTTY;
        }
    }

    /// <summary>ioctl_tty(2), "Pseudoterminal ioctls".</summary>
    private static CallResult ControlMaster(CallContext call, MasterFile master, uint request, ulong argument)
    {
        var address = new GuestAddress(argument);
        Terminal terminal = master.Terminal;
        switch (request)
        {
            case GetNumber:
                return Store(call, address, terminal.Number);
            case SetLock or SetPacketMode:
                if (!call.Memory.TryRead(address, out int on))
                    return Errno.EFAULT;
                if (request == SetLock)
                    terminal.IsLocked = on != 0;
                else
                    master.Pair.SetPacketMode(on != 0);
                return 0;
            case GetLock:
                return Store(call, address, terminal.IsLocked ? 1 : 0);
            case GetPacketMode:
                return Store(call, address, master.Pair.IsPacketMode ? 1 : 0);
            case SendSignal:
                if (argument is not (Signal.Interrupt or Signal.Quit or Signal.TerminalStop))
                    return Errno.EINVAL;
                terminal.SignalForeground((int)argument);
                return 0;
            case GetPeer:
                return OpenPeer(call, master, (uint)argument);
            default:
                return ControlDevice(call, master, request, address);
        }
    }

    private static CallResult OpenPeer(CallContext call, MasterFile master, uint flags)
    {
        OpenFlags decoded = Fcntl.Decode(call, flags);
        Errno error = TerminalDevices.OpenPeer(master, decoded, call, out OpenFile? file);
        if (error != Errno.None)
            return error;
        file!.Flags &= ~(OpenFlags.NoControllingTty | OpenFlags.CloseOnExec);
        return OpenCalls.Install(call, file, (decoded & OpenFlags.CloseOnExec) != 0);
    }

    /// <summary>Changes are for foreground groups (tty_check_change); a master may change anything.</summary>
    internal static CallResult Check(CallContext call, TerminalEnd end) =>
        end is MasterFile ? CallResult.Ok() : Check(call, end.Terminal);

    internal static CallResult Check(CallContext call, Terminal terminal)
    {
        Errno error = terminal.CheckAccess(call, Signal.TerminalOutput);
        return error == Errno.EINTR ? call.Wait() : error;
    }

    private static CallResult Store(CallContext call, GuestAddress address, int value) =>
        call.Memory.TryWrite(address, value) ? 0 : Errno.EFAULT;
}
