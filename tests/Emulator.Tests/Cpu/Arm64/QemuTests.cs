using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Tests.Cpu.RiscV;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>
/// Random instructions with random operands, under qemu-aarch64 and here: all registers, flags and FPSR included, must be the same. VIVARIUM_SEED is
/// the first program's seed, VIVARIUM_FUZZ_PROGRAMS their number; each has many cases.
/// </summary>
[Collection(FuzzCollection.Name)]
public sealed class QemuTests(ITestOutputHelper output)
{
    private const int Cases = 150, Instructions = 12;
    private const string Qemu = "/usr/bin/qemu-aarch64";

    [Fact]
    public void NoIntegerInstructionDiffersFromQemu() => Check(Arm64IntegerTemplates.All, hasVectors: false);

    /// <summary>Under FPCR as programs have it, and under any rounding, flushing, default NaNs and the other half-precision format.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void NoVectorInstructionDiffersFromQemu(bool changesControl) => Check(SimdTemplates.All, hasVectors: true, changesControl);

    private void Check(Arm64Template[] templates, bool hasVectors, bool changesControl = false)
    {
        if (!File.Exists(Qemu))
        {
            output.WriteLine("no qemu-aarch64 here");
            return;
        }
        ulong seed = Setting("VIVARIUM_SEED", 7), programs = Setting("VIVARIUM_FUZZ_PROGRAMS", 12);
        output.WriteLine($"seed {seed}");
        var interpreter = new Arm64Machine(new Interpreter(new BlockCache()));
        var translator = new Arm64Machine(EnginePair.Translator);
        var report = new StringBuilder();
        for (ulong program = seed; program < seed + programs && report.Length < 20_000; program++)
            Compare(new Arm64Generator(program, templates, hasVectors), program, changesControl, interpreter, translator, report);
        Assert.True(report.Length == 0, report.ToString());
    }

    private static ulong Setting(string name, ulong otherwise) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out ulong value) ? value : otherwise;

    private static void Compare(Arm64Generator generator, ulong seed, bool changesControl, Arm64Machine interpreter, Arm64Machine translator, StringBuilder report)
    {
        var random = new FuzzRandom(~seed);
        for (int i = 0; i < Cases; i++)
            generator.AddCase(Instructions, changesControl ? (uint)random.Below(32) << 22 : 0);
        generator.Finish();
        byte[] code = MemoryMarshal.AsBytes(generator.Words).ToArray(), data = new byte[Arm64Generator.DataSize], records = [.. generator.Before.SelectMany(static record => record)];
        new FuzzRandom(seed).Fill(data);
        byte[] expected = UnderQemu(code, data, records);
        foreach ((string name, Arm64Machine machine) in (ReadOnlySpan<(string, Arm64Machine)>)[("interpreter", interpreter), ("translator", translator)])
        {
            byte[] got = machine.Run(code, data, records, out EngineExit exit, out ulong pc);
            if (exit.Reason != ExitReason.SystemCall)
                report.AppendLine(CultureInfo.InvariantCulture, $"seed {seed}, {name}: {exit} at {pc:x}: {BitConverter.ToUInt32(code, (int)(pc - Arm64Generator.Code)):x8}");
            else if (!got.AsSpan().SequenceEqual(expected))
                Describe(seed, name, generator, expected, got, report);
        }
    }

    private static void Describe(ulong seed, string engine, Arm64Generator generator, byte[] expected, byte[] got, StringBuilder report)
    {
        int at = expected.AsSpan().CommonPrefixLength(got), which = at / Arm64Generator.RecordSize;
        report.AppendLine(CultureInfo.InvariantCulture, $"seed {seed}, {engine}, case {which}:");
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

    private static byte[] UnderQemu(byte[] code, byte[] data, byte[] records)
    {
        string file = Path.GetTempFileName();
        File.WriteAllBytes(file, RiscVElf.Build(183, (Arm64Generator.Code, code, 5), (Arm64Generator.Data, data, 6), (Arm64Generator.Records, records, 6)));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        using Process process = Process.Start(new ProcessStartInfo(Qemu, ["-cpu", "max", file]) { RedirectStandardOutput = true })!;
        using var written = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(written);
        process.WaitForExit();
        File.Delete(file);
        Assert.Equal(records.Length, written.Length);
        return written.ToArray();
    }
}
