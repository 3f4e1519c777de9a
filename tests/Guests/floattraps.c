// Floating-point exceptions that trap: SSE instructions under every control word, and the x87 unit's deferred faults. For each
// instruction a digest of results, status flags and signals over random operands.
#define _GNU_SOURCE
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "check.h"

struct outcome {
    uint64_t result[2];
    uint64_t flags;
    uint32_t mxcsr;
    int signal_code;
};

static sigjmp_buf back;
static struct outcome now;

static void trapped(int number, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    now.mxcsr = user->uc_mcontext.fpregs->mxcsr;
    memcpy(now.result, &user->uc_mcontext.fpregs->_xmm[0], 16);
    now.signal_code = info->si_code;
    siglongjmp(back, 1);
}

static uint64_t seed = 88172645463325252u;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1du;
}

static uint64_t next_double(void)
{
    static const uint64_t special[] = { 0, 1, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff4000000000000, 0x7fefffffffffffff, 0x0010000000000000 };
    uint64_t fraction = next() & 0x800fffffffffffff;
    switch (next() % 6) {
    case 0: return fraction;
    case 1: return special[next() % 8] | (next() & 1ull << 63);
    case 2: return next();
    case 3: return fraction | (0x7feull - next() % 3) << 52;
    default: return fraction | (0x3fdull + next() % 5) << 52;
    }
}

static uint32_t next_float(void)
{
    static const uint32_t special[] = { 0, 1, 0x3f800000, 0x7f800000, 0x7fc00000, 0x7fa00000, 0x7f7fffff, 0x00800000 };
    uint32_t fraction = next() & 0x807fffff;
    switch (next() % 6) {
    case 0: return fraction;
    case 1: return special[next() % 8] | (next() & 0x80000000);
    case 2: return next();
    case 3: return fraction | (0xfe - next() % 3) << 23;
    default: return fraction | (0x7d + next() % 5) << 23;
    }
}

struct instruction {
    const char *name;
    unsigned char code[7];
    int length;
};

// Destination xmm0, source xmm1.
static const struct instruction instructions[] = {
    { "addps", { 0x0f, 0x58, 0xc1 }, 3 }, { "addpd", { 0x66, 0x0f, 0x58, 0xc1 }, 4 }, { "addss", { 0xf3, 0x0f, 0x58, 0xc1 }, 4 },
    { "subsd", { 0xf2, 0x0f, 0x5c, 0xc1 }, 4 }, { "mulps", { 0x0f, 0x59, 0xc1 }, 3 }, { "mulsd", { 0xf2, 0x0f, 0x59, 0xc1 }, 4 },
    { "divps", { 0x0f, 0x5e, 0xc1 }, 3 }, { "divpd", { 0x66, 0x0f, 0x5e, 0xc1 }, 4 }, { "sqrtpd", { 0x66, 0x0f, 0x51, 0xc1 }, 4 },
    { "minps", { 0x0f, 0x5d, 0xc1 }, 3 }, { "maxpd", { 0x66, 0x0f, 0x5f, 0xc1 }, 4 }, { "cmpltps", { 0x0f, 0xc2, 0xc1, 1 }, 4 },
    { "cmpneqpd", { 0x66, 0x0f, 0xc2, 0xc1, 4 }, 5 }, { "cvtps2pd", { 0x0f, 0x5a, 0xc1 }, 3 }, { "cvtpd2ps", { 0x66, 0x0f, 0x5a, 0xc1 }, 4 },
    { "cvtdq2ps", { 0x0f, 0x5b, 0xc1 }, 3 }, { "cvtps2dq", { 0x66, 0x0f, 0x5b, 0xc1 }, 4 }, { "cvttpd2dq", { 0x66, 0x0f, 0xe6, 0xc1 }, 4 },
    { "ucomiss", { 0x0f, 0x2e, 0xc1 }, 3 }, { "comisd", { 0x66, 0x0f, 0x2f, 0xc1 }, 4 }, { "haddps", { 0xf2, 0x0f, 0x7c, 0xc1 }, 4 },
    { "addsubpd", { 0x66, 0x0f, 0xd0, 0xc1 }, 4 }, { "dpps", { 0x66, 0x0f, 0x3a, 0x40, 0xc1, 0xff }, 6 },
    { "dppd", { 0x66, 0x0f, 0x3a, 0x41, 0xc1, 0x33 }, 6 }, { "roundps", { 0x66, 0x0f, 0x3a, 0x08, 0xc1, 4 }, 6 },
};

