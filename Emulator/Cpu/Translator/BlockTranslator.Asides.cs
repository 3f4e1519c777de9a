namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// What arithmetic seldom comes to: NaNs, which are made canonical, and operands that only the interpreter gets right. Their code is beside the
/// block's, so that the way through has no jump that is taken.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>
    /// A jump aside, by the displacement of its instruction, and the place to come back to with a canonical NaN in a vector; or, with <see cref="None"/>
    /// for that place, out of the block in front of an instruction, with a vector as it was before.
    /// </summary>
    private readonly record struct Aside(int DisplacementAt, int ResumeAt, int Vector, int Kind, int Done, bool IsPaid, uint Narrow, byte FlagsIn, int StackMove);

    private const int None = -1;

    private readonly List<Aside> _asides = [];

    /// <summary>For processors whose flags no block leaves to the next; these are lost on the way.</summary>
    private bool HasAsides => _map.Architecture == Architecture.RiscV64 && !_isParked;

    /// <summary>Makes a NaN the canonical one.</summary>
    private void Canonicalize(int host, int kind)
    {
        Unordered(host, Operand.Of(host), kind);
        if (HasAsides)
        {
            int displacementAt = JumpAside(ConditionParity);
            _asides.Add(new Aside(displacementAt, _asm.Offset, host, kind, 0, false, 0, 0, 0));
            return;
        }
        int number = JumpShort(ConditionNotParity);
        _asm.Emit(0x0F10, host, KindConstant(HostConstant.CanonicalDouble, kind), prefix: 0xF2); // MOVSD
        LandShort(number);
    }

    /// <summary>Leaves the instruction to the interpreter, unless a condition holds.</summary>
    /// <param name="restored">A vector that is to have the scratch vector's value again, where there are <see cref="HasAsides"/>.</param>
    private void InterpretUnless(int condition, int restored = None)
    {
        if (HasAsides)
        {
            int displacementAt = JumpAside(condition ^ 1);
            _asides.Add(new Aside(displacementAt, None, restored, 0, _before + _instruction, _chargeAt != Nowhere, _narrow, _flagsIn, _stackMoveAtStart));
            return;
        }
        int good = JumpShort(condition);
        _asm.Emit(0x8B, (int)RegisterMap.Work, Gate.Fault);
        LandShort(good);
    }

    private int JumpAside(int condition)
    {
        _asm.Byte(0x0F);
        _asm.Byte(0x80 | condition);
        _asm.Int32(0);
        return _asm.Offset - sizeof(int);
    }

    private void EmitAsides(byte* code, nint entry)
    {
        foreach (Aside aside in _asides)
        {
            _asm.Land(code + aside.DisplacementAt);
            if (aside.ResumeAt != None)
            {
                _asm.Emit(0x0F10, aside.Vector, KindConstant(HostConstant.CanonicalDouble, aside.Kind), prefix: 0xF2); // MOVSD
                _asm.Jump(entry + aside.ResumeAt);
                continue;
            }
            if (aside.Vector != None)
                LoadWhole(aside.Vector, Operand.Of(Scratch15), isAligned: true);
            Charge(aside.Done - (aside.IsPaid ? _paid : 0));
            Widen(aside.Narrow);
            if (aside.FlagsIn != 0)
                StoreFlags(aside.FlagsIn);
            CatchUp(aside.Done);
            if (aside.StackMove != 0)
                AddToStack(aside.StackMove);
            Exchange();
            EmitExit(_block.Instructions[aside.Done % _block.InstructionCount].Pc, ExitKind.Interpret);
        }
    }
}
