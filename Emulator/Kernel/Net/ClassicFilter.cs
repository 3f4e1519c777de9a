using System.Buffers.Binary;
using Vivarium.Emulator.Kernel.Programs;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What is known of a message beside its bytes.</summary>
public readonly record struct FilterFacts(ushort Type, byte PacketType, int Device, ushort HardwareType, int NetworkOffset);

/// <summary>Decides how many bytes of a message a socket takes; 0 for none.</summary>
public interface IMessageFilter
{
    uint Run(ReadOnlySpan<byte> message, in FilterFacts facts);

    /// <summary>A socket uses it.</summary>
    void Join()
    {
    }

    void Leave()
    {
    }
}

/// <summary>A program of the Berkeley packet filter over a message.</summary>
public sealed class ClassicFilter(ClassicProgram<FilteredMessage> program) : IMessageFilter
{
    public uint Run(ReadOnlySpan<byte> message, in FilterFacts facts) => program.Run(new FilteredMessage(message, facts));
}

/// <summary>
/// A message as filters read it: in network order; what is beyond it ends the filter. Negative offsets are Linux' (SKF_AD_OFF, SKF_NET_OFF and SKF_LL_OFF in
/// include/uapi/linux/filter.h).
/// </summary>
public readonly ref struct FilteredMessage(ReadOnlySpan<byte> bytes, FilterFacts facts) : IClassicData
{
    private const int Extra = -0x1000, NetworkHeader = -0x100000, LinkHeader = -0x200000;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public uint Length => (uint)_bytes.Length;

    /// <summary>Of what is not in a message, only what Linux has a number for.</summary>
    public static bool Takes(ClassicInstruction instruction)
    {
        if ((instruction.Code & (7 | ClassicCodes.Modes)) != (ProgramCodes.Load | ProgramCodes.Absolute))
            return true;
        int offset = (int)instruction.K;
        return offset is >= 0 or < Extra || (offset - Extra is <= 60 and var extra && extra % 4 == 0);
    }

    public bool TryLoad(int size, uint offset, ref uint accumulator, uint index)
    {
        long at = (int)offset;
        if (at < 0)
        {
            if (at >= Extra)
                return TryLoadExtra((int)at - Extra, ref accumulator, index);
            if (at < LinkHeader)
                return false;
            at = at >= NetworkHeader ? at - NetworkHeader + facts.NetworkOffset : at - LinkHeader;
        }
        int length = size switch { 0 => 4, ClassicCodes.Half => 2, _ => 1 };
        if (at + length > _bytes.Length)
            return false;
        ReadOnlySpan<byte> found = _bytes[(int)at..];
        accumulator = length switch { 4 => BinaryPrimitives.ReadUInt32BigEndian(found), 2 => BinaryPrimitives.ReadUInt16BigEndian(found), _ => found[0] };
        return true;
    }

    /// <summary>What the kernel knows; marks, queues, hashes, processors and VLANs are all 0 here.</summary>
    private bool TryLoadExtra(int number, ref uint accumulator, uint index)
    {
        const int protocol = 0, packetType = 4, device = 8, hardware = 28, xorIndex = 40, payload = 52;
        accumulator = number switch
        {
            protocol => facts.Type,
            packetType => facts.PacketType,
            device => (uint)facts.Device,
            hardware => facts.HardwareType,
            xorIndex => accumulator ^ index,
            payload => (uint)Math.Min(facts.NetworkOffset, _bytes.Length),
            _ => 0,
        };
        return true;
    }
}
