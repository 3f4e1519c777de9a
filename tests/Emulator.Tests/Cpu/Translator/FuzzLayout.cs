namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Where the memory of fuzzed programs is: the same addresses in guests and, for silicon, in this process.</summary>
internal static class FuzzLayout
{
    public const ulong Page = 4096;

    /// <summary>Code, two pages a program, so that it may lie across their boundary.</summary>
    public const ulong Code = 0x0200_0000;
    public const int Places = 512;
    public const ulong PlaceSize = 2 * Page;

    /// <summary>Two pages that can be written; nothing before and behind them.</summary>
    public const ulong Data = 0x0500_0000;
    public const ulong DataSize = 2 * Page;

    /// <summary>One page that can only be read.</summary>
    public const ulong ReadOnly = 0x0500_4000;

    public const ulong Stack = 0x0900_0000;
    public const ulong StackSize = Page;

    /// <summary>The address behind a new window.</summary>
    public const ulong WindowEnd = 1UL << 32;
}
