using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.Linux.Calls;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>Files as block devices, by the calls that programs make (loop(4)).</summary>
public sealed class LoopTests : IDisposable
{
    private const int ReadWrite = 2, Create = 0x40;
    private const uint SetFile = 0x4C00, ClearFile = 0x4C01, GetStatus = 0x4C05, SetCapacity = 0x4C07, GetFree = 0x4C82, GetSize = 0x80081272;

    private readonly string _root = Directory.CreateTempSubdirectory("viv-loop").FullName;
    private readonly CallMachine _machine;

    public LoopTests() => _machine = new CallMachine(_root);

    public void Dispose()
    {
        _machine.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private int Open(string path, int flags = ReadWrite)
    {
        CallResult opened = OpenCalls.Openat(_machine.Call, -100, _machine.Text(path), (uint)flags, 0x180);
        Assert.Equal(Errno.None, opened.Error);
        return (int)opened.Value;
    }

    private CallResult Control(int file, uint request, ulong argument = 0) => DescriptorCalls.Ioctl(_machine.Call, file, request, argument);

    private ulong Size(int file)
    {
        Assert.Equal(Errno.None, Control(file, GetSize, _machine.Buffer.Value).Error);
        Assert.True(_machine.Memory.TryRead(_machine.Buffer, out ulong size));
        return size;
    }

    [Fact]
    public void A_file_becomes_a_device_of_whole_sectors_and_stays_one_until_its_last_close()
    {
        Assert.Equal(0, Control(Open("/dev/loop-control"), GetFree).Value);
        int device = Open("/dev/loop0"), file = Open("/image", ReadWrite | Create);
        Assert.Equal(Errno.ENXIO, Control(device, GetStatus, _machine.Buffer.Value).Error);
        Assert.Equal(0ul, Size(device));
        Assert.Equal(Errno.None, ContentCalls.Ftruncate(_machine.Call, file, 1300).Error);
        Assert.Equal(Errno.None, Control(device, SetFile, (ulong)file).Error);
        Assert.Equal(Errno.EBUSY, Control(device, SetFile, (ulong)file).Error);
        Assert.Equal(1024ul, Size(device));
        Assert.Equal(1, Control(Open("/dev/loop-control"), GetFree).Value);
        Assert.Equal(Errno.None, ContentCalls.Ftruncate(_machine.Call, file, 4096).Error);
        Assert.Equal(1024ul, Size(device));
        Assert.Equal(Errno.None, Control(device, SetCapacity).Error);
        Assert.Equal(4096ul, Size(device));
        Assert.Equal(Errno.None, Control(device, ClearFile).Error);
        Assert.Equal(Errno.ENXIO, Control(device, ClearFile).Error);
        OpenCalls.Close(_machine.Call, device);
        Assert.Equal(0, Control(Open("/dev/loop-control"), GetFree).Value);
    }

    [Fact]
    public void What_is_written_to_the_device_is_in_the_file_and_no_more_fits_than_it_has()
    {
        int device = Open("/dev/loop3"), file = Open("/image", ReadWrite | Create);
        ContentCalls.Ftruncate(_machine.Call, file, 1024);
        Assert.Equal(Errno.None, Control(device, SetFile, (ulong)file).Error);
        Assert.True(_machine.Memory.TryWrite(_machine.Buffer, "hello"u8));
        Assert.Equal(5, ReadWriteCalls.Pwrite64(_machine.Call, device, _machine.Buffer, 5, 600).Value);
        Assert.Equal(3, ReadWriteCalls.Pwrite64(_machine.Call, device, _machine.Buffer, 5, 1021).Value);
        Assert.Equal(Errno.ENOSPC, ReadWriteCalls.Pwrite64(_machine.Call, device, _machine.Buffer, 5, 1024).Error);
        Assert.Equal(5, ReadWriteCalls.Pread64(_machine.Call, file, _machine.Buffer + 64, 5, 600).Value);
        byte[] seen = new byte[5];
        Assert.True(_machine.Memory.TryRead(_machine.Buffer + 64, seen));
        Assert.Equal("hello"u8.ToArray(), seen);
        Assert.Equal(1024, ReadWriteCalls.Lseek(_machine.Call, device, 0, 2).Value);
        Assert.Equal(0, ReadWriteCalls.Read(_machine.Call, device, _machine.Buffer, 5).Value);
    }
}
