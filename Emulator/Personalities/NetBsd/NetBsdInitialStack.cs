using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;

namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>A new program's stack and first registers (copyargs and setregs; AT_ of sys/exec_elf.h).</summary>
internal static class NetBsdInitialStack
{
    private const ulong Top = 0xFFFF_E000;

    public static Errno Write(GuestThread thread, BsdArchitecture architecture, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout)
    {
        layout = new ProgramLayout();
        Errno error = BsdStackWriter.Open(memory, Top, program, image.ExecutableStack, out BsdStackWriter writer);
        if (error != Errno.None)
            return error;
        ulong strings = writer.PushZeros(32);
        ulong path = writer.PushText(program.Path);
        writer.Align();
        writer.PushStrings(program);
        Credentials who = thread.Credentials;
        ulong[] auxiliary =
        [
            3, image.HeadersAddress, // AT_PHDR
            4, (ulong)image.HeaderSize, // AT_PHENT
            5, (ulong)image.HeaderCount, // AT_PHNUM
            6, GuestAddress.PageSize, // AT_PAGESZ
            7, image.InterpreterBase, // AT_BASE
            8, 0, // AT_FLAGS
            9, image.Entry, // AT_ENTRY
            2000, who.EffectiveUser, // AT_EUID
            2001, who.User, // AT_RUID
            2002, who.EffectiveGroup, // AT_EGID
            2003, who.Group, // AT_RGID
            13, Top, // AT_STACKBASE
            2014, path, // AT_SUN_EXECNAME
            0, 0, // AT_NULL
        ];
        layout = writer.Start(thread, architecture, image, strings, auxiliary);
        return Errno.None;
    }
}
