using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http;
using Vivarium.Nodes.Tests.Http;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Vivarium.Nodes.Tests;

/// <summary>What deploy/ says is what the program knows: settings, ports, probes, metrics, options, files.</summary>
public sealed partial class DeploymentTests
{
    private static readonly string Folder = Path.Combine(Viv.Root, "deploy");

    public static TheoryData<string> Files => [.. new[] { "compose.yaml", "kubernetes/vivarium.yaml", "kubernetes/prometheus.yaml", "viv-node.service", "Dockerfile" }];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_variable_is_a_settings(string file)
    {
        HashSet<string> known = [.. NodeSettings.Names.Select(NodeSettings.VariableOf)];
        foreach (Match variable in VariablePattern().Matches(File.ReadAllText(Path.Combine(Folder, file))))
            Assert.Contains(variable.Value, known);
    }

    [Fact]
    public void Composed_nodes_are_cluster_members_with_settings_that_go_together()
    {
        YamlMappingNode compose = Read("compose.yaml")[0];
        var services = (YamlMappingNode)compose["services"];
        string[] nodes = [.. services.Children.Keys.Select(key => key.ToString()).Where(name => name.StartsWith("node", StringComparison.Ordinal))];
        Assert.Equal(["node1", "node2", "node3"], nodes);
        HashSet<string> published = [];
        foreach (string name in nodes)
        {
            var service = (YamlMappingNode)services[name];
            NodeSettings settings = SettingsOf(Environment(service, compose));
            Assert.Equal(name, settings.Name);
            Assert.StartsWith("postgres://vivarium:", settings.Store);
            Assert.Equal(($"http://{name}:7420", $"https://{name}:7421"), (settings.ApiAddress, settings.PeerAddress));
            Assert.Equal(($"/secrets/{name}.crt", $"/secrets/{name}.key"), (settings.PeerCertificate, settings.PeerKey));
            string[] port = service["ports"][0].ToString().Split(':');
            Assert.Equal(("127.0.0.1", "7420"), (port[0], port[2]));
            Assert.True(published.Add(port[1]));
        }
        // Who waits for the database waits for a service that says when it is ready.
        Assert.NotNull(services["database"]["healthcheck"]["test"]);
        Assert.Contains("GET /readyz", File.ReadAllText(Path.Combine(Folder, "compose.yaml")));
    }

