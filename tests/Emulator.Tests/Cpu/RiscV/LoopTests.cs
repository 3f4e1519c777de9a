using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Xunit;
using Xunit.Abstractions;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Tests.Cpu.RiscV;

/// <summary>
/// Random loops of arithmetic, shifts in twos and threes, quiet comparisons, products and sums, branches forward, loads and stores, copies, which end by themselves or at the end of memory: at each fault
/// and at the end all registers must be the same on the interpreter and on the translator. VIVARIUM_SEED is the first program's seed,
/// VIVARIUM_FUZZ_PROGRAMS their number.
/// </summary>
[Collection(FuzzCollection.Name)]
public sealed class LoopTests(ITestOutputHelper output)
{
    private const ulong Code = 0x10000, Data = 0x400000;
    private const int DataSize = 0x2000, MostTurns = 64;

    // x2: stack, x3: walks through the data, x4: turns left.
    private const uint StackPointer = 2, Walker = 3, Turns = 4;

    [Fact]
    public void NoLoopDiffersFromTheInterpreter()
    {
        ulong seed = Setting("VIVARIUM_SEED", 11), programs = Setting("VIVARIUM_FUZZ_PROGRAMS", 400);
        output.WriteLine($"seed {seed}");
        var report = new StringBuilder();
        for (ulong program = seed; program < seed + programs && report.Length < 8000; program++)
        {
            var random = new FuzzRandom(program);
            uint[] words = Generate(random);
            ulong[] registers = new ulong[32];
            for (int i = 5; i < registers.Length; i++)
                registers[i] = random.Below(2) == 0 ? random.Next() : (ulong)(int)random.Next();
            (registers[StackPointer], registers[Walker], registers[Turns]) = (Data + 0x800, Data + (ulong)(8 * random.Below(16)), (ulong)(1 + random.Below(MostTurns)));
            string expected = Run(new Interpreter(new BlockCache()), words, registers, program), got = Run(EnginePair.Translator, words, registers, program);
            if (expected != got)
                Describe(program, words, expected, got, report);
        }
        Assert.True(report.Length == 0, report.ToString());
    }

