using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Telemetry.Strace;

/// <summary>
/// Writes a call as strace(1) does, in two steps: what the program asks for when the call begins, what the kernel filled in
/// when it ends.
/// </summary>
public static class CallFormatter
{
    /// <summary>Name and arguments, up to the first that the call itself will fill in.</summary>
    public static void Enter(TracedCall call)
    {
        call.Text.Append(call.Name).Append('(');
        for (int i = 0; i < (call.Shape?.Arguments.Length ?? 0); i++)
        {
            if (call.Shape!.Arguments[i].Direction == Direction.InOut)
                call.Before[i] = call.Memory.TryRead(new GuestAddress(call[i]), out ulong value) ? value : 0;
        }
        WriteArguments(call);
    }

    /// <summary>The call that a thread is in, as far as its arguments are known before it ends.</summary>
    public static string Pending(GuestThread thread)
    {
        var call = new TracedCall(thread.Call.Number, CallTables.Describe(thread.Call.Number, thread.Cpu.Architecture), thread.Process.Memory) { Architecture = thread.Cpu.Architecture };
        call.Begin(thread.Call.Arguments);
        Enter(call);
        return call.Text.ToString().TrimEnd(' ', ',') + (call.Next < (call.Shape?.Arguments.Length ?? 0) ? ", ...)" : ")");
    }

    /// <summary>The remaining arguments and the closing parenthesis.</summary>
    public static void Leave(TracedCall call)
    {
        WriteArguments(call);
        call.Text.Append(')');
        EventText.Answer(call);
    }

    /// <summary>What stands behind the equals sign.</summary>
    /// <param name="call">A call that has ended.</param>
    /// <param name="outcome"><see cref="CallOutcome.NoReturn"/> tells a restart from a result.</param>
    public static string Result(TracedCall call, CallOutcome outcome)
    {
        var text = new StringBuilder();
        ValueKind kind = call.Shape?.Result.Kind ?? ValueKind.Long;
        if (kind == ValueKind.None || !call.IsDone)
            return "?";
        if (outcome == CallOutcome.NoReturn && call.Name is not ("execve" or "execveat" or "rt_sigreturn"))
            return "? ERESTARTSYS (To be restarted if SA_RESTART is set)";
        if (call.HasFailed)
            text.AppendError(call.Error);
        else
            WriteValue(text, call, kind);
        if (call.Remark is { } remark)
            text.Append(" (").Append(remark).Append(')');
        return text.ToString();
    }

    private static void WriteValue(StringBuilder text, TracedCall call, ValueKind kind)
    {
        switch (kind)
        {
            case ValueKind.Hex:
                text.AppendHex((ulong)call.Value);
                break;
            case ValueKind.Uid:
                text.AppendUnsigned((uint)call.Value);
                break;
            case ValueKind.Mode:
                text.Append(call.Value == 0 ? "0" : "0" + Convert.ToString(call.Value, 8));
                break;
            case ValueKind.Signal or ValueKind.Set:
                text.AppendSigned(call.Value).Append(" (").AppendValue(call.Shape!.Result, (ulong)call.Value).Append(')');
                break;
            case ValueKind.FcntlResult:
                DependentText.WriteFcntlResult(text, call);
                break;
            default:
                text.AppendSigned(call.Value);
                break;
        }
    }

    private static void WriteArguments(TracedCall call)
    {
        if (call.Shape is not { } shape)
        {
            for (; call.Next < 6; call.Next++)
                call.Text.Append(call.Next == 0 ? "" : ", ").AppendHex(call[call.Next]);
            return;
        }
        if (SpecialCalls.TryWrite(call))
            return;
        for (; call.Next < shape.Arguments.Length; call.Next++)
        {
            ArgumentShape argument = shape.Arguments[call.Next];
            if (IsHidden(call, argument))
                continue;
            if (call.Next != 0 && !call.HasSeparator)
                call.Text.Append(", ");
            call.HasSeparator = !call.IsDone && Waits(call, argument);
            if (call.HasSeparator)
                return;
            WriteArgument(call, argument, call.Next);
        }
    }

