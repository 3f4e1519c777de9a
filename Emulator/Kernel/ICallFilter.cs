namespace Vivarium.Emulator.Kernel;

/// <summary>Decides whether a thread may make a call; inherited by what it makes.</summary>
public interface ICallFilter
{
    /// <summary>Null when it may; else the call's result, and it is not made.</summary>
    CallResult? Screen(CallContext call);
}
