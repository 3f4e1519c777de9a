using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Security modules of the kernel, and what they say of a process: lsm_list_modules(2), lsm_get_self_attr(2), lsm_set_self_attr(2).</summary>
public static class SecurityModuleCalls
{
    private const ulong Capabilities = 100, Landlock = 110;
    private const uint ContextSize = 32;

    public static CallResult LsmListModules(CallContext call, GuestAddress identifiers, GuestAddress size, uint flags)
    {
        ReadOnlySpan<ulong> modules = [Capabilities, Landlock];
        uint needed = (uint)modules.Length * sizeof(ulong);
        if (flags != 0)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(size, out uint given) || !call.Memory.TryWrite(size, needed))
            return Errno.EFAULT;
        if (given < needed)
            return Errno.E2BIG;
        return call.Memory.TryWrite(identifiers, System.Runtime.InteropServices.MemoryMarshal.AsBytes(modules)) ? modules.Length : Errno.EFAULT;
    }

    /// <summary>No module has attributes of processes: EOPNOTSUPP, once the arguments are right.</summary>
    public static CallResult LsmGetSelfAttr(CallContext call, uint attribute, GuestAddress context, GuestAddress size, uint flags)
    {
        const uint single = 1;
        if (attribute == 0 || size.IsNull)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(size, out uint _))
            return Errno.EFAULT;
        if (flags != 0)
        {
            if (flags != single || context.IsNull)
                return Errno.EINVAL;
            Span<byte> asked = stackalloc byte[(int)ContextSize];
            if (!call.Memory.TryRead(context, asked))
                return Errno.EFAULT;
            if (BitConverter.ToUInt64(asked) == 0)
                return Errno.EINVAL;
        }
        return call.Memory.TryWrite(size, 0u) ? Errno.EOPNOTSUPP : Errno.EFAULT;
    }

    public static CallResult LsmSetSelfAttr(CallContext call, uint attribute, GuestAddress context, uint size, uint flags)
    {
        if (flags != 0 || size < ContextSize)
            return Errno.EINVAL;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        Span<byte> given = stackalloc byte[(int)size];
        if (!call.Memory.TryRead(context, given))
            return Errno.EFAULT;
        ulong length = BitConverter.ToUInt64(given[16..]), contextLength = BitConverter.ToUInt64(given[24..]);
        ulong needed = ContextSize + contextLength;
        return size < length || needed < contextLength || length < needed ? Errno.EINVAL : Errno.EOPNOTSUPP;
    }
}
