namespace Vivarium.Emulator.Kernel.Keys;

/// <summary>What may be done with a key; one set of these bits each for its possessor, owner, group and others (keyrings(7)).</summary>
[Flags]
public enum KeyRight : byte
{
    None = 0,
    View = 1,
    Read = 2,
    Write = 4,
    Search = 8,
    Link = 16,
    SetAttributes = 32,
    All = 63,
}

/// <summary>Kinds of keys.</summary>
public sealed record KeyType(string Name, bool IsReadable, bool IsUpdatable)
{
    public static KeyType User { get; } = new("user", true, true);

    /// <summary>Its content is for the kernel alone, and its description begins with a service's name.</summary>
    public static KeyType Logon { get; } = new("logon", false, true);

    public static KeyType Keyring { get; } = new("keyring", true, false);

    public static KeyType? Find(string name) => name switch
    {
        "user" => User,
        "logon" => Logon,
        "keyring" => Keyring,
        _ => null,
    };
}

/// <summary>A key: bytes with a description, an owner and rights, kept as long as a keyring or a thread has it.</summary>
public class Key(KeyTable table, int serial, KeyType type, byte[] description)
{
    private int _holders;

    public int Serial => serial;

    public KeyType Type => type;

    public byte[] Description => description;

    public uint User { get; set; }

    public uint Group { get; set; }

    /// <summary>Rights of possessor, owner, group and others, from the highest byte down.</summary>
    public uint Rights { get; set; }

    public byte[] Content { get; set; } = [];

    /// <summary>Real time in nanoseconds at which it expires; null = never.</summary>
    public long? Expiry { get; set; }

    public bool IsRevoked { get; private set; }

    /// <summary>Marked to be collected: nobody finds it any more.</summary>
    public bool IsInvalid { get; private set; }

    /// <summary>Nobody could say what it is: for a while the answer is kept (request_key(2)).</summary>
    public bool IsNegative { get; set; }

    public int Holders => _holders;

    /// <summary>Bytes of the world's memory that it counts for.</summary>
    internal ulong Charged { get; set; }

    /// <summary>Bytes it counts for.</summary>
    public int Size => description.Length + 1 + Content.Length;

    protected KeyTable Table => table;

    /// <summary>ENOKEY, EKEYREVOKED or EKEYEXPIRED; no error when it can be used.</summary>
    public Errno Validate(World world) =>
        IsInvalid || IsNegative ? Errno.ENOKEY : IsRevoked ? Errno.EKEYREVOKED : Expiry <= world.Clock.Realtime ? Errno.EKEYEXPIRED : Errno.None;

    public bool Allows(Credentials who, bool isPossessed, KeyRight wanted)
    {
        uint granted = User == who.FileUser ? Rights >> 16
            : Rights << 16 >> 24 is not 0 and var ofGroup && (Group == who.FileGroup || Array.IndexOf(who.Groups, Group) >= 0) ? ofGroup
            : Rights;
        if (isPossessed)
            granted |= Rights >> 24;
        return (granted & (uint)wanted) == (uint)wanted;
    }

    public bool Matches(KeyType other, ReadOnlySpan<byte> text) => other == type && text.SequenceEqual(description);

    public virtual void Revoke() => IsRevoked = true;

    public void Invalidate()
    {
        IsInvalid = true;
        Table.Collect(this);
    }

    public void Hold() => _holders++;

    /// <summary>Who held it lets go; the last one destroys it.</summary>
    public void Release()
    {
        if (--_holders == 0)
            Destroy();
    }

    protected virtual void Destroy() => Table.Remove(this);
}

/// <summary>A key whose content is other keys.</summary>
public sealed class Keyring(KeyTable table, int serial, byte[] description) : Key(table, serial, KeyType.Keyring, description)
{
    private const int DeepestNesting = 6, MostKeys = 10_000;

    private readonly List<Key> _keys = [];

    public IReadOnlyList<Key> Keys => _keys;

    /// <summary>No key can be added any more.</summary>
    public bool IsClosed { get; set; }

    public Key? Find(KeyType type, ReadOnlySpan<byte> description)
    {
        foreach (Key key in _keys)
        {
            if (key.Matches(type, description))
                return key;
        }
        return null;
    }

    /// <summary>Adds a key in place of one that is called the same: EDEADLK when it contains this one, ELOOP when rings nest too deep.</summary>
    public Errno Link(Key key)
    {
        if (IsRevoked)
            return Errno.EKEYREVOKED;
        if (IsClosed)
            return Errno.EPERM;
        if (_keys.Count >= MostKeys)
            return Errno.ENFILE;
        if (key is Keyring ring)
        {
            Errno error = ring.CheckNesting(this, 0);
            if (error != Errno.None)
                return error;
        }
        key.Hold();
        int index = _keys.FindIndex(other => other.Matches(key.Type, key.Description));
        if (index < 0)
        {
            _keys.Add(key);
            return Errno.None;
        }
        Key before = _keys[index];
        _keys[index] = key;
        before.Release();
        return Errno.None;
    }

    /// <summary>ENOENT when it is not in here.</summary>
    public Errno Unlink(Key key)
    {
        if (!_keys.Remove(key))
            return Errno.ENOENT;
        key.Release();
        return Errno.None;
    }

    public void Clear()
    {
        Key[] keys = [.. _keys];
        _keys.Clear();
        foreach (Key key in keys)
            key.Release();
    }

    public override void Revoke()
    {
        base.Revoke();
        Clear();
    }

    protected override void Destroy()
    {
        Clear();
        base.Destroy();
    }

    private Errno CheckNesting(Keyring target, int depth)
    {
        if (ReferenceEquals(this, target))
            return Errno.EDEADLK;
        if (depth >= DeepestNesting)
            return Errno.ELOOP;
        foreach (Key key in _keys)
        {
            if (key is Keyring inner && inner.CheckNesting(target, depth + 1) is var error && error != Errno.None)
                return error;
        }
        return Errno.None;
    }
}
