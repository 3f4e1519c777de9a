using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Emulator.Kernel.Net.Tcp;

/// <summary>Which calls wrote what a connection has not had acknowledged: it may be sent long after they ended.</summary>
internal sealed class TcpWriters
{
    /// <summary>Calls that are told apart; what more of them wrote is the last one's.</summary>
    private const int Most = 64;

    /// <summary>Up to which sequence number, and the call; in order.</summary>
    private readonly List<(uint End, CallOrigin Writer)> _writers = [];
    private CallOrigin? _last;

    /// <summary>The call that ended the stream.</summary>
    public CallOrigin? Closer { get; set; }

    /// <summary>What was written reaches to here; without a call it was what the last one had written before there was room.</summary>
    public void Add(uint end, CallOrigin? writer)
    {
        if ((writer ?? _last) is not { } call)
            return;
        _last = call;
        if (_writers.Count == Most || (_writers.Count > 0 && _writers[^1].Writer.Sequence == call.Sequence))
            _writers[^1] = (end, call);
        else
            _writers.Add((end, call));
    }

    /// <summary>Who wrote the byte of a sequence number; null = it is not known.</summary>
    public CallOrigin? Of(uint sequence)
    {
        foreach ((uint end, CallOrigin writer) in _writers)
        {
            if (unchecked((int)(end - sequence)) > 0)
                return writer;
        }
        return null;
    }

    /// <summary>Forgets what was acknowledged.</summary>
    public void RemoveBefore(uint sequence)
    {
        int count = 0;
        while (count < _writers.Count && unchecked((int)(_writers[count].End - sequence)) <= 0)
            count++;
        _writers.RemoveRange(0, count);
    }
}
