using System.Buffers;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Bsd.Tracing;

/// <summary>struct ptrace_io_desc of both systems.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceTransfer
{
    public const int ReadData = 1, WriteData = 2, ReadText = 3, WriteText = 4, ReadAuxiliary = 5;

    public int Operation;
    private int _padding;
    public ulong Remote, Local, Length;

    public readonly bool Writes => Operation is WriteData or WriteText;

    public readonly bool IsOfMemory => Operation is >= ReadData and <= WriteText;
}

/// <summary>What FreeBSD's and NetBSD's ptrace(2) do alike.</summary>
internal static class BsdTracing
{
    /// <summary>A caller is traced by its parent from now on: EBUSY when it is already, EPERM when there is no parent that could.</summary>
    public static Errno BeginBySelf(CallContext call, bool tellsAtExit)
    {
        if (call.Process.IsTraced)
            return Errno.EBUSY;
        return call.Process.Parent is { IsZombie: false } parent && AccessDomain.MayTrace(parent.Domain, call.Thread.Domain)
            ? call.World.Trace(call.Process, parent, tellsAtExit) : Errno.EPERM;
    }

    /// <summary>What the caller has in hand: EPERM when it is not traced, EBUSY when by another, or when it does not stand still and was not waited for.</summary>
    public static Errno Find(CallContext call, Process process, bool mayRun, out ProcessTrace trace)
    {
        trace = process.Trace!;
        if (!process.IsTraced)
            return Errno.EPERM;
        bool isOwn = trace is not null && ReferenceEquals(trace.Tracer, call.Process);
        return isOwn && (mayRun || trace is { Reporter: not null, IsReported: true }) ? Errno.None : Errno.EBUSY;
    }

    /// <summary>Moves bytes between the caller and what it traces: EFAULT where either has none.</summary>
    public static Errno Move(CallContext call, AddressSpace traced, ref TraceTransfer transfer)
    {
        const int most = 1 << 16;
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)Math.Min(transfer.Length, most));
        ulong done = 0;
        Errno error = Errno.None;
        while (done < transfer.Length && error == Errno.None)
        {
            Span<byte> part = bytes.AsSpan(0, (int)Math.Min(transfer.Length - done, (ulong)bytes.Length));
            GuestAddress remote = new(transfer.Remote + done), local = new(transfer.Local + done);
            bool isMoved = transfer.Writes
                ? call.Memory.TryRead(local, part) && traced.TryPoke(remote, part)
                : traced.Peek(remote, part) == part.Length && call.Memory.TryWrite(local, part);
            if (isMoved)
                done += (ulong)part.Length;
            else
                error = Errno.EFAULT;
        }
        ArrayPool<byte>.Shared.Return(bytes);
        transfer.Length = done;
        return error;
    }

    /// <summary>Gives a thread the signal to go on with: the one it stopped for as it came, another as the tracer's.</summary>
    /// <param name="signal">The kernel's number; 0 = none.</param>
    public static void Give(CallContext call, Tracee tracee, int signal)
    {
        if (signal == 0)
            return;
        bool isSame = tracee.Stop is { Kind: TraceStopKind.Signal } stop && stop.Info.Signal == signal;
        SignalInfo info = isSame ? tracee.Stop!.Value.Info : new SignalInfo(signal) { SenderProcess = call.ProcessNumber, SenderUser = call.Thread.Credentials.User };
        if (tracee.Thread.Blocked.Contains(signal) && !isSame)
            call.World.Send(tracee.Thread, info);
        else
            tracee.Injected = info;
    }

    /// <summary>Reads or writes a set of registers: EFAULT, or EINVAL for what no program may set.</summary>
    public static Errno General(CallContext call, BsdTraceLayout layout, Tracee tracee, GuestAddress address, bool writes)
    {
        Span<byte> set = stackalloc byte[BsdTraceLayout.Largest];
        set = set[..layout.GeneralSize];
        if (writes)
            return call.Memory.TryRead(address, set) ? layout.WriteGeneral(tracee, set) : Errno.EFAULT;
        layout.ReadGeneral(tracee, set);
        return call.Memory.TryWrite(address, set) ? Errno.None : Errno.EFAULT;
    }

    public static Errno Floats(CallContext call, BsdTraceLayout layout, GuestThread thread, GuestAddress address, bool writes)
    {
        Span<byte> set = stackalloc byte[BsdTraceLayout.Largest];
        set = set[..layout.FloatSize];
        if (writes)
            return !call.Memory.TryRead(address, set) ? Errno.EFAULT : layout.WriteFloats(thread, set) ? Errno.None : Errno.EINVAL;
        layout.ReadFloats(thread, set);
        return call.Memory.TryWrite(address, set) ? Errno.None : Errno.EFAULT;
    }

    public static Errno Debug(CallContext call, BsdTraceLayout layout, GuestThread thread, GuestAddress address, bool writes)
    {
        if (layout.DebugSize == 0)
            return Errno.EINVAL;
        Span<byte> set = stackalloc byte[BsdTraceLayout.Largest];
        set = set[..layout.DebugSize];
        if (writes)
            return !call.Memory.TryRead(address, set) ? Errno.EFAULT : layout.WriteDebug(thread, set) ? Errno.None : Errno.EINVAL;
        layout.ReadDebug(thread, set);
        return call.Memory.TryWrite(address, set) ? Errno.None : Errno.EFAULT;
    }

    /// <summary>The error number that a call just left has returned; 0 when it did not fail.</summary>
    public static int ErrorOf(BsdPersonality system, in CallResult result) => result.Outcome == CallOutcome.Error ? system.Numbers.ErrorNumber(result.Error) : 0;
}
