using System.Runtime.Intrinsics;
using System.Text;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;
using Vivarium.Emulator.Tests.Cpu.Vector;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>
/// Every form of SSE..SSE4.2 in the translator against the interpreter, which is checked against silicon: any registers, any
/// address, right or wrong, any exceptions unmasked.
/// </summary>
public sealed class VectorTranslationTests(ITestOutputHelper output)
{
    private const int Instructions = 16;
    private const int States = 24;

    private static readonly CpuidFeature[] Features =
        [CpuidFeature.SSE, CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2, CpuidFeature.PCLMULQDQ];

    /// <summary>What the translator leaves to the interpreter: all that touches MMX registers, and MASKMOVDQU.</summary>
    private static readonly HashSet<Mnemonic> Interpreted =
    [
        Mnemonic.Cvtpi2ps, Mnemonic.Cvtpi2pd, Mnemonic.Cvtps2pi, Mnemonic.Cvttps2pi, Mnemonic.Cvtpd2pi, Mnemonic.Cvttpd2pi, Mnemonic.Movq2dq, Mnemonic.Movdq2q,
        Mnemonic.Maskmovdqu, Mnemonic.Maskmovq, Mnemonic.Movntq,
    ];

    private static readonly HashSet<Mnemonic> Others = [Mnemonic.Crc32, Mnemonic.Monitor, Mnemonic.Mwait, Mnemonic.Fisttp];

    private static ReadOnlySpan<byte> VectorNumbers => [0, 1, 7, 9, 14, 15];

