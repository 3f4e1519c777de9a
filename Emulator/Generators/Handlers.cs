using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace Vivarium.Emulator.Generators;

/// <summary>A method that may handle a call: where it is and the types of its parameters after the context.</summary>
internal sealed record Handler(string Class, string Name, string Parameters);

/// <summary>The handlers of a compilation, compared by content so that unrelated edits generate nothing anew.</summary>
internal sealed class HandlerIndex(ImmutableArray<Handler> handlers) : IEquatable<HandlerIndex>
{
    private const string Context = "Vivarium.Emulator.Kernel.CallContext";
    private const string Result = "Vivarium.Emulator.Kernel.CallResult";

    public ImmutableArray<Handler> Handlers { get; } = handlers;

    /// <summary>Public static methods of the classes <c>…Calls</c> in a namespace that take a context and return a result.</summary>
    public static HandlerIndex Find(Compilation compilation, string namespaceName)
    {
        ImmutableArray<Handler>.Builder found = ImmutableArray.CreateBuilder<Handler>();
        INamespaceSymbol? space = compilation.Assembly.GlobalNamespace;
        foreach (string part in namespaceName.Split('.'))
            space = space?.GetNamespaceMembers().FirstOrDefault(member => member.Name == part);
        foreach (INamedTypeSymbol type in space?.GetTypeMembers() ?? [])
        {
            if (!type.Name.EndsWith("Calls", StringComparison.Ordinal))
                continue;
            foreach (IMethodSymbol method in type.GetMembers().OfType<IMethodSymbol>().Where(IsHandler))
            {
                string parameters = string.Join(",", method.Parameters.Skip(1).Select(parameter => parameter.Type.ToDisplayString()));
                found.Add(new Handler(type.Name, method.Name, parameters));
            }
        }
        return new HandlerIndex(found.ToImmutable());
    }

    public bool Equals(HandlerIndex? other) => other is not null && Handlers.SequenceEqual(other.Handlers);

    public override bool Equals(object? other) => Equals(other as HandlerIndex);

    public override int GetHashCode() => Handlers.Length;

    private static bool IsHandler(IMethodSymbol method) =>
        method is { IsStatic: true, DeclaredAccessibility: Accessibility.Public, Parameters.Length: > 0 }
        && method.ReturnType.ToDisplayString() == Result
        && method.Parameters[0].Type.ToDisplayString() == Context;
}
