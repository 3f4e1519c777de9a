using System.Runtime.InteropServices;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Memory;
using Xunit;
using Xunit.Abstractions;
using static Iced.Intel.AssemblerRegisters;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>
/// Accesses of every kind and size at random 64-bit addresses: each faults as the interpreter's does, precisely, and none reads or
/// writes a byte of the host or of another guest. VIVARIUM_FUZZ_ADDRESSES is the number of addresses.
/// </summary>
[Collection(FuzzCollection.Name)]
public sealed unsafe class WildAddressTests : IDisposable
{
    private const ulong DefaultAddresses = 10_000;
    private const int CanarySize = 1 << 20;
    private const byte CanaryByte = 0xA5;

    private readonly ITestOutputHelper _output;
    private readonly EngineMachine _engine = new(EnginePair.Translator);
    private readonly EngineMachine _reference = new(new Interpreter(new BlockCache()));
    private readonly EngineMachine _neighbour = new(new Interpreter(new BlockCache()));
    private readonly byte* _canary = (byte*)NativeMemory.AlignedAlloc(CanarySize, 4096);
    private readonly byte[] _managedCanary = GC.AllocateUninitializedArray<byte>(CanarySize, pinned: true);
    private readonly Outcome _expected = new();
    private readonly Outcome _actual = new();

    public WildAddressTests(ITestOutputHelper output)
    {
        _output = output;
        new Span<byte>(_canary, CanarySize).Fill(CanaryByte);
        _managedCanary.AsSpan().Fill(CanaryByte);
        _neighbour.Memory.TryWrite(new GuestAddress(FuzzLayout.Data), (ReadOnlySpan<byte>)_managedCanary.AsSpan(0, (int)FuzzLayout.DataSize));
    }

    public void Dispose()
    {
        _engine.Dispose();
        _reference.Dispose();
        _neighbour.Dispose();
        NativeMemory.AlignedFree(_canary);
    }

    /// <summary>In windows of all sizes: 4 GB, 64 GB, 1 TB.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1UL << 33)]
    [InlineData(1UL << 39)]
    public void NothingOutsideTheWindowIsTouched(ulong furthestPage)
    {
        _engine.GrowWindow(furthestPage);
        _reference.GrowWindow(furthestPage);
        var seed = FuzzTests.Setting("VIVARIUM_SEED", 20261121);
        _output.WriteLine($"seed {seed}");
        var random = new FuzzRandom(seed);
        var programs = Accesses().Select(Make).ToArray();
        var input = new FuzzInput();
        long faults = 0;
        var count = (long)FuzzTests.Setting("VIVARIUM_FUZZ_ADDRESSES", DefaultAddresses);
        for (var i = 0L; i < count; i++)
        {
            var program = programs[random.Below(programs.Length)];
            var address = Address(random);
            Prepare(ref input.State, address, random);
            _reference.Run(program, input, 20_000, long.MaxValue, _expected);
            _engine.Run(program, input, 20_000, long.MaxValue, _actual);
            var difference = _expected.Difference(_actual, ~program.UndefinedAt(_expected.State.Pc));
            Assert.True(difference is null, $"{address:x}: {difference}\n{program}{Outcome.Describe(input.State)}\nexpected {_expected}\nactual {_actual}");
            faults += _expected.Exit.Reason == ExitReason.MemoryFault ? 1 : 0;
        }

        _output.WriteLine($"{faults} of {count} faulted");
        Assert.True(new ReadOnlySpan<byte>(_canary, CanarySize).IndexOfAnyExcept(CanaryByte) < 0, "host memory was written");
        Assert.True(_managedCanary.AsSpan().IndexOfAnyExcept(CanaryByte) < 0, "managed memory was written");
        var neighbour = new byte[FuzzLayout.DataSize];
        _neighbour.Memory.TryRead(new GuestAddress(FuzzLayout.Data), neighbour);
        Assert.True(neighbour.AsSpan().IndexOfAnyExcept(CanaryByte) < 0, "another guest's memory was written");
    }

    /// <summary>
    /// Any address; at the edges of window and guards; and those that reach the canaries and another guest if the window's base is
    /// simply added.
    /// </summary>
    private ulong Address(FuzzRandom random)
    {
        var window = (ulong)_engine.Memory.WindowBase;
        var slack = (ulong)random.Between(-4096, 4096);
        return random.Below(12) switch
        {
            0 or 1 => random.Next(),
            2 => random.Next() >> random.Below(64),
            3 => (ulong)_canary + (ulong)random.Below(CanarySize) - window,
            4 => (ulong)Marshal.UnsafeAddrOfPinnedArrayElement(_managedCanary, random.Below(CanarySize)) - window,
            5 => (ulong)_neighbour.Memory.WindowBase + FuzzLayout.Data + (ulong)random.Below((int)FuzzLayout.DataSize) - window,
            6 => _engine.Memory.WindowSize + slack,
            7 => _engine.Memory.WindowSize + (1UL << 31) + slack,
            8 => slack - (1UL << 31),
            9 => (1UL << 47) + slack,
            10 => slack,
            _ => (1UL << random.Between(30, 63)) + slack,
        };
    }

