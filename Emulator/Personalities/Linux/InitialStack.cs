using System.Buffers.Binary;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>A new program's stack: arguments, environment, auxiliary vector (System V ABI, "Process Initialization"; getauxval(3)).</summary>
internal static class InitialStack
{
    private const ulong Top = 0xFFFF_F000;

    /// <summary>What is mapped at once below the strings; the rest of the stack grows.</summary>
    private const ulong FirstRoom = 132 * 1024;

    /// <summary>A quarter of the default stack, as Linux has it (execve(2), "Limits on size").</summary>
    private const int MostBytes = 2 << 20;

    private const string VdsoName = "[vdso]";

    /// <summary>One string (MAX_ARG_STRLEN).</summary>
    private const int LongestString = 128 * 1024;

    public static Errno Write(GuestThread thread, AddressSpace memory, ElfImage image, ProgramStart program, out ProgramLayout layout)
    {
        layout = new ProgramLayout();
        LinuxArchitecture architecture = LinuxArchitecture.OfMachine(image.Machine) ?? throw new InvalidOperationException("a program of no architecture");
        ulong strings = Measure(program);
        if (strings == ulong.MaxValue)
            return Errno.E2BIG;
        ulong length = (strings + FirstRoom + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
        Protection protection = Protection.ReadWrite | (image.ExecutableStack ? Protection.Execute : 0);
        var request = new MapRequest(new GuestAddress(Top - length), length, protection, Placement.Fixed, Name: "[stack]", GrowsDown: true);
        if (memory.Map(request, out _) != MapStatus.Ok)
            return Errno.ENOMEM;
        var writer = new StackWriter(memory, Top - 8);
        ulong path = writer.Push(program.Path);
        ulong environmentEnd = writer.Position;
        ulong[] environment = writer.PushAll(program.Environment);
        ulong argumentEnd = writer.Position;
        ulong[] arguments = writer.PushAll(program.Arguments);
        ulong argumentStart = writer.Position;
        writer.Align();
        ulong platform = architecture.Platform is { } name ? writer.Push(System.Text.Encoding.ASCII.GetBytes(name)) : 0;
        Span<byte> random = stackalloc byte[16];
        thread.Process.World.Random.Fill(random);
        ulong randomAt = writer.PushRaw(random);
        writer.Align();
        ulong vdso = MapVdso(thread, memory, architecture);
        ulong[] auxiliary = [33, vdso, .. Auxiliary(thread, image, program, path, platform, randomAt)]; // AT_SYSINFO_EHDR
        ulong stack = writer.PushTable(arguments, environment, auxiliary);
        architecture.Start(thread, image.Start, stack);
        layout = new ProgramLayout
        {
            StackStart = stack,
            VdsoStart = vdso,
            CodeStart = image.CodeStart,
            CodeEnd = image.CodeEnd,
            DataStart = image.DataStart,
            DataEnd = image.DataEnd,
            ArgumentStart = argumentStart,
            ArgumentEnd = argumentEnd,
            EnvironmentStart = argumentEnd,
            EnvironmentEnd = environmentEnd,
            SavedAuxiliary = Padded(ToBytes(auxiliary), architecture.AuxiliaryRoom),
        };
        return Errno.None;
    }

    private static byte[] Padded(byte[] vector, int room)
    {
        Array.Resize(ref vector, Math.Max(room, vector.Length));
        return vector;
    }

    /// <summary>Maps the vDSO with the clock page before it; 0, which is no vDSO, when there is no room.</summary>
    private static ulong MapVdso(GuestThread thread, AddressSpace memory, LinuxArchitecture architecture)
    {
        ClockPage page = PageOf(thread, architecture);
        var request = new MapRequest(default, page.Length, Protection.Read | Protection.Execute, Placement.Image, Object: page.Content, Name: VdsoName);
        return memory.Map(request, out GuestAddress place) == MapStatus.Ok ? place.Value + GuestAddress.PageSize : 0;
    }

    private static ClockPage PageOf(GuestThread thread, LinuxArchitecture architecture) => thread.Process.World.ClockPageOf(thread.Namespaces.Time, architecture.Vdso);

    /// <summary>Maps the clocks of the thread's space where those of another were (vdso_join_timens).</summary>
    internal static void ReplaceVdso(GuestThread thread)
    {
        ClockPage page = PageOf(thread, LinuxArchitecture.Of(thread));
        AddressSpace memory = thread.Process.Memory;
        foreach (AreaInfo area in memory.Areas())
        {
            if (area.Name == VdsoName && area.Object != page.Content && area.Object is not null)
                memory.Map(new MapRequest(area.Start, area.End - area.Start, area.Protection, Placement.Fixed, Object: page.Content, Offset: area.Offset, Name: VdsoName), out _);
        }
    }

    private static ulong Measure(ProgramStart program)
    {
        long bytes = program.Path.Length + 1;
        if (!TryAdd(program.Arguments, ref bytes) || !TryAdd(program.Environment, ref bytes))
            return ulong.MaxValue;
        return bytes > MostBytes ? ulong.MaxValue : (ulong)bytes;
    }

    private static bool TryAdd(IReadOnlyList<byte[]> texts, ref long bytes)
    {
        foreach (byte[] text in texts)
        {
            if (text.Length >= LongestString)
                return false;
            bytes += text.Length + 1 + 8;
        }
        return true;
    }

    private static ulong[] Auxiliary(GuestThread thread, ElfImage image, ProgramStart program, ulong path, ulong platform, ulong random)
    {
        const ulong ClockTicks = 100;
        LinuxArchitecture architecture = LinuxArchitecture.OfMachine(image.Machine)!;
        Credentials who = thread.Credentials;
        return
        [
            51, architecture.MinimumSignalStack, // AT_MINSIGSTKSZ
            16, architecture.Capabilities, // AT_HWCAP
            6, GuestAddress.PageSize, // AT_PAGESZ
            17, ClockTicks, // AT_CLKTCK
            3, image.HeadersAddress, // AT_PHDR
            4, (ulong)image.HeaderSize, // AT_PHENT
            5, (ulong)image.HeaderCount, // AT_PHNUM
            7, image.InterpreterBase, // AT_BASE
            8, 0, // AT_FLAGS
            9, image.Entry, // AT_ENTRY
            11, who.User, // AT_UID
            12, who.EffectiveUser, // AT_EUID
            13, who.Group, // AT_GID
            14, who.EffectiveGroup, // AT_EGID
            23, program.IsSecure ? 1UL : 0, // AT_SECURE
            25, random, // AT_RANDOM
            26, architecture.Capabilities2, // AT_HWCAP2
            31, path, // AT_EXECFN
            15, platform, // AT_PLATFORM
            0, 0, // AT_NULL
        ];
    }

    private static byte[] ToBytes(ulong[] words)
    {
        byte[] bytes = new byte[words.Length * 8];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 8), words[i]);
        return bytes;
    }

    /// <summary>Writes downwards. The room was mapped, so writes cannot fail.</summary>
    private ref struct StackWriter(AddressSpace memory, ulong position)
    {
        public ulong Position { get; private set; } = position;

        public void Align() => Position &= ~15UL;

        public ulong PushRaw(scoped ReadOnlySpan<byte> bytes)
        {
            Position -= (ulong)bytes.Length;
            memory.TryWrite(new GuestAddress(Position), bytes);
            return Position;
        }

        /// <summary>Pushes a string and its NUL, which fresh pages already have.</summary>
        public ulong Push(scoped ReadOnlySpan<byte> text)
        {
            Position--;
            return PushRaw(text);
        }

        /// <summary>Pushes strings so that the first lies lowest.</summary>
        public ulong[] PushAll(IReadOnlyList<byte[]> texts)
        {
            ulong[] addresses = new ulong[texts.Count];
            for (int i = texts.Count - 1; i >= 0; i--)
                addresses[i] = Push(texts[i]);
            return addresses;
        }

        /// <summary>The table the stack pointer points at: argc, argv, NULL, envp, NULL, auxv.</summary>
        public ulong PushTable(ulong[] arguments, ulong[] environment, ulong[] auxiliary)
        {
            ulong[] words = new ulong[arguments.Length + environment.Length + auxiliary.Length + 3];
            words[0] = (ulong)arguments.Length;
            arguments.CopyTo(words, 1);
            environment.CopyTo(words, arguments.Length + 2);
            auxiliary.CopyTo(words, arguments.Length + environment.Length + 3);
            Position = (Position - ((ulong)words.Length * 8)) & ~15UL;
            memory.TryWrite(new GuestAddress(Position), ToBytes(words));
            return Position;
        }
    }
}
