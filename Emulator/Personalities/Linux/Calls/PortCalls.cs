using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>The right to use I/O ports: iopl(2), ioperm(2). A world's machine has nothing behind them.</summary>
public static class PortCalls
{
    public static CallResult Iopl(CallContext call, uint level)
    {
        const int most = 3;
        PortPermissions ports = call.Thread.Cpu.Ports ?? PortPermissions.None;
        if (level > most)
            return Errno.EINVAL;
        if ((int)level > ports.Level && !MayUsePorts(call))
            return Errno.EPERM;
        call.Thread.Cpu.Ports = ports.WithLevel((int)level);
        return 0;
    }

    public static CallResult Ioperm(CallContext call, ulong from, ulong num, int turnOn)
    {
        if (from + num <= from || from + num > PortPermissions.Count)
            return Errno.EINVAL;
        if (turnOn != 0 && !MayUsePorts(call))
            return Errno.EPERM;
        PortPermissions ports = call.Thread.Cpu.Ports ?? PortPermissions.None;
        if (turnOn != 0 || !ports.Denied.IsEmpty)
            call.Thread.Cpu.Ports = ports.With((int)from, (int)num, isPermitted: turnOn != 0);
        return 0;
    }

    private static bool MayUsePorts(CallContext call) => call.Thread.Credentials.Has(Capability.RawIo) && call.Thread.Namespaces.Rules(null);
}
