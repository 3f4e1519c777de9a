using System.Globalization;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/PID/timens_offsets (time_namespaces(7)).</summary>
internal static class TimeOffsets
{
    private const long Second = 1_000_000_000;

    /// <summary>Clocks stay below half of what nanoseconds in 64 bits can say (KTIME_SEC_MAX / 2).</summary>
    private const long MostSeconds = long.MaxValue / Second / 2;

    internal static string Text(TimeSpace space) => Line("monotonic", space.MonotonicOffset) + Line("boottime", space.BootOffset);

    private static string Line(string clock, long offset)
    {
        long seconds = Math.DivRem(offset, Second, out long rest);
        if (rest < 0)
            (seconds, rest) = (seconds - 1, rest + Second);
        return string.Create(CultureInfo.InvariantCulture, $"{clock,-10} {seconds,10} {rest,9}\n");
    }

    /// <summary>Takes lines "clock seconds nanoseconds", all or none. EPERM without CAP_SYS_TIME, EACCES once a process is inside, ERANGE for a clock that would be negative or too far.</summary>
    internal static Errno Set(TimeSpace space, string text, IClock clock, GuestThread writer)
    {
        if (!writer.Credentials.Has(Capability.Time) || !writer.Namespaces.Rules(space.Owner))
            return Errno.EPERM;
        (long monotonic, long boot) = (space.MonotonicOffset, space.BootOffset);
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length is 0 or > 2)
            return Errno.EINVAL;
        var offsets = new List<(bool IsBoot, long Seconds, long Nanoseconds)>();
        foreach (string line in lines)
        {
            string[] words = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            bool isBoot = words.Length == 3 && words[0] is "boottime" or "7";
            if (words.Length != 3 || !(isBoot || words[0] is "monotonic" or "1") || !TryParse(words[1], out long seconds) || !TryParse(words[2], out long rest) || rest is < 0 or >= Second)
                return Errno.EINVAL;
            offsets.Add((isBoot, seconds, rest));
        }
        foreach ((bool isBoot, long seconds, long rest) in offsets)
        {
            if (seconds is > MostSeconds or < -MostSeconds)
                return Errno.ERANGE;
            long offset = (seconds * Second) + rest;
            if (clock.Monotonic + offset is < 0 or > MostSeconds * Second)
                return Errno.ERANGE;
            (monotonic, boot) = isBoot ? (monotonic, offset) : (offset, boot);
        }
        if (space.IsFrozen)
            return Errno.EACCES;
        (space.MonotonicOffset, space.BootOffset) = (monotonic, boot);
        return Errno.None;
    }

    private static bool TryParse(string word, out long value) => long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value);
}
