using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

/// <summary>One random program: address spaces, each beside its page table, and objects that they map.</summary>
internal sealed class RandomMappings : IDisposable
{
    private const int MostSpaces = 3;
    private const int ObjectPages = 8;
    private const ulong PageSize = GuestAddress.PageSize;

    private static readonly Protection[] Protections =
        [Protection.None, Protection.Read, Protection.ReadWrite, Protection.ReadWrite, Protection.Read | Protection.Execute, Protection.ReadWrite | Protection.Execute];

    private readonly int _seed;
    private readonly Random _random;
    private readonly MemoryAccountant _accountant = new(1ul << 30);
    private readonly List<(AddressSpace Space, PageTable Table)> _spaces = [];
    private readonly List<(AnonymousObject Object, ModelObject Model)> _objects = [];
    private ulong _nextValue = 1;
    private readonly List<string> _history = [];
    private string _step = "";

    public RandomMappings(int seed)
    {
        _seed = seed;
        _random = new Random(seed);
        _spaces.Add((new AddressSpace(_accountant), new PageTable()));
        for (int i = 0; i < 3; i++)
        {
            var content = new AnonymousObject(_accountant);
            Assert.True(content.SetLength(ObjectPages * (long)PageSize));
            _objects.Add((content, new ModelObject(ObjectPages)));
        }
    }

    public void Step(int number)
    {
        int which = _random.Next(_spaces.Count);
        (AddressSpace space, PageTable table) = _spaces[which];
        int start = _random.Next(PageTable.Count), count = 1 + _random.Next(Math.Min(12, PageTable.Count - start));
        switch (_random.Next(16))
        {
            case <= 3:
                Map(space, table, start, count);
                break;
            case 4:
                _step = $"unmap {start}+{count}";
                Assert.Equal(MapStatus.Ok, space.Unmap(PageTable.AddressOf(start), (ulong)count * PageSize));
                table.Clear(start, count);
                break;
            case 5 or 6:
                Protect(space, table, start, count);
                break;
            case 7 or 8:
                Remap(space, table, start, count);
                break;
            case 9:
                Discard(space, table, start, count);
                break;
            case 10:
                ForkOrEnd();
                break;
            case 11:
                SetForkPolicy(space, table, start, count);
                break;
            default:
                Write(space, table, start, count);
                break;
        }
        _history.Add($"{number}: space {which}: {_step}");
        _step = $"seed {_seed}, step {number}: {_step}";
        foreach ((AddressSpace each, PageTable model) in _spaces)
            Compare(each, model);
    }

    /// <summary>All is given back.</summary>
    public void End()
    {
        foreach ((AddressSpace space, _) in _spaces)
            space.Dispose();
        _spaces.Clear();
        foreach ((AnonymousObject content, _) in _objects)
            content.Release();
        _objects.Clear();
        Assert.True(_accountant.Used == 0, $"seed {_seed}: {_accountant.Used} bytes still charged");
    }

    public void Dispose()
    {
        foreach ((AddressSpace space, _) in _spaces)
            space.Dispose();
        foreach ((AnonymousObject content, _) in _objects)
            content.Release();
    }

    private void Map(AddressSpace space, PageTable table, int start, int count)
    {
        int which = _random.Next(4) - 1;
        bool hasObject = which >= 0, isShared = hasObject && _random.Next(2) == 0;
        int offset = hasObject ? _random.Next(ObjectPages + 2) : 0;
        Protection protection = Protections[_random.Next(Protections.Length)];
        Placement placement = _random.Next(3) == 0 ? Placement.FixedNoReplace : Placement.Fixed;
        _step = $"map {start}+{count} {protection} object {which}@{offset} shared {isShared} {placement}";
        var request = new MapRequest(
            PageTable.AddressOf(start), (ulong)count * PageSize, protection, placement, isShared, hasObject ? _objects[which].Object : null, (ulong)offset * PageSize);
        MapStatus status = space.Map(request, out GuestAddress place);
        if (placement == Placement.FixedNoReplace && !table.IsFree(start, count))
        {
            Assert.Equal(MapStatus.Exists, status);
            return;
        }
        Assert.Equal(MapStatus.Ok, status);
        Assert.Equal(PageTable.AddressOf(start), place);
        for (int i = 0; i < count; i++)
            table[start + i] = new ModelPage { Protection = protection, IsShared = isShared, Object = hasObject ? _objects[which].Model : null, ObjectPage = offset + i };
    }

