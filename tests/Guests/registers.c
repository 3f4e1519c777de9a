// The register sets that ptrace gives of a thread at the entry and the end of a call, and of one that a signal interrupts: the same facts on
// every processor, in terms of call, arguments, result, stack and counter.
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#ifndef __x86_64__
#include <asm/ptrace.h>
#endif

#if defined(__riscv)
typedef struct user_regs_struct registers;
enum { FLOAT_SIZE = 33 * 8, AUDIT = 0xf3 };
#define NUMBER(r) (r).a7
#define FIRST(r) (r).a0
#define SECOND(r) (r).a1
#define RESULT(r) (r).a0
#define STACK(r) (r).sp
#define COUNTER(r) (r).pc
#elif defined(__aarch64__)
typedef struct user_regs_struct registers;
enum { FLOAT_SIZE = 528, AUDIT = 0xb7 };
#define NUMBER(r) (r).regs[8]
#define FIRST(r) (r).regs[0]
#define SECOND(r) (r).regs[1]
#define RESULT(r) (r).regs[0]
#define STACK(r) (r).sp
#define COUNTER(r) (r).pc
#else
typedef struct user_regs_struct registers;
enum { FLOAT_SIZE = 512, AUDIT = 0x3e };
#define NUMBER(r) (r).orig_rax
#define FIRST(r) (r).rdi
#define SECOND(r) (r).rsi
#define RESULT(r) (r).rax
#define STACK(r) (r).rsp
#define COUNTER(r) (r).rip
#endif

/* struct ptrace_syscall_info. */
struct information {
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t counter, stack;
    union { struct { uint64_t number, arguments[6]; } entry; struct { int64_t value; uint8_t is_error; } exit; };
};

static registers get(pid_t child)
{
    registers set;
    memset(&set, 0x55, sizeof set);
    struct iovec vector = { &set, sizeof set };
    if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &vector))
        die("PTRACE_GETREGSET");
    if (vector.iov_len != sizeof set)
        printf("NT_PRSTATUS has %zu bytes, not %zu\n", vector.iov_len, sizeof set);
    return set;
}

static void put(pid_t child, registers set)
{
    struct iovec vector = { &set, sizeof set };
    if (ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &vector))
        die("PTRACE_SETREGSET");
}

static int next(pid_t child, int request)
{
    int status;
    if (ptrace(request, child, 0, 0) || waitpid(child, &status, 0) != child)
        die("next");
    return status;
}

/* On to the stop at the next call of that number. */
static void at_call(pid_t child, long number)
{
    do {
        int status = next(child, PTRACE_SYSCALL);
        if (!WIFSTOPPED(status)) {
            printf("ended early, %x\n", status);
            exit(1);
        }
    } while (NUMBER(get(child)) != (unsigned long)number);
}

static void on_alarm(int number) { }

static long say(const char *text) { return syscall(SYS_write, 1, text, strlen(text)); }

static void child(void)
{
    signal(SIGUSR1, on_alarm);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    SHOW(syscall(SYS_close, 4242));
    say("one\n");
    say("two\n");
    int ends[2];
    char byte;
    if (pipe2(ends, 0))
        _exit(2);
    kill(getpid(), SIGUSR1);
    volatile double numbers[4] = { 1.5, 2.5, 3.5, 4.5 };
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += numbers[i];
    printf("sum %g\n", sum);
    fflush(stdout);
    _exit(7);
}

static void information(pid_t child, const char *where)
{
    struct information told;
    memset(&told, 0, sizeof told);
    long size = ptrace(0x420e, child, sizeof told, &told);
    registers set = get(child);
    printf("%s: op %d, %ld bytes, machine %s, counter %s, stack %s\n", where, told.op, size, (told.arch & 0xff) == AUDIT && told.arch >> 24 == 0xc0 ? "right" : "wrong",
        told.counter == COUNTER(set) ? "right" : "wrong", told.stack == STACK(set) ? "right" : "wrong");
    if (told.op == 1)
        printf("  call %s, arguments %s\n", told.entry.number == NUMBER(set) ? "right" : "wrong", told.entry.arguments[1] == SECOND(set) ? "right" : "wrong");
    else if (told.op == 2)
        printf("  value %ld, error %d, register %s\n", (long)told.exit.value, told.exit.is_error, (long)RESULT(set) == told.exit.value ? "right" : "wrong");
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
    pid_t traced = fork();
    if (!traced)
        child();
    int status;
    waitpid(traced, &status, 0);
    printf("stopped by %d\n", WSTOPSIG(status));
    SHOW(ptrace(PTRACE_SETOPTIONS, traced, 0, PTRACE_O_TRACESYSGOOD));
    information(traced, "at a signal");

    at_call(traced, SYS_close);
    information(traced, "at the entry");
    printf("close of %ld\n", (long)FIRST(get(traced)));
    next(traced, PTRACE_SYSCALL);
    information(traced, "at the end");

    /* The second argument is changed at the entry, the result at the end. */
    at_call(traced, SYS_write);
    while (FIRST(get(traced)) != 1 || ({ errno = 0; long word = ptrace(PTRACE_PEEKDATA, traced, SECOND(get(traced)), 0); memcmp(&word, "one\n", 4); })) {
        next(traced, PTRACE_SYSCALL);
        at_call(traced, SYS_write);
    }
    registers set = get(traced);
    SECOND(set) += 1;
    put(traced, set);
    next(traced, PTRACE_SYSCALL);
    set = get(traced);
    printf("wrote %ld\n", (long)RESULT(set));
    RESULT(set) = 77;
    put(traced, set);
    printf("now %ld\n", (long)RESULT(get(traced)));

    /* The floating-point set, by its size; written back as it is it changes nothing. */
    unsigned char floats[1024];
    struct iovec vector = { floats, sizeof floats };
    SHOW(ptrace(PTRACE_GETREGSET, traced, NT_PRFPREG, &vector));
    printf("its size is %s\n", vector.iov_len == FLOAT_SIZE ? "right" : "wrong");
    SHOW(ptrace(PTRACE_SETREGSET, traced, NT_PRFPREG, &vector));
    vector.iov_len = 16;
    SHOW(ptrace(PTRACE_GETREGSET, traced, NT_PRSTATUS, &vector));
    printf("%zu bytes\n", vector.iov_len);
    SHOW(ptrace(PTRACE_GETREGSET, traced, 4242, &vector));

    do {
        status = next(traced, PTRACE_CONT);
        if (WIFSTOPPED(status))
            printf("stopped by %d\n", WSTOPSIG(status));
    } while (WIFSTOPPED(status));
    printf("exit code %d\n", WEXITSTATUS(status));
    return 0;
}
