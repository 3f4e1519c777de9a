using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>One fact: its name, its numbers, and the bytes that it is.</summary>
internal sealed record SysctlNode(string Name, int[] Numbers, Func<CallContext, byte[]> Value)
{
    public static SysctlNode Number(string name, int[] numbers, Func<CallContext, int> value) => new(name, numbers, call =>
    {
        byte[] bytes = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value(call));
        return bytes;
    });

    public static SysctlNode Wide(string name, int[] numbers, Func<CallContext, long> value) => new(name, numbers, call =>
    {
        byte[] bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value(call));
        return bytes;
    });

    public static SysctlNode Text(string name, int[] numbers, Func<CallContext, string> value) =>
        new(name, numbers, call => [.. Encoding.UTF8.GetBytes(value(call)), 0]);
}

/// <summary>A system's facts (sysctl(3)), by number and by name.</summary>
internal sealed class SysctlTree(SysctlNode[] nodes)
{
    public SysctlNode? Find(string name) => Array.Find(nodes, node => node.Name == name);

    public SysctlNode? Find(int[] numbers) => Array.Find(nodes, node => node.Numbers.AsSpan().SequenceEqual(numbers));

    /// <summary>The numbers and names right below a place in the tree.</summary>
    public IReadOnlyList<(int Number, string Name)> Below(int[] above) =>
    [
        .. nodes.Where(node => node.Numbers.Length > above.Length && node.Numbers.AsSpan(0, above.Length).SequenceEqual(above))
            .Select(node => (node.Numbers[above.Length], node.Name.Split('.')[above.Length])).Distinct(),
    ];

    /// <summary>There is no such fact: ENOENT, and a line in the report of what programs lacked.</summary>
    public static Errno Miss(CallContext call, string name)
    {
        const int longest = 64;
        call.World.CountMissing(call, "sysctl " + (name.Length <= longest ? name : name[..longest]));
        return Errno.ENOENT;
    }

    /// <summary>Gives a value: its length alone when there is no place for it, as much as fits and ENOMEM when that is too small.</summary>
    public static CallResult Answer(CallContext call, ReadOnlySpan<byte> value, GuestAddress old, GuestAddress oldLength)
    {
        ulong room = 0;
        if (!oldLength.IsNull && !call.Memory.TryRead(oldLength, out room))
            return Errno.EFAULT;
        if (old.IsNull)
            return oldLength.IsNull || call.Memory.TryWrite(oldLength, (ulong)value.Length) ? CallResult.Ok() : Errno.EFAULT;
        int given = (int)Math.Min(room, (ulong)value.Length);
        if (!call.Memory.TryWrite(old, value[..given]) || (!oldLength.IsNull && !call.Memory.TryWrite(oldLength, (ulong)given)))
            return Errno.EFAULT;
        return given < value.Length ? Errno.ENOMEM : CallResult.Ok();
    }
}
