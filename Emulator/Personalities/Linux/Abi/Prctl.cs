using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct prctl_mm_map (PR_SET_MM_MAP of prctl(2)).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PrctlMemoryMap
{
    public ulong CodeStart, CodeEnd, DataStart, DataEnd, BreakStart, Break, StackStart, ArgumentStart, ArgumentEnd, EnvironmentStart, EnvironmentEnd, Auxiliary;
    public uint AuxiliarySize, Executable;
}
