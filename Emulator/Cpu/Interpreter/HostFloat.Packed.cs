using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>All lanes at once, when inexact is raised already.</summary>
internal static partial class HostFloat
{
    private static bool TryPacked(OpCode code, Vector128<double> a, Vector128<double> b, out Vector128<double> result)
    {
        result = code switch
        {
            OpCode.FloatAdd => a + b,
            OpCode.FloatSubtract => a - b,
            OpCode.FloatMultiply => a * b,
            OpCode.FloatDivide => a / b,
            _ => Vector128.Sqrt(b),
        };
        var isUnary = code == OpCode.FloatSquareRoot;
        return AreNormalOrZero(b.AsUInt64()) && (isUnary || AreNormalOrZero(a.AsUInt64())) && AreSafelyNormal(result.AsUInt64());
    }

    private static bool TryPacked(OpCode code, Vector128<float> a, Vector128<float> b, out Vector128<float> result)
    {
        result = code switch
        {
            OpCode.FloatAdd => a + b,
            OpCode.FloatSubtract => a - b,
            OpCode.FloatMultiply => a * b,
            OpCode.FloatDivide => a / b,
            _ => Vector128.Sqrt(b),
        };
        var isUnary = code == OpCode.FloatSquareRoot;
        return AreNormalOrZero(b.AsUInt32()) && (isUnary || AreNormalOrZero(a.AsUInt32())) && AreSafelyNormal(result.AsUInt32());
    }

    private static bool AreNormalOrZero(Vector128<ulong> bits)
    {
        var magnitude = bits << 1 >>> 1;
        var normal = Vector128.LessThan(magnitude - Vector128.Create(1UL << 52), Vector128.Create(0x7FEUL << 52));
        return (normal | Vector128.Equals(magnitude, default)) == Vector128<ulong>.AllBitsSet;
    }

    private static bool AreSafelyNormal(Vector128<ulong> bits) =>
        Vector128.LessThanAll((bits << 1 >>> 1) - Vector128.Create(2UL << 52), Vector128.Create(0x7FDUL << 52));

    private static bool AreNormalOrZero(Vector128<uint> bits)
    {
        var magnitude = bits << 1 >>> 1;
        var normal = Vector128.LessThan(magnitude - Vector128.Create(1u << 23), Vector128.Create(0xFEu << 23));
        return (normal | Vector128.Equals(magnitude, default)) == Vector128<uint>.AllBitsSet;
    }

    private static bool AreSafelyNormal(Vector128<uint> bits) =>
        Vector128.LessThanAll((bits << 1 >>> 1) - Vector128.Create(2u << 23), Vector128.Create(0xFDu << 23));
}
