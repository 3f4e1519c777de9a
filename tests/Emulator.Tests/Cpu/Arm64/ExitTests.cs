using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Tests.Cpu.Translator;
using Xunit;
using Architecture = Vivarium.Emulator.Cpu.Architecture;

namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>Why engines stop, and the state that they leave then: what signal frames are made of.</summary>
[Collection(FuzzCollection.Name)]
public sealed class ExitTests
{
    private const ulong Code = 0x10000, Data = 0x400000;

    public static TheoryData<string> Engines => ["interpreter", "translator"];

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_fault_finds_the_flags_of_the_comparison_before_it(string engine)
    {
        // cmp 4, 5; eor, which has no flags; ldr of an unmapped address; orr
        GuestCpu cpu = Run(engine, out EngineExit exit, 0xD2800081, 0xD28000A2, 0xEB02003F, 0xCA020023, 0xD2800204, 0xF9400085, 0xAA0300A6, 0xD65F03C0);
        Assert.Equal(ExitReason.MemoryFault, exit.Reason);
        Assert.Equal(Code + (5 * 4), cpu.State.Pc);
        Assert.Equal(0x8000_0000u, Arm64State.GetFlags(cpu.State));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void The_top_byte_of_an_address_is_ignored(string engine)
    {
        // movz, movk of a tagged pointer; str and ldr at 8 behind it; ldp; svc
        GuestCpu cpu = Run(engine, out EngineExit exit, 0xD2A00801, 0xF2EB4001, 0xD28009A2, 0xF9000422, 0xF9400423, 0xA9401424, 0xD4000001);
        Assert.Equal(ExitReason.SystemCall, exit.Reason);
        Assert.Equal((77ul, 0ul, 77ul), (cpu.State.Registers[3], cpu.State.Registers[4], cpu.State.Registers[5]));
        Assert.Equal(0x5A00_0000_0040_0000ul, cpu.State.Registers[1]);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void An_atomic_operation_leaves_the_flags(string engine)
    {
        // cmp x1, x1; ldaddal; cset eq; svc
        GuestCpu cpu = Run(engine, out EngineExit exit, 0xD2A00801, 0xEB01003F, 0xF8E10022, 0x9A9F17E3, 0xD4000001);
        Assert.Equal(ExitReason.SystemCall, exit.Reason);
        Assert.Equal((0ul, 1ul), (cpu.State.Registers[2], cpu.State.Registers[3]));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_cleared_block_has_64_bytes(string engine)
    {
        // str of 77 at 0x38, 0x40, 0x78, 0x80; dc zva at 0x55; ldr of all; svc
        GuestCpu cpu = Run(engine, out EngineExit exit, 0xD2A00801, 0xD28009A2, 0xF9001C22, 0xF9002022, 0xF9003C22, 0xF9004022, 0x91015423, 0xD50B7423,
            0xF9401C24, 0xF9402025, 0xF9403C26, 0xF9404027, 0xD4000001);
        Assert.Equal(ExitReason.SystemCall, exit.Reason);
        Assert.Equal((77ul, 0ul, 0ul, 77ul), (cpu.State.Registers[4], cpu.State.Registers[5], cpu.State.Registers[6], cpu.State.Registers[7]));
    }

    [Theory]
    [InlineData(ExitReason.Misaligned, 2, 0xD2A00801u, 0x91000421u, 0xC85F7C22u)] // ldxr at an odd address
    [InlineData(ExitReason.InvalidInstruction, 0, 0u, 0u, 0u)] // udf
    [InlineData(ExitReason.Breakpoint, 0, 0xD4200020u, 0u, 0u)] // brk
    [InlineData(ExitReason.InvalidInstruction, 1, 0xD503201Fu, 0xD4000002u, 0u)] // hvc
    [InlineData(ExitReason.InvalidInstruction, 0, 0xD5380001u + 0x1000, 0u, 0u)] // mrs of a register of the kernel's
    public void Exceptions_stop_at_their_instruction(ExitReason reason, int at, uint first, uint second, uint third)
    {
        foreach (string engine in (ReadOnlySpan<string>)["interpreter", "translator"])
        {
            GuestCpu cpu = Run(engine, out EngineExit exit, first, second, third);
            Assert.Equal((reason, Code + (ulong)(4 * at)), (exit.Reason, cpu.State.Pc));
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_jump_to_an_odd_place_faults_there(string engine)
    {
        // movz 0x10000; add 2; br
        GuestCpu cpu = Run(engine, out EngineExit exit, 0xD2A00021, 0x91000821, 0xD61F0020);
        Assert.Equal((ExitReason.Misaligned, Code + 2), (exit.Reason, cpu.State.Pc));
    }

    private static GuestCpu Run(string engine, out EngineExit exit, params uint[] words)
    {
        using var memory = new AddressSpace(new MemoryAccountant(1 << 24));
        memory.Map(new MapRequest(new GuestAddress(Data), 4096, Protection.ReadWrite, Placement.Fixed), out _);
        memory.Map(new MapRequest(new GuestAddress(Code), 4096, Protection.ReadWrite, Placement.Fixed), out _);
        memory.TryWrite(new GuestAddress(Code), MemoryMarshal.AsBytes(words.AsSpan()));
        memory.Protect(new GuestAddress(Code), 4096, Protection.Read | Protection.Execute);
        var cpu = new GuestCpu(Architecture.Arm64);
        cpu.State.Pc = Code;
        long budget = 1000;
        IEngine runs = engine == "interpreter" ? new Interpreter(new BlockCache()) : EnginePair.Translator;
        exit = runs.Run(cpu, memory, ref budget);
        return cpu;
    }
}
