using System.Text;
using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>What a program begins with.</summary>
internal sealed class FuzzInput
{
    public CpuState State;

    public readonly byte[] Data = new byte[FuzzLayout.DataSize];
    public readonly byte[] Stack = new byte[FuzzLayout.StackSize];
}

/// <summary>What a run ended with: everything that a guest can see.</summary>
internal sealed class Outcome
{
    public EngineExit Exit;
    public CpuState State;
    public readonly byte[] Data = new byte[FuzzLayout.DataSize];
    public readonly byte[] Stack = new byte[FuzzLayout.StackSize];
    public readonly byte[] Code = new byte[FuzzLayout.PlaceSize];

    /// <summary>The first thing in which another run differs, or null.</summary>
    public string? Difference(Outcome other, ulong flags)
    {
        if (Exit != other.Exit)
            return $"exit {Exit}, got {other.Exit}";
        return CompareIntegers(other, flags) ?? CompareVectors(other) ?? CompareX87(other)
            ?? CompareMemory("data", FuzzLayout.Data, Data, other.Data) ?? CompareMemory("stack", FuzzLayout.Stack, Stack, other.Stack)
            ?? CompareMemory("code", 0, Code, other.Code);
    }

    private string? CompareIntegers(Outcome other, ulong flags)
    {
        if (State.Pc != other.State.Pc)
            return $"pc {State.Pc:x}, got {other.State.Pc:x}";
        for (var i = 0; i < 16; i++)
        {
            if (State.Registers[i] != other.State.Registers[i])
                return $"register {i}: {State.Registers[i]:x16}, got {other.State.Registers[i]:x16}";
        }

        return ((State.Flags ^ other.State.Flags) & flags) == 0 ? null : $"flags {State.Flags:x}, got {other.State.Flags:x} of {flags:x}";
    }

    private string? CompareVectors(Outcome other)
    {
        for (var i = 0; i < 16; i++)
        {
            if (State.Vectors[i] != other.State.Vectors[i])
                return $"xmm{i}: {State.Vectors[i]}, got {other.State.Vectors[i]}";
        }

        return State.Mxcsr == other.State.Mxcsr ? null : $"mxcsr {State.Mxcsr:x}, got {other.State.Mxcsr:x}";
    }

    private string? CompareX87(Outcome other)
    {
        ref var mine = ref State.X87;
        ref var its = ref other.State.X87;
        if ((mine.Control, mine.Status, mine.Tags) != (its.Control, its.Status, its.Tags))
            return $"x87 control {mine.Control:x} status {mine.Status:x} tags {mine.Tags:x}, got {its.Control:x} {its.Status:x} {its.Tags:x}";
        for (var i = 0; i < 8; i++)
        {
            if ((mine.Registers[i].SignExponent, mine.Registers[i].Significand) != (its.Registers[i].SignExponent, its.Registers[i].Significand))
                return $"x87 register {i}: {mine.Registers[i].SignExponent:x}:{mine.Registers[i].Significand:x}, got {its.Registers[i].SignExponent:x}:{its.Registers[i].Significand:x}";
        }

        return null;
    }

    private static string? CompareMemory(string name, ulong start, byte[] mine, byte[] its)
    {
        var at = mine.AsSpan().CommonPrefixLength(its);
        return at == mine.Length ? null : $"{name} at {start + (ulong)at:x}: {mine[at]:x2}, got {its[at]:x2}";
    }

    public override string ToString() => $"{Exit}\n{Describe(State)}";

    public static string Describe(in CpuState state)
    {
        var text = new StringBuilder($"    pc {state.Pc:x} flags {state.Flags:x} fs {state.FsBase:x} gs {state.GsBase:x} mxcsr {state.Mxcsr:x}");
        for (var i = 0; i < 16; i++)
            text.Append(i % 4 == 0 ? "\n    " : " ").Append($"r{i}={state.Registers[i]:x16}");
        return text.AppendLine().ToString();
    }
}
