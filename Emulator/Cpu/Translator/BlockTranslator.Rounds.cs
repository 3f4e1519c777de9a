using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Loops that only compute, and load from where pointers lead that move by constants: rounds of checksums and ciphers. When a look ahead
/// (<see cref="LookAhead"/>) tells that enough of them are to come, and loads of the first and last bytes of all that they load do not fault, nothing comes in
/// between, and they are compiled as a whole (<see cref="RoundsCompiler"/>). Otherwise the rounds with their ways out run.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>After so many the values of a cipher's state are back in the registers that they began in; what is left of them goes by fewer.</summary>
    private static ReadOnlySpan<byte> RoundsTogether => [8, 2];

    /// <summary>What is loaded at a pointer lies in two pages at most, and so the first and the last byte tell of all.</summary>
    private const long MostLoaded = 4096;

    /// <summary>Instructions of a round that a store in it is worth.</summary>
    private const int ComputedForStore = 16;

    private RoundsGraph? _roundsGraph;
    private RoundsCompiler? _roundsCompiler;

    /// <summary>Made for the first loop of the kind.</summary>
    private RoundsGraph Rounds => _roundsGraph ??= new RoundsGraph();

    /// <summary>The rounds of the block are compiled as a whole.</summary>
    private bool _hasRounds;

    /// <summary>How many rounds each look ahead is for, and the displacement of its jump.</summary>
    private readonly List<(int Rounds, int JumpAt)> _togetherJumps = [];

    private void PlanRounds()
    {
        _hasRounds = false;
        _togetherJumps.Clear();
        if (!_extendsLater || _runAt != Nowhere || FindCounter(RoundsTogether[0]) is not { } counter || !IsWorthTogether() || !TryRounds(RoundsTogether[0]))
            return;
        if (_hasCounter)
            _strides.RemoveAt(_strides.Count - 1);
        (_hasCounter, _hasRounds, _lookAhead) = (false, true, counter);
    }

    /// <summary>A store costs two locked operations in front of the rounds.</summary>
    private bool IsWorthTogether()
    {
        int stores = 0;
        foreach (ref readonly MicroOp op in _ops.AsSpan(0, _opCount))
            stores += op.Code == OpCode.Store ? 1 : 0;
        return _block.InstructionCount >= stores * ComputedForStore;
    }

    private bool TryRounds(int rounds)
    {
        Rounds.Begin(KeptRegisters());
        ReadOnlySpan<MicroOp> ops = _ops.AsSpan(0, _block.Instructions[LastInstruction].Op);
        for (int round = 0; round < rounds; round++)
        {
            foreach (ref readonly MicroOp op in ops)
            {
                if ((op.Code is not (OpCode.Nop or OpCode.Store) && op.Destination == _map.StackPointer) || !Rounds.TryAdd(op))
                    return false;
            }
        }
        for (int register = 1; register < Registers; register++)
        {
            if (!IsNear(Rounds.LoadedAt(register)) || !IsNear(Rounds.StoredAt(register)))
                return false;
        }
        Rounds.Finish();
        return true;
    }

    private static bool IsNear(RoundsSpan? span) => span is not { } bytes || (bytes.To - bytes.From <= MostLoaded && Math.Abs(bytes.From) + MostLoaded < StructureReach);

    /// <summary>Registers with a host register, whose values are there at both ends.</summary>
    private uint KeptRegisters()
    {
        uint kept = 0;
        for (byte register = 1; register < Registers; register++)
        {
            if (_hosts[register] != HostRegister.None)
                kept |= Bit(register);
        }
        return kept;
    }

    /// <summary>Those that hold a guest's register other than the stack pointer, the scratch register and what is left of the host's.</summary>
    private uint AllocatableRegisters()
    {
        uint registers = 1u << (int)RegisterMap.Scratch;
        for (byte register = 1; register < Registers; register++)
        {
            if (_hosts[register] != HostRegister.None && register != _map.StackPointer)
                registers |= 1u << (int)_hosts[register];
        }
        return _hosts[RegisterMap.Nobody] == HostRegister.None ? registers : registers | 1u << (int)_hosts[RegisterMap.Nobody];
    }

    /// <summary>Behind the block's own rounds: those that are compiled as a whole, each time with the branch that ends the last one.</summary>
    private void EmitTogether(int copies)
    {
        foreach ((int rounds, int jumpAt) in _togetherJumps)
            EmitTogether(rounds, jumpAt, copies);
    }

    private void EmitTogether(int rounds, int jumpAt, int copies)
    {
        LandAhead(jumpAt);
        (_before, _instruction) = (0, 0);
        int start = _asm.Offset;
        BeginInstruction(0, 0);
        NoteFlags();
        // Those that were planned with are in the graph already.
        if (rounds != RoundsTogether[0] && !TryRounds(rounds))
            throw new InvalidOperationException("fewer rounds cannot be compiled");
        for (byte register = 1; register < Registers; register++)
        {
            if (Rounds.LoadedAt(register) is { } loaded)
                TryAccesses(register, loaded, stores: false);
            if (Rounds.StoredAt(register) is { } stored)
                TryAccesses(register, stored, stores: true);
        }
        Charge((rounds - copies) * _block.InstructionCount);
        if (!(_roundsCompiler ??= new RoundsCompiler(_asm)).TryEmit(Rounds, _hosts, _slots, AllocatableRegisters()))
        {
            _asm.Offset = start;
            _asm.Jump(_behindLookAhead);
            return;
        }
        // All is paid for, as at the end of the block's own rounds.
        (_before, _isLastCopy) = ((copies - 1) * _block.InstructionCount, true);
        _instruction = LastInstruction;
        (int at, _end) = (_block.Instructions[LastInstruction].Op, _opCount);
        BeginStack(at, _end);
        NoteFlags();
        BeginInstruction(at, _end);
        TryEmit(at);
    }

    /// <summary>Faults unless the first and the last byte can be accessed. They are stored to later on, so that it changes nothing to store what they have.</summary>
    private void TryAccesses(byte register, RoundsSpan bytes, bool stores)
    {
        foreach (long at in (ReadOnlySpan<long>)[bytes.From, bytes.To - 1])
        {
            Operand place = GuestOperand(register, at, 0);
            if (!stores)
            {
                _asm.Load(RegisterMap.Work, place, 0);
                continue;
            }
            _asm.Byte(0xF0); // LOCK
            _asm.AluImmediate(GroupOr, place, 0, 0);
        }
    }
}
