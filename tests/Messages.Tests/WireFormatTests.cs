using System.Text.Json;
using Vivarium.Messages.Wire;
using Xunit;

namespace Vivarium.Messages.Tests;

public sealed class WireFormatTests
{
    private static readonly Guid Id = new("00112233-4455-6677-8899-aabbccddeeff");

    /// <summary>A job that has something of its own everywhere.</summary>
    public static JobSpec Full { get; } = new()
    {
        Program = "/bin/sh"u8.ToArray(),
        Arguments = ["sh"u8.ToArray(), [0xff, 0]],
        Environment = ["A=1"u8.ToArray()],
        WorkingDirectory = "/tmp",
        IsWorkingDirectoryRequired = true,
        User = new UserIdentity(1, 2),
        Groups = [3, 4],
        RootFilesystem = "/root",
        Binds = [new BindMount("/a", "/b", true)],
        Network = new NetworkSettings { Reach = NetworkReach.Host, Switch = "s", Address = "10.0.0.1/8", Published = [new PublishedPort(80, 8080)] },
        Limits = new JobLimits { Memory = 5, Timeout = TimeSpan.FromMilliseconds(1500), Output = 6 },
        Engine = EngineKind.Interpreter,
        Clock = ClockKind.Virtual,
        Seed = 7,
        Tracing = new TraceSettings { Listing = true, Level = TraceLevel.Full, Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Counts = true },
        Name = "name",
        Labels = new Dictionary<string, string> { ["k"] = "v" },
        Retries = 8,
        Requirements = new JobRequirements { OperatingSystem = "linux", Architecture = "arm64", Labels = new Dictionary<string, string> { ["disk"] = "fast" } },
        Image = "hash",
        Backend = "native",
        Input = [9],
        Files = [new GuestFile("/etc/x", [10], 0x1ff)],
        Faults = [new CallFault("fsync", 57, 100, TimeSpan.FromMilliseconds(0.5), null), new CallFault("write", 0, 2.5, default, "ENOSPC")],
    };

    private static JobResult Result { get; } = new()
    {
        End = JobEnd.NotStarted,
        Code = 3,
        Failure = JobFailure.BadSetup,
        Message = "no",
        Usage = new JobUsage
        {
            Instructions = 1,
            PeakMemory = 2,
            Processes = 3,
            Elapsed = TimeSpan.FromSeconds(4),
            Calls = [new CallUsage { Name = "read", Count = 5, Errors = 6, TotalTime = 7, LongestTime = 8, IsUnimplemented = true }],
            Missing = [new MissingUsage("freebsd", "x64", "sysctl kern.geom", 15)],
            Translator = new TranslatorUsage { Blocks = 9, Bytes = 10, Hits = 11, ChainedJumps = 12, Interpreted = 13, Evictions = 14 },
        },
    };

    private static NodeDescription Description { get; } = new()
    {
        Name = "n",
        PeerAddress = "https://n:1",
        ApiAddress = "http://n:2",
        OperatingSystem = "linux",
        Architecture = "x64",
        Cores = 4,
        Memory = 5,
        Engines = ["translator"],
        Backends = ["emulated", "native"],
        Labels = new Dictionary<string, string> { ["zone"] = "a" },
        Capacity = 6,
        Version = "0.1",
    };

    [Fact]
    public void A_specification_survives_and_no_part_of_it_is_forgotten()
    {
        // A property that was added and not written would be what an empty job has.
        JobSpec empty = new() { Program = [], Arguments = [] };
        foreach (System.Reflection.PropertyInfo property in typeof(JobSpec).GetProperties())
            Assert.NotEqual(JsonSerializer.Serialize(property.GetValue(empty)), JsonSerializer.Serialize(property.GetValue(Full)));
        Assert.Equal(JsonSerializer.Serialize(Full), JsonSerializer.Serialize(WireFormat.ReadSpec(WireFormat.Write(Full))));
        Assert.Equal(JsonSerializer.Serialize(empty), JsonSerializer.Serialize(WireFormat.ReadSpec(WireFormat.Write(empty))));
        Assert.Equal(new NetworkSettings(), WireFormat.ReadSpec(WireFormat.Write(empty)).Network);
        Assert.Same(JobRequirements.None, WireFormat.ReadSpec(WireFormat.Write(empty)).Requirements);
    }

    [Fact]
    public void Results_and_nodes_survive()
    {
        Assert.Equal(JsonSerializer.Serialize(Result), JsonSerializer.Serialize(WireFormat.ReadResult(WireFormat.Write(Result))));
        Assert.Equal(JsonSerializer.Serialize(Description), JsonSerializer.Serialize(WireFormat.ReadNode(WireFormat.Write(Description))));
    }

    public static TheoryData<string> Events => [.. typeof(JobEvent).GetNestedTypes().Select(type => type.Name)];

