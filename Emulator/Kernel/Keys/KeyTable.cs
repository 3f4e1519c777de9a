namespace Vivarium.Emulator.Kernel.Keys;

/// <summary>The keys of a world, by serial number; and each user's two keyrings, made when they are first asked for.</summary>
public sealed class KeyTable(World world)
{
    private const uint OwnRights = 0x1F3F0000;

    /// <summary>What a key takes of the world's memory beside its text.</summary>
    private const ulong Overhead = 256;

    private readonly SortedDictionary<int, Key> _keys = [];
    private readonly SortedDictionary<uint, (Keyring User, Keyring Session)> _users = [];

    public IEnumerable<Key> All => _keys.Values;

    public Key? Find(int serial) => _keys.GetValueOrDefault(serial);

    public (int Keys, int Bytes) LimitsOf(uint user)
    {
        KernelSettings settings = world.Settings;
        return user == 0 ? ((int)settings.RootKeys.Value, (int)settings.RootKeyBytes.Value) : ((int)settings.Keys.Value, (int)settings.KeyBytes.Value);
    }

    /// <summary>A keyring by its name that somebody may find; null when there is none.</summary>
    public Keyring? FindRing(ReadOnlySpan<byte> name, Credentials who)
    {
        foreach (Key key in _keys.Values)
        {
            if (key is Keyring { IsRevoked: false } ring && name.SequenceEqual(ring.Description) && ring.Allows(who, isPossessed: false, KeyRight.Search))
                return ring;
        }
        return null;
    }

    /// <summary>A new key that nobody holds yet; EDQUOT when its owner has too many.</summary>
    public Errno Make(KeyType type, byte[] description, Credentials owner, uint rights, byte[] content, out Key? key)
    {
        key = null;
        (int count, int bytes) = Usage(owner.FileUser);
        (int mostKeys, int mostBytes) = LimitsOf(owner.FileUser);
        if (count + 1 > mostKeys || bytes + description.Length + 1 + content.Length > mostBytes)
            return Errno.EDQUOT;
        ulong cost = Overhead + (ulong)(description.Length + content.Length);
        if (!world.Accountant.TryCharge(cost))
            return Errno.ENOMEM;
        key = Add(type, description, owner.FileUser, owner.FileGroup, rights, content);
        key.Charged = cost;
        return Errno.None;
    }

    /// <summary>A keyring that is not counted for its user: those of threads and sessions.</summary>
    public Keyring MakeRing(string description, Credentials owner, uint rights) =>
        (Keyring)Add(KeyType.Keyring, System.Text.Encoding.ASCII.GetBytes(description), owner.FileUser, owner.FileGroup, rights);

    /// <summary>A user's own keyring, and the one that stands for a session where none was made.</summary>
    public (Keyring User, Keyring Session) RingsOf(uint user)
    {
        if (_users.TryGetValue(user, out (Keyring User, Keyring Session) rings))
            return rings;
        var own = (Keyring)Add(KeyType.Keyring, System.Text.Encoding.ASCII.GetBytes($"_uid.{user}"), user, UserSpace.Overflow, OwnRights);
        var session = (Keyring)Add(KeyType.Keyring, System.Text.Encoding.ASCII.GetBytes($"_uid_ses.{user}"), user, UserSpace.Overflow, OwnRights);
        own.Hold();
        session.Hold();
        session.Link(own);
        _users.Add(user, (own, session));
        return (own, session);
    }

    /// <summary>How many keys a user has, and their bytes.</summary>
    public (int Count, int Bytes) Usage(uint user)
    {
        (int count, int bytes) = _usage.GetValueOrDefault(user);
        return (count, bytes);
    }

    private readonly Dictionary<uint, (int Count, int Bytes)> _usage = [];

    /// <summary>Replaces a key's content: EDQUOT, ENOMEM.</summary>
    public Errno Update(Key key, byte[] content)
    {
        (int count, int bytes) = Usage(key.User);
        if (bytes - key.Content.Length + content.Length > LimitsOf(key.User).Bytes)
            return Errno.EDQUOT;
        if (!world.Accountant.TryCharge((ulong)content.Length))
            return Errno.ENOMEM;
        world.Accountant.Release((ulong)key.Content.Length);
        key.Charged += (ulong)content.Length - (ulong)key.Content.Length;
        _usage[key.User] = (count, bytes - key.Content.Length + content.Length);
        key.Content = content;
        key.Expiry = null;
        return Errno.None;
    }

    /// <summary>A key goes to another user.</summary>
    public void Move(Key key, uint user)
    {
        Count(key.User, -1, -key.Size);
        key.User = user;
        Count(user, 1, key.Size);
    }

    /// <summary>Takes an invalid key out of all keyrings.</summary>
    internal void Collect(Key key)
    {
        foreach (Key other in _keys.Values.ToArray())
        {
            if (other is Keyring ring)
                ring.Unlink(key);
        }
    }

    internal void Remove(Key key)
    {
        if (!_keys.Remove(key.Serial))
            return;
        Count(key.User, -1, -key.Size);
        world.Accountant.Release(key.Charged);
    }

    private Key Add(KeyType type, byte[] description, uint user, uint group, uint rights, byte[]? content = null)
    {
        int serial;
        do
            serial = (int)(world.Random.Next() & int.MaxValue);
        while (serial < 3 || _keys.ContainsKey(serial));
        Key key = type == KeyType.Keyring ? new Keyring(this, serial, description) : new Key(this, serial, type, description);
        (key.User, key.Group, key.Rights, key.Content) = (user, group, rights, content ?? []);
        _keys.Add(serial, key);
        Count(user, 1, key.Size);
        return key;
    }

    private void Count(uint user, int keys, int bytes)
    {
        (int count, int sum) = Usage(user);
        _usage[user] = (count + keys, sum + bytes);
    }
}
