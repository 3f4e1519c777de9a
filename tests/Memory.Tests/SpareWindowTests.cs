using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

/// <summary>Windows that children leave to those after them.</summary>
public sealed class SpareWindowTests
{
    private const ulong Page = GuestAddress.PageSize;
    private const ulong Start = 0x100000;
    private const ulong Secret = 0x5EC2E7;

    [Fact]
    public void A_child_sees_nothing_of_the_one_before_it()
    {
        var accountant = new MemoryAccountant(1 << 30);
        using AddressSpace parent = NewParent(accountant, pages: 40);
        parent.Store(Start, 1ul);
        nint window = 0;
        for (ulong round = 0; round < 20; round++)
        {
            using AddressSpace child = parent.Fork()!;
            if (round > 0)
                Assert.Equal(window, child.WindowBase);
            window = child.WindowBase;
            for (ulong at = Start; at < Start + (40 * Page); at += 8)
                Assert.Equal(parent.Load<ulong>(at), child.Load<ulong>(at));
            Assert.False(child.TryRead(new GuestAddress(Start + (40 * Page)), out ulong _));
            Spoil(child, round);
            // Some change between forks, and each stays the parent's own.
            parent.Store(Start + (round * Page), round);
        }
    }

    /// <summary>Writes, protects, unmaps and maps.</summary>
    private static void Spoil(AddressSpace child, ulong round)
    {
        for (ulong i = round; i < 40; i += 3)
            child.Store(Start + (i * Page) + (8 * round), Secret);
        var place = new GuestAddress(Start + (round * Page));
        Assert.Equal(MapStatus.Ok, child.Protect(place, 3 * Page, (round % 3) switch { 0 => Protection.None, 1 => Protection.Read, _ => Protection.ReadWrite }));
        if (round % 4 == 0)
            Assert.Equal(MapStatus.Ok, child.Unmap(place + Page, Page));
        Assert.Equal(MapStatus.Ok, child.Map(new MapRequest(new GuestAddress(Start + (40 * Page)), 4 * Page, Protection.ReadWrite, Placement.Fixed), out _));
        child.Store(Start + (41 * Page), Secret);
    }

    /// <summary>Pages whose content is lost stay so in a fork's copy, and are whole again in one that is made when they were replaced.</summary>
    [Fact]
    public void Lost_pages_are_not_copied()
    {
        using AddressSpace parent = NewParent(new MemoryAccountant(1 << 30), pages: 8);
        for (ulong i = 0; i < 8; i++)
            parent.Store(Start + (i * Page), Secret + i);
        using (AddressSpace child = parent.Fork()!)
        {
            child.Store(Start + (5 * Page), Secret);
            Assert.Equal(MapStatus.Ok, child.Lose(new GuestAddress(Start + (5 * Page)), Page));
        }
        Assert.Equal(MapStatus.Ok, parent.Lose(new GuestAddress(Start + (3 * Page)), 2 * Page));
        Assert.Equal(MapStatus.Ok, parent.Protect(new GuestAddress(Start + (6 * Page)), Page, Protection.None));
        using (AddressSpace child = parent.Fork()!)
        {
            for (ulong i = 0; i < 8; i++)
                Assert.Equal(i is not (3 or 4 or 6), child.TryRead(new GuestAddress(Start + (i * Page)), out ulong value) && value == Secret + i);
            Assert.Equal(MapStatus.Ok, child.Protect(new GuestAddress(Start + (6 * Page)), Page, Protection.Read));
            Assert.Equal(Secret + 6, child.Load<ulong>(Start + (6 * Page)));
        }
        Assert.Equal(MapStatus.Ok, parent.Map(new MapRequest(new GuestAddress(Start + (3 * Page)), 2 * Page, Protection.ReadWrite, Placement.Fixed), out _));
        using AddressSpace last = parent.Fork()!;
        Assert.Equal(0ul, last.Load<ulong>(Start + (3 * Page)));
        Assert.Equal(Secret + 5, last.Load<ulong>(Start + (5 * Page)));
    }

