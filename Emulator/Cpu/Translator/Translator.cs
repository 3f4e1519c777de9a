using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Runs guest code as host code, translated block by block on first execution (design decision 3). What has no translation, and
/// every instruction that faulted, is run by the interpreter, which knows precise faults.
/// </summary>
public sealed unsafe class Translator : IEngine
{
    private const int StoreSize = 256 << 20;

    /// <summary>Longest run of guest bytes looked at for one block.</summary>
    private const int FetchLength = 1024;

    /// <summary>A budget must fit beside the window's size.</summary>
    private const long MostBudget = 1 << 22;

    private const int Rcx = 1;
    private const int R11 = 11;

    private readonly BlockCache _cache;
    private readonly Interpreter.Interpreter _interpreter;
    private readonly Lock _lock = new();
    private readonly CodeStore _store = new(StoreSize);
    private readonly Gate _gate;
    private readonly BlockTranslator _translator;

    /// <summary>All translations in the order of their addresses.</summary>
    private readonly List<Translation> _byAddress = [];

    public Translator(BlockCache cache)
    {
        _cache = cache;
        _interpreter = new Interpreter.Interpreter(cache);
        _gate = new Gate(_store);
        _translator = new BlockTranslator(_gate);
    }

    public static bool IsSupported => Gate.IsSupported;

    public EngineExit Run(GuestCpu cpu, AddressSpace memory, ref long budget)
    {
        SpaceCode code = SpaceCode.Of(memory, _store, _gate);
        long given = budget;
        GateContext context = default;
        while (budget > 0)
        {
            EngineExit exit;
            if (Find(code, memory, cpu.State.Pc) is { Translated: > 0 } block && IsOrdinary(ref cpu.State, memory))
            {
                if (!RunTranslated(cpu, memory, code, block, ref context, ref budget, out exit))
                    continue;
            }
            else
            {
                exit = _interpreter.Step(cpu, memory, ref budget);
                if (exit.Reason == ExitReason.Budget)
                    continue;
            }
            cpu.Instructions += (ulong)(given - budget);
            return exit;
        }
        cpu.Instructions += (ulong)(given - budget);
        return new EngineExit(ExitReason.Budget);
    }

    /// <summary>Translated code takes it for granted that the stack pointer and the thread bases are in the window.</summary>
    private static bool IsOrdinary(ref CpuState state, AddressSpace memory) =>
        state.Registers[RegisterMap.StackPointer] <= memory.WindowSize && state.FsBase <= memory.WindowSize && state.GsBase <= memory.WindowSize;

    /// <summary>Runs from a block on; false to go on at the program counter.</summary>
    private bool RunTranslated(GuestCpu cpu, AddressSpace memory, SpaceCode code, Translation block, ref GateContext context, ref long budget, out EngineExit exit)
    {
        ref CpuState state = ref cpu.State;
        context.Window = memory.WindowBase;
        context.JumpTable = code.Table;
        context.JumpMask = SpaceCode.Mask;
        context.FsBase = state.FsBase;
        context.GsBase = state.GsBase;
        exit = default;
        while (true)
        {
            long given = Math.Min(budget, MostBudget);
            context.Budget = (given << RegisterMap.BudgetShift) | (uint)memory.WindowShift;
            long result = Enter(ref state, ref context, block.Entry);
            budget -= given - (context.Budget >> RegisterMap.BudgetShift);
            switch ((ExitKind)result)
            {
                case ExitKind.SystemCall:
                    // SYSCALL leaves its return address and the flags (SDM Vol. 2).
                    state.Registers[Rcx] = state.Pc;
                    state.Registers[R11] = state.Flags;
                    exit = new EngineExit(ExitReason.SystemCall);
                    return true;
                case ExitKind.Interpret:
                    return StepOver(cpu, memory, ref budget, out exit);
                case ExitKind.Fault:
                    return Recover(cpu, memory, ref budget, out exit);
            }
            if (budget <= 0 || Find(code, memory, state.Pc) is not { Translated: > 0 } next)
                return false;
            if ((ExitKind)result == ExitKind.Link)
                code.Join(LinkTable.Get((int)(result >> 8)), next);
            else
                code.Remember(next);
            block = next;
        }
    }

