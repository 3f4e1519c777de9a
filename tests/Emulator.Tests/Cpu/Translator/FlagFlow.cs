using Iced.Intel;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Which arithmetic flags the manual leaves undefined, along all ways through a program.</summary>
internal static class FlagFlow
{
    public const ulong Arithmetic = 0x8D5;
    private const ulong Carry = 1;

    public static ulong Reads(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Syscall or Mnemonic.Pushf or Mnemonic.Pushfq ? Arithmetic : Bits(instruction.RflagsRead);

    public static ulong[] UndefinedBefore(List<Step> steps, Dictionary<int, int> indexOfId)
    {
        var before = new ulong[steps.Count];
        var targets = steps.Where(step => step.Target >= 0).Select(step => indexOfId[step.Target]).Distinct().ToArray();
        for (var hasChanged = true; hasChanged;)
        {
            hasChanged = false;
            for (var i = 0; i < steps.Count; i++)
            {
                var instruction = steps[i].Instruction;
                var after = After(instruction, before[i]);
                // After a call the flags are those of the callee's return, which goes everywhere.
                if (i + 1 < steps.Count && instruction.FlowControl is not (FlowControl.UnconditionalBranch or FlowControl.IndirectBranch or FlowControl.Return))
                    hasChanged |= Join(ref before[i + 1], after);
                if (instruction.Op0Kind == OpKind.NearBranch64 && steps[i].Target >= 0)
                    hasChanged |= Join(ref before[indexOfId[steps[i].Target]], after);
                else if (instruction.FlowControl is FlowControl.IndirectBranch or FlowControl.IndirectCall)
                    hasChanged |= JoinAll(before, targets, after);
                else if (instruction.FlowControl == FlowControl.Return)
                    hasChanged |= JoinAll(before, ReturnPlaces(steps, targets), after);
            }
        }

        return before;
    }

    private static IEnumerable<int> ReturnPlaces(List<Step> steps, int[] targets) =>
        targets.Concat(Enumerable.Range(1, steps.Count - 1).Where(i => steps[i - 1].Instruction.FlowControl is FlowControl.Call or FlowControl.IndirectCall));

    private static bool JoinAll(ulong[] before, IEnumerable<int> places, ulong undefined)
    {
        var hasChanged = false;
        foreach (var place in places)
            hasChanged |= Join(ref before[place], undefined);
        return hasChanged;
    }

    private static bool Join(ref ulong set, ulong more)
    {
        var joined = set | more;
        var isNew = joined != set;
        set = joined;
        return isNew;
    }

    private static ulong After(in Instruction instruction, ulong before)
    {
        var undefined = Bits(instruction.RflagsUndefined);
        var defined = Bits(instruction.RflagsWritten | instruction.RflagsCleared | instruction.RflagsSet);
        if (instruction.HasRepPrefix || instruction.HasRepnePrefix)
            defined = 0;
        if (!IsShift(instruction.Mnemonic))
            return (before & ~defined) | undefined;
        // A count of zero leaves the flags; carry is not defined past the width, overflow for one place only (SDM Vol. 2, SAL and RCL).
        var isByRegister = instruction.GetOpKind(instruction.OpCount - 1) == OpKind.Register;
        var width = 8 * (instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize());
        var count = isByRegister ? 0 : (int)instruction.GetImmediate(instruction.OpCount - 1) & (width == 64 ? 63 : 31);
        if (isByRegister || count > 1)
            undefined |= 0x800;
        var isLogical = instruction.Mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Shld or Mnemonic.Shrd;
        if (isLogical && (isByRegister || count >= width) && width < 32)
            undefined |= Carry;
        return isByRegister || count == 0 ? before | undefined : (before & ~defined) | undefined;
    }

    private static bool IsShift(Mnemonic mnemonic) => mnemonic is Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror
        or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd;

    private static ulong Bits(RflagsBits flags)
    {
        ulong bits = 0;
        bits |= (flags & RflagsBits.CF) != 0 ? 1UL : 0;
        bits |= (flags & RflagsBits.PF) != 0 ? 4UL : 0;
        bits |= (flags & RflagsBits.AF) != 0 ? 0x10UL : 0;
        bits |= (flags & RflagsBits.ZF) != 0 ? 0x40UL : 0;
        bits |= (flags & RflagsBits.SF) != 0 ? 0x80UL : 0;
        bits |= (flags & RflagsBits.OF) != 0 ? 0x800UL : 0;
        return bits;
    }
}
