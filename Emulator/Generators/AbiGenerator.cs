using System.Collections.Immutable;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;

namespace Vivarium.Emulator.Generators;

/// <summary>
/// Turns each <c>.abi</c> table into the partial class <c>…Table</c>: dispatch to the handlers found by name, names, numbers of
/// other architectures, and what a tracer needs to know of arguments, values and structures.
/// </summary>
[Generator(LanguageNames.CSharp)]
public sealed class AbiGenerator : IIncrementalGenerator
{
    private static readonly DiagnosticDescriptor Mistake = new(
        "ABI001", "Mistake in a table", "{0}", "Abi", DiagnosticSeverity.Error, isEnabledByDefault: true);

    private static readonly DiagnosticDescriptor Mismatch = new(
        "ABI002", "Handler does not fit its row", "{0}", "Abi", DiagnosticSeverity.Error, isEnabledByDefault: true);

    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<AbiModel> models = context.AdditionalTextsProvider
            .Where(file => file.Path.EndsWith(".abi", StringComparison.Ordinal))
            .Select((file, cancel) => new AbiParser(file.Path).Parse(file.GetText(cancel)?.ToString() ?? ""));
        context.RegisterSourceOutput(models, WriteShapes);

        // The folder that a table is in is the namespace of its handlers; one table an operating system.
        IncrementalValuesProvider<(AbiModel Model, HandlerIndex Handlers, ImmutableArray<HandlerIndex> Shared)> dispatched = models
            .Combine(context.CompilationProvider)
            .Select((pair, _) => (pair.Left, HandlerIndex.Find(pair.Right, Namespace(pair.Left) + ".Calls"), SharedBy.Select(system => HandlerIndex.Find(pair.Right, HandlersOf(system))).ToImmutableArray()));
        context.RegisterSourceOutput(dispatched, (output, pair) => WriteDispatch(output, pair.Model, pair.Handlers, pair.Shared));
    }

    /// <summary>Systems whose handlers rows of other tables may name by <c>same</c>.</summary>
    internal static readonly string[] SharedBy = ["linux", "free_bsd", "bsd"];

    internal static string HandlersOf(string system) => "Vivarium.Emulator.Personalities." + Naming.ToPascal(system) + ".Calls";

    internal static string Namespace(AbiModel model) => "Vivarium.Emulator.Personalities." + Naming.ToPascal(model.Name);

    private static void WriteShapes(SourceProductionContext output, AbiModel model)
    {
        foreach (AbiError error in model.Errors)
            Report(output, Mistake, model, error);
        if (model.Errors.Count != 0)
            return;
        string name = Naming.ToPascal(model.Name);
        Add(output, $"{name}Table.Numbers.g.cs", new NumberWriter(model).Write());
        Add(output, $"{name}Table.Shapes.g.cs", new ShapeWriter(model).WriteCalls());
        Add(output, $"{name}Sets.g.cs", new ShapeWriter(model).WriteSets());
        Add(output, $"{name}Structs.g.cs", new ShapeWriter(model).WriteStructs());
    }

    private static void WriteDispatch(SourceProductionContext output, AbiModel model, HandlerIndex handlers, ImmutableArray<HandlerIndex> shared)
    {
        if (model.Errors.Count != 0)
            return;
        var writer = new DispatchWriter(model, handlers, shared);
        Add(output, $"{Naming.ToPascal(model.Name)}Table.Dispatch.g.cs", writer.Write());
        foreach (AbiError error in writer.Errors)
            Report(output, Mismatch, model, error);
    }

    private static void Add(SourceProductionContext output, string name, string source) =>
        output.AddSource(name, SourceText.From(source, Encoding.UTF8));

    private static void Report(SourceProductionContext output, DiagnosticDescriptor kind, AbiModel model, AbiError error)
    {
        var line = new LinePosition(error.Line, 0);
        Location location = Location.Create(model.Path, default, new LinePositionSpan(line, line));
        output.ReportDiagnostic(Diagnostic.Create(kind, location, error.Message));
    }
}
