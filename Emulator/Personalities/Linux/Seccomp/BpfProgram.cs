using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Personalities.Linux.Seccomp;

/// <summary>One instruction of classic BPF (struct sock_filter).</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct BpfInstruction(ushort Code, byte JumpTrue, byte JumpFalse, uint K);

/// <summary>
/// A classic BPF program over a call's data (seccomp(2)): checked once, so that running it cannot leave the program, its sixteen words of memory or
/// the data, and always ends, since it only jumps forward.
/// </summary>
public sealed class BpfProgram
{
    public const int MostInstructions = 4096;
    private const int MemoryWords = 16;

    // Classes, sizes, modes and operations (include/uapi/linux/bpf_common.h).
    private const int Load = 0, LoadIndex = 1, Store = 2, StoreIndex = 3, Alu = 4, Jump = 5, Return = 6, Miscellaneous = 7;
    private const int Immediate = 0x00, Absolute = 0x20, Memory = 0x60, Length = 0x80;
    private const int Add = 0x00, Subtract = 0x10, Multiply = 0x20, Divide = 0x30, Or = 0x40, And = 0x50, ShiftLeft = 0x60, ShiftRight = 0x70, Negate = 0x80, Xor = 0xA0;
    private const int Always = 0x00, Equal = 0x10, Greater = 0x20, GreaterOrEqual = 0x30, Set = 0x40;
    private const int ByIndex = 0x08;

    private readonly BpfInstruction[] _instructions;

    private BpfProgram(BpfInstruction[] instructions) => _instructions = instructions;

    /// <summary>Null for a program that the kernel would refuse (EINVAL).</summary>
    public static BpfProgram? TryMake(BpfInstruction[] instructions, int dataLength)
    {
        if (instructions.Length is 0 or > MostInstructions || (instructions[^1].Code & 7) != Return)
            return null;
        // What is stored on every way to an instruction (check_load_and_stores).
        var stored = new ushort[instructions.Length];
        Array.Fill(stored, ushort.MaxValue);
        ushort now = 0;
        for (int i = 0; i < instructions.Length; i++)
        {
            now &= stored[i];
            if (!IsValid(instructions[i], i, instructions.Length, dataLength, stored, ref now))
                return null;
        }
        return new BpfProgram(instructions);
    }

    private static bool IsValid(BpfInstruction instruction, int at, int count, int dataLength, ushort[] stored, ref ushort now)
    {
        int code = instruction.Code;
        switch (code & 7)
        {
            case Load when code == (Load | Absolute):
                return instruction.K % 4 == 0 && instruction.K < dataLength;
            case Load or LoadIndex when (code & ~7) == Memory:
                return instruction.K < MemoryWords && (now >> (int)instruction.K & 1) != 0;
            case Load or LoadIndex:
                return (code & ~7) is Immediate or Length;
            case Store or StoreIndex when (code & ~7) == 0 && instruction.K < MemoryWords:
                now |= (ushort)(1 << (int)instruction.K);
                return true;
            case Alu:
                return IsValidAlu(code & ~7, instruction.K);
            case Jump:
                return IsValidJump(instruction, at, count, stored, ref now);
            case Return:
                return (code & ~7) is 0x00 or 0x10;
            case Miscellaneous:
                return (code & ~7) is 0x00 or 0x80;
            default:
                return false;
        }
    }

    private static bool IsValidAlu(int operation, uint k) => (operation & ~ByIndex) switch
    {
        Divide => (operation & ByIndex) != 0 || k != 0,
        ShiftLeft or ShiftRight => (operation & ByIndex) != 0 || k < 32,
        Negate => (operation & ByIndex) == 0,
        Add or Subtract or Multiply or Or or And or Xor => true,
        _ => false,
    };

    private static bool IsValidJump(BpfInstruction instruction, int at, int count, ushort[] stored, ref ushort now)
    {
        int operation = instruction.Code & ~7;
        if (operation == Always)
        {
            if (instruction.K >= (uint)(count - at - 1))
                return false;
            stored[at + 1 + (int)instruction.K] &= now;
            now = ushort.MaxValue;
            return true;
        }
        if ((operation & ~ByIndex) is not (Equal or Greater or GreaterOrEqual or Set) || at + 1 + instruction.JumpTrue >= count || at + 1 + instruction.JumpFalse >= count)
            return false;
        stored[at + 1 + instruction.JumpTrue] &= now;
        stored[at + 1 + instruction.JumpFalse] &= now;
        now = ushort.MaxValue;
        return true;
    }

    /// <summary>What the program returns for a call's data, a word at each multiple of 4.</summary>
    public uint Run(ReadOnlySpan<uint> data)
    {
        Span<uint> memory = stackalloc uint[MemoryWords];
        memory.Clear();
        uint a = 0, x = 0;
        for (int at = 0; ; at++)
        {
            ref readonly BpfInstruction instruction = ref _instructions[at];
            int code = instruction.Code;
            uint k = instruction.K;
            switch (code & 7)
            {
                case Load:
                    a = Fetch(code, k, data, memory);
                    break;
                case LoadIndex:
                    x = Fetch(code, k, data, memory);
                    break;
                case Store:
                    memory[(int)k] = a;
                    break;
                case StoreIndex:
                    memory[(int)k] = x;
                    break;
                case Alu:
                    uint operand = (code & ByIndex) != 0 ? x : k;
                    // Dividing by an index of 0 ends the program with 0.
                    if ((code & 0xF0) == Divide && operand == 0)
                        return 0;
                    a = ClassicFilter.Calculate(code & 0xF0, a, operand);
                    break;
                case Jump:
                    at += (code & ~7) == Always ? (int)k : ClassicFilter.Holds(code & 0xF0, a, (code & ByIndex) != 0 ? x : k) ? instruction.JumpTrue : instruction.JumpFalse;
                    break;
                case Return:
                    return (code & ~7) == 0 ? k : a;
                default:
                    (a, x) = (code & ~7) == 0 ? (a, a) : (x, x);
                    break;
            }
        }
    }

    private static uint Fetch(int code, uint k, ReadOnlySpan<uint> data, ReadOnlySpan<uint> memory) => (code & ~7) switch
    {
        Absolute => data[(int)k / 4],
        Memory => memory[(int)k],
        Length => (uint)data.Length * 4,
        _ => k,
    };
}
