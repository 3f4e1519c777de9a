using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>One operating system's face of the kernel: how calls arrive, how results, signals and new programs are laid out.</summary>
public interface IPersonality
{
    string Name { get; }

    /// <summary>Reads number and arguments from the registers and begins the call; the program counter is behind the instruction.</summary>
    void Decode(GuestThread thread);

    /// <summary>Runs the handler of the call under way.</summary>
    CallResult Dispatch(CallContext call);

    /// <summary>Writes a finished call's result to the registers.</summary>
    void Encode(GuestThread thread, in CallResult result);

    /// <summary>Turns the program counter back so that the call instruction runs again.</summary>
    void Rewind(GuestThread thread);

    /// <summary>The name of a call number, or null for an unknown one.</summary>
    string? CallName(int number);
}
