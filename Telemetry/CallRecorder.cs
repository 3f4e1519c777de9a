using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Emulator.Personalities;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Messages;
using Vivarium.Telemetry.Folding;
using Vivarium.Telemetry.Records;

namespace Vivarium.Telemetry;

/// <summary>Takes a world's records: counts all of them exactly, folds them, and keeps as many as there is room for.</summary>
public sealed class CallRecorder : ICallSink
{
    /// <summary>Bytes of records that a folded trace keeps: some ten million calls of a loop, a few million of a build.</summary>
    public const long FoldedRoom = 64L << 20;

    /// <summary>The same for a full trace.</summary>
    public const long FullRoom = 1L << 30;

    /// <summary>Bytes of a program's arguments that are kept.</summary>
    private const ulong ArgumentRoom = 4096;

    private World? _world;

    /// <param name="level">How much is kept.</param>
    public CallRecorder(TraceLevel level)
    {
        Ring = new CallRing(this, level == TraceLevel.Full ? Captures.NamesAndData : Captures.NamesOnly);
        if (level == TraceLevel.Off)
            return;
        Folder = new CallFolder();
        Records = new SegmentStore(level == TraceLevel.Full ? FullRoom : FoldedRoom);
    }

    /// <summary>What the world writes to.</summary>
    public CallRing Ring { get; }

    public CallLedger Ledger { get; } = new();

    /// <summary>Null when calls are only counted.</summary>
    public CallFolder? Folder { get; }

    public SegmentStore? Records { get; }

    /// <summary>Null until a call has waited.</summary>
    public WaitLedger? Waits { get; private set; }

    /// <summary>Real time less the world's monotonic time, as they were at the start: a step of the host's clock moves no span.</summary>
    public long ToRealtime { get; private set; }

    /// <summary>The world's monotonic time at the start.</summary>
    public long AttachedAt { get; private set; }

    /// <summary>Begins with the world's processes, which must not have run yet.</summary>
    /// <param name="world">The world.</param>
    /// <param name="realtime">The host's real time, nanoseconds since 1970 UTC: a world with a time of its own is placed there as well.</param>
    public void Attach(World world, long realtime)
    {
        _world = world;
        AttachedAt = world.Clock.Monotonic;
        ToRealtime = realtime - AttachedAt;
        Ring.Attach(world.Clock);
        if (Folder is null)
            return;
        world.ProcessStarted += Begin;
        world.ProcessExecuted += NoteProgram;
        world.ProcessEnded += Finish;
    }

    public void Take(ReadOnlySpan<CallRecord> records)
    {
        Ledger.Add(records);
        if (Folder is null)
            return;
        Folder.Add(records);
        Records!.Add(records);
        foreach (ref readonly CallRecord record in records)
        {
            if (record.Blocked != 0)
                (Waits ??= new WaitLedger(NameOf)).Add(record);
        }
    }

    /// <summary>Nothing comes any more.</summary>
    public void Complete()
    {
        Ring.Flush();
        if (_world is not null)
            Folder?.Complete(_world.Clock.Monotonic);
    }

    /// <summary>The calls by name.</summary>
    public IReadOnlyList<CallUsage> Usage()
    {
        Ring.Flush();
        return Ledger.ToUsage(NameOf);
    }

    /// <summary>A call's name as listings have it.</summary>
    public static string NameOf(int number) => CallTables.NameOrNumber(number);

    private void Begin(Process process)
    {
        ProcessFold fold = Folder!.Begin(process.Id, process.ParentId, _world!.Clock.Monotonic);
        if (process.Parent is not { } parent || Folder.Find(parent.Id, 0) is not { Id: > 0 } origin || fold.Id != process.Id)
            return;
        (fold.Executable, fold.Arguments, fold.System, fold.Processor) = (origin.Executable, origin.Arguments, origin.System, origin.Processor);
    }

    private void NoteProgram(Process process)
    {
        ProcessFold fold = Folder!.Find(process.Id, _world!.Clock.Monotonic);
        if (fold.Id != process.Id)
            return;
        fold.Executable = process.Executable?.FullPath() ?? [];
        fold.Arguments = Arguments(process);
        (fold.System, fold.Processor) = (process.Personality.Name, Processors.TelemetryName(process.MainThread.Cpu.Architecture));
    }

    private void Finish(Process process, WaitStatus status) => Folder!.Finish(
        process.Id,
        _world!.Clock.Monotonic,
        status.Change == ChildChange.Exited ? status.Value : null,
        status.Change == ChildChange.Killed ? status.Value : null);

    /// <summary>The program's arguments, from where the guest keeps them.</summary>
    private static byte[][] Arguments(Process process)
    {
        ProgramLayout layout = process.Layout;
        if (layout.ArgumentEnd <= layout.ArgumentStart)
            return [];
        byte[] bytes = new byte[Math.Min(ArgumentRoom, layout.ArgumentEnd - layout.ArgumentStart)];
        if (!process.Memory.TryRead(new Emulator.Memory.GuestAddress(layout.ArgumentStart), bytes))
            return [];
        List<byte[]> arguments = [];
        ReadOnlySpan<byte> rest = bytes.AsSpan().TrimEnd((byte)0);
        foreach (Range argument in rest.Split((byte)0))
            arguments.Add(rest[argument].ToArray());
        return [.. arguments];
    }
}
