using System.Text;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Actors.Storage;

/// <summary>Queries and images of the store in memory: plain scans.</summary>
public sealed partial class MemoryJobStore
{
    private readonly Dictionary<string, ImageRecord> _images = [];
    private readonly Dictionary<string, List<ReadOnlyMemory<byte>>> _blobs = [];
    private readonly Dictionary<string, long> _imageUses = [];

    public ValueTask<JobRecord?> Find(JobId job)
    {
        lock (_lock)
            return new ValueTask<JobRecord?>(_jobs.GetValueOrDefault(job)?.Record);
    }

    public ValueTask<JobPage> List(JobQuery query)
    {
        lock (_lock)
        {
            IEnumerable<JobRecord> jobs = _bySequence.OfType<Entry>().Select(static job => job.Record).Where(job => Matches(job, query));
            if (query.NewestFirst)
                jobs = jobs.Reverse();
            if (query.After is { } after)
                jobs = jobs.Where(job => query.NewestFirst ? job.Sequence < after : job.Sequence > after);
            JobSummary[] found = [.. jobs.Take(query.Limit + 1).Select(static job => job.Summary)];
            JobPage page = found.Length > query.Limit
                ? new JobPage(found[..query.Limit], found[query.Limit - 1].Sequence)
                : new JobPage(found, null);
            return new ValueTask<JobPage>(page);
        }
    }

    public ValueTask<IReadOnlyDictionary<JobState, long>> Count(IReadOnlyDictionary<string, string>? labels = null)
    {
        var query = new JobQuery { Labels = labels };
        lock (_lock)
        {
            Dictionary<JobState, long> counts = _bySequence.OfType<Entry>().Where(job => Matches(job.Record, query))
                .GroupBy(static job => job.Record.Lifecycle.State)
                .ToDictionary(static group => group.Key, static group => (long)group.Count());
            return new ValueTask<IReadOnlyDictionary<JobState, long>>(counts);
        }
    }

    public ValueTask<IReadOnlyList<RecordedEvent>> ReadJournal(JobId job)
    {
        lock (_lock)
            return new ValueTask<IReadOnlyList<RecordedEvent>>(_jobs.TryGetValue(job, out Entry? entry) ? [.. entry.Journal] : []);
    }

    public ValueTask<OutputPage?> ReadOutput(JobId job, int attempt, long offset, int limit)
    {
        lock (_lock)
        {
            if (!_jobs.TryGetValue(job, out Entry? entry))
                return new ValueTask<OutputPage?>((OutputPage?)null);
            List<OutputChunk> chunks = [];
            int latest = entry.Record.Lifecycle.Attempts;
            long next = latest == attempt ? offset : 0;
            int size = 0;
            foreach (OutputChunk chunk in entry.Attempt == latest ? entry.Chunks : [])
            {
                if (chunk.End <= next)
                    continue;
                if (chunks.Count > 0 && size + chunk.Bytes.Length > limit)
                    break;
                OutputChunk part = chunk.From(next);
                chunks.Add(part);
                size += part.Bytes.Length;
                next = part.End;
            }
            return new ValueTask<OutputPage?>(new OutputPage(latest, chunks, next, entry.Record.Lifecycle.State));
        }
    }

    public ValueTask<ImageRecord?> FindImage(string reference)
    {
        lock (_lock)
            return new ValueTask<ImageRecord?>(_images.GetValueOrDefault(reference) ?? _images.Values.FirstOrDefault(image => image.Tag == reference));
    }

    public ValueTask<bool> UseImage(string hash)
    {
        lock (_lock)
        {
            _imageUses[hash] = _now();
            return new ValueTask<bool>(_images.ContainsKey(hash));
        }
    }

    public ValueTask<IReadOnlyList<ImageRecord>> ListImages()
    {
        lock (_lock)
            return new ValueTask<IReadOnlyList<ImageRecord>>([.. _images.Values.OrderByDescending(static image => image.CreatedAt)]);
    }

    public ValueTask<long> BlobLength(string hash)
    {
        lock (_lock)
            return new ValueTask<long>(Length(hash));
    }

    public ValueTask WriteBlob(string hash, long offset, ReadOnlyMemory<byte> piece)
    {
        lock (_lock)
        {
            if (!_blobs.TryGetValue(hash, out List<ReadOnlyMemory<byte>>? pieces))
                _blobs.Add(hash, pieces = []);
            if (offset == pieces.Count * (long)IImageStore.LargestPiece)
                pieces.Add(piece.ToArray());
            _imageUses[hash] = _now();
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<ReadOnlyMemory<byte>> ReadBlob(string hash, long offset)
    {
        lock (_lock)
        {
            int index = (int)(offset / IImageStore.LargestPiece);
            bool isThere = _blobs.TryGetValue(hash, out List<ReadOnlyMemory<byte>>? pieces) && index < pieces.Count
                && offset == index * (long)IImageStore.LargestPiece;
            return new ValueTask<ReadOnlyMemory<byte>>(isThere ? pieces![index] : default);
        }
    }

    public ValueTask<bool> PutImage(ImageRecord image)
    {
        lock (_lock)
        {
            if (Length(image.Hash) != image.Length)
                return new ValueTask<bool>(false);
            foreach (ImageRecord other in _images.Values.Where(other => image.Tag is not null && other.Tag == image.Tag).ToArray())
                _images[other.Hash] = other with { Tag = null };
            _images[image.Hash] = image;
            _imageUses[image.Hash] = _now();
            return new ValueTask<bool>(true);
        }
    }

    public ValueTask<bool> RemoveImage(string hash)
    {
        lock (_lock)
        {
            _blobs.Remove(hash);
            _imageUses.Remove(hash);
            return new ValueTask<bool>(_images.Remove(hash));
        }
    }

    private long Length(string hash) => _blobs.TryGetValue(hash, out List<ReadOnlyMemory<byte>>? pieces) ? pieces.Sum(static piece => (long)piece.Length) : 0;

    private static bool Matches(JobRecord job, JobQuery query) =>
        (query.States is null || query.States.Contains(job.Lifecycle.State))
        && (query.Node is null || query.Node == job.Lifecycle.Node)
        && (query.Name is null || query.Name == job.Lifecycle.Spec!.Name)
        && (query.Words is null || Holds(job.Lifecycle.Spec!, query.Words))
        && (query.Labels is null || query.Labels.All(label => job.Lifecycle.Spec!.Labels.TryGetValue(label.Key, out string? value) && value == label.Value));

    private static bool Holds(JobSpec spec, IReadOnlyList<string> words)
    {
        byte[] written = WireFormat.Write(spec);
        return words.All(word => written.AsSpan().IndexOf(Encoding.UTF8.GetBytes(word)) >= 0);
    }
}
