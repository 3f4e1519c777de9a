using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>What the system is and has: uname(2), sysinfo(2), getrandom(2), scheduling facts.</summary>
public static class SystemCalls
{
    private const int NameLength = 65;

    public static CallResult Uname(CallContext call, GuestAddress name)
    {
        Kernel.Files.Proc.SystemInfo system = call.World.System;
        UtsSpace uts = call.Thread.Namespaces.Uts;
        Span<byte> all = stackalloc byte[6 * NameLength];
        all.Clear();
        string[] fields = [system.SystemName, uts.HostName, ReleaseFor(call.Process, system.Release), system.Version, MachineFor(call.Thread), uts.DomainName];
        for (int i = 0; i < fields.Length; i++)
            Encoding.Latin1.GetBytes(fields[i].AsSpan(0, Math.Min(fields[i].Length, NameLength - 1)), all[(i * NameLength)..]);
        return call.Memory.TryWrite(name, all) ? 0 : Errno.EFAULT;
    }

    /// <summary>UNAME26 of personality(2): a minor number of version 6 counted on from 2.6.60.</summary>
    private static string ReleaseFor(Process process, string release)
    {
        const uint asVersion26 = 0x20000;
        string[] parts = release.Split('.', '-');
        return (process.Persona & asVersion26) != 0 && parts.Length > 1 && int.TryParse(parts[1], out int minor) ? $"2.6.{60 + minor}" : release;
    }

    /// <summary>PER_LINUX32 of personality(2) gives x86-64 its 32-bit name.</summary>
    private static string MachineFor(GuestThread thread)
    {
        string name = LinuxArchitecture.Of(thread).MachineName;
        return (thread.Process.Persona & 0xFF) == 8 && name == "x86_64" ? "i686" : name;
    }

    public static CallResult Sethostname(CallContext call, GuestAddress name, int length) => SetName(call, name, length, static (uts, text) => uts.HostName = text);

    public static CallResult Setdomainname(CallContext call, GuestAddress name, int length) => SetName(call, name, length, static (uts, text) => uts.DomainName = text);

    private static CallResult SetName(CallContext call, GuestAddress name, int length, Action<UtsSpace, string> set)
    {
        UtsSpace uts = call.Thread.Namespaces.Uts;
        if (!call.Thread.Credentials.Has(Capability.Administer) || !call.Thread.Namespaces.Rules(uts.Owner))
            return Errno.EPERM;
        if (length is < 0 or >= NameLength)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[length];
        if (!call.Memory.TryRead(name, bytes))
            return Errno.EFAULT;
        int end = bytes.IndexOf((byte)0);
        set(uts, Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]));
        return 0;
    }

    public static CallResult Getrandom(CallContext call, GuestAddress buffer, ulong length, uint flags)
    {
        const uint nonBlocking = 1, random = 2, insecure = 4;
        if ((flags & ~(nonBlocking | random | insecure)) != 0 || (flags & (random | insecure)) == (random | insecure))
            return Errno.EINVAL;
        length = Math.Min(length, int.MaxValue);
        for (ulong done = 0; done < length;)
        {
            Span<byte> view = call.Memory.View(buffer + done, length - done, MemoryAccess.Write);
            if (view.IsEmpty)
                return done > 0 ? (long)done : Errno.EFAULT;
            call.World.Random.Fill(view);
            done += (ulong)view.Length;
        }
        return (long)length;
    }

    /// <summary>struct sysinfo: 112 bytes on 64-bit systems.</summary>
    public static CallResult Sysinfo(CallContext call, GuestAddress info)
    {
        Span<ulong> words = stackalloc ulong[14];
        words.Clear();
        Kernel.Files.Proc.SystemInfo system = call.World.System;
        // A second that has begun counts (do_sysinfo in kernel/sys.c).
        words[0] = (ulong)(call.World.Clock.Monotonic + call.ClockOffset(isBootTime: true) + 999_999_999) / 1_000_000_000;
        words[4] = system.TotalMemory;
        words[5] = system.TotalMemory - Math.Min(system.TotalMemory, system.UsedMemory());
        words[8] = words[9] = call.World.Vfs.Swaps.Bytes;
        words[10] = (ushort)call.World.Processes().Count;
        words[13] = 1;
        return call.Memory.TryWrite(info, System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)) ? 0 : Errno.EFAULT;
    }

    public static CallResult Getcpu(CallContext call, GuestAddress processor, GuestAddress node, GuestAddress unused)
    {
        if (!processor.IsNull && !call.Memory.TryWrite(processor, 0))
            return Errno.EFAULT;
        return node.IsNull || call.Memory.TryWrite(node, 0) ? 0 : Errno.EFAULT;
    }
}
