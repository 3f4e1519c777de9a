using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Translator;
using Vivarium.Emulator.Memory;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Two functions whose addresses meet in one place of the first table.</summary>
public sealed unsafe class JumpTableTests
{
    /// <summary>The stack has a page of its own: a write to code would drop its blocks.</summary>
    private const int Page = 4096, First = 0x100, Second = First + 1024;

    /// <summary>Calls rax, rbx, and rax twice.</summary>
    private static ReadOnlySpan<byte> Calls => [0xFF, 0xD0, 0xFF, 0xD3, 0xFF, 0xD0, 0xFF, 0xD0, 0xCC];

    [Fact]
    public void The_place_is_that_of_the_function_sought_last()
    {
        using var memory = new AddressSpace(new MemoryAccountant(1 << 24));
        memory.Map(new MapRequest(default, 2 * Page, Protection.ReadWrite | Protection.Execute), out GuestAddress start);
        memory.TryWrite(start, Calls);
        memory.TryWrite(start + First, (ReadOnlySpan<byte>)[0x48, 0xFF, 0xC1, 0xC3]); // inc rcx; ret
        memory.TryWrite(start + Second, (ReadOnlySpan<byte>)[0x48, 0x83, 0xC1, 0x10, 0xC3]); // add rcx, 16; ret
        nint first = Run(memory, start, First, Second, 3 + 16), second = Run(memory, start, Second, First, 1 + (3 * 16));
        Assert.NotEqual(first, second);
        Assert.Equal(first, Run(memory, start, First, Second, 3 + 16));
        Assert.Equal(second, Run(memory, start, Second, Second, 4 * 16));
    }

    /// <summary>What is in the place where both functions meet, after a run.</summary>
    private static nint Run(AddressSpace memory, GuestAddress start, int often, int once, ulong expected)
    {
        var cpu = new GuestCpu(Architecture.X64);
        cpu.State.Registers[0] = start.Value + (ulong)often;
        cpu.State.Registers[3] = start.Value + (ulong)once;
        cpu.State.Registers[4] = start.Value + (2 * Page);
        cpu.State.Pc = start.Value;
        long budget = 1000;
        EngineExit exit = EnginePair.Translator.Run(cpu, memory, ref budget);
        Assert.Equal(ExitReason.Breakpoint, exit.Reason);
        Assert.Equal(expected, cpu.State.Registers[1]);
        const int places = 512;
        nint* table = (nint*)(memory.WindowBase + JumpTable.FirstAt(0));
        return table[((start.Value + First) >> 1) & (places - 1)];
    }
}
