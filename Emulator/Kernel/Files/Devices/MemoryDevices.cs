namespace Vivarium.Emulator.Kernel.Files.Devices;

/// <summary>Fills a span with random bytes of the world.</summary>
public delegate void RandomBytes(Span<byte> destination);

/// <summary>The devices of major number 1: null, zero, full, random, urandom (null(4), full(4), random(4)).</summary>
public static class MemoryDevices
{
    public const uint Major = 1;
    public const uint Null = 3;
    public const uint Zero = 5;
    public const uint Full = 7;
    public const uint Random = 8;
    public const uint UnlimitedRandom = 9;

    /// <summary>Bits that the generator is said to hold: all that its pool takes.</summary>
    public const int Entropy = 256;

    public static bool IsRandom(ulong device) => DeviceNumber.Major(device) == Major && DeviceNumber.Minor(device) is Random or UnlimitedRandom;

    public static bool IsZero(ulong device) => DeviceNumber.Major(device) == Major && DeviceNumber.Minor(device) == Zero;

    public static void Register(DeviceTable devices, RandomBytes random)
    {
        foreach (uint minor in (uint[])[Null, Zero, Full, Random, UnlimitedRandom])
            devices.Register(FileKind.CharacterDevice, Major, minor, Opener(minor, random));
    }

    private static NodeOpener Opener(uint minor, RandomBytes random) =>
        (Inode inode, PathEntry path, OpenFlags flags, CallContext _, out OpenFile? file) =>
        {
            file = new MemoryDeviceFile(inode, path, flags, minor, random);
            return Errno.None;
        };

    private sealed class MemoryDeviceFile(Inode inode, PathEntry path, OpenFlags flags, uint minor, RandomBytes random) : OpenFile(flags)
    {
        public override Inode Inode => inode;

        public override PathEntry? Path => path;

        /// <summary>Seeking succeeds and the position stays 0, as the kernel's null_lseek has it; random devices do not care.</summary>
        public override bool CanSeek => true;

        public override bool IsPollable => minor == Random;

        public override IoResult Read(Span<byte> destination)
        {
            switch (minor)
            {
                case Null:
                    return 0;
                case Zero or Full:
                    destination.Clear();
                    return destination.Length;
                default:
                    random(destination);
                    return destination.Length;
            }
        }

        public override IoResult Write(ReadOnlySpan<byte> source) => minor == Full ? Errno.ENOSPC : source.Length;

        public override IoResult ReadAt(long offset, Span<byte> destination) => Read(destination);

        public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source) => Write(source);
    }
}
