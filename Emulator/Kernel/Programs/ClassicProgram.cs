using System.Runtime.InteropServices;
using static Vivarium.Emulator.Kernel.Programs.ProgramCodes;

namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>One instruction of classic BPF.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ClassicInstruction(ushort Code, byte JumpTrue, byte JumpFalse, uint K);

/// <summary>What programs of classic BPF are about: which instructions there are for it, and what loads give.</summary>
public interface IClassicData
{
    /// <summary>Bytes of it.</summary>
    uint Length { get; }

    /// <summary>Whether an instruction that is well-formed is one for such data.</summary>
    static abstract bool Takes(ClassicInstruction instruction);

    /// <summary>What is at an offset, into the accumulator. False ends the program with 0.</summary>
    /// <param name="size">The size's bits of the instruction's code.</param>
    /// <param name="offset">In bytes.</param>
    /// <param name="accumulator">The register.</param>
    /// <param name="index">The other register.</param>
    bool TryLoad(int size, uint offset, ref uint accumulator, uint index);
}

/// <summary>
/// A program of classic BPF (McCanne and Jacobson 1993; bpf(4)). It was checked once, as the kernel does (bpf_check_classic), so that running it cannot leave
/// the program or its sixteen words of memory, and always ends: it jumps forward alone.
/// </summary>
public sealed class ClassicProgram<TData>
    where TData : IClassicData, allows ref struct
{
    public const int MostInstructions = 4096;
    private const int MemoryWords = 16;

    private readonly ClassicInstruction[] _instructions;

    private ClassicProgram(ClassicInstruction[] instructions) => _instructions = instructions;

    /// <summary>Null for a program that is not one (EINVAL).</summary>
    public static ClassicProgram<TData>? TryMake(ClassicInstruction[] instructions)
    {
        if (instructions.Length is 0 or > MostInstructions || (instructions[^1].Code & 7) != ClassicCodes.Return)
            return null;
        // Words of memory that are stored on every way to an instruction (check_load_and_stores).
        var stored = new ushort[instructions.Length];
        Array.Fill(stored, ushort.MaxValue);
        ushort now = 0;
        for (int i = 0; i < instructions.Length; i++)
        {
            now &= stored[i];
            if (!IsValid(instructions[i], i, stored, ref now) || !TData.Takes(instructions[i]))
                return null;
        }
        return new ClassicProgram<TData>(instructions);
    }

    private static bool IsValid(ClassicInstruction instruction, int at, ushort[] stored, ref ushort now)
    {
        int code = instruction.Code, mode = code & ClassicCodes.Modes, size = code & ClassicCodes.Sizes;
        switch (code & 7)
        {
            case Load or ClassicCodes.LoadIndex when code > byte.MaxValue || size == ClassicCodes.Sizes:
                return false;
            case Load when mode is Absolute or Indirect:
                return true;
            case Load or ClassicCodes.LoadIndex when mode is Immediate or ClassicCodes.Length:
                return size == 0;
            case Load or ClassicCodes.LoadIndex when mode == InMemory:
                return size == 0 && instruction.K < MemoryWords && (now >> (int)instruction.K & 1) != 0;
            case ClassicCodes.LoadIndex:
                return mode == ClassicCodes.HeaderLength && size == ClassicCodes.Byte;
            case ClassicCodes.Store or ClassicCodes.StoreIndex when (code & ~7) == 0 && instruction.K < MemoryWords:
                now |= (ushort)(1 << (int)instruction.K);
                return true;
            case ClassicCodes.Alu:
                return IsValidAlu(code & ~7, instruction.K);
            case Jump:
                return IsValidJump(instruction, at, stored, ref now);
            case ClassicCodes.Return:
                return (code & ~7) is ClassicCodes.Constant or ClassicCodes.Accumulator;
            case ClassicCodes.Miscellaneous:
                return (code & ~7) is ClassicCodes.ToIndex or ClassicCodes.FromIndex;
            default:
                return false;
        }
    }

    private static bool IsValidAlu(int operation, uint k) => (operation & ~ClassicCodes.ByIndex) switch
    {
        Divide or Modulo => (operation & ClassicCodes.ByIndex) != 0 || k != 0,
        ShiftLeft or ShiftRight => (operation & ClassicCodes.ByIndex) != 0 || k < 32,
        Negate => (operation & ClassicCodes.ByIndex) == 0,
        Add or Subtract or Multiply or Or or And or Xor => true,
        _ => false,
    };

    private static bool IsValidJump(ClassicInstruction jump, int at, ushort[] stored, ref ushort now)
    {
        int operation = jump.Code & ~7 & ~ClassicCodes.ByIndex;
        uint rest = (uint)(stored.Length - at - 1);
        if (operation == Always)
        {
            if ((jump.Code & ClassicCodes.ByIndex) != 0 || jump.K >= rest)
                return false;
            stored[at + 1 + (int)jump.K] &= now;
        }
        else
        {
            if (operation is not (Equal or Greater or GreaterOrEqual or Set) || jump.JumpTrue >= rest || jump.JumpFalse >= rest)
                return false;
            stored[at + 1 + jump.JumpTrue] &= now;
            stored[at + 1 + jump.JumpFalse] &= now;
        }
        now = ushort.MaxValue;
        return true;
    }

    /// <summary>What the program returns for some data.</summary>
    public uint Run(TData data)
    {
        uint a = 0, x = 0;
        Span<uint> memory = stackalloc uint[MemoryWords];
        memory.Clear();
        for (int at = 0; ; at++)
        {
            ClassicInstruction now = _instructions[at];
            int mode = now.Code & ClassicCodes.Modes;
            uint with = (now.Code & ClassicCodes.ByIndex) != 0 ? x : now.K;
            switch (now.Code & 7)
            {
                case Load when mode is Absolute or Indirect:
                    if (!data.TryLoad(now.Code & ClassicCodes.Sizes, mode == Indirect ? now.K + x : now.K, ref a, x))
                        return 0;
                    break;
                case Load:
                    a = Known(mode, now.K, memory, data.Length);
                    break;
                case ClassicCodes.LoadIndex when mode == ClassicCodes.HeaderLength:
                    uint first = 0;
                    if (!data.TryLoad(ClassicCodes.Byte, now.K, ref first, x))
                        return 0;
                    // IPv4's, in words of 32 bits.
                    x = (first & 15) * 4;
                    break;
                case ClassicCodes.LoadIndex:
                    x = Known(mode, now.K, memory, data.Length);
                    break;
                case ClassicCodes.Store or ClassicCodes.StoreIndex:
                    memory[(int)now.K] = (now.Code & 7) == ClassicCodes.Store ? a : x;
                    break;
                case ClassicCodes.Alu:
                    if (with == 0 && (now.Code & 0xF0) is Divide or Modulo)
                        return 0;
                    a = ProgramArithmetic.Calculate<uint, int>(now.Code & 0xF0, a, with);
                    break;
                case Jump:
                    at += (now.Code & 0xF0) == Always ? (int)now.K : ProgramArithmetic.Holds(now.Code & 0xF0, a, with, 32) ? now.JumpTrue : now.JumpFalse;
                    break;
                case ClassicCodes.Return:
                    return (now.Code & ~7) == ClassicCodes.Accumulator ? a : now.K;
                default:
                    (a, x) = (now.Code & ~7) == ClassicCodes.ToIndex ? (a, a) : (x, x);
                    break;
            }
        }
    }

    /// <summary>What a load gives that is not one of the data.</summary>
    private static uint Known(int mode, uint k, ReadOnlySpan<uint> memory, uint length) => mode switch
    {
        InMemory => memory[(int)k],
        ClassicCodes.Length => length,
        _ => k,
    };
}
