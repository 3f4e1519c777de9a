using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Telemetry.Strace;

/// <summary>What is told of a signal (siginfo of sigaction(2)).</summary>
internal static class SignalText
{
    private const int User = 0;
    private const int Kernel = 0x80;
    private const int Queue = -1;
    private const int Thread = -6;

    /// <summary>Its name, such as SIGKILL.</summary>
    public static string NameOf(int signal) => new StringBuilder().AppendSignal(signal).ToString();

    /// <summary>siginfo_t as it lies in memory.</summary>
    public static StringBuilder Append(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        int signal = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        int code = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        bool isFault = code > 0 && code != Kernel && CodesOf(signal) is not null && signal != Signal.Child;
        return Append(text, new SignalInfo(signal, code)
        {
            Error = BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]),
            SenderProcess = BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]),
            SenderUser = BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
            IsFault = isFault,
            IsChild = signal == Signal.Child && code > 0,
            Value = isFault ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]) : BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]),
        });
    }

    public static StringBuilder Append(StringBuilder text, in SignalInfo info)
    {
        text.Append("{si_signo=").AppendSignal(info.Signal).Append(", si_code=");
        NamedSet? codes = info.Code > 0 && info.Code != Kernel ? CodesOf(info.Signal) : null;
        text.AppendSet(codes ?? LinuxSets.SignalCodes, (ulong)info.Code);
        if (info.Error != 0)
            text.Append(", si_errno=").AppendSigned(info.Error);
        if (info.IsChild)
            AppendChild(text, info);
        else if (info.IsFault)
            text.Append(", si_addr=").AppendAddress(info.Value);
        else if (info.IsTimer)
            text.Append(", si_timerid=").AppendHex((uint)info.Timer).Append(", si_overrun=").AppendSigned(info.Overrun);
        else if (info.Code is User or Queue or Thread)
            AppendSender(text, info);
        return text.Append('}');
    }

    private static void AppendSender(StringBuilder text, in SignalInfo info)
    {
        text.Append(", si_pid=").AppendSigned(info.SenderProcess).Append(", si_uid=").AppendUnsigned(info.SenderUser);
        if (info.Code == Queue)
            text.Append(", si_int=").AppendSigned((int)info.Value).Append(", si_ptr=").AppendAddress(info.Value);
    }

    /// <summary>CLD_EXITED has an exit code, the others a signal.</summary>
    private static void AppendChild(StringBuilder text, in SignalInfo info)
    {
        text.Append(", si_pid=").AppendSigned(info.SenderProcess).Append(", si_uid=").AppendUnsigned(info.SenderUser).Append(", si_status=");
        if (info.Code == 1)
            text.AppendSigned((int)info.Value);
        else
            text.AppendSignal((int)info.Value);
        text.Append(", si_utime=0, si_stime=0");
    }

    private static NamedSet? CodesOf(int signal) => signal switch
    {
        Signal.Segment => LinuxSets.SegvCodes,
        Signal.Bus => LinuxSets.BusCodes,
        Signal.Illegal => LinuxSets.IllCodes,
        Signal.FloatingPoint => LinuxSets.FpeCodes,
        Signal.Trap => LinuxSets.TrapCodes,
        Signal.Child => LinuxSets.ChildCodes,
        _ => null,
    };
}
