using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>A new program's stack and first registers (exec_copyout_strings and exec_setregs; AT_ of sys/elf_common.h).</summary>
internal static class FreeBsdInitialStack
{
    /// <summary>What a program reads in its own page sizes (getpagesizes(3)).</summary>
    private static ReadOnlySpan<ulong> PageSizes => [GuestAddress.PageSize];

    public static Errno Write(GuestThread thread, BsdArchitecture architecture, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout)
    {
        layout = new ProgramLayout();
        var own = (IFreeBsdArchitecture)architecture;
        Errno error = BsdStackWriter.Open(memory, FreeBsdSharedPage.Address, program, image.ExecutableStack, out BsdStackWriter writer);
        if (error == Errno.None)
            error = FreeBsdSharedPage.Map(memory, own.SignalCode);
        if (error != Errno.None)
            return error;
        Span<byte> canary = stackalloc byte[64];
        thread.Process.World.Random.Fill(canary);
        ulong strings = writer.PushZeros(32);
        ulong path = writer.PushText(program.Path);
        ulong canaryAt = writer.PushRaw(canary);
        writer.Align();
        ulong pageSizes = writer.PushRaw(MemoryMarshal.AsBytes(PageSizes));
        writer.PushStrings(program);
        Credentials who = thread.Credentials;
        ulong[] auxiliary =
        [
            3, image.HeadersAddress, // AT_PHDR
            4, (ulong)image.HeaderSize, // AT_PHENT
            5, (ulong)image.HeaderCount, // AT_PHNUM
            6, GuestAddress.PageSize, // AT_PAGESZ
            8, 0, // AT_FLAGS
            9, image.Entry, // AT_ENTRY
            7, image.InterpreterBase, // AT_BASE
            24, 0, // AT_EHDRFLAGS
            15, path, // AT_EXECPATH
            18, FreeBsdPersonality.Release, // AT_OSRELDATE
            16, canaryAt, // AT_CANARY
            17, (ulong)canary.Length, // AT_CANARYLEN
            19, (ulong)thread.Process.World.System.Processors, // AT_NCPUS
            20, pageSizes, // AT_PAGESIZES
            21, (ulong)(PageSizes.Length * sizeof(ulong)), // AT_PAGESIZESLEN
            23, 3, // AT_STACKPROT: read, write
            25, own.Capabilities, // AT_HWCAP
            26, 0, // AT_HWCAP2
            27, program.IsSecure ? 1UL : 0, // AT_BSDFLAGS: ELF_BSDF_SIGFASTBLK is not offered
            32, strings, // AT_PS_STRINGS
            10, 0, // AT_NOTELF
            11, who.User, 12, who.EffectiveUser, 13, who.Group, 14, who.EffectiveGroup,
            0, 0, // AT_NULL
        ];
        layout = writer.Start(thread, architecture, image, strings, auxiliary);
        return Errno.None;
    }
}
