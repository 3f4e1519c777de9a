using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Xunit;

namespace Vivarium.Emulator.Tests.Files;

public sealed class DescriptorTests
{
    private static readonly Inode Node = new PlainInode();

    [Fact]
    public void The_lowest_free_number_is_given()
    {
        FileTable table = new();
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(Errno.None, table.Add(new PlainFile(), false, out int fd));
            Assert.Equal(i, fd);
        }
        table.Close(1);
        table.Close(3);
        table.Add(new PlainFile(), false, out int high, minimum: 2);
        Assert.Equal(3, high);
        table.Add(new PlainFile(), false, out int low);
        Assert.Equal(1, low);
        table.Add(new PlainFile(), false, out int next);
        Assert.Equal(5, next);
    }

    [Fact]
    public void The_limit_holds_and_fork_and_exec_keep_what_they_should()
    {
        FileTable table = new() { Limit = 3 };
        PlainFile first = new();
        table.Add(first, closeOnExec: true, out _);
        table.Add(new PlainFile(), false, out _);
        table.Add(new PlainFile(), false, out _);
        Assert.Equal(Errno.EMFILE, table.Add(new PlainFile(), false, out _));
        FileTable child = table.Copy();
        child.CloseOnExec();
        Assert.Null(child.Get(0));
        Assert.Same(first, table.Get(0));
        Assert.False(first.IsClosed);
        table.Leave();
        Assert.True(first.IsClosed);
        Assert.NotNull(child.Get(1));
    }

    [Fact]
    public void Record_locks_split_merge_and_stand_in_the_way_of_others()
    {
        FileLocks locks = new();
        object a = new();
        object b = new();
        locks.Set(new RecordLock(a, 1, 0, 99, IsExclusive: true));
        locks.Clear(a, 40, 59);
        Assert.Null(locks.FindConflict(new RecordLock(b, 2, 40, 59, IsExclusive: true)));
        Assert.Equal(new RecordLock(a, 1, 0, 39, true), locks.FindConflict(new RecordLock(b, 2, 0, long.MaxValue, false)));
        Assert.Equal(new RecordLock(a, 1, 60, 99, true), locks.FindConflict(new RecordLock(b, 2, 50, 70, false)));
        locks.Set(new RecordLock(a, 1, 40, 59, IsExclusive: true));
        Assert.Equal(new RecordLock(a, 1, 0, 99, true), locks.FindConflict(new RecordLock(b, 2, 70, 70, false)));
        locks.Set(new RecordLock(a, 1, 10, 19, IsExclusive: false));
        Assert.Null(locks.FindConflict(new RecordLock(b, 2, 10, 19, IsExclusive: false)));
        Assert.NotNull(locks.FindConflict(new RecordLock(b, 2, 10, 19, IsExclusive: true)));
        Assert.Null(locks.FindConflict(new RecordLock(a, 1, 0, long.MaxValue, IsExclusive: true)));
    }

    [Fact]
    public void Closing_any_descriptor_of_a_file_drops_the_processs_record_locks()
    {
        FileTable table = new();
        table.Add(new PlainFile(), false, out _);
        table.Add(new PlainFile(), false, out int second);
        FileLocks locks = FileLocks.Of(Node);
        locks.Set(new RecordLock(table, 1, 0, 9, IsExclusive: true));
        table.Close(second);
        Assert.Null(locks.FindConflict(new RecordLock(new object(), 2, 0, 9, IsExclusive: true)));
    }

    [Fact]
    public void Whole_file_locks_belong_to_descriptions()
    {
        FileLocks locks = new();
        PlainFile a = new();
        PlainFile b = new();
        Assert.True(locks.TryLockFile(a, exclusive: false));
        Assert.True(locks.TryLockFile(b, exclusive: false));
        Assert.False(locks.TryLockFile(a, exclusive: true));
        locks.UnlockFile(b);
        Assert.True(locks.TryLockFile(a, exclusive: true));
        Assert.False(locks.TryLockFile(b, exclusive: false));
    }

    private sealed class PlainFile() : OpenFile(OpenFlags.ReadWrite)
    {
        public bool IsClosed { get; private set; }

        public override Inode Inode => Node;

        protected override void OnLastClose() => IsClosed = true;
    }

    private sealed class PlainInode : Inode
    {
        public override FileKind Kind => FileKind.Regular;

        public override FileStatus Status => default;
    }
}
