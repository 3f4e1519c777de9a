namespace Vivarium.Emulator.Memory.Host;

/// <summary>Positioned whole reads and writes of a host descriptor.</summary>
internal static unsafe class PositionedIo
{
    public static int ReadFully(int file, long offset, Span<byte> destination)
    {
        int done = 0;
        fixed (byte* start = destination)
        {
            while (done < destination.Length)
            {
                nint got = LibC.Read(file, start + done, (nuint)(destination.Length - done), offset + done);
                if (got <= 0)
                    break;
                done += (int)got;
            }
        }
        return done;
    }

    public static bool WriteFully(int file, long offset, ReadOnlySpan<byte> source)
    {
        int done = 0;
        fixed (byte* start = source)
        {
            while (done < source.Length)
            {
                nint put = LibC.Write(file, start + done, (nuint)(source.Length - done), offset + done);
                if (put <= 0)
                    return false;
                done += (int)put;
            }
        }
        return true;
    }

    public static long Length(int file)
    {
        const int fromEnd = 2;
        return Math.Max(0, LibC.Seek(file, 0, fromEnd));
    }
}
