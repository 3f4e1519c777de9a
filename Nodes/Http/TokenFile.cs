using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Vivarium.Nodes.Http;

/// <summary>What a caller may do; each includes those before it.</summary>
internal enum Access
{
    /// <summary>Nothing is asked for: probes.</summary>
    None,
    Read,
    Submit,
    Admin,
}

/// <summary>One who may call.</summary>
/// <param name="Name">Tells callers apart; not a secret.</param>
internal sealed record Caller(string Name, Access Access, DateTimeOffset? Expires);

/// <summary>
/// The bearer tokens that a node takes, from a file (cluster.hocon says how it is written). Read again when it has changed, so that
/// tokens are replaced without a restart; a file that became wrong leaves the last good one in force and is reported.
/// </summary>
internal sealed class TokenFile
{
    /// <summary>Its group may read it: so does a container get its secrets.</summary>
    private const UnixFileMode Others = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly Action<string> _report;
    private Dictionary<string, Caller> _callers;
    private DateTime _readAt;

    private TokenFile(string path, Dictionary<string, Caller> callers, DateTime readAt, Action<string> report) =>
        (_path, _callers, _readAt, _report) = (path, callers, readAt, report);

    /// <summary>Reads the file; null when it is wrong, and why, with the line.</summary>
    /// <param name="report">Is told when a changed file is wrong.</param>
    public static TokenFile? Open(string path, Action<string> report, out string? error)
    {
        DateTime changed = File.GetLastWriteTimeUtc(path);
        return Read(path, out error) is { } callers ? new TokenFile(path, callers, changed, report) : null;
    }

    /// <summary>The caller that a token names, expired or not; null when nobody.</summary>
    public Caller? Find(string token)
    {
        Refresh();
        return Volatile.Read(ref _callers).GetValueOrDefault(Hash(token));
    }

    private void Refresh()
    {
        lock (_lock)
        {
            DateTime changed = File.GetLastWriteTimeUtc(_path);
            if (changed == _readAt)
                return;
            _readAt = changed;
            if (Read(_path, out string? error) is { } callers)
                Volatile.Write(ref _callers, callers);
            else
                _report($"{error}; the tokens read before stay in force");
        }
    }

    private static Dictionary<string, Caller>? Read(string path, out string? error)
    {
        try
        {
            if ((File.GetUnixFileMode(path) & Others) != 0)
            {
                error = $"{path}: others than its owner and group may read it, or others than its owner write it; chmod 600 it";
                return null;
            }
            return Parse(File.ReadAllLines(path), path, out error);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            error = $"{path}: {failure.Message}";
            return null;
        }
    }

    /// <summary>Reads lines of "ACCESS TOKEN [EXPIRY] [# note]".</summary>
    public static Dictionary<string, Caller>? Parse(IReadOnlyList<string> lines, string path, out string? error)
    {
        const int shortestToken = 16;
        Dictionary<string, Caller> callers = new(StringComparer.Ordinal);
        error = null;
        for (int i = 0; i < lines.Count && error is null; i++)
        {
            string line = lines[i].Split(" #", 2)[0].Trim();
            if (line.Length == 0 || line[0] == '#')
                continue;
            string[] words = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            DateTimeOffset expires = default;
            if (words.Length is < 2 or > 3 || AccessOf(words[0]) is not { } access)
                error = "must be ACCESS TOKEN [EXPIRY], ACCESS being read, submit or admin";
            else if (words.Length == 3 && !DateTimeOffset.TryParse(words[2], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out expires))
                error = $"not a date and time such as 2030-01-31T12:00:00Z: {words[2]}";
            else if (HashOf(words[1]) is not { } hash)
                error = $"a token must have {shortestToken} letters, or be sha256: and 64 hexadecimal digits";
            else if (!callers.TryAdd(hash, new Caller($"token {hash[..8]}", access, words.Length == 3 ? expires : null)))
                error = "the same token was there before";
            error = error is null ? null : $"{path}:{i + 1}: {error}";
        }
        return error is null ? callers : null;

        static string? HashOf(string word)
        {
            if (!word.StartsWith("sha256:", StringComparison.Ordinal))
                return word.Length < shortestToken ? null : Hash(word);
            string hash = word["sha256:".Length..].ToLowerInvariant();
            return hash.Length == 64 && hash.All(char.IsAsciiHexDigit) ? hash : null;
        }
    }

    private static Access? AccessOf(string word) => word switch
    {
        "read" => Access.Read,
        "submit" => Access.Submit,
        "admin" => Access.Admin,
        _ => null,
    };

    /// <summary>Tokens are looked up by their hash: how long that takes tells nothing of them.</summary>
    public static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
