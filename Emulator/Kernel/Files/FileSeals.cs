namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What can no longer be done to a file (fcntl(2), "File Sealing"); in Linux's values.</summary>
[Flags]
public enum FileSeals : uint
{
    None = 0,
    Seal = 0x1,
    Shrink = 0x2,
    Grow = 0x4,
    Write = 0x8,

    /// <summary>Writes but those through mappings that exist.</summary>
    FutureWrite = 0x10,

    /// <summary>Changes of the execute bits.</summary>
    Execute = 0x20,
    All = 0x3F,
    AnyWrite = Write | FutureWrite,
}

/// <summary>What is done to a range of a file (fallocate(2)).</summary>
public enum RangeChange : byte
{
    Reserve,
    PunchHole,
    Zero,

    /// <summary>Takes the range out; what follows moves down.</summary>
    Collapse,

    /// <summary>Makes room; what follows moves up.</summary>
    Insert,
}
