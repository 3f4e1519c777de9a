using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Keys;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>The operations of keyctl(2).</summary>
public static partial class KeyCalls
{
    private const uint AllRights = 0x3F3F3F3F;

    private static CallResult TellRing(CallContext call, int ring, bool creates)
    {
        Errno error = call.FindKey(ring, creates, KeyRight.Search, out FoundKey found);
        return error != Errno.None ? error : found.Key.Serial;
    }

    private static CallResult JoinSession(CallContext call, GuestAddress name)
    {
        Credentials who = call.Thread.Credentials;
        ThreadKeys keys = call.Keys();
        if (name.IsNull)
        {
            keys.Session = call.World.Keys.MakeRing("_ses", who, KeyArguments.SessionRights);
            return keys.Session.Serial;
        }
        Errno error = call.ReadDescription(name, out byte[] text);
        if (error != Errno.None)
            return error;
        if (text.Length > 0 && text[0] == '.')
            return Errno.EPERM;
        if (text.Length == 0)
            return Errno.EINVAL;
        Keyring? ring = call.World.Keys.FindRing(text, who);
        if (ring is null)
        {
            error = call.World.Keys.Make(KeyType.Keyring, text, who, KeyArguments.NamedSessionRights, [], out Key? made);
            if (error != Errno.None)
                return error;
            ring = (Keyring)made!;
        }
        else if (ring == keys.Session)
        {
            return 0;
        }
        keys.Session = ring;
        return ring.Serial;
    }

    private static CallResult Update(CallContext call, int serial, GuestAddress content, ulong length)
    {
        if (length > GuestAddress.PageSize)
            return Errno.EINVAL;
        byte[] bytes = new byte[length];
        if (length > 0 && !call.Memory.TryRead(content, bytes))
            return Errno.EFAULT;
        Errno error = call.FindKey(serial, creates: false, KeyRight.Write, out FoundKey found);
        if (error != Errno.None)
            return error;
        if (!found.Key.Type.IsUpdatable)
            return Errno.EOPNOTSUPP;
        return IsContent(found.Key.Type, bytes) ? call.World.Keys.Update(found.Key, bytes) : Errno.EINVAL;
    }

    private static CallResult Revoke(CallContext call, int serial)
    {
        Errno error = call.FindKey(serial, creates: false, KeyRight.Write, out FoundKey found);
        if (error == Errno.EACCES)
            error = call.FindKey(serial, creates: false, KeyRight.SetAttributes, out found);
        if (error == Errno.None)
            found.Key.Revoke();
        return error;
    }

    private static CallResult Invalidate(CallContext call, int serial)
    {
        Errno error = call.FindKey(serial, creates: false, KeyRight.Search, out FoundKey found);
        if (error == Errno.None)
            found.Key.Invalidate();
        return error;
    }

    private static CallResult ChangeOwner(CallContext call, int serial, uint user, uint group)
    {
        const uint same = uint.MaxValue;
        if (user == same && group == same)
            return 0;
        Errno error = call.FindKey(serial, creates: true, KeyRight.SetAttributes, out FoundKey found);
        if (error != Errno.None)
            return error;
        Credentials who = call.Thread.Credentials;
        Key key = found.Key;
        bool mayGroup = group == same || group == key.Group || group == who.FileGroup || Array.IndexOf(who.Groups, group) >= 0;
        if (!who.Has(Capability.Administer) && ((user != same && user != key.User) || !mayGroup))
            return Errno.EACCES;
        if (user != same)
            call.World.Keys.Move(key, user);
        if (group != same)
            key.Group = group;
        return 0;
    }

    private static CallResult SetRights(CallContext call, int serial, uint rights)
    {
        if ((rights & ~AllRights) != 0)
            return Errno.EINVAL;
        Errno error = call.FindKey(serial, creates: true, KeyRight.SetAttributes, out FoundKey found);
        if (error != Errno.None)
            return error;
        Credentials who = call.Thread.Credentials;
        if (found.Key.User != who.FileUser && !who.Has(Capability.Administer))
            return Errno.EACCES;
        found.Key.Rights = rights;
        return 0;
    }

