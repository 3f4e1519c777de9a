using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>getrlimit(2), setrlimit(2).</summary>
public static class ResourceCalls
{
    /// <summary>RLIM_INFINITY.</summary>
    private const ulong Infinity = long.MaxValue;

    /// <summary>RLIMIT_ numbers; those that the kernel does not keep are unlimited.</summary>
    private static Resource? ToNeutral(int which) => which switch
    {
        0 => Resource.ProcessorTime,
        1 => Resource.FileSize,
        2 => Resource.Data,
        3 => Resource.Stack,
        4 => Resource.CoreSize,
        5 => Resource.ResidentSize,
        6 => Resource.LockedMemory,
        7 => Resource.Processes,
        8 => Resource.OpenFiles,
        10 => Resource.AddressSpace,
        _ => null,
    };

    private const int Last = 14;

    public static CallResult Getrlimit(CallContext call, int which, GuestAddress limit)
    {
        if (which is < 0 or > Last)
            return Errno.EINVAL;
        (ulong soft, ulong hard) = ToNeutral(which) is { } resource ? call.Process.Limits[(int)resource] : (ulong.MaxValue, ulong.MaxValue);
        return call.Memory.TryWrite(limit, Math.Min(soft, Infinity)) && call.Memory.TryWrite(limit + 8, Math.Min(hard, Infinity)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Setrlimit(CallContext call, int which, GuestAddress limit)
    {
        if (which is < 0 or > Last)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(limit, out ulong soft) || !call.Memory.TryRead(limit + 8, out ulong hard))
            return Errno.EFAULT;
        if (ToNeutral(which) is not { } resource)
            return 0;
        (soft, hard) = (soft >= Infinity ? ulong.MaxValue : soft, hard >= Infinity ? ulong.MaxValue : hard);
        (ulong Soft, ulong Hard) now = call.Process.Limits[(int)resource];
        if ((soft > now.Hard || hard > now.Hard) && !call.Thread.Credentials.Has(Capability.Resource))
            return Errno.EPERM;
        call.Process.SetLimit(resource, Math.Min(soft, hard), hard);
        return 0;
    }
}
