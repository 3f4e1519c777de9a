using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.RiscV;

/// <summary>
/// Random instructions with random operands, under qemu-riscv64 and here: all registers, fcsr included, must be the same. VIVARIUM_SEED is
/// the first program's seed, VIVARIUM_FUZZ_PROGRAMS their number; each has many cases.
/// </summary>
[Collection(FuzzCollection.Name)]
public sealed class QemuTests(ITestOutputHelper output)
{
    private const int Cases = 150, Instructions = 12;
    private const string Qemu = "/usr/bin/qemu-riscv64";

    [Fact]
    public void NoInstructionDiffersFromQemu()
    {
        if (!File.Exists(Qemu))
        {
            output.WriteLine("no qemu-riscv64 here");
            return;
        }
        ulong seed = Setting("VIVARIUM_SEED", 7), programs = Setting("VIVARIUM_FUZZ_PROGRAMS", 12);
        output.WriteLine($"seed {seed}");
        var interpreter = new RiscVMachine(new Interpreter(new BlockCache()));
        var translator = new RiscVMachine(EnginePair.Translator);
        var report = new StringBuilder();
        for (ulong program = seed; program < seed + programs && report.Length < 20_000; program++)
            Compare(program, interpreter, translator, report);
        Assert.True(report.Length == 0, report.ToString());
    }

    private static ulong Setting(string name, ulong otherwise) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out ulong value) ? value : otherwise;

    private static void Compare(ulong seed, RiscVMachine interpreter, RiscVMachine translator, StringBuilder report)
    {
        var generator = new RiscVGenerator(seed);
        for (int i = 0; i < Cases; i++)
            generator.AddCase(Instructions);
        generator.Finish();
        byte[] code = MemoryMarshal.AsBytes(generator.Words).ToArray(), data = new byte[RiscVGenerator.DataSize], records = [.. generator.Before.SelectMany(static record => record)];
        new FuzzRandom(seed).Fill(data);
        byte[] expected = UnderQemu(code, data, records);
        foreach ((string name, RiscVMachine machine) in (ReadOnlySpan<(string, RiscVMachine)>)[("interpreter", interpreter), ("translator", translator)])
        {
            byte[] got = machine.Run(code, data, records, out EngineExit exit);
            if (exit.Reason != ExitReason.SystemCall)
                report.AppendLine(CultureInfo.InvariantCulture, $"seed {seed}, {name}: {exit}");
            else if (!got.AsSpan().SequenceEqual(expected))
                Describe(seed, name, generator, expected, got, report);
        }
    }

    private static void Describe(ulong seed, string engine, RiscVGenerator generator, byte[] expected, byte[] got, StringBuilder report)
    {
        int at = expected.AsSpan().CommonPrefixLength(got), which = at / RiscVGenerator.RecordSize;
        report.AppendLine(CultureInfo.InvariantCulture, $"seed {seed}, {engine}, case {which}:");
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

    private static byte[] UnderQemu(byte[] code, byte[] data, byte[] records)
    {
        string file = Path.GetTempFileName();
        File.WriteAllBytes(file, RiscVElf.Build((RiscVGenerator.Code, code, 5), (RiscVGenerator.Data, data, 6), (RiscVGenerator.Records, records, 6)));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        using Process process = Process.Start(new ProcessStartInfo(Qemu, file) { RedirectStandardOutput = true })!;
        using var written = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(written);
        process.WaitForExit();
        File.Delete(file);
        Assert.Equal(records.Length, written.Length);
        return written.ToArray();
    }
}
