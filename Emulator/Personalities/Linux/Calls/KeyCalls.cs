using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Keys;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>add_key(2), request_key(2), keyctl(2).</summary>
public static partial class KeyCalls
{
    private const ulong MostContent = (1 << 20) - 1;
    private const int MostUserContent = 32_767;

    public static CallResult AddKey(CallContext call, GuestAddress type, GuestAddress description, GuestAddress content, ulong length, int ring)
    {
        if (length > MostContent)
            return Errno.EINVAL;
        Errno error = call.ReadKeyType(type, out string name);
        byte[] text = [];
        if (error == Errno.None && !description.IsNull)
            error = call.ReadDescription(description, out text);
        if (error == Errno.None && text.Length > 0 && text[0] == '.' && name == KeyType.Keyring.Name)
            error = Errno.EPERM;
        byte[] bytes = error == Errno.None ? new byte[length] : [];
        if (error == Errno.None && length > 0 && !call.Memory.TryRead(content, bytes))
            error = Errno.EFAULT;
        if (error != Errno.None)
            return error;
        error = call.FindKey(ring, creates: true, KeyRight.Write, out FoundKey target);
        if (error != Errno.None)
            return error;
        if (KeyType.Find(name) is not { } kind)
            return Errno.ENODEV;
        if (target.Key is not Keyring keyring)
            return Errno.ENOTDIR;
        if (!IsContent(kind, bytes) || text.Length == 0 || (kind == KeyType.Logon && Array.IndexOf(text, (byte)':') <= 0))
            return Errno.EINVAL;
        return AddTo(call, keyring, target.IsPossessed, kind, text, bytes);
    }

    /// <summary>Updates the key of that name, or makes one.</summary>
    private static CallResult AddTo(CallContext call, Keyring ring, bool isPossessed, KeyType type, byte[] description, byte[] content)
    {
        KeyTable table = call.World.Keys;
        Errno error;
        if (type.IsUpdatable && ring.Find(type, description) is { IsRevoked: false, IsInvalid: false } old)
        {
            if (!old.Allows(call.Thread.Credentials, isPossessed, KeyRight.Write))
                return Errno.EACCES;
            error = table.Update(old, content);
            return error != Errno.None ? error : old.Serial;
        }
        const KeyRight always = KeyRight.View | KeyRight.Search | KeyRight.Link | KeyRight.SetAttributes;
        KeyRight possessor = always | (type.IsReadable ? KeyRight.Read : 0) | (type.IsUpdatable || type == KeyType.Keyring ? KeyRight.Write : 0);
        error = table.Make(type, description, call.Thread.Credentials, (uint)possessor << 24 | (uint)KeyRight.View << 16, content, out Key? made);
        if (error == Errno.None)
        {
            made!.Hold();
            error = ring.Link(made);
            // The keyring has it now, or nobody.
            made.Release();
        }
        return error != Errno.None ? error : made!.Serial;
    }

    private static bool IsContent(KeyType type, byte[] content) =>
        type == KeyType.Keyring ? content.Length == 0 : content.Length is > 0 and <= MostUserContent;

    /// <summary>There is no program that the kernel could ask for keys (/sbin/request-key): what is not there is not to be had.</summary>
    public static CallResult RequestKey(CallContext call, GuestAddress type, GuestAddress description, GuestAddress callout, int ring)
    {
        Errno error = call.ReadKeyType(type, out string name);
        byte[] text = [];
        if (error == Errno.None)
            error = call.ReadDescription(description, out text);
        if (error == Errno.None && !callout.IsNull)
            error = call.ReadDescription(callout, out _);
        FoundKey target = default;
        if (error == Errno.None && ring != 0)
            error = call.FindKey(ring, creates: true, KeyRight.Write, out target);
        if (error != Errno.None)
            return error;
        if (KeyType.Find(name) is not { } kind)
            return Errno.ENOKEY;
        bool isMissing = false;
        foreach (Keyring own in KeySearch.OwnRings(call))
        {
            Errno here = KeySearch.Search(call, own, isPossessed: true, kind, text, skipsExpired: true, out Key? found);
            if (found is not null)
                return Return(found, target.Key);
            isMissing |= here == Errno.ENOKEY;
            error = here;
        }
        // A keyring that has none at all decides (search_cred_keyrings_rcu in security/keys/process_keys.c).
        error = isMissing ? Errno.ENOKEY : error;
        return error != Errno.ENOKEY || callout.IsNull ? error : AskFor(call, kind, text, target);
    }

