using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>
/// Builds the vDSO: an ELF shared object of one page, with versioned symbols, that the kernel maps into each program and tells of in
/// AT_SYSINFO_EHDR (vdso(7); System V ABI, chapters 4 and 5; LSB Core, "Symbol Versioning").
/// </summary>
internal static class VdsoImage
{
    private const string Name = "linux-vdso.so.1";
    private const int HeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int SymbolSize = 24;
    private const int Page = (int)GuestAddress.PageSize;

    /// <summary>Where the first function is.</summary>
    public const int TextStart = Page / 2;

    /// <summary>One page, before which lies the clock page.</summary>
    /// <param name="machine">EM_ of the architecture.</param>
    /// <param name="version">The version of its symbols.</param>
    /// <param name="functions">Their code; names that do not begin so get the prefix <c>__vdso_</c>.</param>
    /// <param name="hasPlainNames">Each function also has its name without the prefix that C libraries look for.</param>
    public static byte[] Build(ushort machine, string version, bool hasPlainNames, params (string Name, byte[] Code)[] functions)
    {
        byte[] image = new byte[Page];
        var strings = new List<byte> { 0 };
        var symbols = new List<(int Name, int Address, int Length)>();
        int text = TextStart;
        foreach ((string name, byte[] code) in functions)
            AddFunction(image, ref text, name, code, strings, symbols, hasPlainNames);
        int nameAt = AddString(strings, Name), versionAt = AddString(strings, version);
        var writer = new Writer(image, HeaderSize + (2 * ProgramHeaderSize));
        int symbolsAt = WriteSymbols(writer, symbols);
        int hashAt = WriteHash(writer, symbols.Count + 1);
        int versionsAt = WriteVersions(writer, symbols.Count, nameAt, version, versionAt, out int definitionsAt);
        int stringsAt = writer.Position;
        writer.Bytes([.. strings]);
        writer.Align(8);
        int dynamicAt = writer.Position;
        foreach (ulong word in (ReadOnlySpan<ulong>)
            [14, (ulong)nameAt, 4, (ulong)hashAt, 5, (ulong)stringsAt, 6, (ulong)symbolsAt, 10, (ulong)strings.Count, 11, SymbolSize,
             0x6FFFFFF0, (ulong)versionsAt, 0x6FFFFFFC, (ulong)definitionsAt, 0x6FFFFFFD, 2, 0, 0])
        {
            writer.Word(word);
        }
        WriteHeaders(image, machine, dynamicAt, writer.Position - dynamicAt, text);
        return image;
    }

    private static void AddFunction(byte[] image, ref int text, string name, byte[] code, List<byte> strings, List<(int, int, int)> symbols, bool hasPlainName)
    {
        Span<byte> place = image.AsSpan(text, code.Length);
        code.CopyTo(place);
        if (place.IndexOf(X64.VdsoFunctions.Slot) is >= 0 and int slot)
            BinaryPrimitives.WriteInt32LittleEndian(place[slot..], -Page - (text + slot + sizeof(int)));
        if (hasPlainName)
            symbols.Add((AddString(strings, name), text, code.Length));
        symbols.Add((AddString(strings, name.StartsWith("__", StringComparison.Ordinal) ? name : "__vdso_" + name), text, code.Length));
        text = (text + code.Length + 15) & ~15;
    }

    private static int AddString(List<byte> strings, string text)
    {
        int at = strings.Count;
        strings.AddRange(Encoding.ASCII.GetBytes(text).AsSpan());
        strings.Add(0);
        return at;
    }

    private static int WriteSymbols(Writer writer, List<(int Name, int Address, int Length)> symbols)
    {
        const byte globalFunction = 0x12;
        writer.Align(8);
        int at = writer.Position;
        writer.Skip(SymbolSize);
        foreach ((int name, int address, int length) in symbols)
        {
            writer.Half((uint)name);
            writer.Bytes([globalFunction, 0]);
            // Any section that is not "undefined".
            writer.Quarter(1);
            writer.Word((ulong)address);
            writer.Word((ulong)length);
        }
        return at;
    }

    /// <summary>A table of one bucket, in which all symbols follow each other.</summary>
    private static int WriteHash(Writer writer, int count)
    {
        int at = writer.Position;
        writer.Half(1);
        writer.Half((uint)count);
        writer.Half(1);
        for (int i = 0; i < count; i++)
            writer.Half(i == 0 || i == count - 1 ? 0 : (uint)i + 1);
        return at;
    }

    private static int WriteVersions(Writer writer, int symbols, int name, string versionText, int version, out int definitions)
    {
        int at = writer.Position;
        writer.Quarter(0);
        for (int i = 0; i < symbols; i++)
            writer.Quarter(2);
        writer.Align(8);
        definitions = writer.Position;
        WriteDefinition(writer, flags: 1, index: 1, Name, name, next: 28);
        WriteDefinition(writer, flags: 0, index: 2, versionText, version, next: 0);
        return at;
    }

    /// <summary>Elf64_Verdef and the one Elf64_Verdaux behind it.</summary>
    private static void WriteDefinition(Writer writer, ushort flags, ushort index, string text, int name, uint next)
    {
        writer.Quarter(1);
        writer.Quarter(flags);
        writer.Quarter(index);
        writer.Quarter(1);
        writer.Half(Hash(text));
        writer.Half(20);
        writer.Half(next);
        writer.Half((uint)name);
        writer.Half(0);
    }

    /// <summary>The System V ABI's hash of names.</summary>
    private static uint Hash(string text)
    {
        uint hash = 0;
        foreach (char c in text)
        {
            hash = (hash << 4) + c;
            uint top = hash & 0xF000_0000;
            hash = (hash ^ (top >> 24)) & ~top;
        }
        return hash;
    }

    private static void WriteHeaders(byte[] image, ushort machine, int dynamic, int dynamicLength, int end)
    {
        var writer = new Writer(image, 0);
        writer.Bytes([0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        writer.Quarter(3); // ET_DYN
        writer.Quarter(machine);
        writer.Half(1);
        writer.Word(0);
        writer.Word(HeaderSize);
        writer.Word(0);
        writer.Half(0);
        foreach (ushort value in (ReadOnlySpan<ushort>)[HeaderSize, ProgramHeaderSize, 2, 64, 0, 0])
            writer.Quarter(value);
        const uint load = 1, dynamicSegment = 2, readAndExecute = 5, read = 4;
        WriteSegment(writer, load, readAndExecute, 0, end, Page);
        WriteSegment(writer, dynamicSegment, read, dynamic, dynamicLength, 8);
    }

    private static void WriteSegment(Writer writer, uint type, uint flags, int at, int length, int alignment)
    {
        writer.Half(type);
        writer.Half(flags);
        foreach (int value in (ReadOnlySpan<int>)[at, at, at, length, length, alignment])
            writer.Word((ulong)value);
    }

    private sealed class Writer(byte[] image, int position)
    {
        public int Position { get; private set; } = position;

        public void Skip(int count) => Position += count;

        public void Align(int alignment) => Position = (Position + alignment - 1) & -alignment;

        public void Bytes(scoped ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(image.AsSpan(Position));
            Position += bytes.Length;
        }

        public void Quarter(ushort value)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(Position), value);
            Position += sizeof(ushort);
        }

        public void Half(uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(Position), value);
            Position += sizeof(uint);
        }

        public void Word(ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(Position), value);
            Position += sizeof(ulong);
        }
    }
}
