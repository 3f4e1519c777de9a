using System.Runtime.CompilerServices;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Writes x86-64 machine code (SDM Vol. 2, chapter 2). Opcodes are given with their map: 0x01 is one byte, 0x0FAF is 0F AF,
/// 0x0F38F1 is 0F 38 F1. The caller makes sure that there is room.
/// </summary>
internal sealed unsafe partial class Assembler
{
    private const byte GsPrefix = 0x65;
    private const byte AddressSizePrefix = 0x67;

    /// <summary>JRCXZ, which looks at a register without touching the flags.</summary>
    public const byte JumpIfCounterIsZero = 0xE3;

    private byte* _start;
    private byte* _at;
    private nint _runOffset;

    /// <summary>Bytes written since <see cref="Begin"/>.</summary>
    public int Offset
    {
        get => (int)(_at - _start);
        set => _at = _start + value;
    }

    /// <summary>How far the present place is from another in the same view.</summary>
    public int OffsetFrom(byte* place) => (int)(_at - place);

    /// <summary>Where the next byte will be run.</summary>
    public nint RunAddress => (nint)_at + _runOffset;

    /// <summary>Starts at a place of the writable view, whose executable view is <paramref name="runOffset"/> bytes away.</summary>
    public void Begin(byte* place, nint runOffset)
    {
        _start = _at = place;
        _runOffset = runOffset;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Byte(int value) => *_at++ = (byte)value;

    public void Int32(int value)
    {
        Unsafe.WriteUnaligned(_at, value);
        _at += sizeof(int);
    }

    public void Int64(long value)
    {
        Unsafe.WriteUnaligned(_at, value);
        _at += sizeof(long);
    }

    /// <summary>
    /// An instruction with a ModRM byte. <paramref name="prefix"/> is 0, 0x66, 0xF2 or 0xF3; <paramref name="reg"/> a register or the
    /// opcode's extension; <paramref name="bytes"/> says that registers are byte registers, whose numbers 4..7 need a REX prefix.
    /// </summary>
    public void Emit(int opcode, int reg, in Operand rm, bool wide = false, int prefix = 0, bool bytes = false)
    {
        if (IsFar(reg) || (!rm.IsMemory && IsFar((int)rm.Base)))
        {
            EmitFar(opcode, reg, rm, wide, prefix);
            return;
        }
        if (rm.IsGuest)
            Byte(GsPrefix);
        if (rm.IsNarrow)
            Byte(AddressSizePrefix);
        if (prefix != 0)
            Byte(prefix);
        int rex = (wide ? 8 : 0) | ((reg >> 1) & 4) | Extension(rm.Index, 2) | Extension(rm.Base, 1);
        if (rex != 0 || (bytes && (reg is >= 4 and < 8 || (!rm.IsMemory && (int)rm.Base is >= 4 and < 8))))
            Byte(0x40 | rex);
        if (opcode > 0xFFFF)
            Byte(opcode >> 16);
        if (opcode > 0xFF)
            Byte(opcode >> 8);
        Byte(opcode);
        ModRm(reg, rm);
    }

    /// <summary>An instruction with a VEX prefix of 128 bits or scalar (SDM Vol. 2, 2.3.5). <paramref name="map"/>: 1 is 0F, 2 is 0F 38, 3 is 0F 3A; <paramref name="pp"/>: 0, 1 is 66, 2 is F3, 3 is F2.</summary>
    public void EmitVex(int map, int pp, bool wide, int opcode, int reg, int second, in Operand rm)
    {
        if (IsFar(reg | second) || (!rm.IsMemory && IsFar((int)rm.Base)))
        {
            bool isWide = map switch { 1 => opcode == FromInteger ? wide : pp is 1 or 3, 2 => wide, _ => (opcode & 1) != 0 };
            EmitEvex(map, pp, isWide, opcode, reg, second, rm);
            return;
        }
        if (rm.IsGuest)
            Byte(GsPrefix);
        if (rm.IsNarrow)
            Byte(AddressSizePrefix);
        Byte(0xC4);
        Byte((((reg >> 3) ^ 1) << 7) | ((Extension(rm.Index, 1) ^ 1) << 6) | ((Extension(rm.Base, 1) ^ 1) << 5) | map);
        Byte((wide ? 0x80 : 0) | ((~second & 15) << 3) | pp);
        Byte(opcode);
        ModRm(reg, rm);
    }

    /// <summary>VMOVDQU of 32 bytes to or, with a store, from memory.</summary>
    public void MoveWide(int vector, in Operand memory, bool stores)
    {
        int start = Offset;
        EmitVex(1, 2, false, stores ? 0x7F : 0x6F, vector, 0, memory);
        // The last byte of the prefix has the length.
        _start[start + (memory.IsGuest ? 1 : 0) + (memory.IsNarrow ? 1 : 0) + 2] |= 4;
    }

    /// <summary>VZEROUPPER: older instructions are slow while upper halves hold something.</summary>
    public void ClearUpperHalves()
    {
        Byte(0xC5);
        Byte(0xF8);
        Byte(0x77);
    }

    /// <summary>An instruction with an EVEX prefix (SDM Vol. 2, 2.7) on registers, of 128 bits or scalar, without a mask.</summary>
    public void EmitEvex(int map, int pp, bool wide, int opcode, int reg, int second, int rm) => EmitEvex(map, pp, wide, opcode, reg, second, Operand.Of(rm));

    private void EmitEvex(int map, int pp, bool wide, int opcode, int reg, int second, in Operand rm)
    {
        if (rm.IsGuest)
            Byte(GsPrefix);
        if (rm.IsNarrow)
            Byte(AddressSizePrefix);
        Byte(0x62);
        int index = rm.IsMemory ? Extension(rm.Index, 1) : ((int)rm.Base >> 4) & 1, address = rm.IsMemory ? Extension(rm.Base, 1) : ((int)rm.Base >> 3) & 1;
        int extensions = (((reg >> 3) & 1) << 7) | (index << 6) | (address << 5) | (((reg >> 4) & 1) << 4);
        Byte((extensions ^ 0xF0) | map);
        Byte((wide ? 0x80 : 0) | ((~second & 15) << 3) | 4 | pp);
        Byte((((second >> 4) & 1) ^ 1) << 3);
        Byte(opcode);
        ModRm(reg, rm, hasShortDisplacement: false);
    }

    /// <summary>Vector registers that only EVEX reaches.</summary>
    private static bool IsFar(int register) => register is >= 16 and < 32;

    /// <summary>CVTSI2SD.</summary>
    private const int FromInteger = 0x2A;

    /// <summary>The EVEX form of an instruction of two operands with its older encoding: moves, comparisons into flags, conversions to integers.</summary>
    private void EmitFar(int opcode, int reg, in Operand rm, bool wide, int prefix)
    {
        int map = (opcode >> 8) switch { 0x0F => 1, 0x0F38 => 2, _ => 3 };
        int pp = prefix switch { 0 => 0, 0x66 => 1, 0xF3 => 2, _ => 3 };
        // Those that have an integer operand are as wide as it.
        bool isWide = opcode is 0x0F2C or 0x0F2D or 0x0F6E or 0x0F7E ? wide : prefix is 0x66 or 0xF2;
        EmitEvex(map, pp, isWide, opcode & byte.MaxValue, reg, 0, rm);
    }

    /// <summary>VUCOMISD, VUCOMISS with all exceptions suppressed (SDM Vol. 2, 2.7.4).</summary>
    public void CompareSilently(int first, int second, bool isDouble)
    {
        const int suppressed = 0x10;
        int start = Offset;
        EmitEvex(1, isDouble ? 1 : 0, isDouble, 0x2E, first, 0, second);
        // The last byte of the prefix.
        _start[start + 3] |= suppressed;
    }

    private static int Extension(HostRegister register, int bit) => register != HostRegister.None && (int)register >= 8 ? bit : 0;

    /// <param name="hasShortDisplacement">With EVEX those of a byte count elements.</param>
    private void ModRm(int reg, in Operand rm, bool hasShortDisplacement = true)
    {
        int field = (reg & 7) << 3;
        if (!rm.IsMemory)
        {
            Byte(0xC0 | field | ((int)rm.Base & 7));
            return;
        }
        if (rm.Base == HostRegister.None)
        {
            Byte(field | 4);
            Byte((rm.Scale << 6) | ((rm.Index == HostRegister.None ? 4 : (int)rm.Index & 7) << 3) | 5);
            Int32(rm.Displacement);
            return;
        }
        int low = (int)rm.Base & 7;
        int mode = rm.Displacement == 0 && low != 5 ? 0 : hasShortDisplacement && (sbyte)rm.Displacement == rm.Displacement ? 0x40 : 0x80;
        if (rm.Index != HostRegister.None || low == 4)
        {
            Byte(mode | field | 4);
            Byte((rm.Scale << 6) | ((rm.Index == HostRegister.None ? 4 : (int)rm.Index & 7) << 3) | low);
        }
        else
            Byte(mode | field | low);
        if (mode == 0x40)
            Byte(rm.Displacement);
        else if (mode == 0x80)
            Int32(rm.Displacement);
    }

    // ---- moves -----------------------------------------------------------------------------------------------------

    public void Move(HostRegister to, HostRegister from)
    {
        if (to != from)
            Emit(0x8B, (int)to, Operand.Of(from), wide: true);
    }

    /// <summary>Zero-extends the low 32 bits.</summary>
    public void Move32(HostRegister to, HostRegister from) => Emit(0x8B, (int)to, Operand.Of(from));

    /// <summary>Loads a constant, leaving the flags alone.</summary>
    public void Move(HostRegister to, long value)
    {
        if ((ulong)value <= uint.MaxValue)
        {
            if ((int)to >= 8)
                Byte(0x41);
            Byte(0xB8 | ((int)to & 7));
            Int32((int)value);
        }
        else if (value == (int)value)
        {
            Emit(0xC7, 0, Operand.Of(to), wide: true);
            Int32((int)value);
        }
        else
        {
            Byte(0x48 | ((int)to >> 3));
            Byte(0xB8 | ((int)to & 7));
            Int64(value);
        }
    }

    /// <summary>Loads 1 &lt;&lt; size bytes, zero-extended.</summary>
    public void Load(HostRegister to, in Operand from, int size)
    {
        if (size >= 2)
            Emit(0x8B, (int)to, from, wide: size == 3);
        else
            Emit(size == 0 ? 0x0FB6 : 0x0FB7, (int)to, from, bytes: size == 0);
    }

    /// <summary>Loads 1 &lt;&lt; size bytes, sign-extended to 64 bits.</summary>
    public void LoadSigned(HostRegister to, in Operand from, int size) =>
        Emit(size switch { 0 => 0x0FBE, 1 => 0x0FBF, 2 => 0x63, _ => 0x8B }, (int)to, from, wide: true, bytes: size == 0);

    /// <summary>Stores the low 1 &lt;&lt; size bytes.</summary>
    public void Store(in Operand to, HostRegister from, int size) => Alu(0x88, (int)from, to, size);

    public void StoreImmediate(in Operand to, int value, int size)
    {
        Alu(0xC6, 0, to, size);
        Immediate(value, size);
    }

    /// <summary>D = address arithmetic, 64 or 32 bits.</summary>
    public void AddressOf(HostRegister to, in Operand sum, bool wide = true) => Emit(0x8D, (int)to, sum with { IsGuest = false }, wide);

    // ---- arithmetic ------------------------------------------------------------------------------------------------

    /// <summary>An instruction that comes as a byte form at <paramref name="opcode"/> and a word form behind it.</summary>
    public void Alu(int opcode, int reg, in Operand rm, int size) =>
        Emit(size == 0 ? opcode : opcode + 1, reg, rm, wide: size == 3, prefix: size == 1 ? 0x66 : 0, bytes: size == 0);

    /// <summary>Group 1 (ADD 0, OR 1, ADC 2, SBB 3, AND 4, SUB 5, XOR 6, CMP 7) with an immediate.</summary>
    public void AluImmediate(int operation, in Operand rm, int value, int size)
    {
        if (size > 0 && value == (sbyte)value)
        {
            Emit(0x83, operation, rm, wide: size == 3, prefix: size == 1 ? 0x66 : 0);
            Byte(value);
            return;
        }
        Alu(0x80, operation, rm, size);
        Immediate(value, size);
    }

    public void Immediate(int value, int size)
    {
        if (size == 0)
            Byte(value);
        else if (size == 1)
        {
            Byte(value);
            Byte(value >> 8);
        }
        else
            Int32(value);
    }

    /// <summary>CRC32: F2 0F 38 F0 or F1; the data's size is the operand's.</summary>
    public void EmitCrc32(HostRegister crc, in Operand data, int size)
    {
        if (size == 1)
            Byte(0x66);
        Emit(size == 0 ? 0x0F38F0 : 0x0F38F1, (int)crc, data, wide: size == 3, prefix: 0xF2, bytes: size == 0);
    }

    /// <summary>RORX: rotates without touching the flags.</summary>
    public void RotateRight(HostRegister to, HostRegister from, int count)
    {
        EmitVex(3, 3, wide: true, 0xF0, (int)to, 0, Operand.Of(from));
        Byte(count);
    }

    /// <summary>SHRX: shifts right by the low 6 bits of a register without touching the flags.</summary>
    public void ShiftRight(HostRegister to, HostRegister from, HostRegister count) => EmitVex(2, 3, wide: true, 0xF7, (int)to, (int)count, Operand.Of(from));

    /// <summary>MULX: the product of RDX and an operand, its halves in two registers; leaves the flags alone.</summary>
    public void MultiplyWide(HostRegister high, HostRegister low, in Operand factor) => EmitVex(2, 3, wide: true, 0xF6, (int)high, (int)low, factor);

    /// <summary>SARX: -1 when the budget is spent, else 0; leaves the flags alone. The budget's low byte is a count beyond its bits.</summary>
    public void SignOf(HostRegister to, HostRegister budget) => EmitVex(2, 2, wide: true, 0xF7, (int)to, (int)budget, Operand.Of(budget));

    /// <summary>PEXT: collects the bits of a register that a mask in memory selects; leaves the flags alone.</summary>
    public void ExtractBits(HostRegister to, HostRegister from, in Operand mask) => EmitVex(2, 2, wide: true, 0xF5, (int)to, (int)from, mask);

    /// <summary>BSWAP of 64 or 32 bits.</summary>
    public void SwapBytes(HostRegister register, bool wide)
    {
        int rex = (wide ? 8 : 0) | ((int)register >> 3);
        if (rex != 0)
            Byte(0x40 | rex);
        Byte(0x0F);
        Byte(0xC8 | ((int)register & 7));
    }

    // ---- control ---------------------------------------------------------------------------------------------------

    public void Jump(nint target)
    {
        Byte(0xE9);
        Relative(target);
    }

    public void Call(nint target)
    {
        Byte(0xE8);
        Relative(target);
    }

    public void JumpIf(int condition, nint target)
    {
        Byte(0x0F);
        Byte(0x80 | condition);
        Relative(target);
    }

    public void Push(HostRegister register)
    {
        if ((int)register >= 8)
            Byte(0x41);
        Byte(0x50 | ((int)register & 7));
    }

    public void Pop(HostRegister register)
    {
        if ((int)register >= 8)
            Byte(0x41);
        Byte(0x58 | ((int)register & 7));
    }

    public void Jump(in Operand target) => Emit(0xFF, 4, target);

    /// <summary>
    /// Places bytes of the next instruction, from an offset on, in one line of the cache: a locked store that changes them is seen as a whole
    /// by a processor that is about to run them, since it has the line as it was before or after.
    /// </summary>
    public void KeepInLine(int offset, int length)
    {
        int at = (int)(RunAddress + offset) & (CacheLine - 1);
        if (at + length > CacheLine)
            Pad(CacheLine - at);
    }

    public const int CacheLine = 64;

    /// <summary>Bytes of JMP with a displacement of 32 bits.</summary>
    public const int JumpLength = 5;

    /// <summary>NOP of 1 to 4 bytes.</summary>
    private void Pad(int length)
    {
        ReadOnlySpan<byte> instruction = length switch { 1 => [0x90], 2 => [0x66, 0x90], 3 => [0x0F, 0x1F, 0x00], _ => [0x0F, 0x1F, 0x40, 0x00] };
        foreach (byte part in instruction)
            Byte(part);
    }

    private void Relative(nint target) => Int32(checked((int)(target - (RunAddress + sizeof(int)))));

    /// <summary>
    /// Goes to the host code that the guest address in the scratch register has in the window's first table. It may be another's, and
    /// looks (<see cref="JumpUnlessTarget"/>).
    /// </summary>
    /// <param name="place">The place of the table that the work register will number.</param>
    /// <param name="looks">When the budget is spent the mask in front of the table's is taken, which chooses the first place.</param>
    public void JumpThroughTable(in Operand place, bool looks)
    {
        if (looks)
            SignOf(RegisterMap.Work, RegisterMap.Budget);
        Operand mask = looks ? Operand.Sum(HostRegister.Rsp, RegisterMap.Work, 3, Frame.FirstMask) : Operand.Memory(HostRegister.Rsp, Frame.FirstMask);
        ExtractBits(RegisterMap.Work, RegisterMap.Scratch, mask);
        Jump(place);
    }

    /// <summary>
    /// Goes elsewhere unless a guest address is the one in the scratch register. Leaves the flags alone.
    /// </summary>
    public void JumpUnlessTarget(ulong pc, nint elsewhere)
    {
        if (pc <= int.MaxValue)
        {
            Byte(0x49); // LEA RCX, [R15 + a number of 32 bits]
            Byte(0x8D);
            Byte(0x8F);
            Int32(-(int)pc);
        }
        else
        {
            Byte(0x48); // MOV RCX, a number of 64 bits
            Byte(0xB9);
            Int64(-(long)pc);
            AddressOf(RegisterMap.Work, Operand.Sum(RegisterMap.Work, RegisterMap.Scratch, 0, 0));
        }
        Byte(JumpIfCounterIsZero);
        Byte(5); // over the next one
        Jump(elsewhere);
    }

    /// <summary>Lets the 32-bit displacement at an offset reach the present place.</summary>
    public void Land(int displacementAt) => Land(_start + displacementAt);

    /// <summary>The same for a displacement of one byte.</summary>
    public void LandShort(int displacementAt) => _start[displacementAt] = checked((byte)(sbyte)(Offset - displacementAt - 1));

    /// <summary>The same for one of code that was written elsewhere.</summary>
    public void Land(byte* displacement) => Unsafe.WriteUnaligned(displacement, (int)(_at - displacement - sizeof(int)));
}
