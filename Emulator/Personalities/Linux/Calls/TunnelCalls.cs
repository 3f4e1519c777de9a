using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl(2) on /dev/net/tun (linux/if_tun.h).</summary>
internal static class TunnelCalls
{
    private const uint SetDebug = 0x400454C9, SetDevice = 0x400454CA, SetPersist = 0x400454CB, SetOwner = 0x400454CC, SetLink = 0x400454CD, SetGroup = 0x400454CE;
    private const uint GetFeatures = 0x800454CF, SetOffload = 0x400454D0, GetDevice = 0x800454D2, GetSendBuffer = 0x800454D3, SetSendBuffer = 0x400454D4;
    private const uint GetHeaderSize = 0x800454D7, SetHeaderSize = 0x400454D8, SetQueue = 0x400454D9;

    private const ushort Tun = 1, Tap = 2, NoInformation = 0x1000, OneQueue = 0x2000, NetworkHeader = 0x4000, MultiQueue = 0x100, Persistent = 0x800;
    private const int NameSize = 16, LongestName = 15;

    public static CallResult Control(CallContext call, TunnelFile file, uint request, GuestAddress argument)
    {
        switch (request)
        {
            case SetDevice:
                return Set(call, file, argument);
            case GetFeatures:
                return call.Memory.TryWrite(argument, (uint)(Tun | Tap | NoInformation | OneQueue)) ? 0 : Errno.EFAULT;
            case SetQueue:
                return Errno.EINVAL;
        }
        if (file.Tunnel is not { } tunnel)
            return Errno.EBADFD;
        switch (request)
        {
            case GetDevice:
                return Tell(call, file, tunnel, argument);
            case SetPersist:
                tunnel.IsPersistent = argument.Value != 0;
                return 0;
            case SetDebug or SetOwner or SetGroup or SetSendBuffer:
                return 0;
            // Checksums and segments are always made by the sender here: nothing can be left to the program.
            case SetOffload:
                return argument.Value == 0 ? 0 : Errno.EINVAL;
            case SetLink:
                return tunnel.Device.IsUp ? Errno.EBUSY : 0;
            case GetSendBuffer:
                return call.Memory.TryWrite(argument, int.MaxValue) ? 0 : Errno.EFAULT;
            case GetHeaderSize or SetHeaderSize:
                return Errno.EINVAL;
            case 0x8927 or 0x8924:
                return Hardware(call, tunnel, request == 0x8924, argument);
            default:
                return Errno.ENOTTY;
        }
    }

    /// <summary>TUNSETIFF: makes a device, or takes one that is there and free.</summary>
    private static CallResult Set(CallContext call, TunnelFile file, GuestAddress argument)
    {
        Span<byte> bytes = stackalloc byte[NameSize + 2];
        if (!call.Memory.TryRead(argument, bytes))
            return Errno.EFAULT;
        if (file.Tunnel is not null)
            return Errno.EINVAL;
        ushort flags = BitConverter.ToUInt16(bytes[NameSize..]);
        if ((flags & (Tun | Tap)) is not (Tun or Tap) || (flags & (NetworkHeader | MultiQueue)) != 0)
            return Errno.EINVAL;
        int end = bytes[..NameSize].IndexOf((byte)0);
        string wish = Encoding.Latin1.GetString(bytes[..(end < 0 ? LongestName : end)]);
        string name = file.Network.FreeName(wish.Length != 0 ? wish : (flags & Tun) != 0 ? "tun%d" : "tap%d");
        Errno error = Find(call, file.Network, name, (flags & Tun) != 0, out ITunnelDevice? tunnel);
        if (error != Errno.None)
            return error;
        file.HasInformation = (flags & NoInformation) == 0;
        file.Attach(tunnel!);
        bytes[..NameSize].Clear();
        Encoding.Latin1.GetBytes(name, bytes);
        return call.Memory.TryWrite(argument, bytes) ? 0 : Errno.EFAULT;
    }

    private static Errno Find(CallContext call, Network network, string name, bool isTun, out ITunnelDevice? tunnel)
    {
        tunnel = null;
        bool isPrivileged = call.MayInNetwork(network, Capability.AdministerNetwork);
        if (network.FindDevice(name) is { } device)
        {
            tunnel = device as ITunnelDevice;
            if (tunnel is null || (tunnel is TunDevice) != isTun)
                return Errno.EINVAL;
            return tunnel.File is not null ? Errno.EBUSY : isPrivileged ? Errno.None : Errno.EPERM;
        }
        if (!isPrivileged)
            return Errno.EPERM;
        if (network.IsFull)
            return Errno.ENOBUFS;
        tunnel = isTun ? new TunDevice(network, name) : new TapDevice(network, name);
        network.Add(tunnel.Device);
        return Errno.None;
    }

    private static CallResult Tell(CallContext call, TunnelFile file, ITunnelDevice tunnel, GuestAddress argument)
    {
        Span<byte> bytes = stackalloc byte[NameSize + 2];
        bytes.Clear();
        Encoding.Latin1.GetBytes(tunnel.Device.Name, bytes);
        int flags = (tunnel is TunDevice ? Tun : Tap) | (file.HasInformation ? 0 : NoInformation) | (tunnel.IsPersistent ? Persistent : 0);
        BitConverter.TryWriteBytes(bytes[NameSize..], (ushort)flags);
        return call.Memory.TryWrite(argument, bytes) ? 0 : Errno.EFAULT;
    }

    private static CallResult Hardware(CallContext call, ITunnelDevice tunnel, bool sets, GuestAddress argument)
    {
        Span<byte> bytes = stackalloc byte[NameSize + 16];
        if (!call.Memory.TryRead(argument, bytes))
            return Errno.EFAULT;
        NetDevice device = tunnel.Device;
        if (sets)
        {
            if (device.HardwareAddress.Length == 0)
                return Errno.EINVAL;
            device.HardwareAddress = bytes.Slice(NameSize + 2, 6).ToArray();
            return 0;
        }
        BitConverter.TryWriteBytes(bytes[NameSize..], PacketSocket.HardwareTypeOf(device));
        device.HardwareAddress.CopyTo(bytes[(NameSize + 2)..]);
        return call.Memory.TryWrite(argument, bytes) ? 0 : Errno.EFAULT;
    }
}
