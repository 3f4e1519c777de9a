using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using ValueType = Vivarium.Emulator.Personalities.Tables.ValueType;

namespace Vivarium.Telemetry.Strace;

/// <summary>Structures and arrays in guest memory.</summary>
internal static class StructText
{
    /// <summary>Items of an array that are shown.</summary>
    private const int Shown = 32;

    /// <summary>What is behind a pointer: one item in its own form, several in brackets; the address when it cannot be read.</summary>
    public static StringBuilder AppendPointed(this StringBuilder text, AddressSpace memory, ValueType type, ulong address)
    {
        Span<byte> bytes = stackalloc byte[Math.Max(8, type.Size)];
        bytes = bytes[..type.Size];
        if (address == 0 || type.Size == 0 || !memory.TryRead(new GuestAddress(address), bytes))
            return text.AppendAddress(address);
        if (type.Kind == ValueKind.Struct)
            return text.AppendStruct(type.Struct!, bytes);
        return type.Kind == ValueKind.Sigset ? text.AppendValue(type, Read(bytes)) : text.Append('[').AppendValue(type, Read(bytes)).Append(']');
    }

    public static StringBuilder AppendArray(this StringBuilder text, AddressSpace memory, ValueType type, ulong address, long count)
    {
        if (address == 0)
            return text.Append("NULL");
        if (count <= 0)
            return text.Append("[]");
        Span<byte> bytes = stackalloc byte[type.Size];
        for (int i = 0; i < count; i++)
        {
            ulong at = address + ((ulong)i * (ulong)type.Size);
            if (i == Shown)
                return text.Append(", ...]");
            if (!memory.TryRead(new GuestAddress(at), bytes))
                return i == 0 ? text.AppendAddress(address) : text.Append(", ... /* ").AppendAddress(at).Append(" */]");
            text.Append(i == 0 ? "[" : ", ");
            if (type.Kind == ValueKind.Struct)
                text.AppendStruct(type.Struct!, bytes);
            else
                text.AppendValue(type, Read(bytes));
        }
        return text.Append(']');
    }

    public static StringBuilder AppendStruct(this StringBuilder text, StructShape shape, ReadOnlySpan<byte> bytes)
    {
        if (ReferenceEquals(shape, LinuxStructs.Siginfo))
            return SignalText.Append(text, bytes);
        bool isAbridged = Array.Exists(shape.Members, member => member.IsShown);
        text.Append('{');
        string separator = "";
        foreach (MemberShape member in shape.Members)
        {
            ReadOnlySpan<byte> value = bytes.Slice(member.Offset, member.Type.Size * member.Count);
            if ((isAbridged && !member.IsShown) || (member.IsOptional && !value.ContainsAnyExcept((byte)0)) || IsDevicesSize(shape, member, bytes) || IsUnusedPlace(shape, member, bytes))
                continue;
            text.Append(separator).Append(member.Name).Append('=');
            text.AppendMember(member, value);
            separator = ", ";
        }
        if (isAbridged)
            text.Append(separator).Append("...");
        return text.Append('}');
    }

    /// <summary>A device's listing has its number in place of its size.</summary>
    private static bool IsDevicesSize(StructShape shape, MemberShape member, ReadOnlySpan<byte> bytes) =>
        ReferenceEquals(shape, LinuxStructs.Stat) && member.Name == "st_size" && Array.Exists(shape.Members, other =>
            other.Name == "st_rdev") && BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]) != 0;

    /// <summary>clone3's place for a pidfd is shown to those who want one.</summary>
    private static bool IsUnusedPlace(StructShape shape, MemberShape member, ReadOnlySpan<byte> bytes)
    {
        const ulong wantsDescriptor = 0x1000;
        return ReferenceEquals(shape, LinuxStructs.CloneArgs) && member.Name == "pidfd" && (BinaryPrimitives.ReadUInt64LittleEndian(bytes) & wantsDescriptor) == 0;
    }

    private static void AppendMember(this StringBuilder text, MemberShape member, ReadOnlySpan<byte> value)
    {
        ValueType type = member.Type;
        if (type.Kind == ValueKind.Char)
        {
            int end = value.IndexOf((byte)0);
            text.AppendQuoted(end < 0 ? value : value[..end]);
        }
        else if (member.Count > 1)
        {
            for (int i = 0; i < member.Count; i++)
                text.Append(i == 0 ? "[" : ", ").AppendValue(type, Read(value.Slice(i * type.Size, type.Size)));
            text.Append(']');
        }
        else if (type.Kind == ValueKind.Struct)
        {
            text.AppendStruct(type.Struct!, value);
        }
        else
        {
            text.AppendValue(type, Read(value));
        }
    }

    /// <summary>A little-endian number of any width.</summary>
    private static ulong Read(ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int i = bytes.Length - 1; i >= 0; i--)
            value = value << 8 | bytes[i];
        return value;
    }
}
