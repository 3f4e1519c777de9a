namespace Vivarium.Emulator.Kernel.Keys;

/// <summary>Finding keys from the keyrings that a thread has (keyrings(7), "Possession").</summary>
public static class KeySearch
{
    private const int MostNested = 6;

    /// <summary>Where keys are looked for: the thread's, the process's and the session's keyring.</summary>
    public static IEnumerable<Keyring> OwnRings(CallContext call)
    {
        if (call.Thread.Keys?.Own is { } own)
            yield return own;
        if (call.Process.Keyring is { } ofProcess)
            yield return ofProcess;
        yield return call.Thread.Keys?.Session ?? call.World.Keys.RingsOf(call.Thread.Credentials.User).Session;
    }

    /// <summary>True when a key is found from the thread's keyrings: it has the possessor's rights.</summary>
    public static bool Possesses(CallContext call, Key key)
    {
        foreach (Keyring ring in OwnRings(call))
        {
            if (Reaches(call, ring, key, 0))
                return true;
        }
        return false;
    }

    private static bool Reaches(CallContext call, Keyring ring, Key key, int depth)
    {
        if (ring.IsRevoked || !ring.Allows(call.Thread.Credentials, isPossessed: true, KeyRight.Search))
            return false;
        if (ReferenceEquals(ring, key))
            return true;
        // What cannot be searched for is not found.
        foreach (Key inner in ring.Keys)
        {
            if ((ReferenceEquals(inner, key) && key.Allows(call.Thread.Credentials, isPossessed: true, KeyRight.Search)) || (inner is Keyring next && depth < MostNested && Reaches(call, next, key, depth + 1)))
                return true;
        }
        return false;
    }

    /// <summary>Looks for a key by kind and name in a keyring and those in it that may be searched, the nearest first.</summary>
    public static Errno Search(CallContext call, Keyring ring, bool isPossessed, KeyType type, byte[] description, bool skipsExpired, out Key? found, int depth = 0)
    {
        found = null;
        Errno error = ring.Validate(call.World);
        if (error != Errno.None)
            return error;
        error = Errno.ENOKEY;
        if (ring.Find(type, description) is { IsInvalid: false } key)
        {
            error = key.Validate(call.World);
            if (error == Errno.None && !key.Allows(call.Thread.Credentials, isPossessed, KeyRight.Search))
                error = Errno.EACCES;
            if (error == Errno.None)
            {
                found = key;
                return Errno.None;
            }
            if (error == Errno.EKEYEXPIRED && skipsExpired)
                error = Errno.ENOKEY;
        }
        foreach (Key inner in ring.Keys)
        {
            if (inner is not Keyring next || depth >= MostNested || !next.Allows(call.Thread.Credentials, isPossessed, KeyRight.Search))
                continue;
            Errno deeper = Search(call, next, isPossessed, type, description, skipsExpired, out found, depth + 1);
            if (deeper == Errno.None)
                return Errno.None;
            error = error == Errno.ENOKEY ? deeper : error;
        }
        return error;
    }
}
