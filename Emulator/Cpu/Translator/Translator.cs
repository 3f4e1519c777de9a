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
        while (turn.Left > 0 && exit.Reason == ExitReason.Budget)
        {
            SpaceCode code = SpaceCode.Of(memory, _cache, cpu.Mode);
            exit = IsOrdinary(ref cpu.State, memory, code) && code.Jumps.TryPlace() && Find(code, memory, cpu.State.Pc, turn) is { } block
                ? block.Translated > 0 ? RunTranslated(cpu, memory, code, block, ref turn) : StepOver(cpu, memory, code, ref turn)
                : StepOver(cpu, memory, null, ref turn);
        }
        budget = turn.Left;
        cpu.Instructions += (ulong)(turn.Given - turn.Left);
        if ((turn.Hits | turn.Interpreted) != 0)
            Count(turn);
        return exit;
    }

    private void Count(in Turn turn)
    {
        Interlocked.Add(ref _hits, turn.Hits);
        Interlocked.Add(ref _interpreted, turn.Interpreted);
    }

    /// <summary>Translated code takes it for granted that the stack pointer and the thread bases are in the window.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsOrdinary(ref CpuState state, AddressSpace memory, SpaceCode code) =>
        code.Mode.Variant != ExecutionMode.Interpreted
        && state.Registers[code.Gate.Map.StackPointer] <= memory.WindowSize && state.FsBase <= memory.WindowSize && state.GsBase <= memory.WindowSize;

    /// <summary>Runs from a block on, through those that are translated already; <see cref="ExitReason.Budget"/> to go on at the program counter.</summary>
    private EngineExit RunTranslated(GuestCpu cpu, AddressSpace memory, SpaceCode code, Translation? block, ref Turn turn)
    {
        GateContext* context = code.Context;
        code.ShowClock(cpu.VisibleTimeStamp);
        code.Enter();
        if (turn.Link != NoLink)
            Connect(code, block!, ref turn);
        // The caller looked at the state, not at what happened before it was inside.
        ExitKind kind = ExitKind.Link;
        if (code.Generation == _cache.Generation)
        {
            fixed (CpuState* state = &cpu.State)
            {
                do
                {
                    long given = Math.Min(turn.Left, MostBudget) + Overdraft;
                    context->Budget = (given << RegisterMap.BudgetShift) | (uint)memory.WindowShift;
                    long result = code.Gate.Enter(state, context, block!.Entry);
                    turn.Left -= given - (context->Budget >> RegisterMap.BudgetShift);
                    kind = (ExitKind)result;
                    block = kind > ExitKind.Miss ? null : Next(cpu, memory, code, result, ref turn);
                }
                while (block is not null);
            }
        }
        if (kind == ExitKind.Fault)
            kind = Locate(ref cpu.State, *context, ref turn);
        code.Leave();
        return kind == ExitKind.SystemCall ? AtCall(cpu) : kind == ExitKind.Interpret ? StepOver(cpu, memory, code, ref turn) : new EngineExit(ExitReason.Budget);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static EngineExit AtCall(GuestCpu cpu)
    {
        if (cpu.Architecture == Architecture.X64)
        {
            // SYSCALL leaves its return address and the flags (SDM Vol. 2).
            ref CpuState state = ref cpu.State;
            state.Registers[Rcx] = state.Pc;
            state.Registers[R11] = state.Flags;
        }
        return new EngineExit(ExitReason.SystemCall);
    }

    /// <summary>The block that follows a jump that left translated code, if it has host code; its way there is shorter the next time. Null to leave.</summary>
    private Translation? Next(GuestCpu cpu, AddressSpace memory, SpaceCode code, long result, ref Turn turn)
    {
        ref CpuState state = ref cpu.State;
        int link = (ExitKind)result == ExitKind.Link ? (int)(result >> 8) : NoLink;
        if (turn.Left <= 0 || code.DomainOf(state.Pc).Find(state.Pc) is not { Translated: > 0 } next)
        {
            (turn.Link, turn.Generation) = (link, code.Generation);
            return null;
        }
        turn.Hits++;
        if (link == NoLink || !_cache.Join(link, next))
            code.Jumps.Remember(next.Pc, next.CheckedEntry);
        return IsOrdinary(ref state, memory, code) ? next : null;
    }

    /// <summary>Shortens the way of the jump that waited for a block's translation.</summary>
    private void Connect(SpaceCode code, Translation block, ref Turn turn)
    {
        if (turn.Generation == code.Generation && code.Generation == _cache.Generation && !_cache.Join(turn.Link, block))
            code.Jumps.Remember(block.Pc, block.CheckedEntry);
        turn.Link = NoLink;
    }

    /// <summary>
    /// The host refused something at a host program counter: the budget's probe, or an access, which the interpreter tries again.
    /// Sets the guest's program counter and gives back what was paid for but not run.
    /// </summary>
    private ExitKind Locate(ref CpuState state, in GateContext context, ref Turn turn)
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
        state.Registers[RegisterMap.Of(block.Domain.Mode.Architecture).StackPointer] += (ulong)(long)place.StackMove;
        foreach ((byte register, long by) in place.Ahead ?? [])
            state.Registers[register] += (ulong)by;
        int slot = Gate.VectorSlot;
        for (uint run = place.Run; run != 0; run >>= 8)
            state.Registers[(byte)run] = state.Registers[slot++];
        state.Pc = place.Pc;
        if (!place.IsInstruction)
            return ExitKind.Link;
        turn.Left += place.Unused;
        return ExitKind.Interpret;
    }

    /// <summary>Puts guest registers that stood for each other in a block into their own places.</summary>
    private static void ExchangeBack(ref CpuState state, ulong exchanges)
    {
        const int mask = (1 << Translation.RegisterBits) - 1;
        for (; exchanges != 0; exchanges >>= 2 * Translation.RegisterBits)
        {
            int inRegister = (int)exchanges & mask, inFrame = (int)(exchanges >> Translation.RegisterBits) & mask;
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
    private EngineExit StepOver(GuestCpu cpu, AddressSpace memory, SpaceCode? code, ref Turn turn)
    {
        turn.Link = NoLink;
        turn.Interpreted++;
        ulong pc = cpu.State.Pc;
        Block? single = code?.Single(pc);
        if (code is not null && single is null && (single = _interpreter.Single(cpu, memory)) is not null)
            code.Note(single);
        return _interpreter.Step(cpu, memory, single, ref turn.Left);
    }

    /// <summary>The translation at an address, made now if there is none; null when it has to be interpreted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Translation? Find(SpaceCode code, AddressSpace memory, ulong pc, in Turn turn) => code.Recent(pc) ?? Look(code, memory, pc, turn);

    private Translation? Look(SpaceCode code, AddressSpace memory, ulong pc, in Turn turn)
    {
        CodeDomain domain = code.DomainOf(pc);
        int changes = domain.Changes;
        Translation? found = domain.Find(pc) ?? Translate(code, domain, memory, pc, turn.Generation == code.Generation ? turn.Link : NoLink, changes);
        if (found is not null)
            code.Note(found);
        return found;
    }

    private Translation? Translate(SpaceCode code, CodeDomain domain, AddressSpace memory, ulong pc, int link, int changes)
    {
        // A block of an image must not depend on what lies behind it.
        bool isOwn = code.IsOwn(domain);
        if (BlockBuilder.Of(code.Mode).Lower(memory, pc, isOwn ? ulong.MaxValue : domain.End) is not { } block)
            return null;
        Translation? translation = _cache.Translate(domain, block, link, code.Generation, changes);
        if (translation is null)
            _cache.Evict(code.Generation);
        else if (isOwn)
            code.Watch(translation);
        return translation;
    }
}
