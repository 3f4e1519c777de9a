using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxDescriptors = Vivarium.Emulator.Personalities.Linux.Calls.DescriptorCalls;

namespace Vivarium.Emulator.Personalities.Bsd.Calls;

/// <summary>ioctl(2): what any descriptor takes (filio.h), and terminals (tty(4)).</summary>
public static class ControlCalls
{
    private const uint GetAttributes = 0x402C7413, SetAttributes = 0x802C7414, SetAttributesDrained = 0x802C7415, SetAttributesFlushed = 0x802C7416;
    private const uint Drain = 0x2000745E, Flush = 0x80047410, StopOutput = 0x2000746F, StartOutput = 0x2000746E;

    public static CallResult Ioctl(CallContext call, int fd, ulong request, GuestAddress argument)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        uint number = (uint)request;
        return number switch
        {
            GetAttributes or SetAttributes or SetAttributesDrained or SetAttributesFlushed or Drain or Flush or StopOutput or StartOutput =>
                file is TerminalEnd end ? ControlTerminal(call, fd, end, number, argument) : Errno.ENOTTY,
            _ when ToLinux(number) is not 0 and var linux => LinuxDescriptors.Ioctl(call, fd, linux, HasArgument(number) ? argument.Value : 0),
            _ => Errno.ENOTTY,
        };
    }

    /// <summary>IOC_VOID has no argument.</summary>
    private static bool HasArgument(uint request) => (request & 0xC0000000) != 0;

    /// <summary>Requests whose arguments are Linux's; 0 for none.</summary>
    private static uint ToLinux(uint request) => request switch
    {
        0x20006601 => 0x5451, // FIOCLEX
        0x20006602 => 0x5450, // FIONCLEX
        0x4004667F => 0x541B, // FIONREAD
        0x8004667E => 0x5421, // FIONBIO
        0x8004667D => 0x5452, // FIOASYNC
        0x40087468 => 0x5413, // TIOCGWINSZ
        0x80087467 => 0x5414, // TIOCSWINSZ
        0x20007461 => 0x540E, // TIOCSCTTY
        0x20007471 => 0x5422, // TIOCNOTTY
        0x40047477 => 0x540F, // TIOCGPGRP
        0x80047476 => 0x5410, // TIOCSPGRP
        0x40047463 => 0x5429, // TIOCGSID
        0x40047473 => 0x5411, // TIOCOUTQ
        0x80017472 => 0x5412, // TIOCSTI
        0x2000740D => 0x540C, // TIOCEXCL
        0x2000740E => 0x540D, // TIOCNXCL
        0x2000747B => 0x5427, // TIOCSBRK
        0x2000747A => 0x5428, // TIOCCBRK
        0x80047470 => 0x5420, // TIOCPKT
        0x4004741A => 0x5424, // TIOCGETD
        _ => 0,
    };

    private static CallResult ControlTerminal(CallContext call, int fd, TerminalEnd end, uint request, GuestAddress argument)
    {
        const uint linuxFlush = 0x540B, linuxFlow = 0x540A;
        switch (request)
        {
            case GetAttributes:
                if (end.IsHungUp)
                    return Errno.EIO;
                return call.Memory.TryWrite(argument, BsdTermios.From(end.Terminal.Settings)) ? CallResult.Ok() : Errno.EFAULT;
            case Drain:
                // Nothing is ever under way on a pseudo-terminal.
                return TerminalCalls.Check(call, end);
            case Flush:
                return call.Memory.TryRead(argument, out int queues) ? LinuxDescriptors.Ioctl(call, fd, linuxFlush, (ulong)Queues(queues)) : Errno.EFAULT;
            case StopOutput or StartOutput:
                return LinuxDescriptors.Ioctl(call, fd, linuxFlow, request == StopOutput ? 0ul : 1);
            default:
                return SetSettings(call, end, argument, isFlushed: request == SetAttributesFlushed);
        }
    }

    /// <summary>FREAD 1 and FWRITE 2, both when there is neither; Linux has TCIFLUSH 0, TCOFLUSH 1, TCIOFLUSH 2.</summary>
    private static int Queues(int which) => (which & 3) switch
    {
        1 => 0,
        2 => 1,
        _ => 2,
    };

    private static CallResult SetSettings(CallContext call, TerminalEnd end, GuestAddress argument, bool isFlushed)
    {
        if (end.IsHungUp)
            return Errno.EIO;
        CallResult allowed = TerminalCalls.Check(call, end.Terminal);
        if (allowed.Outcome != CallOutcome.Value)
            return allowed;
        if (!call.Memory.TryRead(argument, out BsdTermios given))
            return Errno.EFAULT;
        if (isFlushed)
            end.Terminal.FlushInput();
        end.Terminal.Apply(given.ToSettings(end.Terminal.Settings));
        return CallResult.Ok();
    }
}
