using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl(2) on loop devices and on /dev/loop-control (loop(4)).</summary>
internal static class LoopCalls
{
    private const uint SetFile = 0x4C00, ClearFile = 0x4C01, SetStatusOld = 0x4C02, GetStatusOld = 0x4C03, SetStatus = 0x4C04, GetStatus = 0x4C05;
    private const uint ChangeFile = 0x4C06, SetCapacity = 0x4C07, SetDirect = 0x4C08, SetBlockSize = 0x4C09, Configure = 0x4C0A;
    private const uint AddDevice = 0x4C80, RemoveDevice = 0x4C81, GetFree = 0x4C82;
    private const uint ReadOnly = 1, AutoClear = 4, PartitionScan = 8, DirectIo = 16;
    private const uint Settable = AutoClear | PartitionScan, Configurable = ReadOnly | Settable | DirectIo;

    /// <summary>struct loop_info64.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 232)]
    private struct LoopInformation
    {
        [FieldOffset(0)] public ulong Device;
        [FieldOffset(8)] public ulong Inode;
        [FieldOffset(16)] public ulong RawDevice;
        [FieldOffset(24)] public ulong Offset;
        [FieldOffset(32)] public ulong SizeLimit;
        [FieldOffset(40)] public uint Number;
        [FieldOffset(52)] public uint Flags;
    }

    /// <summary>struct loop_info.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 168)]
    private struct OldLoopInformation
    {
        [FieldOffset(0)] public int Number;
        [FieldOffset(8)] public ulong Device;
        [FieldOffset(16)] public ulong Inode;
        [FieldOffset(24)] public ulong RawDevice;
        [FieldOffset(32)] public int Offset;
        [FieldOffset(44)] public int Flags;
    }

    private const int NameSize = 64;
    private const ulong NamePlace = 56, OldNamePlace = 48;

    public static CallResult ControlDevices(LoopDevices devices, uint request, ulong argument)
    {
        LoopDevice? device;
        Errno error;
        switch (request)
        {
            case AddDevice:
                error = devices.Add((int)argument, out device);
                return error != Errno.None ? error : device!.Number;
            case RemoveDevice:
                error = devices.Remove((int)argument);
                return error != Errno.None ? error : (int)argument;
            case GetFree:
                error = devices.FindFree(out device);
                return error != Errno.None ? error : device!.Number;
            default:
                return Errno.ENOSYS;
        }
    }

    public static CallResult Control(CallContext call, BlockFile file, uint request, ulong argument)
    {
        LoopDevice device = file.Device;
        var address = new GuestAddress(argument);
        switch (request)
        {
            case SetFile:
                return Bind(call, file, (int)argument, LoopDevice.SectorSize, isReadOnly: false);
            case Configure:
                return BindWith(call, file, address);
        }
        if (request is < SetFile or > Configure)
            return Errno.ENOTTY;
        bool mayChange = file.CanWrite || call.Thread.Credentials.Has(Capability.Administer);
        if (!mayChange && request is not (GetStatus or GetStatusOld or ChangeFile or ClearFile))
            return Errno.EPERM;
        if (device.Backing is null)
            return Errno.ENXIO;
        switch (request)
        {
            case ClearFile:
                device.End();
                return 0;
            case GetStatus or GetStatusOld:
                return Tell(call, device, address, isOld: request == GetStatusOld);
            case SetStatus or SetStatusOld:
                return Apply(call, device, address, isOld: request == SetStatusOld);
            case ChangeFile:
                return call.File((int)argument) is { } other ? device.Rebind(other) : Errno.EBADF;
            case SetCapacity:
                device.Measure();
                return 0;
            case SetDirect:
                if (argument != 0 && device.Offset % (ulong)device.BlockSize != 0)
                    return Errno.EINVAL;
                device.IsDirect = argument != 0;
                return 0;
            default:
                if (!IsBlockSize(argument))
                    return Errno.EINVAL;
                device.SetBlockSize((int)argument);
                return 0;
        }
    }

    private static bool IsBlockSize(ulong size) => size is >= LoopDevice.SectorSize and <= GuestAddress.PageSize && (size & (size - 1)) == 0;

