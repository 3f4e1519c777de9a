using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Pointers that a loop only moves by a constant and accesses memory at: in the rounds of an unrolled loop they stay where they are, displacements
/// tell how far they should be ahead, and the last round moves them for all. Ways out move them first; the fault map tells of them.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int MostStrides = 4;

    private readonly List<Stride> _strides = [];

    /// <summary>How far each register should be ahead of what it holds.</summary>
    private readonly long[] _ahead = new long[RegisterMap.MostRegisters];

    private int _copies;

    private void PlanStrides(int copies)
    {
        foreach (Stride stride in _strides)
            _ahead[stride.Register] = 0;
        _strides.Clear();
        _copies = copies;
        if (!_extendsLater || copies == 1)
            return;
        for (int i = 0; i < _block.InstructionCount && _strides.Count < MostStrides; i++)
        {
            ReadOnlySpan<MicroOp> ops = OpsOf(i);
            if (ops.Length == 1 && ops[0] is { Code: OpCode.AddImmediate, Size: 3 } add && add.Destination == add.A && MayBeNarrow(add.A)
                && Math.Abs(add.Immediate) * copies < StructureReach && IsOnlyAddress(add.A, i, i))
                _strides.Add(new Stride(add.A, (byte)i, (int)add.Immediate));
        }
    }

    /// <summary>Whether the only use of a register in all instructions but two is as the address of accesses; other numbers may be taken for it.</summary>
    private bool IsOnlyAddress(byte register, int except, int exceptToo)
    {
        for (int i = 0; i < _block.InstructionCount; i++)
        {
            if (i == except || i == exceptToo)
                continue;
            foreach (ref readonly MicroOp op in OpsOf(i))
            {
                bool isUsed = op.Code switch
                {
                    OpCode.Branch or OpCode.VectorLoad or OpCode.VectorStore => false,
                    OpCode.Load or OpCode.LoadSigned => op.Destination == register,
                    OpCode.Store => op.B == register,
                    _ => op.Destination == register || op.A == register || op.B == register || op.C == register,
                };
                if (isUsed)
                    return false;
            }
        }
        return true;
    }

    /// <summary>Whether an instruction is put off; in the last round it moves its pointer for all of them.</summary>
    private bool IsPutOff(int instruction)
    {
        foreach (Stride stride in _strides)
        {
            if (stride.Instruction != instruction || (stride.IsCounter && !_isCounted))
                continue;
            long by = _ahead[stride.Register] += stride.By;
            if (_isLastCopy)
            {
                _ahead[stride.Register] = 0;
                Advance(stride.Register, by);
            }
            MoveCheck(stride.Register, stride.Register, stride.By);
            return true;
        }
        return false;
    }

    private void Advance(byte register, long by)
    {
        HostRegister host = HostOf(register);
        if (host == HostRegister.None)
            _asm.AluImmediate(GroupAdd, SlotOf(register), (int)by, 3);
        else
            _asm.AddressOf(host, Operand.Sum(host, HostRegister.None, 0, (int)by));
    }

    /// <summary>On a way out: moves the pointers to where they are in front of, or at the end of, so manieth instruction of all rounds.</summary>
    private void CatchUp(int position, bool isCounted = false)
    {
        foreach (Stride stride in _strides)
        {
            if (stride.IsCounter && !isCounted)
                continue;
            long by = stride.Ahead(position / _block.InstructionCount, position % _block.InstructionCount, _copies);
            if (by != 0)
                Advance(stride.Register, by);
        }
    }
}
