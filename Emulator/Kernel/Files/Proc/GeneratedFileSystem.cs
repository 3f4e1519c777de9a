namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>A file system whose files are made when they are looked at.</summary>
public abstract class GeneratedFileSystem(IClock clock, ulong device) : FileSystem(clock)
{
    private ulong _nextInode = 0xF0000000;

    public ulong Device { get; } = device;

    internal ulong NextInode() => _nextInode++;
}
