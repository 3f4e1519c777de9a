using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// This process's arguments and environment as the bytes the host's kernel holds. The runtime decodes them as UTF-8, which
/// loses what is not.
/// </summary>
internal static class RawArguments
{
    /// <summary>The last <paramref name="count"/> words of the command line.</summary>
    public static IReadOnlyList<byte[]> Last(int count)
    {
        List<byte[]> words = Split(Read("/proc/self/cmdline"));
        return words.GetRange(words.Count - count, count);
    }

    /// <summary>The environment this process was started with, in its order.</summary>
    public static List<byte[]> Environment() => Split(Read("/proc/self/environ"));

    private static byte[] Read(string path) => HostDescriptors.TryReadAll(path) ?? throw new IOException($"cannot read {path}");

    /// <summary>Each word ends with a NUL (proc(5)).</summary>
    private static List<byte[]> Split(ReadOnlySpan<byte> text)
    {
        List<byte[]> words = [];
        while (text.IndexOf((byte)0) is >= 0 and var end)
        {
            words.Add(text[..end].ToArray());
            text = text[(end + 1)..];
        }
        return words;
    }
}
