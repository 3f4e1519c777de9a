using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>timerfd_create(2), timer_create(2), signalfd(2).</summary>
public static class TimerDescriptorCalls
{
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const int Absolute = 1;
    private const int CancelOnSet = 2;
    private const int Realtime = 0, Boot = 7, BootAlarm = 9;

    public static CallResult TimerfdCreate(CallContext call, int clock, int flags)
    {
        if ((flags & ~(NonBlocking | CloseOnExec)) != 0 || clock is not (0 or 1 or 7 or 8 or 9))
            return Errno.EINVAL;
        OpenFlags status = (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        return PipeCalls.Install(call, new TimerDescriptor(call.World, clock is 0 or 8, status) { IsBootTime = clock is Boot or BootAlarm }, (flags & CloseOnExec) != 0);
    }

    public static CallResult TimerfdSettime(CallContext call, int fd, int flags, GuestAddress value, GuestAddress old)
    {
        if ((flags & ~(Absolute | CancelOnSet)) != 0)
            return Errno.EINVAL;
        Errno error = ReadSetting(call, value, out long first, out long interval);
        if (error != Errno.None)
            return error;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (file is not TimerDescriptor timer)
            return Errno.EINVAL;
        if (!old.IsNull && !WriteSetting(call, old, timer.Timer))
            return Errno.EFAULT;
        timer.Timer.Arm(Deadline(call, first, (flags & Absolute) != 0, timer.IsRealtime, timer.IsBootTime), interval);
        return 0;
    }

    public static CallResult TimerfdGettime(CallContext call, int fd, GuestAddress value)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        return file is not TimerDescriptor timer ? Errno.EINVAL : WriteSetting(call, value, timer.Timer) ? 0 : Errno.EFAULT;
    }

    /// <summary>struct itimerspec: the interval, then the first time.</summary>
    private static Errno ReadSetting(CallContext call, GuestAddress address, out long first, out long interval)
    {
        first = 0;
        Errno error = call.ReadTime(address, out interval);
        return error != Errno.None ? error : call.ReadTime(address + 16, out first);
    }

    private static bool WriteSetting(CallContext call, GuestAddress address, IntervalTimer timer) =>
        TimeCalls.WriteTime(call, address, timer.Interval).Error == Errno.None && TimeCalls.WriteTime(call, address + 16, timer.Left).Error == Errno.None;

    private static long? Deadline(CallContext call, long first, bool isAbsolute, bool isRealtime, bool isBootTime)
    {
        if (first == 0)
            return null;
        IClock clock = call.World.Clock;
        long span = !isAbsolute ? first : first - (isRealtime ? clock.Realtime : clock.Monotonic + call.ClockOffset(isBootTime));
        return span > long.MaxValue - clock.Monotonic ? long.MaxValue : clock.Monotonic + span;
    }

    /// <summary>struct sigevent: value, signal, how, and a thread for SIGEV_THREAD_ID.</summary>
    public static CallResult TimerCreate(CallContext call, int clock, GuestAddress specification, GuestAddress id)
    {
        const int bySignal = 0, none = 1, byThread = 2, toThread = 4;
        ITimeBase? processor = TimeCalls.ProcessorClockOf(call, clock);
        if (clock is not (0 or 1 or 7 or 8 or 9 or 11) && processor is null)
            return Errno.EINVAL;
        ulong? value = null;
        int signal = Signal.Alarm, how = bySignal, thread = 0;
        if (!specification.IsNull)
        {
            if (!call.Memory.TryRead(specification, out ulong given) || !call.Memory.TryRead(specification + 8, out signal) ||
                !call.Memory.TryRead(specification + 12, out how) || !call.Memory.TryRead(specification + 16, out thread))
                return Errno.EFAULT;
            value = given;
        }
        if (how is not (bySignal or none or byThread or toThread) || (how != none && !Signal.IsValid(signal)))
            return Errno.EINVAL;
        GuestThread? target = how == toThread ? call.FindThread(thread) : null;
        if (how == toThread && target?.Process != call.Process)
            return Errno.EINVAL;
        if (call.Process.AddPosixTimer(target, how == none ? 0 : signal, value, clock is Realtime or 8 or 11, clock is Boot or BootAlarm, processor) is not { } timer)
            return Errno.EAGAIN;
        if (call.Memory.TryWrite(id, timer.Id))
            return 0;
        call.Process.RemovePosixTimer(timer.Id);
        return Errno.EFAULT;
    }

