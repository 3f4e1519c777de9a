using System.Collections.ObjectModel;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace Vivarium.Messages.Wire;

/// <summary>Between this program's types and the bytes that other nodes, and later versions, read.</summary>
public static partial class WireFormat
{
    public static byte[] Write(Messages.JobSpec spec)
    {
        var wire = new JobSpec
        {
            Program = ByteString.CopyFrom(spec.Program),
            WorkingDirectory = spec.WorkingDirectory,
            IsWorkingDirectoryRequired = spec.IsWorkingDirectoryRequired,
            User = spec.User.User,
            Group = spec.User.Group,
            Network = Of(spec.Network),
            Limits = new JobLimits { Memory = spec.Limits.Memory, Output = spec.Limits.Output, MemoryNodes = spec.Limits.MemoryNodes == 1 ? 0 : spec.Limits.MemoryNodes },
            Engine = (int)spec.Engine,
            Clock = (int)spec.Clock,
            Tracing = new TraceSettings { Listing = spec.Tracing.Listing, Level = (int)spec.Tracing.Level, Counts = spec.Tracing.Counts },
            Retries = spec.Retries,
            Requirements = Of(spec.Requirements),
            Backend = spec.Backend,
            Input = ByteString.CopyFrom(spec.Input),
        };
        if (spec.Tracing.Parent is { } parent)
            wire.Tracing.Parent = parent;
        wire.Arguments.AddRange(spec.Arguments.Select(ByteString.CopyFrom));
        wire.Environment.AddRange(spec.Environment.Select(ByteString.CopyFrom));
        wire.Groups.AddRange(spec.Groups);
        wire.Binds.AddRange(spec.Binds.Select(static bind => new BindMount { Source = bind.Source, Target = bind.Target, Writable = bind.Writable }));
        wire.Files.AddRange(spec.Files.Select(static file => new GuestFile { Path = file.Path, Content = ByteString.CopyFrom(file.Content), Mode = file.Mode }));
        wire.Labels.Add(spec.Labels.ToDictionary());
        wire.Faults.AddRange(spec.Faults.Select(static fault => fault.ToString()));
        if (spec.Limits.Timeout is { } timeout)
            wire.Limits.TimeoutTicks = timeout.Ticks;
        if (spec.RootFilesystem is not null)
            wire.RootFilesystem = spec.RootFilesystem;
        if (spec.Seed is { } seed)
            wire.Seed = seed;
        if (spec.Name is not null)
            wire.Name = spec.Name;
        if (spec.Image is not null)
            wire.Image = spec.Image;
        return wire.ToByteArray();
    }

    public static Messages.JobSpec ReadSpec(ReadOnlySpan<byte> bytes)
    {
        JobSpec wire = JobSpec.Parser.ParseFrom(bytes);
        return new Messages.JobSpec
        {
            Program = wire.Program.ToByteArray(),
            Arguments = [.. wire.Arguments.Select(static argument => argument.ToByteArray())],
            Environment = [.. wire.Environment.Select(static variable => variable.ToByteArray())],
            WorkingDirectory = wire.WorkingDirectory,
            IsWorkingDirectoryRequired = wire.IsWorkingDirectoryRequired,
            User = new UserIdentity(wire.User, wire.Group),
            Groups = [.. wire.Groups],
            RootFilesystem = wire.HasRootFilesystem ? wire.RootFilesystem : null,
            Binds = [.. wire.Binds.Select(static bind => new Messages.BindMount(bind.Source, bind.Target, bind.Writable))],
            Network = Read(wire.Network),
            Limits = new Messages.JobLimits
            {
                Memory = wire.Limits.Memory,
                Timeout = wire.Limits.HasTimeoutTicks ? new TimeSpan(wire.Limits.TimeoutTicks) : null,
                Output = wire.Limits.Output,
                MemoryNodes = Math.Max(1, wire.Limits.MemoryNodes),
            },
            Engine = (EngineKind)wire.Engine,
            Clock = (ClockKind)wire.Clock,
            Seed = wire.HasSeed ? wire.Seed : null,
            Tracing = new Messages.TraceSettings
            {
                Listing = wire.Tracing.Listing,
                Counts = wire.Tracing.Counts,
                Level = (TraceLevel)wire.Tracing.Level,
                Parent = wire.Tracing.HasParent ? wire.Tracing.Parent : null,
            },
            Name = wire.HasName ? wire.Name : null,
            Labels = Read(wire.Labels),
            Retries = wire.Retries,
            Requirements = Read(wire.Requirements),
            Image = wire.HasImage ? wire.Image : null,
            Backend = wire.Backend,
            Input = wire.Input.ToByteArray(),
            Faults = [.. wire.Faults.Select(static fault => CallFault.Parse(fault, out string? error) ?? throw new ArgumentException(error, nameof(bytes)))],
            Files = [.. wire.Files.Select(static file => new Messages.GuestFile(file.Path, file.Content.ToByteArray(), file.Mode))],
        };
    }

