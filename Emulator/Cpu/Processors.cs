namespace Vivarium.Emulator.Cpu;

/// <summary>What the world calls instruction sets.</summary>
public static class Processors
{
    /// <summary>In order of their numbers.</summary>
    public static IReadOnlyList<Architecture> All { get; } = Enum.GetValues<Architecture>();

    /// <summary>As jobs and nodes name it.</summary>
    public static string Name(Architecture architecture) => architecture switch
    {
        Architecture.X64 => "x64",
        Architecture.Arm64 => "arm64",
        Architecture.RiscV64 => "riscv64",
        _ => throw new ArgumentOutOfRangeException(nameof(architecture)),
    };

    /// <summary>As OpenTelemetry's <c>host.arch</c> names it (semantic conventions, "Host").</summary>
    public static string TelemetryName(Architecture architecture) => architecture == Architecture.X64 ? "amd64" : Name(architecture);

    public static Architecture? Find(string name)
    {
        foreach (Architecture architecture in All)
        {
            if (Name(architecture) == name)
                return architecture;
        }
        return null;
    }

    /// <summary>EM_ of its programs (System V ABI, "ELF Header").</summary>
    public static ushort ElfMachine(Architecture architecture) => architecture switch
    {
        Architecture.X64 => 62,
        Architecture.Arm64 => 183,
        Architecture.RiscV64 => 243,
        _ => throw new ArgumentOutOfRangeException(nameof(architecture)),
    };
}
