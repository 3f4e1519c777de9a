using System.Globalization;
using System.Net;
using Vivarium.Messages;
using Vivarium.Nodes.Commands;

namespace Vivarium.Nodes.Hosting;

/// <summary>The values that settings can have. Null: there is no such setting.</summary>
internal sealed partial record NodeSettings
{
    private bool? SetNode(string name, string value)
    {
        switch (name)
        {
            case "node.name":
                Name = value;
                return IsName(value);
            case "node.workers":
                bool isCount = TryNumber(value, 0, 1024, out long workers);
                Workers = isCount && workers > 0 ? (int)workers : Workers;
                return isCount;
            case "node.quantum":
                bool isQuantum = TryNumber(value, 1000, 1L << 40, out long quantum);
                Quantum = quantum;
                return isQuantum;
            case "node.capacity":
                bool isCapacity = TryNumber(value, 0, 1_000_000, out long capacity);
                Capacity = (int)capacity;
                return isCapacity;
            case "node.labels":
                Labels = value;
                return value.Length == 0 || TryLabels(value, out _);
            case "node.data":
                Data = value;
                return true;
            case "node.native":
                AllowsNative = value == "true";
                return value is "true" or "false";
            default:
                return null;
        }
    }

    private bool? SetApi(string name, string value)
    {
        switch (name)
        {
            case "api.listen":
                Listen = value;
                return TryEndPoint(value, out _);
            case "api.address":
                ApiAddress = value;
                return value.Length == 0 || IsAddress(value);
            case "api.certificate":
                Certificate = value;
                return true;
            case "api.key":
                Key = value;
                return true;
            case "api.token-file":
                TokenFile = value;
                return true;
            case "api.max-body":
                bool isBody = Quantity.TryParseSize(value, out ulong body) && body is >= 1024 and <= 1UL << 31;
                MaxBody = body;
                return isBody;
            case "api.max-image":
                bool isImage = Quantity.TryParseSize(value, out ulong image) && image >= 1024;
                MaxImage = image;
                return isImage;
            case "api.max-count":
                bool isCount = TryNumber(value, 1, 1_000_000, out long count);
                MaxCount = (int)count;
                return isCount;
            case "api.rate":
                bool isRate = TryNumber(value, 1, 1_000_000, out long rate);
                Rate = (int)rate;
                return isRate;
            default:
                return null;
        }
    }

    private bool? SetCluster(string name, string value)
    {
        switch (name)
        {
            case "cluster.name":
                ClusterName = value;
                return value.Length > 0;
            case "cluster.shards":
                bool isCount = TryNumber(value, 1, 65536, out long shards);
                Shards = (int)shards;
                return isCount;
            case "cluster.store":
                Store = value;
                return value is "memory" or "sqlite" || value.StartsWith("sqlite:", StringComparison.Ordinal) && value.Length > "sqlite:".Length
                    || value.StartsWith("postgres://", StringComparison.Ordinal) || value.StartsWith("postgresql://", StringComparison.Ordinal);
            case "cluster.lease":
                bool isLease = TryTime(value, out TimeSpan lease);
                Lease = lease;
                return isLease;
            case "cluster.keep-for":
                bool isAge = Quantity.TryParseTime(value, out TimeSpan age);
                KeepFor = age;
                return isAge;
            case "cluster.keep-jobs":
                bool isMost = TryNumber(value, 0, long.MaxValue, out long most);
                KeepJobs = most;
                return isMost;
            case "peer.listen":
                PeerListen = value;
                return value.Length == 0 || TryEndPoint(value, out _);
            case "peer.address":
                PeerAddress = value;
                return value.Length == 0 || IsAddress(value);
            case "peer.certificate":
                PeerCertificate = value;
                return true;
            case "peer.key":
                PeerKey = value;
                return true;
            case "peer.authority":
                PeerAuthority = value;
                return true;
            default:
                return null;
        }
    }

