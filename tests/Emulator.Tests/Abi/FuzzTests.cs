using System.Collections.Concurrent;
using System.Globalization;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Vivarium.Emulator.Tests.Files;
using Xunit;

namespace Vivarium.Emulator.Tests.Abi;

/// <summary>
/// Worlds whose programs do nothing but random system calls: whatever they ask for, the answer is a result or a signal, never an
/// exception of the host or a handler that does not come back. <c>VIVARIUM_FUZZ=CALLS[:SEED]</c> runs more of them. Alone, since it counts
/// what this process has open.
/// </summary>
[Collection(FuzzCollection.Name)]
public sealed class FuzzTests(Xunit.Abstractions.ITestOutputHelper output)
{
    private const int CallsOfAWorld = 1500;
    private const int FirstThreads = 3;

    /// <summary>A world whose threads all sleep may live on timers alone.</summary>
    private const int Turns = 20;

    /// <summary>What may stay, buffers and pools of the run-time's being most of it.</summary>
    private const long MostGrowth = 64 << 20;
    private const int MostNewDescriptors = 20, MostNewMappings = 500;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    [Fact]
    public async Task Random_calls_harm_nobody()
    {
        (int calls, ulong seed) = Settings();
        output.WriteLine($"{calls} calls, first seed {seed}");
        string root = Directory.CreateTempSubdirectory("vivarium-fuzz-").FullName;
        File.WriteAllText(Path.Combine(root, "a"), "a file with some text\n");
        Directory.CreateDirectory(Path.Combine(root, "d"));
        File.CreateSymbolicLink(Path.Combine(root, "link"), "a");
        try
        {
            // What is loaded once is no growth.
            seed = await Run(calls / 10, seed, root);
            (long memory, int descriptors, int mappings) = Measure();
            await Run(calls - (calls / 10), seed, root);
            (long memoryAfter, int descriptorsAfter, int mappingsAfter) = Measure();
            output.WriteLine($"memory {memory} to {memoryAfter}, descriptors {descriptors} to {descriptorsAfter}, mappings {mappings} to {mappingsAfter}");
            Assert.InRange(memoryAfter, 0, memory + MostGrowth);
            Assert.InRange(descriptorsAfter, 0, descriptors + MostNewDescriptors);
            Assert.InRange(mappingsAfter, 0, mappings + MostNewMappings);
            Assert.True(RandomCalls.Unlisted.IsEmpty, string.Join('\n', RandomCalls.Unlisted.OrderBy(pair => pair.Key).Select(pair => $"{pair.Key.Call} {pair.Key.Error} {pair.Value}")));
            Assert.Equal("a file with some text\n", File.ReadAllText(Path.Combine(root, "a")));
            Assert.Equal(3, Directory.GetFileSystemEntries(root, "*", SearchOption.AllDirectories).Length);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>Runs worlds, a few at a time, until they made so many calls; returns the next seed.</summary>
    private static async Task<ulong> Run(int calls, ulong seed, string root)
    {
        long left = calls;
        ulong next = seed;
        await Task.WhenAll(Enumerable.Range(0, Math.Min(4, Environment.ProcessorCount)).Select(_ => Task.Run(async () =>
        {
            while (Volatile.Read(ref left) > 0)
            {
                var program = new RandomCalls(Interlocked.Increment(ref next) - 1);
                Task world = Task.Run(() => RunWorld(program, root));
                bool isDone = await Task.WhenAny(world, Task.Delay(Patience)) == world;
                Assert.True(isDone, $"seed {program.Seed}: no end of {program.Last}");
                Assert.True(world.IsCompletedSuccessfully, $"seed {program.Seed}: {program.Last}: {world.Exception?.InnerException}");
                Interlocked.Add(ref left, -Math.Max(1, program.Count));
            }
        })));
        return next;
    }

    /// <summary>Bytes of live objects, descriptors and mappings of this process.</summary>
    private static (long Memory, int Descriptors, int Mappings) Measure()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return (GC.GetTotalMemory(forceFullCollection: true), Directory.GetFileSystemEntries("/proc/self/fd").Length, File.ReadLines("/proc/self/maps").Count());
    }

    private static void RunWorld(RandomCalls program, string root)
    {
        using var world = new World(new WorldSpec
        {
            HostClock = new TestClock(),
            IsVirtualTime = true,
            Seed = program.Seed,
            ShufflesThreads = true,
            MemoryLimit = 64 << 20,
            Engine = program,
            Observer = program,
            Personality = LinuxPersonality.Instance,
            RootPath = root,
        });
        Assert.Null(world.MountTree());
        GuestThread first = world.CreateFirst(new FileContext(world.Vfs.Root, world.Vfs.Root), Credentials.Of(0, 0), Architecture.X64);
        program.Prepare(first);
        for (int i = 0; i < FirstThreads; i++)
            first.Process.Clone(first, CloneShares.Process | CloneShares.Memory | CloneShares.Files | CloneShares.FileContext | CloneShares.Actions, 0, first.Process.Space, out _);
        for (int turn = 0; turn < Turns && program.Count < CallsOfAWorld; turn++)
        {
            if (world.Run(CallsOfAWorld * 200) != WorldState.Ready)
                break;
        }
    }

    private static (int Calls, ulong Seed) Settings()
    {
        string[] words = (Environment.GetEnvironmentVariable("VIVARIUM_FUZZ") ?? "").Split(':');
        int calls = int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : 1_000_000;
        ulong seed = words.Length > 1 ? ulong.Parse(words[1], CultureInfo.InvariantCulture) : 1;
        return (calls, seed);
    }

    /// <summary>An engine in which every instruction is a system call.</summary>
    private sealed class RandomCalls(ulong seed) : IEngine, ICallObserver
    {
        // rdi, rsi, rdx, r10, r8, r9
        private static readonly int[] ArgumentRegisters = [7, 6, 2, 10, 8, 9];

        private readonly RandomArguments _random = new(seed);
        private readonly CallShape[] _calls = [.. LinuxTable.Numbers.ToArray()
            .Where(number => number < 4096 && LinuxTable.IsImplemented(number)).Select(number => LinuxTable.Describe(number)!)];

        private GuestThread? _first;

        public ulong Seed => seed;

        public int Count { get; private set; }

        /// <summary>Errors that rows do not list, and the first call that gave each.</summary>
        public static ConcurrentDictionary<(string Call, Errno Error), string> Unlisted { get; } = [];

        public string Last { get; private set; } = "nothing";

        public void Prepare(GuestThread first)
        {
            _first = first;
            _random.Prepare(first.Process.Memory);
        }

        public EngineExit Run(GuestCpu cpu, AddressSpace memory, ref long budget)
        {
            budget -= 1;
            if (_random.Below(16) == 0)
                _random.Scramble(memory);
            CallShape call = Pick(cpu);
            ref CpuState state = ref cpu.State;
            state.Registers[0] = (ulong)call.Number;
            for (int i = 0; i < call.Arguments.Length; i++)
                state.Registers[ArgumentRegisters[i]] = _random.Next(call.Arguments[i], memory);
            state.Registers[4] = RandomArguments.Buffer + 0x5000;
            return new EngineExit(ExitReason.SystemCall);
        }

        public void OnEnter(GuestThread thread)
        {
            Count++;
            Last = Text(thread);
        }

        private static string Text(GuestThread thread) =>
            $"{LinuxTable.Name(thread.Call.Number)}({string.Join(", ", thread.Call.Arguments.ToArray().Select(value => $"0x{value:x}"))})";

        /// <summary>No handler returns an error that its row does not list; a filter of the program's own may.</summary>
        public void OnExit(GuestThread thread, in CallResult result)
        {
            if (result.Outcome is not (CallOutcome.Error or CallOutcome.Interrupted) || thread.Filter is not null)
                return;
            CallShape? shape = LinuxTable.Describe(thread.Call.Number);
            if (shape?.Errors is { } errors && !errors.Contains(result.Error))
                Unlisted.TryAdd((shape.Name, result.Error), $"seed {seed}: {Text(thread)}");
        }

        public void OnSignal(GuestThread thread, in SignalInfo info)
        {
        }

        public void OnEnd(GuestThread thread, WaitStatus status)
        {
        }

        /// <summary>Any call with a handler; the first process does not end itself, for that ends the world.</summary>
        private CallShape Pick(GuestCpu cpu)
        {
            while (true)
            {
                CallShape call = _calls[_random.Below(_calls.Length)];
                bool isFirst = ReferenceEquals(cpu, _first?.Cpu);
                if (!isFirst || call.Name is not ("exit" or "exit_group" or "pause" or "rt_sigsuspend"))
                    return call;
            }
        }
    }
}
