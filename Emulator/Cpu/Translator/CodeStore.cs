using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Memory for host code: one memory file mapped twice, so that no address is both writable and executable. Handed out from the
/// front; the caller holds <see cref="Gate"/>'s lock.
/// </summary>
internal sealed unsafe class CodeStore
{
    private readonly byte* _writable;
    private readonly nint _executable;
    private readonly int _size;
    private int _used;

    public CodeStore(int size)
    {
        _size = size;
        int file = HostMemory.NewFile("translations");
        if (file < 0 || LibC.Truncate(file, size) != 0)
            throw new InvalidOperationException("no memory file for translations");
        nint writable = LibC.Map(0, (nuint)size, LibC.ProtectionRead | LibC.ProtectionWrite, LibC.MapShared, file, 0);
        _executable = LibC.Map(0, (nuint)size, LibC.ProtectionRead | LibC.ProtectionExecute, LibC.MapShared, file, 0);
        if (writable == LibC.Failed || _executable == LibC.Failed)
            throw new InvalidOperationException("cannot map memory for translations");
        _writable = (byte*)writable;
    }

    public nint Start => _executable;

    public int Size => _size;

    public int Used => _used;

    public nint RunOffset => _executable - (nint)_writable;

    /// <summary>The writable place of the next code, or null when fewer than <paramref name="length"/> bytes are left.</summary>
    public byte* Reserve(int length) => _size - _used >= length ? _writable + _used : null;

    /// <summary>Takes the bytes that were written.</summary>
    public void Commit(int length) => _used += (length + 15) & ~15;

    /// <summary>Gives back all behind an offset.</summary>
    public void Reset(int used) => _used = used;

    /// <summary>The writable view of an executable address.</summary>
    public byte* Writable(nint address) => _writable + (address - _executable);

    public bool Contains(nint address) => (nuint)(address - _executable) < (nuint)_size;
}
