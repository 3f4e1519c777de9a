// Calls that a filter leaves to a tracer (SECCOMP_RET_TRACE, PTRACE_O_TRACESECCOMP): let go on, made none with a result or an error, made another call, and
// what a filter of another sort says to that. The same on every processor.
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#ifndef __x86_64__
#include <asm/ptrace.h>
#endif

#if defined(__riscv)
enum { MACHINE = AUDIT_ARCH_RISCV64 };
#define NUMBER(r) (r).a7
#define RESULT(r) (r).a0
#elif defined(__aarch64__)
enum { MACHINE = AUDIT_ARCH_AARCH64 };
#define NUMBER(r) (r).regs[8]
#define RESULT(r) (r).regs[0]
#else
enum { MACHINE = AUDIT_ARCH_X86_64 };
#define NUMBER(r) (r).orig_rax
#define RESULT(r) (r).rax
#endif

static pid_t traced;

static long filter(int number, unsigned action)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { 4, program };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

static void tell(const char *what, long result) { printf("%s: %s\n", what, result == -1 ? strerrorname_np(errno) : result == getpid() ? "own id" : result == getppid() ? "parent's" : result == 4711 ? "4711" : "other"); }

static void child(void)
{
    // The library may well ask getpgid of its own.
    pid_t group = getpgrp();
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    SHOW(filter(SYS_getpgid, SECCOMP_RET_TRACE | 7));
    SHOW(filter(SYS_getsid, SECCOMP_RET_TRACE | 0xfffe));
    SHOW(filter(SYS_geteuid, SECCOMP_RET_ERRNO | EXDEV));
    tell("let go on", syscall(SYS_getpgid, 0) == group ? 4711 : 1);
    tell("given a result", syscall(SYS_getpgid, 0));
    tell("given an error", syscall(SYS_getpgid, 0));
    tell("made another", syscall(SYS_getsid, 0));
    tell("made one that fails", syscall(SYS_getsid, 0));
    tell("followed to its end", syscall(SYS_getpgid, -1));
    raise(SIGUSR2);
    tell("nobody asks", syscall(SYS_getpgid, 0));
    fflush(stdout);
    _exit(3);
}

// To the next stop, which is told.
static int next(int request)
{
    int status;
    if (ptrace(request, traced, 0, 0) || waitpid(traced, &status, 0) != traced)
        die("next");
    if (!WIFSTOPPED(status)) {
        printf("tracer: ended by %x\n", status);
        return status;
    }
    struct { uint8_t op, pad[3]; uint32_t machine; uint64_t counter, stack, number, arguments[6]; uint32_t data; } told;
    memset(&told, 0, sizeof told);
    long size = ptrace(0x420e, traced, sizeof told, &told);
    unsigned long message = 0;
    ptrace(PTRACE_GETEVENTMSG, traced, 0, &message);
    printf("tracer: stop %x", status >> 8);
    if (status >> 16)
        printf(", message %lx, op %d of %ld bytes, machine %d, call %s, data %x", message, told.op, size, told.machine == MACHINE,
            told.number == SYS_getpgid ? "getpgid" : told.number == SYS_getsid ? "getsid" : "another", told.data);
    printf("\n");
    return status;
}

static struct user_regs_struct get(void)
{
    struct user_regs_struct set;
    struct iovec vector = { &set, sizeof set };
    if (ptrace(PTRACE_GETREGSET, traced, NT_PRSTATUS, &vector))
        die("PTRACE_GETREGSET");
    return set;
}

static void put(struct user_regs_struct set)
{
    struct iovec vector = { &set, sizeof set };
    if (ptrace(PTRACE_SETREGSET, traced, NT_PRSTATUS, &vector))
        die("PTRACE_SETREGSET");
}

static void become(int number, const long *result)
{
    struct user_regs_struct set = get();
    NUMBER(set) = number;
    if (result)
        RESULT(set) = *result;
    put(set);
#ifdef __aarch64__
    struct iovec vector = { &number, sizeof number };
    ptrace(PTRACE_SETREGSET, traced, 0x404, &vector);
#endif
}

int main(void)
{
    setvbuf(stdout, 0, _IONBF, 0);
    traced = fork();
    if (!traced)
        child();
    int status;
    waitpid(traced, &status, 0);
    SHOW(ptrace(PTRACE_SETOPTIONS, traced, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP));
    next(PTRACE_CONT);
    next(PTRACE_CONT);
    become(-1, &(long){ 4711 });
    next(PTRACE_CONT);
    become(-1, &(long){ -EPERM });
    next(PTRACE_CONT);
    become(SYS_getpid, 0);
    next(PTRACE_CONT);
    become(SYS_geteuid, 0);
    // From there on to the end of that call, and no further beginning in between.
    next(PTRACE_CONT);
    next(PTRACE_SYSCALL);
    printf("tracer: result %ld\n", (long)RESULT(get()));
    while (WIFSTOPPED(status) && WSTOPSIG(status) != SIGUSR2)
        status = next(PTRACE_CONT);
    SHOW(ptrace(PTRACE_SETOPTIONS, traced, 0, PTRACE_O_TRACESYSGOOD));
    while (WIFSTOPPED(status))
        status = next(PTRACE_CONT);
    return 0;
}
