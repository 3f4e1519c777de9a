using System.Buffers.Binary;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Personalities.Bsd;

namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>SCM_CREDS of NetBSD: a struct sockcred for receivers with LOCAL_CREDS (unix(4)); senders tell nothing themselves.</summary>
internal sealed class NetBsdControl : BsdControl
{
    private const int Creds = 0x10;

    /// <summary>__ALIGNBYTES.</summary>
    protected override int AlignmentOf(CallContext call) => call.Thread.Cpu.Architecture == Architecture.Arm64 ? 16 : 8;

    protected override int ReceiverOption => 4;

    protected override int PeerOption => 3;

    /// <summary>struct unpcbid: process, effective user, effective group.</summary>
    protected override byte[] PeerOf(CallContext call, StreamSocket socket)
    {
        (KeptId? process, uint user, uint group) = socket.PeerCredentials;
        return Words((uint)call.NumberOf(process), user, group);
    }

    protected override Errno Claim(CallContext call, int type, ref Ancillary ancillary) => Errno.EINVAL;

    /// <summary>Process, user, effective user, group, effective group, count, groups.</summary>
    protected override void Tell(CallContext call, Socket socket, Ancillary ancillary, ref Writer writer)
    {
        if (!socket.PassCredentials || ancillary.Sender is not { } who)
            return;
        writer.Put(Creds, Words(
            [(uint)call.NumberOf(ancillary.SenderProcess), who.User, who.EffectiveUser, who.Group, who.EffectiveGroup, (uint)who.Groups.Length, .. who.Groups]));
    }

    private static byte[] Words(params ReadOnlySpan<uint> words)
    {
        byte[] bytes = new byte[words.Length * sizeof(uint)];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * sizeof(uint)), words[i]);
        return bytes;
    }
}
