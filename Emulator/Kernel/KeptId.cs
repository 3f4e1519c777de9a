namespace Vivarium.Emulator.Kernel;

/// <summary>
/// The id of a process or thread with its numbers in its space and in those above. What tells of who did something keeps it: the numbers in
/// spaces below the first one are given away when nobody has the id any more (struct pid of Linux).
/// </summary>
public sealed class KeptId(PidSpace space, int id)
{
    private readonly int[] _numbers = space.Numbers(id);

    /// <summary>The kernel's own id.</summary>
    public int Id => id;

    /// <summary>The number that a reader in this space sees: 0 when it has none there.</summary>
    public int In(PidSpace reader) => reader.IsAtOrAbove(space) ? _numbers[reader.Level] : 0;
}
