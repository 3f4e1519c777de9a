namespace Vivarium.Emulator.Kernel;

/// <summary>Decides whether a thread may make a call; inherited by what it makes.</summary>
public interface ICallFilter
{
    /// <summary>Null when it may; else the call's result, and it is not made.</summary>
    CallResult? Screen(CallContext call);

    /// <summary>A thread has it from now on.</summary>
    void Join();

    /// <summary>A thread that had it is gone, or has another.</summary>
    void Leave();
}
