using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Xunit;

namespace Vivarium.Emulator.Tests.Kernel;

/// <summary>An operand of a script's call: a number, or something computed when the call is made.</summary>
internal readonly struct Operand
{
    private readonly Func<Turn, ulong>? _compute;
    private readonly ulong _value;

    private Operand(ulong value, Func<Turn, ulong>? compute) => (_value, _compute) = (value, compute);

    public static implicit operator Operand(long value) => new((ulong)value, null);

    public static implicit operator Operand(ulong value) => new(value, null);

    public static implicit operator Operand(int value) => new((ulong)(long)value, null);

    public static Operand Of(Func<Turn, long> compute) => new(0, turn => (ulong)compute(turn));

    public ulong Get(in Turn turn) => _compute is null ? _value : _compute(turn);
}

/// <summary>What an operation of a script sees: the thread it runs in, that thread's registers and memory.</summary>
internal readonly record struct Turn(GuestThread Thread, GuestCpu Cpu, AddressSpace Memory)
{
    /// <summary>Registers that calls leave alone; copied to children.</summary>
    private const int FirstVariable = 12;

    /// <summary>What the last call returned; errors are negative.</summary>
    public long Result => (long)Cpu.State.Registers[0];

    public Errno Error => Result < 0 ? (Errno)(-Result) : Errno.None;

    public ulong this[int variable]
    {
        get => Cpu.State.Registers[FirstVariable + variable];
        set => Cpu.State.Registers[FirstVariable + variable] = value;
    }

    public uint Word(ulong address)
    {
        Assert.True(Memory.TryRead(new GuestAddress(address), out uint word));
        return word;
    }

    public void Set<T>(ulong address, T value)
        where T : unmanaged => Assert.True(Memory.TryWrite(new GuestAddress(address), value));
}

/// <summary>
/// A guest program made of operations in place of instructions: system calls, notes for the test, jumps. Each has an
/// address, so that forks go on behind the call, handlers are entered and interrupted calls are restarted as in real programs.
/// </summary>
internal sealed class Script : IEngine
{
    public const ulong Data = 0x100_0000;
    public const ulong DataSize = 0x10_0000;
    private const ulong Code = 0x40_0000;

    /// <summary>The length of a call instruction, by which a restart goes back.</summary>
    private const ulong Step = 2;
    private const int Rsp = 4;
    private const int SpinLeft = 5;

    // rdi, rsi, rdx, r10, r8, r9
    private static readonly int[] ArgumentRegisters = [7, 6, 2, 10, 8, 9];
    private static readonly Dictionary<string, int> Numbers =
        LinuxTable.Numbers.ToArray().Where(static number => number < 4096).ToDictionary(static number => LinuxTable.Name(number)!, static number => (int)number);

    private readonly List<Operation> _operations = [];
    private readonly Dictionary<string, ulong> _labels = [];

    private delegate ExitReason? Operation(in Turn turn, ref long budget);

    /// <summary>What <see cref="Note(string)"/> noted, in order of time.</summary>
    public List<string> Notes { get; } = [];

    public World World { get; set; } = null!;

    public ulong Start => Code;

    public ulong AddressOf(string label) => _labels[label];

    public Script Label(string name)
    {
        _labels.Add(name, Code + ((ulong)_operations.Count * Step));
        return this;
    }

    public Script Call(string name, params Operand[] operands)
    {
        int number = Numbers[name];
        return Add((in Turn turn, ref long _) =>
        {
            turn.Cpu.State.Registers[0] = (ulong)number;
            for (int i = 0; i < operands.Length; i++)
                turn.Cpu.State.Registers[ArgumentRegisters[i]] = operands[i].Get(turn);
            return ExitReason.SystemCall;
        });
    }

    public Script Do(Action<Turn> action) => Add((in Turn turn, ref long _) =>
    {
        action(turn);
        return null;
    });

    public Script Note(string text) => Do(_ => Notes.Add(text));

    public Script Note(Func<Turn, string> text) => Do(turn => Notes.Add(text(turn)));

    /// <summary>Notes the last call's result: its value, or the errno's name.</summary>
    public Script NoteResult(string name) => Note(turn => $"{name} {(turn.Result < 0 ? turn.Error.ToString() : turn.Result)}");

    public Script Jump(string label) => JumpIf(static _ => true, label);

    public Script JumpIf(Func<Turn, bool> condition, string label) => Do(turn =>
    {
        if (condition(turn))
            turn.Cpu.State.Pc = _labels[label];
    });

    /// <summary>Goes to a label in the child of the last fork or clone.</summary>
    public Script InChild(string label) => JumpIf(static turn => turn.Result == 0, label);

