using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What is known of a message beside its bytes.</summary>
public readonly record struct FilterFacts(ushort Type, byte PacketType, int Device, ushort HardwareType, int NetworkOffset);

/// <summary>Decides how many bytes of a message a socket takes; 0 for none.</summary>
public interface IMessageFilter
{
    uint Run(ReadOnlySpan<byte> message, in FilterFacts facts);

    /// <summary>A socket uses it.</summary>
    void Join()
    {
    }

    void Leave()
    {
    }
}

/// <summary>One instruction of the Berkeley packet filter.</summary>
public readonly record struct FilterInstruction(ushort Code, byte JumpTrue, byte JumpFalse, uint K);

/// <summary>
/// A program of the Berkeley packet filter (McCanne and Jacobson 1993; bpf(4)) over a message. It was checked once: it jumps forward alone, so that it ends, and what it reads
/// beyond the message ends it with 0. Negative offsets are Linux' (SKF_AD_OFF, SKF_NET_OFF and SKF_LL_OFF in include/uapi/linux/filter.h).
/// </summary>
public sealed class ClassicFilter : IMessageFilter
{
    public const int MostInstructions = 4096;
    private const int MemoryWords = 16;

    private const int Load = 0, LoadIndex = 1, Store = 2, StoreIndex = 3, Alu = 4, Jump = 5, Return = 6, Miscellaneous = 7;
    private const int Immediate = 0x00, Absolute = 0x20, Indirect = 0x40, Memory = 0x60, Length = 0x80, HeaderLength = 0xA0;
    private const int Half = 0x08, Byte = 0x10;
    private const int Add = 0x00, Subtract = 0x10, Multiply = 0x20, Divide = 0x30, Or = 0x40, And = 0x50, ShiftLeft = 0x60, ShiftRight = 0x70, Negate = 0x80, Modulo = 0x90, Xor = 0xA0;
    private const int Always = 0x00, Equal = 0x10, Greater = 0x20, GreaterOrEqual = 0x30, Set = 0x40;
    private const int ByIndex = 0x08;

    private const int Extra = -0x1000, NetworkHeader = -0x100000, LinkHeader = -0x200000;

    private readonly FilterInstruction[] _instructions;

    private ClassicFilter(FilterInstruction[] instructions) => _instructions = instructions;

    /// <summary>Null for a program that is not one (EINVAL).</summary>
    public static ClassicFilter? TryMake(FilterInstruction[] instructions)
    {
        if (instructions.Length is 0 or > MostInstructions || (instructions[^1].Code & 7) != Return)
            return null;
        // Words of memory that are stored on every way to an instruction.
        var stored = new ushort[instructions.Length];
        Array.Fill(stored, ushort.MaxValue);
        ushort now = 0;
        for (int i = 0; i < instructions.Length; i++)
        {
            now &= stored[i];
            if (!IsValid(instructions[i], i, stored, ref now))
                return null;
        }
        return new ClassicFilter(instructions);
    }

    private static bool IsValid(FilterInstruction instruction, int at, ushort[] stored, ref ushort now)
    {
        int code = instruction.Code, mode = code & 0xE0, size = code & 0x18;
        switch (code & 7)
        {
            case Load or LoadIndex when code > byte.MaxValue || size == 0x18:
                return false;
            case Load when mode is Absolute or Indirect:
                return mode == Indirect || IsKnownOffset(instruction.K);
            case Load or LoadIndex when mode is Immediate or Length:
                return size == 0;
            case Load or LoadIndex when mode == Memory:
                return size == 0 && instruction.K < MemoryWords && (now >> (int)instruction.K & 1) != 0;
            case LoadIndex:
                return mode == HeaderLength && size == Byte;
            case Store or StoreIndex when (code & ~7) == 0 && instruction.K < MemoryWords:
                now |= (ushort)(1 << (int)instruction.K);
                return true;
            case Alu:
                return IsValidAlu(code & ~7, instruction.K);
            case Jump:
                return IsValidJump(instruction, at, stored, ref now);
            case Return:
                return (code & ~7) is 0x00 or 0x10;
            case Miscellaneous:
                return (code & ~7) is 0x00 or 0x80;
            default:
                return false;
        }
    }

    /// <summary>Of what is not in a message, only what Linux has a number for.</summary>
    private static bool IsKnownOffset(uint k) => (int)k is >= 0 or < Extra || ((int)k - Extra is <= 60 and var extra && extra % 4 == 0);

    private static bool IsValidAlu(int operation, uint k) => (operation & ~ByIndex) switch
    {
        Divide or Modulo => (operation & ByIndex) != 0 || k != 0,
        ShiftLeft or ShiftRight => (operation & ByIndex) != 0 || k < 32,
        Negate => (operation & ByIndex) == 0,
        Add or Subtract or Multiply or Or or And or Xor => true,
        _ => false,
    };

