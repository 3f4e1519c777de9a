using Vivarium.Nodes.Commands;

namespace Vivarium.Nodes.Client;

/// <summary>What every command that talks to a node takes: which node, with which token, and how to say what came.</summary>
internal sealed class ClientOptions
{
    public const string DefaultNode = "http://127.0.0.1:7420";

    private const string Group = "Node";
    private string? _node;
    private string? _token;

    public bool Json { get; private set; }

    public bool Help { get; private set; }

    /// <summary>The options, for a command's table.</summary>
    public IEnumerable<Option> Options =>
    [
        new(Group, "--node", OptionForm.Value, "URL", $"The node to ask. Default: $VIVARIUM_NODE, or {DefaultNode}.", SetNode),
        new(Group, "--token", OptionForm.Value, "TOKEN", "Who you are. Default: $VIVARIUM_TOKEN.", value => Set(() => _token = value)),
        new(Group, "--json", OptionForm.Flag, "", "Write JSON, for scripts.", _ => Set(() => Json = true)),
        new(Group, "--help", OptionForm.Flag, "", "Show this.", _ => Set(() => Help = true)),
    ];

    public bool NamesNode => Address is not null;

    private string? Address => _node ?? (Environment.GetEnvironmentVariable("VIVARIUM_NODE") is { Length: > 0 } named ? named : null);

    /// <summary>The node's API.</summary>
    /// <exception cref="ClientException">The node's address is none.</exception>
    public ApiClient Connect()
    {
        string address = Address ?? DefaultNode;
        if (Check(address) is { } wrong)
            throw new ClientException($"VIVARIUM_NODE: {wrong}");
        string? token = _token ?? Environment.GetEnvironmentVariable("VIVARIUM_TOKEN");
        return new ApiClient(new Uri(address), string.IsNullOrEmpty(token) ? null : token);
    }

    public static string? Set(Action set)
    {
        set();
        return null;
    }

    private string? SetNode(string text)
    {
        _node = text;
        return Check(text);
    }

    private static string? Check(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && (address.Scheme is "http" or "https") ? null : $"not an address such as {DefaultNode}: {text}";
}
