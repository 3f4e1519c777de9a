using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.X64;

/// <summary>
/// The file "core" that a signal leaves in the working directory (core(5)): an ELF file of the process's memory and, as notes, of its threads' registers.
/// What no page was ever brought in for is a hole in it.
/// </summary>
internal sealed class CoreDump
{
    private const int HeaderSize = 64, ProgramHeaderSize = 56;
    private const uint StatusNote = 1, FloatingNote = 2, ProcessNote = 3, AuxiliaryNote = 6;
    private const int PageSize = (int)GuestAddress.PageSize;
    private const uint Mode = 0x180;

    private readonly GuestThread _thread;
    private readonly Process _process;
    private readonly OpenFile _file;
    private readonly ulong _limit;

    private CoreDump(GuestThread thread, OpenFile file, ulong limit) => (_thread, _process, _file, _limit) = (thread, thread.Process, file, limit);

    /// <summary>True when a file was written, if only its beginning: it ends at RLIMIT_CORE. Processes that changed who they are leave none, nor do files stand in whose place others have.</summary>
    public static bool Write(GuestThread thread, int signal)
    {
        Process process = thread.Process;
        ulong limit = process.SoftLimit(Resource.CoreSize);
        if (process.Dumpable != 1 || limit < GuestAddress.PageSize)
            return false;
        FileContext context = process.FileContext;
        FileCaller caller = new(context, thread.FileCredentials, thread.Call);
        const OpenFlags flags = OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.NoFollow;
        // Programs that would take it are not run.
        if (NameOf(thread, signal) is not { } name || name[0] == '|')
            return false;
        if (process.World.Vfs.Open(caller, context.WorkingDirectory, Encoding.UTF8.GetBytes(name), flags, Mode & ~context.CreationMask, WalkFlags.None, out OpenFile? file) != Errno.None)
            return false;
        FileStatus status = file!.Inode.Status;
        bool isOwn = status.Kind == FileKind.Regular && status.Links == 1 && status.User == thread.FileCredentials.User;
        if (isOwn && file.Inode.SetAttributes(new AttributeChange { Size = 0 }) == Errno.None)
            new CoreDump(thread, file, limit).Write(signal);
        file.Release();
        return isOwn;
    }

    /// <summary>The pattern with what stands for its letters (core(5), "Naming of core dump files"); null when that is nothing.</summary>
    private static string? NameOf(GuestThread thread, int signal)
    {
        string pattern = thread.Process.World.Settings.CorePattern;
        StringBuilder name = new();
        for (int i = 0; i < pattern.Length; i++)
        {
            if (pattern[i] != '%')
            {
                name.Append(pattern[i]);
                continue;
            }
            if (++i == pattern.Length)
                break;
            Process process = thread.Process;
            name.Append(pattern[i] switch
            {
                '%' => "%",
                'p' => Number(process.Space.Inside(process.Id)),
                'P' => Number(process.Id),
                'i' => Number(thread.Number),
                'I' => Number(thread.Id),
                'u' => Number(thread.Credentials.User),
                'g' => Number(thread.Credentials.Group),
                's' => Number(signal),
                't' => Number(process.World.Clock.Realtime / 1_000_000_000),
                'c' => Number((long)process.SoftLimit(Resource.CoreSize)),
                'd' => Number(process.Dumpable),
                'e' or 'f' => Encoding.Latin1.GetString(process.MainThread.Name).Replace('/', '!'),
                'h' => thread.Namespaces.Uts.HostName,
                _ => "",
            });
        }
        return name.Length > 0 ? name.ToString() : null;
    }

