using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Emulator.Memory.Host;

public sealed unsafe partial class HostTree
{
    /// <summary>Creates a directory, regular file, FIFO or socket: <paramref name="mode"/> holds S_IFMT and permission bits. Devices are refused.</summary>
    public int Make(ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name, uint mode, uint user, uint group)
    {
        uint kind = mode & 0xF000;
        if (kind is 0x2000 or 0x6000)
            return NotPermitted;
        return In(directory, name, (parent, text) =>
        {
            int error = Check(kind == 0x4000
                ? HostFileCalls.MakeDirectoryAt(parent, (byte*)text, mode & 0xFFF)
                : HostFileCalls.MakeNodeAt(parent, (byte*)text, mode, 0));
            if (error == 0)
                Adopt(parent, (byte*)text, user, group);
            return error;
        });
    }

    public int MakeSymlink(ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name, byte[] target, uint user, uint group) =>
        In(directory, name, (parent, text) =>
        {
            fixed (byte* link = CString(target))
            {
                int error = Check(HostFileCalls.MakeSymlinkAt(link, parent, (byte*)text));
                if (error == 0)
                    Adopt(parent, (byte*)text, user, group);
                return error;
            }
        });

    public int Unlink(ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name, bool isDirectory) =>
        In(directory, name, (parent, text) => Check(HostFileCalls.UnlinkAt(parent, (byte*)text, isDirectory ? HostFileCalls.RemoveDirectory : 0)));

    public int Link(ReadOnlySpan<byte> from, ReadOnlySpan<byte> name, ReadOnlySpan<byte> to, ReadOnlySpan<byte> newName) =>
        InBoth(from, name, to, newName, static (source, text, target, newText) =>
            Check(HostFileCalls.LinkAt(source, (byte*)text, target, (byte*)newText, 0)));

    /// <summary>renameat2(2); exchange is its flag 2.</summary>
    public int Rename(ReadOnlySpan<byte> from, ReadOnlySpan<byte> name, ReadOnlySpan<byte> to, ReadOnlySpan<byte> newName, bool exchange) =>
        InBoth(from, name, to, newName, (source, text, target, newText) =>
            Check(HostFileCalls.RenameAt2(source, (byte*)text, target, (byte*)newText, exchange ? 2u : 0)));

    /// <summary>Changes what is not null. Times are nanoseconds since the epoch.</summary>
    public int SetAttributes(ReadOnlySpan<byte> path, uint? mode, uint? user, uint? group, long? accessTime, long? modifyTime)
    {
        int error = Locate(path, out int descriptor);
        if (error != 0)
            return error;
        byte empty = 0;
        fixed (byte* self = DescriptorPath(descriptor))
        {
            if (user is not null || group is not null)
                error = Check(HostFileCalls.ChangeOwnerAt(descriptor, &empty, user ?? uint.MaxValue, group ?? uint.MaxValue, HostFileCalls.EmptyPath));
            if (error == 0 && mode is { } bits)
                error = Check(HostFileCalls.ChangeMode(self, bits));
            if (error == 0 && (accessTime is not null || modifyTime is not null))
            {
                HostFileCalls.Time* times = stackalloc HostFileCalls.Time[2];
                times[0] = ToTime(accessTime);
                times[1] = ToTime(modifyTime);
                error = Check(HostFileCalls.SetTimesAt(descriptor, &empty, times, HostFileCalls.EmptyPath));
            }
        }
        HostFileCalls.Close(descriptor);
        return error;
    }

    public int GetAttribute(ReadOnlySpan<byte> path, ReadOnlySpan<byte> name, out byte[]? value)
    {
        byte[] text = CString(name);
        return Attribute(path, (self, buffer, size) =>
        {
            fixed (byte* key = text)
                return HostFileCalls.GetAttribute((byte*)self, key, (byte*)buffer, (nuint)size);
        }, out value);
    }

    public int ListAttributes(ReadOnlySpan<byte> path, out byte[]? names) =>
        Attribute(path, static (self, buffer, size) => HostFileCalls.ListAttributes((byte*)self, (byte*)buffer, (nuint)size), out names);

    private int Attribute(ReadOnlySpan<byte> path, Func<nint, nint, nint, nint> call, out byte[]? value)
    {
        value = null;
        int error = Locate(path, out int descriptor);
        if (error != 0)
            return error;
        byte[] buffer = new byte[65536];
        fixed (byte* self = DescriptorPath(descriptor))
        fixed (byte* start = buffer)
        {
            nint length = call((nint)self, (nint)start, buffer.Length);
            error = length < 0 ? Marshal.GetLastPInvokeError() : 0;
            if (length >= 0)
                value = buffer[..(int)length];
        }
        HostFileCalls.Close(descriptor);
        return error;
    }

    private static HostFileCalls.Time ToTime(long? nanoseconds)
    {
        const long Omit = 0x3FFFFFFE; // UTIME_OMIT
        if (nanoseconds is not { } value)
            return new HostFileCalls.Time { Nanoseconds = Omit };
        long seconds = Math.DivRem(value, 1_000_000_000, out long rest);
        return rest < 0
            ? new HostFileCalls.Time { Seconds = seconds - 1, Nanoseconds = rest + 1_000_000_000 }
            : new HostFileCalls.Time { Seconds = seconds, Nanoseconds = rest };
    }

    /// <summary>New files belong to whoever made them in the guest, as far as the host lets us.</summary>
    private static void Adopt(int parent, byte* name, uint user, uint group) =>
        HostFileCalls.ChangeOwnerAt(parent, name, user, group, HostFileCalls.SymlinkNoFollow);

    private int In(ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name, Func<int, nint, int> action)
    {
        int error = Locate(directory, out int parent);
        if (error != 0)
            return error;
        fixed (byte* text = CString(name))
            error = action(parent, (nint)text);
        HostFileCalls.Close(parent);
        return error;
    }

    private int InBoth(ReadOnlySpan<byte> from, ReadOnlySpan<byte> name, ReadOnlySpan<byte> to, ReadOnlySpan<byte> newName, Func<int, nint, int, nint, int> action)
    {
        int error = Locate(from, out int source);
        if (error != 0)
            return error;
        error = Locate(to, out int target);
        if (error == 0)
        {
            fixed (byte* text = CString(name), newText = CString(newName))
                error = action(source, (nint)text, target, (nint)newText);
            HostFileCalls.Close(target);
        }
        HostFileCalls.Close(source);
        return error;
    }

    private static byte[] DescriptorPath(int descriptor) => CString(Encoding.ASCII.GetBytes($"/proc/self/fd/{descriptor}"));
}
