namespace Vivarium.Emulator.Memory;

/// <summary>What is kept as long as an address space maps something of it: the open file behind a mapping.</summary>
public interface IMappingHolder
{
    /// <summary>An address space has its first area with this holder.</summary>
    void Hold();

    /// <summary>Its last one is gone.</summary>
    void LetGo();
}
