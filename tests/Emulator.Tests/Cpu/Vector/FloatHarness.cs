using System.Runtime.Intrinsics;
using System.Text;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;

namespace Vivarium.Emulator.Tests.Cpu.Vector;

/// <summary>Runs an instruction on silicon and in the interpreter from equal states, and compares all that may change.</summary>
internal sealed unsafe class FloatHarness : IDisposable
{
    private const int OperandSize = 512;
    private readonly Silicon _silicon = new();
    private readonly AddressSpace? _memory;
    private readonly ulong _guestOperand;
    private readonly byte* _hostOperand;
    private Instruction _instruction;
    private FloatEmulation? _emulation;
    private nint _stub;

    public FloatHarness(bool memory)
    {
        _hostOperand = (byte*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(OperandSize, 64);
        if (!memory)
            return;
        _memory = new AddressSpace(new MemoryAccountant(1 << 24));
        _memory.Map(new MapRequest(default, 4096, Protection.ReadWrite), out var address);
        _guestOperand = address.Value;
    }

    public long Vectors { get; private set; }

    public int Forms { get; private set; }

    /// <summary>Bits of x87's C0..C3 that the instruction leaves undefined.</summary>
    public ushort UndefinedConditions { get; set; }

    public void Dispose()
    {
        _silicon.Dispose();
        _memory?.Dispose();
        System.Runtime.InteropServices.NativeMemory.AlignedFree(_hostOperand);
    }

    /// <summary>Whether results are only bounded by the architecture (RCPPS and its kin).</summary>
    public static bool Approximation(Mnemonic mnemonic) => mnemonic is Mnemonic.Rcpps or Mnemonic.Rcpss or Mnemonic.Rsqrtps or Mnemonic.Rsqrtss;

    public bool TryPrepare(Instruction instruction, StringBuilder failures)
    {
        var bytes = InstructionForms.Encode(instruction);
        _instruction = InstructionForms.Decode(bytes);
        // Assemblers' pairs of FWAIT and an instruction are two.
        if (_instruction.Length != bytes.Length)
            return false;
        _emulation = new FloatEmulation(_instruction, _guestOperand);
        if (!_emulation.IsSupported)
        {
            failures.AppendLine($"{_instruction.Code}: not lowered");
            return false;
        }

        _stub = _silicon.Compile(bytes);
        Forms++;
        return true;
    }

    /// <summary>False, with an explanation added, when the two differ.</summary>
    public bool Agrees(CpuState before, FloatVectors vectors, bool isApproximation, StringBuilder failures)
    {
        Vectors++;
        var native = before;
        native.Registers[6] = native.Registers[7] = (ulong)_hostOperand;
        PrepareOperand(vectors);
        _silicon.Execute(_stub, ref native);
        native.Registers[6] = before.Registers[6];
        native.Registers[7] = before.Registers[7];

        var emulated = before;
        var exit = _emulation!.Run(ref emulated, _memory!);
        var difference = exit is null ? Compare(native, emulated, isApproximation) : $"exit {exit}";
        difference ??= CompareMemory();
        if (difference is null)
            return true;
        failures.AppendLine($"{_instruction.Code} {_instruction}: {difference}");
        Describe(failures, "before", before);
        Describe(failures, "silicon", native);
        Describe(failures, "ours", emulated);
        return false;
    }

    private void PrepareOperand(FloatVectors vectors)
    {
        if (_memory is null)
            return;
        FillOperand(new Span<byte>(_hostOperand, OperandSize), vectors);
        _memory.TryWrite(new GuestAddress(_guestOperand), new ReadOnlySpan<byte>(_hostOperand, OperandSize));
    }

    private void FillOperand(Span<byte> operand, FloatVectors vectors)
    {
        operand.Clear();
        var kind = vectors.Next(5);
        for (var i = 0; i < 32; i += 8)
        {
            var value = kind switch
            {
                0 => vectors.Next64(),
                1 => vectors.Next32() | (ulong)vectors.Next32() << 32,
                2 => vectors.Next80().Significand,
                3 => Decimal(vectors),
                _ => vectors.NextBits(),
            };
            BitConverter.TryWriteBytes(operand[i..], value);
        }

        switch (_instruction.MemorySize)
        {
            case MemorySize.Float80:
                var (significand, signExponent) = vectors.Next80();
                BitConverter.TryWriteBytes(operand, significand);
                BitConverter.TryWriteBytes(operand[8..], signExponent);
                break;
            case MemorySize.Bcd:
                BitConverter.TryWriteBytes(operand, Decimal(vectors));
                BitConverter.TryWriteBytes(operand[8..], (ushort)(Decimal(vectors) & 0x80FF));
                break;
        }

        if (_instruction.Mnemonic is Mnemonic.Fldenv or Mnemonic.Frstor or Mnemonic.Fxrstor or Mnemonic.Fxrstor64)
            FillImage(operand, vectors);
        if (_instruction.Mnemonic == Mnemonic.Ldmxcsr)
            BitConverter.TryWriteBytes(operand, 0x1F80 | (uint)vectors.NextBits() & 0xE07F);
    }

    /// <summary>A random state image: everything masked, so that a restored flag is not pending; MXCSR with its reserved bits clear.</summary>
    private void FillImage(Span<byte> operand, FloatVectors vectors)
    {
        for (var i = 0; i < operand.Length; i += 8)
            BitConverter.TryWriteBytes(operand[i..], vectors.NextBits());
        BitConverter.TryWriteBytes(operand, (ushort)(vectors.NextBits() | 0x3F));
        if (_instruction.Mnemonic is Mnemonic.Fxrstor or Mnemonic.Fxrstor64)
            BitConverter.TryWriteBytes(operand[24..], 0x1F80 | (uint)vectors.NextBits() & 0xE07F);
    }

    /// <summary>
    /// The bytes of the operand that are compared: not the pointers to the last instruction and operand, which tell where it ran
    /// (and AMD's processors do not keep), nor the size of MXCSR's mask.
    /// </summary>
    private bool IsCompared(int index) => _instruction.Code switch
    {
        Code.Fnstenv_m28byte or Code.Fnsave_m108byte => index is < 12 or >= 28,
        Code.Fnstenv_m14byte or Code.Fnsave_m94byte => index is < 6 or >= 14,
        Code.Fxsave_m512byte or Code.Fxsave64_m512byte => index is < 6 or (>= 24 and < 28) or (>= 32 and < 416),
        _ => true,
    };

    private static ulong Decimal(FloatVectors vectors)
    {
        ulong digits = 0;
        for (var i = 0; i < 16; i++)
            digits = digits << 4 | (uint)vectors.Next(10);
        return digits;
    }

    private string? CompareMemory()
    {
        if (_memory is null)
            return null;
        Span<byte> guest = stackalloc byte[OperandSize];
        _memory.TryRead(new GuestAddress(_guestOperand), guest);
        var host = new Span<byte>(_hostOperand, OperandSize);
        for (var i = 0; i < OperandSize; i++)
        {
            if (guest[i] != host[i] && IsCompared(i))
                return $"memory at {i}: {Convert.ToHexString(host[..128])}, got {Convert.ToHexString(guest[..128])}";
        }

        return null;
    }

    private string? Compare(in CpuState native, in CpuState emulated, bool isApproximation)
    {
        for (var i = 0; i < 16; i++)
        {
            if (native.Vectors[i] != emulated.Vectors[i] && !(isApproximation && IsNear(native.Vectors[i], emulated.Vectors[i])))
                return $"xmm{i}";
        }

        foreach (var i in Silicon.Registers)
        {
            if (native.Registers[i] != emulated.Registers[i])
                return $"register {i}";
        }

        if (((native.Flags ^ emulated.Flags) & 0x8D5) != 0)
            return "flags";
        if (native.Mxcsr != emulated.Mxcsr)
            return $"mxcsr {native.Mxcsr:x4}, got {emulated.Mxcsr:x4}";
        return CompareX87(native.X87, emulated.X87);
    }

    private string? CompareX87(in X87State native, in X87State emulated)
    {
        if (((native.Status ^ emulated.Status) & ~UndefinedConditions) != 0)
            return $"x87 status {native.Status:x4}, got {emulated.Status:x4}";
        if (native.Control != emulated.Control || native.Tags != emulated.Tags)
            return $"x87 control {native.Control:x4} tags {native.Tags:x2}, got {emulated.Control:x4} {emulated.Tags:x2}";
        for (var i = 0; i < 8; i++)
        {
            if (native.Registers[i].Significand != emulated.Registers[i].Significand || native.Registers[i].SignExponent != emulated.Registers[i].SignExponent)
                return $"x87 register {i}";
        }

        return null;
    }

    /// <summary>Within the architecture's bound of both sides, 3 × 2^-12 relative; the same special value.</summary>
    public static bool IsNear(Vector128<byte> a, Vector128<byte> b)
    {
        for (var i = 0; i < 4; i++)
        {
            float x = a.AsSingle().GetElement(i), y = b.AsSingle().GetElement(i);
            if (a.AsInt32().GetElement(i) != b.AsInt32().GetElement(i) && !(Math.Abs(x - y) <= Math.Abs(x) * 3 / 4096))
                return false;
        }

        return true;
    }

    private static void Describe(StringBuilder failures, string title, in CpuState state)
    {
        failures.Append($"  {title,-8}");
        for (var i = 0; i < 4; i++)
            failures.Append($" {state.Vectors[i].AsUInt64().GetElement(1):x16}:{state.Vectors[i].AsUInt64().ToScalar():x16}");
        failures.Append($" | {state.Registers[0]:x} {state.Registers[1]:x} {state.Registers[2]:x} {state.Registers[3]:x} f {state.Flags:x} m {state.Mxcsr:x4}");
        failures.Append($" | cw {state.X87.Control:x4} sw {state.X87.Status:x4} tags {state.X87.Tags:x2}");
        for (var i = 0; i < 8; i++)
        {
            var register = state.X87.Registers[(state.X87.Top + i) & 7];
            failures.Append($" {register.SignExponent:x4}.{register.Significand:x16}");
        }

        failures.AppendLine();
    }
}
