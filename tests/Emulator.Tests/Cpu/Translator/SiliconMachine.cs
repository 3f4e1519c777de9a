using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Tests.Cpu.Translator;

/// <summary>
/// Runs fuzzed programs on the host's processor, in this process, at the addresses they have in guests. Faults are taken by a
/// signal handler of its own machine code on the alternate stack, which knows its thread by number and passes others on.
/// </summary>
internal sealed unsafe partial class SiliconMachine : IDisposable
{
    private const int ActionSize = 152;
    private const int SignalMaskSize = 128;
    private const int InvalidInstruction = 4, Trap = 5, Bus = 7, Arithmetic = 8, Segmentation = 11;
    private static readonly int[] Signals = [InvalidInstruction, Trap, Bus, Arithmetic, Segmentation];

    // The state block: FXSAVE image, integer registers, then these.
    private const int Integers = 512, Flags = 640, Pc = 648, FsBase = 656, GsBase = 664, HostStack = 672, HostFs = 680, HostControl = 688;
    private const int Active = 692, Signal = 696, SignalCode = 700, FaultAddress = 704, FaultError = 712, NextHandlers = 768, StubStart = 1024;

    private readonly byte* _block;
    private readonly byte[] _previousActions = new byte[Signals.Length * ActionSize];
    private readonly byte[] _blocked = new byte[SignalMaskSize];
    private readonly nint _enter;

    public SiliconMachine()
    {
        const int ReadWriteExecute = 7;
        _block = (byte*)MapAnywhere(8192, ReadWriteExecute);
        MapAt(FuzzLayout.Code, FuzzLayout.Places * FuzzLayout.PlaceSize, ReadWriteExecute);
        MapAt(FuzzLayout.Data, FuzzLayout.DataSize, 3);
        MapAt(FuzzLayout.Stack, FuzzLayout.StackSize, 3);
        MapAt(FuzzLayout.ReadOnly, FuzzLayout.Page, 3);
        EngineMachine.ReadOnlyContent.CopyTo(new Span<byte>((void*)FuzzLayout.ReadOnly, (int)FuzzLayout.Page));
        if (mprotect((nint)FuzzLayout.ReadOnly, FuzzLayout.Page, 1) != 0)
            throw new InvalidOperationException("mprotect");
        _blocked.AsSpan().Fill(0xFF);
        foreach (var signal in Signals)
            _blocked[(signal - 1) / 8] &= (byte)~(1 << ((signal - 1) % 8));

        var exit = (ulong)_block + StubStart;
        var chain = Assemble(exit, ExitStub());
        var handler = Assemble(chain, ChainStub());
        var enter = Assemble(handler, HandlerStub(exit, chain));
        Assemble(enter, EnterStub());
        _enter = (nint)enter;
        InstallHandlers((nint)handler);
    }

    /// <summary>True when FS and GS can be set without a system call (FSGSBASE, Linux 5.9).</summary>
    public static bool IsSupported
    {
        get
        {
            const ulong HardwareCapabilities2 = 26, FsGsBase = 2;
            return OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64
                && (getauxval(HardwareCapabilities2) & FsGsBase) != 0;
        }
    }

    public void Dispose()
    {
        fixed (byte* previous = _previousActions)
        {
            for (var i = 0; i < Signals.Length; i++)
                _ = sigaction(Signals[i], previous + (i * ActionSize), null);
        }

        _ = munmap((nint)FuzzLayout.Code, FuzzLayout.Places * FuzzLayout.PlaceSize);
        _ = munmap((nint)FuzzLayout.Data, FuzzLayout.DataSize);
        _ = munmap((nint)FuzzLayout.Stack, FuzzLayout.StackSize);
        _ = munmap((nint)FuzzLayout.ReadOnly, FuzzLayout.Page);
        _ = munmap((nint)_block, 8192);
    }

