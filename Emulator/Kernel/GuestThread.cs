using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Kernel;

/// <summary>A guest thread: data, not a host thread (design decision 1).</summary>
public sealed partial class GuestThread
{
    public int Id => throw new NotImplementedException();

    public Process Process => throw new NotImplementedException();

    public GuestCpu Cpu => throw new NotImplementedException();

    public CallContext Call => throw new NotImplementedException();
}