    public static CallResult TimerSettime(CallContext call, int id, int flags, GuestAddress value, GuestAddress old)
    {
        if (value.IsNull)
            return Errno.EINVAL;
        Errno error = ReadSetting(call, value, out long first, out long interval);
        if (error != Errno.None)
            return error;
        if (call.Process.FindPosixTimer(id) is not { } timer)
            return Errno.EINVAL;
        if (!old.IsNull && !WriteSetting(call, old, timer.Timer))
            return Errno.EFAULT;
        bool isAbsolute = (flags & Absolute) != 0;
        timer.Timer.Arm(timer.IsOnProcessorTime ? (first == 0 ? null : isAbsolute ? first : timer.Timer.Now + first) : Deadline(call, first, isAbsolute, timer.IsRealtime, timer.IsBootTime), interval);
        return 0;
    }

    public static CallResult TimerGettime(CallContext call, int id, GuestAddress value) =>
        call.Process.FindPosixTimer(id) is not { } timer ? Errno.EINVAL : WriteSetting(call, value, timer.Timer) ? 0 : Errno.EFAULT;

    public static CallResult TimerGetoverrun(CallContext call, int id) => call.Process.FindPosixTimer(id) is { } timer ? timer.Overrun : Errno.EINVAL;

    public static CallResult TimerDelete(CallContext call, int id) => call.Process.RemovePosixTimer(id) ? 0 : Errno.EINVAL;

    public static CallResult Signalfd(CallContext call, int fd, GuestAddress mask, ulong size) => Signalfd4(call, fd, mask, size, 0);

    public static CallResult Signalfd4(CallContext call, int fd, GuestAddress mask, ulong size, int flags)
    {
        const int recordSize = 128;
        if ((flags & ~(NonBlocking | CloseOnExec)) != 0 || size != sizeof(ulong))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(mask, out ulong bits))
            return Errno.EFAULT;
        SignalSet signals = new SignalSet(bits) & ~Signal.Unstoppable;
        if (fd != -1)
        {
            if (call.File(fd) is not { } file)
                return Errno.EBADF;
            if (file is not SignalDescriptor existing)
                return Errno.EINVAL;
            existing.Signals = signals;
            return fd;
        }
        OpenFlags status = (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        return PipeCalls.Install(call, new SignalDescriptor(call.World, signals, recordSize, Encode, status), (flags & CloseOnExec) != 0);
    }

    /// <summary>struct signalfd_siginfo.</summary>
    private static void Encode(in SignalInfo info, Span<byte> record)
    {
        BinaryPrimitives.WriteInt32LittleEndian(record, info.Signal);
        BinaryPrimitives.WriteInt32LittleEndian(record[4..], info.Error);
        BinaryPrimitives.WriteInt32LittleEndian(record[8..], info.Code);
        BinaryPrimitives.WriteInt32LittleEndian(record[12..], info.SenderProcess);
        BinaryPrimitives.WriteUInt32LittleEndian(record[16..], info.SenderUser);
        BinaryPrimitives.WriteInt32LittleEndian(record[24..], info.Timer);
        BinaryPrimitives.WriteInt32LittleEndian(record[32..], info.Overrun);
        BinaryPrimitives.WriteInt32LittleEndian(record[40..], info.IsChild ? (int)info.Value : 0);
        BinaryPrimitives.WriteInt32LittleEndian(record[44..], (int)info.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(record[48..], info.Value);
        if (info.IsFault)
            BinaryPrimitives.WriteUInt64LittleEndian(record[72..], info.Value);
    }
}
