using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>The micro-ops that SIMD instructions lower to, by the guest's register numbers.</summary>
internal static class SimdEmit
{
    /// <summary>Vectors of the instruction under way, which translated code keeps in its frame; numbered as registers from 32 on.</summary>
    public const int FirstTemporary = 32;
    private const byte TemporarySlot = 57;

    public const byte Single = (byte)LaneKind.Float32;
    public const byte Double = (byte)LaneKind.Float64;
    public const byte Half = (byte)LaneKind.Int16;

    /// <summary>The slot of a register or temporary.</summary>
    public static byte V(int register) => register < FirstTemporary ? Arm64State.VectorOf(register) : (byte)(TemporarySlot + register - FirstTemporary);

    /// <summary>A micro-op on vectors; always true, so that a decoder can return it.</summary>
    public static bool Vectors(this Arm64Emitter emitter, OpCode code, int size, int d, int a, int b, int c, long form)
    {
        emitter.Emit(new MicroOp { Code = code, Size = (byte)size, Destination = V(d), A = V(a), B = V(b), C = V(c), Immediate = form });
        return true;
    }

    /// <summary>d = a op b, lane by lane, given d.</summary>
    public static bool Lanes(this Arm64Emitter emitter, NeonOperation operation, int size, int count, int d, int a, int b, long properties = 0, int amount = 0) =>
        emitter.Vectors(OpCode.NeonLanes, size, d, a, b, d, NeonForm.Make(operation, count, properties, amount));

    public static bool Float(this Arm64Emitter emitter, NeonOperation operation, int kind, int count, int d, int a, int b, long properties = 0, int rounding = 0) =>
        emitter.Vectors(OpCode.NeonFloat, kind, d, a, b, d, NeonForm.Make(operation, count, properties, rounding: rounding));

    public static bool Permute(this Arm64Emitter emitter, NeonOperation operation, int size, int count, int d, int a, int b, int amount = 0) =>
        emitter.Vectors(OpCode.NeonPermute, size, d, a, b, b, NeonForm.Make(operation, count, amount: amount));

    public static bool Duplicate(this Arm64Emitter emitter, int size, int count, int d, int a, int lane) =>
        emitter.Vectors(OpCode.NeonDuplicate, size, d, a, a, a, NeonForm.Make(default, count, amount: lane));

    public static bool Truncate(this Arm64Emitter emitter, int size, int d, int a) =>
        size == 4 ? emitter.Vectors(OpCode.VectorMove, 0, d, a, a, a, 0) : emitter.Vectors(OpCode.NeonTruncate, size, d, a, a, a, 0);

    public static void Zero(this Arm64Emitter emitter, int d) => emitter.Immediate(d, 0, isWhole: true);

    public static bool Immediate(this Arm64Emitter emitter, int d, ulong value, bool isWhole)
    {
        emitter.Emit(OpCode.NeonImmediate, 0, V(d), 0, immediate: (long)value, c: isWhole ? (byte)1 : (byte)0);
        return true;
    }

    public static void Load(this Arm64Emitter emitter, int size, int d, Arm64Address address, long offset = 0) =>
        emitter.Emit(OpCode.VectorLoad, size, V(d), address.Register, immediate: address.Displacement + offset);

    public static void Store(this Arm64Emitter emitter, int size, int value, Arm64Address address, long offset = 0) =>
        emitter.Emit(OpCode.VectorStore, size, 0, address.Register, V(value), address.Displacement + offset);
}
