using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Tracing;

/// <summary>How tracers read and write a traced process's memory: past its protections, as breakpoints need (ptrace(2), proc(5) mem).</summary>
public static class AddressSpaceTracing
{
    public static bool TryPeek<T>(this AddressSpace memory, GuestAddress address, out T value)
        where T : unmanaged
    {
        value = default;
        Span<byte> bytes = System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<T>(ref value));
        return memory.Peek(address, bytes) == bytes.Length;
    }

    /// <summary>Reads what is mapped; returns how many bytes before the first hole.</summary>
    public static int Peek(this AddressSpace memory, GuestAddress address, Span<byte> destination) => Move(memory, address, destination, default, writes: false);

    public static bool TryPoke(this AddressSpace memory, GuestAddress address, ReadOnlySpan<byte> source) => memory.Poke(address, source) == source.Length;

    /// <summary>Writes to what is mapped, private pages of programs too; returns how many bytes before the first hole.</summary>
    public static int Poke(this AddressSpace memory, GuestAddress address, ReadOnlySpan<byte> source) => Move(memory, address, default, source, writes: true);

    private static int Move(AddressSpace memory, GuestAddress address, Span<byte> into, ReadOnlySpan<byte> from, bool writes)
    {
        int length = writes ? from.Length : into.Length, done = 0;
        while (done < length)
        {
            GuestAddress at = address + (ulong)done;
            if (!memory.TryFindArea(at, out AreaInfo area))
                break;
            int count = (int)Math.Min((ulong)(length - done), GuestAddress.PageSize - (at.Value % GuestAddress.PageSize));
            var page = new GuestAddress(at.Value & ~(GuestAddress.PageSize - 1));
            Protection needed = area.Protection | Protection.Read | (writes ? Protection.Write : 0);
            // Writing to a shared mapping that may not be written would change the file.
            if (writes && area.Shared && (area.Protection & Protection.Write) == 0)
                break;
            bool isLifted = needed != area.Protection;
            if (isLifted && memory.Protect(page, GuestAddress.PageSize, needed) != MapStatus.Ok)
                break;
            bool moved = writes ? memory.TryWrite(at, from.Slice(done, count)) : memory.TryRead(at, into.Slice(done, count));
            if (isLifted)
                memory.Protect(page, GuestAddress.PageSize, area.Protection);
            if (!moved)
                break;
            done += count;
        }
        return done;
    }
}
