namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>What NetBSD alone asks of an architecture.</summary>
internal interface INetBsdArchitecture
{
    /// <summary>hw.machine.</summary>
    string MachineName { get; }

    /// <summary>hw.machine_arch.</summary>
    string MachineArchitecture { get; }
}
