using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Records;

/// <summary>Reads a segment's records one after another. Bytes that nobody wrote end it early, and <see cref="IsDamaged"/> says so.</summary>
public ref struct SegmentReader
{
    private readonly CallSegment _segment;
    private readonly PriorCalls _prior = new();
    private ReadOnlySpan<byte> _rest;
    private CallRecord _record;
    private int _read;

    public SegmentReader(CallSegment segment)
    {
        _segment = segment;
        _rest = segment.Bytes.Span;
    }

    /// <summary>The record that <see cref="Read"/> came to.</summary>
    public readonly ref readonly CallRecord Current => ref System.Runtime.CompilerServices.Unsafe.AsRef(in _record);

    /// <summary>Its place among all the job's records, from 0.</summary>
    public readonly long Index => _segment.FirstIndex + _read - 1;

    public bool IsDamaged { get; private set; }

    /// <summary>Goes on to the next record; false behind the last.</summary>
    public bool Read()
    {
        if (_read == _segment.Count || IsDamaged)
            return false;
        IsDamaged = !TryRead();
        _read++;
        return !IsDamaged;
    }

    private bool TryRead()
    {
        MoreParts more = MoreParts.None;
        if (!TryByte(out byte flags))
            return false;
        var parts = (RecordParts)flags;
        if ((parts & RecordParts.More) != 0)
        {
            if (!TryByte(out byte rare))
                return false;
            more = (MoreParts)rare;
        }
        if (!VarInt.TryRead(ref _rest, out ulong start) || !VarInt.TryRead(ref _rest, out ulong duration))
            return false;
        _record.Start = _record.End + VarInt.Unfold(start);
        _record.End = _record.Start + (long)duration;
        if ((parts & RecordParts.Thread) != 0 && !TryReadThread())
            return false;
        if ((parts & RecordParts.Number) != 0)
        {
            if (!VarInt.TryRead(ref _rest, out ulong number))
                return false;
            _record.Number = (int)number;
        }
        PriorCall prior = _prior[_record.Number];
        return TryReadCall(prior, parts) && TryReadEnd(parts) && TryReadSubject(prior, parts) && TryReadMore(more);
    }

    private bool TryReadThread()
    {
        if (!VarInt.TryRead(ref _rest, out ulong process) || !VarInt.TryRead(ref _rest, out ulong thread))
            return false;
        _record.Process = (int)process;
        _record.Thread = (int)(_record.Process + VarInt.Unfold(thread));
        return true;
    }

    private bool TryReadCall(PriorCall prior, RecordParts parts)
    {
        if ((parts & RecordParts.Arguments) != 0)
        {
            if (!TryByte(out byte mask))
                return false;
            for (int i = 0; i < CallArguments.Count; i++)
            {
                if ((mask >> i & 1) == 0)
                    continue;
                if (!VarInt.TryRead(ref _rest, out ulong change))
                    return false;
                prior.Arguments[i] += (ulong)VarInt.Unfold(change);
            }
        }
        if ((parts & RecordParts.Result) != 0)
        {
            if (!VarInt.TryRead(ref _rest, out ulong change))
                return false;
            prior.Result += VarInt.Unfold(change);
        }
        _record.Arguments = prior.Arguments;
        _record.Result = prior.Result;
        return true;
    }

    private bool TryReadEnd(RecordParts parts)
    {
        (_record.Outcome, _record.Error, _record.EndsThread) = (CallOutcome.Value, Errno.None, false);
        (_record.Blocked, _record.WokenBy, _record.WokenByProcess) = (0, 0, 0);
        if ((parts & RecordParts.End) != 0)
        {
            if (!TryByte(out byte outcome) || !VarInt.TryRead(ref _rest, out ulong error))
                return false;
            (_record.Outcome, _record.Error) = ((CallOutcome)(outcome & ~SegmentEncoder.EndsThread), (Errno)error);
            _record.EndsThread = (outcome & SegmentEncoder.EndsThread) != 0;
        }
        if ((parts & RecordParts.Wait) == 0)
            return true;
        if (!VarInt.TryRead(ref _rest, out ulong blocked) || !VarInt.TryRead(ref _rest, out ulong waker) || !VarInt.TryRead(ref _rest, out ulong process))
            return false;
        (_record.Blocked, _record.WokenBy, _record.WokenByProcess) = ((long)blocked, (long)waker, (int)process);
        return true;
    }

    private bool TryReadSubject(PriorCall prior, RecordParts parts)
    {
        if ((parts & RecordParts.Subject) != 0)
        {
            if (!VarInt.TryRead(ref _rest, out ulong number) || number > (ulong)_segment.Names.Count)
                return false;
            prior.SubjectBytes = number == 0 ? null : _segment.Names[(int)number - 1];
        }
        _record.Subject = prior.SubjectBytes;
        return true;
    }

    private bool TryReadMore(MoreParts more)
    {
        _record.Data = null;
        ulong sequence = VarInt.Fold(1);
        if ((more & MoreParts.Sequence) != 0 && !VarInt.TryRead(ref _rest, out sequence))
            return false;
        _record.Sequence += VarInt.Unfold(sequence);
        return ((more & MoreParts.Data) == 0 || TryReadData()) && TryReadOthers(more);
    }

    /// <summary>What the call had to do with other worlds.</summary>
    private bool TryReadOthers(MoreParts more)
    {
        (_record.Sent, _record.WokenByWorld, _record.WokenBySent) = (0, null, 0);
        if ((more & MoreParts.Sent) != 0)
        {
            if (!VarInt.TryRead(ref _rest, out ulong sent))
                return false;
            _record.Sent = (int)sent;
        }
        if ((more & MoreParts.World) == 0)
            return true;
        if (!VarInt.TryRead(ref _rest, out ulong number) || number == 0 || number > (ulong)_segment.Names.Count || !VarInt.TryRead(ref _rest, out ulong place))
            return false;
        (_record.WokenByWorld, _record.WokenBySent) = (_segment.Names[(int)number - 1], (int)place);
        return true;
    }

    private bool TryReadData()
    {
        if (!VarInt.TryRead(ref _rest, out ulong length) || length > (ulong)_rest.Length)
            return false;
        _record.Data = _rest[..(int)length].ToArray();
        _rest = _rest[(int)length..];
        return true;
    }

    private bool TryByte(out byte value)
    {
        value = 0;
        if (_rest.IsEmpty)
            return false;
        value = _rest[0];
        _rest = _rest[1..];
        return true;
    }
}
