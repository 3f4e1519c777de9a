using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>The host's memory calls (mmap(2) and its family). Results are the C library's: -1 with the error in the last P/Invoke error.</summary>
internal static unsafe partial class LibC
{
    public const int ProtectionNone = 0;
    public const int ProtectionRead = 1;
    public const int ProtectionWrite = 2;
    public const int ProtectionExecute = 4;
    public const int MapShared = 0x01;
    public const int MapPrivate = 0x02;
    public const int MapFixed = 0x10;
    public const int MapAnonymous = 0x20;
    public const int MapNoReserve = 0x4000;
    public const int MapFixedNoReplace = 0x100000;
    public const int RemapMayMove = 1;
    public const int RemapFixed = 2;
    public const int AdviseDontNeed = 4;
    public const int AdvisePopulateRead = 22;
    public const int AdvisePopulateWrite = 23;
    public const int AdviseRemove = 9;
    public const int Failed = -1;

    /// <summary>AT_HWCAP2, and its bit that says that programs may set FS and GS.</summary>
    public const ulong HardwareCapabilities2 = 26;
    public const ulong FsGsBase = 2;

    [LibraryImport("libc", EntryPoint = "getauxval")]
    public static partial ulong AuxiliaryValue(ulong type);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    public static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "mremap", SetLastError = true)]
    public static partial nint Remap(nint address, nuint oldLength, nuint newLength, int flags, nint newAddress);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    public static partial int Advise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "mincore", SetLastError = true)]
    public static partial int InCore(nint address, nuint length, byte* vector);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Control(int file, ulong request, void* argument);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true)]
    public static partial int MemoryFile(byte* name, uint flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int file);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int Truncate(int file, long length);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint Read(int file, void* buffer, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint Write(int file, void* buffer, nuint length, long offset);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(int file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true)]
    public static partial int Open(byte* path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    public static partial int SignalAction(int signal, void* action, void* old);
}
