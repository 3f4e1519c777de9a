namespace Vivarium.Emulator.Generators;

/// <summary>Writes names and numbers: the parts of a table that every run may need, as switches and constant data.</summary>
internal sealed class NumberWriter(AbiModel model)
{
    public string Write()
    {
        List<AbiCall> calls = [.. model.Calls.OrderBy(call => call.Number)];
        var source = new SourceWriter();
        source.Line("using System;").Line().Line($"namespace {AbiGenerator.Namespace(model)};").Line();
        source.Open($"partial class {Naming.ToPascal(model.Name)}Table");
        if (model.Base != 0)
            source.Line("/// <summary>What is added to the system's own numbers.</summary>").Line($"public const int Base = {model.Base};").Line();
        source.Line("/// <summary>The numbers of all calls, in rising order.</summary>");
        source.Line("public static ReadOnlySpan<short> Numbers =>");
        source.Line($"    [{string.Join(", ", calls.Select(call => call.Number))}];").Line();
        source.Line("/// <summary>A call's name, or null for a number that the system does not know.</summary>");
        source.Line("public static string? Name(int number) => number switch").Line("{");
        foreach (AbiCall call in calls)
            source.Line($"    {call.Number} => {Naming.Literal(call.Name)},");
        source.Line("    _ => null,").Line("};").Line();
        WriteArgumentCounts(source, calls);
        WriteArchitecture(source, "Arm64", call => call.Arm64);
        WriteArchitecture(source, "RiscV64", call => call.RiscV64);
        return source.Close().ToString();
    }

    /// <summary>Most systems pass what goes past six arguments elsewhere.</summary>
    private static void WriteArgumentCounts(SourceWriter source, List<AbiCall> calls)
    {
        source.Line("/// <summary>How many arguments a call has; 6 for those with fewer.</summary>");
        source.Line("public static int ArgumentCount(int number) => number switch").Line("{");
        foreach (AbiCall call in calls.Where(call => call.Arguments.Count > 6))
            source.Line($"    {call.Number} => {call.Arguments.Count},");
        source.Line("    _ => 6,").Line("};").Line();
    }

    /// <summary>From an architecture's own number to the table's.</summary>
    private void WriteArchitecture(SourceWriter source, string name, Func<AbiCall, int?> numberOf)
    {
        int[] table = new int[model.Calls.Max(call => numberOf(call) ?? 0) + 1];
        for (int i = 0; i < table.Length; i++)
            table[i] = -1;
        foreach (AbiCall call in model.Calls)
        {
            if (numberOf(call) is { } number)
                table[number] = call.Number;
        }
        source.Line($"/// <summary>The table's number of each {name} number; -1 where {name} has no call.</summary>");
        source.Line($"private static ReadOnlySpan<short> {name}Numbers =>");
        source.Line($"    [{string.Join(", ", table)}];").Line();
    }
}
