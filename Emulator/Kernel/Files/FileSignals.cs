using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>Who gets an open file's signals.</summary>
public enum SignalTarget : byte
{
    Thread,
    Process,
    Group,
}

/// <summary>What happened to a file, by the codes that signals tell (POLL_IN and its kin of sigaction(2)).</summary>
public enum FileNews
{
    In = 1,
    Out,
    Message,
    Error,
    Priority,
    HangUp,
}

/// <summary>Whom an open file signals when something happens to it, and with what (fcntl(2), F_SETOWN and F_SETSIG).</summary>
public sealed class FileSignals
{
    /// <summary>The news as poll(2) would say them.</summary>
    private static readonly long[] Bands = [0, 0x41, 0x304, 0x441, 0x8, 0x82, 0x18];

    private const int FromKernel = 0x80;

    public SignalTarget Kind { get; private set; }

    /// <summary>By the kernel's ids; 0 for nobody.</summary>
    public int Target { get; private set; }

    /// <summary>0 for SIGIO, which tells nothing more.</summary>
    public int Signal { get; set; }

    private Credentials? _owner;
    private AccessDomain? _domain;

    /// <param name="owner">Who names the target: with its credentials, and under its rules unless it names itself, signals are sent.</param>
    public void SetTarget(SignalTarget kind, int target, GuestThread owner)
    {
        bool isItself = kind switch { SignalTarget.Process => owner.Process.Id == target, SignalTarget.Thread => owner.Process.World.FindThread(target)?.Process == owner.Process, _ => false };
        (Kind, Target, _owner, _domain) = (kind, target, owner.Credentials, isItself ? null : owner.Domain);
    }

    /// <summary>Says that something happened to the file behind a descriptor.</summary>
    internal void Raise(World world, int descriptor, FileNews news = FileNews.Message)
    {
        var info = Signal == 0
            ? new SignalInfo(Signals.Signal.InputOutput, FromKernel)
            : new SignalInfo(Signal, (int)news) { IsPoll = true, Band = Bands[(int)news], Value = (uint)descriptor };
        if (!Send(world, info) && Signal != 0)
            Send(world, new SignalInfo(Signals.Signal.InputOutput, FromKernel));
    }

    /// <summary>Says that urgent data arrived, which is told whether or not other news are.</summary>
    internal void RaiseUrgent(World world) => Send(world, new SignalInfo(Signals.Signal.Urgent, FromKernel));

    private bool Send(World world, in SignalInfo info)
    {
        switch (Kind)
        {
            case SignalTarget.Thread:
                return world.FindThread(Target) is not { } thread || !MayReach(thread.Credentials, thread.Domain) || world.Send(thread, info);
            case SignalTarget.Process:
                return world.FindProcess(Target) is not { } process || !MayReach(process.Credentials, process.Domain) || world.Send(process, info);
            default:
                bool isSent = true;
                foreach (Process member in world.Processes())
                    isSent &= Target == 0 || member.Group != Target || member.IsZombie || !MayReach(member.Credentials, member.Domain) || world.Send(member, info);
                return isSent;
        }
    }

    private bool MayReach(Credentials target, AccessDomain? domain) =>
        _owner is { } owner && (owner.EffectiveUser == 0 || owner.MaySignal(target)) && AccessDomain.MayReach(_domain, domain, DomainScopes.Signals);
}
