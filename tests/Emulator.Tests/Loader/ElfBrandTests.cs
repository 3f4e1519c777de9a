using System.Buffers.Binary;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities;
using Xunit;

namespace Vivarium.Emulator.Tests.Loader;

/// <summary>The marks that say what system a program is for.</summary>
public sealed class ElfBrandTests
{
    [Theory]
    [InlineData(0, null, 1, 0, null)]
    [InlineData(3, null, 1, 0, null)]
    [InlineData(9, "NetBSD", 1, 0, "freebsd")]
    [InlineData(2, null, 1, 0, "netbsd")]
    [InlineData(6, null, 1, 0, "solaris")]
    [InlineData(99, null, 1, 0, "the system with ELF's number 99")]
    [InlineData(0, "FreeBSD", 1, 1302001, "freebsd")]
    [InlineData(0, "NetBSD", 1, 1000000000, "netbsd")]
    [InlineData(0, "OpenBSD", 1, 0, "openbsd")]
    [InlineData(3, "GNU", 1, 0, "linux")]
    [InlineData(0, "GNU", 1, 3, null)]
    [InlineData(0, "GNU", 5, 0, null)]
    [InlineData(0, "Go", 4, 0, null)]
    public void A_mark_is_in_the_header_or_in_a_note(byte osAbi, string? note, uint type, uint word, string? brand) =>
        Assert.Equal(brand, ElfBrand.Of(Content(Program(osAbi, note, type, word))));

    [Fact]
    public void What_runs_follows_from_the_systems_themselves()
    {
        string[] pairs = [.. GuestSystems.Pairs().Select(static pair => $"{pair.System.Name}/{Processors.Name(pair.Processor)}")];
        Assert.Equal(pairs.Distinct(), pairs);
        foreach (string known in (string[])["linux/x64", "linux/riscv64", "freebsd/x64", "netbsd/x64"])
            Assert.Contains(known, pairs);
        Assert.All(GuestSystems.All, static system => Assert.Same(system, GuestSystems.Find(system.Name)));
        Assert.Null(GuestSystems.Find("plan9"));
        Assert.All(Processors.All, static processor => Assert.Equal(processor, Processors.Find(Processors.Name(processor))));
    }

    private static AnonymousObject Content(byte[] bytes)
    {
        var content = new AnonymousObject(new MemoryAccountant(1 << 20));
        Assert.True(content.Write(0, bytes));
        return content;
    }

    private static byte[] Program(byte osAbi, string? note, uint type, uint word)
    {
        byte[] bytes = new byte[256];
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, osAbi }.CopyTo(bytes, 0);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(54), 56);
        if (note is null)
            return bytes;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(56), 1);
        Span<byte> program = bytes.AsSpan(64), notes = bytes.AsSpan(128);
        BinaryPrimitives.WriteUInt32LittleEndian(program, 4);
        BinaryPrimitives.WriteInt64LittleEndian(program[8..], 128);
        BinaryPrimitives.WriteInt64LittleEndian(program[32..], 128);
        int name = note.Length + 1;
        BinaryPrimitives.WriteInt32LittleEndian(notes, name);
        BinaryPrimitives.WriteUInt32LittleEndian(notes[4..], 4);
        BinaryPrimitives.WriteUInt32LittleEndian(notes[8..], type);
        System.Text.Encoding.ASCII.GetBytes(note).CopyTo(notes[12..]);
        BinaryPrimitives.WriteUInt32LittleEndian(notes[(12 + ((name + 3) & ~3))..], word);
        return bytes;
    }
}
