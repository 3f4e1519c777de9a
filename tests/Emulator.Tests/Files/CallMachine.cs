using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Files.Proc;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>A process with memory and a tree, to call handlers in without a program.</summary>
internal sealed class CallMachine : IDisposable
{
    private const ulong Pages = 0x100_0000;

    private readonly World _world;

    public CallMachine(string root)
    {
        _world = new World(new WorldSpec { HostClock = new TestClock(), Engine = new NoProgram(), Personality = new NoProgram() });
        _world.Vfs = new WorldTree
        {
            Clock = _world.Clock, Accountant = _world.Accountant, Random = static bytes => bytes.Fill(7), Processes = new WorldProcesses(_world),
            System = new SystemInfo(), RootPath = root, MayExceedQuotas = static () => false,
        }.Build(out string? problem)!;
        Assert.Null(problem);
        FileContext context = new(_world.Vfs.Root, _world.Vfs.Root);
        Thread = _world.CreateFirst(context, Credentials.Of(0, 0), Architecture.X64);
        MapRequest request = new(new GuestAddress(Pages), 0x10000, Protection.ReadWrite, Placement.Fixed);
        Assert.Equal(MapStatus.Ok, Memory.Map(request, out _));
    }

    public GuestThread Thread { get; }

    public AddressSpace Memory => Thread.Process.Memory;

    /// <summary>64 KB of guest memory for buffers; what follows is not mapped.</summary>
    public GuestAddress Buffer => new(Pages);

    public GuestAddress BufferEnd => new(Pages + 0x10000);

    /// <summary>A call about to begin.</summary>
    public CallContext Call
    {
        get
        {
            Thread.Call.Begin(0, 0, []);
            return Thread.Call;
        }
    }

    /// <summary>Puts a string at an offset of the second half of the buffer.</summary>
    public GuestAddress Text(string text, ulong offset = 0)
    {
        GuestAddress address = Buffer + 0x8000 + offset;
        Assert.True(Memory.TryWrite(address, Encoding.UTF8.GetBytes(text + "\0")));
        return address;
    }

    public string Read(GuestAddress address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.True(Memory.TryRead(address, bytes));
        return Encoding.UTF8.GetString(bytes);
    }

    public void Dispose() => _world.Dispose();

    private sealed class NoProgram : IEngine, IPersonality
    {
        public string Name => "none";

        public ushort ElfMachine => 62;

        public (ulong Soft, ulong Hard)[] DefaultLimits { get; } = [.. Enumerable.Repeat((ulong.MaxValue, ulong.MaxValue), 16)];

        public EngineExit Run(GuestCpu cpu, AddressSpace memory, ref long budget) => throw new NotSupportedException();

        public void Decode(GuestThread thread)
        {
        }

        public CallResult Dispatch(CallContext call) => throw new NotSupportedException();

        public void Encode(GuestThread thread, in CallResult result)
        {
        }

        public void Rewind(GuestThread thread)
        {
        }

        public int EncodeWaitStatus(WaitStatus status) => 0;

        public SignalInfo FaultSignal(GuestThread thread, in EngineExit exit) => throw new NotSupportedException();

        public bool EnterHandler(GuestThread thread, in SignalInfo info, in SignalAction action) => throw new NotSupportedException();

        public Errno Start(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout) =>
            throw new NotSupportedException();

        public void OnThreadExit(GuestThread thread)
        {
        }
    }
}
