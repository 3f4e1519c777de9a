namespace Vivarium.Actors.Storage;

/// <summary>
/// Writes what many callers bring in few transactions: the first item is written at once, and all that come while a write is under
/// way go into the next. Takes no thread of its own: a write is begun by whoever brought an item, or by the end of the one before.
/// </summary>
/// <param name="write">Writes a batch, in order. False: not now; the same batch is written again after <see cref="Retry"/>.</param>
/// <param name="largest">Items of one batch at most.</param>
public sealed class GroupCommit<T>(Func<IReadOnlyList<T>, ValueTask<bool>> write, int largest = 2048)
{
    private readonly Lock _lock = new();
    private List<T> _waiting = [];
    private IReadOnlyList<T>? _refused;
    private bool _isWriting;

    public void Add(T item)
    {
        lock (_lock)
        {
            _waiting.Add(item);
            if (_isWriting || _refused is not null)
                return;
            _isWriting = true;
        }
        WriteAll();
    }

    /// <summary>Writes a batch again that could not be written, if there is one.</summary>
    public void Retry()
    {
        lock (_lock)
        {
            if (_isWriting || _refused is null)
                return;
            _isWriting = true;
        }
        WriteAll();
    }

    private void WriteAll()
    {
        while (Take() is { } batch)
        {
            ValueTask<bool> writing = write(batch);
            if (!writing.IsCompleted)
            {
                System.Runtime.CompilerServices.ValueTaskAwaiter<bool> end = writing.GetAwaiter();
                end.UnsafeOnCompleted(() =>
                {
                    if (Keep(batch, end.GetResult()))
                        WriteAll();
                });
                return;
            }
            if (!Keep(batch, writing.Result))
                return;
        }
    }

    private IReadOnlyList<T>? Take()
    {
        lock (_lock)
        {
            if (_refused is { } again)
            {
                _refused = null;
                return again;
            }
            if (_waiting.Count == 0)
            {
                _isWriting = false;
                return null;
            }
            List<T> batch = _waiting;
            _waiting = batch.Count > largest ? batch[largest..] : [];
            return batch.Count > largest ? batch[..largest] : batch;
        }
    }

    private bool Keep(IReadOnlyList<T> batch, bool isWritten)
    {
        if (isWritten)
            return true;
        lock (_lock)
        {
            _refused = batch;
            _isWriting = false;
        }
        return false;
    }
}