    [Fact]
    public void Manifests_name_the_nodes_ports_probes_and_secrets()
    {
        YamlMappingNode[] documents = Read("kubernetes/vivarium.yaml");
        YamlMappingNode set = documents.Single(document => document["kind"].ToString() == "StatefulSet");
        YamlNode pod = set["spec"]["template"]["spec"], container = pod["containers"][0];
        Dictionary<string, string> environment = ((YamlSequenceNode)container["env"]).ToDictionary(
            variable => variable["name"].ToString(),
            variable => ((YamlMappingNode)variable).Children.TryGetValue("value", out YamlNode? value) ? value.ToString().Replace("$(POD)", "vivarium-0", StringComparison.Ordinal) : "postgres://a:b@c/d");
        environment.Remove("POD");
        NodeSettings settings = SettingsOf(environment);
        Assert.Equal(("vivarium-0", "0.0.0.0:7420", "0.0.0.0:7421"), (settings.Name, settings.Listen, settings.PeerListen));
        Dictionary<string, string> ports = ((YamlSequenceNode)container["ports"]).ToDictionary(port => port["name"].ToString(), port => port["containerPort"].ToString());
        Assert.Equal(("7420", "7421"), (ports["api"], ports["peer"]));
        string[] probes = [.. NodeRoutes.Probes.Select(route => route.Pattern)];
        foreach (string probe in (string[])["startupProbe", "readinessProbe", "livenessProbe"])
        {
            Assert.Contains(container[probe]["httpGet"]["path"].ToString(), probes);
            Assert.Contains(container[probe]["httpGet"]["port"].ToString(), ports.Keys);
        }
        // What is mounted is there, and what the settings name is mounted.
        string[] volumes = [.. ((YamlSequenceNode)pod["volumes"]).Select(volume => volume["name"].ToString()), .. ((YamlSequenceNode)set["spec"]["volumeClaimTemplates"]).Select(claim => claim["metadata"]["name"].ToString())];
        string[] places = [.. ((YamlSequenceNode)container["volumeMounts"]).Select(mount => mount["mountPath"].ToString())];
        Assert.All((YamlSequenceNode)container["volumeMounts"], mount => Assert.Contains(mount["name"].ToString(), volumes));
        Assert.All((string[])[settings.TokenFile, settings.PeerCertificate, settings.PeerKey, settings.PeerAuthority, "/var/lib/vivarium/images"], path => Assert.Contains(places, place => path.StartsWith(place + "/", StringComparison.Ordinal)));
        foreach (YamlMappingNode service in documents.Where(document => document["kind"].ToString() == "Service"))
            Assert.All((YamlSequenceNode)service["spec"]["ports"], port => Assert.Equal(ports[port["name"].ToString()], port["port"].ToString()));
        Assert.Contains(documents, document => document["kind"].ToString() == "Service" && document["metadata"]["name"].ToString() == set["spec"]["serviceName"].ToString());
        // Long enough for what runs to end, and the drain is what SIGTERM asks for.
        Assert.True(int.Parse(pod["terminationGracePeriodSeconds"].ToString(), System.Globalization.CultureInfo.InvariantCulture) >= 60);
    }

    [Fact]
    public async Task What_the_autoscaler_follows_is_in_the_metrics()
    {
        var node = new ApiNode();
        await node.InitializeAsync();
        string metrics = await node.Http.GetStringAsync(node.Address + "/metrics");
        await node.DisposeAsync();
        YamlMappingNode scaler = Read("kubernetes/vivarium.yaml").Single(document => document["kind"].ToString() == "HorizontalPodAutoscaler");
        Assert.Matches($"(?m)^{scaler["spec"]["metrics"][0]["external"]["metric"]["name"]} ", metrics);
        foreach (string text in (string[])[File.ReadAllText(Path.Combine(Folder, "kubernetes/prometheus.yaml")), File.ReadAllText(Path.Combine(Viv.Root, "docs/operations.md"))])
            Assert.All(MetricPattern().Matches(text), metric => Assert.Contains("# TYPE " + metric.Value + " ", metrics));
        YamlMappingNode monitor = Read("kubernetes/prometheus.yaml").Single(document => document["kind"].ToString() == "ServiceMonitor");
        Assert.Equal(("/metrics", "api"), (monitor["spec"]["endpoints"][0]["path"].ToString(), monitor["spec"]["endpoints"][0]["port"].ToString()));
    }

    [Fact]
    public void The_unit_is_one_that_systemd_takes()
    {
        string folder = Directory.CreateTempSubdirectory("viv-unit-").FullName, unit = Path.Combine(folder, "viv-node.service");
        // The program is not installed where the unit has it.
        File.WriteAllText(unit, File.ReadAllText(Path.Combine(Folder, "viv-node.service")).Replace("/opt/vivarium/viv", "/bin/true", StringComparison.Ordinal));
        (int code, string output) = Run("systemd-analyze", "verify", "--man=no", unit);
        Directory.Delete(folder, recursive: true);
        Assert.True(code == 0 && !output.Contains("viv-node.service:", StringComparison.Ordinal), output);
    }