    /// <summary>
    /// Who is asked for keys is a program, /sbin/request-key, that the kernel of a world does not run, as one that has none does not: the key is made, and is negative
    /// for a minute.
    /// </summary>
    private static Errno AskFor(CallContext call, KeyType type, byte[] description, FoundKey target)
    {
        const long patience = 60_000_000_000;
        const KeyRight always = KeyRight.View | KeyRight.Search | KeyRight.Link | KeyRight.SetAttributes;
        if (type == KeyType.Keyring)
            return Errno.EPERM;
        if (target.Key is null)
        {
            Errno refused = FindDestination(call, out target);
            if (refused != Errno.None)
                return refused;
        }
        if (target.Key is not Keyring ring)
            return Errno.ENOTDIR;
        // What is there says already that there is none.
        if (ring.Find(type, description) is { IsNegative: true, IsInvalid: false } known && !(known.Expiry <= call.World.Clock.Realtime))
            return Errno.ENOKEY;
        uint rights = (uint)(always | (type.IsReadable ? KeyRight.Read : 0) | (type.IsUpdatable ? KeyRight.Write : 0)) << 24 | (uint)KeyRight.View << 16;
        Errno error = call.World.Keys.Make(type, description, call.Thread.Credentials, rights, [], out Key? made);
        if (error != Errno.None)
            return error;
        made!.Hold();
        (made.IsNegative, made.Expiry) = (true, call.World.Clock.Realtime + patience);
        error = ring.Link(made);
        made.Release();
        return error != Errno.None ? error : Errno.ENOENT;
    }

    /// <summary>Where a key goes that is made for a request without a keyring: the first there is of those that were set, to which the requester must be able to write.</summary>
    private static Errno FindDestination(CallContext call, out FoundKey target)
    {
        const int asUsual = 0, ofThread = 1, last = 5;
        int wanted = call.Thread.Keys?.Destination ?? asUsual;
        target = default;
        for (int ring = wanted == asUsual ? ofThread : wanted; ring <= last; ring++)
        {
            Errno error = call.FindKey(-ring, creates: false, KeyRight.Write, out target);
            if (error != Errno.ENOKEY)
                return error;
        }
        return Errno.ENOKEY;
    }

    /// <summary>A key that was found, linked to a keyring when one was given.</summary>
    private static CallResult Return(Key found, Key? target)
    {
        if (target is null)
            return found.Serial;
        if (target is not Keyring ring)
            return Errno.ENOTDIR;
        Errno error = ring.Link(found);
        return error != Errno.None ? error : found.Serial;
    }

    public static CallResult Keyctl(CallContext call, int operation, ulong second, ulong third, ulong fourth, ulong fifth) => operation switch
    {
        0 => TellRing(call, (int)second, (int)third != 0),
        1 => JoinSession(call, new GuestAddress(second)),
        2 => Update(call, (int)second, new GuestAddress(third), fourth),
        3 => Revoke(call, (int)second),
        4 => ChangeOwner(call, (int)second, (uint)third, (uint)fourth),
        5 => SetRights(call, (int)second, (uint)third),
        6 => Describe(call, (int)second, new GuestAddress(third), fourth),
        7 => Clear(call, (int)second),
        8 => Link(call, (int)second, (int)third),
        9 => Unlink(call, (int)second, (int)third),
        10 => Search(call, (int)second, new GuestAddress(third), new GuestAddress(fourth), (int)fifth),
        11 => Read(call, (int)second, new GuestAddress(third), fourth),
        // Instantiating and rejecting are for whom the kernel asked for a key.
        12 or 13 or 19 or 20 => Errno.EPERM,
        14 => SetDestination(call, (int)second),
        15 => SetTimeout(call, (int)second, (uint)third),
        16 => (int)second < 0 ? Errno.EINVAL : (int)second == 0 ? 0 : Errno.ENOKEY,
        17 => TellSecurity(call, (int)second, new GuestAddress(third), fourth),
        18 => GiveSessionToParent(call),
        21 => Invalidate(call, (int)second),
        29 => CloseRing(call, (int)second, new GuestAddress(third)),
        30 => Move(call, (int)second, (int)third, (int)fourth, (uint)fifth),
        31 => TellAbilities(call, new GuestAddress(second), third),
        _ => Errno.EOPNOTSUPP,
    };
}
