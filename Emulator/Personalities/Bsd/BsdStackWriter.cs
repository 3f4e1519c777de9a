using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>Writes a new program's stack downwards, as both systems lay it out: strings, then argc, argv, envp and the auxiliary vector.</summary>
internal sealed class BsdStackWriter
{
    /// <summary>What is mapped at once below the strings; the rest of the stack grows.</summary>
    private const ulong FirstRoom = 132 * 1024;

    /// <summary>ARG_MAX of both systems.</summary>
    private const int MostBytes = 256 * 1024;

    private readonly AddressSpace _memory;
    private ulong _position;
    private ulong[] _arguments = [];
    private ulong[] _environment = [];
    private ulong _argumentStart, _argumentEnd, _environmentEnd;

    private BsdStackWriter(AddressSpace memory, ulong top)
    {
        _memory = memory;
        _position = top;
    }

    /// <summary>Maps a stack below an address: E2BIG, ENOMEM.</summary>
    public static Errno Open(AddressSpace memory, ulong top, ProgramStart program, bool isExecutable, out BsdStackWriter writer)
    {
        writer = new BsdStackWriter(memory, top);
        long bytes = program.Path.Length;
        foreach (IReadOnlyList<byte[]> list in (ReadOnlySpan<IReadOnlyList<byte[]>>)[program.Arguments, program.Environment])
        {
            foreach (byte[] text in list)
                bytes += text.Length + 1 + sizeof(ulong);
        }
        if (bytes > MostBytes)
            return Errno.E2BIG;
        ulong length = ((ulong)bytes + FirstRoom + GuestAddress.PageSize - 1) & ~(GuestAddress.PageSize - 1);
        Protection protection = Protection.ReadWrite | (isExecutable ? Protection.Execute : 0);
        var request = new MapRequest(new GuestAddress(top - length), length, protection, Placement.Fixed, Name: "[stack]", GrowsDown: true);
        return memory.Map(request, out _) == MapStatus.Ok ? Errno.None : Errno.ENOMEM;
    }

    public void Align() => _position &= ~15UL;

    /// <summary>Room for something that is written later; fresh pages are zero.</summary>
    public ulong PushZeros(ulong length) => _position -= length;

    public ulong PushRaw(scoped ReadOnlySpan<byte> bytes)
    {
        _position -= (ulong)bytes.Length;
        _memory.TryWrite(new GuestAddress(_position), bytes);
        return _position;
    }

    public ulong PushText(scoped ReadOnlySpan<byte> text)
    {
        _position--;
        return PushRaw(text);
    }

    public void PushStrings(ProgramStart program)
    {
        _environmentEnd = _position;
        _environment = PushAll(program.Environment);
        _argumentEnd = _position;
        _arguments = PushAll(program.Arguments);
        _argumentStart = _position;
        Align();
    }

    /// <summary>argc, argv, NULL, envp, NULL, the auxiliary vector; 16-byte aligned.</summary>
    private ulong PushTable(ulong[] auxiliary)
    {
        ulong[] words = [(ulong)_arguments.Length, .. _arguments, 0, .. _environment, 0, .. auxiliary];
        _position = (_position - ((ulong)words.Length * sizeof(ulong))) & ~15UL;
        _memory.TryWrite(new GuestAddress(_position), MemoryMarshal.AsBytes(words.AsSpan()));
        return _position;
    }

    /// <summary>struct ps_strings, by which ps(1) finds arguments and environment.</summary>
    private void WriteStringTable(ulong place, ulong stack)
    {
        ulong arguments = stack + sizeof(ulong), environment = arguments + ((ulong)_arguments.Length + 1) * sizeof(ulong);
        ReadOnlySpan<ulong> words = [arguments, (ulong)_arguments.Length, environment, (ulong)_environment.Length];
        _memory.TryWrite(new GuestAddress(place), MemoryMarshal.AsBytes(words));
    }

    /// <summary>Writes what points to all of that, and sets the program's first registers.</summary>
    /// <param name="strings">Where struct ps_strings is.</param>
    public ProgramLayout Start(GuestThread thread, BsdArchitecture architecture, ElfImage image, ulong strings, ulong[] auxiliary)
    {
        ulong stack = PushTable(auxiliary);
        WriteStringTable(strings, stack);
        architecture.Start(thread, image.Start, stack, strings);
        return Describe(stack, image, auxiliary);
    }

    private ProgramLayout Describe(ulong stack, ElfImage image, ulong[] auxiliary) => new()
    {
        StackStart = stack,
        CodeStart = image.CodeStart,
        CodeEnd = image.CodeEnd,
        DataStart = image.DataStart,
        DataEnd = image.DataEnd,
        ArgumentStart = _argumentStart,
        ArgumentEnd = _argumentEnd,
        EnvironmentStart = _argumentEnd,
        EnvironmentEnd = _environmentEnd,
        SavedAuxiliary = MemoryMarshal.AsBytes(auxiliary.AsSpan()).ToArray(),
    };

    private ulong[] PushAll(IReadOnlyList<byte[]> texts)
    {
        ulong[] addresses = new ulong[texts.Count];
        for (int i = texts.Count - 1; i >= 0; i--)
            addresses[i] = PushText(texts[i]);
        return addresses;
    }
}
