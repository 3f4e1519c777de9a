// I/O ports (iopl(2), ioperm(2)) and the time stamp counter that may not be read (PR_SET_TSC). Where a kernel has no ports, as many have not,
// that part is left out: what it prints there is what it prints when all is as the manual pages say.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/io.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <x86intrin.h>
#include "check.h"

static sigjmp_buf back;
static siginfo_t fault;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)sig, (void)context;
    fault = *info;
    siglongjmp(back, 1);
}

#define FAULTS(action) ({ int faulted = sigsetjmp(back, 1); if (!faulted) { action; } faulted; })

static void require(int condition, int line)
{
    if (!condition)
        printf("line %d: not as expected, errno %s\n", line, strerrorname_np(errno));
}

#define REQUIRE(condition) require(condition, __LINE__)

static int fails(int result, int error)
{
    return result == -1 && errno == error;
}

static int child(void (*body)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
    {
        body();
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return status;
}

static void inherited(void)
{
    REQUIRE(inb(0x80) == 0xFF);
    REQUIRE(FAULTS(inb(0x83)));
    setuid(1);
    REQUIRE(fails(ioperm(0x90, 1, 1), EPERM));
    REQUIRE(fails(iopl(3), EPERM));
    REQUIRE(iopl(0) == 0);
    REQUIRE(ioperm(0x80, 1, 0) == 0);
    REQUIRE(FAULTS(inb(0x80)));
    REQUIRE(inb(0x81) == 0xFF);
}

static void ports(void)
{
    REQUIRE(FAULTS(inb(0x80)) && fault.si_signo == SIGSEGV && fault.si_code == SI_KERNEL && fault.si_addr == NULL);
    REQUIRE(FAULTS(outb(1, 0x80)));
    REQUIRE(FAULTS(__asm__ volatile("cli")));
    REQUIRE(fails(ioperm(65535, 2, 1), EINVAL));
    REQUIRE(fails(ioperm(3, 0, 1), EINVAL));
    REQUIRE(fails(ioperm(-1, 2, 1), EINVAL));
    REQUIRE(ioperm(0x80, 3, 1) == 0);
    REQUIRE(inb(0x80) == 0xFF && inb(0x82) == 0xFF && inw(0x80) == 0xFFFF);
    outb(3, 0x81);
    outw(3, 0x81);
    REQUIRE(FAULTS(inw(0x82)));
    REQUIRE(FAULTS(inl(0x80)));
    unsigned long value = 0x1122334455667788;
    __asm__ volatile("inb $0x80, %%al" : "+a"(value));
    REQUIRE(value == 0x11223344556677FF);
    REQUIRE(ioperm(0x80, 4, 1) == 0);
    __asm__ volatile("inl $0x80, %%eax" : "+a"(value));
    REQUIRE(value == 0xFFFFFFFF);
    REQUIRE(ioperm(0x83, 1, 0) == 0);
    REQUIRE(child(inherited) == 0);
    REQUIRE(inb(0x80) == 0xFF);
    REQUIRE(fails(iopl(4), EINVAL));
    REQUIRE(iopl(2) == 0);
    REQUIRE(FAULTS(inb(0x83)));
    REQUIRE(iopl(3) == 0);
    REQUIRE(inb(0x83) == 0xFF && inb(0xFFFF) == 0xFF);
    REQUIRE(FAULTS(inw(0xFFFF)));
    __asm__ volatile("cli; sti");
    REQUIRE(iopl(0) == 0);
    REQUIRE(FAULTS(inb(0x83)) && !FAULTS(inb(0x80)));
}

static void counter(void)
{
    int mode = 0;
    SHOW(prctl(PR_SET_TSC, 3));
    SHOW(prctl(PR_GET_TSC, 1));
    unsigned long before = __rdtsc();
    SHOW(__rdtsc() >= before);
    SHOW(prctl(PR_SET_TSC, PR_TSC_SIGSEGV));
    SHOW(prctl(PR_GET_TSC, &mode));
    printf("mode %d\n", mode);
    unsigned processor;
    SHOW(FAULTS(__rdtsc()));
    printf("%d %d %p\n", fault.si_signo, fault.si_code, fault.si_addr);
    SHOW(FAULTS(__rdtscp(&processor)));
    SHOW(prctl(PR_SET_TSC, PR_TSC_ENABLE));
    SHOW(FAULTS(__rdtsc()));
}

static void dies(void)
{
    signal(SIGSEGV, SIG_DFL);
    prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
    __rdtsc();
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    if (iopl(0) == 0 && geteuid() == 0)
        ports();
    puts("ports");
    counter();
    printf("killed by %d\n", child(dies) & 0x7F);
}
