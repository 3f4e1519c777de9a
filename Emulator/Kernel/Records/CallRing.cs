using System.Runtime.CompilerServices;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Records;

/// <summary>
/// Where a world notes its calls: one record for each, written when it ends, handed on in batches (design decision 9). Nothing
/// here changes what a guest sees.
/// </summary>
/// <param name="sink">Takes full batches.</param>
/// <param name="captures">What to keep of calls.</param>
public sealed class CallRing(ICallSink sink, CaptureTable captures)
{
    /// <summary>Records of a batch: small enough for a core's first-level cache.</summary>
    public const int Capacity = 128;

    /// <summary>What there is room for at first: most programs make few calls.</summary>
    private const int FirstRoom = 32;

    /// <summary>Bytes of a buffer that are kept.</summary>
    public const int DataShown = 32;

    private const int LongestPath = 4096;

    private CallRecord[] _records = new CallRecord[FirstRoom];
    private int _count;
    private long _sequence;
    private WorldClock? _clock;
    private long _latest;

    /// <summary>Begins with a world's clock.</summary>
    public void Attach(WorldClock clock) => _clock = clock;

    /// <summary>Calls that have begun.</summary>
    public long Begun => _sequence;

    /// <summary>A call begins: its registers are decoded, and no handler ran yet.</summary>
    public void Enter(CallContext call)
    {
        call.BeginRecord(++_sequence, Now());
        if (!captures.KeepNothing(call.Number))
            CaptureAtEntry(call, captures[call.Number]);
    }

    /// <summary>A call is over. A second end of the same call is none.</summary>
    public void Leave(CallContext call, in CallResult result)
    {
        if (call.Sequence == 0)
            return;
        if (!captures.KeepNothing(call.Number))
            CaptureAtExit(call, captures[call.Number], result);
        Write(call, result.Outcome, result.Value, result.Error);
    }

    /// <summary>A thread is gone, and with it the call it was in.</summary>
    public void Abandon(CallContext call)
    {
        if (call.Sequence == 0)
            return;
        Unpark(call);
        Write(call, CallOutcome.Blocked, 0, Errno.None);
    }

    public void Park(CallContext call) => call.ParkedAt = Now();

    /// <summary>The thread runs again, if it was parked.</summary>
    public void Unpark(CallContext call)
    {
        if (call.ParkedAt == 0)
            return;
        call.BlockedTime += Now() - call.ParkedAt;
        call.ParkedAt = 0;
    }

    /// <summary>Hands on what is there.</summary>
    public void Flush()
    {
        if (_count == 0)
            return;
        sink.Take(_records.AsSpan(0, _count));
        _count = 0;
    }

    /// <summary>Never before what was noted last, on whatever thread the world ran then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Now() => _latest = Math.Max(_latest, _clock!.Monotonic);

    private void Write(CallContext call, CallOutcome outcome, long value, Errno error)
    {
        CallRecord[] records = _records;
        if ((uint)_count >= (uint)records.Length)
            records = Grow();
        ref CallRecord record = ref records[_count];
        record.Sequence = call.Sequence;
        record.Start = call.RecordStart;
        record.End = Now();
        record.Blocked = call.BlockedTime;
        record.WokenBy = call.WokenBy;
        record.WokenByProcess = call.WokenByProcess;
        record.Sent = call.Sent;
        record.WokenBySent = call.WokenBySent;
        record.Process = call.Process.Id;
        record.Thread = call.Thread.Id;
        record.Number = call.Number;
        record.Architecture = call.Thread.Cpu.Architecture;
        ReadOnlySpan<ulong> arguments = call.Arguments;
        // The last one first: then the others need no check of bounds.
        record.Arguments[5] = arguments[5];
        record.Arguments[4] = arguments[4];
        record.Arguments[3] = arguments[3];
        record.Arguments[2] = arguments[2];
        record.Arguments[1] = arguments[1];
        record.Arguments[0] = arguments[0];
        record.Result = value;
        record.Error = error;
        record.Outcome = outcome;
        record.EndsThread = outcome != CallOutcome.Value && !call.Thread.IsAlive;
        // Most calls have none: a reference that is not stored needs no barrier.
        if (!ReferenceEquals(record.Subject, call.Subject))
            record.Subject = call.Subject;
        if (!ReferenceEquals(record.Data, call.Data))
            record.Data = call.Data;
        if (!ReferenceEquals(record.WokenByWorld, call.WokenByWorld))
            record.WokenByWorld = call.WokenByWorld;
        call.Sequence = 0;
        if (++_count == Capacity)
            Flush();
    }

    private CallRecord[] Grow()
    {
        Array.Resize(ref _records, Math.Min(Capacity, 4 * _count));
        return _records;
    }

    /// <summary>Names before they change or go, and what the guest hands over.</summary>
    private static void CaptureAtEntry(CallContext call, CallCapture capture)
    {
        if (capture.Path >= 0)
            call.Subject = ReadPath(call, capture);
        else if (capture.Descriptor >= 0)
            call.Subject = call.File((int)call.Arguments[capture.Descriptor])?.RecordName;
        if (capture.Data >= 0 && capture.Length >= 0)
            call.Data = ReadData(call, capture, call.Arguments[capture.Length]);
    }

    /// <summary>What the call itself made known: a socket's peer, what was read.</summary>
    private static void CaptureAtExit(CallContext call, CallCapture capture, in CallResult result)
    {
        if (capture.Descriptor >= 0 && call.Subject is null && call.Thread.IsAlive && call.File((int)call.Arguments[capture.Descriptor]) is { } file)
            call.Subject = file.RecordName ?? file.TakeRecordPeer();
        if (capture.Data >= 0 && capture.Length < 0 && result is { Outcome: CallOutcome.Value, Value: > 0 } && call.Thread.IsAlive)
            call.Data = ReadData(call, capture, (ulong)result.Value);
    }

    /// <summary>A relative name behind that of the directory it is relative to, unless that is the working directory.</summary>
    private static byte[]? ReadPath(CallContext call, CallCapture capture)
    {
        byte[]? path = call.Memory.ReadCString(new GuestAddress(call.Arguments[capture.Path]), LongestPath, out _);
        if (capture.Descriptor < 0 || path is null or [(byte)'/', ..])
            return path;
        OpenFile? directory = call.File((int)call.Arguments[capture.Descriptor]);
        if (directory?.RecordName is not { } name)
            return path;
        return path.Length == 0 ? name : [.. name, (byte)'/', .. path];
    }

    private static byte[]? ReadData(CallContext call, CallCapture capture, ulong length)
    {
        byte[] data = new byte[(int)Math.Min(length, DataShown)];
        return call.Memory.TryRead(new GuestAddress(call.Arguments[capture.Data]), data) ? data : null;
    }
}
