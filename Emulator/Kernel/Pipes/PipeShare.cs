namespace Vivarium.Emulator.Kernel.Pipes;

/// <summary>Pages of pipes, by user (pipe(7), "/proc files").</summary>
public sealed class PipePages(KernelSettings settings)
{
    private const int Usual = Pipe.DefaultCapacity / Pipe.PageSize;

    /// <summary>What a pipe gets whose maker has too many pages already.</summary>
    private const int Fewest = 2;

    private readonly Dictionary<uint, long> _used = [];

    /// <summary>The part of a new pipe, of as many pages as its maker may have; null when it may have none (ENFILE).</summary>
    public PipeShare? Begin(Credentials maker)
    {
        bool isFree = IsFree(maker);
        int pages = maker.Has(Capability.Resource) ? Usual : (int)Math.Clamp(settings.PipeSize.Value / Pipe.PageSize, 1, Usual);
        if (!isFree && IsBeyond(settings.PipePagesSoft, maker.User, pages))
            pages = Fewest;
        if (!isFree && IsBeyond(settings.PipePagesHard, maker.User, pages))
            return null;
        var share = new PipeShare(this, maker.User);
        share.Become(pages);
        return share;
    }

    /// <summary>May a pipe grow by so many pages (F_SETPIPE_SZ)?</summary>
    public bool MayGrow(Credentials who, uint payer, int pages) =>
        IsFree(who) || !(IsBeyond(settings.PipePagesSoft, payer, pages) || IsBeyond(settings.PipePagesHard, payer, pages));

    private static bool IsFree(Credentials who) => who.Has(Capability.Resource) || who.Has(Capability.Administer);

    private bool IsBeyond(Setting limit, uint user, int more) => limit.Value != 0 && _used.GetValueOrDefault(user) + more > limit.Value;

    internal void Add(uint user, int pages)
    {
        long used = _used.GetValueOrDefault(user) + pages;
        if (used == 0)
            _used.Remove(user);
        else
            _used[user] = used;
    }
}

/// <summary>The pages of one pipe, counted for its maker until it is closed.</summary>
public sealed class PipeShare(PipePages pages, uint user)
{
    public uint User => user;

    public int Pages { get; private set; }

    internal void Become(int wanted)
    {
        pages.Add(user, wanted - Pages);
        Pages = wanted;
    }

    internal void End() => Become(0);
}
