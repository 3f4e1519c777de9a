using System.Globalization;
using System.Text;

namespace Vivarium.Emulator.Kernel.Keys;

/// <summary>/proc/keys and /proc/key-users.</summary>
public static class KeyText
{
    /// <summary>The keys that a thread may view (proc_keys(5)).</summary>
    public static byte[] Keys(CallContext call)
    {
        var text = new StringBuilder();
        foreach (Key key in call.World.Keys.All)
        {
            bool isOwn = key.Allows(call.Thread.Credentials, isPossessed: false, KeyRight.View) || key.Allows(call.Thread.Credentials, KeySearch.Possesses(call, key), KeyRight.View);
            if (isOwn)
                Append(text, call.World, key);
        }
        return Encoding.Latin1.GetBytes(text.ToString());
    }

    public static byte[] Users(CallContext call)
    {
        var text = new StringBuilder();
        KeyTable table = call.World.Keys;
        foreach (uint user in table.All.Select(static key => key.User).Distinct().Order())
        {
            (int count, int bytes) = table.Usage(user);
            (int mostKeys, int mostBytes) = table.LimitsOf(user);
            text.Append(CultureInfo.InvariantCulture, $"{user,5}: {count,5} {count}/{count} {count}/{mostKeys} {bytes}/{mostBytes}\n");
        }
        return Encoding.Latin1.GetBytes(text.ToString());
    }

    private static void Append(StringBuilder text, World world, Key key)
    {
        string flags = $"I{(key.IsRevoked ? 'R' : '-')}-Q--{(key.IsInvalid ? 'i' : '-')}";
        text.Append(CultureInfo.InvariantCulture, $"{key.Serial:x8} {flags} {key.Holders,5} {Left(world, key),4} {key.Rights:x8} {key.User,5} {key.Group,5} {key.Type.Name,-9} ");
        text.Append(Encoding.Latin1.GetString(key.Description));
        text.Append(key switch
        {
            Keyring { Keys.Count: 0 } => ": empty",
            Keyring ring => string.Create(CultureInfo.InvariantCulture, $": {ring.Keys.Count}"),
            _ => string.Create(CultureInfo.InvariantCulture, $": {key.Content.Length}"),
        });
        text.Append('\n');
    }

    /// <summary>The time that a key is good for, in its largest unit.</summary>
    private static string Left(World world, Key key)
    {
        if (key.Expiry is not { } expiry)
            return "perm";
        long seconds = (expiry - world.Clock.Realtime) / 1_000_000_000;
        if (expiry <= world.Clock.Realtime)
            return "expd";
        (long unit, char letter) = seconds switch
        {
            < 60 => (1, 's'),
            < 3600 => (60, 'm'),
            < 86_400 => (3600, 'h'),
            < 604_800 => (86_400, 'd'),
            _ => (604_800, 'w'),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{seconds / unit}{letter}");
    }
}
