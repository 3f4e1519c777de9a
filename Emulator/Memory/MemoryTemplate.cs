namespace Vivarium.Emulator.Memory;

/// <summary>What a copy maps in place of an object of its template: one of the same content, and what is kept while it is mapped.</summary>
public readonly record struct TemplateContent(MemoryObject Original, MemoryObject Own, IMappingHolder? Holder);

/// <summary>
/// What a program looks like in memory before it runs, made once: a start of it is a copy, as fork makes them, in the window of one that has
/// ended. Copies may be made by several threads at a time.
/// </summary>
public sealed class MemoryTemplate : IDisposable
{
    private readonly AddressSpace _original;

    /// <summary>Takes over a space that a program was loaded into and that never ran. Its objects must be its own.</summary>
    public MemoryTemplate(AddressSpace loaded)
    {
        _original = loaded;
        loaded.MakeTemplate();
    }

    /// <summary>
    /// A copy that is charged to <paramref name="accountant"/>, with other objects of the same content in place of the template's; null when the
    /// commit limit forbids it. <see cref="AddressSpace.Settle"/> is to be called once all of the program is mapped.
    /// </summary>
    public AddressSpace? Copy(MemoryAccountant accountant, MemoryLimits limits, params ReadOnlySpan<TemplateContent> objects) =>
        _original.CopyTemplate(accountant, limits, objects);

    public void Dispose() => _original.Dispose();
}
