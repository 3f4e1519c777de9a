using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>The page above the stack that holds what a signal handler returns to (FreeBSD has it in its shared page).</summary>
internal static class FreeBsdSharedPage
{
    public const ulong Address = 0xFFFF_E000;

    public static Errno Map(AddressSpace memory, ReadOnlySpan<byte> code)
    {
        var request = new MapRequest(new GuestAddress(Address), GuestAddress.PageSize, Protection.ReadWrite, Placement.Fixed, Name: "[sigcode]");
        if (memory.Map(request, out GuestAddress place) != MapStatus.Ok || !memory.TryWrite(place, code))
            return Errno.ENOMEM;
        return memory.Protect(place, GuestAddress.PageSize, Protection.Read | Protection.Execute) == MapStatus.Ok ? Errno.None : Errno.ENOMEM;
    }
}
