using System.Text.Json;
using Vivarium.Messages;
using Vivarium.Nodes.Commands;

namespace Vivarium.Nodes.Hosting;

/// <summary>A node's settings; <c>cluster.hocon</c> explains each.</summary>
internal sealed record NodeSettings
{
    public const string FileName = "cluster.hocon";

    public string Name { get; private set; } = "local";

    /// <summary>Host threads that run worlds.</summary>
    public int Workers { get; set; } = Environment.ProcessorCount;

    /// <summary>Guest instructions a world runs before the next one's turn.</summary>
    public long Quantum { get; private set; } = 4_000_000;

    /// <summary>Shards of the cluster.</summary>
    public int Shards { get; private set; } = 64;

    /// <summary>Memory of a job that asks for none, bytes.</summary>
    public ulong Memory { get; private set; } = JobLimits.DefaultMemory;

    /// <summary>The settings in force: those of the file nearest above <paramref name="folder"/>, or the defaults. Null when the file is wrong.</summary>
    public static NodeSettings? Load(string folder, out string? error)
    {
        error = null;
        for (DirectoryInfo? place = new(folder); place is not null; place = place.Parent)
        {
            string file = Path.Combine(place.FullName, FileName);
            if (File.Exists(file))
                return Parse(File.ReadAllBytes(file), file, out error);
        }
        return new NodeSettings();
    }

    /// <summary>Reads settings from text; <paramref name="file"/> is for messages.</summary>
    public static NodeSettings? Parse(ReadOnlySpan<byte> text, string file, out string? error)
    {
        var settings = new NodeSettings();
        var reader = new Utf8JsonReader(text, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        string section = "", name = "";
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.CurrentDepth == 1)
                    section = reader.GetString()!;
                else if (reader.TokenType == JsonTokenType.PropertyName)
                    name = section + "." + reader.GetString();
                else if (reader.TokenType is JsonTokenType.String or JsonTokenType.Number && !settings.Set(name, ref reader))
                    throw new JsonException($"no such setting or not a value it can have: {name}");
            }
        }
        catch (JsonException wrong)
        {
            error = $"{file}: {wrong.Message}";
            return null;
        }
        error = null;
        return settings;
    }

    private bool Set(string name, ref Utf8JsonReader reader)
    {
        bool isNumber = reader.TokenType == JsonTokenType.Number;
        long number = isNumber && reader.TryGetInt64(out long value) ? value : -1;
        string text = isNumber ? "" : reader.GetString()!;
        switch (name)
        {
            case "node.name" when text.Length > 0:
                Name = text;
                return true;
            case "node.workers" when number is >= 0 and <= 1024:
                Workers = number == 0 ? Workers : (int)number;
                return true;
            case "node.quantum" when number is >= 1000 and <= 1L << 40:
                Quantum = number;
                return true;
            case "cluster.shards" when number is >= 1 and <= 65536:
                Shards = (int)number;
                return true;
            case "jobs.memory" when Quantity.TryParseSize(text, out ulong bytes) && bytes > 0:
                Memory = bytes;
                return true;
            default:
                return false;
        }
    }
}
