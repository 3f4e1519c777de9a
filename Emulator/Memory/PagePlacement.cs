namespace Vivarium.Emulator.Memory;

/// <summary>Which node of memory each page of a space, or of an object, was taken from; pages that nobody asked about have none yet.</summary>
internal sealed class PagePlacement(int nodes)
{
    private readonly PageRuns[] _onNode = [.. Enumerable.Range(0, nodes).Select(static _ => new PageRuns())];
    private PageRuns _placed = new();

    public bool IsPlaced(ulong address) => _placed.Contains(address);

    /// <summary>Where that changes.</summary>
    public ulong EndOf(ulong address) => _placed.EndOf(address);

    public int? NodeOf(ulong address)
    {
        for (int node = 0; node < _onNode.Length; node++)
        {
            if (_onNode[node].Contains(address))
                return node;
        }
        return null;
    }

    public void Place(ulong start, ulong end, int node)
    {
        Forget(start, end);
        _placed.Add(start, end);
        _onNode[node].Add(start, end);
    }

    public void Forget(ulong start, ulong end)
    {
        if (start >= end)
            return;
        _placed.Remove(start, end);
        foreach (PageRuns runs in _onNode)
            runs.Remove(start, end);
    }

    public void Move(ulong start, ulong end, ulong target)
    {
        _placed.Move(start, end, target);
        foreach (PageRuns runs in _onNode)
            runs.Move(start, end, target);
    }

    public PagePlacement Copy()
    {
        var copy = new PagePlacement(_onNode.Length) { _placed = _placed.Copy() };
        for (int node = 0; node < _onNode.Length; node++)
            copy._onNode[node] = _onNode[node].Copy();
        return copy;
    }
}
