using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Advanced SIMD "across lanes" and scalar "pairwise".</summary>
internal static class AcrossLowering
{
    private const int AddLong = 0x03;
    private const int MaxInteger = 0x0A;
    private const int MinInteger = 0x1A;
    private const int Add = 0x1B;
    private const int Number = 0x0C;
    private const int AddFloat = 0x0D;
    private const int Extreme = 0x0F;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(12, 5), size = word.Size;
        if (opcode is Number or Extreme)
        {
            bool isMin = word.Has(23);
            NeonOperation choice = opcode == Number ? (isMin ? NeonOperation.MinNumber : NeonOperation.MaxNumber) : isMin ? NeonOperation.Min : NeonOperation.Max;
            return word.U && word.Q && !word.Has(22) && Lower(emitter, word, OpCode.NeonFloatAcross, SimdEmit.Single, NeonForm.Make(choice, 4));
        }
        NeonOperation? operation = opcode switch
        {
            AddLong => NeonOperation.AddLong,
            MaxInteger => NeonOperation.Max,
            MinInteger => NeonOperation.Min,
            Add when !word.U => NeonOperation.Add,
            _ => null,
        };
        if (operation is not { } found || size == 3 || (size == 2 && !word.Q))
            return false;
        return Lower(emitter, word, OpCode.NeonAcross, size, NeonForm.Make(found, word.Lanes(size), word.U ? NeonForm.Unsigned : 0));
    }

    public static bool TryLowerPairs(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(12, 5);
        if (!word.U)
            return opcode == Add && word.Size == 3 && Lower(emitter, word, OpCode.NeonAcross, 3, NeonForm.Make(NeonOperation.Add, 2));
        bool isMin = word.Has(23);
        NeonOperation? operation = opcode switch
        {
            Number => isMin ? NeonOperation.MinNumber : NeonOperation.MaxNumber,
            Extreme => isMin ? NeonOperation.Min : NeonOperation.Max,
            AddFloat when !isMin => NeonOperation.Add,
            _ => null,
        };
        return operation is { } found && Lower(emitter, word, OpCode.NeonFloatPairs, word.Has(22) ? SimdEmit.Double : SimdEmit.Single, NeonForm.Make(found, 1));
    }

    private static bool Lower(Arm64Emitter emitter, SimdWord word, OpCode code, int size, long form) =>
        emitter.Vectors(code, size, word.Rd, word.Rn, word.Rn, word.Rn, form);
}
