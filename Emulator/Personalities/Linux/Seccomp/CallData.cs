using Vivarium.Emulator.Kernel.Programs;

namespace Vivarium.Emulator.Personalities.Linux.Seccomp;

/// <summary>A call as filters read it (struct seccomp_data): a word of 32 bits in the host's order at each multiple of 4.</summary>
public readonly ref struct CallData(ReadOnlySpan<uint> words) : IClassicData
{
    private readonly ReadOnlySpan<uint> _words = words;

    public uint Length => (uint)_words.Length * sizeof(uint);

    /// <summary>Words at constant offsets inside; and no remainders (seccomp_check_filter in kernel/seccomp.c).</summary>
    public static bool Takes(ClassicInstruction instruction) => (instruction.Code & 7, instruction.Code & ~7) switch
    {
        (ProgramCodes.Load, ProgramCodes.Absolute) => instruction.K % sizeof(uint) == 0 && instruction.K < CallFilter.DataLength,
        (ProgramCodes.Load or ClassicCodes.LoadIndex, var mode) => mode is ProgramCodes.Immediate or ProgramCodes.InMemory or ClassicCodes.Length,
        (ClassicCodes.Alu, var operation) => (operation & ~ClassicCodes.ByIndex) != ProgramCodes.Modulo,
        _ => true,
    };

    public bool TryLoad(int size, uint offset, ref uint accumulator, uint index)
    {
        accumulator = _words[(int)offset / sizeof(uint)];
        return true;
    }
}