    private long Enter(ref CpuState state, ref GateContext context, nint entry)
    {
        fixed (CpuState* registers = &state)
        fixed (GateContext* shared = &context)
            return _gate.Enter(registers, shared, entry);
    }

    /// <summary>
    /// The host refused something at a host program counter: the budget's probe, or an access, which the interpreter tries again.
    /// </summary>
    private bool Recover(GuestCpu cpu, AddressSpace memory, ref long budget, out EngineExit exit)
    {
        exit = default;
        nint address = (nint)cpu.State.Pc;
        Translation block = TranslationAt(address);
        int instruction = block.InstructionAt(address);
        cpu.State.Pc = block.Block.Instructions[Math.Max(0, instruction)].Pc;
        if (instruction < 0)
            return false;
        budget += block.Translated - instruction;
        return StepOver(cpu, memory, ref budget, out exit);
    }

    private bool StepOver(GuestCpu cpu, AddressSpace memory, ref long budget, out EngineExit exit)
    {
        exit = _interpreter.Step(cpu, memory, ref budget);
        return exit.Reason != ExitReason.Budget;
    }

    /// <summary>The translation at an address, made now if there is none; null when it has to be interpreted.</summary>
    private Translation? Find(SpaceCode code, AddressSpace memory, ulong pc) => code.Find(pc) ?? Translate(code, memory, pc);

    private Translation? Translate(SpaceCode code, AddressSpace memory, ulong pc)
    {
        Span<byte> bytes = stackalloc byte[FetchLength];
        int length = memory.Fetch(pc, bytes, out _);
        if (length == 0)
            return null;
        Block? block = _cache.Find(pc, bytes[..length]);
        if (block is null)
        {
            block = X86BlockBuilder.Lower(pc, bytes[..length]);
            if (block is null)
                return null;
            _cache.Add(block);
        }
        if (System.Environment.GetEnvironmentVariable("VIV_BISECT") is { } bis)
        {
            if (_byAddress.Count >= int.Parse(bis, null)) return null;
            if (_byAddress.Count == int.Parse(bis, null) - 1) { System.Console.Error.WriteLine($"last block {pc:x} {System.Convert.ToHexString(block.Code)}"); foreach (var o in block.Ops) System.Console.Error.WriteLine($"  {o.Code} s{o.Size} f{o.Flags} d{o.Destination} a{o.A} b{o.B} c{o.C} imm {o.Immediate:x}"); }
        }
        Translation translation = Translate(block);
        if (System.Environment.GetEnvironmentVariable("VIV_BISECT") is { } bis2 && _byAddress.Count == int.Parse(bis2, null)) System.Console.Error.WriteLine(System.Convert.ToHexString(new System.ReadOnlySpan<byte>((void*)translation.Entry, translation.Length)));
        code.Add(translation);
        return translation;
    }

    private Translation Translate(Block block)
    {
        lock (_lock)
        {
            byte* place = _store.Reserve(BlockTranslator.SizeLimit(block));
            if (place is null)
                throw new InvalidOperationException("the code store is full");
            Translation translation = _translator.Translate(block, place, _store.RunOffset);
            _store.Commit(translation.Length);
            _byAddress.Add(translation);
            return translation;
        }
    }

    private Translation TranslationAt(nint address)
    {
        lock (_lock)
        {
            int low = 0, high = _byAddress.Count - 1;
            while (low < high)
            {
                int middle = (low + high + 1) / 2;
                if (_byAddress[middle].Entry <= address)
                    low = middle;
                else
                    high = middle - 1;
            }
            return _byAddress[low];
        }
    }
}
