using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Debugging;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.Bsd.Tracing;

/// <summary>amd64: struct fpreg is FXSAVE's image, struct dbreg 16 words of which DR0 to DR3, DR6 and DR7 are used.</summary>
internal abstract class BsdX64TraceLayout : BsdTraceLayout
{
    /// <summary>RFLAGS that are always set: bit 1 and IF.</summary>
    protected const ulong AlwaysSet = 0x202;

    /// <summary>Flags that a tracer may change (PSL_USERCHANGE), but for TF, which is the kernel's own means of stepping.</summary>
    protected const ulong Changeable = 0x24_4CD5;

    private const int Status = 6, Control = 7, DebugWords = 16;

    public override int FloatSize => FxImage.Length;

    public override int DebugSize => DebugWords * sizeof(ulong);

    protected override ulong CallInstruction => 2;

    public override void ReadFloats(GuestThread thread, Span<byte> set)
    {
        set[..FxImage.Length].Clear();
        FxImage.Write(thread.Cpu.State, set);
    }

    public override bool WriteFloats(GuestThread thread, ReadOnlySpan<byte> set) => FxImage.TryRead(ref thread.Cpu.State, set);

    public override void ReadDebug(GuestThread thread, Span<byte> set)
    {
        Span<ulong> words = Words(set);
        words[..DebugWords].Clear();
        DebugRegisters debug = thread.Debug ??= new DebugRegisters();
        for (int i = 0; i < DebugRegisters.Count; i++)
            words[i] = debug.Address(i);
        (words[Status], words[Control]) = (debug.Status, debug.Control);
    }

    public override bool WriteDebug(GuestThread thread, ReadOnlySpan<byte> set)
    {
        ReadOnlySpan<ulong> words = Words(set);
        var debug = new DebugRegisters { Status = words[Status] };
        for (int i = 0; i < DebugRegisters.Count; i++)
        {
            if (!debug.TrySetAddress(i, words[i]))
                return false;
        }
        if (!debug.TrySetControl(words[Control]))
            return false;
        thread.Debug = debug;
        return true;
    }

    /// <summary>May a program have these flags, and are the segments those of programs?</summary>
    protected static bool IsAllowed(GuestThread thread, ulong flags, bool hasOwnSegments) =>
        hasOwnSegments && ((flags ^ (thread.Cpu.State.Flags | AlwaysSet)) & ~(Changeable | AlwaysSet | TrapFlag | ResumeFlag)) == 0;

    private const ulong TrapFlag = 1 << 8, ResumeFlag = 1 << 16;

    protected static ulong ShownFlags(GuestThread thread) => thread.Cpu.State.Flags | AlwaysSet;

    protected static void SetFlags(ref CpuState state, ulong flags) => state.Flags = (state.Flags & ~Changeable) | (flags & Changeable);
}
