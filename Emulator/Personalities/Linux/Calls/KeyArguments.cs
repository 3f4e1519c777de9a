using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Keys;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>A key as a caller came to it: through its own keyrings it has its possessor's rights.</summary>
internal readonly record struct FoundKey(Key Key, bool IsPossessed);

/// <summary>What the calls on keys share: special keyrings, look-ups by number and by name with their checks (keyrings(7)).</summary>
internal static class KeyArguments
{
    public const int Own = -1, OfProcess = -2, OfSession = -3, OfUser = -4, OfUserSession = -5, OfGroup = -6, OfRequest = -7, OfRequestor = -8;

    /// <summary>Rights of keyrings that the kernel makes.</summary>
    public const uint RingRights = 0x3F010000, SessionRights = 0x3F030000, NamedSessionRights = 0x3F130000;

    private const int LongestType = 31, LongestDescription = 4095;

    public static ThreadKeys Keys(this CallContext call) => call.Thread.Keys ??= new ThreadKeys();

    /// <summary>EFAULT; EINVAL for an empty or long one; EPERM for the kernel's own.</summary>
    public static Errno ReadKeyType(this CallContext call, GuestAddress address, out string type)
    {
        type = "";
        byte[]? text = call.Memory.ReadCString(address, LongestType + 1, out bool tooLong);
        if (text is null && !tooLong)
            return Errno.EFAULT;
        if (text is null || text.Length is 0 or > LongestType)
            return Errno.EINVAL;
        type = Encoding.Latin1.GetString(text);
        return text[0] == '.' ? Errno.EPERM : Errno.None;
    }

    public static Errno ReadDescription(this CallContext call, GuestAddress address, out byte[] description)
    {
        byte[]? text = call.Memory.ReadCString(address, LongestDescription + 1, out bool tooLong);
        description = text ?? [];
        return tooLong ? Errno.EINVAL : text is null ? Errno.EFAULT : Errno.None;
    }

    /// <summary>Finds a key by its number, or a special keyring, which <paramref name="creates"/> makes; null as the right asked for skips all checks.</summary>
    public static Errno FindKey(this CallContext call, int serial, bool creates, KeyRight? wanted, out FoundKey found)
    {
        Errno error = serial < 0 ? FindSpecial(call, serial, creates, out found) : FindSerial(call, serial, out found);
        if (error != Errno.None || wanted is not { } rights)
            return error;
        // Looking at one that is negative is allowed.
        error = found.Key.IsNegative && rights == KeyRight.View ? Errno.None : found.Key.Validate(call.World);
        if (error != Errno.None)
            return error;
        return found.Key.Allows(call.Thread.Credentials, found.IsPossessed, rights) ? Errno.None : Errno.EACCES;
    }

    /// <summary>The same for what must be a keyring (ENOTDIR).</summary>
    public static Errno FindRing(this CallContext call, int serial, bool creates, KeyRight wanted, out Keyring ring, out bool isPossessed)
    {
        ring = null!;
        Errno error = call.FindKey(serial, creates, wanted, out FoundKey found);
        isPossessed = found.IsPossessed;
        if (error != Errno.None)
            return error;
        if (found.Key is not Keyring keyring)
            return Errno.ENOTDIR;
        ring = keyring;
        return Errno.None;
    }

    private static Errno FindSerial(CallContext call, int serial, out FoundKey found)
    {
        found = default;
        if (serial == 0)
            return Errno.EINVAL;
        if (call.World.Keys.Find(serial) is not { } key)
            return Errno.ENOKEY;
        found = new FoundKey(key, KeySearch.Possesses(call, key));
        return Errno.None;
    }

    private static Errno FindSpecial(CallContext call, int serial, bool creates, out FoundKey found)
    {
        found = default;
        Credentials who = call.Thread.Credentials;
        KeyTable table = call.World.Keys;
        ThreadKeys keys = call.Keys();
        Keyring? ring = null;
        switch (serial)
        {
            case Own:
                if (keys.Own is null && creates)
                    keys.Own = table.MakeRing("_tid", who, RingRights);
                ring = keys.Own;
                break;
            case OfProcess:
                if (call.Process.Keyring is null && creates)
                    call.Process.Keyring = table.MakeRing("_pid", who, RingRights);
                ring = call.Process.Keyring;
                break;
            case OfSession:
                Keyring ofUser = table.RingsOf(who.User).Session;
                if (creates && (keys.Session is null || keys.Session == ofUser))
                    keys.Session = table.MakeRing("_ses", who, SessionRights);
                ring = keys.Session ??= ofUser;
                break;
            case OfUser:
                ring = table.RingsOf(who.User).User;
                break;
            case OfUserSession:
                ring = table.RingsOf(who.User).Session;
                break;
            case OfRequest or OfRequestor:
                // Only a program that the kernel asks for a key has them.
                return Errno.ENOKEY;
            default:
                return Errno.EINVAL;
        }
        if (ring is null)
            return Errno.ENOKEY;
        found = new FoundKey(ring, true);
        return Errno.None;
    }
}
