namespace Vivarium.Emulator.Kernel;

/// <summary>What a call that waits keeps in <see cref="CallContext.State"/> and others can see: a place in a queue, an end held open.</summary>
public interface IAbandonable
{
    /// <summary>The thread ended in the call, which nobody runs again.</summary>
    void Abandon();
}