    private static ulong Setting(string name, ulong otherwise) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out ulong value) ? value : otherwise;

    private static void Describe(ulong program, uint[] words, string expected, string got, StringBuilder report)
    {
        report.AppendLine(CultureInfo.InvariantCulture, $"seed {program}");
        for (int i = 0; i < words.Length; i++)
            report.Append(CultureInfo.InvariantCulture, $" {Code + (4 * (ulong)i):x}: {words[i]:x8} {RiscVEncodings.Decode(words[i])};");
        report.AppendLine();
        string[] right = expected.Split('\n'), wrong = got.Split('\n');
        for (int i = 0; i < Math.Max(right.Length, wrong.Length); i++)
        {
            if (i >= right.Length || i >= wrong.Length || right[i] != wrong[i])
                report.AppendLine(CultureInfo.InvariantCulture, $"  interpreter {(i < right.Length ? right[i] : "-")}, translator {(i < wrong.Length ? wrong[i] : "-")}");
        }
    }

    /// <summary>Runs to the end, over at most a few faults; what registers and memory are like at each.</summary>
    private static string Run(IEngine engine, uint[] words, ulong[] registers, ulong seed)
    {
        const int mostFaults = 5;
        using var memory = new AddressSpace(new MemoryAccountant(1 << 26));
        byte[] code = MemoryMarshal.AsBytes(words.AsSpan()).ToArray(), data = new byte[DataSize];
        new FuzzRandom(seed).Fill(data);
        Place(memory, Code, code, Protection.Read | Protection.Execute);
        Place(memory, Data, data, Protection.ReadWrite);
        var cpu = new GuestCpu(Architecture.RiscV64);
        registers.CopyTo(cpu.State.Registers);
        var floats = new FuzzRandom(~seed);
        for (int i = 0; i < 32; i++)
            cpu.State.Vectors[i] = Vector128.CreateScalar(floats.Below(6) switch { 0 => 0, 1 => double.NaN, 2 => double.MaxValue, 3 => -1e-300, _ => (floats.Below(2000) - 1000) / 7.0 }).AsByte();
        cpu.State.Pc = Code;
        var text = new StringBuilder();
        for (int i = 0; i < mostFaults; i++)
        {
            long budget = 100_000;
            EngineExit exit;
            do
                exit = engine.Run(cpu, memory, ref budget);
            while (exit.Reason == ExitReason.Budget && budget > 0);
            text.AppendLine(CultureInfo.InvariantCulture, $"{exit.Reason} at {cpu.State.Pc:x} after {cpu.Instructions}");
            for (int register = 1; register < 32; register++)
                text.AppendLine(CultureInfo.InvariantCulture, $"{i}: x{register}={cpu.State.Registers[register]:x}");
            for (int register = 0; register < 32; register++)
                text.AppendLine(CultureInfo.InvariantCulture, $"{i}: f{register}={cpu.State.Vectors[RiscVState.VectorOf(register)].AsUInt64().ToScalar():x}");
            text.AppendLine(CultureInfo.InvariantCulture, $"{i}: fcsr={RiscVState.GetControl(cpu.State):x}");
            if (exit.Reason is ExitReason.SystemCall or ExitReason.Budget)
                break;
            // Over the instruction, in the middle of the block.
            cpu.State.Pc += 4;
        }
        memory.TryRead(new GuestAddress(Data), data);
        return text.AppendLine(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(data))).ToString();
    }

    private static void Place(AddressSpace memory, ulong address, ReadOnlySpan<byte> content, Protection protection)
    {
        ulong length = ((ulong)content.Length + 4095) & ~4095ul;
        memory.Map(new MapRequest(new GuestAddress(address), length, Protection.ReadWrite, Placement.Fixed), out _);
        memory.TryWrite(new GuestAddress(address), content);
        memory.Protect(new GuestAddress(address), length, protection);
    }

    // ---- programs ----------------------------------------------------------------------------------------------------

    private static uint[] Generate(FuzzRandom random)
    {
        var words = new List<uint>();
        // Those that only compute and load are compiled as a whole: with many registers, so that some must be in the frame.
        bool isPlain = random.Below(3) == 0;
        int body = random.Below(8) == 0 ? 0 : 3 + random.Below(isPlain ? 56 : 30);
        // Few registers, so that they meet.
        uint[] registers = [.. Enumerable.Range(0, 4 + random.Below(isPlain ? 27 : 8)).Select(_ => (uint)(5 + random.Below(27)))];
        while (words.Count < body)
            Add(words, random, registers, isPlain);
        if (random.Below(4) == 0 && !isPlain)
            AddRun(words, random, registers);
        // Where a last branch goes to.
        words.Add(I(0x13, 0, 0, 0, 0));
        if (random.Below(2) == 0)
            words.Add(I(0x13, 0, Walker, Walker, 8 * (1 + random.Below(40))));
        words.Add(I(0x13, 0, Turns, Turns, -1));
        if (random.Below(4) == 0)
        {
            // A loop that is left in its middle.
            words.Add(Branch(0, Turns, 0, 8));
            words.Add(Jump(-4 * words.Count));
        }
        else
        {
            words.Add(Branch(1, Turns, 0, -4 * words.Count));
        }
        for (int i = random.Below(3); i > 0; i--)
            Add(words, random, registers, isPlain: false);
        words.Add(I(0x13, 0, 0, 0, 0));
        words.Add(0x00000073); // ecall
        return [.. words];
    }

    /// <summary>Four loads and the stores of what they load, or nearly; to a place that overlaps theirs at times.</summary>
    private static void AddRun(List<uint> words, FuzzRandom random, uint[] registers)
    {
        const int length = 4;
        uint[] through = [.. Enumerable.Range(5, 27).Select(register => (uint)register).Where(register => random.Below(16) == 0 || !registers.Contains(register)).OrderBy(_ => random.Next()).Take(length)];
        int from = 8 * random.Below(8), to = 8 * random.Below(16), odd = random.Below(12);
        uint target = random.Below(3) == 0 ? StackPointer : Walker;
        for (int i = 0; i < length; i++)
            words.Add(I(0x03, odd == i ? 2u : 3, through[i], Walker, from + (8 * i)));
        for (int i = 0; i < length; i++)
            words.Add(S(3, target, through[odd == length + i ? 0 : i], to + (8 * i)));
    }

    private static void Add(List<uint> words, FuzzRandom random, uint[] registers, bool isPlain)
    {
        uint Any() => registers[random.Below(registers.Length)];
        uint rd = Any(), a = Any(), b = Any();
        int kind = random.Below(16);
        if (isPlain && kind is >= 11 and <= 14 && (kind != 11 || random.Below(3) > 0))
            kind = 15;
        uint pointer = isPlain ? random.Below(4) == 0 ? StackPointer : Walker : random.Below(12) == 0 ? a : Walker;
        switch (kind)
        {
            case 0 or 1: // ADDW SUBW SLLW SRLW SRAW MULW
                (uint funct3, uint funct7) = ((uint, uint))(random.Below(6) switch { 0 => (0, 0), 1 => (0, 0x20), 2 => (1, 0), 3 => (5, 0), 4 => (5, 0x20), _ => (0, 1) });
                words.Add(R(0x3B, funct3, funct7, rd, a, b));
                break;
            case 2: // ADDIW, SEXT.W
                words.Add(I(0x1B, 0, rd, a, random.Below(2) == 0 ? 0 : random.Below(4096) - 2048));
                break;
            case 3 or 4: // ADD SUB AND OR XOR SLT SLTU SLL
                (funct3, funct7) = ((uint, uint))(random.Below(isPlain ? 5 : 8) switch { 0 => (0, 0), 1 => (0, 0x20), 2 => (7, 0), 3 => (6, 0), 4 => (4, 0), 5 => (2, 0), 6 => (3, 0), _ => (1, 0) });
                words.Add(R(0x33, funct3, funct7, rd, a, b));
                break;
            case 5: // ADDI ANDI ORI XORI SLTI SLTIU
                words.Add(I(0x13, random.Below(isPlain ? 4 : 6) switch { 0 => 0u, 1 => 7, 2 => 6, 3 => 4, 4 => 2, _ => 3 }, rd, a, random.Below(4096) - 2048));
                break;
            case 6 or 7:
                AddRotation(words, random, rd, a, b, Any(), isPlain);
                break;
            case 8 or 9:
                AddExtension(words, random, rd, a, b, isPlain);
                break;
            case 10: // LW LD LBU LH, from the walker, or from a word that is no address
                words.Add(I(0x03, random.Below(4) switch { 0 => 2u, 1 => 3, 2 => 4, _ => 1 }, rd, pointer, 8 * random.Below(16)));
                break;
            case 11: // SW SD SB
                int at = 8 * random.Below(16);
                // What was there before, or behind it.
                if (isPlain && random.Below(2) == 0)
                    words.Add(I(0x03, 3, rd, pointer, at));
                words.Add(S(random.Below(3) switch { 0 => 2u, 1 => 3, _ => 0 }, pointer, b, at));
                if (isPlain && random.Below(2) == 0)
                    words.Add(I(0x03, 3, a, pointer, at));
                if (isPlain)
                    words.Add(R(0x3B, 0, 0, b, rd, a));
                break;
            case 12: // a branch over the next instruction
                words.Add(Branch(random.Below(6) switch { 0 => 0u, 1 => 1, 2 => 4, 3 => 5, 4 => 6, _ => 7 }, a, random.Below(4) == 0 ? 0 : b, 8));
                words.Add(R(0x3B, 0, 0, rd, a, b));
                break;
            case 14: // FRFLAGS, FLT.D or FLE.D, FSFLAGS, and what raises flags before and behind
                uint f = (uint)random.Below(32), g = (uint)random.Below(32);
                if (random.Below(2) == 0)
                    words.Add(R(0x53, 7, random.Below(4) switch { 0 => 1u, 1 => 5, 2 => 9, _ => 13 }, f, g, (uint)random.Below(32)));
                words.Add((rd << 7) | 0x00102073);
                words.Add(R(0x53, random.Below(2) == 0 ? 1u : 0, 0x51, random.Below(8) == 0 ? rd : a, f, g));
                words.Add((rd << 15) | 0x00101073);
                if (random.Below(2) == 0)
                    words.Add(Branch(1, a, 0, 8));
                if (random.Below(2) == 0)
                    words.Add(R(0x53, 7, random.Below(4) switch { 0 => 1u, 1 => 5, 2 => 9, _ => 13 }, f, g, (uint)random.Below(32)));
                if (random.Below(2) == 0)
                    words.Add(I(0x07, 3, f, random.Below(8) == 0 ? a : Walker, 8 * random.Below(16)));
                if (random.Below(2) == 0)
                    words.Add(I(0x13, 0, rd, b, 1));
                break;
            case 13: // FMADD.D and its like, FLD, FSD
                uint x = (uint)random.Below(32), y = (uint)random.Below(32), z = (uint)random.Below(32);
                words.Add((z << 27) | R(0x43 | ((uint)random.Below(4) << 2), 7, 1, random.Below(3) == 0 ? z : (uint)random.Below(32), x, y));
                words.Add(random.Below(3) switch { 0 => I(0x07, 3, x, Walker, 8 * random.Below(16)), 1 => S(3, Walker, y, 8 * random.Below(16)) | 4, _ => R(0x53, 7, random.Below(2) == 0 ? 1u : 9, y, x, z) });
                break;
            default: // RORIW, ORN, XNOR and ANDN of Zbb, a copy, a constant
                words.Add((isPlain ? random.Below(2) + 2 : random.Below(6)) switch
                {
                    4 => R(0x33, 6, 0x20, rd, a, b),
                    5 => R(0x33, 4, 0x20, rd, a, b),
                    0 => I(0x1B, 5, rd, a, 0x600 | random.Below(32)),
                    1 => R(0x33, 7, 0x20, rd, a, b),
                    2 => I(0x13, 0, rd, a, 0),
                    _ => (uint)random.Next() & 0xFFFFF000 | (rd << 7) | 0x37,
                });
                break;
        }
    }

    /// <summary>Two shifts that make a rotation, or nearly, and what unites them, with something in between at times.</summary>
    private static void AddRotation(List<uint> words, FuzzRandom random, uint rd, uint a, uint b, uint c, bool isPlain)
    {
        bool isWord = random.Below(2) == 0;
        int bits = isWord ? 32 : 64, count = random.Below(bits), rest = (random.Below(8) == 0 ? random.Below(bits) : bits - count) & (bits - 1);
        uint left = I(isWord ? 0x1Bu : 0x13, 1, b, a, count), right = I(isWord ? 0x1Bu : 0x13, 5, c, a, rest);
        bool leftFirst = random.Below(2) == 0;
        words.Add(leftFirst ? left : right);
        Between(words, random, rd, b, isPlain);
        words.Add(leftFirst ? right : left);
        Between(words, random, rd, c, isPlain);
        words.Add(R(0x33, random.Below(3) == 0 ? 4u : 6, 0, random.Below(3) switch { 0 => b, 1 => c, _ => rd }, b, c));
    }

    /// <summary>Two shifts that extend a part.</summary>
    private static void AddExtension(List<uint> words, FuzzRandom random, uint rd, uint a, uint b, bool isPlain)
    {
        bool isWord = random.Below(2) == 0;
        int bits = isWord ? 32 : 64, count = bits - (8 << random.Below(isWord ? 2 : 3));
        words.Add(I(isWord ? 0x1Bu : 0x13, 1, b, a, count));
        Between(words, random, rd, a, isPlain);
        words.Add(I(isWord ? 0x1Bu : 0x13, 5, random.Below(2) == 0 ? b : rd, b, count | (random.Below(2) == 0 ? 0x400 : 0)));
    }

    private static void Between(List<uint> words, FuzzRandom random, uint rd, uint a, bool isPlain)
    {
        switch (random.Below(isPlain ? 2 : 6))
        {
            case 0: words.Add(R(0x3B, 0, 0, rd, rd, a)); break;
            case 1: words.Add(I(0x03, 2, rd, Walker, 8 * random.Below(16))); break;
            case 2: words.Add(Branch(1, a, rd, 8)); break;
        }
    }

    private static uint R(uint opcode, uint funct3, uint funct7, uint rd, uint a, uint b) => (funct7 << 25) | (b << 20) | (a << 15) | (funct3 << 12) | (rd << 7) | opcode;

    private static uint I(uint opcode, uint funct3, uint rd, uint a, int immediate) => ((uint)immediate << 20) | (a << 15) | (funct3 << 12) | (rd << 7) | opcode;

    private static uint S(uint funct3, uint a, uint b, int immediate) =>
        ((uint)(immediate >> 5) << 25) | (b << 20) | (a << 15) | (funct3 << 12) | ((uint)(immediate & 31) << 7) | 0x23;

    /// <summary>JAL x0.</summary>
    private static uint Jump(int offset)
    {
        uint o = (uint)offset;
        return ((o >> 20 & 1) << 31) | ((o >> 1 & 1023) << 21) | ((o >> 11 & 1) << 20) | ((o >> 12 & 255) << 12) | 0x6F;
    }

    private static uint Branch(uint funct3, uint a, uint b, int offset)
    {
        uint o = (uint)offset;
        return ((o >> 12 & 1) << 31) | ((o >> 5 & 63) << 25) | (b << 20) | (a << 15) | (funct3 << 12) | ((o >> 1 & 15) << 8) | ((o >> 11 & 1) << 7) | 0x63;
    }
}