    public void Run(FuzzProgram program, FuzzInput input, Outcome outcome)
    {
        var code = new Span<byte>((void*)program.Place, program.Image.Length);
        if (!code.SequenceEqual(program.Image))
            program.Image.CopyTo(code);
        input.Data.CopyTo(new Span<byte>((void*)FuzzLayout.Data, input.Data.Length));
        input.Stack.CopyTo(new Span<byte>((void*)FuzzLayout.Stack, input.Stack.Length));
        Put(input.State, program.Entry);
        Enter();
        Take(ref outcome.State);
        outcome.Exit = ExitOf(outcome.State.Pc);
        new Span<byte>((void*)FuzzLayout.Data, input.Data.Length).CopyTo(outcome.Data);
        new Span<byte>((void*)FuzzLayout.Stack, input.Stack.Length).CopyTo(outcome.Stack);
        code.CopyTo(outcome.Code);
    }

    /// <summary>With all signals blocked that could find this thread with FS and stack of a guest.</summary>
    private void Enter()
    {
        const int SetMask = 2;
        byte* old = stackalloc byte[SignalMaskSize];
        fixed (byte* blocked = _blocked)
            _ = pthread_sigmask(SetMask, blocked, old);
        *(int*)(_block + Active) = gettid();
        ((delegate* unmanaged<void>)_enter)();
        *(int*)(_block + Active) = 0;
        _ = pthread_sigmask(SetMask, old, null);
    }

    private EngineExit ExitOf(ulong pc)
    {
        const int SentByKernel = 128, IntegerDivision = 1, WriteBit = 2, FetchBit = 16;
        int signal = *(int*)(_block + Signal), code = *(int*)(_block + SignalCode);
        var error = *(ulong*)(_block + FaultError);
        var access = (error & FetchBit) != 0 ? MemoryAccess.Execute : (error & WriteBit) != 0 ? MemoryAccess.Write : MemoryAccess.Read;
        return signal switch
        {
            Trap => new EngineExit(ExitReason.Breakpoint),
            InvalidInstruction => new EngineExit(ExitReason.InvalidInstruction),
            Arithmetic => new EngineExit(code == IntegerDivision ? ExitReason.DivideError : ExitReason.FloatingPoint),
            Bus => new EngineExit(ExitReason.GeneralProtection),
            _ when code == SentByKernel => new EngineExit(ExitReason.GeneralProtection),
            _ => new EngineExit(ExitReason.MemoryFault, new MemoryFault(new GuestAddress(*(ulong*)(_block + FaultAddress)), access, FaultKind.NotMapped)),
        };
    }

    private void Put(in CpuState state, ulong pc)
    {
        new Span<byte>(_block, 512).Clear();
        *(ushort*)_block = state.X87.Control;
        *(ushort*)(_block + 2) = state.X87.Status;
        _block[4] = state.X87.Tags;
        *(uint*)(_block + 24) = state.Mxcsr;
        for (var i = 0; i < 8; i++)
        {
            *(ulong*)(_block + 32 + (16 * i)) = state.X87.Registers[(state.X87.Top + i) & 7].Significand;
            *(ulong*)(_block + 40 + (16 * i)) = state.X87.Registers[(state.X87.Top + i) & 7].SignExponent;
        }

        for (var i = 0; i < 16; i++)
        {
            *(Vector128<byte>*)(_block + 160 + (16 * i)) = state.Vectors[i];
            *(ulong*)(_block + Integers + (8 * i)) = state.Registers[i];
        }

        *(ulong*)(_block + Flags) = state.Flags;
        *(ulong*)(_block + FsBase) = state.FsBase;
        *(ulong*)(_block + GsBase) = state.GsBase;
        *(ulong*)(_block + Pc) = pc;
    }

    private void Take(ref CpuState state)
    {
        state.X87.Control = *(ushort*)_block;
        state.X87.Status = *(ushort*)(_block + 2);
        state.X87.Tags = _block[4];
        state.Mxcsr = *(uint*)(_block + 24);
        for (var i = 0; i < 8; i++)
        {
            state.X87.Registers[(state.X87.Top + i) & 7] = new X87Register
            {
                Significand = *(ulong*)(_block + 32 + (16 * i)),
                SignExponent = *(ushort*)(_block + 40 + (16 * i)),
            };
        }

        for (var i = 0; i < 16; i++)
        {
            state.Vectors[i] = *(Vector128<byte>*)(_block + 160 + (16 * i));
            state.Registers[i] = *(ulong*)(_block + Integers + (8 * i));
        }

        state.Flags = *(ulong*)(_block + Flags);
        state.FsBase = *(ulong*)(_block + FsBase);
        state.GsBase = *(ulong*)(_block + GsBase);
        state.Pc = *(ulong*)(_block + Pc);
    }

