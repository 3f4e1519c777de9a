namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>
/// What a tmpfs may hold (tmpfs(5)): pages, inodes, and what its quotas say. As in mm/shmem.c each name but a file's first counts as
/// an inode of its own, and a limit of 0 is none.
/// </summary>
public sealed class TemporarySpace
{
    private const ulong PageSize = 4096;

    /// <summary>Files that are mapped to be written: pages come into being there without a call.</summary>
    private readonly List<MemoryFile> _mapped = [];

    public ulong MaxPages { get; set; }

    public ulong MaxInodes { get; set; }

    public ulong UsedPages { get; private set; }

    /// <summary>The root is one.</summary>
    public ulong UsedInodes { get; private set; } = 1;

    public QuotaBook? Users { get; init; }

    public QuotaBook? Groups { get; init; }

    public ulong FreePages
    {
        get
        {
            foreach (MemoryFile file in _mapped.ToArray())
                file.CountMapped();
            return MaxPages == 0 ? ulong.MaxValue : MaxPages - Math.Min(MaxPages, UsedPages);
        }
    }

    /// <summary>Room for a new file (ENOSPC, EDQUOT).</summary>
    internal Errno TryAddInode(uint user, uint group)
    {
        if (MaxInodes != 0 && UsedInodes >= MaxInodes)
            return Errno.ENOSPC;
        if (!TryCharge(user, group, 0, 1))
            return Errno.EDQUOT;
        UsedInodes++;
        return Errno.None;
    }

    internal void RemoveInode(uint user, uint group)
    {
        UsedInodes--;
        Discharge(user, group, 0, 1);
    }

    /// <summary>Room for another name of a file, which belongs to nobody's quota.</summary>
    internal bool TryAddName()
    {
        if (MaxInodes != 0 && UsedInodes >= MaxInodes)
            return false;
        UsedInodes++;
        return true;
    }

    internal void RemoveName() => UsedInodes--;

    internal Errno TryAddPages(uint user, uint group, ulong pages)
    {
        if (MaxPages != 0 && pages > FreePages)
            return Errno.ENOSPC;
        if (!TryCharge(user, group, pages * PageSize, 0))
            return Errno.EDQUOT;
        UsedPages += pages;
        return Errno.None;
    }

    /// <summary>Counts pages that are there already, whatever the limits say.</summary>
    internal void AddPages(uint user, uint group, ulong pages)
    {
        UsedPages += pages;
        AddAnyhow(Users, user, pages);
        AddAnyhow(Groups, group, pages);
    }

    private static void AddAnyhow(QuotaBook? book, uint id, ulong pages)
    {
        if (book is null)
            return;
        Quota quota = book.Of(id);
        quota.Bytes += pages * PageSize;
        book.Watch(quota);
    }

    internal void RemovePages(uint user, uint group, ulong pages)
    {
        UsedPages -= pages;
        Discharge(user, group, pages * PageSize, 0);
    }

    /// <summary>A file with its pages gets another owner; false is EDQUOT.</summary>
    internal bool TryGive((uint User, uint Group) from, (uint User, uint Group) to, ulong pages)
    {
        ulong bytes = pages * PageSize;
        if (from.User != to.User && Users?.TryAdd(to.User, bytes, 1) == false)
            return false;
        if (from.Group != to.Group && Groups?.TryAdd(to.Group, bytes, 1) == false)
        {
            if (from.User != to.User)
                Users?.Remove(to.User, bytes, 1);
            return false;
        }
        if (from.User != to.User)
            Users?.Remove(from.User, bytes, 1);
        if (from.Group != to.Group)
            Groups?.Remove(from.Group, bytes, 1);
        return true;
    }

    internal void Watch(MemoryFile file)
    {
        if (!_mapped.Contains(file))
            _mapped.Add(file);
    }

    internal void Forget(MemoryFile file) => _mapped.Remove(file);

    private bool TryCharge(uint user, uint group, ulong bytes, ulong files)
    {
        if (Users?.TryAdd(user, bytes, files) == false)
            return false;
        if (Groups?.TryAdd(group, bytes, files) != false)
            return true;
        Users?.Remove(user, bytes, files);
        return false;
    }

    private void Discharge(uint user, uint group, ulong bytes, ulong files)
    {
        Users?.Remove(user, bytes, files);
        Groups?.Remove(group, bytes, files);
    }
}
