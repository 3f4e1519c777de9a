using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Ipc;

/// <summary>A segment of shared memory (shmget(2)): the table holds its pages once, and each mapping again.</summary>
public sealed class SharedSegment(AnonymousObject pages, ulong size, KeptId creator) : IpcObject
{
    public AnonymousObject Pages => pages;

    public ulong Size => size;

    public KeptId Creator => creator;

    public KeptId? LastProcess { get; set; }

    public long AttachTime { get; set; }

    public long DetachTime { get; set; }

    public bool IsLocked { get; set; }

    /// <summary>Removed while attached: it goes with its last mapping, and keys no longer lead to it.</summary>
    public bool IsDoomed { get; private set; }

    public int Attachments => pages.Mappings;

    public void Doom()
    {
        IsDoomed = true;
        Key = 0;
        pages.Release();
    }

    public override void Remove()
    {
        base.Remove();
        if (!IsDoomed)
            pages.Release();
    }
}
