// Filters on system calls: strict mode, programs and what they return, inheritance, errors; restartable sequences.
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "check.h"

static void inChild(const char *what, void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        body();
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("%s: %s %d\n", what, WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static long install(unsigned count, struct sock_filter *program, unsigned flags)
{
    struct sock_fprog filter = { count, program };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

// One call gets an action, all others pass.
static long restrictCall(int number, unsigned action)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install(sizeof program / sizeof program[0], program, 0);
}

static void strict(void)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0 || write(1, "strict\n", 7) != 7)
        syscall(SYS_exit, 9);
    syscall(SYS_exit, 5);
}

static void strictKills(void)
{
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    syscall(SYS_getpid);
}

static void errors(void)
{
    struct sock_filter none[1], wild[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter odd[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter endless[] = { BPF_JUMP(BPF_JMP | BPF_JA, 5, 0, 0), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter noReturn[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0) };
    struct sock_filter bytes[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter unset[] = { BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter divides[] = { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter remainder[] = { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), BPF_STMT(BPF_RET | BPF_A, 0) };
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(syscall(SYS_seccomp, 99, 0, NULL));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
    SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1 << 20, NULL));
    SHOW(prctl(PR_SET_SECCOMP, 7, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(install(0, none, 0));
    SHOW(install(1, (void *)8, 0));
    SHOW(install(2, wild, 0));
    SHOW(install(2, odd, 0));
    SHOW(install(2, endless, 0));
    SHOW(install(1, noReturn, 0));
    SHOW(install(2, bytes, 0));
    SHOW(install(2, unset, 0));
    SHOW(install(2, divides, 0));
    SHOW(install(2, remainder, 0));
    unsigned action = SECCOMP_RET_TRAP;
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    action = 0x12340000;
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action));
    struct seccomp_notif_sizes sizes;
    SHOW(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
    printf("%d %d %d\n", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
}

static void unprivileged(void)
{
    if (setresuid(65534, 65534, 65534) != 0)
        die("setresuid");
    SHOW(restrictCall(SYS_getppid, SECCOMP_RET_ERRNO | 99));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(restrictCall(SYS_getppid, SECCOMP_RET_ERRNO | EADDRINUSE));
    SHOW(syscall(SYS_getppid));
    SHOW(prctl(PR_GET_SECCOMP));
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    // Both programs run; the more restrictive holds.
    SHOW(restrictCall(SYS_getppid, SECCOMP_RET_ALLOW));
    SHOW(syscall(SYS_getppid));
    SHOW(restrictCall(SYS_getpgid, SECCOMP_RET_ERRNO | 0));
    SHOW(syscall(SYS_getpgid, -5));
    SHOW(restrictCall(SYS_getsid, SECCOMP_RET_ERRNO | 60000));
    printf("large error %ld\n", syscall(SYS_getsid, 0) == -1 ? (long)errno : syscall(SYS_getsid, 0));
    SHOW(restrictCall(SYS_getpgrp, SECCOMP_RET_TRACE));
    SHOW(syscall(SYS_getpgrp));
    SHOW(restrictCall(SYS_getuid, SECCOMP_RET_LOG));
    SHOW(syscall(SYS_getuid));
    fflush(stdout);
    if (fork() == 0) {
        SHOW(syscall(SYS_getppid));
        _exit(0);
    }
    wait(NULL);
}

static void arguments(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    // dup's argument: by its sum and its bits, through memory and the index register.
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_STMT(BPF_ST, 2),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_MEM, 2),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
        BPF_STMT(BPF_ALU | BPF_NEG, 0),
        BPF_STMT(BPF_ALU | BPF_NEG, 0),
        BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_X, 0, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | E2BIG),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1000, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ERANGE),
        BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    SHOW(install(sizeof program / sizeof program[0], program, 0));
    for (int i = 0; i < 60; i += 7)
        SHOW(syscall(SYS_dup, i));
    SHOW(syscall(SYS_dup, 3000));
}

static void onBadCall(int signal, siginfo_t *info, void *context)
{
    printf("signal %d code %d error %d call %d architecture %x\n", signal, info->si_code, info->si_errno, info->si_syscall, info->si_arch);
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 4321;
}

static void traps(void)
{
    struct sigaction action = { .sa_sigaction = onBadCall, .sa_flags = SA_SIGINFO };
    sigaction(SIGSYS, &action, NULL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    SHOW(restrictCall(SYS_getppid, SECCOMP_RET_TRAP | 7));
    SHOW(syscall(SYS_getppid));
}

static void trapKills(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    restrictCall(SYS_getppid, SECCOMP_RET_TRAP);
    syscall(SYS_getppid);
}

static void killsProcess(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    restrictCall(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
    syscall(SYS_getppid);
}

static void *calls(void *argument)
{
    syscall(SYS_getppid);
    return argument;
}

static void *restricted(void *argument)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    restrictCall(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
    return calls(argument);
}

static void killsFromThread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, restricted, NULL);
    pthread_join(thread, NULL);
    printf("not reached\n");
}

static void synchronizes(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENODATA),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    SHOW(install(4, program, SECCOMP_FILTER_FLAG_TSYNC));
    SHOW(syscall(SYS_getppid));
}

