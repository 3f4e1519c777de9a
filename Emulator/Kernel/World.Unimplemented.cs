namespace Vivarium.Emulator.Kernel;

public sealed partial class World
{
    private readonly Dictionary<int, long> _unimplemented = [];

    /// <summary>How often programs made each call that nothing implements, by the personality's number.</summary>
    public IReadOnlyDictionary<int, long> UnimplementedCalls => _unimplemented;

    public void CountUnimplemented(int number)
    {
        _unimplemented.TryGetValue(number, out long count);
        _unimplemented[number] = count + 1;
    }
}
