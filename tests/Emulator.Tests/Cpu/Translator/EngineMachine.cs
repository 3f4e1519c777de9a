using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>An engine with an address space laid out for fuzzed programs.</summary>
internal sealed class EngineMachine : IDisposable
{
    private readonly IEngine _engine;
    private readonly GuestCpu _cpu = new(Architecture.X64);

    public EngineMachine(IEngine engine)
    {
        _engine = engine;
        Map(FuzzLayout.Code, FuzzLayout.Places * FuzzLayout.PlaceSize, Protection.ReadWrite | Protection.Execute);
        Map(FuzzLayout.Data, FuzzLayout.DataSize, Protection.ReadWrite);
        Map(FuzzLayout.Stack, FuzzLayout.StackSize, Protection.ReadWrite);
        Map(FuzzLayout.ReadOnly, FuzzLayout.Page, Protection.ReadWrite);
        Memory.TryWrite(new GuestAddress(FuzzLayout.ReadOnly), ReadOnlyContent);
        Memory.Protect(new GuestAddress(FuzzLayout.ReadOnly), FuzzLayout.Page, Protection.Read);
    }

    public static byte[] ReadOnlyContent { get; } = MakeReadOnlyContent();

    public AddressSpace Memory { get; } = new(new MemoryAccountant(1 << 28));

    public GuestCpu Cpu => _cpu;

    public void Dispose() => Memory.Dispose();

    private static byte[] MakeReadOnlyContent()
    {
        var content = new byte[FuzzLayout.Page];
        new FuzzRandom(1).Fill(content);
        return content;
    }

    private void Map(ulong address, ulong length, Protection protection) =>
        Memory.Map(new MapRequest(new GuestAddress(address), length, protection, Placement.Fixed), out _);

    /// <summary>Maps a page that makes the window reach it; nothing for 0.</summary>
    public void GrowWindow(ulong page)
    {
        if (page == 0)
            return;
        Map(page, FuzzLayout.Page, Protection.ReadWrite);
        if (Memory.WindowSize <= page)
            throw new InvalidOperationException("the window did not grow");
    }

    /// <summary>Writes a program unless it is there already.</summary>
    private void Put(FuzzProgram program)
    {
        Span<byte> there = stackalloc byte[(int)FuzzLayout.PlaceSize];
        Memory.TryRead(new GuestAddress(program.Place), there);
        if (!there.SequenceEqual(program.Image))
            Memory.TryWrite(new GuestAddress(program.Place), (ReadOnlySpan<byte>)program.Image);
    }

    /// <summary>Runs from the entry to the first exit other than a spent budget, at most <paramref name="budget"/> instructions in runs of <paramref name="slice"/>.</summary>
    public void Run(FuzzProgram program, FuzzInput input, long budget, long slice, Outcome outcome)
    {
        Put(program);
        Memory.TryWrite(new GuestAddress(FuzzLayout.Data), (ReadOnlySpan<byte>)input.Data);
        Memory.TryWrite(new GuestAddress(FuzzLayout.Stack), (ReadOnlySpan<byte>)input.Stack);
        _cpu.State = input.State;
        _cpu.State.Pc = program.Entry;
        _cpu.Instructions = 0;
        do
        {
            var left = Math.Min(slice, budget);
            budget -= left;
            outcome.Exit = _engine.Run(_cpu, Memory, ref left);
            // What a run did too much is paid back, what it did not do is not given again.
            budget += Math.Min(left, 0);
        }
        while (outcome.Exit.Reason == ExitReason.Budget && budget > 0);
        outcome.State = _cpu.State;
        Memory.TryRead(new GuestAddress(FuzzLayout.Data), outcome.Data);
        Memory.TryRead(new GuestAddress(FuzzLayout.Stack), outcome.Stack);
        Memory.TryRead(new GuestAddress(program.Place), outcome.Code);
    }
}
