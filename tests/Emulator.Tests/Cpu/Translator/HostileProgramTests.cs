using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Programs that do to their own code what no compiler does.</summary>
[Collection(FuzzCollection.Name)]
public sealed class HostileProgramTests : IDisposable
{
    private const ulong Code = 0x10_0000;
    private const ulong Other = 0x20_0000;
    private const ulong Data = 0x30_0000;
    private const Protection All = Protection.ReadWrite | Protection.Execute;

    private readonly MemoryAccountant _accountant = new(1 << 28);
    private readonly AddressSpace _memory;
    private readonly GuestCpu _cpu = new(Architecture.X64);

    public HostileProgramTests()
    {
        _memory = new AddressSpace(_accountant);
        Map(Code, 0x10000, All);
        Map(Data, 0x10000, Protection.ReadWrite);
        _cpu.State.Registers[4] = Data + 0x8000;
        _cpu.State.Pc = Code;
    }

    public void Dispose() => _memory.Dispose();

    private void Map(ulong address, ulong length, Protection protection, MemoryObject? content = null) =>
        Assert.Equal(MapStatus.Ok, _memory.Map(new MapRequest(new GuestAddress(address), length, protection, Placement.Fixed, content is not null, content), out _));

    private void Write(ulong address, Action<Assembler> emit)
    {
        var assembler = new Assembler(64);
        emit(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        Assert.True(_memory.TryWrite(new GuestAddress(address), (ReadOnlySpan<byte>)stream.ToArray()));
    }

    private EngineExit Run(long budget = 10_000_000)
    {
        var left = budget;
        return EnginePair.Translator.Run(_cpu, _memory, ref left);
    }

    [Fact]
    public void ALoopThatRewritesItsNextInstructionSeesEachVersion()
    {
        // INC increments the immediate of the ADD behind it.
        Assert.True(_memory.TryWrite(new GuestAddress(Code), (ReadOnlySpan<byte>)
        [
            0x31, 0xC0, // xor eax, eax
            0xB9, 0xD0, 0x07, 0, 0, // mov ecx, 2000
            0xFE, 0x05, 0x02, 0, 0, 0, // loop: inc byte [rip + 2]
            0x83, 0xC0, 0, // add eax, 0
            0xFF, 0xC9, // dec ecx
            0x75, 0xF3, // jnz loop
            0xCC,
        ]));
        Assert.Equal(ExitReason.Breakpoint, Run().Reason);
        var expected = 0;
        for (var i = 1; i <= 2000; i++)
            expected += (sbyte)i;
        Assert.Equal((uint)expected, (uint)_cpu.State.Registers[0]);
    }

    [Fact]
    public void CodeWrittenThroughAnotherMappingIsNoticed()
    {
        // A JIT's double mapping: executable at one address, writable at another.
        var content = new AnonymousObject(_accountant);
        Assert.True(content.SetLength(0x1000));
        Map(Other, 0x1000, Protection.Read | Protection.Execute, content);
        Map(Other + 0x10000, 0x1000, Protection.ReadWrite, content);
        Assert.True(_memory.TryWrite(new GuestAddress(Other + 0x10000), (ReadOnlySpan<byte>)[0xB8, 0, 0, 0, 0, 0xC3])); // mov eax, 0; ret
        Write(Code, a =>
        {
            var loop = a.CreateLabel();
            a.xor(ebx, ebx);
            a.mov(ecx, 500);
            a.mov(rsi, Other);
            a.mov(rdi, Other + 0x10000);
            a.Label(ref loop);
            a.mov(__dword_ptr[rdi + 1], ecx);
            a.call(rsi);
            a.add(rbx, rax);
            a.dec(ecx);
            a.jne(loop);
            a.int3();
        });
        Assert.Equal(ExitReason.Breakpoint, Run().Reason);
        Assert.Equal(500ul * 501 / 2, _cpu.State.Registers[3]);
    }

    [Fact]
    public void CodeThatGoesAwayWhileItRunsFaultsWhereItWas()
    {
        Map(Other, 0x1000, All);
        Write(Code, a => a.jmp(Other));
        Write(Other, a => { a.inc(rax); a.jmp(Code); });
        for (var round = 0; round < 20; round++)
        {
            Assert.Equal(ExitReason.Budget, Run(1000).Reason);
            var kind = round % 2 == 0 ? FaultKind.NotMapped : FaultKind.Protection;
            if (round % 2 == 0)
                _memory.Unmap(new GuestAddress(Other), 0x1000);
            else
                _memory.Protect(new GuestAddress(Other), 0x1000, Protection.ReadWrite);
            // The budget may have ended in the middle of it.
            var next = _cpu.State.Pc - Other < 0x1000 ? _cpu.State.Pc : Other;
            var exit = Run(1000);
            Assert.Equal((ExitReason.MemoryFault, new MemoryFault(new GuestAddress(next), MemoryAccess.Execute, kind)), (exit.Reason, exit.Fault));
            Assert.Equal(next, _cpu.State.Pc);
            _cpu.State.Pc = Code;
            // New code at the same place.
            Map(Other, 0x1000, All);
            Write(Other, a => { a.add(rax, round); a.jmp(Code); });
        }
    }

    [Fact]
    public void EveryBlockMayFault()
    {
        // Each block reads nothing's address; the "handler" skips the instruction.
        Write(Code, a =>
        {
            var loop = a.CreateLabel();
            a.mov(rbx, 0x1234);
            a.Label(ref loop);
            a.inc(rax);
            a.add(rcx, __qword_ptr[rbx]);
            a.jmp(loop);
        });
        for (var i = 1ul; i <= 3000; i++)
        {
            var exit = Run();
            Assert.Equal((ExitReason.MemoryFault, 0x1234ul, MemoryAccess.Read), (exit.Reason, exit.Fault.Address.Value, exit.Fault.Access));
            Assert.Equal(i, _cpu.State.Registers[0]);
            _cpu.State.Pc += 3;
        }
    }

    [Fact]
    public void RandomBytesDoNoHarm()
    {
        var random = new FuzzRandom(FuzzTests.Setting("VIVARIUM_SEED", 20261121));
        var count = (long)FuzzTests.Setting("VIVARIUM_FUZZ_PROGRAMS", 2000);
        var code = new byte[256];
        for (var i = 0L; i < count; i++)
        {
            random.Fill(code);
            // Plain opcodes now and then, so that more than the first instruction runs.
            for (var j = 0; random.Chance(700) && j < code.Length; j += random.Between(1, 6))
                code[j] = random.Pick<byte>([0x48, 0x89, 0x8B, 0x01, 0x75, 0xEB, 0xE8, 0xC3, 0xFF, 0x0F, 0x50, 0x58, 0x66, 0xF0, 0xF3, 0x64]);
            Assert.True(_memory.TryWrite(new GuestAddress(Code + (ulong)(random.Below(16) * 0x1000)), (ReadOnlySpan<byte>)code));
            for (var j = 0; j < 16; j++)
                _cpu.State.Registers[j] = random.Below(4) switch { 0 => Data + (ulong)random.Below(0x10000), 1 => Code + (ulong)random.Below(0x10000), _ => random.Value() };
            _cpu.State.FsBase = random.Value();
            _cpu.State.GsBase = random.Value();
            _cpu.State.Pc = Code + (ulong)(random.Below(16) * 0x1000) + (ulong)random.Below(64);
            var exit = Run(10_000);
            Assert.True(Enum.IsDefined(exit.Reason));
        }
    }

    [Fact]
    public void TableLookUpsThroughAThreadBaseAreThatOfItsAddress()
    {
        Write(Code, a => { a.db(0x64, 0xD7); a.int3(); }); // XLAT FS:[RBX]
        Assert.True(_memory.TryWrite(new GuestAddress(Data + 0x105), (byte)42));
        (_cpu.State.FsBase, _cpu.State.Registers[3], _cpu.State.Registers[0]) = (0x100, Data, 0x705);
        Assert.Equal(ExitReason.Breakpoint, Run().Reason);
        Assert.Equal(0x72Aul, _cpu.State.Registers[0]);
    }

    [Theory]
    [InlineData(0x7FFFF000, 0xFF0)]
    [InlineData(0x7FFFF000, 0xFFC)]
    [InlineData(0x80000000, 0x10)]
    [InlineData(0xFFFFE000, 0x10)]
    [InlineData(0xFFFFE000, 0xFF8)]
    public void KnownAddressesAreNotExtendedWithTheirSign(ulong page, ulong offset)
    {
        Map(page, 0x2000, All);
        byte[] address = BitConverter.GetBytes(page + offset);
        Write(Code, a =>
        {
            a.db([0x48, 0xA1, .. address]); // MOV RAX, [address]
            a.inc(rax);
            a.db([0x48, 0xA3, .. address]); // MOV [address], RAX
            a.int3();
        });
        Assert.True(_memory.TryWrite(new GuestAddress(page + offset), 0x1234_5678_9ABCul));
        Assert.Equal(ExitReason.Breakpoint, Run().Reason);
        Assert.True(_memory.TryRead(new GuestAddress(page + offset), out ulong value));
        Assert.Equal(0x1234_5678_9ABDul, value);
    }

    [Fact]
    public void JumpsIntoTheMiddleOfInstructionsRunWhatIsThere()
    {
        // mov rax, imm64 whose immediate is: inc ebx; jmp behind.
        Write(Code, a =>
        {
            a.xor(ebx, ebx);
            a.mov(ecx, 1000);
        });
        var loop = Code + 7;
        Assert.True(_memory.TryWrite(new GuestAddress(loop), (ReadOnlySpan<byte>)
        [
            0xEB, 0x02, // jmp over MOV's first two bytes
            0x48, 0xB8, 0xFF, 0xC3, 0xEB, 0x04, 0x90, 0x90, 0x90, 0x90, // mov rax, inc ebx; jmp +4; nops
            0xFF, 0xC9, // dec ecx
            0x75, 0xF0, // jnz loop
            0xEB, 0x00, // jmp on
            0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8, // mov rax, imm64
            0xCC,
        ]));
        Assert.Equal(ExitReason.Breakpoint, Run().Reason);
        Assert.Equal(1000u, (uint)_cpu.State.Registers[3]);
        Assert.Equal(0x0807_0605_0403_0201ul, _cpu.State.Registers[0]);
    }
}
