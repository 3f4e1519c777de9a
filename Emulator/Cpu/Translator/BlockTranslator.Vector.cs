using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Vectors and floating point.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private static void BeginVectors()
    {
    }

    private static int EmitVector(int at) => 0;
}