    [Fact]
    public void Content_that_was_charged_goes_with_its_last_user()
    {
        var accountant = new MemoryAccountant(1 << 30);
        using AddressSpace parent = NewParent(accountant, pages: 2);
        var content = new AnonymousObject(accountant);
        Assert.True(content.SetLength(4 * (long)Page));
        AddressSpace child = parent.Fork()!;
        var request = new MapRequest(new GuestAddress(Start + (8 * Page)), 4 * Page, Protection.ReadWrite, Placement.Fixed, Shared: true, Object: content);
        Assert.Equal(MapStatus.Ok, child.Map(request, out _));
        child.Store(Start + (8 * Page), Secret);
        child.Dispose();
        content.Release();
        Assert.True(content.IsReleased);
        using AddressSpace next = parent.Fork()!;
        Assert.False(next.TryRead(new GuestAddress(Start + (8 * Page)), out ulong _));
        Assert.Equal(MapStatus.Ok, next.Map(request with { Shared = false, Object = null }, out _));
        Assert.Equal(0ul, next.Load<ulong>(Start + (8 * Page)));
    }

    [Fact]
    public unsafe void Small_tables_of_the_engine_stay_with_the_window_and_large_ones_do_not()
    {
        const long small = int.MinValue, large = small + (1 << 20);
        var accountant = new MemoryAccountant(1 << 30);
        using AddressSpace parent = NewParent(accountant, pages: 40);
        EngineTables? tables = null;
        for (int round = 0; round < 4; round++)
        {
            using AddressSpace child = parent.Fork()!;
            Assert.True(tables is null || tables == child.Tables);
            tables = child.Tables;
            Assert.True(tables.TryMap(child.WindowBase, 0, small, Page));
            Assert.True(tables.TryMap(child.WindowBase, 1, large, 64 * Page));
            Assert.Equal(round == 0 ? 0 : Secret, *(ulong*)(child.WindowBase + small));
            Assert.Equal(0ul, *(ulong*)(child.WindowBase + large));
            *(ulong*)(child.WindowBase + small) = *(ulong*)(child.WindowBase + large) = Secret;
        }
    }

    [Fact]
    public void Windows_are_not_kept_without_their_parent_or_without_end()
    {
        var accountant = new MemoryAccountant(1 << 30);
        AddressSpace parent = NewParent(accountant, pages: 2);
        List<AddressSpace> children = [];
        for (int i = 0; i < 20; i++)
            children.Add(parent.Fork()!);
        foreach (AddressSpace child in children[..10])
            child.Dispose();
        parent.Dispose();
        foreach (AddressSpace child in children[10..])
            child.Dispose();
        Assert.Equal(0ul, accountant.Used);
    }

    [Fact]
    public void Pages_wiped_on_fork_are_wiped_in_a_window_used_before()
    {
        var accountant = new MemoryAccountant(1 << 30);
        using AddressSpace parent = NewParent(accountant, pages: 4);
        parent.Store(Start, Secret);
        for (int round = 0; round < 3; round++)
        {
            using AddressSpace child = parent.Fork()!;
            Assert.Equal(round == 0 ? Secret : 0, child.Load<ulong>(Start));
            child.Store(Start, Secret);
            child.Store(Start + Page, Secret);
            // Whatever the child does to its own.
            Assert.Equal(MapStatus.Ok, child.SetForkPolicy(new GuestAddress(Start), 4 * Page, null, wipes: round == 0));
            Assert.Equal(MapStatus.Ok, parent.SetForkPolicy(new GuestAddress(Start), Page, null, wipes: true));
        }
    }

    private static AddressSpace NewParent(MemoryAccountant accountant, ulong pages)
    {
        var parent = new AddressSpace(accountant);
        Assert.Equal(MapStatus.Ok, parent.Map(new MapRequest(new GuestAddress(Start), pages * Page, Protection.ReadWrite, Placement.Fixed), out _));
        return parent;
    }
}