    private static string Number(long value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private void Write(int signal)
    {
        List<AreaInfo> areas = [];
        foreach (AreaInfo area in _process.Memory.Areas())
        {
            // The clock's page is the kernel's own.
            if (area.Name != "[vvar]")
                areas.Add(area);
        }
        byte[] notes = Notes(signal);
        long notesAt = HeaderSize + ((areas.Count + 1L) * ProgramHeaderSize);
        long at = (notesAt + notes.Length + PageSize - 1) / PageSize * PageSize;
        byte[] head = new byte[notesAt];
        WriteHeader(head, areas.Count + 1);
        WriteProgramHeader(head.AsSpan(HeaderSize), 4, 0, notesAt, 0, notes.Length, 0);
        for (int i = 0; i < areas.Count; i++)
        {
            long length = (long)(areas[i].End - areas[i].Start), kept = IsDumped(areas[i]) ? length : 0;
            WriteProgramHeader(head.AsSpan(HeaderSize + ((i + 1) * ProgramHeaderSize)), 1, FlagsOf(areas[i].Protection), at, areas[i].Start.Value, kept, length);
            at += kept;
        }
        bool goesOn = Put(0, head) && Put(notesAt, notes);
        at = (notesAt + notes.Length + PageSize - 1) / PageSize * PageSize;
        foreach (AreaInfo area in areas)
        {
            if (!goesOn)
                return;
            if (!IsDumped(area))
                continue;
            goesOn = PutArea(area, at);
            at += (long)(area.End - area.Start);
        }
        // What ends in a hole has its length all the same.
        if (goesOn && _file.Size < at)
            Put(at - 1, [0]);
    }

    /// <summary>By /proc/PID/coredump_filter: usually anonymous memory, private or shared, and what a private mapping of a file may have changed.</summary>
    private bool IsDumped(in AreaInfo area)
    {
        const uint privateMemory = 1, sharedMemory = 2, privateFiles = 4, sharedFiles = 8;
        if (area.IsLeftOut || area.Protection == Protection.None)
            return false;
        bool isMemory = area.Object is null or AnonymousObject;
        uint kinds = area.Shared ? (isMemory ? sharedMemory : sharedFiles)
            : isMemory ? privateMemory : privateFiles | ((area.Protection & Protection.Write) != 0 ? privateMemory : 0);
        return (_process.DumpedKinds & kinds) != 0;
    }

    private static uint FlagsOf(Protection protection) =>
        ((protection & Protection.Read) != 0 ? 4u : 0) | ((protection & Protection.Write) != 0 ? 2u : 0) | ((protection & Protection.Execute) != 0 ? 1u : 0);

    private bool PutArea(in AreaInfo area, long place)
    {
        byte[] page = new byte[PageSize], resident = new byte[1];
        for (GuestAddress at = area.Start; at < area.End; at += GuestAddress.PageSize, place += PageSize)
        {
            bool isThere = _process.Memory.TryTellResident(at, resident) && (resident[0] & 1) != 0 && _process.Memory.TryRead(at, page);
            if (isThere && page.AsSpan().ContainsAnyExcept((byte)0) && !Put(place, page))
                return false;
        }
        return true;
    }

    /// <summary>False past the limit, and when there is no room.</summary>
    private bool Put(long at, ReadOnlySpan<byte> bytes)
    {
        int count = (int)Math.Min((ulong)bytes.Length, _limit - Math.Min(_limit, (ulong)at));
        return _file.WriteAt(at, bytes[..count]) is { Error: Errno.None } result && result.Count == bytes.Length;
    }

    private static void WriteHeader(Span<byte> head, int programHeaders)
    {
        const ushort core = 4, machine = 62;
        ((ReadOnlySpan<byte>)[0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(head);
        BinaryPrimitives.WriteUInt16LittleEndian(head[16..], core);
        BinaryPrimitives.WriteUInt16LittleEndian(head[18..], machine);
        BinaryPrimitives.WriteUInt32LittleEndian(head[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(head[32..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head[52..], HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head[54..], ProgramHeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(head[56..], (ushort)Math.Min(programHeaders, ushort.MaxValue));
    }

    private static void WriteProgramHeader(Span<byte> header, uint type, uint flags, long offset, ulong address, long kept, long length)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], flags);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], address);
        BinaryPrimitives.WriteInt64LittleEndian(header[32..], kept);
        BinaryPrimitives.WriteInt64LittleEndian(header[40..], length);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], type == 1 ? GuestAddress.PageSize : 0);
    }

    /// <summary>The thread that the signal met comes first, and the notes of the process behind its status.</summary>
    private byte[] Notes(int signal)
    {
        List<byte> notes = [];
        AddNote(notes, StatusNote, Status(_thread, signal));
        AddNote(notes, ProcessNote, About());
        AddNote(notes, AuxiliaryNote, _process.Layout.AuxiliaryVector);
        AddNote(notes, FloatingNote, Floating(_thread));
        foreach (GuestThread other in _process.Threads)
        {
            if (ReferenceEquals(other, _thread))
                continue;
            AddNote(notes, StatusNote, Status(other, signal));
            AddNote(notes, FloatingNote, Floating(other));
        }
        return [.. notes];
    }

    private static void AddNote(List<byte> notes, uint type, ReadOnlySpan<byte> content)
    {
        ReadOnlySpan<byte> name = "CORE\0\0\0\0"u8;
        Span<byte> head = stackalloc byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(head, 5);
        BinaryPrimitives.WriteInt32LittleEndian(head[4..], content.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], type);
        notes.AddRange(head);
        notes.AddRange(name);
        notes.AddRange(content);
        while (notes.Count % 4 != 0)
            notes.Add(0);
    }

    /// <summary>struct elf_prstatus.</summary>
    private byte[] Status(GuestThread thread, int signal)
    {
        byte[] status = new byte[336];
        BinaryPrimitives.WriteInt32LittleEndian(status, signal);
        BinaryPrimitives.WriteInt16LittleEndian(status.AsSpan(12), (short)signal);
        WriteIds(status.AsSpan(32), thread.Id);
        MemoryMarshal.Write(status.AsSpan(112), TraceRegisters.Of(thread));
        BinaryPrimitives.WriteInt32LittleEndian(status.AsSpan(328), 1);
        return status;
    }

    private void WriteIds(Span<byte> ids, int id)
    {
        PidSpace space = _process.Space;
        ReadOnlySpan<int> numbers = [space.Inside(id), space.Inside(_process.ParentId), space.Inside(_process.Group), space.Inside(_process.Session)];
        MemoryMarshal.AsBytes(numbers).CopyTo(ids);
    }

    /// <summary>struct elf_prpsinfo: a running process, its name and the beginning of its command line.</summary>
    private byte[] About()
    {
        byte[] about = new byte[136];
        about[1] = (byte)'R';
        BinaryPrimitives.WriteUInt32LittleEndian(about.AsSpan(16), _process.Credentials.User);
        BinaryPrimitives.WriteUInt32LittleEndian(about.AsSpan(20), _process.Credentials.Group);
        WriteIds(about.AsSpan(24), _process.Id);
        byte[] name = _process.MainThread.Name;
        name.AsSpan(0, Math.Min(name.Length, 15)).CopyTo(about.AsSpan(40));
        int length = (int)Math.Min(79, _process.Layout.ArgumentEnd - _process.Layout.ArgumentStart);
        Span<byte> arguments = about.AsSpan(56, length);
        if (_process.Memory.TryRead(new GuestAddress(_process.Layout.ArgumentStart), arguments))
            arguments.Replace((byte)0, (byte)' ');
        return about;
    }

    /// <summary>struct user_fpregs_struct, as FXSAVE has it.</summary>
    private static byte[] Floating(GuestThread thread)
    {
        byte[] image = new byte[512];
        FxImage.Write(thread.Cpu.State, image);
        return image;
    }
}