    private bool? SetJobs(string name, string value)
    {
        switch (name)
        {
            case "jobs.memory":
                bool isMemory = Quantity.TryParseSize(value, out ulong memory) && memory > 0;
                Memory = memory;
                return isMemory;
            case "jobs.output":
                bool isOutput = Quantity.TryParseSize(value, out ulong output);
                Output = output;
                return isOutput;
            case "jobs.host-files":
                HostFiles? files = value switch { "none" => HostFiles.None, "read" => HostFiles.Read, "write" => HostFiles.Write, _ => null };
                HostFiles = files ?? HostFiles;
                return files is not null;
            case "jobs.network":
                NetworkReach? reach = value switch { "none" => NetworkReach.None, "virtual" => NetworkReach.Virtual, "host" => NetworkReach.Host, _ => null };
                Network = reach ?? Network;
                return reach is not null;
            default:
                return null;
        }
    }

    /// <summary>What a setting's value has to be, for its message.</summary>
    private static string Expected(string name) => name switch
    {
        "node.name" => "1 to 63 letters, digits, '-', '_' or '.'",
        "node.workers" => "a number from 0 to 1024",
        "node.quantum" => "a number of instructions from 1000",
        "node.capacity" => "a number from 0 to 1000000",
        "node.labels" => "NAME=VALUE,…",
        "node.native" => "true or false",
        "api.listen" or "peer.listen" => "ADDRESS:PORT, as in 127.0.0.1:7420 or [::1]:7420",
        "api.address" or "peer.address" => "http(s)://HOST:PORT",
        "api.max-body" => "a size from 1K to 2G",
        "api.max-image" => "a size from 1K, such as 8G",
        "api.max-count" or "api.rate" => "a number from 1 to 1000000",
        "cluster.shards" => "a number from 1 to 65536",
        "cluster.store" => "memory, sqlite, sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE",
        "cluster.lease" => "a time such as 5s or 500ms, of 100ms at least",
        "cluster.keep-for" => "a time such as 12h or 30d, or 0",
        "cluster.keep-jobs" => "a number, or 0",
        "jobs.host-files" => "none, read or write",
        "jobs.network" => "none, virtual or host",
        _ => "a size such as 512M or 4G",
    };

    /// <summary>What is wrong with settings together: one line, or null.</summary>
    public string? FindConflict()
    {
        if ((Certificate.Length > 0) != (Key.Length > 0))
            return "api.certificate and api.key go together";
        TryEndPoint(Listen, out IPEndPoint? listen);
        if (TokenFile.Length == 0 && !IPAddress.IsLoopback(listen!.Address))
            return $"api.listen is {Listen}, which others reach: that needs api.token-file";
        bool hasPeers = PeerListen.Length > 0;
        if (hasPeers != (PeerCertificate.Length > 0) || hasPeers != (PeerKey.Length > 0) || hasPeers != (PeerAuthority.Length > 0))
            return "peer.listen, peer.certificate, peer.key and peer.authority go together";
        return null;
    }

    /// <summary>Labels as NAME=VALUE,….</summary>
    public static bool TryLabels(string text, out Dictionary<string, string> labels)
    {
        labels = new(StringComparer.Ordinal);
        foreach (string label in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = label.IndexOf('=');
            if (equals <= 0 || !labels.TryAdd(label[..equals].Trim(), label[(equals + 1)..].Trim()))
                return false;
        }
        return true;
    }

    /// <summary>An address of numbers, or "localhost", and a port.</summary>
    public static bool TryEndPoint(string text, out IPEndPoint? endPoint)
    {
        int colon = text.LastIndexOf(':');
        endPoint = null;
        if (colon <= 0 || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) || port > 65535)
            return false;
        string host = text[..colon].Trim('[', ']');
        IPAddress? address = host switch { "localhost" => IPAddress.Loopback, "*" => IPAddress.IPv6Any, _ => null };
        if (address is null && !IPAddress.TryParse(host, out address))
            return false;
        endPoint = new IPEndPoint(address, port);
        return true;
    }

    private static bool IsAddress(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && (address.Scheme is "http" or "https");

    private static bool IsName(string text)
    {
        foreach (char letter in text)
        {
            if (!char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_' or '.'))
                return false;
        }
        return text.Length is >= 1 and <= 63;
    }

    private static bool TryNumber(string text, long least, long most, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= least && number <= most;

    private static bool TryTime(string text, out TimeSpan time) => Quantity.TryParseTime(text, out time) && time >= TimeSpan.FromMilliseconds(100);
}
