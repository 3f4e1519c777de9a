using System.Runtime.CompilerServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Where a program says that its parts are, as /proc tells of them and brk(2) goes on from (PR_SET_MM of prctl(2); prctl_set_mm in kernel/sys.c).</summary>
internal static class MemoryLayoutOptions
{
    private const int CodeStart = 1, CodeEnd = 2, DataStart = 3, DataEnd = 4, StackStart = 5, BreakStart = 6, Break = 7, ArgumentStart = 8, ArgumentEnd = 9;
    private const int EnvironmentStart = 10, EnvironmentEnd = 11, Auxiliary = 12, ExecutableFile = 13, Map = 14, MapSize = 15;

    /// <summary>TASK_SIZE, and vm.mmap_min_addr as /proc tells it.</summary>
    private const ulong UserEnd = 0x7FFF_FFFF_F000, Lowest = 65536;

    private const uint NoFile = uint.MaxValue;

    public static CallResult Set(CallContext call, int option, ulong address, ulong size, ulong last)
    {
        if (last != 0 || (size != 0 && option is not (Auxiliary or Map or MapSize)))
            return Errno.EINVAL;
        if (option == MapSize)
            return call.Memory.TryWrite(new GuestAddress(address), Unsafe.SizeOf<PrctlMemoryMap>()) ? CallResult.Ok() : Errno.EFAULT;
        if (option == Map)
            return SetAll(call, new GuestAddress(address), size);
        if (!call.Thread.Credentials.Has(Capability.Resource))
            return Errno.EPERM;
        return option switch
        {
            ExecutableFile => SetExecutable(call, (int)address),
            Auxiliary => SetAuxiliary(call, address, size),
            _ => SetOne(call, option, address),
        };
    }

    private static Errno SetOne(CallContext call, int option, ulong address)
    {
        PrctlMemoryMap map = MapOf(call.Process);
        switch (option)
        {
            case CodeStart: map.CodeStart = address; break;
            case CodeEnd: map.CodeEnd = address; break;
            case DataStart: map.DataStart = address; break;
            case DataEnd: map.DataEnd = address; break;
            case StackStart: map.StackStart = address; break;
            case BreakStart: map.BreakStart = address; break;
            case Break: map.Break = address; break;
            case ArgumentStart: map.ArgumentStart = address; break;
            case ArgumentEnd: map.ArgumentEnd = address; break;
            case EnvironmentStart: map.EnvironmentStart = address; break;
            case EnvironmentEnd: map.EnvironmentEnd = address; break;
            default: return Errno.EINVAL;
        }
        if (address is >= UserEnd or < Lowest || !IsValid(call, map))
            return Errno.EINVAL;
        // These are looked at: something is mapped there, or behind.
        if (option is StackStart or (>= ArgumentStart and <= EnvironmentEnd) && !IsBelowSomething(call.Memory, address))
            return Errno.EFAULT;
        Take(call.Process, map, call.Process.Layout.SavedAuxiliary);
        return Errno.None;
    }

    private static Errno SetAll(CallContext call, GuestAddress address, ulong size)
    {
        if (size != (ulong)Unsafe.SizeOf<PrctlMemoryMap>())
            return Errno.EINVAL;
        if (!call.Memory.TryRead(address, out PrctlMemoryMap map))
            return Errno.EFAULT;
        if (!IsValid(call, map))
            return Errno.EINVAL;
        byte[] auxiliary = call.Process.Layout.SavedAuxiliary;
        Errno error = Errno.None;
        if (map.AuxiliarySize != 0)
            error = map.Auxiliary == 0 ? Errno.EINVAL : ReadAuxiliary(call, map.Auxiliary, map.AuxiliarySize, isWhole: true, ref auxiliary);
        if (error == Errno.None && map.Executable != NoFile)
        {
            bool mayReplace = call.Thread.Credentials.Has(Capability.CheckpointRestore) || call.Thread.Credentials.Has(Capability.Administer);
            error = mayReplace ? SetExecutable(call, (int)map.Executable) : Errno.EPERM;
        }
        if (error == Errno.None)
            Take(call.Process, map, auxiliary);
        return error;
    }

