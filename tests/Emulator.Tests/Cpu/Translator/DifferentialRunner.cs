using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>Runs programs on the interpreter, another engine and silicon, and compares what they end with.</summary>
internal sealed class DifferentialRunner : IDisposable
{
    /// <summary>Programs that are not done after so many instructions are not compared.</summary>
    private const long Budget = 20_000;

    private readonly EngineMachine _reference;
    private readonly EngineMachine _engine;
    private readonly SiliconMachine? _silicon;
    private readonly Outcome _expected = new();
    private readonly Outcome _actual = new();
    private readonly ulong _furthestPage;
    private int _place;

    /// <param name="furthestPage">A page that makes the engine's window reach it; 0 for none.</param>
    public DifferentialRunner(IEngine engine, bool withSilicon, ulong furthestPage = 0)
    {
        _reference = new EngineMachine(new Interpreter(new BlockCache()));
        _engine = new EngineMachine(engine);
        _furthestPage = furthestPage;
        _reference.GrowWindow(furthestPage);
        _engine.GrowWindow(furthestPage);
        // Behind the engines, so that its handler is asked first.
        if (withSilicon && SiliconMachine.IsSupported)
            _silicon = new SiliconMachine();
    }

    public long Runs { get; private set; }

    public long RunsOnSilicon { get; private set; }

    public long[] Reasons { get; } = new long[16];

    public void Dispose()
    {
        _silicon?.Dispose();
        _reference.Dispose();
        _engine.Dispose();
    }

    /// <summary>An address of its own for a program that begins so far into its place.</summary>
    public ulong NextPlace(int offset)
    {
        _place = (_place + 1) % FuzzLayout.Places;
        return FuzzLayout.Code + ((ulong)_place * FuzzLayout.PlaceSize) + (ulong)offset;
    }

    /// <summary>Runs an encoded program; what differs, or null.</summary>
    public string? Difference(FuzzProgram program, FuzzInput input, long slice)
    {
        Runs++;
        _reference.Run(program, input, Budget, Budget, _expected);
        Reasons[(int)_expected.Exit.Reason]++;
        if (_expected.Exit.Reason == ExitReason.Budget)
            return null;
        try
        {
            _engine.Run(program, input, Budget * 4, slice, _actual);
        }
        catch (Exception exception) when (exception is InvalidOperationException or NullReferenceException or IndexOutOfRangeException or ArgumentException)
        {
            return $"engine: {exception}";
        }

        var flags = ~program.UndefinedAt(_expected.State.Pc);
        if (_expected.Difference(_actual, flags) is { } difference)
            return $"engine against interpreter: {difference}\ninterpreter {_expected}engine {_actual}";
        // Virtual clocks count instructions.
        if (slice > Budget && _reference.Cpu.Instructions != _engine.Cpu.Instructions)
            return $"instructions {_reference.Cpu.Instructions}, got {_engine.Cpu.Instructions}";
        return DifferenceOnSilicon(program, input, flags);
    }

    private string? DifferenceOnSilicon(FuzzProgram program, FuzzInput input, ulong flags)
    {
        if (_silicon is null || !program.IsForSilicon || LoadsAnyFlags(program) || HasStrayed(program, _expected) || !IsForSilicon(_expected.Exit)
            || IsImplementationSpecific(program, _expected) || !IsCanonical(input.State.FsBase) || !IsCanonical(input.State.GsBase))
            return null;
        RunsOnSilicon++;
        _silicon.Run(program, input, _actual);
        // Guests have that page, this process has not.
        if (_furthestPage != 0 && _actual.Exit.Reason == ExitReason.MemoryFault && _actual.Exit.Fault.Address.Value - _furthestPage < FuzzLayout.Page)
            return null;
        _expected.Exit = AsOnSilicon(_expected.Exit);
        _actual.Exit = AsOnSilicon(_actual.Exit);
        return _expected.Difference(_actual, flags) is { } difference ? $"silicon against interpreter: {difference}\ninterpreter {_expected}silicon {_actual}" : null;
    }

