using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel;

public sealed partial class World
{
    /// <summary>The tree of mounts. Set when the world is set up.</summary>
    public Vfs Vfs { get; set; } = null!;
}

public sealed partial class Process
{
    /// <summary>Root, working directory and creation mask; shared by processes made with CLONE_FS.</summary>
    public FileContext FileContext { get; set; } = null!;
}

public sealed partial class GuestThread
{
    /// <summary>What file access is checked against; follows the thread's credentials.</summary>
    public FileCredentials FileCredentials { get; set; } = FileCredentials.Root;

    /// <summary>The same with the real instead of the effective ids, for access(2).</summary>
    public FileCredentials RealFileCredentials { get; set; } = FileCredentials.Root;
}
