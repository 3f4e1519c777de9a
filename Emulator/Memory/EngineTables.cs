using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Memory;

/// <summary>
/// What an engine has mapped in the guard in front of a window, where no guest access gets. It stays there when the window goes to another
/// space: mapping a table costs a start two calls of the host and a fault.
/// </summary>
internal sealed class EngineTables
{
    private const int Most = 4;

    /// <summary>A small process would keep a large one's table resident.</summary>
    private const ulong MostKept = 4 * GuestAddress.PageSize;

    private readonly (long Distance, ulong Bytes)[] _tables = new (long, ulong)[Most];

    /// <summary>
    /// Maps memory at <paramref name="distance"/> from the window, always the same for one number. It holds what a space that had the window before left
    /// there. False when the host has no room for it.
    /// </summary>
    public bool TryMap(nint window, int number, long distance, ulong bytes)
    {
        if (_tables[number].Bytes >= bytes)
            return true;
        if (!HostMemory.MapAnonymous((nint)(window + distance), bytes, Protection.ReadWrite))
            return false;
        _tables[number] = (distance, bytes);
        return true;
    }

    /// <summary>Releases what is too large to be left to another space.</summary>
    public void ReleaseLarge(nint window)
    {
        for (int i = 0; i < Most; i++)
        {
            (long distance, ulong bytes) = _tables[i];
            if (bytes <= MostKept)
                continue;
            HostMemory.Release((nint)(window + distance), bytes);
            _tables[i] = default;
        }
    }
}
