using System.Buffers.Binary;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>A code store that is too small for the programs that share it.</summary>
public sealed class EvictionTests
{
    private const int Blocks = 4000;
    private const int Rounds = 5;
    private const int BlockSize = 16;

    [Fact]
    public void Programs_that_exhaust_the_store_go_on_in_all_threads()
    {
        var translator = new Emulator.Cpu.Translator.Translator(new BlockCache(), 512 << 10);
        ulong[] sums = new ulong[3];
        var threads = new Thread[sums.Length];
        for (int i = 0; i < threads.Length; i++)
        {
            int number = i;
            threads[i] = new Thread(() => sums[number] = Run(translator, number + 1));
            threads[i].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
        for (int i = 0; i < sums.Length; i++)
            Assert.Equal((ulong)(Rounds * Blocks * (i + 1)), sums[i]);
        Assert.True(translator.Statistics.Evictions > 0);
    }

    /// <summary>Jumps of all kinds into regions that are emptied and filled again, by two worlds that take turns in emptying them.</summary>
    [Theory]
    [InlineData(1, 512 << 10)]
    [InlineData(2, 1 << 20)]
    [InlineData(3, 1 << 20)]
    [InlineData(4, 2 << 20)]
    public void Random_jumps_through_a_tiny_store_end_as_in_the_interpreter(ulong seed, int storeSize)
    {
        const int blocks = 40_000;
        var translator = new Emulator.Cpu.Translator.Translator(new BlockCache(), storeSize);
        var interpreter = new Interpreter(new BlockCache());
        var results = new (CpuState State, byte[] Code)[2];
        var threads = new Thread[results.Length];
        for (int i = 0; i < threads.Length; i++)
        {
            int number = i;
            threads[i] = new Thread(() => results[number] = RandomJumps.Run(translator, (10 * seed) + (ulong)number, blocks));
            threads[i].Start();
        }
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i].Join();
            (CpuState state, byte[] code) = RandomJumps.Run(interpreter, (10 * seed) + (ulong)i, blocks);
            Assert.Equal(((ReadOnlySpan<ulong>)state.Registers)[..16], ((ReadOnlySpan<ulong>)results[i].State.Registers)[..16]);
            Assert.Equal(state.Flags, results[i].State.Flags);
            Assert.Equal(code, results[i].Code);
        }
        Assert.True(translator.Statistics.Evictions > 3, $"{translator.Statistics}");
    }

    /// <summary>Runs through many blocks that each add to RAX and jump to the next, again and again in short turns.</summary>
    private static ulong Run(IEngine engine, int addend)
    {
        using var memory = new AddressSpace(new MemoryAccountant(1 << 24));
        byte[] code = Program(addend);
        memory.Map(new MapRequest(default, (ulong)code.Length, Protection.ReadWrite | Protection.Execute), out GuestAddress start);
        Assert.True(memory.TryWrite(start, code));
        var cpu = new GuestCpu(Architecture.X64);
        cpu.State.Registers[1] = Rounds;
        cpu.State.Pc = start.Value;
        var exit = new EngineExit(ExitReason.Budget);
        while (exit.Reason == ExitReason.Budget)
        {
            long budget = 5000;
            exit = engine.Run(cpu, memory, ref budget);
        }
        Assert.Equal(ExitReason.Breakpoint, exit.Reason);
        return cpu.State.Registers[0];
    }

    private static byte[] Program(int addend)
    {
        byte[] code = new byte[(Blocks * BlockSize) + 16];
        for (int i = 0; i < Blocks; i++)
        {
            Span<byte> block = code.AsSpan(i * BlockSize);
            ReadOnlySpan<byte> add = [0x48, 0x05]; // ADD RAX, imm32
            add.CopyTo(block);
            BinaryPrimitives.WriteInt32LittleEndian(block[2..], addend);
            block[6] = 0xE9; // JMP behind the padding
            BinaryPrimitives.WriteInt32LittleEndian(block[7..], BlockSize - 11);
        }
        Span<byte> end = code.AsSpan(Blocks * BlockSize);
        ReadOnlySpan<byte> loop = [0x48, 0xFF, 0xC9, 0x0F, 0x85]; // DEC RCX; JNZ to the first
        loop.CopyTo(end);
        BinaryPrimitives.WriteInt32LittleEndian(end[5..], -((Blocks * BlockSize) + 9));
        end[9] = 0xCC;
        return code;
    }
}