    private static void Prepare(ref CpuState state, ulong address, FuzzRandom random)
    {
        state.Mxcsr = 0x1F80;
        state.X87.Control = 0x037F;
        state.Flags = 0x202;
        for (var i = 0; i < 16; i++)
            state.Registers[i] = random.Value();
        // RAX, R12: the address; RBX: what becomes it with a scale of 8; RCX: a small count; RDX: a good address.
        state.Registers[0] = state.Registers[12] = address;
        state.Registers[3] = address / 8;
        state.Registers[1] = (ulong)random.Below(4);
        state.Registers[2] = FuzzLayout.Data + 0x800;
        state.Registers[4] = FuzzLayout.Stack + 0x800;
        state.FsBase = random.Chance(500) ? address : FuzzLayout.Data;
        state.GsBase = address - (ulong)random.Below(64);
    }

    private FuzzProgram Make(Action<Assembler> access)
    {
        var assembler = new Assembler(64);
        access(assembler);
        assembler.int3();
        var labels = assembler.Instructions.ToList();
        var steps = labels.Select((instruction, i) => new Step(i, instruction)).ToList();
        var program = new FuzzProgram(steps);
        _place += FuzzLayout.PlaceSize;
        Assert.True(program.TryEncode(_place));
        return program;
    }

    private ulong _place = FuzzLayout.Code;

    private static IEnumerable<Action<Assembler>> Accesses() =>
        [.. Loads(), .. Stores(), .. Modifications(), .. VectorAccesses(), .. StackAccesses(), .. Jumps(), .. Addressing(), .. AfterACheck()];

    private static IEnumerable<Action<Assembler>> Loads() =>
    [
        a => a.mov(cl, __byte_ptr[rax]), a => a.mov(cx, __word_ptr[rax]), a => a.mov(ecx, __dword_ptr[rax]), a => a.mov(rcx, __qword_ptr[rax]),
        a => a.movzx(ecx, __byte_ptr[r12]), a => a.movsx(rcx, __word_ptr[r12]), a => a.movsxd(rcx, __dword_ptr[r12]), a => a.cmp(__qword_ptr[rax], rcx),
        a => a.test(__byte_ptr[rax], 1), a => a.add(rcx, __qword_ptr[rax]), a => a.imul(rcx, __qword_ptr[rax]), a => a.cmove(rcx, __qword_ptr[rax]),
        a => a.bt(__qword_ptr[rax], 3), a => a.bsf(rcx, __qword_ptr[rax]), a => a.mul(__qword_ptr[rax]), a => a.div(__qword_ptr[r12]), a => a.bt(__dword_ptr[rdx], eax),
        a => a.xlatb(),
    ];

    private static IEnumerable<Action<Assembler>> Stores() =>
    [
        a => a.mov(__byte_ptr[rax], cl), a => a.mov(__word_ptr[rax], cx), a => a.mov(__dword_ptr[rax], ecx), a => a.mov(__qword_ptr[rax], rcx),
        a => a.mov(__byte_ptr[rax], 1), a => a.mov(__qword_ptr[rax], -1), a => a.mov(__word_ptr[r12], r13w), a => a.sete(__byte_ptr[rax]), a => a.movnti(__qword_ptr[rax], rcx),
    ];

    private static IEnumerable<Action<Assembler>> Modifications() =>
    [
        a => a.add(__byte_ptr[rax], cl), a => a.sub(__word_ptr[rax], cx), a => a.xor(__dword_ptr[rax], ecx), a => a.and(__qword_ptr[rax], rcx), a => a.inc(__dword_ptr[rax]),
        a => a.neg(__qword_ptr[rax]), a => a.shl(__qword_ptr[rax], 3), a => a.rcl(__dword_ptr[rax], cl), a => a.shld(__qword_ptr[rax], rcx, cl), a => a.xchg(__qword_ptr[rax], rcx),
        a => a.@lock.add(__qword_ptr[rax], rcx), a => a.@lock.xadd(__dword_ptr[r12], ecx), a => a.xadd(__qword_ptr[rax], rcx), a => a.cmpxchg(__dword_ptr[r12], ecx),
        a => a.@lock.cmpxchg16b(__xmmword_ptr[rax]), a => a.@lock.cmpxchg8b(__qword_ptr[rax]), a => a.bts(__qword_ptr[rax], 5), a => a.@lock.btr(__dword_ptr[rdx], eax),
    ];

