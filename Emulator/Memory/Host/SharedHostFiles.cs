namespace Vivarium.Emulator.Memory.Host;

/// <summary>
/// Files of the host that were mapped lately and that no guest can write: programs and their libraries, which the next process wants
/// again, in whichever world. Thread-safe.
/// </summary>
public static class SharedHostFiles
{
    private const int Most = 64;

    private static readonly Lock Gate = new();

    /// <summary>Those used last at the end.</summary>
    private static readonly List<HostFile> Files = [];

    /// <summary>The open file that a look-up just now told of, for the caller to dispose of; null when there is none.</summary>
    public static HostFile? Find(HostFileIdentity identity)
    {
        lock (Gate)
        {
            for (int i = Files.Count - 1; i >= 0; i--)
            {
                HostFile file = Files[i];
                if (!file.Identity.Equals(identity))
                    continue;
                Files.RemoveAt(i);
                Files.Add(file);
                return file.Share();
            }
            return null;
        }
    }

    /// <summary>Keeps a file open.</summary>
    public static void Keep(HostFile file)
    {
        HostFile? oldest = null;
        lock (Gate)
        {
            if (Files.Contains(file))
                return;
            if (Files.Count == Most)
            {
                oldest = Files[0];
                Files.RemoveAt(0);
            }
            Files.Add(file.Share());
        }
        oldest?.Dispose();
    }
}