    private readonly record struct Sample(Instruction Instruction, ulong Pc, Register Base, Register Index);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AgreesWithInterpreter(bool memory)
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("VIVARIUM_SEED"), out int given) ? given : 20261121;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var vectors = new FloatVectors(seed);
        using var pair = new EnginePair();
        List<Sample> samples = MakeSamples(pair, memory, random);
        pair.Load();
        var failures = new StringBuilder();
        var interpreted = new SortedSet<string>();
        foreach (Sample sample in samples)
        {
            Check(pair, sample, random, vectors, failures);
            if (!pair.IsTranslated(sample.Pc) && !UsesMmx(sample.Instruction))
                interpreted.Add(sample.Instruction.Code.ToString());
        }
        output.WriteLine($"{samples.Count} instructions");
        Assert.True(failures.Length == 0, failures.ToString());
        Assert.Empty(interpreted);
    }

    private static bool UsesMmx(in Instruction instruction) => Interpreted.Contains(instruction.Mnemonic) || instruction.Op0Register.IsMM() || instruction.Op1Register.IsMM();

    // ---- instructions ------------------------------------------------------------------------------------------------

    private static List<Sample> MakeSamples(EnginePair pair, bool memory, Random random)
    {
        var samples = new List<Sample>();
        foreach (Code code in InstructionForms.Of(Features))
        {
            for (int i = 0; i < Instructions && !Others.Contains(code.Mnemonic()); i++)
            {
                if (!InstructionForms.TryCreate(code, memory, random, out Instruction instruction))
                    break;
                ChangeRegisters(ref instruction, random);
                if (memory)
                    ChangeAddress(ref instruction, random, pair.Data);
                byte[] bytes = InstructionForms.Encode(instruction);
                samples.Add(new Sample(InstructionForms.Decode(bytes), pair.Place(bytes), instruction.MemoryBase, instruction.MemoryIndex));
            }
        }
        return samples;
    }

    private static void ChangeRegisters(ref Instruction instruction, Random random)
    {
        for (int i = 0; i < instruction.OpCount; i++)
        {
            Register register = instruction.GetOpRegister(i);
            if (instruction.GetOpKind(i) != OpKind.Register || instruction.Code.ToOpCode().GetOpKind(i) == OpCodeOperandKind.ax)
                continue;
            if (register.IsXMM())
                instruction.SetOpRegister(i, Register.XMM0 + VectorNumbers[random.Next(VectorNumbers.Length)]);
            else if (register.IsGPR32())
                instruction.SetOpRegister(i, Register.EAX + General(random));
            else if (register.IsGPR64())
                instruction.SetOpRegister(i, Register.RAX + General(random));
        }
    }

    /// <summary>A register other than RSP.</summary>
    private static int General(Random random) => random.Next(15) is var number && number >= 4 ? number + 1 : number;

    private static void ChangeAddress(ref Instruction instruction, Random random, ulong data)
    {
        if (instruction.MemoryBase == Register.None)
            return;
        int kind = random.Next(6);
        instruction.MemoryBase = Register.RAX + General(random);
        instruction.MemoryDisplSize = kind == 0 ? 0 : 8;
        if (kind >= 1)
            instruction.MemoryDisplacement64 = (ulong)(long)random.Next(-3000, 3000);
        if (kind is 2 or 3)
            SetIndex(ref instruction, random);
        if (kind == 4)
            instruction.SegmentPrefix = random.Next(2) == 0 ? Register.FS : Register.GS;
        if (kind == 5 && data < int.MaxValue)
            (instruction.MemoryBase, instruction.MemoryDisplacement64) = (Register.None, data + (ulong)random.Next(64));
    }

    private static void SetIndex(ref Instruction instruction, Random random)
    {
        instruction.MemoryIndex = Register.RAX + General(random);
        instruction.MemoryIndexScale = 1 << random.Next(4);
    }

    // ---- states ------------------------------------------------------------------------------------------------------

    private static void Check(EnginePair pair, Sample sample, Random random, FloatVectors vectors, StringBuilder failures)
    {
        pair.IsNear = FloatHarness.Approximation(sample.Instruction.Mnemonic) ? FloatHarness.IsNear : null;
        byte[] data = new byte[EnginePair.DataSize];
        bool isString = sample.Instruction.Mnemonic is >= Mnemonic.Pcmpestri and <= Mnemonic.Pcmpistrm;
        Fill(data, sample.Instruction, vectors, random);
        for (int i = 0; i < States; i++)
        {
            CpuState state = VectorSiliconTests.RandomState(vectors, isString);
            for (int j = 4; j < 16; j++)
                (state.Vectors[j], state.Registers[j]) = (state.Vectors[j & 3], vectors.NextBits());
            state.X87.Status &= 0x3800;
            state.Registers[4] = pair.Data + 64;
            if (random.Next(4) == 0)
                state.Mxcsr = (uint)random.Next(0x10000);
            PointAt(ref state, sample, pair.Data, random);
            if (pair.Compare(state, data, sample.Pc) is not { } difference)
                continue;
            failures.AppendLine($"{sample.Instruction.Code} {sample.Instruction}: {difference} (mxcsr {state.Mxcsr:x})");
            return;
        }
    }

    /// <summary>Lets the registers of a memory operand point at, between or behind the data, on a multiple of 16 more often than not.</summary>
    private static void PointAt(ref CpuState state, in Sample sample, ulong data, Random random)
    {
        ulong offset = random.Next(8) switch
        {
            0 => (ulong)random.Next(EnginePair.DataSize - 512),
            1 => (ulong)(EnginePair.DataSize - random.Next(20)),
            2 => (ulong)-random.Next(20),
            _ => (ulong)random.Next(EnginePair.DataSize / 16 - 32) * 16,
        };
        if (sample.Instruction.Mnemonic is Mnemonic.Maskmovdqu)
            state.Registers[7] = data + offset;
        if (sample.Base == Register.None)
            return;
        ulong target = data + offset - sample.Instruction.MemoryDisplacement64;
        if (sample.Instruction.SegmentPrefix is Register.FS or Register.GS)
        {
            // The thread base is near, the register holds the rest.
            ulong rest = (ulong)random.Next(16) * 16;
            (state.FsBase, state.GsBase) = (target - rest, target - rest);
            target = rest;
        }
        if (sample.Index != Register.None)
        {
            ref ulong index = ref state.Registers[sample.Index - Register.RAX];
            index = (ulong)random.Next(-40, 40) * 16;
            if (sample.Index == sample.Base)
                return;
            target -= index * (ulong)sample.Instruction.MemoryIndexScale;
        }
        state.Registers[sample.Base - Register.RAX] = random.Next(30) == 0 ? (ulong)random.NextInt64(long.MinValue, long.MaxValue) : target;
    }

    private static void Fill(byte[] data, in Instruction instruction, FloatVectors vectors, Random random)
    {
        int kind = random.Next(3);
        for (int i = 0; i < data.Length; i += 8)
        {
            ulong value = kind switch
            {
                0 => vectors.Next64(),
                1 => vectors.Next32() | (ulong)vectors.Next32() << 32,
                _ => vectors.NextBits(),
            };
            // MXCSR's reserved bits are mostly clear.
            if (instruction.Mnemonic == Mnemonic.Ldmxcsr && random.Next(8) != 0)
                value &= 0x0000_FFFF_0000_FFFF;
            BitConverter.TryWriteBytes(data.AsSpan(i), value);
        }
    }
}
