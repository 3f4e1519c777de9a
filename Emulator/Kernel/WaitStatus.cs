namespace Vivarium.Emulator.Kernel;

/// <summary>What became of a child, neutral of any system's status word.</summary>
public enum ChildChange : byte
{
    Exited,
    Killed,
    Stopped,
    Continued,
}

/// <summary>A change of a child's state: an exit code or a signal.</summary>
public readonly record struct WaitStatus(ChildChange Change, int Value, bool DumpedCore = false)
{
    public static WaitStatus OfExit(int code) => new(ChildChange.Exited, code & 0xFF);

    public static WaitStatus OfSignal(int signal, bool dumpedCore) => new(ChildChange.Killed, signal, dumpedCore);
}
