using System.Globalization;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>Moves a range that the host keeps as several mappings, which mremap(2) refuses to move at once.</summary>
internal static class HostVmas
{
    /// <summary>Moves piece by piece; the last grows so that the whole has the new length.</summary>
    public static bool MovePieces(nint from, ulong length, nint to, ulong newLength)
    {
        ulong start = (ulong)from, end = start + length;
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            int dash = line.IndexOf('-'), blank = line.IndexOf(' ');
            ulong first = ulong.Parse(line.AsSpan(0, dash), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            ulong last = ulong.Parse(line.AsSpan(dash + 1, blank - dash - 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            first = Math.Max(first, start);
            last = Math.Min(last, end);
            if (first >= last)
                continue;
            ulong grown = last == end ? newLength - (first - start) : last - first;
            if (!HostMemory.Move((nint)first, last - first, to + (nint)(first - start), grown))
                return false;
        }
        return true;
    }
}
