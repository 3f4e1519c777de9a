/* Pushes, pops and other moves of the stack pointer in a row, near the ends of the stack's memory: what every fault finds, as a hash.
   usage: stackmoves [PROGRAMS [SEED]] */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { CodeAt = 0x20000000, CodeSize = 1 << 20, DataAt = 0x21000000, DataSize = 8192 };

static uint64_t state = 20261121;
static uint64_t Next(void)
{
    state += 0x9E3779B97F4A7C15;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static int Below(int n) { return (int)(Next() % (uint64_t)n); }

static uint8_t *code;
static void Put(int n, ...)
{
    __builtin_va_list list;
    __builtin_va_start(list, n);
    while (n-- > 0)
        *code++ = (uint8_t)__builtin_va_arg(list, int);
    __builtin_va_end(list);
}

static void Add(void)
{
    int small = 8 * (Below(12) - 4), any = Below(140) - 40, move = Below(5) ? small : any;
    int kind = Below(25);
    if (kind < 5) Put(1, 0x50 + Below(8));
    else if (kind < 9) Put(1, 0x58 + Below(8));
    else switch (kind)
    {
        case 9: Put(4, 0x48, 0x83, 0xEC, move); break;
        case 10: Put(4, 0x48, 0x83, 0xC4, move); break;
        case 11: Put(5, 0x48, 0x8D, 0x64, 0x24, move); break;
        case 12: Put(5, 0x48, 0x89, 0x5C, 0x24, any); break;
        case 13: Put(5, 0x48, 0x8B, 0x54, 0x24, any); break;
        case 14: Put(3, 0x48, 0x8B, 0x07); break;
        case 15: Put(2, 0x01, 0x07); break;
        case 16: Put(4, 0x39, 0xD8, 0x74, 0x00); break;
        case 17: Put(3, 0x48, 0x89, 0xE5); break;
        case 18: Put(1, 0xC9); break;
        case 19: Put(4, 0xFF, 0x74, 0x24, any); break;
        case 20: Put(4, 0x8F, 0x44, 0x24, any); break;
        case 21: Put(2, 0xEB, 0x00); break;
        case 22: Put(4, 0x8D, 0x4C, 0x24, any); break;
        case 23: Put(4, 0x48, 0x01, 0xD0, 0x90); break;
        default: Put(2, 0x6A, any); break;
    }
}

/* By their numbers, and where to begin; the stack pointer of the program itself. */
uint64_t registers[17], *saved;
static uint64_t hash = 14695981039346656037u;
extern void Enter(void), Back(void);
__asm__(".text\n.globl Enter\nEnter:\n"
    "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp, saved(%rip)\n"
    "lea registers(%rip), %rax\n"
    "mov 8(%rax), %rcx\nmov 16(%rax), %rdx\nmov 24(%rax), %rbx\nmov 40(%rax), %rbp\nmov 48(%rax), %rsi\nmov 56(%rax), %rdi\n"
    "mov 32(%rax), %rsp\nmov 0(%rax), %rax\njmp *registers+128(%rip)\n"
    ".globl Back\nBack:\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");

static void Mix(uint64_t value) { hash = (hash ^ value) * 1099511628211u; hash ^= hash >> 29; }

static long ends, faults;
static void OnSignal(int number, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    int is_end = number == SIGTRAP;
    *(is_end ? &ends : &faults) += 1;
    Mix(number);
    Mix(is_end ? 0 : (uint64_t)info->si_addr);
    static const int all[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_RIP };
    for (int i = 0; i < 9; i++)
        Mix(r[all[i]]);
    Mix(r[REG_EFL] & 0x8D5);
    r[REG_RSP] = (greg_t)saved;
    r[REG_RIP] = (greg_t)Back;
    r[REG_EFL] &= ~0x8D5;
}

int main(int count, char **arguments)
{
    int programs = count > 1 ? atoi(arguments[1]) : 400;
    if (count > 2)
        state = strtoull(arguments[2], 0, 0);
    static uint8_t alternate[65536];
    stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
    sigaltstack(&stack, 0);
    struct sigaction action = { .sa_sigaction = OnSignal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);
    sigaction(SIGTRAP, &action, 0);
    uint8_t *data = mmap((void *)DataAt, DataSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    uint8_t *start = mmap((void *)CodeAt, CodeSize, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (data == MAP_FAILED || start == MAP_FAILED)
        return 1;
    for (int i = 0; i < programs; i++)
    {
        if (code == 0 || code > start + CodeSize - 4096)
            code = start;
        uint8_t *program = code;
        for (int left = 1 + Below(24); left > 0; left--)
            Add();
        Put(1, 0xCC);
        for (int round = 0; round < 6; round++)
        {
            for (int at = 0; at < DataSize; at += 8)
                *(uint64_t *)(data + at) = Below(4) ? Next() >> 20 : DataAt + Below(DataSize);
            for (int r = 0; r < 8; r++)
                registers[r] = Next();
            registers[4] = DataAt + (Below(2) ? Below(160) : DataSize - Below(160));
            if (Below(5))
                registers[4] &= ~7ul;
            registers[5] = DataAt + Below(DataSize);
            registers[7] = Below(10) ? DataAt + Below(DataSize) : Next();
            registers[16] = (uint64_t)program;
            Enter();
            for (int at = 0; at < DataSize; at += 8)
                Mix(*(uint64_t *)(data + at));
        }
    }
    printf("%016lx: %ld ends, %ld faults\n", hash, ends, faults);
    return 0;
}
