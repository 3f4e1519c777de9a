using Vivarium.Emulator.Kernel;

namespace Vivarium.Nodes.Hosting;

/// <summary>Standard input that is known beforehand.</summary>
internal sealed class FixedInput(byte[] content) : IHostInput
{
    private int _taken;

    /// <summary>Never raised: all of it is there from the beginning.</summary>
    public event Action? Available
    {
        add { }
        remove { }
    }

    public bool IsTerminal => false;

    public int TryRead(Span<byte> destination)
    {
        int count = Math.Min(destination.Length, content.Length - _taken);
        content.AsSpan(_taken, count).CopyTo(destination);
        _taken += count;
        return count;
    }
}
