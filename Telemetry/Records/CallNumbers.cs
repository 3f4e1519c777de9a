namespace Vivarium.Telemetry.Records;

/// <summary>
/// Something for each call number, in the order in which they came. Most programs use few numbers, and most numbers are small: those are
/// found through a table of bytes.
/// </summary>
internal sealed class CallNumbers<T>
    where T : class
{
    private const int Common = 512;

    /// <summary>Places in <see cref="_all"/> from one on; 0 = not among the first that have a byte.</summary>
    private readonly byte[] _places = new byte[Common];
    private readonly List<T> _all = [];
    private Dictionary<int, T>? _others;

    /// <summary>In the order in which they came.</summary>
    public IReadOnlyList<T> All => _all;

    public T? Find(int number)
    {
        if ((uint)number < Common && _places[number] is > 0 and var place)
            return _all[place - 1];
        return _others?.GetValueOrDefault(number);
    }

    public T Add(int number, T item)
    {
        _all.Add(item);
        if ((uint)number < Common && _all.Count <= byte.MaxValue)
            _places[number] = (byte)_all.Count;
        else
            (_others ??= []).Add(number, item);
        return item;
    }

    public void Clear()
    {
        Array.Clear(_places);
        _all.Clear();
        _others = null;
    }
}
