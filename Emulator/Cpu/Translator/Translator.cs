using System.Numerics;
using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Runs guest code as host code, translated block by block on first execution (design decision 3). What has no translation, and
/// every instruction that faulted, is run by the interpreter, which knows precise faults.
/// </summary>
public sealed unsafe class Translator : IEngine
{
    /// <summary>Room for about a million blocks.</summary>
    private const int StoreSize = 256 << 20;

    /// <summary>A budget must fit beside the window's size.</summary>
    private const long MostBudget = 1 << 22;

    /// <summary>A block looks at the budget after it took off its own instructions: it is spent when more than those are missing.</summary>
    private const int Overdraft = LoweredBlock.MostInstructions;

    private const int NoLink = -1;
    private const int Rcx = 1;
    private const int Rsi = 6;
    private const int Rdi = 7;
    private const int R11 = 11;

    private readonly Interpreter.Interpreter _interpreter;
    private readonly CodeCache _cache;

    /// <param name="blocks">The interpreter's lowered blocks, shared with other engines.</param>
    /// <param name="storeSize">Bytes of host code that are kept.</param>
    public Translator(BlockCache blocks, int storeSize = StoreSize)
    {
        _cache = new CodeCache(storeSize);
        _interpreter = new Interpreter.Interpreter(blocks);
    }

    public static bool IsSupported => Gate.IsSupported;

    public EngineStatistics Statistics => new(_cache.Blocks, _cache.Bytes, Interlocked.Read(ref _hits), _cache.ChainedJumps, Interlocked.Read(ref _interpreted), _cache.Generation);

    private long _hits;
    private long _interpreted;

    /// <summary>A turn of a thread: how far it came, and the exit that awaits its target's translation.</summary>
    private ref struct Turn
    {
        public long Given;
        public long Left;
        public int Link;

        /// <summary>The code cache's when the link was met: an eviction gives its number to another.</summary>
        public int Generation;
        public long Hits;
        public long Interpreted;
    }

    /// <summary>Whether the instruction at an address that was run has host code, and is not the interpreter's.</summary>
    internal bool IsTranslated(AddressSpace memory, ulong pc, ExecutionMode mode = default) => SpaceCode.Of(memory, _cache, mode).DomainOf(pc).Find(pc) is { Translated: > 0 };

    public EngineExit Run(GuestCpu cpu, AddressSpace memory, ref long budget)
    {
        var turn = new Turn { Given = budget, Left = budget, Link = NoLink };
        var exit = new EngineExit(ExitReason.Budget);
        bool hasEnded = false;
        while (turn.Left > 0 && !hasEnded)
        {
            SpaceCode code = SpaceCode.Of(memory, _cache, cpu.Mode);
            hasEnded = IsOrdinary(ref cpu.State, memory, code) && code.Jumps.TryPlace() && Find(code, memory, cpu.State.Pc, turn) is { } block
                ? block.Translated > 0 ? RunTranslated(cpu, memory, code, block, ref turn, out exit) : StepOver(cpu, memory, code, ref turn, out exit)
                : StepOver(cpu, memory, null, ref turn, out exit);
        }
        budget = turn.Left;
        cpu.Instructions += (ulong)(turn.Given - turn.Left);
        if (turn.Hits > 0)
            Interlocked.Add(ref _hits, turn.Hits);
        if (turn.Interpreted > 0)
            Interlocked.Add(ref _interpreted, turn.Interpreted);
        return exit;
    }

    /// <summary>Translated code takes it for granted that the stack pointer and the thread bases are in the window.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsOrdinary(ref CpuState state, AddressSpace memory, SpaceCode code) =>
        code.Mode.Variant != ExecutionMode.Interpreted
        && state.Registers[code.Gate.Map.StackPointer] <= memory.WindowSize && state.FsBase <= memory.WindowSize && state.GsBase <= memory.WindowSize;

