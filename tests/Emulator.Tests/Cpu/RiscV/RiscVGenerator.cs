using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Tests.Cpu.Qemu;
using Vivarium.Emulator.Tests.Cpu.Translator;

namespace Vivarium.Emulator.Tests.Cpu.RiscV;

/// <summary>
/// Random programs of independent cases: each loads all registers, runs a few random instructions, stores all registers. x2 points
/// to 16-byte aligned data, x3 to data, x4 to the case's record; no instruction writes those.
/// </summary>
internal sealed class RiscVGenerator(ulong seed)
{
    private const ulong Code = RecordProgram.CodeAt, Data = RecordProgram.DataAt, Records = RecordProgram.RecordsAt;
    public const int DataSize = 8192;

    /// <summary>x0..x31, f0..f31, fcsr.</summary>
    public const int RecordSize = 65 * 8;

    private const uint Frm = 0x00205073; // csrwi frm, 0

    private readonly FuzzRandom _random = new(seed);
    private readonly List<uint> _words = [];
    private readonly List<byte[]> _records = [];

    private static ReadOnlySpan<uint> Immediates => [0, 1, 255, 0xFFF, 63, 31];

    private static readonly RiscVOpcode[] Opcodes = Enum.GetValues<RiscVOpcode>();

    public IReadOnlyList<byte[]> Before => _records;

