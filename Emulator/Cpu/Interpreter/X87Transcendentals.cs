using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

internal static class X87Transcendentals
{
    public static void Execute(ref X87State x87, X87Function function) => throw new NotImplementedException();
}
