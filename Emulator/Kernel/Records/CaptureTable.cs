using System.Runtime.CompilerServices;

namespace Vivarium.Emulator.Kernel.Records;

/// <summary>
/// What to keep of the calls of each number, asked once for each and shared by worlds. Thread-safe: what two find out at a time is the same.
/// </summary>
public sealed class CaptureTable(Func<int, CallCapture> captureOf)
{
    /// <summary>Numbers past it keep nothing.</summary>
    private const int Numbers = 8192;
    private const int FirstNumbers = 512;

    private CallCapture[] _captures = new CallCapture[FirstNumbers];

    /// <summary>What is known of each number: it keeps something or nothing, or nobody asked yet.</summary>
    private volatile byte[] _known = new byte[FirstNumbers];

    private readonly Lock _lock = new();

    private const byte Something = 1, Nothing = 2;

    /// <summary>True when it is known that calls of a number keep nothing, which is asked twice at each call.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool KeepNothing(int number)
    {
        byte[] known = _known;
        return (uint)number < (uint)known.Length && known[number] == Nothing;
    }

    internal CallCapture this[int number]
    {
        get
        {
            byte[] known = _known;
            if ((uint)number >= (uint)known.Length || known[number] == 0)
                return Learn(number);
            return known[number] == Nothing ? CallCapture.None : _captures[number];
        }
    }

    private CallCapture Learn(int number)
    {
        if ((uint)number >= Numbers)
            return CallCapture.None;
        CallCapture capture = captureOf(number);
        lock (_lock)
        {
            if (number >= _known.Length)
                Grow(Math.Min(Numbers, Math.Max(number + 1, 2 * _known.Length)));
            _captures[number] = capture;
            // Behind the capture itself: who reads without the lock finds that, then.
            Volatile.Write(ref _known[number], capture.IsNone ? Nothing : Something);
        }
        return capture;
    }

    private void Grow(int length)
    {
        Array.Resize(ref _captures, length);
        byte[] known = _known;
        Array.Resize(ref known, length);
        _known = known;
    }
}
