using System.Runtime.Intrinsics;
using Iced.Intel;
using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>
/// Makes random programs. Each register has a role, so that most accesses hit mapped memory and loops end: pointers, small
/// indices and loop counters are seldom written, other registers freely. This file makes the mix; operands and control
/// flow are beside it.
/// </summary>
internal sealed partial class ProgramGenerator
{
    private const int Rax = 0, Rcx = 1, Rdx = 2, Rbx = 3, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7;

    private readonly FuzzRandom _random;
    private readonly List<Step> _steps = [];
    private readonly Dictionary<int, int> _alias = [];
    private readonly List<int> _pending = [];

    private readonly int[] _pointers;
    private readonly int[] _indices;
    private readonly int[] _counters;
    private readonly int[] _data;

    /// <summary>How many of a thousand memory operands are meant to fault or to be odd.</summary>
    private readonly int _wildness;

    /// <summary>How many of a thousand instructions are vector instructions.</summary>
    private readonly int _vectors;
    private readonly bool _hasX87;
    private bool _isForSilicon = true;
    private bool _keepsRcx;
    private int _nextId;
    private int _usedCounters;

    private ProgramGenerator(FuzzRandom random)
    {
        _random = random;
        int[] others = [Rbx, Rbp, Rsi, Rdi, 8, 9, 10, 11, 12, 13, 14, 15];
        for (var i = others.Length - 1; i > 0; i--)
        {
            var j = random.Below(i + 1);
            (others[i], others[j]) = (others[j], others[i]);
        }

        _pointers = others[..3];
        _indices = others[3..5];
        _counters = others[5..7];
        _data = [Rax, Rcx, Rdx, .. others[7..]];
        _wildness = random.Pick([0, 0, 0, 10, 30, 100]);
        _vectors = random.Pick([0, 0, 0, 50, 300, 700]);
        _hasX87 = random.Chance(50);
    }

    /// <summary>A program and inputs for it.</summary>
    public static (FuzzProgram Program, FuzzInput[] Inputs) Generate(ulong seed, int inputs)
    {
        var random = new FuzzRandom(seed);
        var generator = new ProgramGenerator(random);
        var program = generator.Build();
        return (program, [.. Enumerable.Range(0, inputs).Select(_ => generator.MakeInput())]);
    }

    private FuzzProgram Build()
    {
        var length = 1 + _random.Below(_random.Pick([4, 12, 40]));
        while (_steps.Count < length)
            EmitAny(depth: 0);
        EmitEnd();
        var steps = _steps.Select(step => step with { Target = _alias.GetValueOrDefault(step.Target, step.Target) }).ToList();
        return Defined(new FuzzProgram(steps) { IsForSilicon = _isForSilicon });
    }

    /// <summary>Where an undefined flag would be read, a comparison goes before that defines all.</summary>
    private FuzzProgram Defined(FuzzProgram program)
    {
        while (program.FirstUndefinedRead() is >= 0 and var at)
        {
            // The comparison takes the step's place as a target.
            var reader = program.Steps[at];
            program.Steps[at] = new Step(reader.Id, Instruction.Create(Code.Cmp_r64_rm64, Whole(_random.Below(16)), Whole(_random.Below(16))));
            program.Steps.Insert(at + 1, reader with { Id = _nextId++ });
        }

        return program;
    }

    private void EmitAny(int depth)
    {
        if (_random.Chance(_vectors))
        {
            EmitForm(_random.Pick<InstructionForm>(InstructionForm.Vector));
            return;
        }

        switch (_random.Below(depth < 2 && !_keepsRcx ? 100 : 72))
        {
            case < 62: EmitForm(_random.Pick<InstructionForm>(InstructionForm.Integer)); break;
            case < 66: EmitForm(_random.Pick<InstructionForm>(InstructionForm.Stack)); break;
            case < 69: EmitFlags(); break;
            case < 70: EmitFloat(); break;
            case < 72: EmitWild(); break;
            case < 81: EmitForwardBranch(depth); break;
            case < 86: EmitLoop(depth); break;
            case < 89: EmitCall(depth); break;
            case < 92: EmitIndirectJump(depth); break;
            case < 95: EmitString(); break;
            case < 96: EmitSelfModification(depth); break;
            case < 97: EmitOverlap(); break;
            case < 98: EmitStackPointer(); break;
            case < 99: EmitFrame(depth); break;
            default: EmitForOurselves(); break;
        }
    }

