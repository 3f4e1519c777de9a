using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

public sealed class MappingTests
{
    private const ulong Page = GuestAddress.PageSize;

    [Fact]
    public void ForksShareAndSeparate()
    {
        var accountant = new MemoryAccountant(1 << 30);
        using var parent = new AddressSpace(accountant);
        const ulong start = 0x100000;
        Assert.Equal(MapStatus.Ok, parent.Map(new MapRequest(new GuestAddress(start), 300 * Page, Protection.ReadWrite, Placement.Fixed), out _));
        for (ulong i = 0; i < 200; i++)
            parent.Store(start + (i * Page), i + 1);
        for (ulong round = 0; round < 4; round++)
        {
            parent.Store(start + (round * Page), 1000 + round);
            using AddressSpace child = parent.Fork()!;
            for (ulong i = 0; i < 200; i++)
                Assert.Equal(parent.Load<ulong>(start + (i * Page)), child.Load<ulong>(start + (i * Page)));
            Assert.Equal(0ul, child.Load<ulong>(start + (250 * Page)));
            child.Store(start, 7ul);
            parent.Store(start + Page, 2000 + round);
            Assert.NotEqual(7ul, parent.Load<ulong>(start));
            Assert.NotEqual(2000 + round, child.Load<ulong>(start + Page));
        }
        parent.Dispose();
        Assert.Equal(0ul, accountant.Used);
    }

    [Fact]
    public void WritesToWatchedCodeAreNoticedThroughAnyMapping()
    {
        var accountant = new MemoryAccountant(1 << 30);
        using var space = new AddressSpace(accountant);
        using var content = new AnonymousObject(accountant);
        Assert.True(content.SetLength(2 * (long)Page));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 2 * Page, Protection.ReadWrite, Shared: true, Object: content), out GuestAddress writable));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 2 * Page, Protection.Read | Protection.Execute, Shared: true, Object: content), out GuestAddress runnable));
        var dropped = new List<ulong>();
        space.CodeInvalidated += (address, _) => dropped.Add(address.Value);
        space.WatchCode(runnable.Value + 16, 8);
        try
        {
            space.Store(writable.Value + 100, 5);
            Assert.Fail("the page is not protected");
        }
        catch (NullReferenceException exception)
        {
            Assert.True(space.TakeFault(exception, out MemoryFault fault));
            Assert.Equal(FaultKind.Retry, fault.Kind);
        }
        space.Store(writable.Value + 100, 5);
        Assert.Equal([runnable.Value], dropped);
        space.WatchCode(runnable.Value, 8);
        Assert.True(space.TryWrite(writable, 9));
        Assert.Equal(2, dropped.Count);
        Assert.Equal(9, space.Load<int>(runnable.Value));
    }

    [Fact]
    public void APrivateCopyOfACodePageIsWrittenFreely()
    {
        var accountant = new MemoryAccountant(1 << 30);
        using var space = new AddressSpace(accountant);
        var content = new AnonymousObject(accountant);
        Assert.True(content.SetLength((long)Page));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, Page, Protection.Read | Protection.Execute, Object: content), out GuestAddress code));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, Page, Protection.ReadWrite, Object: content), out GuestAddress data));
        int dropped = 0;
        space.CodeInvalidated += (_, _) => dropped++;
        space.WatchCode(code.Value, 8);
        space.Store(data.Value, 1);
        Assert.Equal((1, 0, 0), (space.Load<int>(data.Value), space.Load<int>(code.Value), dropped));
    }

    [Fact]
    public void AStackIsChargedAsItIsUsed()
    {
        const ulong size = 8 << 20, chunk = 64 << 10;
        var accountant = new MemoryAccountant(5 * chunk);
        var space = new AddressSpace(accountant);
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, size, Protection.None, ChargedWhenTouched: true), out GuestAddress stack));
        Assert.Equal(MapStatus.Ok, space.Protect(stack + Page, size - Page, Protection.ReadWrite));
        Assert.Equal(0ul, accountant.Used);
        ulong top = stack.Value + size - 8;
        Assert.Equal(FaultKind.Retry, FaultOf(() => space.Store(top, 1), space));
        space.Store(top, 1);
        Assert.Equal(chunk, accountant.Used);
        Assert.True(space.TryWrite(new GuestAddress(top - (2 * chunk)), 2ul));
        Assert.Equal(2 * chunk, accountant.Used);
        Assert.Equal(FaultKind.Protection, FaultOf(() => space.Store(stack.Value, 1), space));
        AddressSpace child = space.Fork()!;
        Assert.Equal(4 * chunk, accountant.Used);
        Assert.Equal(1, child.Load<int>(top));
        Assert.Equal(FaultKind.Retry, FaultOf(() => child.Load<int>(top - chunk), child));
        Assert.Equal(FaultKind.NoMemory, FaultOf(() => space.Store(top - chunk, 3), space));
        child.Dispose();
        Assert.Equal(MapStatus.Ok, space.Unmap(stack, size));
        Assert.Equal(0ul, accountant.Used);
        space.Dispose();
    }

    private static FaultKind FaultOf(Action access, AddressSpace space)
    {
        NullReferenceException exception = Assert.Throws<NullReferenceException>(access);
        Assert.True(space.TakeFault(exception, out MemoryFault fault));
        return fault.Kind;
    }

    [Fact]
    public void TheWindowGrowsWithItsContent()
    {
        using var space = new AddressSpace(new MemoryAccountant(1ul << 40));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 5 * Page, Protection.ReadWrite), out GuestAddress small));
        space.Store(small.Value + Page, 77);
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 256ul << 30, Protection.None), out GuestAddress large));
        Assert.True(large.Value >= 1ul << 32);
        Assert.Equal(77, space.Load<int>(small.Value + Page));
        Assert.Equal(MapStatus.Ok, space.Protect(large + (100ul << 30), Page, Protection.ReadWrite));
        space.Store(large.Value + (100ul << 30), 78);
        Assert.Equal(78, space.Load<int>(large.Value + (100ul << 30)));
        Assert.Equal(MapStatus.NoMemory, space.Map(new MapRequest(default, 1ul << 45, Protection.None), out _));
    }

    [Fact]
    public void CommitPastTheLimitIsRefused()
    {
        var accountant = new MemoryAccountant(100 * Page);
        using var space = new AddressSpace(accountant);
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 90 * Page, Protection.ReadWrite), out GuestAddress first));
        Assert.Equal(MapStatus.NoMemory, space.Map(new MapRequest(default, 20 * Page, Protection.ReadWrite), out _));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 20 * Page, Protection.None), out GuestAddress reserved));
        Assert.Equal(MapStatus.NoMemory, space.Protect(reserved, 20 * Page, Protection.ReadWrite));
        Assert.Null(space.Fork());
        Assert.Equal(MapStatus.Ok, space.Unmap(first, 90 * Page));
        Assert.Equal(MapStatus.Ok, space.Protect(reserved, 20 * Page, Protection.ReadWrite));
    }
}