    [Theory]
    [MemberData(nameof(Events))]
    public void Every_event_survives(string name)
    {
        JobEvent happened = name switch
        {
            nameof(JobEvent.Accepted) => new JobEvent.Accepted(Full),
            nameof(JobEvent.Waited) => new JobEvent.Waited("no node runs netbsd/arm64"),
            nameof(JobEvent.Moved) => new JobEvent.Moved(5),
            nameof(JobEvent.Started) => new JobEvent.Started("n"),
            nameof(JobEvent.Interrupted) => new JobEvent.Interrupted("why"),
            nameof(JobEvent.Retried) => new JobEvent.Retried(Result),
            nameof(JobEvent.CancelRequested) => new JobEvent.CancelRequested(),
            _ => new JobEvent.Finished(Result),
        };
        (WireFormat.EventKind kind, byte[] detail) = WireFormat.Write(happened);
        Assert.Equal(name, kind.ToString());
        Assert.Equal(JsonSerializer.Serialize<object>(happened), JsonSerializer.Serialize<object>(WireFormat.ReadEvent(kind, detail, Full, Result)));
    }

    public static TheoryData<string> Commands => [.. typeof(JobCommand).GetNestedTypes().Select(type => type.Name)];

    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_command_survives(string name)
    {
        JobCommand command = name switch
        {
            nameof(JobCommand.Cancel) => new JobCommand.Cancel(),
            nameof(JobCommand.Signal) => new JobCommand.Signal(TerminalSignal.Stop),
            nameof(JobCommand.Kill) => new JobCommand.Kill(9, Id),
            nameof(JobCommand.Resize) => new JobCommand.Resize(80, 25),
            nameof(JobCommand.Trace) => new JobCommand.Trace(),
            _ => new JobCommand.Inspect(),
        };
        (int shard, JobId id, JobCommand? read) = WireFormat.ReadCommand(WireFormat.Write(3, new JobId(Id), command));
        Assert.Equal((3, new JobId(Id), command), (shard, id, read));
        Assert.Equal(name, read!.GetType().Name);
        Assert.Equal([1, 2, 255], WireFormat.ReadReply(WireFormat.Write(JobReply.Done with { Content = [1, 2, 255] })).Content!);
        Assert.Equal(new JobReply(JobReplyKind.Refused, "no"), WireFormat.ReadReply(WireFormat.Write(new JobReply(JobReplyKind.Refused, "no"))));
    }

    [Fact]
    public void A_command_of_a_later_version_is_recognised_as_unknown()
    {
        byte[] later = [.. WireFormat.Write(3, new JobId(Id), new JobCommand.Cancel())];
        // Field 3, an empty message, as field 15: its tag is (15 << 3 | 2).
        later[^2] = 0x7a;
        Assert.Null(WireFormat.ReadCommand(later).Command);
        Assert.ThrowsAny<Exception>(() => WireFormat.ReadCommand([0xff, 0xff]));
    }

    /// <summary>
    /// Messages of every version there was, with what they meant then, in Stored/VERSION.txt: a line has a kind, bytes and JSON. All of it
    /// must still be read, beside what was added since. A new version adds its own file (VIVARIUM_STORE_MESSAGES is its name, the file is
    /// left in the build's folder); files that are there are never changed.
    /// </summary>
    [Fact]
    public void Stored_messages_of_old_versions_are_read()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Stored");
        if (Environment.GetEnvironmentVariable("VIVARIUM_STORE_MESSAGES") is { Length: > 0 } version)
            Store(Path.Combine(folder, version + ".txt"));
        string[] files = Directory.GetFiles(folder, "*.txt");
        Assert.NotEmpty(files);
        foreach (string[] line in files.SelectMany(File.ReadAllLines).Select(line => line.Split(' ', 3)))
        {
            byte[] bytes = Convert.FromHexString(line[1]);
            object read = line[0] switch
            {
                "spec" => WireFormat.ReadSpec(bytes),
                "result" => WireFormat.ReadResult(bytes),
                "node" => WireFormat.ReadNode(bytes),
                "command" => WireFormat.ReadCommand(bytes).Command!,
                _ => WireFormat.ReadReply(bytes),
            };
            AssertHolds(JsonSerializer.SerializeToElement(read), JsonDocument.Parse(line[2]).RootElement, line[0]);
        }
    }

    private static void Store(string file)
    {
        var kill = new JobCommand.Kill(9, Id);
        var reply = new JobReply(JobReplyKind.Refused, "no");
        (string Kind, byte[] Bytes, object Meant)[] messages =
        [
            ("spec", WireFormat.Write(Full), Full),
            ("result", WireFormat.Write(Result), Result),
            ("node", WireFormat.Write(Description), Description),
            ("command", WireFormat.Write(3, new JobId(Id), kill), kill),
            ("reply", WireFormat.Write(reply), reply),
        ];
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllLines(file, messages.Select(message => $"{message.Kind} {Convert.ToHexStringLower(message.Bytes)} {JsonSerializer.Serialize(message.Meant)}"));
    }

    /// <summary>What is read has everything that was meant, and may have more.</summary>
    private static void AssertHolds(JsonElement read, JsonElement meant, string path)
    {
        if (meant.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in meant.EnumerateObject())
                AssertHolds(read.GetProperty(property.Name), property.Value, $"{path}.{property.Name}");
        }
        else
        {
            Assert.True(JsonElement.DeepEquals(read, meant), $"{path}: {meant} became {read}");
        }
    }
}
