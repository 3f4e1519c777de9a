using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Memory.Host;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Code of one file in several address spaces, which share its translations: what one of them changes is its own.</summary>
[Collection(FuzzCollection.Name)]
public sealed class SharedImageTests : IDisposable
{
    private const ulong Image = 0x40_0000;
    private const ulong ImageSize = 0x3000;
    private const ulong Stack = 0x100_0000;

    private readonly string _directory = Directory.CreateTempSubdirectory("vivarium").FullName;
    private readonly HostTree _tree;
    private readonly List<AddressSpace> _spaces = [];

    public SharedImageTests()
    {
        // mov eax, 1; jmp to the next page: mov ebx, eax; call [rsp+8]'s page: int3.
        var image = new byte[ImageSize];
        byte[] first = [0xB8, 1, 0, 0, 0, 0xE9, 0xF6, 0x0F, 0, 0];
        byte[] second = [0x89, 0xC3, 0xE8, 0xF9, 0x0F, 0, 0, 0xCC];
        byte[] third = [0xFF, 0xC3, 0xC3]; // inc ebx; ret
        first.CopyTo(image, 0);
        second.CopyTo(image, 0x1000);
        third.CopyTo(image, 0x2000);
        File.WriteAllBytes(Path.Combine(_directory, "image"), image);
        _tree = HostTree.Open(_directory, out _)!;
    }

    public void Dispose()
    {
        foreach (var space in _spaces)
            space.Dispose();
        _tree.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private AddressSpace MakeSpace()
    {
        Assert.Equal(0, _tree.OpenFile("image"u8, forWriting: false, out var file));
        var space = new AddressSpace(new MemoryAccountant(1 << 26));
        _spaces.Add(space);
        var content = new HostFileObject(file!, isImmutable: true);
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(new GuestAddress(Image), ImageSize, Protection.Read | Protection.Execute, Placement.Fixed, Object: content), out _));
        Assert.Equal(MapStatus.Ok, space.Map(new MapRequest(new GuestAddress(Stack), 0x1000, Protection.ReadWrite, Placement.Fixed), out _));
        return space;
    }

    private static (EngineExit Exit, ulong Rbx, ulong Pc) Run(AddressSpace space)
    {
        var cpu = new GuestCpu(Architecture.X64);
        cpu.State.Pc = Image;
        cpu.State.Registers[4] = Stack + 0x800;
        long budget = 1000;
        var exit = EnginePair.Translator.Run(cpu, space, ref budget);
        return (exit, cpu.State.Registers[3], cpu.State.Pc);
    }

    private static void AssertUnchanged(AddressSpace space) => Assert.Equal((new EngineExit(ExitReason.Breakpoint), 2ul, Image + 0x1008), Run(space));

    [Fact]
    public void SpacesRunTheSameImage()
    {
        for (var i = 0; i < 20; i++)
        {
            var space = MakeSpace();
            AssertUnchanged(space);
            AssertUnchanged(space);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void APageThatOneSpaceWritesIsItsOwn(int page)
    {
        AddressSpace one = MakeSpace(), other = MakeSpace();
        AssertUnchanged(one);
        AssertUnchanged(other);
        var address = new GuestAddress(Image + ((ulong)page * 0x1000));
        Assert.Equal(MapStatus.Ok, one.Protect(address, 0x1000, Protection.ReadWrite | Protection.Execute));
        AssertUnchanged(one);
        Assert.True(one.TryWrite(address, (ReadOnlySpan<byte>)[0xF4])); // hlt
        var (exit, _, pc) = Run(one);
        Assert.Equal((ExitReason.GeneralProtection, address.Value), (exit.Reason, pc));
        AssertUnchanged(other);
        AssertUnchanged(MakeSpace());
        Assert.Equal(pc, Run(one).Pc);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void APageThatOneSpaceUnmapsIsStillThereForOthers(int page)
    {
        AddressSpace one = MakeSpace(), other = MakeSpace();
        AssertUnchanged(one);
        AssertUnchanged(other);
        var address = new GuestAddress(Image + ((ulong)page * 0x1000));
        one.Unmap(address, 0x1000);
        var (exit, _, pc) = Run(one);
        Assert.Equal((ExitReason.MemoryFault, new MemoryFault(address, MemoryAccess.Execute, FaultKind.NotMapped), address.Value), (exit.Reason, exit.Fault, pc));
        AssertUnchanged(other);
    }

    [Fact]
    public void AnImageAtAnotherAddressIsAnotherImage()
    {
        AddressSpace one = MakeSpace(), other = MakeSpace();
        AssertUnchanged(one);
        Assert.Equal(MapStatus.Ok, other.Remap(new GuestAddress(Image), ImageSize, ImageSize, mayMove: true, new GuestAddress(Image + 0x10_0000), keepOld: false, out _));
        Assert.Equal(FaultKind.NotMapped, Run(other).Exit.Fault.Kind);
        Assert.Equal(MapStatus.Ok, other.Map(new MapRequest(new GuestAddress(Image), 0x1000, Protection.ReadWrite | Protection.Execute, Placement.Fixed), out _));
        Assert.True(other.TryWrite(new GuestAddress(Image), (ReadOnlySpan<byte>)[0xE9, 0xFB, 0xFF, 0x0F, 0])); // jmp to the image's new place
        var (exit, rbx, pc) = Run(other);
        Assert.Equal((ExitReason.Breakpoint, 2ul, Image + 0x10_1008), (exit.Reason, rbx, pc));
        AssertUnchanged(one);
    }
}
