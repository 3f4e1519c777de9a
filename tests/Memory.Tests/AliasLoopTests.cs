using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

public sealed class AliasLoopTests
{
    private const ulong Page = GuestAddress.PageSize;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void CodeRewrittenThroughAnAliasIsNoticedEveryTime(bool runnableFirst)
    {
        var accountant = new MemoryAccountant(1 << 30);
        using var space = new AddressSpace(accountant);
        var content = new AnonymousObject(accountant);
        Assert.True(content.SetLength((long)Page));
        GuestAddress writable = default, runnable = default;
        for (int i = 0; i < 2; i++)
        {
            bool isRunnable = runnableFirst == (i == 0);
            Protection protection = isRunnable ? Protection.Read | Protection.Execute : Protection.ReadWrite;
            Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(default, Page, protection, Shared: true, Object: content), out GuestAddress place));
            (runnable, writable) = isRunnable ? (place, writable) : (runnable, place);
        }
        int dropped = 0;
        space.CodeInvalidated += (_, _) => dropped++;
        for (int round = 0; round < 20; round++)
        {
            for (int tries = 0; ; tries++)
            {
                Assert.True(tries < 3, "the write never succeeds");
                try
                {
                    space.Store(writable.Value + 8, (uint)round);
                    break;
                }
                catch (NullReferenceException exception)
                {
                    Assert.True(space.TakeFault(exception, out MemoryFault fault));
                    Assert.Equal(FaultKind.Retry, fault.Kind);
                }
            }
            Assert.Equal((uint)round, space.Load<uint>(runnable.Value + 8));
            space.WatchCode(runnable.Value + 8, 4);
        }
        Assert.Equal(19, dropped);
    }
}
