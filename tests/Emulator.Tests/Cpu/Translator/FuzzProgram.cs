using Iced.Intel;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>
/// One instruction of a fuzzed program. <paramref name="Target"/> is the step that it names, as branch target or as address of its
/// memory operand (with <paramref name="Offset"/> added); -1 for none.
/// </summary>
internal readonly record struct Step(int Id, Instruction Instruction, int Target = -1, int Offset = 0);

/// <summary>A sequence of instructions that can be placed anywhere; the last one ends it.</summary>
internal sealed class FuzzProgram(List<Step> steps)
{
    private readonly Dictionary<int, int> _indexOfId = [];

    public List<Step> Steps { get; } = steps;

    /// <summary>False when the host must not run it.</summary>
    public bool IsForSilicon { get; init; } = true;

    public ulong Entry { get; private set; }

    public byte[] Code { get; private set; } = [];

    /// <summary>The start of the place that the program lies in.</summary>
    public ulong Place => FuzzLayout.Code + ((Entry - FuzzLayout.Code) / FuzzLayout.PlaceSize * FuzzLayout.PlaceSize);

    /// <summary>The content of its whole place: nothing of earlier programs is left.</summary>
    public byte[] Image { get; private set; } = [];

    /// <summary>The address of each step.</summary>
    public ulong[] Addresses { get; private set; } = [];

    /// <summary>Flags that the manual leaves undefined when each step begins.</summary>
    public ulong[] Undefined { get; private set; } = [];

    /// <summary>Encodes the program; false when an instruction cannot be, such as a short branch too far.</summary>
    public bool TryEncode(ulong entry)
    {
        Entry = entry;
        Addresses = new ulong[Steps.Count];
        _indexOfId.Clear();
        var pieces = new byte[Steps.Count][];
        var at = entry;
        for (var i = 0; i < Steps.Count; i++)
        {
            _indexOfId[Steps[i].Id] = i;
            Addresses[i] = at;
            if (!StepEncoder.TryEncode(WithTarget(Steps[i], at), at, out pieces[i]))
                return false;
            at += (ulong)pieces[i].Length;
        }

        for (var i = 0; i < Steps.Count; i++)
        {
            if (Steps[i].Target >= 0 && !StepEncoder.TryEncode(WithTarget(Steps[i], Addresses[_indexOfId[Steps[i].Target]]), Addresses[i], out pieces[i]))
                return false;
        }

        Code = pieces.SelectMany(piece => piece).ToArray();
        Image = new byte[FuzzLayout.PlaceSize];
        Code.CopyTo(Image, (int)(Entry - Place));
        Undefined = FlagFlow.UndefinedBefore(Steps, _indexOfId);
        return true;
    }

    private static Instruction WithTarget(in Step step, ulong target)
    {
        var instruction = step.Instruction;
        if (step.Target < 0)
            return instruction;
        if (instruction.Op0Kind == OpKind.NearBranch64)
            instruction.NearBranch64 = target + (ulong)step.Offset;
        else
            instruction.MemoryDisplacement64 = target + (ulong)step.Offset;
        return instruction;
    }

    /// <summary>The undefined flags at an address: all when no step begins there.</summary>
    public ulong UndefinedAt(ulong pc)
    {
        var index = Array.IndexOf(Addresses, pc);
        return index >= 0 ? Undefined[index] : pc == Entry + (ulong)Code.Length ? Undefined[^1] : FlagFlow.Arithmetic;
    }

    /// <summary>The step that begins at an address.</summary>
    public Step? StepAt(ulong pc) => Array.IndexOf(Addresses, pc) is >= 0 and var index ? Steps[index] : null;

    /// <summary>True for the immediates, in bytes 1 to 4 of an instruction, that another step writes.</summary>
    public bool MayChange(ulong address)
    {
        foreach (var step in Steps)
        {
            if (step is { Target: >= 0, Offset: > 0 } && step.Instruction.Op0Kind != OpKind.NearBranch64 && address - Addresses[_indexOfId[step.Target]] is >= 1 and <= 4)
                return true;
        }

        return false;
    }

    /// <summary>The first step that reads flags which are undefined before it, or -1.</summary>
    public int FirstUndefinedRead()
    {
        _indexOfId.Clear();
        for (var i = 0; i < Steps.Count; i++)
            _indexOfId[Steps[i].Id] = i;
        var undefined = FlagFlow.UndefinedBefore(Steps, _indexOfId);
        return Enumerable.Range(0, Steps.Count).FirstOrDefault(i => (undefined[i] & FlagFlow.Reads(Steps[i].Instruction)) != 0, -1);
    }

    /// <summary>
    /// The program without some steps; what named one of them names the next that is left. Null when a step that is left writes
    /// or jumps into one of them.
    /// </summary>
    public FuzzProgram? Without(int first, int count)
    {
        var next = Steps[first + count].Id;
        var removed = Steps.GetRange(first, count).Select(step => step.Id).ToHashSet();
        var left = Steps.Where((_, i) => i < first || i >= first + count).ToList();
        if (left.Exists(step => step.Offset > 0 && removed.Contains(step.Target)))
            return null;
        return new FuzzProgram([.. left.Select(step => removed.Contains(step.Target) ? step with { Target = next } : step)]) { IsForSilicon = IsForSilicon };
    }

    public override string ToString()
    {
        var text = new System.Text.StringBuilder();
        var at = 0;
        for (var i = 0; i < Steps.Count; i++)
        {
            var end = i + 1 < Steps.Count ? (int)(Addresses[i + 1] - Entry) : Code.Length;
            var decoder = Decoder.Create(64, Code[at..end], Addresses[i]);
            text.AppendLine($"  {Addresses[i]:x}  {Convert.ToHexString(Code.AsSpan(at, end - at)),-30}  {decoder.Decode()}");
            at = end;
        }

        return text.ToString();
    }
}
