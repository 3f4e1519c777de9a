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

    private static readonly Known Nothing = new(CallCapture.None);

    private Known?[] _known = new Known?[FirstNumbers];

    /// <summary>Null when nothing is kept.</summary>
    internal Known? this[int number]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Known?[] all = _known;
            Known known = ((uint)number < (uint)all.Length ? all[number] : null) ?? Learn(number);
            return ReferenceEquals(known, Nothing) ? null : known;
        }
    }

    private Known Learn(int number)
    {
        if ((uint)number >= Numbers)
            return Nothing;
        CallCapture capture = captureOf(number);
        Known?[] all = _known;
        if (number >= all.Length)
            Array.Resize(ref all, Math.Min(Numbers, Math.Max(number + 1, 2 * all.Length)));
        Known known = capture.IsNone ? Nothing : new Known(capture);
        Volatile.Write(ref all[number], known);
        Volatile.Write(ref _known, all);
        return known;
    }

    /// <summary>One word, so that it is read and written whole.</summary>
    internal sealed class Known(CallCapture capture)
    {
        public readonly CallCapture Capture = capture;
    }
}
