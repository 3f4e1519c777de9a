namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>The micro-op set. One definition of each operation; operands as described per group.</summary>
public enum OpCode : ushort
{
    Nop,
}
