using System.Collections.Immutable;

namespace Vivarium.Emulator.Generators;

/// <summary>
/// Writes <c>Dispatch</c>: from a call's number to its handler, with the arguments cast to the handler's types. A switch in two
/// steps, 32 numbers each, so that only the parts that a program uses are ever compiled.
/// </summary>
internal sealed class DispatchWriter(AbiModel model, HandlerIndex handlers, ImmutableArray<HandlerIndex> shared)
{
    private const int Part = 32;

    private readonly List<AbiError> _errors = [];

    public IReadOnlyList<AbiError> Errors => _errors;

    public string Write()
    {
        SortedDictionary<int, string> arms = [];
        foreach (AbiCall call in model.Calls)
        {
            if (Expression(call) is { } expression)
                arms.Add(call.Number, expression);
        }
        var source = new SourceWriter();
        source.Line("using System;").Line("using Vivarium.Emulator.Kernel;").Line("using Vivarium.Emulator.Memory;");
        source.Line($"using {AbiGenerator.Namespace(model)}.Calls;").Line();
        source.Line($"namespace {AbiGenerator.Namespace(model)};").Line();
        source.Open($"partial class {Naming.ToPascal(model.Name)}Table");
        WriteParts(source, arms);
        WriteImplemented(source, arms);
        return source.Close().ToString();
    }

    private static void WriteParts(SourceWriter source, SortedDictionary<int, string> arms)
    {
        List<IGrouping<int, KeyValuePair<int, string>>> parts = [.. arms.GroupBy(arm => arm.Key / Part)];
        source.Line("/// <summary>Runs the handler of the call under way; ENOSYS, counted, when there is none.</summary>");
        source.Line("public static CallResult Dispatch(CallContext call) => (call.Number >> 5) switch").Line("{");
        foreach (IGrouping<int, KeyValuePair<int, string>> part in parts)
            source.Line($"    {part.Key} => Dispatch{part.Key}(call, call.Arguments),");
        source.Line("    _ => Unimplemented(call),").Line("};");
        foreach (IGrouping<int, KeyValuePair<int, string>> part in parts)
        {
            source.Line().Line($"private static CallResult Dispatch{part.Key}(CallContext call, ReadOnlySpan<ulong> a) => call.Number switch").Line("{");
            foreach (KeyValuePair<int, string> arm in part)
                source.Line($"    {arm.Key} => {arm.Value},");
            source.Line("    _ => Unimplemented(call),").Line("};");
        }
    }

    private static void WriteImplemented(SourceWriter source, SortedDictionary<int, string> arms)
    {
        ulong[] bits = new ulong[arms.Count == 0 ? 1 : (arms.Keys.Max() / 64) + 1];
        foreach (int number in arms.Keys)
            bits[number / 64] |= 1UL << (number % 64);
        source.Line().Line("private static ReadOnlySpan<ulong> ImplementedBits =>");
        source.Line($"    [{string.Join(", ", bits.Select(word => $"0x{word:x}UL"))}];");
    }

    /// <summary>The call of a row's handler, or null when it has none.</summary>
    private string? Expression(AbiCall call)
    {
        string[] same = call.Same?.Split(' ') ?? [];
        string system = same.Length == 2 ? same[0] : "linux";
        int source = Array.IndexOf(AbiGenerator.SharedBy, system);
        string name = Naming.ToPascal(same.Length == 0 ? call.Name : same[same.Length - 1]);
        HandlerIndex? index = same.Length == 0 ? handlers : source < 0 ? null : shared[source];
        List<Handler> found = [.. index?.Handlers.Where(handler => handler.Name == name) ?? []];
        if (found.Count == 0)
        {
            if (call.Same is not null)
                _errors.Add(new AbiError(call.Line, $"{call.Name}: no handler is called {call.Same}"));
            return null;
        }
        if (found.Count > 1)
        {
            _errors.Add(new AbiError(call.Line, $"{call.Name} has several handlers: {string.Join(", ", found.Select(handler => handler.Class + "." + name))}"));
            return null;
        }
        string[] types = found[0].Parameters.Length == 0 ? [] : found[0].Parameters.Split(',');
        if (types.Length != call.Arguments.Count)
        {
            _errors.Add(new AbiError(call.Line, $"{found[0].Class}.{name} takes {types.Length} arguments, {call.Name} has {call.Arguments.Count}"));
            return null;
        }
        List<string> arguments = ["call"];
        for (int i = 0; i < types.Length; i++)
            arguments.Add(Cast(call, found[0], types[i], i));
        return $"{(call.Same is null ? "" : $"global::{AbiGenerator.HandlersOf(system)}.")}{found[0].Class}.{name}({string.Join(", ", arguments)})";
    }

    /// <summary>A register as the handler's parameter: the low half for 32-bit types, as the kernel's own entry does.</summary>
    private string Cast(AbiCall call, Handler handler, string type, int index)
    {
        switch (type)
        {
            case "int" or "uint" or "long" or "short" or "ushort":
                return $"({type})a[{index}]";
            case "ulong":
                return $"a[{index}]";
            case "Vivarium.Emulator.Memory.GuestAddress":
                return $"new GuestAddress(a[{index}])";
            default:
                _errors.Add(new AbiError(call.Line, $"{handler.Class}.{handler.Name}: argument {index + 1} has a type that no register has: {type}"));
                return "default";
        }
    }
}
