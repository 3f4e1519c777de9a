using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Tests.Files;
using Xunit;

namespace Vivarium.Emulator.Tests.Kernel;

/// <summary>Worlds of virtual time whose first process runs a script.</summary>
internal static class ScriptWorld
{
    private static readonly string Root = Directory.CreateTempSubdirectory("vivarium-scripts-").FullName;

    static ScriptWorld() => AppDomain.CurrentDomain.ProcessExit += static (_, _) => Directory.Delete(Root, recursive: true);

    public static World Make(Script script, ulong seed, bool shuffles, uint user)
    {
        var world = new World(new WorldSpec
        {
            HostClock = new TestClock(),
            IsVirtualTime = true,
            Seed = seed,
            ShufflesThreads = shuffles,
            MemoryLimit = 64 << 20,
            Engine = script,
            Personality = LinuxPersonality.Instance,
            RootPath = Root,
        });
        script.World = world;
        Assert.Null(world.MountTree());
        GuestThread first = world.CreateFirst(new FileContext(world.Vfs.Root, world.Vfs.Root), Credentials.Of(user, user), Architecture.X64);
        MapRequest request = new(new GuestAddress(Script.Data), Script.DataSize, Protection.ReadWrite, Placement.Fixed);
        Assert.Equal(MapStatus.Ok, first.Process.Memory.Map(request, out _));
        first.Cpu.State.Pc = script.Start;
        first.Cpu.State.Registers[4] = Script.Data + Script.DataSize;
        return world;
    }
}