    private static IEnumerable<Action<Assembler>> VectorAccesses() =>
    [
        a => a.movups(xmm1, __xmmword_ptr[rax]), a => a.movups(__xmmword_ptr[rax], xmm1), a => a.movaps(xmm15, __xmmword_ptr[rax]), a => a.movaps(__xmmword_ptr[r12], xmm15),
        a => a.movss(xmm1, __dword_ptr[rax]), a => a.movsd(__qword_ptr[rax], xmm1), a => a.addsd(xmm1, __qword_ptr[rax]), a => a.paddb(xmm1, __xmmword_ptr[rax]),
        a => a.movd(xmm1, __dword_ptr[rax]), a => a.movq(__qword_ptr[rax], xmm1), a => a.pinsrb(xmm1, __byte_ptr[rax], 3), a => a.cvtsi2sd(xmm1, __qword_ptr[rax]),
        a => a.ucomisd(xmm1, __qword_ptr[rax]), a => a.movhps(__qword_ptr[rax], xmm1), a => a.lddqu(xmm1, __xmmword_ptr[rax]), a => a.movntdq(__xmmword_ptr[rax], xmm1),
        a => a.fld(__tbyte_ptr[rax]), a => a.fstp(__tbyte_ptr[rax]), a => a.fild(__qword_ptr[rax]), a => a.fxsave(__[rax]), a => a.fxrstor(__[rax]), a => a.ldmxcsr(__dword_ptr[rax]),
    ];

    private static IEnumerable<Action<Assembler>> StackAccesses() =>
    [
        a => { a.mov(rsp, rax); a.push(rcx); }, a => { a.mov(rsp, rax); a.pop(rcx); }, a => { a.mov(rsp, rax); a.ret(); }, a => { a.mov(rsp, rax); a.call(rdx); },
        a => { a.mov(rsp, rax); a.pushfq(); }, a => { a.mov(rsp, rax); a.popfq(); }, a => { a.mov(rsp, r12); a.push(cx); }, a => { a.mov(rbp, rax); a.leave(); },
        a => { a.mov(rsp, rax); a.enter(16, 0); }, a => a.push(__qword_ptr[rax]), a => a.pop(__qword_ptr[rax]), a => { a.mov(rsp, rax); a.mov(__qword_ptr[rsp + 0x7FFF_FFFF], rcx); },
        a => { a.add(rsp, rax); a.push(rcx); }, a => { a.xchg(rsp, rax); a.mov(rcx, __qword_ptr[rsp - 8]); }, a => { a.mov(rsp, rax); a.sub(rsp, 0x7FFF_FFFF); a.push(rcx); },
        a => { a.push(rcx); a.mov(esp, eax); a.push(rcx); }, a => { a.mov(sp, ax); a.pop(rcx); }, a => { a.push(rax); a.pop(rsp); a.push(rcx); },
    ];

    private static IEnumerable<Action<Assembler>> Jumps() =>
    [
        a => a.jmp(rax), a => a.call(rax), a => a.jmp(__qword_ptr[rax]), a => a.call(__qword_ptr[rax]), a => { a.push(rax); a.ret(); }, a => a.call(r12), a => a.jmp(__qword_ptr[r12 + 8]),
    ];

    private static IEnumerable<Action<Assembler>> Addressing() =>
    [
        a => a.mov(rcx, __qword_ptr[rax + 0x7FFF_FFFF]), a => a.mov(rcx, __qword_ptr[rax - 0x8000_0000L]), a => a.mov(rcx, __qword_ptr[rbx * 8]),
        a => a.mov(__qword_ptr[rdx + (rbx * 8)], rcx), a => a.mov(__qword_ptr[rdx + rax], rcx), a => a.mov(rcx, __qword_ptr[rax + (rbx * 8) - 64]), a => a.mov(rcx, __qword_ptr.fs[0]),
        a => a.mov(rcx, __qword_ptr.gs[rcx]), a => a.mov(__dword_ptr.gs[rax], ecx), a => a.mov(__qword_ptr.fs[0x40], rcx), a => a.mov(rcx, __qword_ptr.fs[0x7FFF_FFF0]), a => a.mov(ecx, __dword_ptr[eax]),
        a => a.mov(__qword_ptr[eax + ecx], rdx), a => a.movsb(), a => { a.mov(rdi, rax); a.rep.stosq(); }, a => { a.mov(rsi, rax); a.rep.movsb(); }, a => { a.mov(rsi, rax); a.lodsd(); },
        a => { a.mov(rdi, rax); a.repne.scasb(); }, a => { a.mov(rsi, rdx); a.mov(rdi, rax); a.std(); a.rep.movsq(); }, a => { a.mov(rdi, rax); a.maskmovdqu(xmm1, xmm2); },
    ];

