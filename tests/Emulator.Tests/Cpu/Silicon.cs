using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Tests.Cpu;

/// <summary>
/// Runs single instructions on the host's own processor: a stub loads x87, vector and some integer registers from a state
/// block, executes the instruction and stores them back.
/// </summary>
internal sealed unsafe partial class Silicon : IDisposable
{
    /// <summary>Integer registers that take part, by x86 number: RAX, RCX, RDX, RBX; RSI and RDI address memory.</summary>
    public static readonly int[] Registers = [0, 1, 2, 3, 6, 7];

    private const int GeneralOffset = 512;
    private const int FlagsOffset = 576;
    private const int ControlOffset = 584;
    private const ulong CodeSize = 1 << 20;

    private readonly byte* _state;
    private readonly byte* _code;
    private int _used;

    public Silicon()
    {
        _state = (byte*)NativeMemory.AlignedAlloc(1024, 64);
        NativeMemory.Clear(_state, 1024);
        const int ReadWriteExecute = 7, PrivateAnonymous = 0x22;
        _code = (byte*)mmap(0, CodeSize, ReadWriteExecute, PrivateAnonymous, -1, 0);
        if ((nint)_code == -1)
            throw new InvalidOperationException("no executable memory");
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_state);
        munmap((nint)_code, CodeSize);
    }

    /// <summary>Wraps an encoded instruction; the result is good until 1 MB of stubs are compiled.</summary>
    public nint Compile(ReadOnlySpan<byte> instruction)
    {
        var assembler = new Assembler(64);
        EmitEntry(assembler);
        assembler.db(instruction.ToArray());
        EmitExit(assembler);
        using var stream = new MemoryStream();
        var start = _code + _used;
        assembler.Assemble(new StreamCodeWriter(stream), (ulong)start);
        stream.ToArray().CopyTo(new Span<byte>(start, (int)stream.Length));
        _used += (int)(stream.Length + 15) & ~15;
        return (nint)start;
    }

    private static void EmitEntry(Assembler assembler)
    {
        foreach (var register in Saved)
            assembler.push(register);
        assembler.mov(AssemblerRegisters.r15, AssemblerRegisters.rdi);
        assembler.fxrstor64(AssemblerRegisters.__[AssemblerRegisters.r15]);
        for (var i = 0; i < Registers.Length; i++)
            assembler.mov(General[i], AssemblerRegisters.__qword_ptr[AssemblerRegisters.r15 + GeneralOffset + 8 * i]);
        assembler.push(AssemblerRegisters.__qword_ptr[AssemblerRegisters.r15 + FlagsOffset]);
        assembler.popfq();
    }

    private static void EmitExit(Assembler assembler)
    {
        assembler.pushfq();
        assembler.pop(AssemblerRegisters.__qword_ptr[AssemblerRegisters.r15 + FlagsOffset]);
        for (var i = 0; i < Registers.Length; i++)
            assembler.mov(AssemblerRegisters.__qword_ptr[AssemblerRegisters.r15 + GeneralOffset + 8 * i], General[i]);
        assembler.fxsave64(AssemblerRegisters.__[AssemblerRegisters.r15]);
        assembler.fninit();
        assembler.ldmxcsr(AssemblerRegisters.__dword_ptr[AssemblerRegisters.r15 + ControlOffset]);
        assembler.cld();
        for (var i = Saved.Length - 1; i >= 0; i--)
            assembler.pop(Saved[i]);
        assembler.ret();
    }

    private static readonly AssemblerRegister64[] Saved = [AssemblerRegisters.rbx, AssemblerRegisters.rbp, AssemblerRegisters.r15];

    private static readonly AssemblerRegister64[] General =
    [
        AssemblerRegisters.rax, AssemblerRegisters.rcx, AssemblerRegisters.rdx, AssemblerRegisters.rbx, AssemblerRegisters.rsi, AssemblerRegisters.rdi,
    ];

    /// <summary>Executes a compiled instruction on <paramref name="cpu"/>.</summary>
    public void Execute(nint stub, ref CpuState cpu)
    {
        ref var x87 = ref cpu.X87;
        *(ushort*)_state = x87.Control;
        *(ushort*)(_state + 2) = x87.Status;
        _state[4] = x87.Tags;
        *(uint*)(_state + 24) = cpu.Mxcsr;
        for (var i = 0; i < 8; i++)
        {
            *(ulong*)(_state + 32 + 16 * i) = x87.Registers[(x87.Top + i) & 7].Significand;
            *(ulong*)(_state + 40 + 16 * i) = x87.Registers[(x87.Top + i) & 7].SignExponent;
        }

        for (var i = 0; i < 16; i++)
            *(Vector128<byte>*)(_state + 160 + 16 * i) = cpu.Vectors[i];
        for (var i = 0; i < Registers.Length; i++)
            *(ulong*)(_state + GeneralOffset + 8 * i) = cpu.Registers[Registers[i]];
        *(ulong*)(_state + FlagsOffset) = cpu.Flags;
        *(uint*)(_state + ControlOffset) = 0x1F80;

        ((delegate* unmanaged<byte*, void>)stub)(_state);

        x87.Control = *(ushort*)_state;
        x87.Status = *(ushort*)(_state + 2);
        x87.Tags = _state[4];
        cpu.Mxcsr = *(uint*)(_state + 24);
        for (var i = 0; i < 8; i++)
        {
            x87.Registers[(x87.Top + i) & 7] = new X87Register
            {
                Significand = *(ulong*)(_state + 32 + 16 * i),
                SignExponent = *(ushort*)(_state + 40 + 16 * i),
            };
        }

        for (var i = 0; i < 16; i++)
            cpu.Vectors[i] = *(Vector128<byte>*)(_state + 160 + 16 * i);
        for (var i = 0; i < Registers.Length; i++)
            cpu.Registers[Registers[i]] = *(ulong*)(_state + GeneralOffset + 8 * i);
        cpu.Flags = *(ulong*)(_state + FlagsOffset);
    }

    [LibraryImport("libc")]
    private static partial nint mmap(nint address, ulong length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc")]
    private static partial int munmap(nint address, ulong length);
}
