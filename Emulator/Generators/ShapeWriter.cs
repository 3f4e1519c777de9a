using System.Globalization;

namespace Vivarium.Emulator.Generators;

/// <summary>
/// Writes what a tracer knows of calls, sets and structures. Everything is built when it is first asked for: a run that is not
/// listed never touches it.
/// </summary>
internal sealed class ShapeWriter(AbiModel model)
{
    private const int Part = 32;

    private string System => Naming.ToPascal(model.Name);

    public string WriteCalls()
    {
        SourceWriter source = Begin("Table");
        List<IGrouping<int, AbiCall>> parts = [.. model.Calls.OrderBy(call => call.Number).GroupBy(call => call.Number / Part)];
        source.Line("/// <summary>What a call takes and returns, or null for a number that the system does not know.</summary>");
        source.Line("public static CallShape? Describe(int number) => (number >> 5) switch").Line("{");
        foreach (IGrouping<int, AbiCall> part in parts)
            source.Line($"    {part.Key} => Describe{part.Key}(number),");
        source.Line("    _ => null,").Line("};");
        foreach (IGrouping<int, AbiCall> part in parts)
        {
            source.Line().Line($"private static CallShape? Describe{part.Key}(int number) => number switch").Line("{");
            foreach (AbiCall call in part)
                WriteCall(source, call);
            source.Line("    _ => null,").Line("};");
        }
        return source.Close().ToString();
    }

    private void WriteCall(SourceWriter source, AbiCall call)
    {
        source.Line($"    {call.Number} => new CallShape({call.Number}, {Naming.Literal(call.Name)}, {Text(call.Class)},");
        source.Line("    [");
        foreach (AbiArgument argument in call.Arguments)
        {
            (string kind, int count) = Count(call, argument);
            source.Line($"        new({Naming.Literal(argument.Name)}, Direction.{argument.Direction}, {Type(argument.Kind)}, CountKind.{kind}, {count}),");
        }
        source.Line($"    ], {Type(call.Result)})").Line("    {");
        source.Line($"        Arm64 = {Number(call.Arm64)}, RiscV64 = {Number(call.RiscV64)}, Absent = {Text(call.Absent)}, Partial = {Text(call.Partial)}, Refused = {Text(call.Refused)},");
        if (call.Errors is not null)
            source.Line($"        Errors = [{string.Join(", ", model.ErrorsOf(call).Select(error => "Errno." + error))}],");
        source.Line($"        Notes = {Text(call.Notes.Count == 0 ? null : string.Join(" ", call.Notes))},").Line("    },");
    }

    private static (string Kind, int Count) Count(AbiCall call, AbiArgument argument) => argument.Count switch
    {
        null => ("One", 1),
        "ret" => ("Result", 0),
        { } text when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) => ("Fixed", number),
        { } text => ("Argument", call.Arguments.FindIndex(other => other.Name == text)),
    };

    public string WriteSets()
    {
        SourceWriter source = Begin("Sets");
        foreach (AbiSet set in model.Sets)
        {
            string name = Naming.ToPascal(set.Name);
            source.Line($"private static NamedSet? _{name};").Line();
            source.Line($"public static NamedSet {name} => _{name} ??= new NamedSet({Naming.Literal(set.Name)}, {Bool(set.IsFlags)}, {set.Size}, {Bool(set.IsSigned)},");
            WriteValues(source, set.Values);
            if (set.Arm64Values.Count > 0)
            {
                source.Line(") { Arm64Values =");
                WriteValues(source, [.. set.Values.Select(value => set.Arm64Values.Find(other => other.Name == value.Name) ?? value)]);
                source.Line("};").Line();
            }
            else
            {
                source.Line(");").Line();
            }
        }
        WriteAll(source, "NamedSet", model.Sets.Select(set => set.Name));
        return source.Close().ToString();
    }

    private static void WriteValues(SourceWriter source, List<AbiValue> values)
    {
        source.Line("[");
        foreach (AbiValue value in values)
            source.Line($"    new(0x{value.Value:x}, 0x{value.Mask:x}, {Naming.Literal(value.Name)}),");
        source.Line("]");
    }

    public string WriteStructs()
    {
        SourceWriter source = Begin("Structs");
        foreach (AbiStruct structure in model.Structs)
        {
            string name = Naming.ToPascal(structure.Name);
            source.Line($"private static StructShape? _{name};").Line();
            source.Line($"public static StructShape {name} => _{name} ??= new StructShape({Naming.Literal(structure.Name)}, {Text(CName(structure))}, {structure.Size},");
            source.Line("[");
            foreach (AbiMember member in structure.Members)
                source.Line($"    new({Naming.Literal(member.Name)}, {Type(member.Kind)}, {member.Offset}, {member.Count}, {Bool(member.IsShown)}, {Bool(member.IsOptional)}),");
            source.Line("]);").Line();
        }
        WriteAll(source, "StructShape", model.Structs.Select(structure => structure.Name));
        return source.Close().ToString();
    }

    private static void WriteAll(SourceWriter source, string type, IEnumerable<string> names)
    {
        source.Line("/// <summary>All of them, in the table's order.</summary>");
        source.Line($"public static {type}[] All() => [{string.Join(", ", names.Select(Naming.ToPascal))}];");
    }

    private SourceWriter Begin(string suffix)
    {
        var source = new SourceWriter();
        source.Line("using System;").Line("using Vivarium.Emulator.Kernel;").Line("using Vivarium.Emulator.Personalities.Tables;").Line();
        source.Line($"namespace {AbiGenerator.Namespace(model)};").Line();
        string form = suffix == "Table" ? "partial class" : "public static class";
        return source.Open($"{form} {System}{suffix}");
    }

    /// <summary>The type of a value: its kind, and the set or structure that a name of the table stands for.</summary>
    private string Type(string kind)
    {
        if (model.SetsByName.TryGetValue(kind, out AbiSet? set))
            return $"new(ValueKind.Set, {set.Size}, Set: {System}Sets.{Naming.ToPascal(kind)})";
        if (model.StructsByName.TryGetValue(kind, out AbiStruct? structure))
            return $"new(ValueKind.Struct, {structure.Size}, Struct: {System}Structs.{Naming.ToPascal(kind)})";
        return $"new(ValueKind.{Naming.ToPascal(kind)}, {Kinds.SizeOf(kind)})";
    }

    private static string? CName(AbiStruct structure) => structure.CName switch
    {
        "-" => null,
        null => structure.Name,
        { } name => name,
    };

    private static string Text(string? text) => text is null or "-" ? "null" : Naming.Literal(text);

    private static string Number(int? number) => number is { } value ? value.ToString(CultureInfo.InvariantCulture) : "null";

    private static string Bool(bool value) => value ? "true" : "false";
}
