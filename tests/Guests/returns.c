// IRETQ in a program of its own: address, flags and stack it leaves, and the fault for segments that are none.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include "check.h"

static sigjmp_buf back;

static void caught(int signal, siginfo_t *info, void *context)
{
    printf("signal %d code %d address %p\n", signal, info->si_code, info->si_addr);
    siglongjmp(back, 1);
}

static void go(uint64_t code, uint64_t stackSegment, uint64_t flags)
{
    uint64_t seen = 0, moved = 0;
    if (sigsetjmp(back, 1) == 0) {
        asm volatile(
            "mov %%rsp, %%rbx\n\t"
            "lea -256(%%rsp), %%rax\n\t"
            "sub $128, %%rsp\n\t"
            "push %[ss]\n\t"
            "push %%rax\n\t"
            "push %[flags]\n\t"
            "push %[cs]\n\t"
            "lea 1f(%%rip), %%rcx\n\t"
            "push %%rcx\n\t"
            "iretq\n\t"
            "ud2\n"
            "1:\n\t"
            "pushf\n\t"
            "pop %[seen]\n\t"
            "mov %%rbx, %[moved]\n\t"
            "sub %%rsp, %[moved]\n\t"
            "mov %%rbx, %%rsp\n\t"
            "cld\n\t"
            : [seen] "=&r"(seen), [moved] "=&r"(moved)
            : [ss] "r"(stackSegment), [cs] "r"(code), [flags] "r"(flags)
            : "rax", "rbx", "rcx", "memory", "cc");
        printf("flags %#lx stack moved by %lu\n", seen & ~0x202ul, moved);
    }
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    go(0x33, 0x2b, 0x202);
    go(0x33, 0x2b, 0x246);
    go(0x33, 0x2b, 0xad7);
    go(0x33, 0x2b, 0x200e02);
    go(0, 0x2b, 0x202);
    go(0x1233, 0x2b, 0x202);
    go(0x33, 0x10, 0x202);
    return 0;
}
