using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Tests.Cpu.Qemu;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Xunit;
using Xunit.Abstractions;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Tests.Cpu.RiscV;

/// <summary>Random instructions with random operands, under qemu-riscv64 and here: all registers, fcsr included, must be the same. Each program has many cases.</summary>
[Collection(FuzzCollection.Name)]
public sealed class QemuTests(ITestOutputHelper output)
{
    private const int Cases = 150, Instructions = 12;

    [Fact]
    public void NoInstructionDiffersFromQemu() =>
        new QemuComparison(Architecture.RiscV64, StaticElf.RiscV, ["/usr/bin/qemu-riscv64"], output).Check(Generate);

    private static (RecordProgram, QemuComparison.Description) Generate(ulong seed)
    {
        var generator = new RiscVGenerator(seed);
        for (int i = 0; i < Cases; i++)
            generator.AddCase(Instructions);
        generator.Finish();
        byte[] data = new byte[RiscVGenerator.DataSize];
        new FuzzRandom(seed).Fill(data);
        var program = new RecordProgram(MemoryMarshal.AsBytes(generator.Words).ToArray(), data, [.. generator.Before.SelectMany(static record => record)]);
        return (program, (engine, expected, got, report) => Describe(engine, generator, expected, got, report));
    }

    private static void Describe(string engine, RiscVGenerator generator, byte[] expected, byte[] got, StringBuilder report)
    {
        int at = expected.AsSpan().CommonPrefixLength(got), which = at / RiscVGenerator.RecordSize;
        report.AppendLine(CultureInfo.InvariantCulture, $"{engine}, case {which}:");
        (int from, int to) = generator.Cases[which];
        foreach (uint word in generator.Words[from..to])
            report.Append(CultureInfo.InvariantCulture, $" {word:x8} {RiscVEncodings.Decode(word)};");
        report.AppendLine();
        for (int i = 0; i < 65; i++)
        {
            int place = (which * RiscVGenerator.RecordSize) + (8 * i);
            ulong right = BitConverter.ToUInt64(expected, place), wrong = BitConverter.ToUInt64(got, place);
            if (right != wrong)
                report.AppendLine(CultureInfo.InvariantCulture, $"  {(i < 32 ? $"x{i}" : i < 64 ? $"f{i - 32}" : "fcsr")}: qemu {right:x16}, here {wrong:x16}, before {BitConverter.ToUInt64(generator.Before[which], 8 * i):x16}");
        }
        if (report.Length < 6000)
            AppendBefore(generator.Before[which], report);
    }

    private static void AppendBefore(byte[] record, StringBuilder report)
    {
        for (int i = 0; i < 65; i++)
            report.Append(CultureInfo.InvariantCulture, $" {(i < 32 ? $"x{i}" : i < 64 ? $"f{i - 32}" : "fcsr")}={BitConverter.ToUInt64(record, 8 * i):x}");
        report.AppendLine();
    }
}
