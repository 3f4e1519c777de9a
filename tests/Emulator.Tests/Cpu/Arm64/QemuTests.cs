using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Tests.Cpu.Qemu;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Xunit;
using Xunit.Abstractions;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>Random instructions with random operands, under qemu-aarch64 and here: all registers, flags and FPSR included, must be the same. Each program has many cases.</summary>
[Collection(FuzzCollection.Name)]
public sealed class QemuTests(ITestOutputHelper output)
{
    private const int Cases = 150, Instructions = 12;

    [Fact]
    public void NoIntegerInstructionDiffersFromQemu() => Check(Arm64IntegerTemplates.All, hasVectors: false);

    /// <summary>Under FPCR as programs have it, and under any rounding, flushing, default NaNs and the other half-precision format.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NoVectorInstructionDiffersFromQemu(bool changesControl) => Check(SimdTemplates.All, hasVectors: true, changesControl);

    private void Check(Arm64Template[] templates, bool hasVectors, bool changesControl = false) =>
        new QemuComparison(Architecture.Arm64, StaticElf.Arm64, ["/usr/bin/qemu-aarch64", "-cpu", "max"], output)
            .Check(seed => Generate(new Arm64Generator(seed, templates, hasVectors), seed, changesControl));

    private static (RecordProgram, QemuComparison.Description) Generate(Arm64Generator generator, ulong seed, bool changesControl)
    {
        var random = new FuzzRandom(~seed);
        for (int i = 0; i < Cases; i++)
            generator.AddCase(Instructions, changesControl ? (uint)random.Below(32) << 22 : 0);
        generator.Finish();
        byte[] data = new byte[Arm64Generator.DataSize];
        new FuzzRandom(seed).Fill(data);
        var program = new RecordProgram(MemoryMarshal.AsBytes(generator.Words).ToArray(), data, [.. generator.Before.SelectMany(static record => record)]);
        return (program, (engine, expected, got, report) => Describe(engine, generator, expected, got, report));
    }

    private static void Describe(string engine, Arm64Generator generator, byte[] expected, byte[] got, StringBuilder report)
    {
        int at = expected.AsSpan().CommonPrefixLength(got), which = at / Arm64Generator.RecordSize;
        report.AppendLine(CultureInfo.InvariantCulture, $"{engine}, case {which}:");
        (int from, int to) = generator.Cases[which];
        for (int i = from; i < to; i++)
            report.Append(CultureInfo.InvariantCulture, $" {generator.Words[i]:x8}{(i < to - 2 ? " " + generator.Names[(which * Instructions) + i - from] : "")};");
        report.AppendLine();
        for (int i = 0; i < Arm64Generator.RecordSize / 8; i++)
        {
            int place = (which * Arm64Generator.RecordSize) + (8 * i);
            ulong right = BitConverter.ToUInt64(expected, place), wrong = BitConverter.ToUInt64(got, place);
            if (right != wrong)
                report.AppendLine(CultureInfo.InvariantCulture, $"  {NameOf(i)}: qemu {right:x16}, here {wrong:x16}, before {BitConverter.ToUInt64(generator.Before[which], 8 * i):x16}");
        }
        if (report.Length < 6000)
            AppendBefore(generator.Before[which], report);
    }

    private static string NameOf(int word) => word switch
    {
        < 31 => $"x{word}",
        31 => "sp",
        Arm64Generator.Flags => "nzcv",
        Arm64Generator.Control => "fpcr",
        Arm64Generator.Status => "fpsr",
        _ => $"v{(word - Arm64Generator.VectorsAt) / 2}{((word & 1) == 0 ? "" : " high")}",
    };

    private static void AppendBefore(byte[] record, StringBuilder report)
    {
        for (int i = 0; i < record.Length / 8; i++)
        {
            if (BitConverter.ToUInt64(record, 8 * i) is not 0 and var value)
                report.Append(CultureInfo.InvariantCulture, $" {NameOf(i)}={value:x}");
        }
        report.AppendLine();
    }
}
