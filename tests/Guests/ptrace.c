// Tracing: calls with their entry and exit, a signal that the tracer swallows, the event at the end, single steps, memory and registers.
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include "check.h"

static volatile long marker = 0x1234;

static pid_t start(void (*work)(void))
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        work();
        _exit(7);
    }
    int status;
    waitpid(child, &status, 0);
    printf("stopped %x\n", status);
    fflush(stdout);
    return child;
}

static void calls(void)
{
    getppid();
    write(-1, "", 0);
    raise(SIGUSR1);
    // Numbers that no call of x86-64 has; some are calls elsewhere.
    syscall(4354, 0, 0, 0, 0, 0);
    syscall(0x1804, 1, "no call\n", 8);
    syscall(-5L);
}

static void follow(void)
{
    int status;
    struct user_regs_struct registers;
    pid_t child = start(calls);
    SHOW(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT));
    for (;;) {
        ptrace(PTRACE_SYSCALL, child, 0, 0);
        if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
            break;
        ptrace(PTRACE_GETREGS, child, 0, &registers);
        printf("%x call %lld\n", status, (long long)registers.orig_rax);
    }
    printf("ended %x\n", status);
}

static void wait_here(void)
{
    for (volatile int i = 0; i < 5; i++)
        ;
}

static void step(void)
{
    int status, steps = 0;
    pid_t child = start(wait_here);
    errno = 0;
    printf("marker %lx\n", ptrace(PTRACE_PEEKDATA, child, &marker, 0));
    SHOW(ptrace(PTRACE_POKEDATA, child, &marker, 0x5678));
    printf("marker %lx, here %lx\n", ptrace(PTRACE_PEEKDATA, child, &marker, 0), marker);
    for (; steps < 30; steps++) {
        ptrace(PTRACE_SINGLESTEP, child, 0, 0);
        waitpid(child, &status, 0);
        if (status != 0x57F)
            break;
    }
    printf("%d steps, %x\n", steps, status);
    SHOW(ptrace(PTRACE_PEEKDATA, child, 8, 0));
    SHOW(ptrace(PTRACE_CONT, child, 0, 0));
    waitpid(child, &status, 0);
    printf("ended %x\n", status);
    SHOW(ptrace(PTRACE_CONT, child, 0, 0));
}

int main(void)
{
    follow();
    step();
    return 0;
}
