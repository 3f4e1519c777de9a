using Vivarium.Emulator.Tests.Cpu.Qemu;
using Vivarium.Emulator.Tests.Cpu.Translator;

namespace Vivarium.Emulator.Tests.Cpu.Arm64;

/// <summary>
/// Random programs of independent cases: each loads all registers, runs a few random instructions, stores all registers. x25 points to
/// aligned data, x26 to data and moves, x27 and the low half of x24 are small; x28 points to the case's record. No instruction writes those but
/// through its addressing.
/// </summary>
/// <param name="seed">Of everything.</param>
/// <param name="templates">What instructions are made of.</param>
/// <param name="hasVectors">Cases have vector registers too.</param>
internal sealed class Arm64Generator(ulong seed, Arm64Template[] templates, bool hasVectors)
{
    private const ulong Code = RecordProgram.CodeAt, Data = RecordProgram.DataAt, Records = RecordProgram.RecordsAt;
    public const int DataSize = 1 << 17;

    // x0..x30, sp, nzcv, fpcr, fpsr, nothing; v0..v31.
    public const int Flags = 32, Control = 33, Status = 34, VectorsAt = 36;
    public const int RecordSize = (VectorsAt * 8) + (32 * 16);

    private const uint AlignedPointer = 25, Pointer = 26, Index = 27, WordIndex = 24, Record = 28;
    private const uint Nop = 0xD503201F, ClearExclusive = 0xD5033F5F;

    private readonly FuzzRandom _random = new(seed);
    private readonly List<uint> _words = [];
    private readonly List<byte[]> _records = [];

    public IReadOnlyList<byte[]> Before => _records;

