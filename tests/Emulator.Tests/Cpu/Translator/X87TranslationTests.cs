using Vivarium.Emulator.Cpu;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>
/// Every x87 instruction that has host code, on the processor's own unit and in the interpreter: numbers of all kinds, stacks that are full,
/// empty or in between, control words and pending exceptions; memory in the window and outside.
/// </summary>
public sealed class X87TranslationTests
{
    private static ReadOnlySpan<ushort> UsualControls => [0x037F, 0x027F, 0x0C7F, 0x077F, 0x0B7F, 0x007F];

    /// <summary>The instructions on memory at [rdi + 8], by opcode and reg fields.</summary>
    private static readonly (byte Opcode, byte[] Extensions)[] OnMemory =
    [
        (0xD8, [0, 1, 2, 3, 4, 5, 6, 7]), (0xDA, [0, 1, 2, 3, 4, 5, 6, 7]), (0xDC, [0, 1, 2, 3, 4, 5, 6, 7]), (0xDE, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0xD9, [0, 2, 3]), (0xDB, [0, 1, 2, 3, 5, 7]), (0xDD, [0, 1, 2, 3]), (0xDF, [0, 1, 2, 3, 5, 7]),
    ];

    /// <summary>Those on a stack register: eight encodings each from these on.</summary>
    private static readonly (byte Opcode, byte First)[] OnRegisters =
    [
        (0xD8, 0xC0), (0xD8, 0xC8), (0xD8, 0xD0), (0xD8, 0xD8), (0xD8, 0xE0), (0xD8, 0xE8), (0xD8, 0xF0), (0xD8, 0xF8),
        (0xDC, 0xC0), (0xDC, 0xC8), (0xDC, 0xE0), (0xDC, 0xE8), (0xDC, 0xF0), (0xDC, 0xF8),
        (0xDE, 0xC0), (0xDE, 0xC8), (0xDE, 0xE0), (0xDE, 0xE8), (0xDE, 0xF0), (0xDE, 0xF8),
        (0xD9, 0xC0), (0xD9, 0xC8), (0xDD, 0xD0), (0xDD, 0xD8), (0xDD, 0xE0), (0xDD, 0xE8), (0xDB, 0xE8), (0xDB, 0xF0), (0xDF, 0xE8), (0xDF, 0xF0),
    ];

    /// <summary>FCHS, FABS, FTST, FXAM, FLD1, FLDZ, FSQRT, FRNDINT, FUCOMPP, FCOMPP, FNSTSW AX.</summary>
    private static readonly (byte Opcode, byte Operand)[] Others =
    [
        (0xD9, 0xE0), (0xD9, 0xE1), (0xD9, 0xE4), (0xD9, 0xE5), (0xD9, 0xE8), (0xD9, 0xEE), (0xD9, 0xFA), (0xD9, 0xFC), (0xDA, 0xE9), (0xDE, 0xD9), (0xDF, 0xE0),
    ];

    [Fact]
    public void InstructionsDoWhatTheyDoInTheInterpreter()
    {
        var random = new FuzzRandom(20261121);
        using var pair = new EnginePair();
        List<(ulong Pc, string Name)> samples = Place(pair);
        pair.Load();
        byte[] data = new byte[EnginePair.DataSize];
        foreach ((ulong pc, string name) in samples)
        {
            for (int i = 0; i < 60; i++)
            {
                Fill(data.AsSpan(0, 32), random);
                CpuState state = RandomState(random, pair.Data);
                string? difference = pair.Compare(state, data, pc);
                Assert.True(difference is null, $"{name}: {difference}");
            }
            Assert.True(pair.IsTranslated(pc), name);
        }
    }

    private static List<(ulong Pc, string Name)> Place(EnginePair pair)
    {
        var samples = new List<(ulong, string)>();
        foreach ((byte opcode, byte[] extensions) in OnMemory)
        {
            foreach (byte extension in extensions)
                samples.Add((pair.Place([opcode, (byte)(0x47 | (extension << 3)), 8]), $"{opcode:x} /{extension}"));
        }
        foreach ((byte opcode, byte first) in OnRegisters)
        {
            for (int i = 0; i < 8; i++)
                samples.Add((pair.Place([opcode, (byte)(first + i)]), $"{opcode:x} {first + i:x}"));
        }
        foreach ((byte opcode, byte operand) in Others)
            samples.Add((pair.Place([opcode, operand]), $"{opcode:x} {operand:x}"));
        return samples;
    }

    private static CpuState RandomState(FuzzRandom random, ulong data)
    {
        CpuState state = new GuestCpu(Architecture.X64).State;
        for (int register = 0; register < 16; register++)
            state.Registers[register] = random.Next();
        state.Registers[4] = data + 100;
        state.Registers[7] = random.Chance(20) ? random.Value() : data;
        state.Flags = 0x202 | (random.Next() & 0x8D5);
        state.X87.Control = random.Chance(900) ? random.Pick(UsualControls) : (ushort)((random.Next() & 0x1F3F) | 0x40);
        state.X87.Status = (ushort)(random.Next() & (random.Chance(500) ? 0x7F00ul : 0x7F3F));
        if ((state.X87.Status & ~state.X87.Control & 0x3F) != 0)
            state.X87.Status |= 0x8080;
        state.X87.Tags = random.Chance(700) ? (byte)(0xFF & ~(1 << random.Below(8))) : (byte)random.Next();
        for (int register = 0; register < 8; register++)
            state.X87.Registers[register] = new X87Register { Significand = Significand(random), SignExponent = Exponent(random) };
        return state;
    }

    private static ulong Significand(FuzzRandom random) => random.Below(6) switch
    {
        0 => 1ul << 63,
        1 => (1ul << 63) | (random.Next() & 0xFFFF) << 40,
        2 => random.Chance(300) ? 0 : random.Next(),
        3 => 0xC000_0000_0000_0000,
        _ => random.Next() | (1ul << 63),
    };

    private static ushort Exponent(FuzzRandom random)
    {
        int exponent = random.Below(8) switch { 0 => 0, 1 => 0x7FFF, 2 => random.Below(0x8000), 3 => 1 + random.Below(70), _ => 0x3FFF - 70 + random.Below(140) };
        return (ushort)(exponent | (random.Below(2) << 15));
    }

    /// <summary>Floats and integers of all widths.</summary>
    private static void Fill(Span<byte> data, FuzzRandom random)
    {
        for (int i = 0; i < data.Length; i++)
            data[i] = (byte)random.Next();
        Span<byte> operand = data[8..];
        switch (random.Below(6))
        {
            case 0:
                BitConverter.TryWriteBytes(operand, random.Below(2000) - 1000.0);
                break;
            case 1:
                BitConverter.TryWriteBytes(operand, (float)(random.Below(2000) - 1000) / 16);
                break;
            case 2:
                BitConverter.TryWriteBytes(operand, random.Next() & 0x800F_FFFF_FFFF_FFFF);
                break;
            case 3:
                BitConverter.TryWriteBytes(operand, (random.Next() & 0x800F_FFFF_FFFF_FFFF) | 0x7FF0_0000_0000_0000);
                break;
            case 4:
                BitConverter.TryWriteBytes(operand, (long)random.Below(256) - 128);
                break;
        }
    }
}
