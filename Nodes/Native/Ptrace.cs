using System.Runtime.InteropServices;

namespace Vivarium.Nodes.Native;

/// <summary>What PTRACE_GET_SYSCALL_INFO tells (ptrace(2), struct ptrace_syscall_info).</summary>
[StructLayout(LayoutKind.Explicit, Size = 88)]
internal struct CallStop
{
    public const byte Entry = 1, Exit = 2;

    [FieldOffset(0)]
    public byte Kind;

    /// <summary>At an entry: the call's number.</summary>
    [FieldOffset(24)]
    public ulong Number;

    /// <summary>At an exit: its result, -errno when it failed.</summary>
    [FieldOffset(24)]
    public long Result;

    [FieldOffset(32)]
    public byte HasFailed;
}

/// <summary>Starting, tracing and ending programs of the host (ptrace(2), posix_spawn(3), waitpid(2)). x86-64 and glibc.</summary>
internal static class Ptrace
{
    public const int SigKill = 9, SigStop = 19, SigCont = 18, SigTrap = 5;

    /// <summary>What a stop at a call has beside SIGTRAP (PTRACE_O_TRACESYSGOOD).</summary>
    public const int CallMark = 0x80;

    /// <summary>PTRACE_EVENT_STOP: a seized process stands still as a group, or is new.</summary>
    public const int GroupStop = 128;

    public const int WaitAll = 0x40000000, WaitUntraced = 2, WaitOwnThread = 0x20000000;

    // PTRACE_SYSCALL, SEIZE, LISTEN, GET_SYSCALL_INFO.
    private const long Continue = 24, SeizeRequest = 0x4206, Listen = 0x4208, GetCallInfo = 0x420E;

    // TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC, EXITKILL.
    private const nuint Options = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x100000;

    private const string Name = "libc";

    /// <summary>Traces a process and all that come of it; they die with the tracer.</summary>
    public static bool Seize(int process) => Request(SeizeRequest, process, 0, Options) == 0;

    /// <summary>Lets it run to its next call, with a signal or without (0).</summary>
    public static void GoOn(int process, int signal) => Request(Continue, process, 0, (nuint)signal);

    /// <summary>Leaves it in its group stop, able to be continued by SIGCONT.</summary>
    public static void StayStopped(int process) => Request(Listen, process, 0, 0);

    public static bool TryGetCall(int process, out CallStop stop)
    {
        stop = default;
        return RequestCall(GetCallInfo, process, (nuint)Marshal.SizeOf<CallStop>(), ref stop) > 0;
    }

    [DllImport(Name, EntryPoint = "waitpid", SetLastError = true)]
    public static extern int Wait(int process, out int status, int options);

    [DllImport(Name, EntryPoint = "pipe2", SetLastError = true)]
    private static extern int Pipe(int[] ends, int flags);

    [DllImport(Name, EntryPoint = "close")]
    public static extern int Close(int descriptor);

    [DllImport(Name, EntryPoint = "ptrace", SetLastError = true)]
    private static extern long Request(long request, int process, nuint address, nuint data);

    [DllImport(Name, EntryPoint = "ptrace", SetLastError = true)]
    private static extern long RequestCall(long request, int process, nuint size, ref CallStop stop);

    [DllImport(Name, EntryPoint = "posix_spawn_file_actions_init")]
    private static extern int InitActions(byte[] actions);

    [DllImport(Name, EntryPoint = "posix_spawn_file_actions_adddup2")]
    private static extern int AddDuplicate(byte[] actions, int from, int to);

    [DllImport(Name, EntryPoint = "posix_spawn_file_actions_destroy")]
    private static extern int DestroyActions(byte[] actions);

    [DllImport(Name, EntryPoint = "posix_spawnattr_init")]
    private static extern int InitAttributes(byte[] attributes);

    [DllImport(Name, EntryPoint = "posix_spawnattr_setflags")]
    private static extern int SetFlags(byte[] attributes, short flags);

    [DllImport(Name, EntryPoint = "posix_spawnattr_setsigdefault")]
    private static extern int SetDefaults(byte[] attributes, byte[] signals);

    [DllImport(Name, EntryPoint = "posix_spawnattr_setsigmask")]
    private static extern int SetMask(byte[] attributes, byte[] signals);

    [DllImport(Name, EntryPoint = "posix_spawn")]
    private static extern int Spawn(out int process, [MarshalAs(UnmanagedType.LPUTF8Str)] string path, byte[] actions, byte[] attributes, nint[] arguments, nint[] environment);

    /// <summary>A pipe whose ends close when something is executed.</summary>
    public static (int Read, int Write) NewPipe()
    {
        int[] ends = new int[2];
        if (Pipe(ends, Libc.CloseOnExec) != 0)
            throw new IOException($"pipe2: error {Marshal.GetLastPInvokeError()}");
        return (ends[0], ends[1]);
    }

    /// <summary>
    /// Starts a program in a group of its own, with these descriptors as its standard ones, and every signal as by default. Returns its
    /// process number, or -errno.
    /// </summary>
    public static int Start(string path, IReadOnlyList<byte[]> arguments, IReadOnlyList<byte[]> environment, int input, int output, int error)
    {
        // Larger than glibc's structures; their layout is its own business.
        const int opaque = 512;
        const short ownGroup = 2, withDefaults = 4, withMask = 8;
        byte[] actions = new byte[opaque], attributes = new byte[opaque], none = new byte[128], all = new byte[128];
        Array.Fill(all, (byte)0xFF);
        InitActions(actions);
        AddDuplicate(actions, input, 0);
        AddDuplicate(actions, output, 1);
        AddDuplicate(actions, error, 2);
        InitAttributes(attributes);
        SetDefaults(attributes, all);
        SetMask(attributes, none);
        SetFlags(attributes, ownGroup | withDefaults | withMask);
        nint[] words = ToPointers(arguments), variables = ToPointers(environment);
        int failure = Spawn(out int process, path, actions, attributes, words, variables);
        DestroyActions(actions);
        Free(words);
        Free(variables);
        return failure == 0 ? process : -failure;
    }

    private static nint[] ToPointers(IReadOnlyList<byte[]> words)
    {
        nint[] pointers = new nint[words.Count + 1];
        for (int i = 0; i < words.Count; i++)
        {
            pointers[i] = Marshal.AllocHGlobal(words[i].Length + 1);
            Marshal.Copy(words[i], 0, pointers[i], words[i].Length);
            Marshal.WriteByte(pointers[i], words[i].Length, 0);
        }
        return pointers;
    }

    private static void Free(nint[] pointers)
    {
        foreach (nint pointer in pointers)
            Marshal.FreeHGlobal(pointer);
    }
}
