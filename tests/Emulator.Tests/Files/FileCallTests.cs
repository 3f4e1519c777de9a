using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>Handlers of the file calls, with guest memory that ends.</summary>
public sealed class FileCallTests : IDisposable
{
    private const uint ReadWriteCreate = 0x42;

    private readonly string _root = Directory.CreateTempSubdirectory("calls-").FullName;
    private readonly CallMachine _machine;

    public FileCallTests()
    {
        File.WriteAllText(Path.Combine(_root, "ten"), "0123456789");
        _machine = new CallMachine(_root);
    }

    public void Dispose()
    {
        _machine.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private static Errno Error(CallResult result) => result.Outcome == CallOutcome.Error ? result.Error : Errno.None;

    private int Open(string path, uint flags = 0, uint mode = 0x1A4)
    {
        CallResult result = OpenCalls.Open(_machine.Call, _machine.Text(path), flags, mode);
        Assert.Equal(Errno.None, Error(result));
        return (int)result.Value;
    }

    [Fact]
    public void A_read_into_memory_that_ends_is_short_and_one_behind_it_faults()
    {
        int fd = Open("/ten");
        Assert.Equal(4, ReadWriteCalls.Read(_machine.Call, fd, _machine.BufferEnd - 4, 10).Value);
        Assert.Equal("0123", _machine.Read(_machine.BufferEnd - 4, 4));
        Assert.Equal(Errno.EFAULT, Error(ReadWriteCalls.Read(_machine.Call, fd, _machine.BufferEnd, 10)));
        Assert.Equal(6, ReadWriteCalls.Read(_machine.Call, fd, _machine.Buffer, 10).Value);
        // At the end of the file no byte needs a place.
        Assert.Equal(0, ReadWriteCalls.Read(_machine.Call, fd, _machine.BufferEnd, 10).Value);
        Assert.Equal(Errno.EBADF, Error(ReadWriteCalls.Write(_machine.Call, fd, _machine.Buffer, 1)));
    }

    [Fact]
    public void Duplicates_share_a_position_and_appending_writes_at_the_end()
    {
        int fd = Open("/new", ReadWriteCreate);
        int copy = (int)DescriptorCalls.Dup(_machine.Call, fd).Value;
        Assert.Equal(3, ReadWriteCalls.Write(_machine.Call, fd, _machine.Text("abc"), 3).Value);
        Assert.Equal(3, ReadWriteCalls.Lseek(_machine.Call, copy, 0, 1).Value);
        Assert.Equal(0x8002, DescriptorCalls.Fcntl(_machine.Call, fd, 3, 0).Value);
        Assert.Equal(0, DescriptorCalls.Fcntl(_machine.Call, fd, 4, Fcntl.Append).Value);
        Assert.Equal(0, ReadWriteCalls.Lseek(_machine.Call, fd, 0, 0).Value);
        Assert.Equal(1, ReadWriteCalls.Write(_machine.Call, copy, _machine.Text("d"), 1).Value);
        Assert.Equal(4, ReadWriteCalls.Pread64(_machine.Call, fd, _machine.Buffer, 100, 0).Value);
        Assert.Equal("abcd", _machine.Read(_machine.Buffer, 4));
    }

    [Fact]
    public void Vectors_are_filled_in_order()
    {
        int fd = Open("/ten");
        GuestAddress vectors = _machine.Buffer + 0x100;
        _machine.Memory.TryWrite(vectors, new IoVector { Base = _machine.Buffer.Value, Length = 3 });
        _machine.Memory.TryWrite(vectors + 16, new IoVector { Base = _machine.BufferEnd.Value - 2, Length = 5 });
        Assert.Equal(5, ReadWriteCalls.Readv(_machine.Call, fd, vectors, 2).Value);
        Assert.Equal("012", _machine.Read(_machine.Buffer, 3));
        Assert.Equal("34", _machine.Read(_machine.BufferEnd - 2, 2));
        Assert.Equal(Errno.EINVAL, Error(ReadWriteCalls.Readv(_machine.Call, fd, vectors, 1025)));
    }

    [Fact]
    public void Directory_entries_come_in_pieces_with_cookies_to_go_on_from()
    {
        int fd = Open("/", Fcntl.Directory);
        Assert.Equal(Errno.EINVAL, Error(DirectoryCalls.Getdents64(_machine.Call, fd, _machine.Buffer, 16)));
        List<string> names = [];
        while (DirectoryCalls.Getdents64(_machine.Call, fd, _machine.Buffer, 48) is { Value: > 0 } result)
        {
            Assert.Equal(Errno.None, Error(result));
            for (ulong at = 0; at < (ulong)result.Value;)
            {
                _machine.Memory.TryRead(_machine.Buffer + at + 16, out ushort length);
                names.Add(_machine.Read(_machine.Buffer + at + 19, length - 19).TrimEnd('\0'));
                at += length;
            }
        }
        Assert.Equal([".", "..", "dev", "proc", "sys", "ten"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Proc_shows_the_process_that_asks()
    {
        int fd = Open("/ten");
        CallResult length = NameCalls.Readlink(_machine.Call, _machine.Text($"/proc/self/fd/{fd}"), _machine.Buffer, 100);
        Assert.Equal("/ten", _machine.Read(_machine.Buffer, (int)length.Value));
        int status = Open("/proc/self/status");
        CallResult read = ReadWriteCalls.Read(_machine.Call, status, _machine.Buffer, 4000);
        Assert.Contains($"\nPid:\t{_machine.Thread.Process.Id}\n", _machine.Read(_machine.Buffer, (int)read.Value), StringComparison.Ordinal);
        // What the link leads to is the file itself, also when its name is gone.
        Assert.Equal(Errno.None, Error(NameCalls.Unlink(_machine.Call, _machine.Text("/ten"))));
        int again = Open($"/proc/self/fd/{fd}");
        Assert.Equal(10, ReadWriteCalls.Read(_machine.Call, again, _machine.Buffer, 100).Value);
        length = NameCalls.Readlink(_machine.Call, _machine.Text($"/proc/self/fd/{fd}"), _machine.Buffer, 100);
        Assert.Equal("/ten (deleted)", _machine.Read(_machine.Buffer, (int)length.Value));
        int self = Open("/proc/self/maps");
        Assert.NotEqual(0, ReadWriteCalls.Read(_machine.Call, self, _machine.Buffer, 4000).Value);
        int all = Open("/proc/self/stat");
        Assert.NotEqual(0, ReadWriteCalls.Read(_machine.Call, all, _machine.Buffer, 4000).Value);
    }

    [Fact]
    public void The_working_directory_has_a_path_from_the_root_of_the_process()
    {
        Assert.Equal(Errno.None, Error(NameCalls.Mkdir(_machine.Call, _machine.Text("/a"), 0x1ED)));
        Assert.Equal(Errno.None, Error(NameCalls.Mkdir(_machine.Call, _machine.Text("/a/b"), 0x1ED)));
        Assert.Equal(Errno.None, Error(DirectoryCalls.Chdir(_machine.Call, _machine.Text("/a/b"))));
        Assert.Equal(Errno.None, Error(DirectoryCalls.Chroot(_machine.Call, _machine.Text("/a"))));
        Assert.Equal(3, DirectoryCalls.Getcwd(_machine.Call, _machine.Buffer, 100).Value);
        Assert.Equal("/b\0", _machine.Read(_machine.Buffer, 3));
        Assert.Equal(Errno.ENOENT, Error(OpenCalls.Open(_machine.Call, _machine.Text("/../ten"), 0, 0)));
        Assert.Equal(Errno.ERANGE, Error(DirectoryCalls.Getcwd(_machine.Call, _machine.Buffer, 2)));
    }

    [Fact]
    public void Bytes_are_copied_between_files()
    {
        int from = Open("/ten");
        int to = Open("/copy", ReadWriteCreate);
        Assert.Equal(10, SpliceCalls.Sendfile(_machine.Call, to, from, GuestAddress.Null, 100).Value);
        Assert.Equal(0, SpliceCalls.Sendfile(_machine.Call, to, from, GuestAddress.Null, 100).Value);
        _machine.Memory.TryWrite(_machine.Buffer, 2L);
        Assert.Equal(5, SpliceCalls.CopyFileRange(_machine.Call, from, _machine.Buffer, to, GuestAddress.Null, 5, 0).Value);
        Assert.Equal(15, ReadWriteCalls.Pread64(_machine.Call, to, _machine.Buffer, 100, 0).Value);
        Assert.Equal("012345678923456", _machine.Read(_machine.Buffer, 15));
    }

    [Fact]
    public void Openat2_keeps_a_walk_beneath_its_directory()
    {
        Assert.Equal(Errno.None, Error(NameCalls.Mkdir(_machine.Call, _machine.Text("/d"), 0x1ED)));
        Assert.Equal(Errno.None, Error(NameCalls.Symlink(_machine.Call, _machine.Text("/ten"), _machine.Text("/d/out", 100))));
        int directory = Open("/d", Fcntl.PathOnly);
        foreach ((ulong resolve, string path, Errno expected) in ((ulong, string, Errno)[])
            [(8, "../ten", Errno.EXDEV), (8, "out", Errno.EXDEV), (16, "../ten", Errno.ENOENT), (4, "out", Errno.ELOOP), (0, "out", Errno.None)])
        {
            _machine.Memory.TryWrite(_machine.Buffer, new OpenHow { Resolve = resolve });
            Assert.Equal(expected, Error(OpenCalls.Openat2(_machine.Call, directory, _machine.Text(path), _machine.Buffer, 24)));
        }
    }

    [Fact]
    public void Random_arguments_never_throw()
    {
        Random random = new(20261121);
        ulong[] odd = [0, 1, 3, 100, ulong.MaxValue, 1UL << 63, 0x7FFF_FFFF, 0x8000_0000, 4096, _machine.Buffer.Value, _machine.BufferEnd.Value - 1, _machine.Text("/ten").Value];
        System.Reflection.MethodInfo[] handlers = [.. typeof(OpenCalls).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(OpenCalls).Namespace && type.Name is "OpenCalls" or "ReadWriteCalls" or "StatCalls" or "NameCalls" or "AttributeCalls"
                or "ContentCalls" or "DirectoryCalls" or "DescriptorCalls" or "ExtendedAttributeCalls" or "LockCalls" or "MountCalls")
            .SelectMany(type => type.GetMethods(System.Reflection.BindingFlags.Public | System.Reflection.BindingFlags.Static))
            .OrderBy(method => method.Name, StringComparer.Ordinal)];
        Assert.InRange(handlers.Length, 80, 200);
        for (int i = 0; i < 20_000; i++)
        {
            System.Reflection.MethodInfo handler = handlers[random.Next(handlers.Length)];
            object[] arguments = [.. handler.GetParameters().Select(parameter => Convert(parameter.ParameterType, odd[random.Next(odd.Length)]))];
            arguments[0] = _machine.Call;
            handler.Invoke(null, arguments);
        }
    }

    private static object Convert(Type type, ulong value)
    {
        if (type == typeof(GuestAddress))
            return new GuestAddress(value);
        if (type == typeof(int))
            return (int)value;
        if (type == typeof(uint))
            return (uint)value;
        return type == typeof(long) ? (long)value : value;
    }
}
