using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Which guest registers have host registers in a block. Between blocks it is <see cref="RegisterMap"/>'s choice; a block that uses
/// those in the frame much, as loops of large functions do, exchanges them for others at its entry, and back at its exits.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Uses that an exchange must save to pay for itself: in a loop, whose entry is left behind, and elsewhere.</summary>
    private const int LoopGain = 1;
    private const int StraightGain = 9;

    /// <summary>Those that no instruction uses without naming them, and that no other register stands for.</summary>
    private static ReadOnlySpan<byte> Exchangeable => [3, 5, 6, 7, 8, 9, 10, 11];

    private readonly HostRegister[] _hosts = new HostRegister[RegisterMap.Count];
    private readonly Operand[] _slots = new Operand[RegisterMap.Count];
    private readonly int[] _uses = new int[256];
    private readonly List<(byte InFrame, byte InRegister)> _exchanges = [];

    private HostRegister HostOf(int guest) => _hosts[guest];

    private Operand SlotOf(int guest) => _slots[guest];

    private void ChooseRegisters()
    {
        for (int i = 0; i < RegisterMap.Count; i++)
        {
            _hosts[i] = RegisterMap.Host(i);
            _slots[i] = _hosts[i] == HostRegister.None ? RegisterMap.Slot(i) : default;
        }
        _exchanges.Clear();
        if (!CountUses())
            return;
        int gain = IsLoop ? LoopGain : StraightGain;
        for (byte inFrame = RegisterMap.FirstInFrame; inFrame < RegisterMap.Count; inFrame++)
        {
            if (_uses[inFrame] < gain || LeastUsed() is not { } least || _uses[inFrame] - _uses[least] < gain)
                continue;
            _exchanges.Add((inFrame, least));
            (_hosts[inFrame], _hosts[least]) = (_hosts[least], HostRegister.None);
            (_slots[least], _slots[inFrame]) = (_slots[inFrame], default);
        }
    }

    private byte? LeastUsed()
    {
        byte? least = null;
        foreach (byte register in Exchangeable)
        {
            if (_hosts[register] != HostRegister.None && (least is null || _uses[register] < _uses[least.Value]))
                least = register;
        }
        return least;
    }

    /// <summary>
    /// Counts operands; for some micro-ops these are other numbers, which only makes the choice less good. False when there are string
    /// instructions, which want registers in their places.
    /// </summary>
    private bool CountUses()
    {
        Array.Clear(_uses);
        foreach (ref MicroOp op in _ops.AsSpan(0, _opCount))
        {
            if (op.Code >= OpCode.VectorLoad)
            {
                // Vector micro-ops have an integer register as their address at most.
                if (op.Code is >= OpCode.VectorLoad and <= OpCode.VectorCheckAlignment)
                    _uses[op.A]++;
                continue;
            }
            if (op.Code == OpCode.String)
                return false;
            _uses[op.A]++;
            if (op.B != op.A)
                _uses[op.B]++;
            if (op.Destination != op.A)
                _uses[op.Destination]++;
        }
        // A missing operand is register 0, which is not exchanged.
        return true;
    }

    private uint PackExchanges()
    {
        uint packed = 0;
        foreach ((byte inFrame, byte inRegister) in _exchanges)
            packed |= (uint)inRegister << (8 * (inFrame - RegisterMap.FirstInFrame));
        return packed;
    }

    /// <summary>At the entry and at each exit: swaps the registers that the block wants with those it does not.</summary>
    private void Exchange()
    {
        foreach ((byte inFrame, _) in _exchanges)
        {
            Operand slot = RegisterMap.Slot(inFrame);
            HostRegister host = _hosts[inFrame];
            _asm.Load(RegisterMap.Work, slot, 3);
            _asm.Store(slot, host, 3);
            _asm.Move(host, RegisterMap.Work);
        }
    }
}
