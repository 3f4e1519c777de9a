using System.Diagnostics;
using System.Globalization;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.Qemu;

/// <summary>
/// Random programs under a processor's qemu-user, on the interpreter and on the translator. VIVARIUM_SEED is the first program's seed,
/// VIVARIUM_FUZZ_PROGRAMS their number.
/// </summary>
/// <param name="qemu">The command; without it the comparison fails.</param>
/// <param name="machine">ELF's number of the processor.</param>
internal sealed class QemuComparison(Architecture architecture, byte machine, string[] qemu, ITestOutputHelper output)
{
    private const int LongestReport = 20_000;

    /// <summary>Tells in which case the records that an engine left differ from qemu's.</summary>
    public delegate void Description(string engine, byte[] expected, byte[] got, StringBuilder report);

    /// <param name="generate">The program of a seed.</param>
    public void Check(Func<ulong, (RecordProgram Program, Description Describe)> generate)
    {
        ulong seed = Setting("VIVARIUM_SEED", 7), programs = Setting("VIVARIUM_FUZZ_PROGRAMS", 12);
        output.WriteLine($"seed {seed}");
        (string Name, RecordMachine Machine)[] engines =
        [
            ("interpreter", new RecordMachine(architecture, new Interpreter(new BlockCache()))),
            ("translator", new RecordMachine(architecture, EnginePair.Translator)),
        ];
        var report = new StringBuilder();
        for (ulong next = seed; next < seed + programs && report.Length < LongestReport; next++)
        {
            (RecordProgram program, Description describe) = generate(next);
            byte[] expected = UnderQemu(program);
            foreach ((string name, RecordMachine engine) in engines)
            {
                byte[] got = engine.Run(program, out EngineExit exit, out ulong pc);
                if (exit.Reason != ExitReason.SystemCall)
                    report.AppendLine(CultureInfo.InvariantCulture, $"seed {next}, {name}: {exit} at {pc:x}: {BitConverter.ToUInt32(program.Code, (int)(pc - RecordProgram.CodeAt)):x8}");
                else if (!got.AsSpan().SequenceEqual(expected))
                    describe(name, expected, got, report.Append(CultureInfo.InvariantCulture, $"seed {next}, "));
            }
        }
        Assert.True(report.Length == 0, report.ToString());
    }

    private static ulong Setting(string name, ulong otherwise) =>
        ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out ulong value) ? value : otherwise;

    private byte[] UnderQemu(RecordProgram program)
    {
        Assert.True(File.Exists(qemu[0]), $"{qemu[0]} is not here; ./test installs it (Debian's qemu-user)");
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, StaticElf.Build(machine, (RecordProgram.CodeAt, program.Code, 5), (RecordProgram.DataAt, program.Data, 6), (RecordProgram.RecordsAt, program.Records, 6)));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
            using Process process = Process.Start(new ProcessStartInfo(qemu[0], [.. qemu[1..], file]) { RedirectStandardOutput = true })!;
            using var written = new MemoryStream();
            process.StandardOutput.BaseStream.CopyTo(written);
            process.WaitForExit();
            Assert.Equal(program.Records.Length, written.Length);
            return written.ToArray();
        }
        finally
        {
            File.Delete(file);
        }
    }
}