    private void Protect(AddressSpace space, PageTable table, int start, int count)
    {
        Protection protection = Protections[_random.Next(Protections.Length)];
        _step = $"protect {start}+{count} {protection}";
        MapStatus status = space.Protect(PageTable.AddressOf(start), (ulong)count * PageSize, protection);
        for (int i = start; i < start + count; i++)
        {
            if (table[i] is not { } page)
            {
                Assert.Equal(MapStatus.NoMemory, status);
                return;
            }
            page.Protection = protection;
        }
        Assert.Equal(MapStatus.Ok, status);
    }

    private void Remap(AddressSpace space, PageTable table, int start, int count)
    {
        int newCount = 1 + _random.Next(12), to = _random.Next(PageTable.Count - 12);
        bool moves = _random.Next(2) == 0, keeps = moves && _random.Next(4) == 0;
        if (keeps)
            newCount = count;
        _step = $"remap {start}+{count} to {(moves ? to : start)}+{newCount} keeps {keeps}";
        MapStatus status = space.Remap(
            PageTable.AddressOf(start), (ulong)count * PageSize, (ulong)newCount * PageSize, moves, moves ? PageTable.AddressOf(to) : null, keeps, out GuestAddress result);
        if (moves)
            Move(table, start, count, to, newCount, keeps, status);
        else if (newCount <= count)
        {
            Assert.Equal(table[start] is null ? MapStatus.NotMapped : MapStatus.Ok, status);
            if (status == MapStatus.Ok)
                table.Clear(start + newCount, count - newCount);
        }
        else if (!table.IsOneMapping(start, count))
            Assert.Equal(MapStatus.NotMapped, status);
        else
            Grow(table, start, count, newCount, status);
        if (status == MapStatus.Ok)
            Assert.Equal(PageTable.AddressOf(moves ? to : start), result);
    }

    private static void Grow(PageTable table, int start, int count, int newCount, MapStatus status)
    {
        int more = newCount - count, end = start + count;
        // Beyond the table nothing is mapped; a mapping that leaves it is not followed.
        bool fits = end + more <= PageTable.Count && table.IsFree(end, more);
        if (!fits)
        {
            Assert.True(status == MapStatus.NoMemory || end + more > PageTable.Count);
            if (status == MapStatus.Ok)
                Extend(table, end, PageTable.Count - end);
            return;
        }
        // An area that was frozen by a fork cannot always grow in place; mremap may say ENOMEM.
        if (status == MapStatus.Ok)
            Extend(table, end, more);
        else
            Assert.Equal(MapStatus.NoMemory, status);
    }

    private static void Extend(PageTable table, int end, int more)
    {
        for (int i = end; i < end + more; i++)
            table[i] = table[i - 1]! with { Own = null, ObjectPage = table[i - 1]!.ObjectPage + 1 };
    }

    private static void Move(PageTable table, int start, int count, int to, int newCount, bool keeps, MapStatus status)
    {
        bool overlaps = to < start + count && start < to + newCount;
        if (!table.IsOneMapping(start, count) || overlaps)
        {
            Assert.NotEqual(MapStatus.Ok, status);
            return;
        }
        Assert.Equal(MapStatus.Ok, status);
        var moved = new ModelPage[newCount];
        for (int i = 0; i < newCount; i++)
            moved[i] = i < count ? table[start + i]! with { } : moved[i - 1] with { Own = null, ObjectPage = moved[i - 1].ObjectPage + 1 };
        for (int i = start; i < start + count; i++)
            table[i] = keeps ? table[i]! with { Own = null } : null;
        table.Clear(to, newCount);
        for (int i = 0; i < newCount; i++)
            table[to + i] = moved[i];
    }

