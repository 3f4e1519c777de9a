using System.Buffers.Binary;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Interpreter;

namespace Vivarium.Emulator.Cpu;

/// <summary>
/// The 512-byte image of x87, MMX and SSE state that FXSAVE writes (SDM Vol. 1, 10.5.1), and that signal frames and debuggers of
/// x86 systems carry.
/// </summary>
public static class FxImage
{
    public const int Length = 512;

    /// <summary>Bytes that hold state; FXSAVE leaves those behind alone.</summary>
    public const int Used = 416;

    /// <summary>MXCSR bits that exist.</summary>
    public const uint MxcsrMask = 0xFFFF;

    private const int RegistersOffset = 32;
    private const int VectorsOffset = 160;

    /// <summary>Writes the first <see cref="Used"/> bytes. <paramref name="isWide"/>: pointers of 64 bits (FXSAVE64, as kernels save).</summary>
    public static void Write(in CpuState state, Span<byte> image, bool isWide = true)
    {
        var mask = isWide ? ulong.MaxValue : uint.MaxValue;
        ref readonly var x87 = ref state.X87;
        BinaryPrimitives.WriteUInt16LittleEndian(image, x87.Control);
        BinaryPrimitives.WriteUInt16LittleEndian(image[2..], x87.Status);
        BinaryPrimitives.WriteUInt16LittleEndian(image[4..], x87.Tags);
        BinaryPrimitives.WriteUInt16LittleEndian(image[6..], x87.LastOpcode);
        BinaryPrimitives.WriteUInt64LittleEndian(image[8..], x87.LastInstruction & mask);
        BinaryPrimitives.WriteUInt64LittleEndian(image[16..], x87.LastOperand & mask);
        BinaryPrimitives.WriteUInt32LittleEndian(image[24..], state.Mxcsr);
        BinaryPrimitives.WriteUInt32LittleEndian(image[28..], MxcsrMask);
        for (var i = 0; i < 8; i++)
        {
            var register = x87.Registers[(x87.Top + i) & 7];
            var place = image[(RegistersOffset + 16 * i)..];
            BinaryPrimitives.WriteUInt64LittleEndian(place, register.Significand);
            BinaryPrimitives.WriteUInt64LittleEndian(place[8..], register.SignExponent);
        }

        for (var i = 0; i < 16; i++)
            state.Vectors[i].CopyTo(image[(VectorsOffset + 16 * i)..]);
    }

    /// <summary>The state after FNINIT with clear vectors: what a new program, and a Linux signal handler, starts with.</summary>
    public static void Initialize(ref CpuState state)
    {
        state.X87 = new X87State { Control = 0x037F };
        state.Mxcsr = 0x1F80;
        for (var i = 0; i < 16; i++)
            state.Vectors[i] = default;
    }

    /// <summary>Loads an image. False, with nothing changed, when it sets reserved bits of MXCSR.</summary>
    public static bool TryRead(ref CpuState state, ReadOnlySpan<byte> image, bool isWide = true)
    {
        var mxcsr = BinaryPrimitives.ReadUInt32LittleEndian(image[24..]);
        if ((mxcsr & ~MxcsrMask) != 0)
            return false;
        var mask = isWide ? ulong.MaxValue : uint.MaxValue;
        ref var x87 = ref state.X87;
        state.Mxcsr = mxcsr;
        X87Stack.SetWords(ref x87, BinaryPrimitives.ReadUInt16LittleEndian(image), BinaryPrimitives.ReadUInt16LittleEndian(image[2..]));
        x87.Tags = image[4];
        x87.LastOpcode = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(image[6..]) & 0x7FF);
        x87.LastInstruction = BinaryPrimitives.ReadUInt64LittleEndian(image[8..]) & mask;
        x87.LastOperand = BinaryPrimitives.ReadUInt64LittleEndian(image[16..]) & mask;
        for (var i = 0; i < 8; i++)
        {
            var place = image[(RegistersOffset + 16 * i)..];
            x87.Registers[(x87.Top + i) & 7] = new X87Register
            {
                Significand = BinaryPrimitives.ReadUInt64LittleEndian(place),
                SignExponent = BinaryPrimitives.ReadUInt16LittleEndian(place[8..]),
            };
        }

        for (var i = 0; i < 16; i++)
            state.Vectors[i] = Vector128.Create<byte>(image[(VectorsOffset + 16 * i)..]);
        return true;
    }
}
