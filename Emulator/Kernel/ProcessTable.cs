namespace Vivarium.Emulator.Kernel;

/// <summary>
/// A world's processes in order of id. A new id is nearly always the highest, so it goes to the end. Like any list it may not change
/// while it is walked: <see cref="Snapshot"/> is for that.
/// </summary>
internal sealed class ProcessTable
{
    private readonly List<Process> _processes = [];

    public Process? Find(int id)
    {
        int place = PlaceOf(id);
        return place < _processes.Count && _processes[place].Id == id ? _processes[place] : null;
    }

    public void Add(Process process) => _processes.Insert(PlaceOf(process.Id), process);

    public void Remove(int id)
    {
        int place = PlaceOf(id);
        if (place < _processes.Count && _processes[place].Id == id)
            _processes.RemoveAt(place);
    }

    public Process[] Snapshot() => _processes.ToArray();

    public List<Process>.Enumerator GetEnumerator() => _processes.GetEnumerator();

    /// <summary>The first place whose id is not lower.</summary>
    private int PlaceOf(int id)
    {
        int low = 0, high = _processes.Count;
        if (high == 0 || _processes[high - 1].Id < id)
            return high;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_processes[middle].Id < id)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
