using Xunit;

namespace Vivarium.Emulator.Memory.Tests;

public sealed class FaultTests
{
    [Fact]
    public void FaultsAreRecoveredWhileTheCollectorRuns()
    {
        var threads = new List<Thread>();
        var failures = new List<Exception>();
        for (int t = 0; t < 4; t++)
        {
            var thread = new Thread(() =>
            {
                try
                {
                    FaultManyTimes();
                }
                catch (Exception exception)
                {
                    lock (failures)
                        failures.Add(exception);
                }
            });
            thread.Start();
            threads.Add(thread);
        }
        while (threads.Any(t => t.IsAlive))
            GC.Collect();
        Assert.Empty(failures);
    }

    [Fact]
    public void OrdinaryNullReferencesAreNotGuestFaults()
    {
        using var space = new AddressSpace(new MemoryAccountant(1 << 30));
        string? nothing = space.MappedBytes == 0 ? null : "";
        NullReferenceException exception = Assert.Throws<NullReferenceException>(() => nothing!.Length);
        Assert.False(space.TakeFault(exception, out _));
    }

    [Fact]
    public void AddressesOutsideTheWindowFault()
    {
        using var space = new AddressSpace(new MemoryAccountant(1 << 30));
        ulong[] addresses = [1ul << 32, (1ul << 32) + 5, 1ul << 46, 0x7FFF_FFFF_FFFF, 0x8000_0000_0000, ulong.MaxValue, ulong.MaxValue - 7];
        foreach (ulong address in addresses)
        {
            GuestFaultException exception = Assert.Throws<GuestFaultException>(() => space.Load<ulong>(address));
            Assert.True(space.TakeFault(exception, out MemoryFault fault));
            Assert.Equal(address, fault.Address.Value);
            Assert.Equal(address > 0x7FFF_FFFF_FFFF && address < 0xFFFF_8000_0000_0000 ? FaultKind.NonCanonical : FaultKind.NotMapped, fault.Kind);
        }
    }

    private static void FaultManyTimes()
    {
        using var space = new AddressSpace(new MemoryAccountant(1 << 30));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(new GuestAddress(0x10000), 4096, Protection.Read, Placement.Fixed), out _));
        for (ulong i = 0; i < 2500; i++)
        {
            Check(space, () => space.Load<byte>(0x20000 + i), 0x20000 + i, MemoryAccess.Read, FaultKind.NotMapped);
            Check(space, () => space.Store(0x10000 + i, (byte)1), 0x10000 + i, MemoryAccess.Write, FaultKind.Protection);
            Assert.Equal(0, space.Load<int>(0x10000 + i));
        }
    }

    private static void Check(AddressSpace space, Action access, ulong address, MemoryAccess kind, FaultKind expected)
    {
        try
        {
            access();
            Assert.Fail("no fault");
        }
        catch (NullReferenceException exception)
        {
            Assert.True(space.TakeFault(exception, out MemoryFault fault));
            Assert.Equal(new MemoryFault(new GuestAddress(address), kind, expected), fault);
        }
    }
}
