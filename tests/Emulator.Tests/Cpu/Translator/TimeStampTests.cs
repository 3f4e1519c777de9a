using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Memory.Host;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>The time stamp counter of worlds on the host's clock, which translated code reads by itself, and of others.</summary>
public sealed unsafe class TimeStampTests
{
    private const ulong Seconds = 12, Nanoseconds = 345_678_901, Offset = 77;
    private const ulong Expected = (Seconds * 1_000_000_000) + Nanoseconds + Offset;

    /// <summary>cmp rax, rbx; rdtsc; mov r12, rax; mov r13, rdx; rdtscp; int3.</summary>
    private static ReadOnlySpan<byte> Code => [0x48, 0x39, 0xD8, 0x0F, 0x31, 0x49, 0x89, 0xC4, 0x49, 0x89, 0xD5, 0x0F, 0x01, 0xF9, 0xCC];

    private static int _asked;

    /// <summary>clock_gettime, which leaves nothing as it was.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int ReadClock(int clock, ulong* time)
    {
        Vector128<float> sum = Vector128.Create((float)clock);
        for (int i = 1; i < 20; i++)
            sum = Vector128.Sqrt(sum * i) + Vector128.Create(_asked, i, 2f, 3f);
        _asked += sum[0] > 0 ? 1 : 0;
        (time[0], time[1]) = (Seconds, Nanoseconds);
        return clock == 1 ? 0 : throw new InvalidOperationException();
    }

    private static CpuState Run(TimeStampCounter? counter, out ulong instructions)
    {
        using var memory = new AddressSpace(new MemoryAccountant(1 << 24));
        memory.Map(new MapRequest(default, 4096, Protection.ReadWrite | Protection.Execute), out GuestAddress start);
        memory.TryWrite(start, Code);
        var cpu = new GuestCpu(Emulator.Cpu.Architecture.X64) { TimeStamp = counter };
        for (int i = 0; i < 16; i++)
        {
            cpu.State.Registers[i] = 100 + (ulong)i;
            cpu.State.Vectors[i] = Vector128.Create((byte)(i + 1));
        }
        cpu.State.Registers[4] = start.Value + 4096;
        cpu.State.Registers[0] = unchecked((ulong)long.MinValue);
        cpu.State.Pc = start.Value;
        long budget = 1000;
        EngineExit exit = EnginePair.Translator.Run(cpu, memory, ref budget);
        Assert.Equal(ExitReason.Breakpoint, exit.Reason);
        instructions = cpu.Instructions;
        for (int i = 0; i < 16; i++)
            Assert.Equal(Vector128.Create((byte)(i + 1)), cpu.State.Vectors[i]);
        foreach (int i in (int[])[3, 5, 6, 7, 8, 9, 10, 11, 14, 15])
            Assert.Equal(100 + (ulong)i, cpu.State.Registers[i]);
        Assert.Equal(0ul, cpu.State.Registers[1]);
        return cpu.State;
    }

    /// <summary>The least number less 103 overflows, with an adjustment; the lowest byte, 0x99, has four bits set.</summary>
    private const ulong FlagsOfComparison = 0x200 | 0x800 | 0x10 | 0x4 | 2;

    [Fact]
    public void Translated_code_calls_the_hosts_clock()
    {
        _asked = 0;
        nint function = (nint)(delegate* unmanaged[Cdecl]<int, ulong*, int>)&ReadClock;
        CpuState state = Run(new TimeStampCounter(static () => throw new InvalidOperationException(), function, (long)Offset), out ulong instructions);
        Assert.Equal(2, _asked);
        Assert.Equal(6ul, instructions);
        Assert.Equal(Expected & uint.MaxValue, state.Registers[0]);
        Assert.Equal(Expected >> 32, state.Registers[2]);
        Assert.Equal((state.Registers[0], state.Registers[2]), (state.Registers[12], state.Registers[13]));
        Assert.Equal(FlagsOfComparison, state.Flags);
    }

    [Fact]
    public void Translated_code_scales_the_processors_counter()
    {
        if (TimestampCounter.Host is not { } ticks)
            return;
        // Once before, so that little time passes between the clock's last note and the use of its scale, which reaches some seconds.
        Run(new TimeStampCounter(static () => throw new InvalidOperationException(), (nint)(delegate* unmanaged[Cdecl]<int, ulong*, int>)&ReadClock, (long)Offset), out _);
        // Half a nanosecond a tick.
        var clock = new CounterClock();
        long first = ticks.Read();
        clock.Note(first - 20_000_000, 1_000_000_000_000);
        clock.Note(first, 1_000_010_000_000);
        TickScale scale = clock.Scale!;
        nint function = (nint)(delegate* unmanaged[Cdecl]<int, ulong*, int>)&ReadClock;
        _asked = 0;
        long before = scale.At(ticks.Read());
        CpuState state = Run(new TimeStampCounter(static () => throw new InvalidOperationException(), function, (long)Offset, clock), out ulong instructions);
        long after = scale.At(ticks.Read());
        Assert.Equal(0, _asked);
        Assert.Equal(6ul, instructions);
        Assert.InRange((long)(state.Registers[12] | (state.Registers[13] << 32)), before + (long)Offset, after + (long)Offset);
        Assert.InRange((long)(state.Registers[0] | (state.Registers[2] << 32)), before + (long)Offset, after + (long)Offset);
        Assert.Equal(FlagsOfComparison, state.Flags);
    }

    [Fact]
    public void A_scale_that_was_not_followed_for_long_gives_way_to_the_hosts_clock()
    {
        if (TimestampCounter.Host is not { } ticks)
            return;
        var clock = new CounterClock();
        long first = ticks.Read() - (2 * TickScale.Reach);
        clock.Note(first - 20_000_000, 1_000_000_000_000);
        clock.Note(first, 1_000_010_000_000);
        nint function = (nint)(delegate* unmanaged[Cdecl]<int, ulong*, int>)&ReadClock;
        _asked = 0;
        CpuState state = Run(new TimeStampCounter(static () => throw new InvalidOperationException(), function, (long)Offset, clock), out _);
        Assert.Equal(2, _asked);
        Assert.Equal(Expected, state.Registers[0] | (state.Registers[2] << 32));
        Assert.Equal(FlagsOfComparison, state.Flags);
    }

    [Fact]
    public void A_virtual_clock_is_asked_by_the_interpreter()
    {
        ulong now = 0x1_0000_0005;
        CpuState state = Run(new TimeStampCounter(() => now++, 0, 0), out ulong instructions);
        Assert.Equal(6ul, instructions);
        Assert.Equal((5ul, 1ul), (state.Registers[12], state.Registers[13]));
        Assert.Equal((6ul, 1ul), (state.Registers[0], state.Registers[2]));
    }
}