    /// <summary>Runs so many instructions.</summary>
    public Script Spin(ulong instructions) => Do(turn => turn.Cpu.State.Registers[SpinLeft] = instructions).Add((in Turn turn, ref long budget) =>
    {
        ref ulong left = ref turn.Cpu.State.Registers[SpinLeft];
        ulong done = Math.Min(left, (ulong)Math.Max(1, budget));
        left -= done;
        budget -= (long)done;
        turn.Cpu.Instructions += done;
        if (left > 0)
            turn.Cpu.State.Pc -= Step;
        return null;
    });

    /// <summary>Returns from a handler to its restorer.</summary>
    public Script Return() => Do(static turn =>
    {
        ref CpuState state = ref turn.Cpu.State;
        Assert.True(turn.Memory.TryRead(new GuestAddress(state.Registers[Rsp]), out ulong address));
        state.Registers[Rsp] += 8;
        state.Pc = address;
    });

    /// <summary>Stores to memory that is not there.</summary>
    public Script Fault() => Add(static (in Turn turn, ref long _) =>
    {
        turn.Cpu.State.Pc -= Step;
        return ExitReason.MemoryFault;
    });

    /// <summary>sigaction(2) with a handler at a label, or SIG_DFL and SIG_IGN for null and "ignore".</summary>
    public Script Handle(int signal, string? label, ulong flags = 0, ulong mask = 0) => Do(turn => turn.Set(Data, new SigActionRaw
    {
        Handler = label switch { null => 0, "ignore" => 1, _ => _labels[label] },
        Flags = flags | 0x04000000,
        Restorer = _labels["restorer"],
        Mask = mask,
    })).Call("rt_sigaction", signal, Data, 0, 8);

    /// <summary>sigprocmask(2): 0 blocks, 1 unblocks, 2 sets.</summary>
    public Script Mask(int how, params int[] signals) => Do(turn => turn.Set(Data, SetOf(signals))).Call("rt_sigprocmask", how, Data, 0, 8);

    public static ulong SetOf(params int[] signals) => signals.Aggregate(0UL, static (set, signal) => set | SignalSet.Of(signal).Bits);

    /// <summary>A thread of the same process that begins at a label, with a stack of its own.</summary>
    public Script Thread(string label, int number)
    {
        // CLONE_VM, FS, FILES, SIGHAND, THREAD
        const int shares = 0x10F00;
        return Call("clone", shares, Data + DataSize - 0x1_0000 - (ulong)(number * 0x4000), 0, 0, 0).InChild(label);
    }

    public Script Sleep(long milliseconds) => Do(turn => turn.Set(Data + 64, (milliseconds / 1000, milliseconds % 1000 * 1_000_000)))
        .Call("nanosleep", Data + 64, 0);

    public Script Exit(int code = 0) => Call("exit_group", code);

    /// <summary>Runs it as a world's first program to its end.</summary>
    public Script Run(ulong seed = 0, bool shuffles = false, uint user = 0, int turns = 10_000)
    {
        if (!_labels.ContainsKey("restorer"))
            Label("restorer").Call("rt_sigreturn");
        using World world = ScriptWorld.Make(this, seed, shuffles, user);
        for (int turn = 0; turn < turns; turn++)
        {
            WorldState state = world.Run(1_000_000);
            if (state == WorldState.Over)
            {
                Result = world.Result;
                return this;
            }
            Assert.True(state == WorldState.Ready, $"all threads sleep for ever after: {string.Join(", ", Notes)}");
        }
        Assert.Fail($"no end; notes begin: {string.Join(", ", Notes.Take(40))}");
        return this;
    }

    /// <summary>How the first process ended.</summary>
    public WaitStatus Result { get; private set; }

    EngineExit IEngine.Run(GuestCpu cpu, AddressSpace memory, ref long budget)
    {
        while (budget > 0)
        {
            ulong index = (cpu.State.Pc - Code) / Step;
            if (index >= (ulong)_operations.Count)
                return new EngineExit(ExitReason.MemoryFault, new MemoryFault(new GuestAddress(cpu.State.Pc), MemoryAccess.Execute, FaultKind.NotMapped));
            budget--;
            cpu.Instructions++;
            cpu.State.Pc += Step;
            ExitReason? exit = _operations[(int)index](new Turn(World.Current!, cpu, memory), ref budget);
            if (exit is { } reason)
                return new EngineExit(reason, new MemoryFault(new GuestAddress(0x10), MemoryAccess.Write, FaultKind.NotMapped));
        }
        return new EngineExit(ExitReason.Budget);
    }

    private Script Add(Operation operation)
    {
        _operations.Add(operation);
        return this;
    }
}
