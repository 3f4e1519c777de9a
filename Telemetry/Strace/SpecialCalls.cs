using System.Text;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using ValueType = Vivarium.Emulator.Personalities.Tables.ValueType;

namespace Vivarium.Telemetry.Strace;

/// <summary>Calls whose arguments are not written one by one in their order: clone(2), clone3(2), futex(2).</summary>
internal static class SpecialCalls
{
    private const ulong SetParentTid = 0x100000;
    private const ulong ClearChildTid = 0x200000;
    private const ulong SetChildTid = 0x1000000;
    private const ulong SetTls = 0x80000;
    private const ulong PidFd = 0x1000;
    private const ulong MaskInFrame = 296;

    /// <summary>Goes on with such a call; false for every other.</summary>
    public static bool TryWrite(TracedCall call)
    {
        switch (call.Name)
        {
            case "clone":
                WriteClone(call);
                return true;
            case "clone3":
                WriteClone3(call);
                return true;
            case "rt_sigreturn":
                WriteSignalReturn(call);
                return true;
            case "futex":
                WriteFutex(call);
                return true;
            default:
                return false;
        }
    }

    /// <summary>What is known at once first; the parent's copy of the thread id when it is there.</summary>
    private static void WriteClone(TracedCall call)
    {
        ulong flags = call[0];
        bool waits = (flags & (SetParentTid | PidFd)) != 0;
        if (call.Next == 0)
        {
            call.Text.Append("child_stack=").AppendAddress(call[1]).Append(", flags=");
            int signal = (int)(flags & 0xFF);
            if ((flags & ~0xFFUL) != 0 || signal == 0)
                call.Text.AppendSet(LinuxSets.CloneFlags, flags & ~0xFFUL).Append(signal != 0 ? "|" : "");
            if (signal != 0)
                call.Text.AppendSignal(signal);
            call.Next = 1;
        }
        if (call.Next != 1 || (waits && !call.IsDone))
            return;
        if (waits)
            call.Text.Append(", parent_tid=").AppendTid(call, call[2]);
        if ((flags & SetTls) != 0)
            call.Text.Append(", tls=").AppendAddress(call[4]);
        if ((flags & (SetChildTid | ClearChildTid)) != 0)
            call.Text.Append(", child_tidptr=").AppendAddress(call[3]);
        call.Next = 5;
    }

    /// <summary>The mask that is restored, from the frame that the handler left on the stack (struct ucontext, uc_sigmask).</summary>
    private static void WriteSignalReturn(TracedCall call)
    {
        if (call.Next == 0)
            call.Text.Append("{mask=").AppendPointed(call.Memory, new ValueType(ValueKind.Sigset, 8), call.Stack + MaskInFrame).Append('}');
        call.Next = 1;
    }

    private static void WriteClone3(TracedCall call)
    {
        if (call.Next == 0)
        {
            call.Text.AppendPointed(call.Memory, call.Shape!.Arguments[0].Type, call[0]);
            call.Next = 1;
        }
        if (call.Next != 1 || !call.IsDone)
            return;
        if (!call.HasFailed && (call.Before[0] & SetParentTid) != 0 && call.Memory.TryRead(new GuestAddress(call[0] + 24), out ulong parent))
            call.Text.Append(" => {parent_tid=").AppendTid(call, parent).Append('}');
        call.Text.Append(", ").AppendUnsigned(call[1]);
        call.Next = 2;
    }

    private static StringBuilder AppendTid(this StringBuilder text, TracedCall call, ulong address) => call.HasFailed
        ? text.AppendAddress(address)
        : text.AppendPointed(call.Memory, new ValueType(ValueKind.Pid, 4), address);

    /// <summary>futex(2): each operation uses some of the six arguments.</summary>
    private static void WriteFutex(TracedCall call)
    {
        if (call.Next != 0)
            return;
        int operation = (int)call[1] & 0x7F;
        StringBuilder text = call.Text.AppendAddress(call[0]).Append(", ").AppendSet(LinuxSets.FutexOperations, call[1]);
        if (operation is 6 or 7 or 8 or 13)
        {
            if (operation is 6 or 13)
                AppendTimeout(text.Append(", "), call);
        }
        else
        {
            text.Append(", ").AppendUnsigned((uint)call[2]);
        }
        switch (operation)
        {
            case 0:
                AppendTimeout(text.Append(", "), call);
                break;
            case 9:
                AppendTimeout(text.Append(", "), call);
                AppendBits(text.Append(", "), call[5]);
                break;
            case 10:
                AppendBits(text.Append(", "), call[5]);
                break;
            case 11:
                AppendTimeout(text.Append(", "), call);
                text.Append(", ").AppendAddress(call[4]);
                break;
            case 3:
                text.Append(", ").AppendUnsigned((uint)call[3]).Append(", ").AppendAddress(call[4]);
                break;
            case 4 or 12:
                text.Append(", ").AppendUnsigned((uint)call[3]).Append(", ").AppendAddress(call[4]).Append(", ").AppendUnsigned((uint)call[5]);
                break;
            case 5:
                text.Append(", ").AppendUnsigned((uint)call[3]).Append(", ").AppendAddress(call[4]).Append(", ").AppendHex((uint)call[5]);
                break;
        }
        call.Next = 6;
    }

    private static void AppendTimeout(StringBuilder text, TracedCall call) =>
        text.AppendPointed(call.Memory, new ValueType(ValueKind.Struct, 16, Struct: LinuxStructs.Timespec), call[3]);

    private static void AppendBits(StringBuilder text, ulong bits)
    {
        if ((uint)bits == uint.MaxValue)
            text.Append("FUTEX_BITSET_MATCH_ANY");
        else
            text.AppendHex((uint)bits);
    }
}
