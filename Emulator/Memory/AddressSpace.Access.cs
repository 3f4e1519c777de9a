using System.Runtime.CompilerServices;

namespace Vivarium.Emulator.Memory;

/// <summary>The kernel's accesses: checked against the areas, so that no guest address makes the host fault.</summary>
public sealed unsafe partial class AddressSpace
{
    public bool TryRead(GuestAddress address, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            Span<byte> view = View(address, (ulong)destination.Length, MemoryAccess.Read);
            if (view.IsEmpty)
                return false;
            view.CopyTo(destination);
            destination = destination[view.Length..];
            address += (ulong)view.Length;
        }
        return true;
    }

    public bool TryWrite(GuestAddress address, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            Span<byte> view = View(address, (ulong)source.Length, MemoryAccess.Write);
            if (view.IsEmpty)
                return false;
            source[..view.Length].CopyTo(view);
            source = source[view.Length..];
            address += (ulong)view.Length;
        }
        return true;
    }

    public bool TryRead<T>(GuestAddress address, out T value)
        where T : unmanaged
    {
        Unsafe.SkipInit(out value);
        if (TryRead(address, new Span<byte>(Unsafe.AsPointer(ref value), sizeof(T))))
            return true;
        value = default;
        return false;
    }

    public bool TryWrite<T>(GuestAddress address, in T value)
        where T : unmanaged
    {
        fixed (T* source = &value)
            return TryWrite(address, new ReadOnlySpan<byte>(source, sizeof(T)));
    }

    /// <summary>
    /// A direct view of guest memory for copying without a buffer: a prefix of the range that is accessible and in one area (the
    /// caller goes on behind it; empty means EFAULT). Valid until the next change of mappings.
    /// </summary>
    public Span<byte> View(GuestAddress address, ulong length, MemoryAccess access)
    {
        if (address.Value >= _limit || length == 0)
            return default;
        Area? area = _areas.Find(address.Value);
        if (area is null && TryGrowStack(address.Value))
            area = _areas.Find(address.Value);
        if (area is null || !Allows(area, access))
            return default;
        ulong end = Math.Min(area.End, address.Value + Math.Min(length, int.MaxValue));
        if (HasMonitors && IsWatched(area) && !Limit(area, address.Value, access, ref end))
            return default;
        if (area.Untouched)
        {
            if (!TryTouch(area, address.Value))
                return default;
            area = _areas.Find(address.Value)!;
            end = Math.Min(end, area.End);
        }
        if (area.Object is { } content)
            end = Math.Min(end, EndOfContent(area, content));
        if (end <= address.Value)
            return default;
        if (access == MemoryAccess.Write)
            ReleaseWatch(address.Value, end - address.Value);
        return new Span<byte>(_base + address.Value, (int)(end - address.Value));
    }

    /// <summary>Bytes up to a NUL; null when it faults first; <paramref name="tooLong"/> when there is no NUL within <paramref name="limit"/> bytes.</summary>
    public byte[]? ReadCString(GuestAddress address, int limit, out bool tooLong)
    {
        tooLong = false;
        int length = 0;
        GuestAddress at = address;
        while (length < limit)
        {
            Span<byte> view = View(at, (ulong)(limit - length), MemoryAccess.Read);
            if (view.IsEmpty)
                return null;
            int end = view.IndexOf((byte)0);
            if (end >= 0)
            {
                byte[] text = new byte[length + end];
                return TryRead(address, text) ? text : null;
            }
            length += view.Length;
            at += (ulong)view.Length;
        }
        tooLong = true;
        return null;
    }

    private static bool Allows(Area area, MemoryAccess access)
    {
        // x86 pages that can be written or run can be read.
        Protection needed = access switch
        {
            MemoryAccess.Write => Protection.Write,
            MemoryAccess.Execute => Protection.Execute,
            _ => Protection.Read | Protection.Write | Protection.Execute,
        };
        return (area.Protection & needed) != 0;
    }

    /// <summary>The address behind the last page of a file mapping that has content; beyond it the host raises SIGBUS.</summary>
    private static ulong EndOfContent(Area area, MemoryObject content)
    {
        ulong length = ((ulong)content.Length + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
        return length <= area.Offset ? area.Start : area.Start + Math.Min(area.Length, length - area.Offset);
    }
}
