using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>A process behind a descriptor (pidfd_open(2)): ready once it ended. It never comes to mean another process.</summary>
public sealed class ProcessDescriptor(Process process, OpenFlags flags) : OpenFile(flags | OpenFlags.ReadWrite)
{
    private readonly Inode _inode = new AnonymousInode(process.World, FileKind.Unknown, 0x180);

    public Process Process => process;

    public override Source Source => process.Ended;

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:[pidfd]";

    /// <summary>The numbers that the process has where it is asked; -1 for one that is gone.</summary>
    public override string InformationFor(CallContext? call)
    {
        if (process.IsReaped || call is null)
            return "Pid:\t-1\nNSpid:\t-1\n";
        return $"Pid:\t{call.Pids.Inside(process.Id)}\nNSpid:\t{string.Join('\t', call.Pids.NumbersFrom(process.Space, process.Id))}\n";
    }

    public override Readiness Poll() =>
        !process.IsZombie ? Readiness.None : process.IsReaped ? Readiness.In | Readiness.HangUp : Readiness.In;
}
