using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.Linux.Calls;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>Quotas of a tmpfs (tmpfs(5), quotactl(2)), for callers that are bound by them.</summary>
public sealed class QuotaTests : IDisposable
{
    private const uint GetQuota = 0x800007U << 8, SetQuota = 0x800008U << 8, TurnOn = 0x800002U << 8, TurnOff = 0x800003U << 8, GetFormat = 0x800004U << 8;
    private const uint GetNext = 0x800009U << 8, GetInformation = 0x800005U << 8, OfGroups = 1;
    private const int QuotaSize = 72;

    private readonly string _root = Directory.CreateTempSubdirectory("quota-").FullName;
    private readonly CallMachine _machine;

    public QuotaTests()
    {
        Directory.CreateDirectory(Path.Combine(_root, "t"));
        _machine = new CallMachine(_root);
    }

    public void Dispose()
    {
        _machine.Dispose();
        Directory.Delete(_root, recursive: true);
    }

    private static Errno Error(CallResult result) => result.Outcome == CallOutcome.Error ? result.Error : Errno.None;

    private int Mount(string options)
    {
        Assert.Equal(Errno.None, Error(MountCalls.Mount(_machine.Call, _machine.Text("none"), _machine.Text("/t", 64), _machine.Text("tmpfs", 128), 0, _machine.Text(options, 256))));
        return Open("/t", 0);
    }

    private int Open(string path, uint flags = 0x42) => (int)OpenCalls.Open(_machine.Call, _machine.Text(path), flags, 0x1A4).Value;

    private ulong[] Quota(int fd, uint id, uint kind = 0)
    {
        Assert.Equal(Errno.None, Error(QuotaCalls.QuotactlFd(_machine.Call, fd, GetQuota | kind, id, _machine.Buffer)));
        byte[] bytes = new byte[QuotaSize];
        Assert.True(_machine.Memory.TryRead(_machine.Buffer, bytes));
        return [.. Enumerable.Range(0, 8).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8 * i)))];
    }

    private Errno Limit(int fd, uint id, ulong hardBlocks, ulong softBlocks, ulong hardFiles, ulong softFiles)
    {
        byte[] bytes = new byte[QuotaSize];
        ulong[] words = [hardBlocks, softBlocks, 0, hardFiles, softFiles];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8 * i), words[i]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(64), 5);
        Assert.True(_machine.Memory.TryWrite(_machine.Buffer, bytes));
        return Error(QuotaCalls.QuotactlFd(_machine.Call, fd, SetQuota, id, _machine.Buffer));
    }

    private CallResult Write(int fd, ulong length) => ReadWriteCalls.Write(_machine.Call, fd, _machine.Buffer, length);

    [Fact]
    public void A_file_system_without_quotas_has_none()
    {
        int top = Mount("size=1m");
        Assert.Equal(Errno.ENOSYS, Error(QuotaCalls.QuotactlFd(_machine.Call, top, GetQuota, 0, _machine.Buffer)));
        Assert.Equal(Errno.EINVAL, Error(QuotaCalls.QuotactlFd(_machine.Call, top, GetQuota | 3, 0, _machine.Buffer)));
        Assert.Equal(Errno.EBADF, Error(QuotaCalls.QuotactlFd(_machine.Call, 99, GetQuota | 3, 0, _machine.Buffer)));
    }

    [Fact]
    public void Space_and_files_are_counted_for_their_owner_and_given_back()
    {
        int top = Mount("usrquota");
        int fd = Open("/t/a");
        Assert.Equal(5000, Write(fd, 5000).Value);
        Assert.Equal([0, 0, 8192, 0, 0, 2, 0, 0], Quota(top, 0));
        AttributeCalls.Fchown(_machine.Call, fd, 7, 7);
        Assert.Equal([0, 0, 0, 0, 0, 1, 0, 0], Quota(top, 0));
        Assert.Equal([0, 0, 8192, 0, 0, 1, 0, 0], Quota(top, 7));
        Assert.Equal(Errno.ESRCH, Error(QuotaCalls.QuotactlFd(_machine.Call, top, GetQuota | OfGroups, 7, _machine.Buffer)));
        Assert.Equal(Errno.None, Error(QuotaCalls.QuotactlFd(_machine.Call, top, GetNext, 1, _machine.Buffer)));
        NameCalls.Unlink(_machine.Call, _machine.Text("/t/a"));
        OpenCalls.Close(_machine.Call, fd);
        Assert.Equal([0, 0, 0, 0, 0, 0, 0, 0], Quota(top, 7));
        Assert.Equal(Errno.ENOENT, Error(QuotaCalls.QuotactlFd(_machine.Call, top, GetNext, 1, _machine.Buffer)));
    }

    [Fact]
    public void Nobody_gets_more_than_the_hard_limit()
    {
        int top = Mount("quota");
        Assert.Equal(Errno.None, Limit(top, 0, hardBlocks: 12, softBlocks: 4, hardFiles: 3, softFiles: 0));
        int fd = Open("/t/a");
        Assert.Equal(12288, Write(fd, 20000).Value);
        Assert.Equal(Errno.EDQUOT, Error(Write(fd, 1)));
        Assert.NotEqual(0UL, Quota(top, 0)[6]);
        Assert.True(Open("/t/b") >= 0);
        Assert.Equal(Errno.EDQUOT, Error(OpenCalls.Open(_machine.Call, _machine.Text("/t/c"), 0x42, 0x1A4)));
        Assert.Equal(Errno.None, Error(QuotaCalls.QuotactlFd(_machine.Call, top, TurnOff, 0, _machine.Buffer)));
        Assert.Equal(1, Write(fd, 1).Value);
        Assert.Equal(Errno.None, Error(QuotaCalls.QuotactlFd(_machine.Call, top, TurnOn, 0, _machine.Buffer)));
        Assert.Equal(Errno.EBUSY, Error(QuotaCalls.QuotactlFd(_machine.Call, top, TurnOn, 0, _machine.Buffer)));
    }

    [Fact]
    public void Limits_of_the_mount_are_everybodys()
    {
        int top = Mount("usrquota,grpquota,usrquota_block_hardlimit=8k,grpquota_inode_hardlimit=2");
        Assert.Equal(8UL, Quota(top, 1234)[0]);
        Assert.Equal(2UL, Quota(top, 1234, OfGroups)[3]);
        int fd = Open("/t/a");
        Assert.Equal(8192, Write(fd, 9000).Value);
        Assert.Equal(Errno.EDQUOT, Error(OpenCalls.Open(_machine.Call, _machine.Text("/t/b"), 0x42, 0x1A4)));
        Assert.Equal(Errno.None, Error(QuotaCalls.QuotactlFd(_machine.Call, top, GetFormat, 0, _machine.Buffer)));
        Assert.Equal(Errno.None, Error(QuotaCalls.QuotactlFd(_machine.Call, top, GetInformation, 0, _machine.Buffer)));
        Assert.Equal(Errno.ERANGE, Limit(top, 1, hardBlocks: 1UL << 60, softBlocks: 0, hardFiles: 0, softFiles: 0));
    }
}
