using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Records;

/// <summary>
/// Writes records as what differs from the last call of the same number: a call in a loop takes five bytes. Times are counted
/// from the end of the call before.
/// </summary>
internal sealed class SegmentEncoder
{
    /// <summary>Most bytes of one record without its data: flags, fourteen numbers and the six arguments with their mask.</summary>
    private const int LongestRecord = 4 + (22 * VarInt.Longest);

    /// <summary>Beside the outcome: the thread did not outlive the call.</summary>
    public const byte EndsThread = 0x80;

    private readonly PriorCalls _prior = new();
    private readonly Dictionary<byte[], int> _numbers = new(ByteComparer.Instance);
    private List<byte[]> _names = [];
    private byte[] _bytes = new byte[1024];
    private int _length;
    private int _number;
    private PriorCall? _last;
    private int _thread;
    private int _process;
    private long _time;
    private long _sequence;

    public int Count { get; private set; }

    public int Length => _length;

    public void Add(in CallRecord record)
    {
        int room = LongestRecord + (record.Data?.Length ?? 0);
        if (_bytes.Length - _length < room)
            Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, _length + room));
        // Most often it is the number of the call before, whose prior call is known.
        if (_last is null || record.Number != _number)
            _last = _prior[record.Number];
        PriorCall prior = _last;
        RecordParts parts = Compare(record, prior, out MoreParts more);
        Span<byte> to = _bytes.AsSpan(_length);
        int at = 0;
        to[at++] = (byte)parts;
        if ((parts & RecordParts.More) != 0)
            to[at++] = (byte)more;
        at += VarInt.Write(to[at..], VarInt.Fold(record.Start - _time));
        at += VarInt.Write(to[at..], (ulong)record.Duration);
        if (parts != RecordParts.None)
            at += WriteParts(to[at..], record, prior, parts, more);
        _length += at;
        _time = record.Start + record.Duration;
        _sequence = record.Sequence;
        Count++;
    }

    /// <summary>What was written since the last time; the encoder begins anew.</summary>
    public CallSegment Close(long firstIndex)
    {
        var segment = new CallSegment(firstIndex, Count, _names, _bytes.AsMemory(0, _length).ToArray());
        (_length, Count, _number, _thread, _process, _time, _sequence) = (0, 0, 0, 0, 0, 0, 0);
        _names = [];
        _numbers.Clear();
        _prior.Clear();
        _last = null;
        return segment;
    }

    private RecordParts Compare(in CallRecord record, PriorCall prior, out MoreParts more)
    {
        RecordParts parts = RecordParts.None;
        if (record.Thread != _thread || record.Process != _process)
            parts |= RecordParts.Thread;
        if (record.Number != _number)
            parts |= RecordParts.Number;
        if (((record.Arguments[0] ^ prior.Arguments[0]) | (record.Arguments[1] ^ prior.Arguments[1]) | (record.Arguments[2] ^ prior.Arguments[2])
            | (record.Arguments[3] ^ prior.Arguments[3]) | (record.Arguments[4] ^ prior.Arguments[4]) | (record.Arguments[5] ^ prior.Arguments[5])) != 0)
            parts |= RecordParts.Arguments;
        if (record.Result != prior.Result)
            parts |= RecordParts.Result;
        if (record.Outcome != CallOutcome.Value)
            parts |= RecordParts.End;
        if (record.Blocked != 0 || record.WokenBy != 0)
            parts |= RecordParts.Wait;
        if (!ReferenceEquals(record.Subject, prior.SubjectBytes))
            parts |= RecordParts.Subject;
        more = (record.Data is null ? 0 : MoreParts.Data) | (record.Sequence == _sequence + 1 ? 0 : MoreParts.Sequence);
        if (record.Sent != 0)
            more |= MoreParts.Sent;
        if (record.WokenByWorld is not null)
            more |= MoreParts.World;
        return more == MoreParts.None ? parts : parts | RecordParts.More;
    }

    private int WriteParts(Span<byte> to, in CallRecord record, PriorCall prior, RecordParts parts, MoreParts more)
    {
        int at = 0;
        if ((parts & RecordParts.Thread) != 0)
        {
            at += VarInt.Write(to[at..], (uint)record.Process);
            at += VarInt.Write(to[at..], VarInt.Fold(record.Thread - record.Process));
            (_thread, _process) = (record.Thread, record.Process);
        }
        if ((parts & RecordParts.Number) != 0)
        {
            at += VarInt.Write(to[at..], (uint)record.Number);
            _number = record.Number;
        }
        if ((parts & RecordParts.Arguments) != 0)
            at += WriteArguments(to[at..], record, prior);
        if ((parts & RecordParts.Result) != 0)
        {
            at += VarInt.Write(to[at..], VarInt.Fold(record.Result - prior.Result));
            prior.Result = record.Result;
        }
        if ((parts & RecordParts.End) != 0)
        {
            to[at++] = (byte)((byte)record.Outcome | (record.EndsThread ? EndsThread : 0));
            at += VarInt.Write(to[at..], (uint)record.Error);
        }
        if ((parts & RecordParts.Wait) != 0)
        {
            at += VarInt.Write(to[at..], (ulong)record.Blocked);
            at += VarInt.Write(to[at..], (ulong)record.WokenBy);
            at += VarInt.Write(to[at..], (uint)record.WokenByProcess);
        }
        if ((parts & RecordParts.Subject) != 0)
            at += VarInt.Write(to[at..], (uint)NumberOf(record.Subject, prior));
        return at + WriteMore(to[at..], record, more);
    }

    private int WriteMore(Span<byte> to, in CallRecord record, MoreParts more)
    {
        int at = 0;
        if ((more & MoreParts.Sequence) != 0)
            at += VarInt.Write(to[at..], VarInt.Fold(record.Sequence - _sequence));
        if ((more & MoreParts.Data) != 0)
        {
            at += VarInt.Write(to[at..], (uint)record.Data!.Length);
            record.Data.CopyTo(to[at..]);
            at += record.Data.Length;
        }
        if ((more & MoreParts.Sent) != 0)
            at += VarInt.Write(to[at..], (uint)record.Sent);
        if ((more & MoreParts.World) != 0)
        {
            at += VarInt.Write(to[at..], (uint)NumberOf(record.WokenByWorld));
            at += VarInt.Write(to[at..], (uint)record.WokenBySent);
        }
        return at;
    }

    private static int WriteArguments(Span<byte> to, in CallRecord record, PriorCall prior)
    {
        int at = 1;
        int mask = 0;
        for (int i = 0; i < CallArguments.Count; i++)
        {
            if (record.Arguments[i] == prior.Arguments[i])
                continue;
            mask |= 1 << i;
            at += VarInt.Write(to[at..], VarInt.Fold((long)(record.Arguments[i] - prior.Arguments[i])));
        }
        to[0] = (byte)mask;
        prior.Arguments = record.Arguments;
        return at;
    }

    /// <summary>A name's number, from 1; 0 = no name.</summary>
    private int NumberOf(byte[]? name, PriorCall prior)
    {
        prior.SubjectBytes = name;
        return NumberOf(name);
    }

    private int NumberOf(byte[]? name)
    {
        if (name is null)
            return 0;
        if (!_numbers.TryGetValue(name, out int number))
        {
            _names.Add(name);
            _numbers.Add(name, number = _names.Count);
        }
        return number;
    }
}
