using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>capget(2), capset(2), and the capability options of prctl(2).</summary>
public static class CapabilityCalls
{
    private const uint Version1 = 0x19980330, Version2 = 0x20071026, Version3 = 0x20080522;

    /// <summary>The header's version and thread id, then one or two triples of effective, permitted and inheritable words.</summary>
    public static CallResult Capget(CallContext call, GuestAddress header, GuestAddress data)
    {
        Errno error = ReadVersion(call, header, out int triples);
        if (error != Errno.None)
            return data.IsNull && error == Errno.EINVAL ? CallResult.Ok() : error;
        if (data.IsNull)
            return CallResult.Ok();
        if (!call.Memory.TryRead(header + 4, out int pid))
            return Errno.EFAULT;
        if (pid < 0)
            return Errno.EINVAL;
        if ((pid == 0 ? call.Thread : call.FindThread(pid)) is not { } thread)
            return Errno.ESRCH;
        Credentials who = thread.Credentials;
        Span<uint> words = stackalloc uint[6];
        for (int i = 0; i < 2; i++)
        {
            words[i * 3] = (uint)(who.Effective.Bits >> (i * 32));
            words[(i * 3) + 1] = (uint)(who.Permitted.Bits >> (i * 32));
            words[(i * 3) + 2] = (uint)(who.Inheritable.Bits >> (i * 32));
        }
        return call.Memory.TryWrite(data, MemoryMarshal.AsBytes(words[..(triples * 3)])) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Capset(CallContext call, GuestAddress header, GuestAddress data)
    {
        Errno error = ReadVersion(call, header, out int triples);
        if (error != Errno.None)
            return error;
        if (!call.Memory.TryRead(header + 4, out int pid))
            return Errno.EFAULT;
        if (pid != 0 && pid != call.Thread.Number)
            return Errno.EPERM;
        Span<uint> words = stackalloc uint[6];
        words.Clear();
        if (!call.Memory.TryRead(data, MemoryMarshal.AsBytes(words[..(triples * 3)])))
            return Errno.EFAULT;
        CapabilitySet effective = Join(words[0], words[3]), permitted = Join(words[1], words[4]), inheritable = Join(words[2], words[5]);
        Credentials who = call.Thread.Credentials;
        bool maySet = who.Has(Capability.SetCapabilities);
        if ((!maySet && !inheritable.IsWithin(who.Inheritable | who.Permitted)) || !inheritable.IsWithin(who.Inheritable | who.Bounding)
            || !permitted.IsWithin(who.Permitted) || !effective.IsWithin(permitted))
            return Errno.EPERM;
        call.Thread.Credentials = who with
        {
            Effective = effective, Permitted = permitted, Inheritable = inheritable, Ambient = who.Ambient & permitted & inheritable,
        };
        return CallResult.Ok();
    }

    private static CapabilitySet Join(uint low, uint high) => new CapabilitySet(low | ((ulong)high << 32)) & CapabilitySet.All;

    /// <summary>An unknown version is answered with the preferred one (capget(2), "Notes").</summary>
    private static Errno ReadVersion(CallContext call, GuestAddress header, out int triples)
    {
        triples = 2;
        if (!call.Memory.TryRead(header, out uint version))
            return Errno.EFAULT;
        if (version is Version2 or Version3)
            return Errno.None;
        triples = 1;
        if (version == Version1)
            return Errno.None;
        return call.Memory.TryWrite(header, Version3) ? Errno.EINVAL : Errno.EFAULT;
    }

    /// <summary>PR_CAPBSET_READ.</summary>
    internal static CallResult ReadBounding(CallContext call, ulong capability) =>
        capability >= CapabilitySet.Count ? Errno.EINVAL : CallResult.Ok(call.Thread.Credentials.Bounding.Contains((Capability)capability) ? 1 : 0);

    /// <summary>PR_CAPBSET_DROP.</summary>
    internal static CallResult DropBounding(CallContext call, ulong capability)
    {
        Credentials who = call.Thread.Credentials;
        if (!who.Has(Capability.SetCapabilities))
            return Errno.EPERM;
        if (capability >= CapabilitySet.Count)
            return Errno.EINVAL;
        call.Thread.Credentials = who with { Bounding = who.Bounding & ~CapabilitySet.Of((Capability)capability) };
        return CallResult.Ok();
    }

    /// <summary>PR_CAP_AMBIENT.</summary>
    internal static CallResult ControlAmbient(CallContext call, ulong operation, ulong capability, ulong fourth, ulong fifth)
    {
        const ulong isSet = 1, raise = 2, lower = 3, clearAll = 4;
        Credentials who = call.Thread.Credentials;
        if (operation == clearAll)
        {
            if ((capability | fourth | fifth) != 0)
                return Errno.EINVAL;
            call.Thread.Credentials = who with { Ambient = default };
            return CallResult.Ok();
        }
        if ((fourth | fifth) != 0 || capability >= CapabilitySet.Count)
            return Errno.EINVAL;
        var one = CapabilitySet.Of((Capability)capability);
        switch (operation)
        {
            case isSet:
                return CallResult.Ok(one.IsWithin(who.Ambient) ? 1 : 0);
            case raise when !one.IsWithin(who.Permitted & who.Inheritable) || (who.Secure & SecureBits.NoAmbientRaise) != 0:
                return Errno.EPERM;
            case raise:
                call.Thread.Credentials = who with { Ambient = who.Ambient | one };
                return CallResult.Ok();
            case lower:
                call.Thread.Credentials = who with { Ambient = who.Ambient & ~one };
                return CallResult.Ok();
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>PR_SET_SECUREBITS: locked bits stay, locks are for good.</summary>
    internal static CallResult SetSecureBits(CallContext call, ulong wanted)
    {
        Credentials who = call.Thread.Credentials;
        var bits = (SecureBits)(byte)wanted;
        SecureBits locked = (SecureBits)((int)(who.Secure & SecureBits.Locks) >> 1);
        bool changesLocked = ((who.Secure ^ bits) & locked) != 0 || (who.Secure & SecureBits.Locks & ~bits) != 0;
        if (changesLocked || (wanted & ~(ulong)(SecureBits.All | SecureBits.Locks)) != 0 || !who.Has(Capability.SetCapabilities))
            return Errno.EPERM;
        call.Thread.Credentials = who with { Secure = bits };
        return CallResult.Ok();
    }

    internal static CallResult SetKeepCapabilities(CallContext call, ulong keeps)
    {
        Credentials who = call.Thread.Credentials;
        if (keeps > 1)
            return Errno.EINVAL;
        if ((who.Secure & (SecureBits)((int)SecureBits.KeepCapabilities << 1)) != 0)
            return Errno.EPERM;
        SecureBits others = who.Secure & ~SecureBits.KeepCapabilities;
        call.Thread.Credentials = who with { Secure = keeps != 0 ? others | SecureBits.KeepCapabilities : others };
        return CallResult.Ok();
    }
}
