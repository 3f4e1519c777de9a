using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

public sealed class MemoryTemplateTests
{
    private const ulong Page = GuestAddress.PageSize;
    private const ulong Data = 0x100000, Stack = 0x400000, Heap = 0x800000;
    private const ulong Secret = 0x5EC2E7;

    [Fact]
    public void Each_copy_begins_as_the_template_did()
    {
        var accountant = new MemoryAccountant(1 << 30);
        using MemoryTemplate template = NewTemplate();
        nint window = 0;
        for (ulong round = 0; round < 10; round++)
        {
            using AddressSpace copy = template.Copy(accountant, MemoryLimits.None)!;
            Assert.Equal(MapStatus.Ok, copy.Map(Anonymous(Stack, 8), out _));
            copy.Settle();
            Assert.True(round == 0 || window == copy.WindowBase);
            window = copy.WindowBase;
            for (ulong at = Data; at < Data + (16 * Page); at += 8)
                Assert.Equal(at == Data + Page ? 7ul : 0, copy.Load<ulong>(at));
            for (ulong at = Stack; at < Stack + (8 * Page); at += 8)
                Assert.Equal(0ul, copy.Load<ulong>(at));
            Run(copy, round);
        }
        Assert.Equal(0ul, accountant.Used);
    }

    /// <summary>What the last program mapped and this one did not is nowhere to be reached, though it is in the same window.</summary>
    private static void Run(AddressSpace copy, ulong round)
    {
        Assert.Throws<NullReferenceException>(() => copy.Load<ulong>(Heap));
        Assert.False(copy.TryRead(new GuestAddress(Heap), out ulong _));
        Assert.Equal(MapStatus.Ok, copy.Map(Anonymous(Heap, 4), out _));
        Assert.Equal(0ul, copy.Load<ulong>(Heap + (round % 4 * Page)));
        for (ulong i = 0; i < 4; i++)
        {
            copy.Store(Heap + (i * Page), Secret);
            copy.Store(Data + (i * 3 * Page) + (round * 8), Secret);
            copy.Store(Stack + (i * Page) + (round * 8), Secret);
        }
        Assert.Equal(MapStatus.Ok, copy.Protect(new GuestAddress(Data + (round * Page)), 2 * Page, Protection.Read));
    }

    [Fact]
    public void Copies_are_made_by_several_threads_at_a_time()
    {
        using MemoryTemplate template = NewTemplate();
        Parallel.For(0, 8, _ =>
        {
            var accountant = new MemoryAccountant(1 << 30);
            for (int round = 0; round < 200; round++)
            {
                using AddressSpace copy = template.Copy(accountant, MemoryLimits.None)!;
                copy.Settle();
                Assert.Equal(0ul, copy.Load<ulong>(Data));
                Assert.Equal(7ul, copy.Load<ulong>(Data + Page));
                copy.Store(Data, Secret);
                copy.Store(Data + Page, Secret);
            }
        });
    }

    private static MemoryTemplate NewTemplate()
    {
        var loaded = new AddressSpace(new MemoryAccountant(ulong.MaxValue));
        Assert.Equal(MapStatus.Ok, loaded.Map(Anonymous(Data, 16), out _));
        loaded.Store(Data + Page, 7ul);
        return new MemoryTemplate(loaded);
    }

    private static MapRequest Anonymous(ulong start, ulong pages) => new(new GuestAddress(start), pages * Page, Protection.ReadWrite, Placement.Fixed);
}