    public ReadOnlySpan<uint> Words => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_words);

    /// <summary>Where each case's own instructions begin and end, in words.</summary>
    public List<(int From, int To)> Cases { get; } = [];

    public void AddCase(int instructions)
    {
        AddRegisters();
        // A reservation of this case's width.
        SetAddress(5, Data);
        _words.Add((Cases.Count & 1) == 0 ? 0x1002A32Fu : 0x1002B32Fu); // lr.w, lr.d x6, (x5)
        LoadRegisters(_records.Count - 1);
        int from = _words.Count;
        for (int i = 0; i < instructions; i++)
            AddInstruction();
        // A branch may go over one more.
        _words.Add(I(0x13, 0, 0, 0, 0));
        _words.Add(I(0x13, 0, 0, 0, 0));
        Cases.Add((from, _words.Count));
        StoreRegisters();
    }

    /// <summary>write(1, records, length); exit(0).</summary>
    public void Finish()
    {
        SetAddress(11, Records);
        SetAddress(12, (ulong)(_records.Count * RecordSize));
        _words.AddRange([I(0x13, 0, 10, 0, 1), I(0x13, 0, 17, 0, 64), 0x73, I(0x13, 0, 10, 0, 0), I(0x13, 0, 17, 0, 93), 0x73]);
    }

    private void AddRegisters()
    {
        byte[] record = new byte[RecordSize];
        for (int i = 1; i < 32; i++)
            BitConverter.TryWriteBytes(record.AsSpan(8 * i), i is 2 ? Data + 4096 : i is 3 ? Data + 4096 + (ulong)_random.Below(9) : _random.Value());
        for (int i = 0; i < 32; i++)
            BitConverter.TryWriteBytes(record.AsSpan(8 * (32 + i)), FloatBits());
        BitConverter.TryWriteBytes(record.AsSpan(8 * 64), (ulong)(_random.Below(3) == 0 ? (_random.Below(5) << 5) | _random.Below(32) : _random.Below(32)));
        _records.Add(record);
    }

    private ulong FloatBits()
    {
        ReadOnlySpan<double> special = [0, -0.0, 1, -1, 0.5, 1.5, double.NaN, double.PositiveInfinity, double.NegativeInfinity, double.MaxValue, double.Epsilon,
            2147483648.0, -2147483648.5, 4294967295.5, 9.2e18, -9.3e18, 1.8e19, 2.5, -0.75, 1e-310, 3.4e38, 1.2e-38];
        switch (_random.Below(6))
        {
            case 0: return _random.Value();
            case 1: return BitConverter.DoubleToUInt64Bits(special[_random.Below(special.Length)]);
            case 2: return 0xFFFFFFFF00000000 | BitConverter.SingleToUInt32Bits((float)special[_random.Below(special.Length)]);
            case 3: return 0x7FF0000000000001 | (_random.Value() & 0x8008000000000000);
            case 4: return 0xFFFFFFFF00000000 | (uint)_random.Value();
            default: return BitConverter.DoubleToUInt64Bits((double)(long)_random.Value() / (1 + _random.Below(1000)));
        }
    }

    // x31 is the pointer while the others are loaded, and loaded last; f registers and fcsr first.
    private void LoadRegisters(int record)
    {
        SetAddress(31, Records + (ulong)(record * RecordSize));
        _words.Add(I(0x13, 0, 4, 31, 0));
        _words.Add(I(0x03, 3, 5, 31, 8 * 64));
        _words.Add(I(0x73, 1, 0, 5, 3)); // csrw fcsr, x5
        for (int i = 0; i < 32; i++)
            _words.Add(I(0x07, 3, (uint)i, 31, 8 * (32 + i)));
        for (int i = 1; i < 32; i++)
        {
            if (i != 4)
                _words.Add(I(0x03, 3, (uint)i, 31, 8 * i));
        }
    }

    private void StoreRegisters()
    {
        for (int i = 1; i < 32; i++)
        {
            if (i != 4)
                _words.Add(S(0x23, 3, 4, (uint)i, 8 * i));
        }
        for (int i = 0; i < 32; i++)
            _words.Add(S(0x27, 3, 4, (uint)i, 8 * (32 + i)));
        _words.Add(I(0x73, 2, 5, 0, 3)); // csrr x5, fcsr
        _words.Add(S(0x23, 3, 4, 5, 8 * 64));
        _words.Add(Frm);
    }

    /// <summary>LUI, ADDIW, of 31 bits.</summary>
    private void SetAddress(uint register, ulong value)
    {
        uint upper = (uint)((value + 0x800) >> 12);
        _words.Add(0x37 | (register << 7) | (upper << 12));
        _words.Add(I(0x1B, 0, register, register, (int)(value - ((ulong)upper << 12))));
    }

    private static uint I(uint opcode, uint funct3, uint rd, uint rs1, int immediate) => opcode | (rd << 7) | (funct3 << 12) | (rs1 << 15) | ((uint)immediate << 20);

    private static uint S(uint opcode, uint funct3, uint rs1, uint rs2, int immediate) =>
        opcode | (((uint)immediate & 31) << 7) | (funct3 << 12) | (rs1 << 15) | (rs2 << 20) | ((uint)immediate >> 5 << 25);

    private void AddInstruction()
    {
        if (_random.Below(6) == 0)
        {
            _words.Add(Compressed() | (Compressed() << 16));
            return;
        }
        RiscVOpcode opcode = Opcodes[1 + _random.Below(Opcodes.Length - 1)];
        // Of a reservation of another width SC may make what it likes, and qemu does: one width a case.
        if (opcode is RiscVOpcode.Lr_D or RiscVOpcode.Sc_D && (Cases.Count & 1) == 0)
            opcode--;
        else if (opcode is RiscVOpcode.Lr_W or RiscVOpcode.Sc_W && (Cases.Count & 1) != 0)
            opcode++;
        (uint mask, uint bits) = RiscVEncodings.Find(opcode);
        while (true)
        {
            uint word = bits | ((uint)_random.Value() & ~mask);
            // Immediates that have lowerings of their own.
            if (_random.Below(4) == 0)
                word = bits | (((word & 0xFFFFF) | (Immediates[_random.Below(Immediates.Length)] << 20)) & ~mask);
            if (!TryFit(opcode, ref word))
                return;
            if (RiscVEncodings.Decode(word) == opcode && IsFit(opcode, new RiscVWord(word)))
            {
                _words.Add(word);
                return;
            }
        }
    }

    private uint Compressed()
    {
        while (true)
        {
            uint half = (uint)_random.Value() & 0xFFFF;
            if ((half & 3) == 3)
                continue;
            uint word = RiscVCompressed.Expand(half);
            RiscVOpcode opcode = RiscVEncodings.Decode(word);
            if (opcode is RiscVOpcode.Lui or RiscVOpcode.Addi or RiscVOpcode.Andi or RiscVOpcode.Add or RiscVOpcode.Sub or RiscVOpcode.Xor or RiscVOpcode.Or or RiscVOpcode.And
                or RiscVOpcode.Slli or RiscVOpcode.Srli or RiscVOpcode.Srai or RiscVOpcode.Addiw or RiscVOpcode.Addw or RiscVOpcode.Subw && IsFit(opcode, new RiscVWord(word)))
                return half;
        }
    }

    /// <summary>Gives memory operands a pointer, branches a target; false for what cannot be in a case.</summary>
    private bool TryFit(RiscVOpcode opcode, ref uint word)
    {
        const uint base3 = 3u << 15, rs1 = 31u << 15;
        switch (opcode)
        {
            case RiscVOpcode.Ctzw: // of 0 it is 32, which some versions of qemu do not know
            case RiscVOpcode.Jal or RiscVOpcode.Jalr or RiscVOpcode.Ecall or RiscVOpcode.Ebreak or RiscVOpcode.Fence_I:
                return false;
            case >= RiscVOpcode.Csrrw and <= RiscVOpcode.Csrrci:
                word = (word & 0xFFFFF) | ((uint)(1 + _random.Below(3)) << 20);
                return true;
            case >= RiscVOpcode.Beq and <= RiscVOpcode.Bgeu:
                word = (word & 0x01FFF07F) | 0x400; // over the next one
                return true;
            case >= RiscVOpcode.Lr_W and <= RiscVOpcode.Amomaxu_D:
                word = (word & ~rs1) | (2u << 15);
                return true;
            case >= RiscVOpcode.Lb and <= RiscVOpcode.Sw or RiscVOpcode.Lwu or RiscVOpcode.Ld or RiscVOpcode.Sd or >= RiscVOpcode.Flw and <= RiscVOpcode.Fsd:
                word = (word & ~rs1) | base3;
                return true;
            default:
                return true;
        }
    }

    private static bool IsFit(RiscVOpcode opcode, RiscVWord word)
    {
        bool hasRounding = opcode is >= RiscVOpcode.Fmadd_S and <= RiscVOpcode.Fsqrt_D or >= RiscVOpcode.Fcvt_W_S and <= RiscVOpcode.Fcvt_Wu_D
            or >= RiscVOpcode.Fcvt_S_W and <= RiscVOpcode.Fcvt_D_Wu or >= RiscVOpcode.Fcvt_S_D;
        if (hasRounding && opcode <= RiscVOpcode.Fcvt_D_Lu && word.Rm is 5 or 6)
            return false;
        // A write to frm must leave one that there is: CSRRWI alone is known to.
        if (opcode is >= RiscVOpcode.Csrrw and <= RiscVOpcode.Csrrci && word.Csr != 1 && (opcode != RiscVOpcode.Csrrwi || (word.Csr == 2 && word.Rs1 > 4)))
            return false;
        return word.Rd is < 2 or > 4;
    }
}
