using System.Buffers.Binary;
using Vivarium.Emulator.Cpu;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>FLDCW and FNSTCW of all kinds of words, with exceptions pending or not, in translator and interpreter.</summary>
public sealed class ControlWordTests
{
    /// <summary>fldcw [rdi]; fnstcw [rdi + 2]; fldcw [rdi + 4]; fnstcw [r12 + rcx * 2]; mov eax, edx.</summary>
    private static ReadOnlySpan<byte> Code => [0xD9, 0x2F, 0xD9, 0x7F, 0x02, 0xD9, 0x6F, 0x04, 0xD9, 0x3C, 0x4C, 0x89, 0xD0];

    private static ReadOnlySpan<ushort> Usual => [0x037F, 0x027F, 0x0C7F, 0x0F7F, 0x007F, 0x035F, 0x0340, 0x033F, 0x137F, 0x83FF];

    [Fact]
    public void WordsLoadAndStoreAsInTheInterpreter()
    {
        var random = new FuzzRandom(20261121);
        using var pair = new EnginePair();
        ulong pc = pair.Place(Code);
        pair.Load();
        byte[] data = new byte[EnginePair.DataSize];
        for (int i = 0; i < 4000; i++)
        {
            for (int at = 0; at < 8; at += 2)
                BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(at), random.Chance(700) ? random.Pick(Usual) : (ushort)random.Next());
            CpuState state = new GuestCpu(Architecture.X64).State;
            for (int register = 0; register < 16; register++)
                state.Registers[register] = random.Next();
            state.Registers[7] = random.Chance(20) ? random.Value() : pair.Data;
            state.Registers[4] = pair.Data + 100;
            state.Registers[12] = pair.Data + 8;
            state.Registers[1] = (ulong)random.Below(8);
            state.Flags = 0x202 | (random.Next() & 0x8D5);
            state.X87.Control = random.Chance(800) ? (ushort)0x037F : (ushort)((random.Next() & 0x1F3F) | 0x40);
            state.X87.Status = (ushort)(random.Chance(800) ? random.Next() & 0x473F : 0);
            if ((state.X87.Status & ~state.X87.Control & 0x3F) != 0)
                state.X87.Status |= 0x8080;
            Assert.Null(pair.Compare(state, data, pc));
        }
        Assert.True(pair.IsTranslated(pc));
    }
}
