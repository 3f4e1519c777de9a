// What an arm64 program finds in the frames of its faults: the signal's code and address, the fault address and the syndrome (esr_context), the records'
// order, and what stays for later signals. What is expected is what arch/arm64/kernel/signal.c, arch/arm64/mm/fault.c and the Arm ARM (D17.2.37, ESR_EL1)
// say of a processor of ARMv8.0 with pages of 4 KB and 48 bits of addresses. Built for another processor it prints just that, for comparison.
#define _GNU_SOURCE
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

enum { READ_ABORT = 0x92000000, WRITE_ABORT = 0x92000040, FETCH_ABORT = 0x82000000, COUNTER_ALIGNMENT = 0x8a000000 };
enum { LEVEL0 = 4, LEVEL1, LEVEL2, LEVEL3, PERMISSION3 = 15, ALIGNMENT = 0x21 };
enum { NONE };

static void line(const char *what, int signal, int code, uint64_t info, uint64_t address, unsigned syndrome)
{
    printf("%s: signal %d code %d, si_addr %#lx, fault address %#lx, syndrome ", what, signal, code, (unsigned long)info, (unsigned long)address);
    printf(syndrome ? "%#x\n" : "none\n", syndrome);
    fflush(stdout);
}

#ifdef __aarch64__
#include <asm/sigcontext.h>

static sigjmp_buf back;
static int seen, code, swaps;
static uint64_t info, address, base;
static unsigned syndrome;

static void onSignal(int number, siginfo_t *told, void *context)
{
    ucontext_t *frame = context;
    unsigned char *records = frame->uc_mcontext.__reserved, *at = records;
    syndrome = 0;
    for (struct _aarch64_ctx *record; (record = (void *)at)->magic; at += record->size) {
        if (record->magic == ESR_MAGIC)
            syndrome = ((struct esr_context *)record)->esr;
        if (swaps)
            printf("record %#x of %u bytes\n", record->magic, record->size);
    }
    seen = number, code = told->si_code, address = frame->uc_mcontext.fault_address;
    // Where an instruction itself is the fault, its address is one of the program's own.
    info = number == SIGUSR1 || (number != SIGSEGV && number != SIGBUS && (uint64_t)told->si_addr == frame->uc_mcontext.pc) ? 0 : (uint64_t)told->si_addr - base;
    if (swaps == 0)
        siglongjmp(back, 1);
    if (swaps == 2) {
        // The syndrome first: any order is right.
        unsigned char copy[528];
        memcpy(copy, records, 528);
        memcpy(records, records + 528, 16);
        memcpy(records + 16, copy, 528);
    }
    if (swaps == 3)
        *(uint32_t *)at = 0x12345678, *(uint32_t *)(at + 4) = 16;
}

static void watch(void)
{
    struct sigaction action = { .sa_sigaction = onSignal, .sa_flags = SA_SIGINFO | SA_NODEFER };
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGUSR1 };
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &action, NULL);
}

#define CASE(what, start, body, expectedSignal, expectedCode, expectedInfo, expectedAddress, expectedSyndrome) do { \
        seen = code = 0, base = (uint64_t)(start); \
        if (!sigsetjmp(back, 1)) { body; } \
        line(what, seen, code, info, address >= base ? address - base : address, syndrome); \
    } while (0)
#else
#define CASE(what, start, body, expectedSignal, expectedCode, expectedInfo, expectedAddress, expectedSyndrome) \
    line(what, expectedSignal, expectedCode, expectedInfo, expectedAddress, expectedSyndrome)
#endif

#define LOAD(at) (void)*(volatile uint8_t *)(at)
#define STORE(at) *(volatile uint8_t *)(at) = 1
#define CALL(at) __asm__ volatile("blr %0" : : "r"(at) : "x30", "memory")
#define ADD(at) __asm__ volatile(".arch armv8.1-a\n\tldadd %w0, w9, [%1]\n\t.arch armv8-a" : : "r"(1), "r"(at) : "x9", "memory")
#define EXCLUSIVE(at) __asm__ volatile("ldxr x9, [%0]" : : "r"(at) : "x9", "memory")
#define RELEASE(at) __asm__ volatile("stlr x9, [%0]" : : "r"(at) : "x9", "memory")

