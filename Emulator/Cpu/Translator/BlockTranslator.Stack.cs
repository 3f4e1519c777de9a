using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// The stack pointer of pushes, pops and the like: its moves by constants are put off, accesses having them in their displacements, and
/// become one LEA before the next way out of the block, or instruction that wants the register itself. The fault map tells what is put off.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Moves are put off up to this many bytes, in multiples of <see cref="FaultMap.StackUnit"/>.</summary>
    private const int MostStackMove = 62 * FaultMap.StackUnit;

    /// <summary>The guest's stack pointer is the host register's value and this.</summary>
    private int _stackMove;

    /// <summary>The same when the present instruction began.</summary>
    private int _stackMoveAtStart;

    /// <summary>The block has micro-ops that add to the stack pointer.</summary>
    private bool _movesStack;

    /// <summary>The present instruction uses the stack pointer for addresses and moves only.</summary>
    private bool _defersStack;

    /// <summary>What was put off at the look at the budget.</summary>
    private int _pollStackMove;

    /// <summary>Before an instruction, whose micro-ops are in a range.</summary>
    private void BeginStack(int from, int to)
    {
        if (!_movesStack)
            return;
        _stackMoveAtStart = _stackMove;
        _defersStack = true;
        byte stack = _map.StackPointer;
        foreach (ref MicroOp op in _ops.AsSpan(from, to - from))
        {
            if (WantsStack(op, stack) && !IsStackMove(op))
                _defersStack = false;
        }
        // A comparison and its jump are one operation while nothing is between them.
        if (!_defersStack || (to < _opCount && _ops[to].Code == OpCode.Branch))
            FlushStack();
    }

    /// <summary>Some operands are other numbers, which only makes this true too often.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool WantsStack(in MicroOp op, byte stack) =>
        op.B == stack || op.C == stack || op.Destination == stack || (op.A == stack && op.Code is not (OpCode.Load or OpCode.LoadSigned or OpCode.Store));

    private bool IsStackMove(in MicroOp op) =>
        op.Destination == _map.StackPointer && op.A == op.Destination && op.Size == 3 && op.Flags == FlagMask.None
        && op.Code is OpCode.AddImmediate or OpCode.SubtractImmediate && op.Immediate % FaultMap.StackUnit == 0 && Math.Abs(op.Immediate) <= MostStackMove / 2;

    /// <summary>Puts off a move of the stack pointer; 0 when the micro-op is none.</summary>
    private int EmitStackMove(int at)
    {
        ref MicroOp op = ref _ops[at];
        if (!_defersStack || !IsStackMove(op))
            return 0;
        FlushDependents(op.A, at);
        MoveStack(op.Code == OpCode.AddImmediate ? (int)op.Immediate : -(int)op.Immediate);
        return 1;
    }

    private void MoveStack(int by)
    {
        _stackMove += by;
        MoveCheck(_map.StackPointer, _map.StackPointer, by);
        if (Math.Abs(_stackMove) > MostStackMove / 2)
            FlushStack();
    }

    /// <summary>Makes the host register the guest's stack pointer.</summary>
    private void FlushStack()
    {
        if (_stackMove == 0)
            return;
        AddToStack(_stackMove);
        _stackMoveAtStart -= _stackMove;
        _stackMove = 0;
        NoteFlags();
    }

    private void AddToStack(int by)
    {
        HostRegister stack = _hosts[_map.StackPointer];
        _asm.AddressOf(stack, Operand.Sum(stack, HostRegister.None, 0, by));
    }
}
