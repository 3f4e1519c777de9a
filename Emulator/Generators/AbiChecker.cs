using System.Globalization;

namespace Vivarium.Emulator.Generators;

/// <summary>What must hold in a table: names and numbers used once, kinds known, structures as large as they say.</summary>
internal static class AbiChecker
{
    /// <summary>Checks a model, fills its look-ups and lays out its structures.</summary>
    public static void Check(AbiModel model)
    {
        foreach (AbiSet set in model.Sets)
            Claim(model, model.SetsByName, set.Name, set, set.Line);
        foreach (AbiStruct structure in model.Structs)
        {
            if (model.SetsByName.ContainsKey(structure.Name))
                model.Errors.Add(new AbiError(structure.Line, $"{structure.Name} is a set already"));
            LayOut(model, structure);
            Claim(model, model.StructsByName, structure.Name, structure, structure.Line);
        }
        CheckNumbers(model, "x86-64", call => call.X64);
        CheckNumbers(model, "arm64", call => call.Arm64);
        CheckNumbers(model, "riscv64", call => call.RiscV64);
        Dictionary<string, AbiErrorGroup> groups = [];
        foreach (AbiErrorGroup group in model.ErrorGroups)
            Claim(model, groups, group.Name, group, group.Line);
        Dictionary<string, AbiCall> names = [];
        foreach (AbiCall call in model.Calls)
        {
            Claim(model, names, call.Name, call, call.Line);
            CheckArguments(model, call);
            CheckErrors(model, call);
        }
    }

    private static void Claim<T>(AbiModel model, Dictionary<string, T> taken, string name, T item, int line)
    {
        if (taken.ContainsKey(name))
            model.Errors.Add(new AbiError(line, $"{name} is declared twice"));
        else if (item is AbiSet or AbiStruct && Kinds.IsKnown(name))
            model.Errors.Add(new AbiError(line, $"{name} is a kind of every table"));
        else
            taken.Add(name, item);
    }

    private static void CheckNumbers(AbiModel model, string architecture, Func<AbiCall, int?> numberOf)
    {
        Dictionary<int, AbiCall> taken = [];
        foreach (AbiCall call in model.Calls)
        {
            if (numberOf(call) is not { } number)
                continue;
            if (taken.TryGetValue(number, out AbiCall? other))
                model.Errors.Add(new AbiError(call.Line, $"{call.Name} has {other.Name}'s {architecture} number, {number}"));
            else
                taken.Add(number, call);
        }
    }

    private static void CheckArguments(AbiModel model, AbiCall call)
    {
        if (call.Arguments.Count > 8)
            model.Errors.Add(new AbiError(call.Line, $"{call.Name} has more than eight arguments"));
        if (!IsKnown(model, call.Result))
            model.Errors.Add(new AbiError(call.Line, $"{call.Name} returns an unknown kind: {call.Result}"));
        foreach (AbiArgument argument in call.Arguments)
        {
            if (!IsKnown(model, argument.Kind))
                model.Errors.Add(new AbiError(call.Line, $"{call.Name}: unknown kind: {argument.Kind}"));
            else if (argument.Direction == AbiDirection.None && model.StructsByName.ContainsKey(argument.Kind))
                model.Errors.Add(new AbiError(call.Line, $"{call.Name}: a structure has a direction: {argument.Name}"));
            if (argument.Count is { } count && count != "ret" && !IsNumber(count) && !call.Arguments.Exists(other => other.Name == count))
                model.Errors.Add(new AbiError(call.Line, $"{call.Name}: nothing counts {argument.Name}: {count}"));
        }
    }

    /// <summary>Groups exist, and nothing is said twice; whether an error exists the compiler will say.</summary>
    private static void CheckErrors(AbiModel model, AbiCall call)
    {
        HashSet<string> named = [];
        foreach (string error in model.ErrorsOf(call))
        {
            if (!named.Add(error))
                model.Errors.Add(new AbiError(call.Line, $"{call.Name} names {error} twice"));
            else if (error[0] != 'E')
                model.Errors.Add(new AbiError(call.Line, $"{call.Name}: neither an error nor a group: {error}"));
        }
    }

    /// <summary>C's rules: a member at the next multiple of its own alignment, unless the table says where.</summary>
    private static void LayOut(AbiModel model, AbiStruct structure)
    {
        int offset = 0;
        foreach (AbiMember member in structure.Members)
        {
            int size = SizeOf(model, member.Kind);
            if (size == 0)
            {
                model.Errors.Add(new AbiError(member.Line, $"{structure.Name}.{member.Name}: no size is known of {member.Kind}"));
                continue;
            }
            int alignment = AlignmentOf(model, member.Kind);
            member.Offset = member.DeclaredOffset ?? (offset + alignment - 1) / alignment * alignment;
            offset = member.Offset + (size * member.Count);
            if (offset > structure.Size)
                model.Errors.Add(new AbiError(member.Line, $"{structure.Name}.{member.Name} ends at {offset}, behind the structure's {structure.Size}"));
        }
    }

    public static int SizeOf(AbiModel model, string kind)
    {
        if (model.SetsByName.TryGetValue(kind, out AbiSet? set))
            return set.Size;
        if (model.StructsByName.TryGetValue(kind, out AbiStruct? structure))
            return structure.Size;
        return Kinds.IsKnown(kind) ? Kinds.SizeOf(kind) : 0;
    }

    private static int AlignmentOf(AbiModel model, string kind)
    {
        if (!model.StructsByName.TryGetValue(kind, out AbiStruct? structure))
            return SizeOf(model, kind);
        int alignment = 1;
        foreach (AbiMember member in structure.Members)
            alignment = Math.Max(alignment, AlignmentOf(model, member.Kind));
        return alignment;
    }

    private static bool IsKnown(AbiModel model, string kind) =>
        Kinds.IsKnown(kind) || model.SetsByName.ContainsKey(kind) || model.StructsByName.ContainsKey(kind);

    private static bool IsNumber(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);
}