    /// <summary>Where an address was good and the register then changed.</summary>
    private static IEnumerable<Action<Assembler>> AfterACheck() =>
    [
        a => { a.mov(rcx, __qword_ptr[rdx]); a.add(rdx, rax); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.lea(rdx, __[rdx + rax]); a.mov(__qword_ptr[rdx], rcx); },
        a => { a.mov(__qword_ptr[rdx], rax); a.mov(rdx, __qword_ptr[rdx]); a.mov(rcx, __qword_ptr[rdx + 8]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); for (var i = 0; i < 6; i++) a.add(rdx, 0x3FFF_FFFF); a.mov(__qword_ptr[rdx], rcx); },
        a => { a.mov(rcx, __qword_ptr[rdx]); for (var i = 0; i < 6; i++) a.sub(rdx, 0x3FFF_FFFF); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); for (var i = 0; i < 9; i++) a.lea(rdx, __[rdx + 0x7FFF_FFFF]); a.mov(rcx, __qword_ptr[rdx]); },
        a => { for (var i = 0; i < 9; i++) { a.add(rdx, 0x3FF_0000); a.mov(cl, __byte_ptr[rdx - 0x3FF_0000]); } },
        a => { for (var i = 0; i < 40; i++) a.add(rsp, 0x7FFF_FFFF); a.push(rcx); },
        a => { a.push(rcx); a.sub(rsp, 0x7FFF_FFFF); a.sub(rsp, 0x7FFF_FFFF); a.mov(__qword_ptr[rsp + 8], rcx); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.xchg(rdx, rax); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.cmovne(rdx, rax); a.cmove(rdx, rax); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.mov(dx, ax); a.mov(rcx, __qword_ptr[rdx]); a.mov(dh, al); a.mov(__qword_ptr[rdx], rcx); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.rol(rdx, 13); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.bswap(rdx); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.xadd(rdx, rax); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.mul(rax); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rcx, __qword_ptr[rdx]); a.movq(xmm1, rax); a.movq(rdx, xmm1); a.mov(rcx, __qword_ptr[rdx]); },
        a => { a.mov(rbp, rdx); a.mov(rcx, __qword_ptr[rbp]); a.mov(rbp, rax); a.mov(rcx, __qword_ptr[rbp]); },
    ];

    /// <summary>The stack pointer wanders out of the window block by block, without an access on the way.</summary>
    [Theory]
    [InlineData(0x100)]
    [InlineData(0xF_FFFF)]
    [InlineData(0x10_0000)]
    [InlineData(0x3FFF_FFFF)]
    [InlineData(0x7FFF_FFFF)]
    [InlineData(-0xF_FFFF)]
    [InlineData(-0x10_0001)]
    [InlineData(-0x7FFF_FFFF)]
    public void AWanderingStackPointerIsCaught(int step)
    {
        var program = MakeLoop(step);
        var input = new FuzzInput();
        Prepare(ref input.State, 0, new FuzzRandom(1));
        foreach (var turns in (int[])[1, 3, 100, 2047, 2049, 4096, 5000])
        {
            input.State.Registers[1] = (ulong)turns;
            _reference.Run(program, input, 100_000, long.MaxValue, _expected);
            _engine.Run(program, input, 100_000, long.MaxValue, _actual);
            Assert.Null(_expected.Difference(_actual, ~program.UndefinedAt(_expected.State.Pc)));
        }
    }

    private FuzzProgram MakeLoop(int step)
    {
        const int LoopStart = 0;
        List<Step> steps =
        [
            new(LoopStart, Instruction.Create(Code.Add_rm64_imm32, Register.RSP, step)),
            new(1, Instruction.Create(Code.Dec_rm64, Register.RCX)),
            new(2, Instruction.CreateBranch(Code.Jne_rel32_64, _place), LoopStart),
            new(3, Instruction.Create(Code.Push_r64, Register.RAX)),
            new(4, Instruction.Create(Code.Int3)),
        ];
        var program = new FuzzProgram(steps);
        _place += FuzzLayout.PlaceSize;
        Assert.True(program.TryEncode(_place));
        return program;
    }
}
