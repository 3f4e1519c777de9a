namespace Vivarium.Emulator.Memory.Tests;

/// <summary>Mappable bytes as the model has them: one number a page.</summary>
internal sealed class ModelObject(int pages)
{
    public ulong[] Pages { get; } = new ulong[pages];
}

/// <summary>A mapped page as the model has it.</summary>
internal sealed record ModelPage
{
    public required Protection Protection { get; set; }

    public bool IsShared { get; init; }

    public ModelObject? Object { get; init; }

    public int ObjectPage { get; init; }

    public bool WipeOnFork { get; set; }

    public bool DontFork { get; set; }

    /// <summary>What a private page was written; null while it is its backing's.</summary>
    public ulong? Own { get; set; }

    public bool IsBeyondEnd => Object is not null && ObjectPage >= Object.Pages.Length;

    public ulong Content => Own ?? (Object is null ? 0 : Object.Pages[ObjectPage]);

    public void Write(ulong value)
    {
        if (IsShared)
            Object!.Pages[ObjectPage] = value;
        else
            Own = value;
    }

    /// <summary>Belongs with the page before it to one mapping.</summary>
    public bool Continues(ModelPage before) =>
        Protection == before.Protection && IsShared == before.IsShared && ReferenceEquals(Object, before.Object) && WipeOnFork == before.WipeOnFork
        && DontFork == before.DontFork && (Object is null || ObjectPage == before.ObjectPage + 1);
}

/// <summary>The simple page table that address spaces are compared with.</summary>
internal sealed class PageTable
{
    public const ulong Base = 0x100_0000;
    public const int Count = 64;

    private readonly ModelPage?[] _pages = new ModelPage?[Count];

    public ModelPage? this[int page]
    {
        get => _pages[page];
        set => _pages[page] = value;
    }

    public static GuestAddress AddressOf(int page) => new(Base + ((ulong)page * GuestAddress.PageSize));

    public bool IsFree(int start, int count) => _pages.AsSpan(start, count).IndexOfAnyExcept((ModelPage?)null) < 0;

    public void Clear(int start, int count) => _pages.AsSpan(start, count).Clear();

    /// <summary>True when a range is mapped and of one kind, so that it can be remapped.</summary>
    public bool IsOneMapping(int start, int count)
    {
        for (int i = start; i < start + count; i++)
        {
            if (_pages[i] is not { } page || (i > start && !page.Continues(_pages[i - 1]!)))
                return false;
        }
        return true;
    }

    public PageTable Fork()
    {
        var copy = new PageTable();
        for (int i = 0; i < Count; i++)
            copy[i] = _pages[i] switch
            {
                null or { DontFork: true } => null,
                { WipeOnFork: true } page => page with { Own = null },
                { } page => page with { },
            };
        return copy;
    }
}