static void sequences(void)
{
    static struct rseq area __attribute__((aligned(32)));
    printf("registered by the library %d\n", __rseq_size > 0);
    struct rseq *own = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    printf("processor known %d\n", (int)own->cpu_id >= 0 && own->cpu_id_start == own->cpu_id);
    SHOW(syscall(SYS_rseq, &area, 32, 0, 0x53053053));
    SHOW(syscall(SYS_rseq, own, 32, 0, 0x53053053));
    SHOW(syscall(SYS_rseq, own, 32, 0, 1));
    SHOW(syscall(SYS_rseq, &area, 32, 1, 0x53053053));
    SHOW(syscall(SYS_rseq, own, 32, 1, 1));
    SHOW(syscall(SYS_rseq, own, 32, 1, 0x53053053));
    printf("unknown again %d\n", (int)own->cpu_id);
    SHOW(syscall(SYS_rseq, own, 32, 1, 0x53053053));
    SHOW(syscall(SYS_rseq, (char *)&area + 8, 32, 0, 0x53053053));
    SHOW(syscall(SYS_rseq, &area, 16, 0, 0x53053053));
    SHOW(syscall(SYS_rseq, &area, 32, 4, 0x53053053));
    SHOW(syscall(SYS_rseq, &area, 32, 0, 0x53053053));
    printf("processor known %d\n", (int)area.cpu_id >= 0);
}

static struct rseq aborts __attribute__((aligned(32)));
static struct { uint32_t version, flags; uint64_t start, length, handler; } section __attribute__((aligned(32)));

static void onInterrupt(int signal)
{
    (void)signal;
}

// A loop inside an announced sequence that only an abort leaves.
static void abortsSequence(void)
{
    struct rseq *own = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    syscall(SYS_rseq, own, 32, 1, 0x53053053);
    SHOW(syscall(SYS_rseq, &aborts, 32, 0, 0x53053053));
    signal(SIGALRM, onInterrupt);
    // Again and again: one that came before the sequence began would not abort it.
    ualarm(20000, 20000);
    int left = 0;
    __asm__ volatile(
        "lea 1f(%%rip), %%rax\n\t"
        "mov %%rax, 8(%[section])\n\t"
        "lea 2f(%%rip), %%rcx\n\t"
        "sub %%rax, %%rcx\n\t"
        "mov %%rcx, 16(%[section])\n\t"
        "lea 4f(%%rip), %%rcx\n\t"
        "mov %%rcx, 24(%[section])\n\t"
        "mov %[section], 8(%[area])\n\t"
        "1: pause\n\t"
        "jmp 1b\n\t"
        "2: jmp 5f\n\t"
        ".byte 0x0f, 0xb9, 0x3d\n\t"
        ".long 0x53053053\n\t"
        "4: movl $1, %[left]\n\t"
        "5:\n\t"
        : [left] "+m"(left)
        : [section] "r"(&section), [area] "r"(&aborts)
        : "rax", "rcx", "memory", "cc");
    printf("aborted %d, announced %d\n", left, aborts.rseq_cs != 0);
}

int main(void)
{
    inChild("strict", strict);
    inChild("strict kills", strictKills);
    inChild("errors", errors);
    inChild("unprivileged", unprivileged);
    inChild("arguments", arguments);
    inChild("traps", traps);
    inChild("trap without handler", trapKills);
    inChild("kills process", killsProcess);
    inChild("kills from thread", killsFromThread);
    inChild("synchronizes", synchronizes);
    inChild("sequences", sequences);
    inChild("aborted sequence", abortsSequence);
    return 0;
}