    private static PrctlMemoryMap MapOf(Process process)
    {
        ProgramLayout layout = process.Layout;
        return new PrctlMemoryMap
        {
            CodeStart = layout.CodeStart, CodeEnd = layout.CodeEnd, DataStart = layout.DataStart, DataEnd = layout.DataEnd,
            BreakStart = process.Memory.BreakStart.Value, Break = process.Memory.BreakEnd.Value, StackStart = layout.StackStart,
            ArgumentStart = layout.ArgumentStart, ArgumentEnd = layout.ArgumentEnd,
            EnvironmentStart = layout.EnvironmentStart, EnvironmentEnd = layout.EnvironmentEnd, Executable = NoFile,
        };
    }

    private static void Take(Process process, in PrctlMemoryMap map, byte[] auxiliary)
    {
        process.Memory.SetBreak(new GuestAddress(map.BreakStart), new GuestAddress(map.Break));
        process.Layout = process.Layout with
        {
            CodeStart = map.CodeStart, CodeEnd = map.CodeEnd, DataStart = map.DataStart, DataEnd = map.DataEnd, StackStart = map.StackStart,
            ArgumentStart = map.ArgumentStart, ArgumentEnd = map.ArgumentEnd,
            EnvironmentStart = map.EnvironmentStart, EnvironmentEnd = map.EnvironmentEnd, SavedAuxiliary = auxiliary,
        };
    }

    /// <summary>All are addresses of programs, in order, and heap and data within their limit (validate_prctl_map_addr).</summary>
    private static bool IsValid(CallContext call, in PrctlMemoryMap map)
    {
        const int dataLimit = 2;
        ReadOnlySpan<ulong> all =
        [
            map.CodeStart, map.CodeEnd, map.DataStart, map.DataEnd, map.BreakStart, map.Break, map.StackStart, map.ArgumentStart, map.ArgumentEnd,
            map.EnvironmentStart, map.EnvironmentEnd,
        ];
        foreach (ulong address in all)
        {
            if (address is >= UserEnd or < Lowest)
                return false;
        }
        bool isOrdered = map.CodeStart < map.CodeEnd && map.DataStart <= map.DataEnd && map.BreakStart <= map.Break
            && map.ArgumentStart <= map.ArgumentEnd && map.EnvironmentStart <= map.EnvironmentEnd;
        return isOrdered && map.Break - map.BreakStart + (map.DataEnd - map.DataStart) <= call.Process.Limits[dataLimit].Soft;
    }

    private static bool IsBelowSomething(AddressSpace memory, ulong address)
    {
        foreach (AreaInfo area in memory.Areas())
        {
            if (area.End.Value > address)
                return true;
        }
        return false;
    }

    private static Errno SetAuxiliary(CallContext call, ulong address, ulong size)
    {
        byte[] auxiliary = call.Process.Layout.SavedAuxiliary;
        Errno error = ReadAuxiliary(call, address, size, isWhole: false, ref auxiliary);
        if (error == Errno.None)
            call.Process.Layout = call.Process.Layout with { SavedAuxiliary = auxiliary };
        return error;
    }

    /// <summary>Its last entry is AT_NULL, whatever was given.</summary>
    /// <param name="isWhole">Nothing is left of the old one behind what is given.</param>
    private static Errno ReadAuxiliary(CallContext call, ulong address, ulong size, bool isWhole, ref byte[] auxiliary)
    {
        const int entry = 16;
        if (size > (ulong)auxiliary.Length)
            return Errno.EINVAL;
        byte[] given = isWhole ? new byte[auxiliary.Length] : (byte[])auxiliary.Clone();
        if (!call.Memory.TryRead(new GuestAddress(address), given.AsSpan(0, (int)size)))
            return Errno.EFAULT;
        given.AsSpan(given.Length - entry).Clear();
        auxiliary = given;
        return Errno.None;
    }

    /// <summary>A file that can be executed takes the place of the program's, of which nothing may be mapped any more.</summary>
    private static Errno SetExecutable(CallContext call, int descriptor)
    {
        Errno error = call.UsableFile(descriptor, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (file.Inode.Kind != FileKind.Regular || file.Path is not { Mount.NoExecute: false } path)
            return Errno.EACCES;
        error = Permission.Check(file.Inode, FileAccessKind.Execute, call.Thread.FileCredentials);
        if (error != Errno.None)
            return error;
        string? old = call.Process.Executable is { } program ? Encoding.UTF8.GetString(program.FullPath()) : null;
        foreach (AreaInfo area in call.Memory.Areas())
        {
            if (area.Object is not null && area.Name == old)
                return Errno.EBUSY;
        }
        return call.Process.TryReplaceExecutable(path) ? Errno.None : Errno.EACCES;
    }
}