    private void Discard(AddressSpace space, PageTable table, int start, int count)
    {
        _step = $"discard {start}+{count}";
        MapStatus status = space.Discard(PageTable.AddressOf(start), (ulong)count * PageSize, Discarding.Any);
        Assert.Equal(Enumerable.Range(start, count).All(page => table[page] is not null) ? MapStatus.Ok : MapStatus.NoMemory, status);
        for (int i = start; i < start + count; i++)
        {
            if (table[i] is { IsShared: false } page)
                page.Own = null;
        }
    }

    private void SetForkPolicy(AddressSpace space, PageTable table, int start, int count)
    {
        bool value = _random.Next(2) == 0, wipes = _random.Next(2) == 0;
        _step = $"fork policy {start}+{count}: {(wipes ? "wipe" : "leave out")} {value}";
        MapStatus status = space.SetForkPolicy(PageTable.AddressOf(start), (ulong)count * PageSize, wipes ? null : value, wipes ? value : null);
        bool hole = false;
        for (int i = start; i < start + count; i++)
        {
            if (table[i] is not { } page)
            {
                hole = true;
                continue;
            }
            if (wipes && value && page.Object is not null)
            {
                Assert.Equal(MapStatus.Invalid, status);
                return;
            }
            if (wipes)
                page.WipeOnFork = value;
            else
                page.DontFork = value;
        }
        Assert.Equal(hole ? MapStatus.NoMemory : MapStatus.Ok, status);
    }

    private void ForkOrEnd()
    {
        int index = _random.Next(_spaces.Count);
        (AddressSpace space, PageTable table) = _spaces[index];
        if (_spaces.Count < MostSpaces)
        {
            _step = $"fork {index}";
            _spaces.Add((space.Fork()!, table.Fork()));
            return;
        }
        _step = $"end {index}";
        space.Dispose();
        _spaces.RemoveAt(index);
    }

    private void Write(AddressSpace space, PageTable table, int start, int count)
    {
        _step = $"write {start}+{count}";
        for (int i = start; i < start + count; i++)
        {
            ulong value = _nextValue++;
            bool written = space.TryWrite(PageTable.AddressOf(i), value) && space.TryWrite(PageTable.AddressOf(i) + PageSize - 8, value);
            bool mayWrite = table[i] is { IsBeyondEnd: false } page && (page.Protection & Protection.Write) != 0;
            Assert.True(written == mayWrite, $"{_step}: page {i}");
            if (written)
                table[i]!.Write(value);
        }
    }

    private void Compare(AddressSpace space, PageTable table)
    {
        for (int i = 0; i < PageTable.Count; i++)
        {
            GuestAddress address = PageTable.AddressOf(i);
            bool isMapped = space.TryFindArea(address, out AreaInfo area);
            Assert.True(isMapped == table[i] is not null, $"{_step}: page {i} is mapped: {isMapped}");
            if (table[i] is not { } page)
                continue;
            Assert.True(page.Protection == area.Protection && page.IsShared == area.Shared, $"{_step}: page {i} is {area.Protection}, not {page.Protection}");
            bool isReadable = space.TryRead(address, out ulong first) & space.TryRead(address + PageSize - 8, out ulong last);
            Assert.True(isReadable == (page.Protection != Protection.None && !page.IsBeyondEnd), $"{_step}: page {i} can be read: {isReadable}");
            if (isReadable)
                Assert.True(first == page.Content && last == page.Content, $"{_step}: page {i} of space {_spaces.FindIndex(each => each.Table == table)} ({area}) holds {first} and {last}, not {page.Content}\n{string.Join('\n', _history)}");
        }
    }
}
