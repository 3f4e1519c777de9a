using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>Runs a generated program on an engine, up to its first system call.</summary>
internal sealed class Arm64Machine(IEngine engine)
{
    private const long MostInstructions = 10_000_000;

    /// <summary>The records as the program leaves them.</summary>
    public byte[] Run(ReadOnlySpan<byte> code, ReadOnlySpan<byte> data, ReadOnlySpan<byte> records, out EngineExit exit, out ulong pc)
    {
        using var memory = new AddressSpace(new MemoryAccountant(1 << 26));
        Place(memory, Arm64Generator.Code, code, Protection.Read | Protection.Execute);
        Place(memory, Arm64Generator.Data, data, Protection.ReadWrite);
        Place(memory, Arm64Generator.Records, records, Protection.ReadWrite);
        var cpu = new GuestCpu(Architecture.Arm64);
        cpu.State.Pc = Arm64Generator.Code;
        long budget = MostInstructions;
        do
            exit = engine.Run(cpu, memory, ref budget);
        while (exit.Reason == ExitReason.Budget && budget > 0);
        pc = cpu.State.Pc;
        byte[] after = new byte[records.Length];
        memory.TryRead(new GuestAddress(Arm64Generator.Records), after);
        return after;
    }

    private static void Place(AddressSpace memory, ulong address, ReadOnlySpan<byte> content, Protection protection)
    {
        ulong length = ((ulong)content.Length + 4095) & ~4095ul;
        memory.Map(new MapRequest(new GuestAddress(address), length, Protection.ReadWrite, Placement.Fixed), out _);
        memory.TryWrite(new GuestAddress(address), content);
        memory.Protect(new GuestAddress(address), length, protection);
    }
}