    [Fact]
    public void Certificates_are_made_that_nodes_accept()
    {
        string folder = Directory.CreateTempSubdirectory("viv-certificates-").FullName;
        (int code, string output) = Run("sh", Path.Combine(Folder, "certificates.sh"), folder, "node1,127.0.0.1", "peer,*.vivarium-peers.default.svc.cluster.local");
        Assert.True(code == 0, output);
        var settings = new NodeSettings();
        foreach ((string name, string value) in ((string, string)[])
            [("peer.listen", "127.0.0.1:0"), ("peer.certificate", $"{folder}/node1.crt"), ("peer.key", $"{folder}/node1.key"), ("peer.authority", $"{folder}/authority.crt")])
            Assert.Null(settings.Set(name, value));
        Cluster.PeerIdentity identity = Cluster.PeerIdentity.Load(settings)!;
        using X509Certificate2 other = X509CertificateLoader.LoadCertificateFromFile($"{folder}/peer.crt");
        Assert.True(identity.Trusts(other));
        Assert.True(identity.Certificate.MatchesHostname("127.0.0.1"));
        Assert.True(other.MatchesHostname("vivarium-2.vivarium-peers.default.svc.cluster.local"));
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode($"{folder}/node1.key") & (UnixFileMode.GroupRead | UnixFileMode.OtherRead));
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>What the page tells to do for tokens, done as it says.</summary>
    [Fact]
    public void The_commands_for_tokens_make_a_file_that_a_node_takes()
    {
        string page = File.ReadAllText(Path.Combine(Viv.Root, "docs/operations.md")), folder = Directory.CreateTempSubdirectory("viv-tokens-").FullName;
        string commands = string.Join('\n', page.Split('\n').SkipWhile(static line => !line.Contains("umask 077", StringComparison.Ordinal)).TakeWhile(static line => line.StartsWith("    ", StringComparison.Ordinal)));
        Assert.Equal(3, commands.Split('\n').Length);
        (int code, string output) = Run("sh", "-euc", "SECRET=0123456789abcdef; " + commands.Replace("/etc/vivarium", folder, StringComparison.Ordinal));
        Assert.True(code == 0, output);
        TokenFile? tokens = TokenFile.Open(Path.Combine(folder, "tokens"), static _ => { }, out string? error);
        Assert.Null(error);
        Assert.Equal(Access.Submit, tokens!.Find("0123456789abcdef")!.Access);
        Directory.Delete(folder, recursive: true);
    }

    private static YamlMappingNode[] Read(string file)
    {
        var stream = new YamlStream();
        using StreamReader text = File.OpenText(Path.Combine(Folder, file));
        stream.Load(text);
        return [.. stream.Documents.Select(document => (YamlMappingNode)document.RootNode)];
    }

    /// <summary>A service's variables, with what it merges in ("&lt;&lt;").</summary>
    private static Dictionary<string, string> Environment(YamlMappingNode service, YamlMappingNode compose)
    {
        Dictionary<string, string> variables = ((YamlMappingNode)compose["x-settings"]).ToDictionary(pair => pair.Key.ToString(), pair => pair.Value.ToString());
        foreach ((YamlNode name, YamlNode value) in (YamlMappingNode)service["environment"])
        {
            if (name.ToString() != "<<")
                variables[name.ToString()] = value.ToString();
        }
        return variables;
    }

    private static NodeSettings SettingsOf(Dictionary<string, string> variables)
    {
        var settings = new NodeSettings();
        foreach ((string variable, string value) in variables.Where(static pair => pair.Key.StartsWith("VIVARIUM_", StringComparison.Ordinal)))
            Assert.Null(settings.Set(NodeSettings.Names.Single(name => NodeSettings.VariableOf(name) == variable), InterpolationPattern().Replace(value, "secret")));
        Assert.Null(settings.FindConflict());
        return settings;
    }

    private static (int Code, string Output) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = process.StandardError.ReadToEnd() + process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    [GeneratedRegex("VIVARIUM_[A-Z_]+")]
    private static partial Regex VariablePattern();

    [GeneratedRegex("vivarium_[a-z_]+")]
    private static partial Regex MetricPattern();

    [GeneratedRegex(@"\$\{[^}]*\}")]
    private static partial Regex InterpolationPattern();
}
