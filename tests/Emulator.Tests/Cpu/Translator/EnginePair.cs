using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.Translator;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Runs code from equal states in the translator and in the interpreter, and compares all that a program can see.</summary>
internal sealed class EnginePair : IDisposable
{
    public const int CodeSize = 1 << 20;
    public const int DataSize = 8192;

    private const byte Breakpoint = 0xCC;

    private static readonly Lazy<Emulator.Cpu.Translator.Translator> SharedTranslator = new(static () => new Emulator.Cpu.Translator.Translator(new BlockCache()));

    private readonly Interpreter _interpreter = new(new BlockCache());
    private readonly AddressSpace _memory = new(new MemoryAccountant(1 << 24));
    private readonly GuestCpu _translated = new(Architecture.X64);
    private readonly GuestCpu _interpreted = new(Architecture.X64);
    private readonly byte[] _code = new byte[CodeSize];
    private readonly byte[] _before = new byte[DataSize];
    private readonly byte[] _after = new byte[DataSize];
    private readonly byte[] _expected = new byte[DataSize];
    private readonly ulong _start;
    private int _used;

    public EnginePair()
    {
        _memory.Map(new MapRequest(default, CodeSize, Protection.ReadWrite | Protection.Execute), out GuestAddress code);
        _start = code.Value;
        // The pages around the data are not mapped.
        _memory.Map(new MapRequest(default, DataSize + 8192, Protection.ReadWrite), out GuestAddress area);
        _memory.Unmap(area, 4096);
        _memory.Unmap(area + (4096 + DataSize), 4096);
        Data = area.Value + 4096;
    }

    /// <summary>One translator for the process, whose fault handler knows one place of translated code.</summary>
    public static Emulator.Cpu.Translator.Translator Translator => SharedTranslator.Value;

    /// <summary>The guest address of <see cref="DataSize"/> bytes.</summary>
    public ulong Data { get; }

    /// <summary>Where results may differ: the approximations, of which the architecture gives a bound only.</summary>
    public Func<Vector128<byte>, Vector128<byte>, bool>? IsNear { get; set; }

    public void Dispose() => _memory.Dispose();

    /// <summary>Places code, ended by a breakpoint; all of it before the first run, so that nothing is translated twice.</summary>
    public ulong Place(ReadOnlySpan<byte> instructions)
    {
        int at = _used;
        instructions.CopyTo(_code.AsSpan(at));
        _code[at + instructions.Length] = Breakpoint;
        _used += (instructions.Length + 16) & ~15;
        return _start + (ulong)at;
    }

    public void Load() => Assert(_memory.TryWrite(new GuestAddress(_start), _code.AsSpan(0, _used)));

    /// <summary>Whether an instruction that was run has host code of its own.</summary>
    public bool IsTranslated(ulong pc) => Translator.IsTranslated(_memory, pc);

    /// <summary>Runs from a state; null when the two agree, else what differs.</summary>
    public string? Compare(in CpuState before, ReadOnlySpan<byte> data, ulong pc)
    {
        data.CopyTo(_before);
        EngineExit expected = Run(_interpreter, _interpreted, before, pc, _expected);
        EngineExit exit = Run(Translator, _translated, before, pc, _after);
        if (exit != expected)
            return $"exit {expected}, got {exit}";
        if (!_after.AsSpan().SequenceEqual(_expected))
            return $"memory at {_after.AsSpan().CommonPrefixLength(_expected)}";
        return Compare(_interpreted.State, _translated.State);
    }

    private EngineExit Run(IEngine engine, GuestCpu cpu, in CpuState before, ulong pc, byte[] after)
    {
        Assert(_memory.TryWrite(new GuestAddress(Data), _before));
        cpu.State = before;
        cpu.State.Pc = pc;
        long budget = 1000;
        EngineExit exit = engine.Run(cpu, _memory, ref budget);
        Assert(_memory.TryRead(new GuestAddress(Data), after));
        return exit;
    }

    private string? Compare(in CpuState expected, in CpuState state)
    {
        for (int i = 0; i < 16; i++)
        {
            if (expected.Registers[i] != state.Registers[i])
                return $"register {i}: {expected.Registers[i]:x}, got {state.Registers[i]:x}";
            Vector128<byte> a = expected.Vectors[i], b = state.Vectors[i];
            if (a != b && IsNear?.Invoke(a, b) != true)
                return $"xmm{i}: {a.AsUInt64()}, got {b.AsUInt64()}";
        }
        if (expected.Flags != state.Flags)
            return $"flags {expected.Flags:x}, got {state.Flags:x}";
        if (expected.Mxcsr != state.Mxcsr)
            return $"mxcsr {expected.Mxcsr:x}, got {state.Mxcsr:x}";
        if ((expected.X87.Control, expected.X87.Status) != (state.X87.Control, state.X87.Status))
            return $"x87 {expected.X87.Control:x} {expected.X87.Status:x}, got {state.X87.Control:x} {state.X87.Status:x}";
        for (int i = 0; i < 8; i++)
        {
            X87Register a = expected.X87.Registers[i], b = state.X87.Registers[i];
            if ((a.Significand, a.SignExponent) != (b.Significand, b.SignExponent))
                return $"x87 register {i}: {a.SignExponent:x} {a.Significand:x}, got {b.SignExponent:x} {b.Significand:x}";
        }
        if (expected.X87.Tags != state.X87.Tags)
            return $"x87 tags {expected.X87.Tags:x}, got {state.X87.Tags:x}";
        return expected.Pc == state.Pc ? null : $"pc {expected.Pc:x}, got {state.Pc:x}";
    }

    private static void Assert(bool condition) => Xunit.Assert.True(condition);
}