    private static CallResult Describe(CallContext call, int serial, GuestAddress buffer, ulong length)
    {
        Errno error = call.FindKey(serial, creates: false, KeyRight.View, out FoundKey found);
        if (error != Errno.None)
            return error;
        Key key = found.Key;
        byte[] text = [.. Encoding.ASCII.GetBytes($"{key.Type.Name};{(int)key.User};{(int)key.Group};{key.Rights:x8};"), .. key.Description, 0];
        if (!buffer.IsNull && (ulong)text.Length <= length && !call.Memory.TryWrite(buffer, text))
            return Errno.EFAULT;
        return text.Length;
    }

    private static CallResult Clear(CallContext call, int serial)
    {
        Errno error = call.FindRing(serial, creates: true, KeyRight.Write, out Keyring ring, out _);
        if (error == Errno.None)
            ring.Clear();
        return error;
    }

    private static CallResult Link(CallContext call, int serial, int target)
    {
        Errno error = call.FindKey(target, creates: true, KeyRight.Write, out FoundKey to);
        FoundKey found = default;
        if (error == Errno.None)
            error = call.FindKey(serial, creates: true, KeyRight.Link, out found);
        if (error != Errno.None)
            return error;
        return to.Key is Keyring ring ? ring.Link(found.Key) : Errno.ENOTDIR;
    }

    private static CallResult Unlink(CallContext call, int serial, int target)
    {
        Errno error = call.FindKey(target, creates: false, KeyRight.Write, out FoundKey from);
        FoundKey found = default;
        if (error == Errno.None)
            error = call.FindKey(serial, creates: false, null, out found);
        if (error != Errno.None)
            return error;
        return from.Key is Keyring ring ? ring.Unlink(found.Key) : Errno.ENOTDIR;
    }

    private static CallResult Move(CallContext call, int serial, int source, int target, uint flags)
    {
        const uint exclusive = 1;
        if ((flags & ~exclusive) != 0)
            return Errno.EINVAL;
        Errno error = call.FindKey(serial, creates: true, KeyRight.Link, out FoundKey found);
        FoundKey from = default, to = default;
        if (error == Errno.None)
            error = call.FindKey(source, creates: false, KeyRight.Write, out from);
        if (error == Errno.None)
            error = call.FindKey(target, creates: true, KeyRight.Write, out to);
        if (error != Errno.None)
            return error;
        if (from.Key is not Keyring fromRing || to.Key is not Keyring toRing)
            return Errno.ENOTDIR;
        if (fromRing == toRing)
            return 0;
        if (!fromRing.Keys.Contains(found.Key))
            return Errno.ENOENT;
        if ((flags & exclusive) != 0 && toRing.Find(found.Key.Type, found.Key.Description) is not null)
            return Errno.EEXIST;
        error = toRing.Link(found.Key);
        return error != Errno.None ? error : fromRing.Unlink(found.Key);
    }

    private static CallResult Search(CallContext call, int start, GuestAddress type, GuestAddress description, int target)
    {
        Errno error = call.ReadKeyType(type, out string name);
        byte[] text = [];
        if (error == Errno.None)
            error = call.ReadDescription(description, out text);
        FoundKey from = default, to = default;
        if (error == Errno.None)
            error = call.FindKey(start, creates: false, KeyRight.Search, out from);
        if (error == Errno.None && target != 0)
            error = call.FindKey(target, creates: true, KeyRight.Write, out to);
        if (error != Errno.None)
            return error;
        if (KeyType.Find(name) is not { } kind)
            return Errno.ENOKEY;
        if (from.Key is not Keyring ring)
            return Errno.ENOTDIR;
        error = KeySearch.Search(call, ring, from.IsPossessed, kind, text, skipsExpired: false, out Key? found);
        if (error != Errno.None)
            return error;
        if (to.Key is not null && !found!.Allows(call.Thread.Credentials, from.IsPossessed, KeyRight.Link))
            return Errno.EACCES;
        return Return(found!, to.Key);
    }

