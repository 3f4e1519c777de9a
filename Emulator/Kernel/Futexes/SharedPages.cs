using System.Runtime.CompilerServices;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Futexes;

/// <summary>
/// Pages of shared memory that stand for places in memory: where a C library keeps objects that processes share, whose own place is too small for
/// them (FreeBSD's UMTX_OP_SHM). One is kept until it is given up, or the memory that it stands for is gone.
/// </summary>
public sealed class SharedPages
{
    private readonly ConditionalWeakTable<object, Dictionary<ulong, OpenFile>> _pages = [];
    private readonly ConditionalWeakTable<object, object> _givenUp = [];

    /// <summary>Opens the page of a place: ESRCH when it has none and none is to be made.</summary>
    public Errno Open(CallContext call, (object Key, ulong Offset) place, bool makes, out OpenFile? file)
    {
        file = null;
        Dictionary<ulong, OpenFile> pages = _pages.GetOrCreateValue(place.Key);
        if (!pages.TryGetValue(place.Offset, out OpenFile? page))
        {
            Errno error = makes ? Make(call, out page) : Errno.ESRCH;
            if (error != Errno.None)
                return error;
            pages.Add(place.Offset, page!);
        }
        return page!.Inode.Open(page.Path!, OpenFlags.ReadWrite, call, out file);
    }

    /// <summary>Gives up the page of a place; who has it open or mapped keeps it. ESRCH: it has none.</summary>
    public Errno GiveUp((object Key, ulong Offset) place)
    {
        if (!_pages.TryGetValue(place.Key, out Dictionary<ulong, OpenFile>? pages) || !pages.Remove(place.Offset, out OpenFile? page))
            return Errno.ESRCH;
        if (page.Inode.MapContent(forWriting: true, out MemoryObject? content) == Errno.None && content is not null)
            _givenUp.AddOrUpdate(content, this);
        page.Release();
        return Errno.None;
    }

    /// <summary>Whether memory is of a page that was given up.</summary>
    public bool WasGivenUp(object key) => _givenUp.TryGetValue(key, out _);

    private static Errno Make(CallContext call, out OpenFile? page)
    {
        page = null;
        Vfs vfs = call.World.Vfs;
        FileCredentials credentials = call.Thread.FileCredentials;
        NodeSpec spec = new(FileKind.Regular, 0x180, credentials.User, credentials.Group, IsNeverNamed: true);
        Errno error = vfs.UnnamedFiles!.Root.MakeUnnamed(spec, out Inode? inode);
        if (error == Errno.None)
            error = inode!.Open(vfs.Unnamed(inode, [.. "umtx"u8]), OpenFlags.ReadWrite, call, out page);
        return error == Errno.None ? Vfs.Resize(credentials, inode!, page!.Path, (long)GuestAddress.PageSize) : error;
    }
}
