namespace Vivarium.Emulator.Kernel.Ipc;

/// <summary>What System V objects have in common: a key, an owner, a mode (sysvipc(7)).</summary>
public abstract class IpcObject
{
    public int Id { get; internal set; }

    /// <summary>0 when only its id leads to it.</summary>
    public int Key { get; internal set; }

    public uint User { get; set; }

    public uint Group { get; set; }

    public uint CreatorUser { get; init; }

    public uint CreatorGroup { get; init; }

    public uint Mode { get; set; }

    /// <summary>Seconds since the epoch of the last change of ownership or mode.</summary>
    public long ChangeTime { get; set; }

    /// <summary>Those who still wait for it learn that it is gone.</summary>
    public bool IsRemoved { get; private set; }

    /// <summary>Everything that made it must be let go.</summary>
    public virtual void Remove() => IsRemoved = true;

    /// <summary>Permission bits wanted, in any of the three places, are in the mode; or else CAP_IPC_OWNER.</summary>
    public bool Allows(Credentials who, uint wanted)
    {
        uint requested = wanted >> 6 | wanted >> 3 | wanted, granted = Mode;
        if (who.EffectiveUser == CreatorUser || who.EffectiveUser == User)
            granted >>= 6;
        else if (IsIn(who, CreatorGroup) || IsIn(who, Group))
            granted >>= 3;
        return (requested & ~granted & 7) == 0 || who.Has(Capability.OwnIpc);
    }

    /// <summary>IPC_SET and IPC_RMID are the owner's, the creator's and the superuser's.</summary>
    public bool MayBeChangedBy(Credentials who) => who.EffectiveUser == User || who.EffectiveUser == CreatorUser || who.Has(Capability.Administer);

    private static bool IsIn(Credentials who, uint group) => who.EffectiveGroup == group || Array.IndexOf(who.Groups, group) >= 0;
}

/// <summary>The objects of one kind by id and key. Ids are not handed out again at once: a number above the index tells generations apart.</summary>
public sealed class IpcTable<T>(Setting most, Setting next)
    where T : IpcObject
{
    private const int Indices = 32_768;
    private const int GenerationShift = 15;

    private readonly SortedDictionary<int, T> _byIndex = [];
    private int _lastIndex = -1;
    private int _generation;

    public int Count => _byIndex.Count;

    public int HighestIndex => _byIndex.Count == 0 ? 0 : _byIndex.Keys.Last();

    public IEnumerable<T> All => _byIndex.Count == 0 ? [] : _byIndex.Values;

    public T? Find(int id) => id >= 0 && _byIndex.TryGetValue(id & ((1 << GenerationShift) - 1), out T? found) && found.Id == id ? found : null;

    public T? AtIndex(int index) => _byIndex.GetValueOrDefault(index);

    public T? FindKey(int key)
    {
        foreach (T each in _byIndex.Values)
        {
            if (key != 0 && each.Key == key)
                return each;
        }
        return null;
    }

    /// <summary>False when there is no room for another. An id that was asked for is given when it is free.</summary>
    public bool TryAdd(T made)
    {
        if (_byIndex.Count >= most.Value)
            return false;
        if (next.Value >= 0)
        {
            int wanted = (int)next.Value;
            next.Set(-1);
            if (!_byIndex.ContainsKey(wanted & (Indices - 1)))
            {
                Add(made, wanted);
                return true;
            }
        }
        int index = _lastIndex;
        do
        {
            index = (index + 1) % Indices;
            if (index == 0 && _lastIndex >= 0)
                _generation++;
        }
        while (_byIndex.ContainsKey(index));
        _lastIndex = index;
        Add(made, (_generation << GenerationShift) | index);
        return true;
    }

    private void Add(T made, int id)
    {
        made.Id = id;
        _byIndex.Add(id & (Indices - 1), made);
    }

    public void Remove(T gone)
    {
        _byIndex.Remove(gone.Id & ((1 << GenerationShift) - 1));
        gone.Remove();
    }
}
