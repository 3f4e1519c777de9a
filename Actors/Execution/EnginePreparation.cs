using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Translator;
using Vivarium.Emulator.Memory;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>
/// Makes a process's first translation cheap: a few instructions of the most common kinds are run by a translator of their own, for which the
/// run-time loads, and the decoder makes, what every translation needs. A fifth of a start, done by another thread meanwhile.
/// </summary>
public static class EnginePreparation
{
    private const ulong CodeLength = GuestAddress.PageSize, Length = 2 * CodeLength;
    private const int StackPointer = 4;
    private const int StoreSize = 1 << 20;

    /// <summary>
    /// Moves, arithmetic, comparisons, a loop, vectors, a call, an exchange, a system call:
    /// <code>
    /// endbr64; xor ebp,ebp; mov r9,rdx; mov rdi,rsp; and rsp,-16; push rax; lea rsi,[rip+8]; mov eax,[rdi+8]; movzx ecx,byte ptr [rsi];
    /// test eax,eax; jne 1f; add eax,1; 1: movq xmm0,rax; punpcklqdq xmm0,xmm0; movups [rsp-64],xmm0; movdqa xmm1,xmm0; pxor xmm1,xmm1;
    /// pcmpeqb xmm1,xmm0; pmovmskb edx,xmm1; cmp rax,rcx; cmovb rax,rcx; setne cl; movzx ecx,cl; movsxd rdx,ecx; shl rax,3; sar rdx,1;
    /// imul rbx,rax,5; neg rbx; sub rbx,[rsp]; add qword ptr [rsp],1; or eax,4; bt eax,2; jb 2f; nop; 2: mov [rsp-8],rbx; mov ecx,3;
    /// 3: dec ecx; jnz 3b; call 5f; mov ebx,eax; xor eax,eax; lock cmpxchg [rsp],rbx; jmp 6f; 5: push rbx; mov rbx,rdi; pop rbx; ret;
    /// 6: mov eax,60; syscall
    /// </code>
    /// </summary>
    private static ReadOnlySpan<byte> Code =>
    [
        0xF3, 0x0F, 0x1E, 0xFA, 0x31, 0xED, 0x49, 0x89, 0xD1, 0x48, 0x89, 0xE7, 0x48, 0x83, 0xE4, 0xF0, 0x50, 0x48, 0x8D, 0x35, 0x08, 0x00, 0x00, 0x00,
        0x8B, 0x47, 0x08, 0x0F, 0xB6, 0x0E, 0x85, 0xC0, 0x75, 0x03, 0x83, 0xC0, 0x01, 0x66, 0x48, 0x0F, 0x6E, 0xC0, 0x66, 0x0F, 0x6C, 0xC0, 0x0F, 0x11,
        0x44, 0x24, 0xC0, 0x66, 0x0F, 0x6F, 0xC8, 0x66, 0x0F, 0xEF, 0xC9, 0x66, 0x0F, 0x74, 0xC8, 0x66, 0x0F, 0xD7, 0xD1, 0x48, 0x39, 0xC8, 0x48, 0x0F,
        0x42, 0xC1, 0x0F, 0x95, 0xC1, 0x0F, 0xB6, 0xC9, 0x48, 0x63, 0xD1, 0x48, 0xC1, 0xE0, 0x03, 0x48, 0xD1, 0xFA, 0x48, 0x6B, 0xD8, 0x05, 0x48, 0xF7,
        0xDB, 0x48, 0x2B, 0x1C, 0x24, 0x48, 0x83, 0x04, 0x24, 0x01, 0x83, 0xC8, 0x04, 0x0F, 0xBA, 0xE0, 0x02, 0x72, 0x01, 0x90, 0x48, 0x89, 0x5C, 0x24,
        0xF8, 0xB9, 0x03, 0x00, 0x00, 0x00, 0xFF, 0xC9, 0x75, 0xFC, 0xE8, 0x0C, 0x00, 0x00, 0x00, 0x89, 0xC3, 0x31, 0xC0, 0xF0, 0x48, 0x0F, 0xB1, 0x1C,
        0x24, 0xEB, 0x06, 0x53, 0x48, 0x89, 0xFB, 0x5B, 0xC3, 0xB8, 0x3C, 0x00, 0x00, 0x00, 0x0F, 0x05,
    ];

    /// <summary>For a thread that has nothing else to do. Returns how the run ended, for tests.</summary>
    public static ExitReason Run()
    {
        if (!Translator.IsSupported)
            return ExitReason.Budget;
        _ = Engines.Of(EngineKind.Translator);
        using var memory = new AddressSpace(new MemoryAccountant(Length));
        if (memory.Map(new MapRequest(default, Length, Protection.ReadWrite | Protection.Execute), out GuestAddress start) != MapStatus.Ok || !memory.TryWrite(start, Code))
            return ExitReason.Budget;
        var cpu = new GuestCpu(Architecture.X64);
        // The stack is beside the code: a write to a page that has any costs more.
        cpu.State.Registers[StackPointer] = start.Value + Length - 64;
        cpu.State.Pc = start.Value;
        long budget = 1000;
        return new Translator(new BlockCache(), StoreSize).Run(cpu, memory, ref budget).Reason;
    }
}
