namespace Vivarium.Emulator.Kernel;

/// <summary>
/// One kernel instance: a process tree with its files, clock and network (design decision 1). Run by one worker at a time, so
/// nothing here locks. Other host threads only <see cref="Post"/>.
/// </summary>
public sealed partial class World
{
    public IClock Clock => throw new NotImplementedException();

    /// <summary>Runs an action on the worker before its next quantum and wakes the world. The one thread-safe entry.</summary>
    public void Post(Action action) => throw new NotImplementedException();
}