    /// <summary>True when only the call's end makes the argument known.</summary>
    private static bool Waits(TracedCall call, ArgumentShape argument) => argument.Direction switch
    {
        Direction.Out => true,
        Direction.InOut => !EventText.IsAskedFirst(argument),
        _ => argument.Type.Kind == ValueKind.IoctlArgument
            || (argument.Type.Kind == ValueKind.PrctlArgument && (int)call[0] == DependentText.GetName)
            || (argument.Type.Kind == ValueKind.FcntlArgument && DependentText.IsLockQuery((int)call[1])),
    };

    private static bool IsHidden(TracedCall call, ArgumentShape argument) => argument.Type.Kind switch
    {
        ValueKind.Hidden => true,
        ValueKind.CreatMode => !CreatesFile(call),
        ValueKind.FcntlArgument => !DependentText.HasArgument((int)call[1]),
        ValueKind.Dev => call.Name is "mknod" or "mknodat" && !MakesDevice(call),
        _ => call.Name == "prctl" && call.Next >= DependentText.PrctlArguments((int)call[0]),
    };

    private static bool CreatesFile(TracedCall call)
    {
        ulong flags = call[call.Next - 1];
        const ulong create = 0x40, temporary = 0x400000;
        return (flags & (create | temporary)) != 0;
    }

    private static bool MakesDevice(TracedCall call) => (call[call.Next - 1] & 0xF000) is 0x2000 or 0x6000;

    private static void WriteArgument(TracedCall call, ArgumentShape argument, int index)
    {
        if (argument.Direction != Direction.None)
        {
            WriteMemory(call, argument, index);
            return;
        }
        ulong value = call[index];
        StringBuilder text = call.Text;
        switch (argument.Type.Kind)
        {
            case ValueKind.Path:
                text.AppendPath(call.Memory, value);
                break;
            case ValueKind.Str:
                text.AppendString(call.Memory, value, call.Name == "memfd_create" ? 250 : StringText.Shown);
                break;
            case ValueKind.Argv:
                text.AppendVector(call.Memory, value);
                break;
            case ValueKind.Envp:
                text.AppendEnvironment(call.Memory, value);
                break;
            case ValueKind.SocketProtocol:
                text.AppendProtocol((int)call[0], value);
                break;
            case ValueKind.SocketOption:
                text.AppendOptionName((int)call[1], value);
                break;
            default:
                if (!DependentText.TryWrite(call, argument.Type.Kind, value))
                    text.AppendValue(argument.Type, value);
                break;
        }
    }

    private static void WriteMemory(TracedCall call, ArgumentShape argument, int index)
    {
        ulong address = call[index];
        if (address == 0 || (argument.Direction == Direction.Out && IsUnfilled(call, argument)))
        {
            call.Text.AppendAddress(address);
            return;
        }
        switch (argument.Type.Kind)
        {
            case ValueKind.Struct:
                WriteStruct(call, argument, address);
                break;
            case ValueKind.Bytes or ValueKind.BytesAll:
                call.Text.AppendBuffer(call.Memory, address, (ulong)Math.Max(0, CountOf(call, argument)), argument.Type.Kind == ValueKind.BytesAll);
                break;
            case ValueKind.Str:
                call.Text.AppendPath(call.Memory, address);
                break;
            case ValueKind.Sockaddr:
                call.Text.AppendSocketAddress(call.Memory, address, CountOf(call, argument));
                break;
            case ValueKind.Option:
                call.Text.AppendOptionValue(call.Memory, (int)call[1], (int)call[2], address, (int)CountOf(call, argument));
                break;
            case ValueKind.Dirents or ValueKind.DirentsOld:
                int entries = CountEntries(call, address);
                call.Text.AppendAddress(address).Append(CultureInfo.InvariantCulture, $" /* {entries} entr{(entries == 1 ? "y" : "ies")} */");
                break;
            case ValueKind.FdSet:
                EventText.AppendDescriptors(call.Text, call.Memory, address, CountOf(call, argument));
                break;
            case ValueKind.CpuSet:
                EventText.AppendProcessors(call.Text, call.Memory, address, CountOf(call, argument));
                break;
            case ValueKind.WaitStatus:
                call.Text.AppendPointed(call.Memory, argument.Type, address);
                break;
            default:
                WriteNumbers(call, argument, index);
                break;
        }
    }

