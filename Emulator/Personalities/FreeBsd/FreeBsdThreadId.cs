using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>
/// lwpid_t: threads are numbered from where processes' numbers end (PID_MAX, sys/proc.h), so that a number says which of the two it names, also of a
/// process's first thread.
/// </summary>
internal static class FreeBsdThreadId
{
    public const int LargestProcess = 99_999;

    private const int First = LargestProcess + 1;

    public static int Of(GuestThread thread) => thread.Number + First;

    /// <summary>As a process sees a thread.</summary>
    public static int Of(GuestThread thread, CallContext call) => call.Pids.Inside(thread.Id) + First;

    public static GuestThread? Find(CallContext call, long id) => id is >= First and <= int.MaxValue ? call.FindThread((int)id - First) : null;
}
