using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>An emulated process: address space, descriptors, credentials, signal actions, threads.</summary>
public sealed partial class Process
{
    public World World => throw new NotImplementedException();

    public int Id => throw new NotImplementedException();

    public AddressSpace Memory => throw new NotImplementedException();

    public FileTable Files => throw new NotImplementedException();
}