    // ---- the stubs -----------------------------------------------------------------------------------------------

    private static readonly Register[] Saved = [Register.RBX, Register.RBP, Register.R12, Register.R13, Register.R14, Register.R15];

    private MemoryOperand At(int offset) => new(Register.RIP, (long)_block + offset, 8);

    private static ulong Assemble(ulong at, IEnumerable<Instruction> instructions)
    {
        foreach (var instruction in instructions)
        {
            if (!StepEncoder.TryEncode(instruction, at, out var bytes))
                throw new InvalidOperationException($"cannot encode {instruction}");
            bytes.CopyTo(new Span<byte>((void*)at, bytes.Length));
            at += (ulong)bytes.Length;
        }

        return (at + 15) & ~15UL;
    }

    private IEnumerable<Instruction> EnterStub()
    {
        foreach (var register in Saved)
            yield return Instruction.Create(Code.Push_r64, register);
        yield return Instruction.Create(Code.Mov_rm64_r64, At(HostStack), Register.RSP);
        yield return Instruction.Create(Code.Rdfsbase_r64, Register.RAX);
        yield return Instruction.Create(Code.Mov_rm64_r64, At(HostFs), Register.RAX);
        yield return Instruction.Create(Code.Stmxcsr_m32, At(HostControl));
        yield return Instruction.Create(Code.Fxrstor64_m512byte, At(0));
        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RAX, At(GsBase));
        yield return Instruction.Create(Code.Wrgsbase_r64, Register.RAX);
        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RAX, At(FsBase));
        yield return Instruction.Create(Code.Wrfsbase_r64, Register.RAX);
        yield return Instruction.Create(Code.Push_rm64, At(Flags));
        yield return Instruction.Create(Code.Popfq);
        for (var i = 0; i < 16; i++)
        {
            if (Register.RAX + i != Register.RSP)
                yield return Instruction.Create(Code.Mov_r64_rm64, Register.RAX + i, At(Integers + (8 * i)));
        }

        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RSP, At(Integers + (8 * 4)));
        yield return Instruction.Create(Code.Jmp_rm64, At(Pc));
    }

    private IEnumerable<Instruction> ExitStub()
    {
        for (var i = 0; i < 16; i++)
            yield return Instruction.Create(Code.Mov_rm64_r64, At(Integers + (8 * i)), Register.RAX + i);
        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RSP, At(HostStack));
        yield return Instruction.Create(Code.Fxsave64_m512byte, At(0));
        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RAX, At(HostFs));
        yield return Instruction.Create(Code.Wrfsbase_r64, Register.RAX);
        yield return Instruction.Create(Code.Fninit);
        yield return Instruction.Create(Code.Ldmxcsr_m32, At(HostControl));
        yield return Instruction.Create(Code.Cld);
        for (var i = Saved.Length - 1; i >= 0; i--)
            yield return Instruction.Create(Code.Pop_r64, Saved[i]);
        yield return Instruction.Create(Code.Retnq);
    }

    /// <summary>handler(signal edi, siginfo rsi, ucontext rdx): RIP is register 16, RFLAGS 17, the error code 19 of those at 40.</summary>
    private IEnumerable<Instruction> HandlerStub(ulong exit, ulong chain)
    {
        const int GetThread = 186, Resume = 0x1_0000, FlagsRegister = 40 + (8 * 17), InstructionPointer = 40 + (8 * 16), ErrorCode = 40 + (8 * 19);
        yield return Instruction.Create(Code.Mov_r32_imm32, Register.EAX, GetThread);
        yield return Instruction.Create(Code.Syscall);
        yield return Instruction.Create(Code.Cmp_r32_rm32, Register.EAX, At(Active));
        yield return Instruction.CreateBranch(Code.Jne_rel32_64, chain);
        yield return Instruction.Create(Code.Mov_rm32_r32, At(Signal), Register.EDI);
        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RAX, new MemoryOperand(Register.RDX, InstructionPointer, 8));
        yield return Instruction.Create(Code.Mov_rm64_r64, At(Pc), Register.RAX);
        yield return Instruction.Create(Code.Mov_r32_rm32, Register.EAX, new MemoryOperand(Register.RSI, 8, 8));
        yield return Instruction.Create(Code.Mov_rm32_r32, At(SignalCode), Register.EAX);
        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RAX, new MemoryOperand(Register.RSI, 16, 8));
        yield return Instruction.Create(Code.Mov_rm64_r64, At(FaultAddress), Register.RAX);
        yield return Instruction.Create(Code.Mov_r64_rm64, Register.RAX, new MemoryOperand(Register.RDX, ErrorCode, 8));
        yield return Instruction.Create(Code.Mov_rm64_r64, At(FaultError), Register.RAX);
        yield return Instruction.Create(Code.Mov_r32_rm32, Register.EAX, new MemoryOperand(Register.RDX, FlagsRegister, 8));
        yield return Instruction.Create(Code.And_rm32_imm32, Register.EAX, ~Resume);
        yield return Instruction.Create(Code.Mov_rm64_r64, At(Flags), Register.RAX);
        yield return Instruction.Create(Code.Mov_rm64_imm32, new MemoryOperand(Register.RDX, FlagsRegister, 8), 0x202);
        yield return Instruction.Create(Code.Mov_r64_imm64, Register.RAX, exit);
        yield return Instruction.Create(Code.Mov_rm64_r64, new MemoryOperand(Register.RDX, InstructionPointer, 8), Register.RAX);
        yield return Instruction.Create(Code.Retnq);
    }

    private IEnumerable<Instruction> ChainStub()
    {
        yield return Instruction.Create(Code.Lea_r64_m, Register.RAX, At(NextHandlers));
        yield return Instruction.Create(Code.Jmp_rm64, new MemoryOperand(Register.RAX, Register.RDI, 8));
    }

    private void InstallHandlers(nint handler)
    {
        const int FlagsOffset = 136, OnAlternateStack = 0x0800_0000;
        fixed (byte* previous = _previousActions)
        {
            var action = stackalloc byte[ActionSize];
            for (var i = 0; i < Signals.Length; i++)
            {
                if (sigaction(Signals[i], null, previous + (i * ActionSize)) != 0)
                    throw new InvalidOperationException("sigaction");
                new Span<byte>(previous + (i * ActionSize), ActionSize).CopyTo(new Span<byte>(action, ActionSize));
                *(nint*)(_block + NextHandlers + (8 * Signals[i])) = *(nint*)action;
                *(nint*)action = handler;
                *(int*)(action + FlagsOffset) |= OnAlternateStack;
                _ = sigaction(Signals[i], action, null);
            }
        }
    }

    private static nint MapAnywhere(ulong length, int protection)
    {
        const int PrivateAnonymous = 0x22;
        var place = mmap(0, length, protection, PrivateAnonymous, -1, 0);
        return place != -1 ? place : throw new InvalidOperationException("mmap");
    }

    private static void MapAt(ulong address, ulong length, int protection)
    {
        const int PrivateAnonymousFixedNoReplace = 0x10_0022;
        if (mmap((nint)address, length, protection, PrivateAnonymousFixedNoReplace, -1, 0) != (nint)address)
            throw new InvalidOperationException($"no room at {address:x}");
    }

    [LibraryImport("libc")]
    private static partial nint mmap(nint address, ulong length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc")]
    private static partial int munmap(nint address, ulong length);

    [LibraryImport("libc")]
    private static partial int mprotect(nint address, ulong length, int protection);

    [LibraryImport("libc")]
    private static partial int sigaction(int signal, byte* action, byte* previous);

    [LibraryImport("libc")]
    private static partial int pthread_sigmask(int how, byte* set, byte* previous);

    [LibraryImport("libc")]
    private static partial int gettid();

    [LibraryImport("libc")]
    private static partial ulong getauxval(ulong type);
}
