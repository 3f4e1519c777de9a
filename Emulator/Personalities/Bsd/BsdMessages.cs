namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>What a system's messages on sockets have of its own (send(2), recv(2), unix(4)).</summary>
/// <param name="NoSignal">MSG_NOSIGNAL.</param>
/// <param name="CloseOnExec">MSG_CMSG_CLOEXEC.</param>
/// <param name="Control">Control messages.</param>
internal sealed record BsdMessages(int NoSignal, int CloseOnExec, BsdControl Control)
{
    /// <summary>MSG_ flags as Linux numbers them.</summary>
    public int FlagsToLinux(int flags)
    {
        int linux = flags & 7; // OOB, PEEK, DONTROUTE
        linux |= (flags & 0x08) != 0 ? 0x80 : 0; // EOR
        linux |= (flags & 0x10) != 0 ? 0x20 : 0; // TRUNC
        linux |= (flags & 0x40) != 0 ? 0x100 : 0; // WAITALL
        linux |= (flags & 0x80) != 0 ? 0x40 : 0; // DONTWAIT
        linux |= (flags & NoSignal) != 0 ? 0x4000 : 0;
        return linux | ((flags & CloseOnExec) != 0 ? 0x40000000 : 0);
    }

    /// <summary>What recvmsg(2) tells back.</summary>
    public static int FlagsFromLinux(int flags) =>
        (flags & 1) | ((flags & 0x80) != 0 ? 0x08 : 0) | ((flags & 0x20) != 0 ? 0x10 : 0) | ((flags & 0x08) != 0 ? 0x20 : 0);
}
