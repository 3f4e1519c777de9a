using System.Text;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Tests.Cpu.SoftFloat;
using Vivarium.Emulator.Tests.Cpu.Vector;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Emulator.Tests.Cpu.Integer;

/// <summary>Every general-purpose form, on random operands and flags, against the host's own processor.</summary>
public sealed unsafe class IntegerSiliconTests : IDisposable
{
    private const int OperandSize = 256;
    private const ulong Arithmetic = 0x8D5;
    private const ulong Compared = Arithmetic | 0x400;

    private readonly ITestOutputHelper _output;
    private readonly Silicon _silicon = new();
    private readonly AddressSpace _memory = new(new MemoryAccountant(1 << 26));
    private readonly GuestCpu _cpu = new(Architecture.X64);
    private readonly Interpreter _interpreter = new(new BlockCache());
    private readonly byte[] _operandStorage = GC.AllocateArray<byte>(OperandSize + 64, pinned: true);
    private readonly ulong _hostOperand;
    private readonly ulong _guestOperand;
    private readonly StringBuilder _failures = new();
    private ulong _code;
    private long _vectors;
    private int _forms;

    public IntegerSiliconTests(ITestOutputHelper output)
    {
        _output = output;
        fixed (byte* storage = _operandStorage)
            _hostOperand = ((ulong)storage + 63) & ~63UL;
        _memory.Map(new MapRequest(default, 4096, Protection.ReadWrite), out var operand);
        _guestOperand = operand.Value;
        _memory.Map(new MapRequest(default, 1 << 20, Protection.ReadWrite | Protection.Execute), out var code);
        _code = code.Value;
    }

    public void Dispose()
    {
        _silicon.Dispose();
        _memory.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AgreesWithSilicon(bool memory)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VIVARIUM_SEED"), out var given) ? given : 20261121;
        _output.WriteLine($"seed {seed}");
        var vectors = new FloatVectors(seed);
        var random = new Random(seed);
        foreach (var code in IntegerForms.All())
            CheckForm(code, memory, random, vectors);
        _output.WriteLine($"{_vectors} vectors of {_forms} forms");
        Assert.True(_failures.Length == 0, _failures.ToString());
    }

    private void CheckForm(Code code, bool memory, Random random, FloatVectors vectors)
    {
        const int Instructions = 8, Operands = 100;
        for (var i = 0; i < Instructions; i++)
        {
            if (!IntegerForms.TryCreate(code, memory, random, out var instruction) || !TryEncode(instruction, out var bytes))
                continue;
            var decoded = InstructionForms.Decode(bytes);
            // Aliases that assemble to another form are met there; 16-bit double shifts past the width are undefined.
            if (decoded.Code != code || (decoded.Mnemonic is Mnemonic.Shld or Mnemonic.Shrd && decoded.Op1Register.IsGPR16()))
                continue;
            var stub = _silicon.Compile(bytes);
            var place = Place(bytes);
            _forms++;
            for (var j = 0; j < Operands; j++)
            {
                if (!Agrees(decoded, stub, place, vectors))
                    return;
            }
        }
    }

    private static bool TryEncode(in Instruction instruction, out byte[] bytes)
    {
        try
        {
            bytes = InstructionForms.Encode(instruction);
            return true;
        }
        catch (EncoderException)
        {
            // AH..BH do not go with REX.
            bytes = [];
            return false;
        }
    }

    /// <summary>Puts the instruction and an INT3 into guest memory.</summary>
    private ulong Place(byte[] bytes)
    {
        const byte Breakpoint = 0xCC;
        var place = _code;
        _memory.TryWrite(new GuestAddress(place), (ReadOnlySpan<byte>)[.. bytes, Breakpoint]);
        _code += 32;
        return place;
    }

    private bool Agrees(in Instruction instruction, nint stub, ulong place, FloatVectors vectors)
    {
        var before = RandomState(instruction, vectors);
        Span<byte> operand = stackalloc byte[OperandSize];
        for (var i = 0; i < OperandSize; i += 8)
            BitConverter.TryWriteBytes(operand[i..], vectors.Next(3) == 0 ? before.Registers[i / 8 & 1] : Value(vectors));
        var host = new Span<byte>((void*)_hostOperand, OperandSize);
        operand.CopyTo(host);
        _memory.TryWrite(new GuestAddress(_guestOperand), operand);

        var emulated = before;
        var exit = Emulate(ref emulated, place);
        // Silicon would end this process.
        if (exit == ExitReason.DivideError)
            return true;
        var native = before;
        native.Registers[6] = native.Registers[7] = _hostOperand;
        _silicon.Execute(stub, ref native);
        _vectors++;
        _memory.TryRead(new GuestAddress(_guestOperand), operand);

        var difference = exit != ExitReason.Breakpoint ? $"exit {exit}" : Compare(instruction, before, native, emulated);
        if (difference is null && !operand.SequenceEqual(host))
            difference = $"memory {Convert.ToHexString(host[..32])}, got {Convert.ToHexString(operand[..32])}";
        if (difference is null)
            return true;
        _failures.AppendLine($"{instruction.Code} {instruction}: {difference}\n  before {Describe(before)}\n  silicon {Describe(native)}\n  ours {Describe(emulated)}");
        return false;
    }