    private static bool IsValidJump(FilterInstruction jump, int at, ushort[] stored, ref ushort now)
    {
        int operation = jump.Code & 0xF0;
        if (jump.Code > byte.MaxValue || operation > Set)
            return false;
        ulong rest = (ulong)(stored.Length - at - 1);
        if (operation == Always)
        {
            if ((jump.Code & ByIndex) != 0 || jump.K >= rest)
                return false;
            stored[at + 1 + (int)jump.K] &= now;
        }
        else
        {
            if (jump.JumpTrue >= rest || jump.JumpFalse >= rest)
                return false;
            stored[at + 1 + jump.JumpTrue] &= now;
            stored[at + 1 + jump.JumpFalse] &= now;
        }
        now = ushort.MaxValue;
        return true;
    }

    public uint Run(ReadOnlySpan<byte> message, in FilterFacts facts)
    {
        uint a = 0, x = 0;
        Span<uint> memory = stackalloc uint[MemoryWords];
        memory.Clear();
        for (int at = 0; ; at++)
        {
            FilterInstruction now = _instructions[at];
            int mode = now.Code & 0xE0;
            switch (now.Code & 7)
            {
                case Load when mode is Absolute or Indirect:
                    if (!TryLoad(message, facts, now.Code & 0x18, mode == Indirect ? now.K + x : now.K, ref a, x))
                        return 0;
                    break;
                case Load:
                    a = mode switch { Memory => memory[(int)now.K], Length => (uint)message.Length, _ => now.K };
                    break;
                case LoadIndex when mode == HeaderLength:
                    uint first = 0;
                    if (!TryLoad(message, facts, Byte, now.K, ref first, x))
                        return 0;
                    x = (first & 15) * 4;
                    break;
                case LoadIndex:
                    x = mode switch { Memory => memory[(int)now.K], Length => (uint)message.Length, _ => now.K };
                    break;
                case Store or StoreIndex:
                    memory[(int)now.K] = (now.Code & 7) == Store ? a : x;
                    break;
                case Alu:
                    uint by = (now.Code & ByIndex) != 0 ? x : now.K;
                    if (by == 0 && (now.Code & 0xF0) is Divide or Modulo)
                        return 0;
                    a = Calculate(now.Code & 0xF0, a, by);
                    break;
                case Jump:
                    at += (now.Code & 0xF0) == Always ? (int)now.K : Holds(now.Code & 0xF0, a, (now.Code & ByIndex) != 0 ? x : now.K) ? now.JumpTrue : now.JumpFalse;
                    break;
                case Return:
                    return (now.Code & 0x18) != 0 ? a : now.K;
                default:
                    (a, x) = (now.Code & 0x80) != 0 ? (x, x) : (a, a);
                    break;
            }
        }
    }

    /// <summary>What an arithmetic instruction makes of the accumulator, given the operation's bits; the divisor is not 0. Counts of shifts are taken modulo 32.</summary>
    internal static uint Calculate(int operation, uint a, uint by) => operation switch
    {
        Add => a + by,
        Subtract => a - by,
        Multiply => a * by,
        Divide => a / by,
        Modulo => a % by,
        Or => a | by,
        And => a & by,
        Xor => a ^ by,
        ShiftLeft => a << (int)by,
        ShiftRight => a >> (int)by,
        _ => 0 - a,
    };

    /// <summary>Does a conditional jump's condition hold?</summary>
    internal static bool Holds(int condition, uint a, uint with) => condition switch
    {
        Equal => a == with,
        Greater => a > with,
        GreaterOrEqual => a >= with,
        _ => (a & with) != 0,
    };

    private static bool TryLoad(ReadOnlySpan<byte> message, in FilterFacts facts, int size, uint offset, ref uint value, uint x)
    {
        long at = (int)offset;
        if (at < 0)
        {
            if (at >= Extra)
                return TryLoadExtra(facts, message, (int)at - Extra, ref value, x);
            if (at < LinkHeader)
                return false;
            at = at >= NetworkHeader ? at - NetworkHeader + facts.NetworkOffset : at - LinkHeader;
        }
        int length = size == 0 ? 4 : size == Half ? 2 : 1;
        if (at + length > message.Length)
            return false;
        ReadOnlySpan<byte> bytes = message[(int)at..];
        value = length switch { 4 => BinaryPrimitives.ReadUInt32BigEndian(bytes), 2 => BinaryPrimitives.ReadUInt16BigEndian(bytes), _ => bytes[0] };
        return true;
    }

    /// <summary>What the kernel knows; marks, queues, hashes, processors and VLANs are all 0 here.</summary>
    private static bool TryLoadExtra(in FilterFacts facts, ReadOnlySpan<byte> message, int number, ref uint value, uint x)
    {
        const int protocol = 0, packetType = 4, device = 8, hardware = 28, xorIndex = 40, payload = 52;
        value = number switch
        {
            protocol => facts.Type,
            packetType => facts.PacketType,
            device => (uint)facts.Device,
            hardware => facts.HardwareType,
            xorIndex => value ^ x,
            payload => (uint)Math.Min(facts.NetworkOffset, message.Length),
            _ => 0,
        };
        return true;
    }
}
