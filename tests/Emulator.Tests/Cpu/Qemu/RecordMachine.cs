using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Qemu;

/// <summary>
/// A generated program: for each record it takes all registers from there, runs a case, and puts them back; it ends with a system
/// call that writes all records to standard output.
/// </summary>
internal sealed record RecordProgram(byte[] Code, byte[] Data, byte[] Records)
{
    public const ulong CodeAt = 0x10000, DataAt = 0x400000, RecordsAt = 0x500000;
}

/// <summary>Runs such programs on an engine, up to their first system call.</summary>
internal sealed class RecordMachine(Architecture architecture, IEngine engine)
{
    private const long MostInstructions = 10_000_000;

    /// <summary>The records as the program leaves them.</summary>
    public byte[] Run(RecordProgram program, out EngineExit exit, out ulong pc)
    {
        using var memory = new AddressSpace(new MemoryAccountant(1 << 26));
        Place(memory, RecordProgram.CodeAt, program.Code, Protection.Read | Protection.Execute);
        Place(memory, RecordProgram.DataAt, program.Data, Protection.ReadWrite);
        Place(memory, RecordProgram.RecordsAt, program.Records, Protection.ReadWrite);
        var cpu = new GuestCpu(architecture);
        cpu.State.Pc = RecordProgram.CodeAt;
        long budget = MostInstructions;
        do
            exit = engine.Run(cpu, memory, ref budget);
        while (exit.Reason == ExitReason.Budget && budget > 0);
        pc = cpu.State.Pc;
        byte[] after = new byte[program.Records.Length];
        memory.TryRead(new GuestAddress(RecordProgram.RecordsAt), after);
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
