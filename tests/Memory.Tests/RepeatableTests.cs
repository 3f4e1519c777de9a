using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

/// <summary>What the host has at hand is not told where runs are to be repeatable: a program that prints it takes another course.</summary>
public sealed class RepeatableTests
{
    private const ulong Page = GuestAddress.PageSize;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Resident_pages_are_the_hosts_unless_runs_are_repeatable(bool isRepeatable)
    {
        using var space = new AddressSpace(new MemoryAccountant(1 << 30) { IsRepeatable = isRepeatable });
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 8 * Page, Protection.ReadWrite), out GuestAddress place));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, 8 * Page, Protection.None), out _));
        space.Store(place.Value, 1ul);
        Span<byte> resident = stackalloc byte[8];
        Assert.True(space.TryTellResident(place, resident));
        Assert.Equal(isRepeatable ? 8 : 1, resident.Count((byte)1));
        Assert.Equal(isRepeatable ? 8 * Page : Page, space.ResidentBytes());
    }
}
