// Register sets that tracers of arm64 programs have beside the general and the floating-point one (arch/arm64/kernel/ptrace.c): the thread register, the
// number of a call, registers for breakpoints, of which there are none here, and sets of what an ARMv8.0 has not. Single steps. Built for another processor
// it prints what is expected, for comparison.
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

#ifdef __aarch64__
static pid_t traced;

static long get(int type, void *set, size_t *size)
{
    struct iovec vector = { set, *size };
    long result = ptrace(PTRACE_GETREGSET, traced, type, &vector);
    *size = vector.iov_len;
    return result;
}

static long put(int type, void *set, size_t size)
{
    struct iovec vector = { set, size };
    return ptrace(PTRACE_SETREGSET, traced, type, &vector);
}

static void next(int request)
{
    int status;
    if (ptrace(request, traced, 0, 0) || waitpid(traced, &status, 0) != traced)
        die("next");
}

static int number(void)
{
    int set = 4242;
    size_t size = sizeof set;
    if (get(0x404, &set, &size) || size != sizeof set)
        die("NT_ARM_SYSTEM_CALL");
    return set;
}

static void child(void)
{
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    long own = getpid(), answer = syscall(SYS_close, 4242);
    printf("another call's result %s\n", answer == own ? "came" : "did not come");
    printf("no call's %ld\n", syscall(SYS_close, 4242));
    fflush(stdout);
    raise(SIGUSR1);
    _exit(7);
}

static void toEntry(int wanted)
{
    do
        next(PTRACE_SYSCALL);
    while (number() != wanted);
}
#endif

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
#ifdef __aarch64__
    traced = fork();
    if (!traced)
        child();
    int status;
    waitpid(traced, &status, 0);
    ptrace(PTRACE_SETOPTIONS, traced, 0, PTRACE_O_TRACESYSGOOD);
    printf("at a signal: call %d\n", number());

    uint64_t words[2] = { 1, 1 };
    size_t size = sizeof words;
    long result = get(0x401, words, &size);
    printf("thread register: %ld, %zu bytes, %s, %lu\n", result, size, words[0] == (uint64_t)__builtin_thread_pointer() ? "the child's" : "another", (unsigned long)words[1]);
    uint64_t kept = words[0];
    words[0] = 0x1234;
    result = put(0x401, words, 8);
    words[0] = 0;
    size = 8;
    get(0x401, words, &size);
    printf("set: %ld, %#lx\n", result, (unsigned long)words[0]);
    put(0x401, &kept, 8);

    struct { uint32_t info, pad; struct { uint64_t address; uint32_t control, pad; } registers[16]; } debug;
    for (int type = 0x402; type <= 0x403; type++) {
        size = sizeof debug;
        memset(&debug, 0x55, sizeof debug);
        result = get(type, &debug, &size);
        uint64_t any = 0;
        for (int i = 0; i < 16; i++)
            any |= debug.registers[i].address | debug.registers[i].control;
        printf("debug set %#x: %ld, %zu bytes, version %u, %u registers, %lu\n", type, result, size, debug.info >> 8, debug.info & 0xff, (unsigned long)any);
        SHOW(put(type, &debug, 8));
        SHOW(put(type, &debug, 24));
    }
    static const int absent[] = { 0x405, 0x406, 0x407, 0x409, 0x40a, 0x40b, 0x40c };
    for (int i = 0; i < 7; i++) {
        size = 8;
        SHOW(get(absent[i], words, &size));
    }
    unsigned char floats[12];
    size = sizeof floats;
    SHOW(get(NT_PRFPREG, floats, &size));
    SHOW(get(NT_PRSTATUS, floats, &size));
    size = 6;
    SHOW(get(0x404, floats, &size));

    struct user_regs_struct before, after;
    size = sizeof before;
    get(NT_PRSTATUS, &before, &size);
    siginfo_t told;
    ptrace(PTRACE_SINGLESTEP, traced, 0, 0);
    waitpid(traced, &status, 0);
    ptrace(PTRACE_GETSIGINFO, traced, 0, &told);
    get(NT_PRSTATUS, &after, &size);
    printf("a step: signal %d code %d, %ld bytes on\n", WSTOPSIG(status), told.si_code, (long)(after.pc - before.pc));

    toEntry(SYS_close);
    printf("at the entry: call %d\n", number() == SYS_close);
    int other = SYS_getpid;
    SHOW(put(0x404, &other, sizeof other));
    printf("now another %d\n", number() == SYS_getpid);
    next(PTRACE_SYSCALL);
    printf("at the end: call %d\n", number() == SYS_getpid);

    toEntry(SYS_close);
    other = -1;
    put(0x404, &other, sizeof other);
    next(PTRACE_SYSCALL);
    size = sizeof before;
    get(NT_PRSTATUS, &before, &size);
    before.regs[0] = 55;
    put(NT_PRSTATUS, &before, sizeof before);
    do {
        ptrace(PTRACE_CONT, traced, 0, 0);
        waitpid(traced, &status, 0);
        if (WIFSTOPPED(status))
            printf("stopped by %d, call %d\n", WSTOPSIG(status), number());
    } while (WIFSTOPPED(status) && WSTOPSIG(status) != SIGUSR1);
    ptrace(PTRACE_DETACH, traced, 0, 0);
    waitpid(traced, &status, 0);
    printf("exit code %d\n", WEXITSTATUS(status));
#else
    puts("at a signal: call -1\nthread register: 0, 16 bytes, the child's, 0\nset: 0, 0x1234");
    for (int type = 0x402; type <= 0x403; type++)
        printf("debug set %#x: 0, 264 bytes, version 6, 0 registers, 0\nput(type, &debug, 8) = 0\nput(type, &debug, 24) = -1 ENOSPC\n", type);
    for (int i = 0; i < 7; i++)
        puts("get(absent[i], words, &size) = -1 EINVAL");
    puts("get(NT_PRFPREG, floats, &size) = 0\nget(NT_PRSTATUS, floats, &size) = -1 EINVAL\nget(0x404, floats, &size) = -1 EINVAL");
    puts("a step: signal 5 code 2, 4 bytes on\nat the entry: call 1\nput(0x404, &other, sizeof other) = 0\nnow another 1\nat the end: call 1");
    puts("another call's result came\nno call's 55\nstopped by 10, call -1\nexit code 7");
#endif
    return 0;
}