    /// <summary>All of a key's content, or only its length when the buffer is too short; of a keyring the numbers of its keys.</summary>
    private static CallResult Read(CallContext call, int serial, GuestAddress buffer, ulong length)
    {
        Errno error = call.FindKey(serial, creates: false, KeyRight.None, out FoundKey found);
        if (error != Errno.None)
            return error;
        if (!found.Key.Allows(call.Thread.Credentials, found.IsPossessed, KeyRight.Read) && !found.IsPossessed)
            return Errno.EACCES;
        if (!found.Key.Type.IsReadable)
            return Errno.EOPNOTSUPP;
        ReadOnlySpan<byte> content = found.Key.Content;
        if (found.Key is Keyring ring)
        {
            if (length % sizeof(int) != 0)
                return Errno.EINVAL;
            int[] numbers = [.. ring.Keys.Select(static key => key.Serial)];
            content = MemoryMarshal.AsBytes(numbers.AsSpan());
        }
        if (!buffer.IsNull && (ulong)content.Length <= length && !call.Memory.TryWrite(buffer, content))
            return Errno.EFAULT;
        return content.Length;
    }

    private static CallResult SetDestination(CallContext call, int destination)
    {
        const int noChange = -1, thread = 1, process = 2, last = 5;
        if (destination is < noChange or > last)
            return Errno.EINVAL;
        int before = call.Thread.Keys?.Destination ?? 0;
        if (destination is thread or process)
            call.FindKey(-destination, creates: true, null, out _);
        if (destination != noChange)
            call.Keys().Destination = destination;
        return before;
    }

    private static CallResult SetTimeout(CallContext call, int serial, uint seconds)
    {
        Errno error = call.FindKey(serial, creates: true, KeyRight.SetAttributes, out FoundKey found);
        if (error == Errno.None)
            found.Key.Expiry = seconds == 0 ? null : call.World.Clock.Realtime + (seconds * 1_000_000_000L);
        return error;
    }

    /// <summary>Without a security module that labels keys, their label is empty.</summary>
    private static CallResult TellSecurity(CallContext call, int serial, GuestAddress buffer, ulong length)
    {
        Errno error = call.FindKey(serial, creates: false, KeyRight.View, out _);
        if (error != Errno.None)
            return error;
        return buffer.IsNull || length == 0 || call.Memory.TryWrite(buffer, (byte)0) ? 1 : Errno.EFAULT;
    }

    /// <summary>The parent gets this session when it has one thread and the same user.</summary>
    private static CallResult GiveSessionToParent(CallContext call)
    {
        Errno error = call.FindKey(KeyArguments.OfSession, creates: false, KeyRight.Link, out FoundKey session);
        if (error != Errno.None)
            return error;
        Credentials who = call.Thread.Credentials;
        if (call.Process.Parent is not { IsZombie: false } parent || parent.Threads.Count != 1 || parent == call.World.First)
            return Errno.EPERM;
        Credentials other = parent.Credentials;
        bool isSame = other.User == who.EffectiveUser && other.EffectiveUser == who.EffectiveUser && other.SavedUser == who.EffectiveUser
            && other.Group == who.EffectiveGroup && other.EffectiveGroup == who.EffectiveGroup && other.SavedGroup == who.EffectiveGroup;
        if (!isSame)
            return Errno.EPERM;
        (parent.MainThread.Keys ??= new ThreadKeys()).Session = (Keyring)session.Key;
        return 0;
    }

    /// <summary>Lets no more keys into a keyring; restrictions by kinds of keys are those of kinds that there are not.</summary>
    private static CallResult CloseRing(CallContext call, int serial, GuestAddress type)
    {
        Errno error = call.FindRing(serial, creates: false, KeyRight.SetAttributes, out Keyring ring, out _);
        if (error != Errno.None)
            return error;
        if (!type.IsNull)
        {
            error = call.ReadKeyType(type, out _);
            return error != Errno.None ? error : Errno.ENOENT;
        }
        if (ring.IsClosed)
            return Errno.EEXIST;
        ring.IsClosed = true;
        return 0;
    }

    /// <summary>Which operations there are: two bytes of bits (KEYCTL_CAPABILITIES).</summary>
    private static CallResult TellAbilities(CallContext call, GuestAddress buffer, ulong length)
    {
        const byte tells = 1, invalidates = 0x20, restricts = 0x40, moves = 0x80;
        ReadOnlySpan<byte> known = [tells | invalidates | restricts | moves, 0];
        for (ulong i = 0; i < Math.Min(length, GuestAddress.PageSize); i++)
        {
            if (!call.Memory.TryWrite(buffer + i, i < (ulong)known.Length ? known[(int)i] : (byte)0))
                return Errno.EFAULT;
        }
        return known.Length;
    }
}