    /// <summary>True when the kernel wrote nothing there: the call failed, or had nothing to tell.</summary>
    private static bool IsUnfilled(TracedCall call, ArgumentShape argument)
    {
        if (call.Name is "nanosleep" or "clock_nanosleep")
            return call.Error != Errno.EINTR;
        if (call.HasFailed || !call.IsDone)
            return true;
        return call.Value == 0 && call.Name is "wait4" or "poll" || (argument.Type.Kind == ValueKind.CpuSet && call.Value == 0);
    }

    private static void WriteStruct(TracedCall call, ArgumentShape argument, ulong address)
    {
        StructShape shape = argument.Type.Struct!;
        bool isOutput = argument.Direction == Direction.Out;
        if (ReferenceEquals(shape, LinuxStructs.Iovec))
            call.Text.AppendVectors(call.Memory, address, CountOf(call, argument), isOutput ? call.Value : -1);
        else if (ReferenceEquals(shape, LinuxStructs.Msghdr))
            call.Text.AppendMessage(call.Memory, address, isOutput ? call.Value : -1);
        else if (ReferenceEquals(shape, LinuxStructs.Mmsghdr))
            EventText.AppendMessages(call.Text, call.Memory, address, CountOf(call, argument), isOutput);
        else if (ReferenceEquals(shape, LinuxStructs.Pollfd))
            EventText.AppendPoll(call.Text, call.Memory, address, CountOf(call, argument), results: false);
        else if (ReferenceEquals(shape, LinuxStructs.SigsetArgpack))
            EventText.AppendMaskPack(call.Text, call.Memory, address);
        else if (argument.CountKind == CountKind.One)
            call.Text.AppendPointed(call.Memory, argument.Type, address);
        else
            call.Text.AppendArray(call.Memory, argument.Type, address, CountOf(call, argument));
    }

    /// <summary>Numbers in memory; a length that the kernel changed as <c>[128 => 16]</c>.</summary>
    private static void WriteNumbers(TracedCall call, ArgumentShape argument, int index)
    {
        ulong address = call[index];
        if (argument.CountKind != CountKind.One)
        {
            call.Text.AppendArray(call.Memory, argument.Type, address, CountOf(call, argument));
            return;
        }
        if (argument.Direction != Direction.InOut || call.HasFailed || argument.Type.Kind != ValueKind.Int
            || !call.Memory.TryRead(new GuestAddress(address), out int after) || after == (int)call.Before[index])
        {
            if (call.Name == "sendfile" && call.Value > 0)
                call.Text.Append('[').AppendSigned((long)call.Before[index]).Append("] => ");
            call.Text.AppendPointed(call.Memory, argument.Type, address);
            return;
        }
        call.Text.Append('[').AppendSigned((int)call.Before[index]).Append(" => ").AppendSigned(after).Append(']');
    }

    internal static long CountOf(TracedCall call, ArgumentShape argument) => argument.CountKind switch
    {
        CountKind.One => 1,
        CountKind.Fixed => argument.Count,
        CountKind.Result => call.Value,
        _ => CountBehind(call, argument.Count),
    };

    private static long CountBehind(TracedCall call, int index)
    {
        ArgumentShape counter = call.Shape!.Arguments[index];
        if (counter.Direction != Direction.None)
            return call.Memory.TryRead(new GuestAddress(call[index]), out int length) ? length : 0;
        return counter.Type.Size == 8 ? (long)Math.Min(call[index], long.MaxValue) : (int)call[index];
    }

    /// <summary>Records of getdents: d_reclen is at offset 16 in both forms.</summary>
    private static int CountEntries(TracedCall call, ulong address)
    {
        int entries = 0;
        ulong end = address + (ulong)Math.Max(0, call.Value);
        while (address < end && call.Memory.TryRead(new GuestAddress(address + 16), out ushort length) && length != 0)
        {
            entries++;
            address += length;
        }
        return entries;
    }
}
