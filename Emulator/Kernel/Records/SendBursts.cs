namespace Vivarium.Emulator.Kernel.Records;

/// <summary>
/// Numbers the calls of a world that send something to others, so that few numbers tell most: the first calls have one each, then one begins
/// after each pause that is longer than any before, and the calls behind it share it. So a reader that waited long in another world was woken
/// by the first call of a burst, and knows the burst by its number.
/// </summary>
internal sealed class SendBursts
{
    /// <summary>Calls that have a number each.</summary>
    public const int Alone = 20;

    /// <summary>Numbers that are given at all.</summary>
    public const int Most = 40;

    /// <summary>The first pause that begins a burst, nanoseconds; each one after it must be twice as long.</summary>
    private const long FirstPause = 1_000_000;

    private int _last;
    private long _pause = FirstPause;
    private long _sentAt;

    /// <summary>A call's number, from 1.</summary>
    /// <param name="now">World time, nanoseconds.</param>
    public int Next(long now)
    {
        long pause = now - _sentAt;
        _sentAt = now;
        if (_last < Alone)
            return ++_last;
        if (pause < _pause || _last == Most)
            return _last;
        _pause *= 2;
        return ++_last;
    }
}
