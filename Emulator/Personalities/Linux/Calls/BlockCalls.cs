using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl(2) on block devices (linux/fs.h).</summary>
internal static class BlockCalls
{
    private const uint SetReadOnly = 0x125D, GetReadOnly = 0x125E, ReadPartitions = 0x125F, GetSectors = 0x1260, Flush = 0x1261;
    private const uint SetReadAhead = 0x1262, GetReadAhead = 0x1263, SetFileReadAhead = 0x1264, GetFileReadAhead = 0x1265, GetMostSectors = 0x1267;
    private const uint GetSectorSize = 0x1268, Discard = 0x1277, GetLeast = 0x1278, GetBest = 0x1279, GetAlignment = 0x127A;
    private const uint GetPhysicalSize = 0x127B, DiscardZeroes = 0x127C, ZeroOut = 0x127F, IsRotational = 0x127E;
    private const uint GetBlockSize = 0x80081270, SetBlockSize = 0x40081271, GetSize = 0x80081272;

    public static CallResult Control(CallContext call, BlockFile file, uint request, ulong argument)
    {
        LoopDevice device = file.Device;
        var address = new GuestAddress(argument);
        switch (request)
        {
            case GetSize:
                return Store(call, address, device.Size);
            case GetSectors:
                return Store(call, address, device.Size / LoopDevice.SectorSize);
            case GetSectorSize or GetPhysicalSize or GetLeast:
                return Store(call, address, device.BlockSize);
            case GetBlockSize:
                return Store(call, address, device.SoftBlockSize);
            case GetReadAhead or GetFileReadAhead:
                return Store(call, address, (long)device.ReadAhead);
            case GetMostSectors:
                return Store(call, address, (ushort)2560);
            case GetBest or GetAlignment or DiscardZeroes:
                return Store(call, address, 0);
            case IsRotational:
                return Store(call, address, (ushort)0);
            case GetReadOnly:
                return Store(call, address, device.IsReadOnly ? 1 : 0);
            case Flush or SetReadOnly or SetReadAhead or SetFileReadAhead or SetBlockSize or ReadPartitions:
                return Change(call, device, request, argument);
            case Discard or ZeroOut:
                return Clear(call, file, address);
            default:
                return LoopCalls.Control(call, file, request, argument);
        }
    }

    private static CallResult Change(CallContext call, LoopDevice device, uint request, ulong argument)
    {
        if (!call.Thread.Credentials.Has(Capability.Administer))
            return Errno.EACCES;
        int value = 0;
        switch (request)
        {
            case SetReadOnly or SetBlockSize when !call.Memory.TryRead(new GuestAddress(argument), out value):
                return Errno.EFAULT;
            case SetReadOnly:
                device.IsReadOnly = value != 0;
                return 0;
            case SetBlockSize when value < device.BlockSize || value > (int)GuestAddress.PageSize || (value & (value - 1)) != 0:
                return Errno.EINVAL;
            case SetBlockSize:
                device.SoftBlockSize = value;
                return 0;
            case SetReadAhead or SetFileReadAhead:
                device.ReadAhead = argument;
                return 0;
            case ReadPartitions:
                // Tables of partitions are not read: there are none.
                return device.HasPartitions ? 0 : Errno.EINVAL;
            default:
                return 0;
        }
    }

    /// <summary>Two 64-bit numbers, where and how many bytes: whole sectors within the device. They read as zeros afterwards.</summary>
    private static CallResult Clear(CallContext call, BlockFile file, GuestAddress range)
    {
        const ulong sector = LoopDevice.SectorSize;
        if (!file.CanWrite)
            return Errno.EBADF;
        if (!call.Memory.TryRead(range, out ulong start) || !call.Memory.TryRead(range + 8, out ulong length))
            return Errno.EFAULT;
        if (((start | length) & (sector - 1)) != 0 || start + length > (ulong)file.Size || start + length < start)
            return Errno.EINVAL;
        byte[] zeros = new byte[Math.Min(length, 1 << 16)];
        for (ulong done = 0; done < length; done += (ulong)zeros.Length)
        {
            IoResult written = file.Device.Write((long)(start + done), zeros.AsSpan(0, (int)Math.Min((ulong)zeros.Length, length - done)));
            if (written.Error != Errno.None)
                return written.Error;
        }
        return 0;
    }

    private static CallResult Store<T>(CallContext call, GuestAddress address, T value)
        where T : unmanaged => call.Memory.TryWrite(address, value) ? 0 : Errno.EFAULT;
}
