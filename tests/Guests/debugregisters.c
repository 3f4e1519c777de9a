// Debug registers through ptrace: what may be set, and which accesses and instructions stop a thread.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include "check.h"

static _Alignas(64) struct { volatile char before[8]; volatile long watched; volatile char after[64]; } area;
static volatile int runs;

__attribute__((noinline)) static void marked(void) { runs++; }

static void work(void)
{
    area.watched = 1;
    area.watched = 1;
    (void)area.watched;
    area.before[7] = 1;
    area.after[0] = 2;
    ((volatile char *)&area.watched)[7] = 3;
    *(volatile int *)((char *)&area.watched + 4) += 1;
    char *start = (char *)area.before, *place = start;
    long count = sizeof area;
    __asm__ volatile("rep stosb" : "+D"(place), "+c"(count) : "a"(0) : "memory");
    place = start + sizeof area - 8, count = sizeof area / 8;
    __asm__ volatile("std; rep stosq; cld" : "+D"(place), "+c"(count) : "a"(5) : "memory");
    __asm__ volatile("lock cmpxchgq %1, (%0)" : : "r"(&area.watched), "r"(9L), "a"(7L) : "memory");
    __asm__ volatile("pxor %%xmm0, %%xmm0; movdqu %%xmm0, (%0)" : : "r"(start + 1) : "memory", "xmm0");
    lseek(-1, 0, 0);
    pipe((int *)&area.watched);
    marked();
    marked();
}

static pid_t start(void)
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        work();
        _exit(7);
    }
    waitpid(child, NULL, 0);
    return child;
}

static long set(pid_t child, int number, unsigned long value)
{
    return ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg) + number * 8, value);
}

static unsigned long get(pid_t child, int number)
{
    errno = 0;
    return ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg) + number * 8, 0);
}

static void follow(const char *name, void *address, unsigned long control)
{
    int status, stops = 0, codes = 0;
    siginfo_t info;
    struct user_regs_struct registers;
    pid_t child = start();
    set(child, 0, (unsigned long)address);
    show(name, set(child, 7, control));
    for (;; stops++) {
        ptrace(PTRACE_CONT, child, 0, 0);
        if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
            break;
        ptrace(PTRACE_GETSIGINFO, child, 0, &info);
        ptrace(PTRACE_GETREGS, child, 0, &registers);
        printf("stop %x, code %d, here %d, DR6 %lx, RF %llx, watched %lx, left %s\n", status, info.si_code, info.si_addr == (void *)registers.rip, get(child, 6), registers.eflags & 0x10000,
            ptrace(PTRACE_PEEKDATA, child, &area.watched, 0), registers.rcx < 64 ? "some" : "none");
        set(child, 6, 0);
    }
    printf("%d stops, ended %x\n", stops, status);
    fflush(stdout);
}

static void limits(void)
{
    pid_t child = start();
    printf("DR6 %lx DR7 %lx\n", get(child, 6), get(child, 7));
    SHOW(set(child, 0, 0x800000000000));
    SHOW(set(child, 0, 0x1001));
    SHOW(set(child, 7, 1 | 1 << 16 | 1 << 18));
    SHOW(set(child, 7, 1 | 1 << 16));
    SHOW(set(child, 7, 1 | 2 << 16));
    SHOW(set(child, 7, 1 | 1 << 18));
    SHOW(set(child, 7, 0xFFFFUL << 32 | 0xFF00 | 1 << 2 | 1 << 20));
    printf("DR0 %lx DR4 %lx DR7 %lx\n", get(child, 0), get(child, 4), get(child, 7));
    SHOW(set(child, 4, 1));
    SHOW(set(child, 6, 0x1234));
    printf("DR6 %lx\n", get(child, 6));
    SHOW(set(child, 7, 0));
    ptrace(PTRACE_SINGLESTEP, child, 0, 0);
    waitpid(child, NULL, 0);
    printf("DR6 %lx\n", get(child, 6));
    ptrace(PTRACE_KILL, child, 0, 0);
    waitpid(child, NULL, 0);
}

static void memory(void)
{
    char name[64];
    long value = 0x1122334455667788;
    pid_t child = start();
    snprintf(name, sizeof name, "/proc/%d/mem", child);
    int file = open(name, O_RDWR);
    printf("opened %d\n", file >= 0);
    SHOW(pwrite(file, &value, 8, (off_t)&area.watched));
    value = 0;
    SHOW(pread(file, &value, 8, (off_t)&area.watched));
    printf("%lx, here %lx\n", value, area.watched);
    SHOW(pread(file, &value, 8, 16));
    SHOW(pwrite(file, &value, 8, 16));
    SHOW(pwrite(file, "\xCC", 1, (off_t)&marked));
    SHOW(lseek(file, (off_t)&area.watched, SEEK_SET) == (off_t)&area.watched);
    SHOW(read(file, &value, 4));
    SHOW(lseek(file, 0, SEEK_CUR) == (off_t)&area.watched + 4);
    SHOW(lseek(file, 0, SEEK_END));
    int status;
    ptrace(PTRACE_CONT, child, 0, 0);
    waitpid(child, &status, 0);
    printf("breakpoint %x\n", status);
    SHOW(read(file, &value, 0));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    SHOW(pread(file, &value, 8, (off_t)&area.watched));
    close(file);
    file = open("/proc/self/mem", O_RDONLY);
    area.watched = 77;
    SHOW(pread(file, &value, 8, (off_t)&area.watched));
    printf("%ld\n", value);
    SHOW(pwrite(file, &value, 8, (off_t)&area.watched));
    close(file);
}

int main(void)
{
    limits();
    follow("writes of 8", (void *)&area.watched, 1 | 1 << 16 | 2 << 18);
    follow("accesses of 8", (void *)&area.watched, 1 | 3 << 16 | 2 << 18);
    follow("writes of 1", (char *)&area.watched + 7, 1 | 1 << 16);
    follow("writes of 4", (char *)&area.watched + 4, 2 >> 1 | 1 << 16 | 3 << 18);
    follow("execution", (void *)marked, 1);
    memory();
    SHOW(personality(0xffffffff));
    SHOW(personality(ADDR_NO_RANDOMIZE));
    if (fork() == 0) {
        SHOW(personality(0xffffffff));
        _exit(0);
    }
    wait(NULL);
    SHOW(personality(0));
    return 0;
}
