using System.Buffers.Text;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// How many areas all worlds of this process may have: the host gives a process only so many mappings (vm.max_map_count), an area with
/// the hole behind it takes two, and without any left the run-time itself cannot go on. Thread-safe.
/// </summary>
public static class MappingBudget
{
    private const long HostDefault = 65_530;

    private static long _used;

    /// <summary>Areas of all worlds: two fifths of the host's mappings. One world gets at most half of them.</summary>
    public static long Limit { get; } = ReadHostLimit() * 2 / 5;

    public static long Used => Interlocked.Read(ref _used);

    internal static bool HasRoom(long more) => Used + more <= Limit;

    internal static void Add(long areas) => Interlocked.Add(ref _used, areas);

    private static long ReadHostLimit() =>
        HostDescriptors.TryReadAll("/proc/sys/vm/max_map_count") is { } text && Utf8Parser.TryParse(text, out long limit, out _) ? limit : HostDefault;
}

/// <summary>Counting areas.</summary>
public sealed partial class AddressSpace
{
    /// <summary>vm.max_map_count, as guests see it.</summary>
    private const int MostAreas = 65_530;

    /// <summary>Areas that a change may add beyond the one it is about: what is cut off at both ends.</summary>
    private const int Cuts = 2;

    private int _counted;

    /// <summary>True when there is room for so many areas more and those they cut off.</summary>
    private bool HasRoomForAreas(int more)
    {
        CountAreas();
        more += Cuts;
        return _areas.Count + more <= MostAreas && _accountant.Areas + more <= MappingBudget.Limit / 2 && MappingBudget.HasRoom(more);
    }

    private void CountAreas() => CountAreas(_areas.Count);

    private void CountAreas(int count)
    {
        if (count == _counted)
            return;
        _accountant.Areas += count - _counted;
        MappingBudget.Add(count - _counted);
        _counted = count;
    }
}
