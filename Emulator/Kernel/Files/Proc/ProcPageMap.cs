using System.Buffers.Binary;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/PID/pagemap: a word for each page of a process (Documentation/admin-guide/mm/pagemap.rst). Frames have no numbers here.</summary>
internal sealed class ProcPageMap(GeneratedFileSystem owner, Func<IProcessView?> view, uint user, uint group) : ProcNode(owner, FileKind.Regular, OwnerReads, user, group)
{
    private const uint OwnerReads = 0x100;
    private const int EntrySize = sizeof(ulong);

    public override Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        if (view() is not { Memory: { } memory } process)
            return Errno.ESRCH;
        if (!process.MayBeInspectedBy(call.Thread))
            return Errno.EPERM;
        file = new PageMapFile(this, path, flags, memory);
        return Errno.None;
    }

    private sealed class PageMapFile(ProcPageMap node, PathEntry path, OpenFlags flags, AddressSpace memory) : OpenFile(flags)
    {
        public override Inode Inode => node;

        public override PathEntry? Path => path;

        public override bool CanSeek => true;

        public override bool SeeksFromEnd => false;

        public override IoResult Read(Span<byte> destination)
        {
            IoResult result = ReadAt(Position, destination);
            Position += result.Count;
            return result;
        }

        /// <summary>Whole words from whole words on; nothing beyond the last user page.</summary>
        public override IoResult ReadAt(long offset, Span<byte> destination)
        {
            const long end = (1L << 47) / (long)GuestAddress.PageSize * EntrySize;
            if (offset % EntrySize != 0 || destination.Length % EntrySize != 0)
                return Errno.EINVAL;
            int done = 0;
            for (; !memory.IsGone && done < destination.Length && offset + done < end; done += EntrySize)
                BinaryPrimitives.WriteUInt64LittleEndian(destination[done..], Entry(new GuestAddress((ulong)(offset + done) / EntrySize * GuestAddress.PageSize)));
            return done;
        }

        private ulong Entry(GuestAddress page)
        {
            const ulong present = 1ul << 63, ofFile = 1ul << 61, exclusive = 1ul << 56;
            PagePlace place = memory.PlaceOf(page);
            if (place.Kind is not (PageKind.Present or PageKind.Zero))
                return 0;
            return present | (memory.IsOfObject(page) ? ofFile : 0) | (place.Kind == PageKind.Present && !place.IsShared ? exclusive : 0);
        }
    }
}
