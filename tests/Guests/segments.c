// Faults by way of the stack segment and of others: addresses that are not canonical raise #SS or #GP, and what a handler sees of it.
#define _GNU_SOURCE
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

// An address that is not canonical; the program's stack and frame pointers, and where the instructions under test begin.
long bad = 0x8000000000001000, stack_pointer, frame_pointer, from;

static sigjmp_buf back;
static siginfo_t seen;
static greg_t registers[NGREG];

static void on_signal(int number, siginfo_t *info, void *context)
{
    seen = *info;
    memcpy(registers, ((ucontext_t *)context)->uc_mcontext.gregs, sizeof registers);
    siglongjmp(back, 1);
}

static void tell(const char *name)
{
    printf("%s: signal %d code %x address %p trap %lld error %llx cr2 %llx at %llx\n", name, seen.si_signo, seen.si_code, seen.si_addr,
        (long long)registers[REG_TRAPNO], (long long)registers[REG_ERR], (long long)registers[REG_CR2], (long long)registers[REG_RIP] - from);
}

// The instructions find the address in rax.
#define TRY(name, text)                                                                                                                    \
    do {                                                                                                                                   \
        if (sigsetjmp(back, 1) == 0) {                                                                                                     \
            asm volatile("leaq 1f(%%rip), %%rax\n mov %%rax, from(%%rip)\n mov %%rsp, stack_pointer(%%rip)\n mov %%rbp, frame_pointer(%%rip)\n" \
                         "mov bad(%%rip), %%rax\n1: " text "\n mov stack_pointer(%%rip), %%rsp\n mov frame_pointer(%%rip), %%rbp"           \
                         ::: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r12", "r13", "memory", "cc", "xmm0");                              \
            printf("%s: nothing\n", name);                                                                                                 \
        }                                                                                                                                  \
        else                                                                                                                               \
            tell(name);                                                                                                                    \
    } while (0)

int main(void)
{
    static char alternate[65536];
    stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
    sigaltstack(&stack, NULL);
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    TRY("page fault", "mov 0x1234,%%ecx");
    TRY("rax", "mov (%%rax),%%rcx");
    TRY("rsp", "mov %%rax,%%rsp; mov (%%rsp),%%rcx");
    TRY("rsp+disp", "mov %%rax,%%rsp; mov 8(%%rsp),%%rcx");
    TRY("rbp", "mov %%rax,%%rbp; mov (%%rbp),%%rcx");
    TRY("rbp index", "mov %%rax,%%rbp; xor %%ecx,%%ecx; mov (%%rcx,%%rbp),%%rcx");
    TRY("rbp base index", "mov %%rax,%%rbp; xor %%ecx,%%ecx; mov (%%rbp,%%rcx,2),%%rcx");
    TRY("rbp ds", "mov %%rax,%%rbp; .byte 0x3e; mov 0(%%rbp),%%rcx");
    TRY("rax ss", "xor %%ecx,%%ecx; .byte 0x36; mov (%%rax),%%rcx");
    TRY("rbp fs", "mov %%rax,%%rbp; mov %%fs:0(%%rbp),%%rcx");
    TRY("push", "mov %%rax,%%rsp; push %%rcx");
    TRY("pop", "mov %%rax,%%rsp; pop %%rcx");
    TRY("push mem", "push (%%rax)");
    TRY("push mem bad sp", "mov %%rax,%%rsp; lea bad(%%rip),%%rcx; push (%%rcx)");
    TRY("pop mem", "sub $16,%%rsp; pop (%%rax)");
    TRY("call", "mov %%rax,%%rsp; call 1b");
    TRY("ret", "mov %%rax,%%rsp; ret");
    TRY("jmp mem bad", "jmp *(%%rax)");
    TRY("jmp mem rsp bad", "mov %%rax,%%rsp; jmp *(%%rsp)");
    TRY("leave", "mov %%rax,%%rbp; leave");
    TRY("enter", "mov %%rax,%%rsp; enter $16,$0");
    TRY("pushf", "mov %%rax,%%rsp; pushf");
    TRY("stos", "mov %%rax,%%rdi; stosb");
    TRY("movs", "mov %%rax,%%rsi; lea bad(%%rip),%%rdi; movsb");
    TRY("sse rsp", "mov %%rax,%%rsp; movups (%%rsp),%%xmm0");
    TRY("movaps rsp unaligned bad", "mov %%rax,%%rsp; movaps 1(%%rsp),%%xmm0");
    TRY("movaps unaligned rsp", "movaps 1(%%rsp),%%xmm0");
    TRY("x87 rbp", "mov %%rax,%%rbp; fldt (%%rbp)");
    TRY("cmpxchg rbp", "mov %%rax,%%rbp; lock cmpxchg %%rcx,(%%rbp)");
    TRY("xadd rsp", "mov %%rax,%%rsp; lock xadd %%rcx,(%%rsp)");
    TRY("add rbp", "mov %%rax,%%rbp; addl $1,(%%rbp)");
    TRY("r13", "mov %%rax,%%r13; mov (%%r13),%%rcx");
    TRY("r12", "mov %%rax,%%r12; mov (%%r12),%%rcx");
    TRY("top rax", "mov $0x7ffffffffffc,%%rax; mov (%%rax),%%rcx");
    TRY("top rsp", "mov $0x7ffffffffffc,%%rsp; mov (%%rsp),%%rcx");
    TRY("top page", "mov $0x7ffffffff000,%%rax; mov (%%rax),%%rcx");
    TRY("high", "mov $0xffffffff80000000,%%rax; mov (%%rax),%%rcx");
    TRY("wrap", "mov $0xfffffffffffffffc,%%rax; mov (%%rax),%%rcx");
    TRY("below high", "mov $0xffff7ffffffffffc,%%rax; mov (%%rax),%%rcx");
    TRY("bt", "mov %%rax,%%rbp; mov $0,%%rcx; bt %%rcx,(%%rbp)");
    TRY("bt far", "lea bad(%%rip),%%rbx; mov %%rax,%%rcx; bt %%rcx,(%%rbx)");
    TRY("bt far rsp", "mov %%rax,%%rcx; bt %%rcx,(%%rsp)");
    TRY("hlt", "hlt");
    TRY("prefetch", "prefetcht0 (%%rax)");
    TRY("xlat", "mov %%rax,%%rbx; xlat");
    TRY("fxsave rsp", "mov %%rax,%%rsp; fxsave (%%rsp)");
    TRY("push rsp mem", "mov %%rax,%%rsp; push (%%rsp)");
    TRY("pop rsp mem", "lea bad(%%rip),%%rsp; pop 0x10000(%%rax)");
    TRY("ud", "ud2");
    TRY("cmps", "mov %%rax,%%rsi; mov %%rax,%%rdi; cmpsb");
    TRY("rbp zero size lea", "mov %%rax,%%rbp; lea (%%rbp),%%rcx");
    TRY("read only", "mov main(%%rip), %%rcx; mov %%rcx, main(%%rip)");
    TRY("divide", "xor %%ecx, %%ecx; xor %%edx, %%edx; div %%rcx");
    TRY("x87", "fninit; fldz; movw $0x37b, -8(%%rsp); fldcw -8(%%rsp); fld1; fdivp; fwait");
    return 0;
}
