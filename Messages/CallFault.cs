using System.Globalization;

namespace Vivarium.Messages;

/// <summary>
/// A fault that a job's calls meet on purpose, for tests of what a program does then. Written <c>CALL[@N|%P]=TIME|ERROR</c>:
/// <c>fsync@57=50ms</c> makes the 57th fsync take 50 ms longer, <c>write%2=ENOSPC</c> lets two in a hundred writes fail.
/// </summary>
/// <param name="Call">The call's name.</param>
/// <param name="Nth">Which of the job's calls of that name, from 1; 0 = any.</param>
/// <param name="Percent">How many in a hundred, by the job's seed; 100 = all.</param>
/// <param name="Delay">How much longer the call takes.</param>
/// <param name="Error">The name of the error it fails with; null = it is done.</param>
public sealed record CallFault(string Call, long Nth, double Percent, TimeSpan Delay, string? Error)
{
    /// <summary>Takes the written form apart; null, and what is wrong with it.</summary>
    public static CallFault? Parse(string text, out string? error)
    {
        error = $"not CALL[@N|%P]=TIME|ERROR, such as fsync@57=50ms or write%2=ENOSPC: {text}";
        int equals = text.IndexOf('=');
        if (equals <= 0)
            return null;
        (string call, string effect) = (text[..equals], text[(equals + 1)..]);
        (long nth, double percent) = (0, 100);
        int mark = call.IndexOfAny(['@', '%']);
        if (mark == 0 || (mark > 0 && !TryWhich(call[mark..], out nth, out percent)))
            return null;
        TimeSpan delay = default;
        bool isError = effect.StartsWith('E') && effect.Length > 1 && effect.All(static letter => char.IsAsciiLetterUpper(letter) || char.IsAsciiDigit(letter));
        if (!isError && !TryTime(effect, out delay))
            return null;
        error = null;
        return new CallFault(mark < 0 ? call : call[..mark], nth, percent, delay, isError ? effect : null);
    }

    /// <summary>The written form.</summary>
    public override string ToString()
    {
        string which = Nth != 0 ? $"@{Nth}" : Percent < 100 ? string.Create(CultureInfo.InvariantCulture, $"%{Percent}") : "";
        return Call + which + "=" + (Error ?? string.Create(CultureInfo.InvariantCulture, $"{(decimal)Delay.Ticks / TimeSpan.TicksPerMillisecond}ms"));
    }

    private static bool TryWhich(string text, out long nth, out double percent)
    {
        (nth, percent) = (0, 100);
        return text[0] == '@'
            ? long.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out nth) && nth > 0
            : double.TryParse(text.AsSpan(1), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out percent) && percent is > 0 and <= 100;
    }

    private static bool TryTime(string text, out TimeSpan time)
    {
        const double longest = 86_400e6;
        (string digits, double microseconds) = text switch
        {
            [.. var number, 'u', 's'] => (number, 1),
            [.. var number, 'm', 's'] => (number, 1e3),
            [.. var number, 's'] => (number, 1e6),
            _ => ("", 0),
        };
        bool isTime = double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value * microseconds is > 0 and <= longest;
        time = isTime ? TimeSpan.FromMicroseconds(value * microseconds) : default;
        return isTime;
    }
}
