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

    private readonly HostRegister[] _hosts = new HostRegister[RegisterMap.MostRegisters];
    private readonly Operand[] _slots = new Operand[RegisterMap.MostRegisters];
    private readonly int[] _uses = new int[256];
    private readonly List<(byte InFrame, byte InRegister)> _exchanges = [];

    private HostRegister HostOf(int guest)
    {
        if (guest == _map.StackPointer)
            FlushStack();
        return _hosts[guest];
    }

    private Operand SlotOf(int guest) => _slots[guest];

    private void ChooseRegisters()
    {
        if (_exchanges.Count > 0)
            TakeMap();
        if (!CountUses())
            return;
        _usesAccumulator = !_extendsLater || UsesAccumulator();
        int gain = IsLoop ? LoopGain : StraightGain;
        while (_exchanges.Count < MostExchanges && MostUsedInFrame() is { } inFrame)
        {
            if (_uses[inFrame] < gain || LeastUsed() is not { } least || _uses[inFrame] - _uses[least] < gain)
                break;
            _exchanges.Add((inFrame, least));
            (_hosts[inFrame], _hosts[least]) = (_hosts[least], HostRegister.None);
            (_slots[least], _slots[inFrame]) = (_slots[inFrame], default);
        }
    }

    /// <summary>The architecture's own choice.</summary>
    private void TakeMap()
    {
        _exchanges.Clear();
        for (int i = 0; i < _map.Count; i++)
        {
            _hosts[i] = _map.Host(i);
            _slots[i] = _hosts[i] == HostRegister.None ? _map.Slot(i) : default;
        }
    }

    /// <summary>So many fit into <see cref="Translation.Exchanges"/>.</summary>
    private int MostExchanges => _extendsLater ? 5 : 4;

    private byte? MostUsedInFrame()
    {
        byte? most = null;
        foreach (byte register in _map.InFrame)
        {
            if (_hosts[register] == HostRegister.None && (most is null || _uses[register] > _uses[most.Value]))
                most = register;
        }
        return most;
    }

    private bool _usesAccumulator;

    /// <summary>Whether a micro-op may use RAX: all but the common ones are taken to.</summary>
    private bool UsesAccumulator()
    {
        foreach (ref MicroOp op in _ops.AsSpan(0, _opCount))
        {
            if (!BlockSimplifier.IsPure(op) && op.Code is not (OpCode.Load or OpCode.LoadSigned or OpCode.Store or OpCode.Branch or OpCode.Jump or OpCode.JumpRegister))
                return true;
        }
        return false;
    }

    private byte? LeastUsed()
    {
        byte? least = null;
        foreach (byte register in _map.Exchangeable)
        {
            if (register == RegisterMap.Nobody && _usesAccumulator)
                continue;
            if (_hosts[register] != HostRegister.None && _map.Host(register) != HostRegister.None && (least is null || _uses[register] < _uses[least.Value]))
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
        // Those of temporaries are of no interest.
        _uses.AsSpan(0, _map.Count).Clear();
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
            // A pointer in the frame costs three operations.
            if (_extendsLater && op.Code is OpCode.Load or OpCode.LoadSigned or OpCode.Store)
                _uses[op.A]++;
            if (op.B != op.A)
                _uses[op.B]++;
            if (op.Destination != op.A)
                _uses[op.Destination]++;
        }
        // A missing operand is register 0, which is not exchanged; a constant may have this number.
        _uses[0] = 0;
        if (_extendsLater)
            _uses[RegisterMap.Nobody] = 0;
        return true;
    }

    private ulong PackExchanges()
    {
        ulong packed = 0;
        foreach ((byte inFrame, byte inRegister) in _exchanges)
            packed = (packed << (2 * Translation.RegisterBits)) | (uint)(inFrame << Translation.RegisterBits) | inRegister;
        return packed;
    }

    /// <summary>At the entry and at each exit: swaps the registers that the block wants with those it does not.</summary>
    private void Exchange()
    {
        foreach ((byte inFrame, _) in _exchanges)
        {
            Operand slot = _map.Slot(inFrame);
            HostRegister host = _hosts[inFrame];
            _asm.Load(RegisterMap.Work, slot, 3);
            _asm.Store(slot, host, 3);
            _asm.Move(host, RegisterMap.Work);
        }
    }
}
