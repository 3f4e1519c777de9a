using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>A world's processes, as /proc shows them: all, or those that have a number in <paramref name="space"/>.</summary>
public sealed class WorldProcesses(World world, PidSpace? space = null) : IProcessSource
{
    public IReadOnlyList<int> ProcessIds
    {
        get
        {
            List<int> ids = [];
            foreach (Process process in world.Processes())
            {
                if (NumberOf(process.Id) is not 0 and var number)
                    ids.Add(number);
            }
            if (space is not null)
                ids.Sort();
            return ids;
        }
    }

    public Namespaces? Current => world.Current?.Namespaces;

    public int NumberOf(int id) => space?.Inside(id) ?? id;

    public IProcessSource In(PidSpace other) => new WorldProcesses(world, other);

    public IProcessView? Find(int id) => (space is null ? world.FindProcess(id) : space.FindProcess(id)) is { } process ? new View(process, space ?? world.FirstNamespaces.Processes) : null;

    private sealed class View(Process process, PidSpace space) : IProcessView
    {
        public Process? Process => process;

        public ProcessInfo Info => Describe(process.IsZombie ? null : process.MainThread) with { Id = space.Inside(process.Id), Numbers = [.. space.NumbersFrom(process.Space, process.Id)] };

        public IReadOnlyList<int> ThreadIds
        {
            get
            {
                int[] ids = new int[process.Threads.Count];
                for (int i = 0; i < ids.Length; i++)
                    ids[i] = space.Inside(process.Threads[i].Id);
                Array.Sort(ids);
                return ids;
            }
        }

        public AddressSpace? Memory => process.IsZombie ? null : process.Memory;

        public FileTable? Files => process.IsZombie ? null : process.Files;

        public FileContext? Context => process.IsZombie ? null : process.FileContext;

        public Namespaces? Namespaces => process.IsZombie ? null : process.MainThread.Namespaces;

        public PidSpace Space => process.Space;

        public Errno SetUserMap(bool ofGroups, string text) => process.IsZombie || process.World.Current is not { } writer
            ? Errno.ESRCH
            : process.MainThread.Namespaces.Users.SetMap(ofGroups, text, writer.Credentials, writer.Namespaces.Users);

        public Errno SetTimeOffsets(string text) => process.IsZombie || process.World.Current is not { } writer
            ? Errno.ESRCH
            : TimeOffsets.Set(process.MainThread.Namespaces.TimeOfChildren, text, process.World.Clock, writer);

        public bool MayBeInspectedBy(GuestThread thread) => process.MayBeInspectedBy(thread);

        public PathEntry? Executable => process.IsZombie ? null : process.Executable;

        public byte[] AuxiliaryVector => process.Layout.AuxiliaryVector;

        public ProcessInfo? Thread(int id) => process.FindThread(space.Outside(id)) is { } thread ? Describe(thread) : null;

        public void SetName(ReadOnlySpan<byte> name)
        {
            const int MaxName = 15;
            if (!process.IsZombie)
                process.MainThread.Name = name[..Math.Min(name.Length, MaxName)].ToArray();
        }

        public void SetOutOfMemoryScoreAdjustment(int value) => process.OutOfMemoryScoreAdjustment = value;

        private ProcessInfo Describe(GuestThread? thread)
        {
            Credentials credentials = thread?.Credentials ?? process.LastCredentials;
            (ulong ignored, ulong caught) = Dispositions();
            ProgramLayout layout = process.Layout;
            return new ProcessInfo
            {
                Id = space.Inside(thread?.Id ?? process.Id),
                Parent = ReferenceEquals(space.Init, process) ? 0 : space.Inside(process.ParentId),
                Tracer = thread?.Tracee is { } tracee ? space.Inside(tracee.Tracer.Id) : 0,
                Group = space.Inside(process.Group),
                Session = space.Inside(process.Session),
                Numbers = [.. space.NumbersFrom(process.Space, thread?.Id ?? process.Id)],
                ProcessNumbers = [.. space.NumbersFrom(process.Space, process.Id)],
                GroupNumbers = [.. space.NumbersFrom(process.Space, process.Group)],
                SessionNumbers = [.. space.NumbersFrom(process.Space, process.Session)],
                Terminal = process.Terminal?.Device ?? 0,
                TerminalGroup = process.Terminal is { } terminal ? space.Inside(terminal.ForegroundGroup) : -1,
                Name = thread?.Name ?? process.LastName,
                State = StateOf(thread),
                StartTime = (thread?.StartTime ?? process.StartTime) + (process.World.Current?.Namespaces.Time.BootOffset ?? 0),
                User = (credentials.User, credentials.EffectiveUser, credentials.SavedUser, credentials.FileUser),
                GroupIds = (credentials.Group, credentials.EffectiveGroup, credentials.SavedGroup, credentials.FileGroup),
                Groups = credentials.Groups,
                PendingSignals = thread?.Pending.Set.Bits ?? 0,
                SharedPendingSignals = process.Pending.Set.Bits,
                BlockedSignals = thread?.Blocked.Bits ?? 0,
                IgnoredSignals = ignored,
                CaughtSignals = caught,
                InheritableCapabilities = credentials.Inheritable.Bits,
                Capabilities = credentials.Permitted.Bits,
                EffectiveCapabilities = credentials.Effective.Bits,
                BoundingCapabilities = credentials.Bounding.Bits,
                AmbientCapabilities = credentials.Ambient.Bits,
                Persona = process.Persona,
                NoNewPrivileges = process.NoNewPrivileges,
                ExitSignal = process.ExitSignal,
                StackStart = layout.StackStart,
                CodeStart = layout.CodeStart,
                CodeEnd = layout.CodeEnd,
                DataStart = layout.DataStart,
                DataEnd = layout.DataEnd,
                BreakStart = process.IsZombie ? 0 : process.Memory.BreakStart.Value,
                ArgumentStart = layout.ArgumentStart,
                ArgumentEnd = layout.ArgumentEnd,
                EnvironmentStart = layout.EnvironmentStart,
                EnvironmentEnd = layout.EnvironmentEnd,
                OutOfMemoryScoreAdjustment = process.OutOfMemoryScoreAdjustment,
                Limits = process.Limits,
            };
        }

        private char StateOf(GuestThread? thread)
        {
            if (thread is null)
                return 'Z';
            if (process.IsStopped)
                return 'T';
            return thread.State == ThreadState.Parked ? 'S' : 'R';
        }

        private (ulong Ignored, ulong Caught) Dispositions()
        {
            ulong ignored = 0;
            ulong caught = 0;
            for (int signal = 1; signal <= Signal.Last; signal++)
            {
                ulong handler = process.Actions[signal].Handler;
                if (handler == SignalAction.Ignore)
                    ignored |= SignalSet.Of(signal).Bits;
                else if (handler != SignalAction.Default)
                    caught |= SignalSet.Of(signal).Bits;
            }
            return (ignored, caught);
        }
    }
}