    private static Errno Bind(CallContext call, BlockFile file, int descriptor, int blockSize, bool isReadOnly) =>
        call.File(descriptor) is { } backing ? file.Device.Bind(backing, blockSize, isReadOnly || !file.CanWrite) : Errno.EBADF;

    /// <summary>struct loop_config: a file, a block size, a status, and 64 bytes of nothing.</summary>
    private static CallResult BindWith(CallContext call, BlockFile file, GuestAddress address)
    {
        const ulong statusPlace = 8;
        if (!call.Memory.TryRead(address, out int descriptor) || !call.Memory.TryRead(address + 4, out uint blockSize) || !call.Memory.TryRead(address + statusPlace, out LoopInformation wanted))
            return Errno.EFAULT;
        byte[] name = new byte[NameSize];
        if (!call.Memory.TryRead(address + statusPlace + NamePlace, name))
            return Errno.EFAULT;
        if (call.File(descriptor) is null)
            return Errno.EBADF;
        if (!file.Device.IsFree)
            return Errno.EBUSY;
        if ((wanted.Flags & ~Configurable) != 0 || (blockSize != 0 && !IsBlockSize(blockSize)))
            return Errno.EINVAL;
        if ((long)wanted.Offset < 0 || (long)wanted.SizeLimit < 0)
            return Errno.EOVERFLOW;
        Errno error = Bind(call, file, descriptor, blockSize == 0 ? LoopDevice.SectorSize : (int)blockSize, (wanted.Flags & ReadOnly) != 0);
        if (error != Errno.None)
            return error;
        LoopDevice device = file.Device;
        device.SetRange(wanted.Offset, wanted.SizeLimit);
        device.Name = name;
        SetFlags(device, wanted.Flags);
        device.IsDirect = (wanted.Flags & DirectIo) != 0;
        return 0;
    }

    /// <summary>Autoclear can be set and cleared, the search for partitions only set.</summary>
    private static void SetFlags(LoopDevice device, uint flags)
    {
        device.EndsWithLastClose = (flags & AutoClear) != 0;
        device.HasPartitions |= (flags & PartitionScan) != 0;
    }

    private static CallResult Apply(CallContext call, LoopDevice device, GuestAddress address, bool isOld)
    {
        LoopInformation wanted;
        byte[] name = new byte[NameSize];
        if (isOld)
        {
            if (!call.Memory.TryRead(address, out OldLoopInformation old))
                return Errno.EFAULT;
            wanted = new LoopInformation { Offset = (ulong)old.Offset, Flags = (uint)old.Flags };
        }
        else if (!call.Memory.TryRead(address, out wanted))
        {
            return Errno.EFAULT;
        }
        if (!call.Memory.TryRead(address + (isOld ? OldNamePlace : NamePlace), name))
            return Errno.EFAULT;
        if ((long)wanted.Offset < 0 || (long)wanted.SizeLimit < 0)
            return Errno.EOVERFLOW;
        device.SetRange(wanted.Offset, wanted.SizeLimit);
        device.Name = name;
        SetFlags(device, wanted.Flags);
        return 0;
    }

    private static CallResult Tell(CallContext call, LoopDevice device, GuestAddress address, bool isOld)
    {
        FileStatus status = device.Backing!.Inode.Status;
        uint flags = (device.IsReadOnly ? ReadOnly : 0) | (device.EndsWithLastClose ? AutoClear : 0) | (device.HasPartitions ? PartitionScan : 0) | (device.IsDirect ? DirectIo : 0);
        bool isTold;
        if (isOld)
        {
            if (device.Offset > int.MaxValue)
                return Errno.EOVERFLOW;
            isTold = call.Memory.TryWrite(address, new OldLoopInformation
            {
                Number = device.Number, Device = status.Device, Inode = status.Inode, RawDevice = status.RawDevice, Offset = (int)device.Offset, Flags = (int)flags,
            });
        }
        else
        {
            isTold = call.Memory.TryWrite(address, new LoopInformation
            {
                Number = (uint)device.Number, Device = status.Device, Inode = status.Inode, RawDevice = status.RawDevice, Offset = device.Offset,
                SizeLimit = device.SizeLimit, Flags = flags,
            });
        }
        return isTold && call.Memory.TryWrite(address + (isOld ? OldNamePlace : NamePlace), device.Name) ? 0 : Errno.EFAULT;
    }
}
