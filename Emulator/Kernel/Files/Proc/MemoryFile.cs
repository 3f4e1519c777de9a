using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/PID/mem: a process's memory as a file, past its protections (proc(5)); for those who may trace it.</summary>
internal sealed class ProcMemory(GeneratedFileSystem owner, Func<IProcessView?> view, uint user, uint group) : ProcNode(owner, FileKind.Regular, OwnerReadsAndWrites, user, group)
{
    private const uint OwnerReadsAndWrites = 0x180;

    public override Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        if (view() is not { Memory: { } memory } process)
            return Errno.ESRCH;
        if (!process.MayBeInspectedBy(call.Thread))
            return Errno.EACCES;
        file = new MemoryFile(this, path, flags, memory);
        return Errno.None;
    }

    private AddressSpace? Current => view()?.Memory;

    private sealed class MemoryFile(ProcMemory node, PathEntry path, OpenFlags flags, AddressSpace memory) : OpenFile(flags)
    {
        public override Inode Inode => node;

        public override PathEntry? Path => path;

        public override bool CanSeek => true;

        public override bool SeeksFromEnd => false;

        /// <summary>The memory of when it was opened: another program's is not to be seen.</summary>
        private bool IsGone => !ReferenceEquals(node.Current, memory);

        public override IoResult Read(Span<byte> destination)
        {
            IoResult result = ReadAt(Position, destination);
            Position += result.Count;
            return result;
        }

        public override IoResult Write(ReadOnlySpan<byte> source)
        {
            IoResult result = WriteAt(Position, source);
            Position += result.Count;
            return result;
        }

        public override IoResult ReadAt(long offset, Span<byte> destination) =>
            IsGone || destination.IsEmpty ? 0 : Moved(memory.Peek(new GuestAddress((ulong)offset), destination));

        public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source) =>
            IsGone || source.IsEmpty ? 0 : Moved(memory.Poke(new GuestAddress((ulong)offset), source));

        private static IoResult Moved(int count) => count == 0 ? Errno.EIO : count;
    }
}