    /// <summary>Runs from a block on; false to go on at the program counter.</summary>
    private bool RunTranslated(GuestCpu cpu, AddressSpace memory, SpaceCode code, Translation block, ref Turn turn, out EngineExit exit)
    {
        ref CpuState state = ref cpu.State;
        var context = new GateContext
        {
            Window = memory.WindowBase,
            JumpTable = code.Jumps.Start,
            JumpMask = code.Jumps.Mask,
            FirstMask = code.Jumps.FirstMask,
            FsBase = state.FsBase,
            GsBase = state.GsBase,
            // Without it the instruction is the interpreter's.
            ClockFunction = cpu.HidesTimeStamp ? 0 : cpu.TimeStamp?.Function ?? 0,
            ClockOffset = cpu.TimeStamp?.Offset ?? 0,
        };
        exit = new EngineExit(ExitReason.Budget);
        CodeCache.Worker worker = _cache.Enter();
        ExitKind kind = RunBlocks(ref state, code, block, ref context, memory, ref turn);
        int unused = 0;
        if (kind == ExitKind.Fault)
            kind = Locate(ref state, context, ref unused);
        CodeCache.Leave(worker);
        turn.Left += unused;
        switch (kind)
        {
            case ExitKind.SystemCall:
                if (cpu.Architecture == Architecture.X64)
                {
                    // SYSCALL leaves its return address and the flags (SDM Vol. 2).
                    state.Registers[Rcx] = state.Pc;
                    state.Registers[R11] = state.Flags;
                }
                exit = new EngineExit(ExitReason.SystemCall);
                return true;
            case ExitKind.Interpret:
                return StepOver(cpu, memory, code, ref turn, out exit);
            default:
                return false;
        }
    }

    /// <summary>Runs blocks, connecting those that are translated already.</summary>
    private ExitKind RunBlocks(ref CpuState state, SpaceCode code, Translation block, ref GateContext context, AddressSpace memory, ref Turn turn)
    {
        int link = turn.Generation == code.Generation ? turn.Link : NoLink;
        turn.Link = NoLink;
        // The caller looked at the state, not at what happened before it was inside.
        if (code.Generation != _cache.Generation)
            return ExitKind.Link;
        do
        {
            if (link != NoLink && !_cache.Join(link, block))
                code.Jumps.Remember(block.Pc, block.CheckedEntry);
            long given = Math.Min(turn.Left, MostBudget) + Overdraft;
            context.Budget = (given << RegisterMap.BudgetShift) | (uint)memory.WindowShift;
            long result;
            fixed (CpuState* registers = &state)
            fixed (GateContext* shared = &context)
                result = code.Gate.Enter(registers, shared, block.Entry);
            turn.Left -= given - (context.Budget >> RegisterMap.BudgetShift);
            var kind = (ExitKind)result;
            if (kind > ExitKind.Miss)
                return kind;
            link = kind == ExitKind.Link ? (int)(result >> 8) : NoLink;
            if (turn.Left <= 0 || code.DomainOf(state.Pc).Find(state.Pc) is not { Translated: > 0 } next)
            {
                (turn.Link, turn.Generation) = (link, code.Generation);
                return kind;
            }
            turn.Hits++;
            if (kind == ExitKind.Miss)
                code.Jumps.Remember(next.Pc, next.CheckedEntry);
            context.JumpTable = code.Jumps.Start;
            (context.JumpMask, context.FirstMask) = (code.Jumps.Mask, code.Jumps.FirstMask);
            block = next;
        }
        while (IsOrdinary(ref state, memory, code));
        return ExitKind.Link;
    }

