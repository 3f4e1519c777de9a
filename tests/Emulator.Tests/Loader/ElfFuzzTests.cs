using System.Globalization;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Tests.Files;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Loader;

/// <summary>
/// Mutated programs, loaded and run in whole worlds: each ends with an errno or a signal, never with an exception of the host, and leaves
/// no memory behind. <c>VIVARIUM_FUZZ=PROGRAMS[:SEED]</c> runs more of them.
/// </summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ElfFuzzTests(ITestOutputHelper output) : IDisposable
{
    private const ulong MemoryLimit = 16 << 20;
    private const long MostInstructions = 200_000;
    private const int DefaultSeed = 20261121;

    private static readonly Errno[] Refusals =
        [Errno.ENOEXEC, Errno.ENOMEM, Errno.ENOENT, Errno.EACCES, Errno.EINVAL, Errno.ELOOP, Errno.ENAMETOOLONG, Errno.EIO, Errno.ENOTDIR, Errno.EISDIR];

    private static readonly int[] Kills = [Signal.Segment, Signal.Bus, Signal.Illegal, Signal.Trap, Signal.FloatingPoint, Signal.Kill];

    private readonly string _root = Directory.CreateTempSubdirectory("vivarium-elf-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Mutated_programs_harm_nobody()
    {
        string[] words = (Environment.GetEnvironmentVariable("VIVARIUM_FUZZ") ?? "").Split(':');
        int programs = int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : 3000;
        int seed = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : DefaultSeed;
        output.WriteLine($"{programs} programs, first seed {seed}");
        File.WriteAllBytes(Path.Combine(_root, "interpreter"), ElfBuilder.Make(isRelocatable: true));
        var outcomes = new SortedDictionary<string, int>();
        byte[][] originals = [ElfBuilder.Make(), ElfBuilder.Make(isRelocatable: true), ElfBuilder.Make("/interpreter"), ElfBuilder.Make("/interpreter", isRelocatable: true)];
        for (int i = 0; i < programs; i++)
        {
            byte[] file = new Mutation(seed + i).Apply(originals[i % originals.Length]);
            string outcome = Try(file, $"seed {seed + i}, program {i % originals.Length}");
            outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
        }
        output.WriteLine(string.Join(", ", outcomes.Select(static pair => $"{pair.Key} {pair.Value}")));
        Assert.True(outcomes.Count > 1, "every program came to the same end");
    }

    [Fact]
    public void Unmutated_programs_run()
    {
        File.WriteAllBytes(Path.Combine(_root, "interpreter"), ElfBuilder.Make(isRelocatable: true));
        Assert.Equal("exit 0", Try(ElfBuilder.Make(), "static"));
        Assert.Equal("exit 0", Try(ElfBuilder.Make(isRelocatable: true), "static pie"));
        Assert.Equal("exit 0", Try(ElfBuilder.Make("/interpreter"), "dynamic"));
        Assert.Equal("exit 0", Try(ElfBuilder.Make("/interpreter", isRelocatable: true), "pie"));
        Assert.Equal("ENOENT", Try(ElfBuilder.Make("/nothing"), "no interpreter"));
    }

    [Fact]
    public void Huge_memory_sizes_are_refused_and_never_kept()
    {
        File.WriteAllBytes(Path.Combine(_root, "interpreter"), []);
        byte[] file = ElfBuilder.Make();
        ElfBuilder.Segment(file, 1, 1, 6, 0x2000, 0x40_2000, 0x800, 1ul << 40);
        Assert.Equal("ENOMEM", Try(file, "a terabyte"));
        ElfBuilder.Segment(file, 1, 1, 6, 0x2000, 0x40_2000, 0x800, ulong.MaxValue - 0x1000);
        Assert.Contains(Try(file, "everything"), new[] { "ENOEXEC", "ENOMEM", "EINVAL" });
    }

    private string Try(byte[] file, string what)
    {
        File.WriteAllBytes(Path.Combine(_root, "program"), file);
        File.SetUnixFileMode(Path.Combine(_root, "program"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.SetUnixFileMode(Path.Combine(_root, "interpreter"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        try
        {
            return RunWorld();
        }
        catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
        {
            string kept = Path.Combine(Path.GetTempPath(), "vivarium-elf-failure");
            File.WriteAllBytes(kept, file);
            Assert.Fail($"{what}, kept as {kept}: {exception}");
            throw;
        }
    }

    private string RunWorld()
    {
        var world = new World(new WorldSpec
        {
            HostClock = new TestClock(),
            IsVirtualTime = true,
            MemoryLimit = MemoryLimit,
            Engine = new Interpreter(new BlockCache()),
            Personality = LinuxPersonality.Instance,
            RootPath = _root,
        });
        Assert.Null(world.MountTree());
        ulong tree = world.Accountant.Used;
        GuestThread first = world.CreateFirst(new FileContext(world.Vfs.Root, world.Vfs.Root), Credentials.Of(0, 0), Architecture.X64);
        byte[] path = Encoding.ASCII.GetBytes("/program");
        var caller = new FileCaller(first.Process.FileContext, first.FileCredentials);
        Assert.Equal(Errno.None, world.Vfs.Resolve(caller, world.Vfs.Root, path, WalkFlags.Follow, out PathEntry? entry));
        Errno error = ProgramLoader.Execute(first, entry!, path, [path], [], out string detail);
        string outcome = error == Errno.None ? Finish(world) : Refuse(error, detail);
        world.Dispose();
        // The tree itself costs a little; a program's memory is gone.
        Assert.True(world.Accountant.Used <= tree + 4096, $"{world.Accountant.Used - tree} bytes are left behind");
        return outcome;
    }

    private static string Refuse(Errno error, string detail)
    {
        Assert.Contains(error, Refusals);
        Assert.NotEmpty(detail);
        return error.ToString();
    }

    /// <summary>A program that goes on and on is one that a mutation made so.</summary>
    private static string Finish(World world)
    {
        while (world.Instructions < MostInstructions)
        {
            WorldState state = world.Run(50_000);
            if (state == WorldState.Idle)
                return "asleep";
            if (state == WorldState.Over)
                break;
        }
        if (!world.IsOver)
            return "endless";
        if (world.Result.Change == ChildChange.Exited)
            return $"exit {world.Result.Value}";
        Assert.Contains(world.Result.Value, Kills);
        return $"signal {world.Result.Value}";
    }
}