    /// <summary>
    /// Ended where no instruction was, or has overwritten code other than the immediates that it is meant to: what it ran then was
    /// not made for silicon.
    /// </summary>
    private static bool HasStrayed(FuzzProgram program, Outcome outcome)
    {
        if (program.StepAt(outcome.State.Pc) is null && outcome.State.Pc != program.Entry + (ulong)program.Code.Length)
            return true;
        for (var at = 0; ; at++)
        {
            at += outcome.Code.AsSpan(at).CommonPrefixLength(program.Image.AsSpan(at));
            if (at == program.Image.Length)
                return false;
            if (!program.MayChange(program.Place + (ulong)at))
                return true;
        }
    }

    /// <summary>TF would trap, AC make unaligned accesses fault: POPF only of a constant.</summary>
    private static bool LoadsAnyFlags(FuzzProgram program)
    {
        for (var i = 0; i < program.Steps.Count; i++)
        {
            if (program.Steps[i].Instruction.Mnemonic is Mnemonic.Popfq or Mnemonic.Popf && (i == 0 || program.Steps[i - 1].Instruction.Code != Code.Pushq_imm32))
                return true;
        }

        return false;
    }

    /// <summary>
    /// Left to the processor: which of CMPS's operands faults first, which part of an 80-bit store, and whether an instruction on
    /// MMX registers that ends with a floating-point exception has entered MMX state.
    /// </summary>
    private static bool IsImplementationSpecific(FuzzProgram program, Outcome outcome)
    {
        if (program.StepAt(outcome.State.Pc) is not { Instruction: var instruction })
            return false;
        return outcome.Exit.Reason switch
        {
            ExitReason.MemoryFault => instruction.Mnemonic is Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq or Mnemonic.Fbstp
                || instruction is { Mnemonic: Mnemonic.Fstp, MemorySize: MemorySize.Float80 },
            ExitReason.FloatingPoint => instruction.Op0Register.IsMM() || instruction.Op1Register.IsMM(),
            _ => false,
        };
    }

    private static bool IsCanonical(ulong address) => (long)(address << 16) >> 16 == (long)address;

    /// <summary>Not what would do something else to this process, nor jumps to nowhere, which processors report differently.</summary>
    private static bool IsForSilicon(EngineExit exit) => exit.Reason switch
    {
        ExitReason.SystemCall or ExitReason.SingleStep or ExitReason.InvalidInstruction => false,
        // An access that only begins in a canonical half is a general protection. The translator keeps a page of its own at 256 MB.
        ExitReason.MemoryFault => exit.Fault.Access != MemoryAccess.Execute && exit.Fault.Address.Value >> 8 is not ((1UL << 39) - 1 or ulong.MaxValue >> 8)
            && exit.Fault.Address.Value >> 12 != 1 << 16,
        _ => true,
    };

    /// <summary>What a signal tells: the address, not whether a read-modify-write read or wrote.</summary>
    private static EngineExit AsOnSilicon(EngineExit exit)
    {
        if (exit.Reason != ExitReason.MemoryFault)
            return exit;
        if (exit.Fault.Kind == FaultKind.NonCanonical)
            return new EngineExit(ExitReason.GeneralProtection);
        var access = exit.Fault.Access == MemoryAccess.Execute ? MemoryAccess.Execute : MemoryAccess.Read;
        // A read-modify-write over the end of a read-only page may fault on either page.
        var address = exit.Fault.Address.Value - (FuzzLayout.ReadOnly + FuzzLayout.Page - 64) < 64 ? FuzzLayout.ReadOnly + FuzzLayout.Page : exit.Fault.Address.Value;
        return new EngineExit(exit.Reason, new MemoryFault(new GuestAddress(address), access, FaultKind.NotMapped));
    }
}
