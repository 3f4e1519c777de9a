using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Personalities.FreeBsd;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.NetBsd;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Emulator.Personalities;

/// <summary>The calls of all systems by the numbers that records have: each table has a range of its own, Linux's begins at 0.</summary>
public static class CallTables
{
    public static string? Name(int number) => number switch
    {
        >= NetBsdTable.Base => NetBsdTable.Name(number),
        >= FreeBsdTable.Base => FreeBsdTable.Name(number),
        _ => LinuxTable.Name(number),
    };

    public static CallShape? Describe(int number) => number switch
    {
        >= NetBsdTable.Base => NetBsdTable.Describe(number),
        >= FreeBsdTable.Base => FreeBsdTable.Describe(number),
        _ => LinuxTable.Describe(number),
    };

    /// <summary>The row with the names that values have on the caller's processor.</summary>
    public static CallShape? Describe(int number, Architecture architecture) => Describe(number)?.On(architecture);

    /// <summary>A call's name; of one that its system's table does not know, "syscall_" and the system's own number.</summary>
    public static string NameOrNumber(int number) => Name(number) ?? $"syscall_{number - Base(number)}";

    private static int Base(int number) => number switch
    {
        >= NetBsdTable.Base => NetBsdTable.Base,
        >= FreeBsdTable.Base => FreeBsdTable.Base,
        _ => 0,
    };

    /// <summary>The name of the system that a call is of.</summary>
    public static string System(int number) => number switch
    {
        >= NetBsdTable.Base => "netbsd",
        >= FreeBsdTable.Base => "freebsd",
        _ => "linux",
    };
}