    public static byte[] Write(Messages.JobResult result) => Of(result).ToByteArray();

    public static Messages.JobResult ReadResult(ReadOnlySpan<byte> bytes) => Read(JobResult.Parser.ParseFrom(bytes));

    public static byte[] Write(Messages.NodeDescription node)
    {
        var wire = new NodeDescription
        {
            Name = node.Name,
            OperatingSystem = node.OperatingSystem,
            Architecture = node.Architecture,
            Cores = node.Cores,
            Memory = node.Memory,
            Capacity = node.Capacity,
            Version = node.Version,
        };
        if (node.PeerAddress is not null)
            wire.PeerAddress = node.PeerAddress;
        if (node.ApiAddress is not null)
            wire.ApiAddress = node.ApiAddress;
        wire.Engines.AddRange(node.Engines);
        wire.Backends.AddRange(node.Backends);
        wire.Labels.Add(node.Labels.ToDictionary());
        return wire.ToByteArray();
    }

    public static Messages.NodeDescription ReadNode(ReadOnlySpan<byte> bytes)
    {
        NodeDescription wire = NodeDescription.Parser.ParseFrom(bytes);
        return new Messages.NodeDescription
        {
            Name = wire.Name,
            PeerAddress = wire.HasPeerAddress ? wire.PeerAddress : null,
            ApiAddress = wire.HasApiAddress ? wire.ApiAddress : null,
            OperatingSystem = wire.OperatingSystem,
            Architecture = wire.Architecture,
            Cores = wire.Cores,
            Memory = wire.Memory,
            Engines = [.. wire.Engines],
            Backends = [.. wire.Backends],
            Labels = Read(wire.Labels),
            Capacity = wire.Capacity,
            Version = wire.Version,
        };
    }

    private static JobRequirements Of(Messages.JobRequirements requirements)
    {
        var wire = new JobRequirements();
        if (requirements.OperatingSystem is not null)
            wire.OperatingSystem = requirements.OperatingSystem;
        if (requirements.Architecture is not null)
            wire.Architecture = requirements.Architecture;
        wire.Labels.Add(requirements.Labels.ToDictionary());
        return wire;
    }

    private static Messages.JobRequirements Read(JobRequirements? wire) => wire is null || wire.Equals(NoRequirements)
        ? Messages.JobRequirements.None
        : new Messages.JobRequirements
        {
            OperatingSystem = wire.HasOperatingSystem ? wire.OperatingSystem : null,
            Architecture = wire.HasArchitecture ? wire.Architecture : null,
            Labels = Read(wire.Labels),
        };

    private static readonly JobRequirements NoRequirements = new();

    private static NetworkSettings Of(Messages.NetworkSettings network)
    {
        var wire = new NetworkSettings { Reach = (int)network.Reach, Switch = network.Switch };
        if (network.Address is not null)
            wire.Address = network.Address;
        wire.Published.AddRange(network.Published.Select(static port => new PublishedPort { Host = port.Host, Guest = port.Guest }));
        return wire;
    }

    private static Messages.NetworkSettings Read(NetworkSettings wire) => new()
    {
        Reach = (NetworkReach)wire.Reach,
        Switch = wire.Switch,
        Address = wire.HasAddress ? wire.Address : null,
        // The empty list itself, so that settings without are equal to those of a job that was not read.
        Published = wire.Published.Count == 0 ? [] : [.. wire.Published.Select(static port => new Messages.PublishedPort(port.Host, port.Guest))],
    };

    private static ReadOnlyDictionary<string, string> Read(MapField<string, string> labels) =>
        labels.Count == 0 ? ReadOnlyDictionary<string, string>.Empty : new ReadOnlyDictionary<string, string>(new Dictionary<string, string>(labels));
}