static char *map(uint64_t at, size_t length, int rights)
{
    char *place = mmap((void *)at, length, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (place == MAP_FAILED)
        die("mmap");
    return place;
}

static void unmapped(char *place)
{
    (void)place;
    CASE("read of nothing", 0, LOAD(8), SIGSEGV, SEGV_MAPERR, 8, 8, READ_ABORT | LEVEL2);
    CASE("write of nothing", 0, STORE(8), SIGSEGV, SEGV_MAPERR, 8, 8, WRITE_ABORT | LEVEL2);
    CASE("fetch of nothing", 0, CALL(8), SIGSEGV, SEGV_MAPERR, 8, 8, FETCH_ABORT | LEVEL2);
    CASE("atomic addition to nothing", 0, ADD(8), SIGSEGV, SEGV_MAPERR, 8, 8, READ_ABORT | LEVEL2);
    CASE("read with a tag", 0, LOAD(0x5a00000000000008), SIGSEGV, SEGV_MAPERR, 8, 8, READ_ABORT | LEVEL2);
    CASE("read beside a page", place, LOAD(place + 8192), SIGSEGV, SEGV_MAPERR, 8192, 8192, READ_ABORT | LEVEL3);
    CASE("read beside a table", place, LOAD(place + 0x40000000), SIGSEGV, SEGV_MAPERR, 0x40000000, 0x40000000, READ_ABORT | LEVEL1);
    CASE("read far away", 0, LOAD(0x200000000000), SIGSEGV, SEGV_MAPERR, 0x200000000000, 0x200000000000, READ_ABORT | LEVEL0);
    CASE("write of the kernel's", 0, STORE(0xffff800000000000), SIGSEGV, SEGV_MAPERR, 0xffff800000000000, 0xffff800000000000, WRITE_ABORT | LEVEL0);
}

static void forbidden(char *place)
{
    place[0] = 1;
    CASE("fetch of data", place, CALL(place), SIGSEGV, SEGV_ACCERR, 0, 0, FETCH_ABORT | PERMISSION3);
    mprotect(place, 8192, PROT_READ);
    CASE("write of a page", place, STORE(place + 1), SIGSEGV, SEGV_ACCERR, 1, 1, WRITE_ABORT | PERMISSION3);
    CASE("atomic addition to a page", place, ADD(place + 4), SIGSEGV, SEGV_ACCERR, 4, 4, WRITE_ABORT | PERMISSION3);
    CASE("write where no page is yet", place, STORE(place + 4096), SIGSEGV, SEGV_ACCERR, 4096, 4096, WRITE_ABORT | LEVEL3);
    mprotect(place, 4096, PROT_NONE);
    CASE("read of a page without rights", place, LOAD(place), SIGSEGV, SEGV_ACCERR, 0, 0, READ_ABORT | LEVEL3);
    mprotect(place, 4096, PROT_READ | PROT_WRITE);
}

static void misaligned(char *place)
{
    (void)place;
    CASE("exclusive load", place, EXCLUSIVE(place + 1), SIGBUS, BUS_ADRALN, 1, 1, READ_ABORT | ALIGNMENT);
    CASE("store with release", place, RELEASE(place + 2), SIGBUS, BUS_ADRALN, 2, 2, WRITE_ABORT | ALIGNMENT);
    CASE("atomic addition", place, ADD(place + 3), SIGBUS, BUS_ADRALN, 3, 3, READ_ABORT | ALIGNMENT);
    // The exception is no memory's: no address is kept of it.
    CASE("counter", place, CALL(place + 2), SIGBUS, BUS_ADRALN, 2, NONE, COUNTER_ALIGNMENT);
}

static void beyond(void)
{
    FILE *file = tmpfile();
    fputs("text", file);
    fflush(file);
    char *place = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fileno(file), 0);
    LOAD(place);
    CASE("read beyond a file's end", place, LOAD(place + 4096), SIGBUS, BUS_ADRERR, 4096, 4096, READ_ABORT | LEVEL3);
    fclose(file);
}

// Address and syndrome are the thread's, for all later signals and for its children, until another fault; instructions that are none leave nothing.
static void later(void)
{
    CASE("read of nothing", 0, LOAD(16), SIGSEGV, SEGV_MAPERR, 16, 16, READ_ABORT | LEVEL2);
    CASE("a breakpoint thereafter", 0, __asm__ volatile("brk #1"), SIGTRAP, TRAP_BRKPT, 0, 16, READ_ABORT | LEVEL2);
    CASE("a sent signal", 0, raise(SIGUSR1), SIGUSR1, SI_TKILL, 0, 16, READ_ABORT | LEVEL2);
    if (fork() == 0) {
        CASE("a child's", 0, raise(SIGUSR1), SIGUSR1, SI_TKILL, 0, 16, READ_ABORT | LEVEL2);
        _exit(0);
    }
    wait(NULL);
    CASE("no instruction", 0, __asm__ volatile(".inst 0"), SIGILL, ILL_ILLOPC, 0, NONE, NONE);
    CASE("a sent signal", 0, raise(SIGUSR1), SIGUSR1, SI_TKILL, 0, NONE, NONE);
}

static int ended(int how)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
#ifdef __aarch64__
        swaps = how;
        if (how == 3)
            signal(SIGSEGV, SIG_DFL);
        register double kept __asm__("d9") = 2.5;
        __asm__ volatile("" : "+w"(kept));
        raise(SIGUSR1);
        __asm__ volatile("" : "+w"(kept));
        if (kept != 2.5)
            _exit(1);
#else
        for (int i = 0; i < 2; i++)
            printf("record %#x of %u bytes\n", i ? 0x45535201 : 0x46508001, i ? 16 : 528);
        if (how == 3) {
            fflush(stdout);
            signal(SIGSEGV, SIG_DFL);
            raise(SIGSEGV);
        }
#endif
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return status;
}

static void stacks(void)
{
    static char space[16384];
    stack_t stack = { .ss_sp = space };
#ifdef __aarch64__
    const size_t least = 5120;
#else
    const size_t least = 2048;
#endif
    stack.ss_size = least - 1;
    SHOW(sigaltstack(&stack, NULL));
    stack.ss_size = least;
    SHOW(sigaltstack(&stack, NULL));
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
#ifdef __aarch64__
    watch();
#endif
    // Two pages, alone in their gigabyte.
    char *place = map(0x240000000, 8192, PROT_READ | PROT_WRITE);
    unmapped(place);
    forbidden(place);
    misaligned(place);
    beyond();
    later();
    CASE("read of nothing", 0, LOAD(8), SIGSEGV, SEGV_MAPERR, 8, 8, READ_ABORT | LEVEL2);
    for (int how = 1; how <= 3; how++)
        printf("returned by status %#x\n", ended(how));
    stacks();
    return 0;
}
