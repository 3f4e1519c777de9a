using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Personalities.Bsd;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>SCM_CREDS of FreeBSD: a sender asks for it with a struct cmsgcred, which the kernel fills; a receiver with LOCAL_CREDS, for a struct sockcred, or with LOCAL_CREDS_PERSISTENT, for a struct sockcred2.</summary>
internal sealed class FreeBsdControl : BsdControl
{
    private const int Creds = 3, Creds2 = 8, MostGroups = 16;

    protected override int AlignmentOf(CallContext call) => 8;

    protected override int ReceiverOption => 2;

    protected override int LastingReceiverOption => 3;

    protected override int PeerOption => 1;

    /// <summary>struct xucred: version 0, effective user, count 2, 16 groups, process at 80.</summary>
    protected override byte[] PeerOf(CallContext call, StreamSocket socket)
    {
        const int size = 88, processAt = 80;
        byte[] bytes = new byte[size];
        (KeptId? process, uint user, uint group) = socket.PeerCredentials;
        uint[] groups = [group, .. socket.PeerGroups.Take(MostGroups - 1)];
        Put(bytes, 0, user, (uint)groups.Length);
        Put(bytes.AsSpan(12), groups);
        Put(bytes.AsSpan(processAt), (uint)call.NumberOf(process));
        return bytes;
    }

    protected override Errno Claim(CallContext call, int type, ref Ancillary ancillary)
    {
        if (type != Creds)
            return Errno.EINVAL;
        Credentials who = call.Thread.Credentials;
        ancillary = ancillary with { SenderProcess = call.Process.KeptId, SenderUser = who.User, SenderGroup = who.Group, Sender = who, IsSenderTold = true };
        return Errno.None;
    }

    protected override void Tell(CallContext call, Socket socket, Ancillary ancillary, ref Writer writer)
    {
        if (ancillary.Sender is not { } who)
            return;
        if (ancillary.IsSenderTold)
            writer.Put(Creds, ClaimOf(call, ancillary, who));
        else if (socket.PassCredentials)
            writer.Put(Creds, IdentityOf(who));
        else if (socket.KeepsPassingCredentials)
            writer.Put(Creds2, LastingIdentityOf(call, ancillary, who));
        // Of a stream, the first message alone says it.
        socket.PassCredentials &= socket.Kind == SocketKind.Datagram;
    }

    /// <summary>struct cmsgcred: process, user, effective user, group, count 2, 16 groups.</summary>
    private static byte[] ClaimOf(CallContext call, Ancillary ancillary, Credentials who)
    {
        byte[] bytes = new byte[20 + (MostGroups * sizeof(uint))];
        Put(bytes, (uint)call.NumberOf(ancillary.SenderProcess), who.User, who.EffectiveUser, who.Group);
        BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(16), (short)Groups(who, bytes.AsSpan(20), MostGroups));
        return bytes;
    }

    /// <summary>struct sockcred: user, effective user, group, effective group, count, groups.</summary>
    private static byte[] IdentityOf(Credentials who)
    {
        byte[] bytes = new byte[20 + ((who.Groups.Length + 1) * sizeof(uint))];
        Put(bytes, who.User, who.EffectiveUser, who.Group, who.EffectiveGroup);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), Groups(who, bytes.AsSpan(20), int.MaxValue));
        return bytes;
    }

    /// <summary>struct sockcred2: version 0, process, then as struct sockcred.</summary>
    private static byte[] LastingIdentityOf(CallContext call, Ancillary ancillary, Credentials who)
    {
        byte[] head = new byte[8];
        Put(head, 0, (uint)call.NumberOf(ancillary.SenderProcess));
        return [.. head, .. IdentityOf(who)];
    }

    /// <summary>The first of the groups is the effective one.</summary>
    private static int Groups(Credentials who, Span<byte> place, int most)
    {
        int count = Math.Min(who.Groups.Length + 1, most);
        for (int i = 0; i < count; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(place[(i * sizeof(uint))..], i == 0 ? who.EffectiveGroup : who.Groups[i - 1]);
        return count;
    }

    private static void Put(Span<byte> place, params ReadOnlySpan<uint> words)
    {
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(place[(i * sizeof(uint))..], words[i]);
    }
}