    /// <summary>
    /// The host refused something at a host program counter: the budget's probe, or an access, which the interpreter tries again.
    /// Sets the guest's program counter and tells how many instructions were paid for but not run.
    /// </summary>
    private ExitKind Locate(ref CpuState state, in GateContext context, ref int unused)
    {
        nint address = (nint)state.Pc;
        Translation block = _cache.At(address);
        FaultMap.Place place = FaultMap.Find(block, address);
        ExchangeBack(ref state, block.Exchanges);
        Rebase(ref state, context, place.Rebasing);
        if (place.FlagsIn != 0)
            state.Registers[place.FlagsIn] = RiscV.RiscVState.FlagsOf(state.Mxcsr);
        for (uint narrow = place.Narrow; narrow != 0; narrow &= narrow - 1)
        {
            ref ulong register = ref state.Registers[BitOperations.TrailingZeroCount(narrow)];
            register = (ulong)(int)register;
        }
        state.Pc = place.Pc;
        if (!place.IsInstruction)
            return ExitKind.Link;
        unused = place.Unused;
        return ExitKind.Interpret;
    }

    /// <summary>Puts guest registers that stood for each other in a block into their own places.</summary>
    private static void ExchangeBack(ref CpuState state, ulong exchanges)
    {
        for (; exchanges != 0; exchanges >>= 16)
        {
            int inRegister = (byte)exchanges, inFrame = (byte)(exchanges >> 8);
            (state.Registers[inFrame], state.Registers[inRegister]) = (state.Registers[inRegister], state.Registers[inFrame]);
        }
    }

    /// <summary>An instruction was interrupted while its pointers were the host's and its count in the host's RCX, or the flags in the frame.</summary>
    private static void Rebase(ref CpuState state, in GateContext context, Rebasing rebasing)
    {
        if (rebasing == Rebasing.ParkedFlags)
        {
            state.Flags = BlockTranslator.WithParked(state.Flags, state.Registers[Gate.ParkedFlagsSlot]);
            return;
        }
        if (rebasing == Rebasing.None)
            return;
        state.Registers[Rcx] = context.Work;
        state.Registers[Rdi] -= (ulong)context.Window;
        if (rebasing == Rebasing.Both)
            state.Registers[Rsi] -= (ulong)context.Window;
    }

    /// <param name="code">Given when the instruction is part of a translation: as long as that lives, its bytes are the same.</param>
    private bool StepOver(GuestCpu cpu, AddressSpace memory, SpaceCode? code, ref Turn turn, out EngineExit exit)
    {
        turn.Link = NoLink;
        turn.Interpreted++;
        ulong pc = cpu.State.Pc;
        Block? single = code?.Single(pc);
        if (code is not null && single is null && (single = _interpreter.Single(cpu, memory)) is not null)
            code.Note(single);
        exit = _interpreter.Step(cpu, memory, single, ref turn.Left);
        return exit.Reason != ExitReason.Budget;
    }

    /// <summary>The translation at an address, made now if there is none; null when it has to be interpreted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Translation? Find(SpaceCode code, AddressSpace memory, ulong pc, in Turn turn) => code.Recent(pc) ?? Look(code, memory, pc, turn);

    private Translation? Look(SpaceCode code, AddressSpace memory, ulong pc, in Turn turn)
    {
        CodeDomain domain = code.DomainOf(pc);
        Translation? found = domain.Find(pc) ?? Translate(code, domain, memory, pc, turn.Generation == code.Generation ? turn.Link : NoLink);
        if (found is not null)
            code.Note(found);
        return found;
    }

    private Translation? Translate(SpaceCode code, CodeDomain domain, AddressSpace memory, ulong pc, int link)
    {
        // A block of an image must not depend on what lies behind it.
        bool isOwn = code.IsOwn(domain);
        if (BlockBuilder.Of(code.Mode).Lower(memory, pc, isOwn ? ulong.MaxValue : domain.End) is not { } block)
            return null;
        Translation? translation = _cache.Translate(domain, block, link, code.Generation);
        if (translation is null)
            _cache.Evict(code.Generation);
        else if (isOwn)
            code.Watch(translation);
        return translation;
    }
}
