using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Nodes.Cluster;

/// <summary>Puts a page of output together from chunks read in order.</summary>
internal sealed class OutputPageBuilder(int attempt, long offset, int limit, JobState state)
{
    private readonly List<OutputChunk> _chunks = [];
    private int _size;

    public long Next { get; private set; } = offset;

    /// <summary>Adds a chunk; false when the page is full without it.</summary>
    public bool Add(long position, short stream, byte[] bytes)
    {
        var chunk = new OutputChunk(position, (OutputStream)stream, bytes);
        if (chunk.End <= Next)
            return true;
        // A gap is a chunk that is not written yet: what follows it is for later.
        if (chunk.Offset > Next || (_chunks.Count > 0 && _size + bytes.Length > limit))
            return false;
        chunk = chunk.From(Next);
        _chunks.Add(chunk);
        _size += chunk.Bytes.Length;
        Next = chunk.End;
        return true;
    }

    public OutputPage Build() => new(attempt, _chunks, Next, state);
}
