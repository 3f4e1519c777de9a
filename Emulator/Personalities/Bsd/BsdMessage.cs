using System.Runtime.InteropServices;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>struct msghdr of the BSDs: lengths are 32 bits.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BsdMessage
{
    public ulong Name;
    public int NameLength;
    private int _padding1;
    public ulong Vectors;
    public int VectorCount;
    private int _padding2;
    public ulong Control;
    public uint ControlLength;
    public int Flags;

    public readonly MessageHeader ToHeader() => new()
    {
        Name = Name,
        NameLength = NameLength,
        Vectors = Vectors,
        VectorCount = VectorCount < 0 ? ulong.MaxValue : (ulong)VectorCount,
        Control = Control,
        ControlLength = ControlLength,
    };

    /// <summary>What came, told back.</summary>
    public readonly BsdMessage With(in MessageHeader header) => this with
    {
        NameLength = header.NameLength,
        ControlLength = (uint)header.ControlLength,
        Flags = BsdMessages.FlagsFromLinux(header.Flags),
    };
}