    // ---- steps and labels ----------------------------------------------------------------------------------------

    private int NewLabel() => _nextId++;

    /// <summary>The next step is what the label names.</summary>
    private void Mark(int label) => _pending.Add(label);

    private void Emit(in Instruction instruction, int target = -1, int offset = 0)
    {
        var id = _nextId++;
        foreach (var label in _pending)
            _alias[label] = id;
        _pending.Clear();
        _steps.Add(new Step(id, instruction, target, offset));
    }

    private void EmitEnd()
    {
        if (!_isForSilicon && _random.Chance(300))
            Emit(Instruction.Create(Code.Syscall));
        Emit(Instruction.Create(Code.Int3));
    }

    private static Register Whole(int number) => Register.RAX + number;

    private static Register Half(int number) => Register.EAX + number;

    // ---- inputs --------------------------------------------------------------------------------------------------

    private FuzzInput MakeInput()
    {
        var input = new FuzzInput();
        ref var state = ref input.State;
        for (var i = 0; i < 16; i++)
            state.Registers[i] = _random.Value();
        foreach (var pointer in _pointers)
            state.Registers[pointer] = FuzzLayout.Data + 0x800 + (ulong)(16 * _random.Below(64));
        foreach (var index in _indices)
            state.Registers[index] = (ulong)_random.Between(-16, 32);
        state.Registers[Rsp] = FuzzLayout.Stack + 0x800 + (ulong)(8 * _random.Below(16));
        state.FsBase = FuzzLayout.Data + 0x400;
        state.GsBase = FuzzLayout.Data + 0x1400;
        if (_wildness > 0 && _random.Chance(100))
            state.Registers[_random.Below(16)] = WildAddress();
        if (_wildness > 0 && _random.Chance(50))
            (state.FsBase, state.GsBase) = (WildAddress(), WildAddress());
        state.Flags = 0x202 | (_random.Next() & FlagFlow.Arithmetic);
        MakeFloats(ref state);
        _random.Fill(input.Data);
        _random.Fill(input.Stack);
        return input;
    }

    private void MakeFloats(ref CpuState state)
    {
        var vectors = new SoftFloat.FloatVectors((int)_random.Next());
        state.X87.Control = 0x037F;
        state.Mxcsr = 0x1F80;
        if (_vectors == 0 && !_hasX87)
            return;
        var isSingle = _random.Chance(300);
        for (var i = 0; i < 16; i++)
        {
            state.Vectors[i] = isSingle
                ? Vector128.Create(vectors.Next32(), vectors.Next32(), vectors.Next32(), vectors.Next32()).AsByte()
                : Vector128.Create(vectors.Next64(), vectors.Next64()).AsByte();
        }

        if (_random.Chance(300))
            state.Mxcsr |= (uint)_random.Next() & 0xE07F;
        if (_random.Chance(30))
            state.Mxcsr &= ~((uint)_random.Next() & 0x1F80);
        for (var i = 0; _hasX87 && i < 8; i++)
        {
            var (significand, signExponent) = vectors.Next80();
            state.X87.Registers[i] = new X87Register { Significand = significand, SignExponent = signExponent };
        }

        state.X87.Tags = _hasX87 ? (byte)_random.Next() : (byte)0;
        state.X87.Top = _hasX87 ? _random.Below(8) : 0;
    }
}
