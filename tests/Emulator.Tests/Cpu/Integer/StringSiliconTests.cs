using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;
using Vivarium.Emulator.Tests.Cpu.Vector;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Integer;

/// <summary>MOVS, CMPS, STOS, LODS and SCAS of all sizes and repeat prefixes, both directions, overlapping too, against silicon.</summary>
public sealed unsafe class StringSiliconTests : IDisposable
{
    private const int Size = 1024;
    private readonly Silicon _silicon = new();
    private readonly AddressSpace _memory = new(new MemoryAccountant(1 << 24));
    private readonly byte[] _storage = GC.AllocateArray<byte>(Size, pinned: true);
    private readonly Interpreter _interpreter = new(new BlockCache());
    private readonly GuestCpu _cpu = new(Architecture.X64);
    private readonly ulong _guest;
    private ulong _code;

    public StringSiliconTests()
    {
        _memory.Map(new MapRequest(default, 4096, Protection.ReadWrite), out var data);
        _memory.Map(new MapRequest(default, 65536, Protection.ReadWrite | Protection.Execute), out var code);
        (_guest, _code) = (data.Value, code.Value);
    }

    public void Dispose()
    {
        _silicon.Dispose();
        _memory.Dispose();
    }

    public static TheoryData<byte> OpCodes => [0xA4, 0xA5, 0xA6, 0xA7, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF];

    [Theory]
    [MemberData(nameof(OpCodes))]
    public void AgreesWithSilicon(byte opCode)
    {
        var vectors = new FloatVectors(20261121 + opCode);
        foreach (byte[] repeat in (byte[][])[[], [0xF3], [0xF2]])
        {
            foreach (byte[] width in (byte[][])[[], [0x66], [0x48]])
            {
                byte[] instruction = [.. repeat, .. width, opCode];
                var stub = _silicon.Compile(instruction);
                _memory.TryWrite(new GuestAddress(_code), (ReadOnlySpan<byte>)[.. instruction, 0xCC]);
                for (var i = 0; i < 400; i++)
                    Check(instruction, stub, vectors);
                _code += 32;
            }
        }
    }

    private void Check(byte[] instruction, nint stub, FloatVectors vectors)
    {
        const ulong Direction = 0x400, Arithmetic = 0x8D5;
        // Few different bytes, so that comparisons go on for a while.
        for (var i = 0; i < Size; i++)
            _storage[i] = (byte)(vectors.Next(12) == 0 ? vectors.Next(256) : 7);
        _memory.TryWrite(new GuestAddress(_guest), _storage);
        CpuState before = default;
        before.Mxcsr = 0x1F80;
        before.X87.Control = 0x037F;
        before.Flags = 0x202 | vectors.NextBits() & (Arithmetic | Direction);
        before.Registers[0] = vectors.Next(2) == 0 ? 0x0707_0707_0707_0707 : vectors.NextBits();
        before.Registers[1] = (ulong)vectors.Next(20);
        var source = (ulong)(200 + vectors.Next(600));
        var target = vectors.Next(2) == 0 ? source + (ulong)vectors.Next(32) - 16 : (ulong)(200 + vectors.Next(600));

        fixed (byte* host = _storage)
        {
            var native = before;
            (native.Registers[6], native.Registers[7]) = ((ulong)host + source, (ulong)host + target);
            _silicon.Execute(stub, ref native);
            native.Registers[6] -= (ulong)host;
            native.Registers[7] -= (ulong)host;
            var emulated = Emulate(before, source, target);
            var guest = new byte[Size];
            _memory.TryRead(new GuestAddress(_guest), guest);
            var name = $"{Convert.ToHexString(instruction)} from {source} to {target} flags {before.Flags:x} count {before.Registers[1]}";
            for (var i = 0; i < 8; i++)
                Assert.True(native.Registers[i] == emulated.Registers[i], $"{name}: register {i} {native.Registers[i]:x}, got {emulated.Registers[i]:x}");
            Assert.True(((native.Flags ^ emulated.Flags) & (Arithmetic | Direction)) == 0, $"{name}: flags {native.Flags:x}, got {emulated.Flags:x}");
            Assert.True(guest.AsSpan().SequenceEqual(_storage), $"{name}: memory");
        }
    }

    private CpuState Emulate(CpuState state, ulong source, ulong target)
    {
        _cpu.State = state;
        _cpu.State.Pc = _code;
        (_cpu.State.Registers[6], _cpu.State.Registers[7]) = (_guest + source, _guest + target);
        long budget = 100;
        Assert.Equal(ExitReason.Breakpoint, _interpreter.Run(_cpu, _memory, ref budget).Reason);
        _cpu.State.Registers[6] -= _guest;
        _cpu.State.Registers[7] -= _guest;
        return _cpu.State;
    }
}
