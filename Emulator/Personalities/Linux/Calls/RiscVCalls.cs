using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Calls that RISC-V alone has (Documentation/arch/riscv/hwprobe.rst, arch/riscv/kernel/sys_riscv.c).</summary>
public static class RiscVCalls
{
    private const uint WhichProcessors = 1;
    private const int PairSize = 16, MostProcessors = 64;

    private enum Key : long
    {
        Unknown = -1,
        Vendor = 0,
        Architecture = 1,
        Implementation = 2,
        BaseBehaviour = 3,
        Extensions = 4,
        Performance = 5,
        ZeroBlockSize = 6,
        HighestAddress = 7,
        TimeFrequency = 8,
        MisalignedScalars = 9,
    }

    /// <summary>Keys there are, from 0 on.</summary>
    internal const int KeyCount = (int)Key.MisalignedScalars + 1;

    /// <summary>RISCV_HWPROBE_IMA_: FD, C, ZBA, ZBB and ZBS.</summary>
    private const ulong KnownExtensions = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5;

    /// <summary>RISCV_HWPROBE_BASE_BEHAVIOR_IMA; RISCV_HWPROBE_MISALIGNED_FAST.</summary>
    private const ulong BaseIma = 1, Fast = 3;

    /// <summary>User space has 47 bits of addresses.</summary>
    private const ulong UserSpace = 1UL << 47;

    /// <summary>The counter that rdtime reads is in nanoseconds.</summary>
    private const ulong TimeFrequency = 1_000_000_000;

    public static CallResult RiscvHwprobe(CallContext call, GuestAddress pairs, ulong pairCount, ulong cpusetsize, GuestAddress cpus, uint flags)
    {
        int online = Math.Min(MostProcessors, call.World.System.Processors);
        ulong all = online == MostProcessors ? ulong.MaxValue : (1UL << online) - 1;
        return (flags & WhichProcessors) != 0
            ? FindProcessors(call, pairs, pairCount, cpusetsize, cpus, flags, all)
            : GiveValues(call, pairs, pairCount, cpusetsize, cpus, flags, all);
    }

    /// <summary>A value for each key, which all the processors have in common.</summary>
    private static CallResult GiveValues(CallContext call, GuestAddress pairs, ulong pairCount, ulong cpusetsize, GuestAddress cpus, uint flags, ulong all)
    {
        if (flags != 0)
            return Errno.EINVAL;
        if (cpusetsize != 0 || !cpus.IsNull)
        {
            if (!TryReadSet(call, cpusetsize, cpus, out ulong asked))
                return Errno.EFAULT;
            if ((asked & all) == 0)
                return Errno.EINVAL;
        }
        for (ulong i = 0; i < pairCount; i++)
        {
            GuestAddress at = pairs + (i * PairSize);
            if (!call.Memory.TryRead(at, out long key))
                return Errno.EFAULT;
            bool isKnown = TryValue((Key)key, out ulong value);
            if (!call.Memory.TryWrite(at, isKnown ? key : (long)Key.Unknown) || !call.Memory.TryWrite(at + sizeof(long), value))
                return Errno.EFAULT;
        }
        return 0;
    }

    /// <summary>Of the processors asked for, those that have all the values given: all are alike here.</summary>
    private static CallResult FindProcessors(CallContext call, GuestAddress pairs, ulong pairCount, ulong cpusetsize, GuestAddress cpus, uint flags, ulong all)
    {
        if (flags != WhichProcessors || cpusetsize == 0 || cpus.IsNull)
            return Errno.EINVAL;
        if (!TryReadSet(call, cpusetsize, cpus, out ulong asked))
            return Errno.EFAULT;
        bool haveAll = true;
        for (ulong i = 0; i < pairCount; i++)
        {
            GuestAddress at = pairs + (i * PairSize);
            if (!call.Memory.TryRead(at, out long key) || !call.Memory.TryRead(at + sizeof(long), out ulong wanted))
                return Errno.EFAULT;
            bool isKnown = TryValue((Key)key, out ulong value);
            if (!isKnown && (!call.Memory.TryWrite(at, (long)Key.Unknown) || !call.Memory.TryWrite(at + sizeof(long), 0UL)))
                return Errno.EFAULT;
            bool isSet = (Key)key is Key.BaseBehaviour or Key.Extensions or Key.Performance;
            haveAll &= isKnown && (isSet ? (value & wanted) == wanted : value == wanted);
        }
        ulong found = haveAll ? (asked == 0 ? all : asked & all) : 0;
        return call.Memory.TryWrite(cpus, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in found))[..(int)Math.Min(cpusetsize, sizeof(ulong))]) ? 0 : Errno.EFAULT;
    }

    private static bool TryReadSet(CallContext call, ulong size, GuestAddress at, out ulong set)
    {
        set = 0;
        return call.Memory.TryRead(at, MemoryMarshal.AsBytes(new Span<ulong>(ref set))[..(int)Math.Min(size, sizeof(ulong))]);
    }

    /// <summary>The values of all keys.</summary>
    internal static ulong[] Values()
    {
        ulong[] values = new ulong[KeyCount];
        for (int key = 0; key < KeyCount; key++)
            TryValue((Key)key, out values[key]);
        return values;
    }

    private static bool TryValue(Key key, out ulong value)
    {
        value = key switch
        {
            Key.BaseBehaviour => BaseIma,
            Key.Extensions => KnownExtensions,
            Key.Performance or Key.MisalignedScalars => Fast,
            Key.HighestAddress => UserSpace,
            Key.TimeFrequency => TimeFrequency,
            _ => 0,
        };
        return key is >= Key.Vendor and < (Key)KeyCount;
    }

    /// <summary>Code that was written is found out by the write: there is nothing left to flush.</summary>
    public static CallResult RiscvFlushIcache(CallContext call, GuestAddress start, GuestAddress end, ulong flags)
    {
        const ulong local = 1;
        return (flags & ~local) != 0 ? Errno.EINVAL : 0;
    }
}
