using Google.Protobuf;

namespace Vivarium.Messages.Wire;

/// <summary>What nodes ask each other.</summary>
public static partial class WireFormat
{
    public static byte[] Write(int shard, JobId id, Messages.JobCommand command)
    {
        var wire = new ForwardedCommand { Shard = shard, Job = ByteString.CopyFrom(id.Value.ToByteArray(bigEndian: true)) };
        switch (command)
        {
            case Messages.JobCommand.Cancel:
                wire.Cancel = new CancelCommand();
                break;
            case Messages.JobCommand.Signal signal:
                wire.Signal = new SignalCommand { Number = (int)signal.Number };
                break;
            case Messages.JobCommand.Kill kill:
                wire.Kill = new KillCommand { Number = kill.Number };
                if (kill.Process is { } process)
                    wire.Kill.Process = ByteString.CopyFrom(process.ToByteArray(bigEndian: true));
                break;
            case Messages.JobCommand.Resize resize:
                wire.Resize = new ResizeCommand { Columns = resize.Columns, Rows = resize.Rows };
                break;
            case Messages.JobCommand.Inspect:
                wire.Inspect = new InspectCommand();
                break;
            case Messages.JobCommand.Trace:
                wire.Trace = new TraceCommand();
                break;
            default:
                throw new ArgumentException($"no wire format for {command.GetType().Name}", nameof(command));
        }
        return wire.ToByteArray();
    }

    /// <summary>A command's shard, job and itself; null when it is one that this version does not know.</summary>
    public static (int Shard, JobId Id, Messages.JobCommand? Command) ReadCommand(ReadOnlySpan<byte> bytes)
    {
        ForwardedCommand wire = ForwardedCommand.Parser.ParseFrom(bytes);
        var id = new JobId(new Guid(wire.Job.Span, bigEndian: true));
        Messages.JobCommand? command = wire.CommandCase switch
        {
            ForwardedCommand.CommandOneofCase.Cancel => new Messages.JobCommand.Cancel(),
            ForwardedCommand.CommandOneofCase.Signal => new Messages.JobCommand.Signal((TerminalSignal)wire.Signal.Number),
            ForwardedCommand.CommandOneofCase.Kill => new Messages.JobCommand.Kill(
                wire.Kill.Number, wire.Kill.HasProcess ? new Guid(wire.Kill.Process.Span, bigEndian: true) : null),
            ForwardedCommand.CommandOneofCase.Resize => new Messages.JobCommand.Resize(wire.Resize.Columns, wire.Resize.Rows),
            ForwardedCommand.CommandOneofCase.Inspect => new Messages.JobCommand.Inspect(),
            ForwardedCommand.CommandOneofCase.Trace => new Messages.JobCommand.Trace(),
            _ => null,
        };
        return (wire.Shard, id, command);
    }

    public static byte[] Write(JobReply reply)
    {
        var wire = new CommandReply { Kind = (int)reply.Kind };
        if (reply.Text is not null)
            wire.Text = reply.Text;
        if (reply.Content is not null)
            wire.Content = ByteString.CopyFrom(reply.Content);
        return wire.ToByteArray();
    }

    public static JobReply ReadReply(ReadOnlySpan<byte> bytes)
    {
        CommandReply wire = CommandReply.Parser.ParseFrom(bytes);
        return new JobReply((JobReplyKind)wire.Kind, wire.HasText ? wire.Text : null) { Content = wire.HasContent ? wire.Content.ToByteArray() : null };
    }

    /// <summary>Asks a node for the trace of a job.</summary>
    public static byte[] WriteTraceRequest(JobId id, int attempt) =>
        new TraceRequest { Job = ByteString.CopyFrom(id.Value.ToByteArray(bigEndian: true)), Attempt = attempt }.ToByteArray();

    /// <exception cref="ArgumentException">It names no job.</exception>
    public static (JobId Job, int Attempt) ReadTraceRequest(ReadOnlySpan<byte> bytes)
    {
        TraceRequest request = TraceRequest.Parser.ParseFrom(bytes);
        return (new JobId(new Guid(request.Job.Span, bigEndian: true)), Math.Max(0, request.Attempt));
    }
}
