using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Turns a block's micro-ops into host code. The guest's arithmetic flags live in the host's, so code between two flag-setting
/// micro-ops leaves the host's flags alone: LEA and BMI2 instead of arithmetic, and probes instead of compares (see
/// <see cref="Probe"/>). Within an instruction nothing that the guest can see changes before its last possible fault, so that a
/// fault is simply answered by running the instruction again in the interpreter. Micro-ops without a translation end the
/// host code before their instruction, which the interpreter then runs.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private readonly Assembler _asm = new();
    private readonly Gate _gate;
    private readonly RegisterMap _map;
    private readonly LinkTable _links;
    private readonly BlockSimplifier _simplifier = new();
    private readonly List<CodeStart> _starts = [];
    private readonly List<PendingExit> _exits = [];

    private LoweredBlock _block = null!;

    /// <summary>The block's, of which the first <see cref="_opCount"/> are.</summary>
    private MicroOp[] _ops = [];
    private FlagMask[] _live = [];
    private int _opCount;

    /// <summary>Where the present instruction's micro-ops end.</summary>
    private int _end;

    public BlockTranslator(Gate gate, LinkTable links)
    {
        (_gate, _map, _links) = (gate, gate.Map, links);
        TakeMap();
    }

    /// <summary>
    /// A jump out of the block: the displacement of its instruction, whether that is a JMP, its target, whether registers are where the next
    /// block wants them, how many instructions are done and how many paid for, the registers that are narrow (<see cref="Widen"/>), which one is to have accrued flags,
    /// and whether those of a run are in the scratch vector.
    /// </summary>
    private readonly record struct PendingExit(int DisplacementAt, bool IsJump, ulong Target, bool IsExchanged, int Done, bool IsPaid, uint Narrow, byte FlagsIn, bool IsInVector);

    /// <summary>What no block's <see cref="SizeLimit"/> exceeds by much.</summary>
    public const int LargestBlock = 128 << 10;

    /// <summary>The most bytes that a block's code can take, and also the most of its exits and fault map.</summary>
    public static int SizeLimit(LoweredBlock block) => 6144 + (Math.Max(block.OpCount, MostUnrolled * 8) * 160);

    /// <summary>
    /// Translates a block into a place of <see cref="SizeLimit"/> bytes, and what seldom runs of it, and its fault map, into another; tells
    /// how many bytes it took of each.
    /// </summary>
    /// <param name="way">How it was come to for the first time: others may come otherwise, a little more slowly.</param>
    public Translation Translate(CodeDomain domain, LoweredBlock block, Way way, byte* place, byte* rarePlace, nint runOffset, out int length, out int rareLength)
    {
        if (_map.Architecture == Architecture.RiscV64)
            _simplifier.Simplify(block);
        (_block, _ops, _opCount) = (block, block.Ops, block.OpCount);
        _starts.Clear();
        _exits.Clear();
        _asides.Clear();
        _live = block.LiveFlags;
        ForgetChecks();
        (_boxed, _variant, _isParked) = (0, domain.Mode.Variant, false);
        (_stackMove, _stackMoveAtStart) = (0, 0);
        (_zeroAbove32, _zeroAbove64) = (0, 0);
        BeginWords();
        BeginQuietComparisons();
        ChooseRegisters();
        _asm.Begin(place, runOffset);
        if (way.IsIndirect)
            _asm.JumpUnlessTarget(block.Pc, _gate.LookUpOf(_variant).Miss);
        if (way.Refund != 0)
            Charge(-way.Refund);
        int lead = _asm.Offset;
        place += lead;
        _asm.Begin(place, runOffset);
        nint entry = _asm.RunAddress;
        Exchange();
        _head = _asm.RunAddress;
        PlanPoll();
        if (_polls && _pollAt == Nowhere && !_looksAtEnd)
            Probe(RegisterMap.Budget);
        int done = EmitBlock();
        int firstLink = _links.Take(_exits.Count);
        length = _asm.Offset;
        _asm.Begin(rarePlace, runOffset);
        EmitPollExit(place);
        EmitAsides(place, entry);
        EmitExits(place, firstLink);
        nint checkedEntry = entry - lead;
        if (!way.IsIndirect)
        {
            checkedEntry = _asm.RunAddress;
            _asm.JumpUnlessTarget(block.Pc, _gate.LookUpOf(_variant).Miss);
            _asm.Jump(entry);
        }
        byte* map = rarePlace + _asm.Offset;
        rareLength = (int)(FaultMap.Write(map, _block.Instructions.AsSpan(0, _block.InstructionCount), _block.End, CollectionsMarshal.AsSpan(_starts), new RoundsMap(CollectionsMarshal.AsSpan(_strides), _copies, _run)) - rarePlace);
        var translation = new Translation(block.Pc, block.Length, entry, length, done, PackExchanges())
        {
            Domain = domain,
            FirstLink = firstLink,
            LinkCount = _exits.Count,
            MapAt = (int)(map - place),
            CheckAt = (int)(checkedEntry - entry),
            Refund = way.Refund,
        };
        length += lead;
        for (int i = 0; i < _exits.Count; i++)
            _links[firstLink + i].Owner = translation;
        return translation;
    }

    /// <summary>A way to a block: by a jump through a register, or by one that pays instructions back.</summary>
    public readonly record struct Way(bool IsIndirect, int Refund);

    /// <summary>Emits the block, several times over when it is a small loop; returns how many of its instructions have host code.</summary>
    private int EmitBlock()
    {
        (int instructions, int most) = _extendsLater ? (MostUnrolled, MostCopies) : (FewerUnrolled, FewerCopies);
        int copies = IsLoop ? Math.Clamp(instructions / _block.InstructionCount, 1, most) : 1;
        PlanStrides(copies);
        PlanRun(copies);
        PlanCounter(copies);
        PlanRounds();
        BeginPayment(copies);
        int done = EmitRounds(copies);
        if (done < _block.InstructionCount)
            return done;
        EmitTogether(copies);
        if (_countedJumpAt == 0)
            return done;
        LandAhead(_countedJumpAt);
        _isCounted = true;
        return EmitRounds(copies);
    }

    private int EmitRounds(int copies)
    {
        for (int copy = 1; ; copy++)
        {
            _isLastCopy = copy == copies;
            _before = (copy - 1) * _block.InstructionCount;
            int done = EmitInstructions();
            if (_isLastCopy || done < _block.InstructionCount)
                return copy == 1 ? done : _block.InstructionCount;
        }
    }

    /// <summary>Instructions of an unrolled loop, and how often its body is repeated.</summary>
    private const int MostUnrolled = 64;
    private const int MostCopies = 8;

    /// <summary>For processors whose pointers are not put off.</summary>
    private const int FewerUnrolled = 48;
    private const int FewerCopies = 4;

    /// <summary>Where the block jumps to in order to start anew.</summary>
    private nint _head;
    private bool _isLastCopy;

    /// <summary>The round of an unrolled loop, from 0, as the fault map has it.</summary>
    private byte Round => _before == 0 && !_isCounted ? (byte)0 : (byte)((_before / _block.InstructionCount) | (_isCounted ? CodeStart.Counted : 0));

    /// <summary>True for a block that ends with a jump to its beginning.</summary>
    private bool IsLoop => _opCount > 0 && (_ops[_opCount - 1].Code == OpCode.Branch || EndsWithJump) && (ulong)_ops[_opCount - 1].Immediate == _block.Pc;

    /// <summary>Loops of RISC-V are also those that are left in their middle.</summary>
    private bool EndsWithJump => _extendsLater && _ops[_opCount - 1].Code == OpCode.Jump;

    /// <summary>Emits instructions up to the first that has no translation; returns how many.</summary>
    private int EmitInstructions()
    {
        InstructionStart[] instructions = _block.Instructions;
        for (int i = 0; i < _block.InstructionCount; i++)
        {
            _instruction = i;
            _end = i + 1 < _block.InstructionCount ? instructions[i + 1].Op : _opCount;
            BeginStack(instructions[i].Op, _end);
            // Once in an unrolled loop.
            if (i == _pollAt && _pollJumpAt == 0)
                EmitPoll();
            if (i == 0 && (_hasCounter || _hasRounds) && _before == 0 && !_isCounted)
                LookAhead();
            int start = _asm.Offset, exits = _exits.Count, asides = _asides.Count;
            NoteFlags();
            BeginInstruction(instructions[i].Op, _end);
            var stack = (_checks[_map.StackPointer], _stackTouched);
            (bool wasParked, int stackMove, int stackMoveAtStart) = (_isParked, _stackMove, _stackMoveAtStart);
            int starts = _starts.Count;
            // A fault at the check must find the jump not begun.
            if (_end > 0 && IsControl(_ops[_end - 1].Code))
                SettleStackPointer();
            uint narrow = _narrow;
            byte flagsIn = _flagsIn;
            if (_extendsLater)
            {
                PrepareWords(instructions[i].Op, _end);
                PrepareFlagsIn(i, instructions[i].Op, _end);
            }
            if (!(_extendsLater && IsDoneOtherwise(i)) && !TryEmit(instructions[i].Op))
            {
                (_narrow, _flagsIn) = (narrow, flagsIn);
                _starts.RemoveRange(starts, _starts.Count - starts);
                (_isParked, _stackMove, _stackMoveAtStart) = (wasParked, stackMove, stackMoveAtStart);
                _asm.Offset = start;
                (_checks[_map.StackPointer], _stackTouched) = stack;
                _exits.RemoveRange(exits, _exits.Count - exits);
                _asides.RemoveRange(asides, _asides.Count - asides);
                EndPaymentAt(i);
                Unpark();
                FlushStack();
                WidenAll();
                SettleFlags();
                CatchUp(_before + i, _isCounted);
                if (_isInVector)
                    LoadRun();
                SettleStackPointer();
                Exchange();
                EmitExit(instructions[i].Pc, ExitKind.Interpret);
                return i;
            }
            if (_extendsLater)
            {
                NoteWords(instructions[i].Op, _end);
                NoteFlagsIn(i, instructions[i].Op, _end);
            }
        }
        if (_opCount == 0 || !IsControl(_ops[_opCount - 1].Code))
        {
            // Behind the last instruction, which has run when the check faults.
            Unpark();
            FlushStack();
            WidenAll();
            SettleFlags();
            _starts.Add(new CodeStart(_asm.Offset, _block.InstructionCount, PaidTo));
            SettleStackPointer();
            ExitTo(_block.End);
        }
        return _block.InstructionCount;
    }

    /// <summary>An instruction of RISC-V that is part of something larger has its code by that.</summary>
    private bool IsDoneOtherwise(int instruction) => IsOfQuietComparison(instruction) || IsPutOff(instruction) || IsOfRun(instruction) || IsLeftOut(instruction);

    private static bool IsControl(OpCode code) => code is >= OpCode.Jump and < OpCode.VectorLoad;

    private bool TryEmit(int at)
    {
        while (at < _end)
        {
            bool dropsParked = _isParked && PrepareFlags(at);
            bool comparesWords = _narrow != 0 && NarrowComparison(at);
            int used = EmitStackMove(at);
            if (used == 0)
                used = EmitPattern(at);
            if (used == 0)
                used = EmitOne(at);
            if (comparesWords)
                RestoreComparison(at);
            if (used == 0)
                return false;
            if (dropsParked)
                _isParked = false;
            at += used;
        }
        return true;
    }

    /// <summary>Emits the micro-op at an index, with those behind it that it covers; returns how many, 0 for none.</summary>
    private int EmitOne(int at)
    {
        ref MicroOp op = ref _ops[at];
        if (!IsSymbolic(op))
            FlushLoads(at);
        return op.Code switch
        {
            OpCode.Nop => EmitNothing(op, at),
            >= OpCode.VectorLoad => EmitVector(at),
            >= OpCode.Jump => EmitControl(at),
            >= OpCode.Load => EmitMemory(at),
            >= OpCode.Multiply => EmitWide(at),
            >= OpCode.Add => EmitArithmetic(at),
            _ => EmitMove(at),
        };
    }

    /// <summary>A comparison whose flags nobody reads: its loads may still fault.</summary>
    private int EmitNothing(in MicroOp op, int at)
    {
        foreach (byte operand in (ReadOnlySpan<byte>)[op.A, op.B])
        {
            if (IsTemporary(operand) && _values[operand].Kind == Kind.Load)
                Materialize(operand, at);
        }
        return 1;
    }

    /// <summary>Only noted, not emitted: what later micro-ops fold into themselves.</summary>
    private static bool IsSymbolic(in MicroOp op) => op.Destination >= FirstTemporary && op.Destination != MicroOp.Discard
        && op.Code is OpCode.MoveImmediate or OpCode.AddressOf or OpCode.AddThreadBase or OpCode.Load or OpCode.LoadSigned or OpCode.Nop;

    // ---- flags -----------------------------------------------------------------------------------------------------

    /// <summary>A micro-op makes no flags, and the host holds some that are read behind it.</summary>
    private bool MustKeepFlags(int at) => !_isParked && _ops[at].Flags == FlagMask.None && _live[at] != FlagMask.None;

    /// <summary>Puts the flags aside; what follows may change them, but not the accumulator's slot.</summary>
    private void SaveFlags()
    {
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), HostRegister.Rax, 3);
        _asm.Byte(0x9F); // LAHF
        _asm.Emit(0x0F90, 0, Operand.Of(HostRegister.Rax)); // SETO AL
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.SavedFlags), HostRegister.Rax, 3);
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), 3);
    }

    private void RestoreFlags()
    {
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), HostRegister.Rax, 3);
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.SavedFlags), 3);
        _asm.AluImmediate(0, Operand.Of(HostRegister.Rax), 0x7F, 0); // overflows again if AL was 1
        _asm.Byte(0x9E); // SAHF
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator), 3);
    }
}