    public ReadOnlySpan<uint> Words => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_words);

    /// <summary>Where each case's own instructions begin and end, in words.</summary>
    public List<(int From, int To)> Cases { get; } = [];

    public List<string> Names { get; } = [];

    /// <param name="instructions">How many.</param>
    /// <param name="control">FPCR.</param>
    public void AddCase(int instructions, uint control = 0)
    {
        AddRegisters(control);
        LoadRegisters(_records.Count - 1);
        int from = _words.Count;
        for (int i = 0; i < instructions; i++)
            AddInstruction();
        // A branch may go over one more.
        _words.AddRange([Nop, Nop]);
        Cases.Add((from, _words.Count));
        StoreRegisters();
    }

    /// <summary>write(1, records, length); exit(0).</summary>
    public void Finish()
    {
        Set(0, 1);
        Set(1, Records);
        Set(2, (ulong)(_records.Count * RecordSize));
        Set(8, 64);
        _words.Add(0xD4000001);
        Set(0, 0);
        Set(8, 93);
        _words.Add(0xD4000001);
    }

    private void AddRegisters(uint control)
    {
        byte[] record = new byte[RecordSize];
        for (uint i = 0; i < 32; i++)
        {
            ulong value = i switch
            {
                AlignedPointer or 31 => Data + (DataSize / 2),
                Pointer => Data + (DataSize / 2) + (ulong)_random.Below(9),
                Index => (ulong)_random.Below(200) - 100,
                WordIndex => (_random.Value() << 32) | (uint)_random.Below(200),
                Record => Records + (ulong)(_records.Count * RecordSize),
                _ => _random.Value(),
            };
            BitConverter.TryWriteBytes(record.AsSpan((int)(8 * i)), value);
        }
        BitConverter.TryWriteBytes(record.AsSpan(8 * Flags), (ulong)_random.Below(16) << 28);
        BitConverter.TryWriteBytes(record.AsSpan(8 * Control), (ulong)control);
        if (hasVectors)
        {
            for (int i = 0; i < 32; i++)
                Arm64Values.Fill(_random, record.AsSpan((8 * VectorsAt) + (16 * i), 16));
        }
        _records.Add(record);
    }

    // x30 is the pointer while the others are loaded, and loaded last.
    private void LoadRegisters(int record)
    {
        const uint scratch = 5, pointer = 30;
        _words.Add(ClearExclusive);
        Set(pointer, Records + (ulong)(record * RecordSize));
        foreach ((int at, uint write) in (ReadOnlySpan<(int, uint)>)[(Flags, 0xD51B4200), (Control, 0xD51B4400), (Status, 0xD51B4420)])
            _words.AddRange([Load(scratch, pointer, at), write | scratch]);
        _words.AddRange([Load(scratch, pointer, 31), 0x9100001F | (scratch << 5)]);
        for (uint i = 0; hasVectors && i < 32; i++)
            _words.Add(0x3DC00000 | ((uint)((VectorsAt / 2) + i) << 10) | (pointer << 5) | i);
        for (uint i = 0; i < 31; i++)
            _words.Add(Load(i, pointer, (int)i));
    }

    private void StoreRegisters()
    {
        const uint scratch = 5;
        for (uint i = 0; i < 31; i++)
        {
            if (i != Record)
                _words.Add(Store(i, Record, (int)i));
        }
        _words.AddRange([0x910003E0 | scratch, Store(scratch, Record, 31)]);
        foreach ((int at, uint read) in (ReadOnlySpan<(int, uint)>)[(Flags, 0xD53B4200), (Control, 0xD53B4400), (Status, 0xD53B4420)])
            _words.AddRange([read | scratch, Store(scratch, Record, at)]);
        for (uint i = 0; hasVectors && i < 32; i++)
            _words.Add(0x3D800000 | ((uint)((VectorsAt / 2) + i) << 10) | (Record << 5) | i);
    }

    private static uint Load(uint register, uint from, int slot) => 0xF9400000 | ((uint)slot << 10) | (from << 5) | register;

    private static uint Store(uint register, uint to, int slot) => 0xF9000000 | ((uint)slot << 10) | (to << 5) | register;

    /// <summary>MOVZ, MOVK, of 32 bits.</summary>
    private void Set(uint register, ulong value)
    {
        _words.Add(0xD2800000 | ((uint)(value & 0xFFFF) << 5) | register);
        _words.Add(0xF2A00000 | ((uint)((value >> 16) & 0xFFFF) << 5) | register);
    }

    // ---- instructions -----------------------------------------------------------------------------------------------

    private void AddInstruction()
    {
        while (true)
        {
            Arm64Template template = templates[_random.Below(templates.Length)];
            uint word = template.Bits | ((uint)_random.Value() & ~template.Mask);
            if (!TryFit(template.Fit, ref word))
                continue;
            _words.Add(word);
            Names.Add(template.Name);
            return;
        }
    }

    private static uint Low(uint word) => word & 31;

    private static uint At(uint word, int bit) => (word >> bit) & 31;

    private static uint With(uint word, int bit, uint register) => (word & ~(31u << bit)) | (register << bit);

    private static bool IsFree(uint register) => register is < WordIndex or > Record;

    private bool TryFit(Arm64Fit fit, ref uint word)
    {
        switch (fit)
        {
            case Arm64Fit.Simd:
                return SimdTemplates.TryFit(ref word, Pointer, Index, WordIndex, IsFree);
            case Arm64Fit.Any:
                return IsFree(Low(word)) && !IsReserved(word);
            case Arm64Fit.NoResult or Arm64Fit.Vector:
                return true;
            case Arm64Fit.Memory or Arm64Fit.VectorMemory:
                word = With(word, 5, Pointer);
                return fit == Arm64Fit.VectorMemory || (IsFree(Low(word)) && !IsUndefinedLoad(word));
            case Arm64Fit.Indexed or Arm64Fit.VectorIndexed:
                word = With(With(word, 5, Pointer), 16, (word & (1 << 13)) != 0 ? Index : WordIndex);
                return fit == Arm64Fit.VectorIndexed || (IsFree(Low(word)) && !IsUndefinedLoad(word));
            case Arm64Fit.Pair:
                word = With(word, 5, Pointer);
                return IsFree(Low(word)) && IsFree(At(word, 10)) && Low(word) != At(word, 10) && !IsUndefinedPair(word);
            case Arm64Fit.VectorPair:
                word = With(word, 5, Pointer);
                return Low(word) != At(word, 10);
            case Arm64Fit.Branch:
                word = (word & 0xFF00001F) | (2 << 5);
                return (word & 0x3B000000) != 0x18000000 || IsFree(Low(word));
            case Arm64Fit.TestBranch:
                word = (word & 0xFFF8001F) | (2 << 5);
                return true;
            default:
                return TryFitAtomic(fit, ref word);
        }
    }

    private bool TryFitAtomic(Arm64Fit fit, ref uint word)
    {
        word = With(word, 5, AlignedPointer);
        uint first = Low(word), second = At(word, 10), status = At(word, 16);
        bool isLoad = (word & (1 << 22)) != 0;
        switch (fit)
        {
            case Arm64Fit.Atomic:
                return IsFree(first) && IsFree(status);
            case Arm64Fit.AtomicPair:
                return IsFree(first) && IsFree(status) && ((first | status) & 1) == 0 && first != 30 && status != 30;
            case Arm64Fit.Exclusive:
                word = (word & 0x3FFFFFFF) | ((uint)(Cases.Count & 3) << 30);
                return IsFree(first) && (isLoad || (IsFree(status) && status != first)) && (Cases.Count & 4) == 0;
            default:
                word = (word & ~(1u << 30)) | ((uint)(Cases.Count & 1) << 30);
                return IsFree(first) && IsFree(second) && first != second && (isLoad || (IsFree(status) && status != first && status != second)) && (Cases.Count & 4) != 0;
        }
    }

    private static bool IsUndefinedLoad(uint word)
    {
        // Sizes 2 and 3 have fewer signed loads; size 3 has prefetches instead, which write nothing.
        uint size = word >> 30, operation = (word >> 22) & 3;
        return (operation == 3 && size >= 2) || (operation == 2 && size == 3);
    }

    private static bool IsUndefinedPair(uint word) => word >> 30 == 1 && (((word >> 22) & 1) == 0 || ((word >> 23) & 3) == 0);

    /// <summary>Bits that have no meaning in some of a template's instructions.</summary>
    private static bool IsReserved(uint word) => (word & 0x1F800000) switch
    {
        0x12000000 => !new Vivarium.Emulator.Cpu.Arm64.Arm64Word(word).TryBitMask(out _),
        0x12800000 => (word >> 31) == 0 && (word & (1 << 22)) != 0,
        0x13000000 => ((word >> 29) & 3) == 3,
        0x0B000000 or 0x0B800000 when (word & (1 << 21)) == 0 => ((word >> 22) & 3) == 3,
        0x0B000000 or 0x0B800000 => ((word >> 10) & 7) > 4,
        0x1A800000 when (word & 0x7FE00000) == 0x1AC00000 => IsReservedBinary(word),
        _ => false,
    };

    /// <summary>CRC32X and CRC32CX alone have registers of 64 bits.</summary>
    private static bool IsReservedBinary(uint word) => ((word >> 12) & 15) == 4 && ((word >> 31) != 0) != (((word >> 10) & 3) == 3);
}