static void run(unsigned char *code, const struct instruction *instruction, const uint64_t *a, const uint64_t *b, uint32_t mxcsr)
{
    // ldmxcsr [rdi]; movups xmm0,[rsi]; movups xmm1,[rdx]; INSTRUCTION; stmxcsr [r8]; movups [rcx],xmm0; pushf; pop rax; ret
    static const unsigned char before[] = { 0x0f, 0xae, 0x17, 0x0f, 0x10, 0x06, 0x0f, 0x10, 0x0a };
    static const unsigned char after[] = { 0x41, 0x0f, 0xae, 0x18, 0x0f, 0x11, 0x01, 0x9c, 0x58, 0xc3 };
    memcpy(code, before, sizeof before);
    memcpy(code + sizeof before, instruction->code, instruction->length);
    memcpy(code + sizeof before + instruction->length, after, sizeof after);
    memset(&now, 0, sizeof now);
    if (!sigsetjmp(back, 1)) {
        uint64_t (*function)(uint32_t *, const uint64_t *, const uint64_t *, uint64_t *, uint32_t *) = (void *)code;
        now.flags = function(&mxcsr, a, b, now.result, &now.mxcsr) & 0x8d5;
    }
    __builtin_ia32_ldmxcsr(0x1f80);
}

static void vectors(unsigned char *code)
{
    for (unsigned i = 0; i < sizeof instructions / sizeof *instructions; i++) {
        uint64_t digest = 14695981039346656037u;
        int traps = 0;
        for (int n = 0; n < 150; n++) {
            uint64_t a[2], b[2];
            int doubles = next() & 1;
            for (int lane = 0; lane < 2; lane++) {
                a[lane] = doubles ? next_double() : next_float() | (uint64_t)next_float() << 32;
                b[lane] = doubles ? next_double() : next_float() | (uint64_t)next_float() << 32;
            }
            // Flags only where masked, lest the load itself be odd.
            uint32_t mxcsr = next() & 0xffc0;
            run(code, &instructions[i], a, b, mxcsr | (next() & mxcsr >> 7 & 0x3f));
            for (unsigned byte = 0; byte < sizeof now; byte++)
                digest = (digest ^ ((unsigned char *)&now)[byte]) * 1099511628211u;
            traps += now.signal_code != 0;
        }
        printf("%-10s %016llx, %d traps\n", instructions[i].name, (unsigned long long)digest, traps);
    }
}

static void x87(void)
{
    static const int exceptions[] = { FE_INVALID, FE_DIVBYZERO, FE_OVERFLOW, FE_UNDERFLOW, FE_INEXACT };
    for (int i = 0; i < 5; i++) {
        volatile long double operands[][2] = { { 0, 0 }, { 1, 0 }, { 0x1p16383L, 0x1p-16383L }, { 0x1p-16382L, 0x1p16000L }, { 1, 3 } };
        volatile long double quotient = -1;
        feclearexcept(FE_ALL_EXCEPT);
        now.signal_code = 0;
        if (!sigsetjmp(back, 1)) {
            feenableexcept(exceptions[i]);
            quotient = operands[i][0] / operands[i][1];
            asm volatile("fwait");
        }
        fedisableexcept(FE_ALL_EXCEPT);
        asm volatile("fnclex");
        printf("x87 %d: signal %d quotient %La\n", exceptions[i], now.signal_code, quotient);
    }
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };
    sigaction(SIGFPE, &action, NULL);
    unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        die("mmap");
    vectors(code);
    x87();
    return 0;
}
