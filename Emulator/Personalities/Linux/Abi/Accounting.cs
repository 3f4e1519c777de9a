using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct acct_v3 (acct(5)). Times are ticks, a hundredth of a second.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct AccountRecord
{
    private const long Tick = 10_000_000;
    private const byte Forked = 1, DumpedCore = 8, Killed = 16;

    public byte Flags;
    public byte Version;

    /// <summary>The controlling terminal, as 8 bits of major and 8 of minor number.</summary>
    public ushort Terminal;

    /// <summary>As wait(2) tells it.</summary>
    public int ExitCode;
    public uint User;
    public uint Group;
    public uint Process;
    public uint Parent;
    public uint StartSeconds;
    public float Elapsed;
    public ushort UserTime;
    public ushort SystemTime;

    /// <summary>In kilobytes, on average; as on Linux, at the end.</summary>
    public ushort Memory;
    public ushort Transferred;
    public ushort Blocks;
    public ushort MinorFaults;
    public ushort MajorFaults;
    public ushort Swaps;
    public AccountName Command;

    public static byte[] Of(ProcessSummary summary)
    {
        Process process = summary.Process;
        ulong terminal = process.Terminal?.Device ?? 0;
        var record = new AccountRecord
        {
            Flags = (byte)((process.HasExecuted || summary.GoesOn ? 0 : Forked) | (summary.Status.DumpedCore ? DumpedCore : 0) | (summary.Status.Change == ChildChange.Killed ? Killed : 0)),
            Version = 3,
            Terminal = (ushort)((Kernel.Files.DeviceNumber.Major(terminal) << 8) | (Kernel.Files.DeviceNumber.Minor(terminal) & 0xFF)),
            ExitCode = process.Personality.EncodeWaitStatus(summary.Status),
            User = process.Credentials.User,
            Group = process.Credentials.Group,
            Process = (uint)summary.Id,
            Parent = (uint)summary.ParentId,
            StartSeconds = (uint)Math.Clamp((summary.StartedAt + summary.Elapsed) / 1_000_000_000 - summary.Elapsed / 1_000_000_000, 0, uint.MaxValue),
            Elapsed = summary.Elapsed / Tick,
            UserTime = summary.GoesOn ? (ushort)0 : Compress(process.Instructions / Tick),
            SystemTime = summary.GoesOn ? (ushort)0 : Compress(process.SystemTime / Tick),
            Memory = Compress(summary.Mapped / 1024),
        };
        (summary.GoesOn ? process.MainThread.Name : process.LastName).CopyTo(record.Command);
        return MemoryMarshal.AsBytes(new ReadOnlySpan<AccountRecord>(in record)).ToArray();
    }

    /// <summary>comp_t: 13 bits and an exponent of 8 in the 3 above, rounded.</summary>
    public static ushort Compress(ulong value)
    {
        const int bits = 13, step = 3, most = 7;
        int width = 64 - BitOperations.LeadingZeroCount(value);
        int exponent = width <= bits ? 0 : (width - bits + step - 1) / step;
        if (exponent > 0)
        {
            value = ((value >> (exponent * step - 1)) + 1) >> 1;
            if (value >> bits != 0)
                (value, exponent) = (value >> step, exponent + 1);
        }
        return exponent > most ? ushort.MaxValue : (ushort)((uint)exponent << bits | (uint)value);
    }
}

[InlineArray(16)]
public struct AccountName
{
    private byte _first;
}
