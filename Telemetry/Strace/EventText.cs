using System.Globalization;
using System.Text;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using ValueType = Vivarium.Emulator.Personalities.Tables.ValueType;

namespace Vivarium.Telemetry.Strace;

/// <summary>Waiting for several descriptors: what was asked among the arguments, what came behind the result.</summary>
internal static class EventText
{
    private const int PollSize = 8;

    /// <summary>True for arguments that are written as the program set them; the kernel's answer goes behind the result.</summary>
    public static bool IsAskedFirst(ArgumentShape argument) => argument.Type.Kind == ValueKind.FdSet
        || ReferenceEquals(argument.Type.Struct, LinuxStructs.Pollfd)
        || ReferenceEquals(argument.Type.Struct, LinuxStructs.Timespec)
        || ReferenceEquals(argument.Type.Struct, LinuxStructs.Timeval);

    /// <summary>Sets the remark of poll, ppoll, select and pselect6.</summary>
    public static void Answer(TracedCall call)
    {
        if (call.HasFailed || call.Name is not ("poll" or "ppoll" or "select" or "pselect6"))
            return;
        if (call.Value == 0)
        {
            call.Remark = "Timeout";
            return;
        }
        var text = new StringBuilder();
        bool isPoll = call.Name is "poll" or "ppoll";
        if (isPoll)
            AppendPoll(text, call.Memory, call[0], (uint)call[1], results: true);
        else
            AppendReady(text, call);
        int timeout = isPoll ? 2 : 4;
        if (call.Name != "poll" && call[timeout] != 0)
            text.Append(text.Length == 0 ? "left " : ", left ").AppendPointed(call.Memory, call.Shape!.Arguments[timeout].Type, call[timeout]);
        call.Remark = text.ToString();
    }

    private static void AppendReady(StringBuilder text, TracedCall call)
    {
        for (int i = 1; i <= 3; i++)
        {
            var set = new StringBuilder();
            AppendDescriptors(set, call.Memory, call[i], (int)call[0]);
            if (call[i] == 0 || set.Equals("[]"))
                continue;
            text.Append(text.Length == 0 ? "" : ", ").Append(i == 1 ? "in " : i == 2 ? "out " : "except ").Append(set);
        }
    }

    /// <summary><c>[{fd=0, events=POLLIN}]</c>; as results, only those that have any.</summary>
    public static void AppendPoll(StringBuilder text, AddressSpace memory, ulong address, long count, bool results)
    {
        string separator = "";
        text.Append('[');
        for (long i = 0; i < count; i++)
        {
            ulong at = address + (ulong)(i * PollSize);
            if (!memory.TryRead(new GuestAddress(at), out int file) || !memory.TryRead(new GuestAddress(at + 4), out ushort asked)
                || !memory.TryRead(new GuestAddress(at + 6), out ushort came))
            {
                text.Append(separator).Append("... /* ").AppendAddress(at).Append(" */");
                break;
            }
            if (results && came == 0)
                continue;
            if (i == StringText.Shown)
            {
                text.Append(separator).Append("...");
                break;
            }
            text.Append(separator).Append(CultureInfo.InvariantCulture, $"{{fd={file}");
            if (results)
                text.Append(", revents=").AppendSet(LinuxSets.PollEvents, came);
            else if (file >= 0)
                text.Append(", events=").AppendSet(LinuxSets.PollEvents, asked);
            text.Append('}');
            separator = ", ";
        }
        text.Append(']');
    }

    /// <summary>An fd_set: <c>[0 3 4]</c>.</summary>
    public static void AppendDescriptors(StringBuilder text, AddressSpace memory, ulong address, long count) =>
        AppendBits(text, memory, address, Math.Clamp(count, 0, 65536));

    /// <summary>A CPU set of so many bytes: <c>[0 1]</c>.</summary>
    public static void AppendProcessors(StringBuilder text, AddressSpace memory, ulong address, long bytes) =>
        AppendBits(text, memory, address, Math.Clamp(bytes, 0, 8192) * 8);

    private static void AppendBits(StringBuilder text, AddressSpace memory, ulong address, long bits)
    {
        if (address == 0)
        {
            text.Append("NULL");
            return;
        }
        byte[] bytes = new byte[(bits + 7) / 8];
        if (!memory.TryRead(new GuestAddress(address), bytes))
        {
            text.AppendAddress(address);
            return;
        }
        string separator = "";
        text.Append('[');
        for (int i = 0; i < bits; i++)
        {
            if ((bytes[i / 8] >> (i % 8) & 1) == 0)
                continue;
            text.Append(separator).AppendSigned(i);
            separator = " ";
        }
        text.Append(']');
    }

    /// <summary>pselect6's sixth argument: a mask and its size (select(2), "C library/kernel differences").</summary>
    public static void AppendMaskPack(StringBuilder text, AddressSpace memory, ulong address)
    {
        if (!memory.TryRead(new GuestAddress(address), out ulong mask) || !memory.TryRead(new GuestAddress(address + 8), out ulong size))
        {
            text.AppendAddress(address);
            return;
        }
        text.Append("{sigmask=").AppendPointed(memory, new ValueType(ValueKind.Sigset, 8), mask);
        text.Append(CultureInfo.InvariantCulture, $", sigsetsize={size}}}");
    }

    public static void AppendMessages(StringBuilder text, AddressSpace memory, ulong address, long count, bool isOutput)
    {
        text.Append('[');
        for (int i = 0; i < Math.Min(count, StringText.Shown); i++)
        {
            ulong at = address + ((ulong)i * 64);
            memory.TryRead(new GuestAddress(at + 56), out uint length);
            text.Append(i == 0 ? "" : ", ").Append("{msg_hdr=").AppendMessage(memory, at, isOutput ? length : -1);
            text.Append(isOutput ? string.Create(CultureInfo.InvariantCulture, $", msg_len={length}}}") : "}");
        }
        text.Append(']');
    }
}