    private ExitReason Emulate(ref CpuState state, ulong place)
    {
        _cpu.State = state;
        _cpu.State.Pc = place;
        _cpu.State.Registers[6] = _cpu.State.Registers[7] = _guestOperand;
        long budget = 2;
        var exit = _interpreter.Run(_cpu, _memory, ref budget);
        state = _cpu.State;
        return exit.Reason;
    }

    private static CpuState RandomState(in Instruction instruction, FloatVectors vectors)
    {
        CpuState state = default;
        state.Mxcsr = 0x1F80;
        state.X87.Control = 0x037F;
        state.Flags = 0x202 | vectors.NextBits() & Arithmetic;
        // A bit index into memory reaches far; keep it within the operand.
        var isIndexed = instruction.Op0Kind == OpKind.Memory && instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc;
        for (var i = 0; i < 4; i++)
            state.Registers[i] = isIndexed ? (ulong)vectors.Next(OperandSize * 8 - 64) : Value(vectors);
        // Quotients mostly in range.
        if (instruction.Mnemonic is Mnemonic.Div or Mnemonic.Idiv && vectors.Next(2) == 0)
            state.Registers[2] = instruction.Mnemonic == Mnemonic.Idiv ? (ulong)((long)state.Registers[0] >> 63) : 0;
        return state;
    }

    private static ulong Value(FloatVectors vectors) => vectors.Next(5) switch
    {
        0 => (ulong)vectors.Next(80) - 40,
        1 => 1UL << vectors.Next(64),
        2 => (1UL << vectors.Next(64)) - 1,
        3 => vectors.NextBits() & 0xFFFF_FFFF,
        _ => vectors.NextBits(),
    };

    private static string? Compare(in Instruction instruction, in CpuState before, in CpuState native, in CpuState emulated)
    {
        for (var i = 0; i < 4; i++)
        {
            if (native.Registers[i] != emulated.Registers[i])
                return $"register {i}: {native.Registers[i]:x16}, got {emulated.Registers[i]:x16}";
        }

        var difference = (native.Flags ^ emulated.Flags) & Compared & ~Undefined(instruction, before);
        return difference == 0 ? null : $"flags {native.Flags & Compared:x}, got {emulated.Flags & Compared:x}, undefined {Undefined(instruction, before):x}";
    }

    /// <summary>Flags that the manual leaves undefined after this instruction.</summary>
    private static ulong Undefined(in Instruction instruction, in CpuState before)
    {
        var bits = instruction.RflagsUndefined;
        ulong undefined = 0;
        undefined |= (bits & RflagsBits.CF) != 0 ? 1UL : 0;
        undefined |= (bits & RflagsBits.PF) != 0 ? 4UL : 0;
        undefined |= (bits & RflagsBits.AF) != 0 ? 0x10UL : 0;
        undefined |= (bits & RflagsBits.ZF) != 0 ? 0x40UL : 0;
        undefined |= (bits & RflagsBits.SF) != 0 ? 0x80UL : 0;
        undefined |= (bits & RflagsBits.OF) != 0 ? 0x800UL : 0;
        if (instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sal or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr)
        {
            var count = instruction.Op1Kind == OpKind.Register ? (int)before.Registers[1] & 63 : instruction.Immediate8 & 63;
            var width = instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() * 8 : instruction.MemorySize.GetSize() * 8;
            count &= width == 64 ? 63 : 31;
            // Overflow is defined for one place only, adjust never, carry not past the width (SDM Vol. 2, SAL and RCL).
            if (count > 1)
                undefined |= 0x800;
            if (count > 0 && instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sal or Mnemonic.Sar)
                undefined |= 0x10;
            if (count >= width && instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr)
                undefined |= 1;
        }

        return undefined;
    }

    private static string Describe(in CpuState state) =>
        $"{state.Registers[0]:x16} {state.Registers[1]:x16} {state.Registers[2]:x16} {state.Registers[3]:x16} flags {state.Flags & Compared:x}";
}
