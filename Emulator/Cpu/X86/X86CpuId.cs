namespace Vivarium.Emulator.Cpu.X86;

/// <summary>CPUID (SDM Vol. 2, CPUID): an x86-64-v2 processor, exactly what is lowered and no more.</summary>
internal static class X86CpuId
{
    // Leaf 1 EDX: FPU, TSC, MSR, CX8, SEP, CMOV, CLFSH, MMX, FXSR, SSE, SSE2.
    private const uint Leaf1Edx = 1u << 0 | 1u << 4 | 1u << 5 | 1u << 8 | 1u << 15 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26;

    // Leaf 1 ECX: SSE3, PCLMULQDQ, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, hypervisor.
    private const uint Leaf1Ecx = 1u << 0 | 1u << 1 | 1u << 9 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 23 | 1u << 31;

    // Leaf 0x80000001: SYSCALL, NX, RDTSCP, long mode; LAHF.
    private const uint ExtendedEdx = 1u << 11 | 1u << 20 | 1u << 27 | 1u << 29;
    private const uint ExtendedEcx = 1u << 0;

    public static void Execute(ref CpuState state)
    {
        (uint a, uint b, uint c, uint d) = Leaf((uint)state.Registers[0], (uint)state.Registers[1]);
        state.Registers[0] = a;
        state.Registers[3] = b;
        state.Registers[1] = c;
        state.Registers[2] = d;
    }

    private static (uint A, uint B, uint C, uint D) Leaf(uint leaf, uint sub) => leaf switch
    {
        0 => (7, Text("Genu"), Text("ntel"), Text("ineI")),
        // Family 6, model 0x2C (the last with SSE4.2 and no AVX); CLFLUSH line of 64 bytes, one logical processor.
        1 => (0x000206C2, 0x00010800, Leaf1Ecx, Leaf1Edx),
        // 32 KB of instruction and data cache, 256 KB of second level, no descriptors beyond leaf 4.
        2 => (0x00FFFF01, 0, 0, 0),
        4 => CacheLeaf(sub),
        // REP MOVSB and STOSB are fast: they run as the host's own.
        7 when sub == 0 => (0, 1u << 9, 0, 0),
        0x80000000 => (0x80000008, 0, 0, 0),
        0x80000001 => (0, 0, ExtendedEcx, ExtendedEdx),
        0x80000002 => (Text("Viva"), Text("rium"), Text(" x86"), Text("-64 ")),
        0x80000003 => (Text("v2 p"), Text("roce"), Text("ssor"), 0),
        0x80000004 => (0, 0, 0, 0),
        0x80000006 => (0, 0, 0x01006040, 0),
        0x80000007 => (0, 0, 0, 1u << 8),
        0x80000008 => (0x3030, 0, 0, 0),
        _ => (0, 0, 0, 0),
    };

    /// <summary>Deterministic cache parameters: (type | level &lt;&lt; 5, ways-1 : partitions-1 : line-1, sets-1).</summary>
    private static (uint A, uint B, uint C, uint D) CacheLeaf(uint sub) => sub switch
    {
        0 => (0x0121, (7u << 22) | 63, 63, 0),
        1 => (0x0122, (7u << 22) | 63, 63, 0),
        2 => (0x0143, (7u << 22) | 63, 511, 0),
        3 => (0x0163, (15u << 22) | 63, 8191, 2),
        _ => (0, 0, 0, 0),
    };

    private static uint Text(string four) => four[0] | (uint)four[1] << 8 | (uint)four[2] << 16 | (uint)four[3] << 24;
}
