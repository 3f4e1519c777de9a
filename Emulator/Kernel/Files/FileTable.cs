namespace Vivarium.Emulator.Kernel.Files;

/// <summary>A process's descriptors.</summary>
public sealed partial class FileTable
{
    public OpenFile? Get(int descriptor) => throw new NotImplementedException();

    /// <summary>Installs at the lowest free number at or above <paramref name="minimum"/>; EMFILE past the limit. Takes over the caller's reference.</summary>
    public Errno Add(OpenFile file, bool closeOnExec, out int descriptor, int minimum = 0) => throw new NotImplementedException();

    public Errno Close(int descriptor) => throw new NotImplementedException();
}
