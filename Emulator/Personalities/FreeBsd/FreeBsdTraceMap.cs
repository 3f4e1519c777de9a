using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>What a tracer is told of a process's memory map (PT_VM_TIMESTAMP, PT_VM_ENTRY).</summary>
internal static class FreeBsdTraceMap
{
    /// <summary>Another number when the map is another one.</summary>
    public static int Timestamp(AddressSpace memory)
    {
        ulong mixed = 14695981039346656037;
        foreach (AreaInfo area in memory.Areas())
        {
            foreach (ulong fact in (ReadOnlySpan<ulong>)[area.Start.Value, area.End.Value, area.Offset, (ulong)area.Protection])
                mixed = (mixed ^ fact) * 1099511628211;
        }
        return (int)(mixed >> 33);
    }

    /// <summary>The entry after the one that was told last: ENOENT behind the last, ENAMETOOLONG with the length that the path needs.</summary>
    public static CallResult Tell(CallContext call, Process process, GuestAddress address)
    {
        if (!call.Memory.TryRead(address, out TraceArea told))
            return Errno.EFAULT;
        IReadOnlyList<AreaInfo> areas = process.Memory.Areas();
        if (told.Entry < 0)
            return Errno.EINVAL;
        if (told.Entry >= areas.Count)
            return Errno.ENOENT;
        AreaInfo area = areas[told.Entry];
        told.Entry++;
        told.Timestamp = Timestamp(process.Memory);
        (told.Start, told.End, told.Offset) = (area.Start.Value, area.End.Value - 1, area.Object is null ? 0 : area.Offset);
        told.Protection = (uint)(area.Protection & (Protection.Read | Protection.Write | Protection.Execute));
        Errno error = TellPath(call, area, ref told);
        return !call.Memory.TryWrite(address, told) ? Errno.EFAULT : error;
    }

    private static Errno TellPath(CallContext call, in AreaInfo area, ref TraceArea told)
    {
        uint room = told.PathLength;
        told.PathLength = 0;
        if (room == 0 || area.Object is null || area.Name is not { Length: > 0 } name || name[0] != '/')
            return Errno.None;
        byte[] path = [.. Encoding.UTF8.GetBytes(name), 0];
        told.PathLength = (uint)path.Length;
        if (room < path.Length)
            return Errno.ENAMETOOLONG;
        return call.Memory.TryWrite(new GuestAddress(told.Path), path) ? Errno.None : Errno.EFAULT;
    }
}
