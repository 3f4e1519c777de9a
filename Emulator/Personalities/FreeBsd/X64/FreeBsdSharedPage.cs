using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.X64;

/// <summary>
/// The page above the stack that holds what a signal handler returns to (sigcode; FreeBSD has it in its shared page). It calls the handler,
/// whose address is at the bottom of the frame, and then sigreturn(2) with the context behind that.
/// </summary>
internal static class FreeBsdSharedPage
{
    public const ulong Address = 0xFFFF_E000;

    private static ReadOnlySpan<byte> Code =>
    [
        0xFF, 0x14, 0x24, // call [rsp]
        0x48, 0x8D, 0x7C, 0x24, FreeBsdSigFrame.ContextOffset, // lea rdi, [rsp+ContextOffset]
        0x6A, 0x00, // push 0: what a return address would be
        0xB8, 0xA1, 0x01, 0x00, 0x00, // mov eax, 417
        0x0F, 0x05, // syscall
        0xF4, // hlt: it does not return
    ];

    public static Errno Map(AddressSpace memory)
    {
        var request = new MapRequest(new GuestAddress(Address), GuestAddress.PageSize, Protection.ReadWrite, Placement.Fixed, Name: "[sigcode]");
        if (memory.Map(request, out GuestAddress place) != MapStatus.Ok || !memory.TryWrite(place, Code))
            return Errno.ENOMEM;
        return memory.Protect(place, GuestAddress.PageSize, Protection.Read | Protection.Execute) == MapStatus.Ok ? Errno.None : Errno.ENOMEM;
    }
}
