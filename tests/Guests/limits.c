// Limits that bite: descriptors, processes, file size, processor time, address space, data, stack, locked memory, signals, priorities.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static void limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit value = { soft, hard };
    if (setrlimit(resource, &value) != 0)
        printf("setrlimit %d: %s\n", resource, strerrorname_np(errno));
}

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

static void setting(void)
{
    struct rlimit value;
    limit(RLIMIT_NOFILE, 50, 40);
    limit(RLIMIT_NOFILE, 20, 40);
    getrlimit(RLIMIT_NOFILE, &value);
    printf("%ld %ld\n", (long)value.rlim_cur, (long)value.rlim_max);
    SHOW(getrlimit(99, &value));
    SHOW(syscall(SYS_prlimit64, 0, RLIMIT_CORE, NULL, NULL));
    SHOW(syscall(SYS_prlimit64, 999999, RLIMIT_CORE, NULL, NULL));
    SHOW(setuid(65534));
    limit(RLIMIT_NOFILE, 20, 41);
    limit(RLIMIT_NOFILE, 40, 40);
    SHOW(syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, NULL, &value));
}

static void descriptors(void)
{
    limit(RLIMIT_NOFILE, 8, 8);
    int last = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    printf("last %d then %s\n", last, strerrorname_np(errno));
    SHOW(dup2(0, 8));
    SHOW(fcntl(0, F_DUPFD, 8));
}

static void processes(void)
{
    SHOW(setresuid(64001, 64001, 64001));
    limit(RLIMIT_NPROC, 3, 3);
    int made = 0;
    pid_t child;
    while ((child = fork()) > 0)
        made++;
    if (child == 0) {
        pause();
        _exit(0);
    }
    printf("made %d then %s\n", made, strerrorname_np(errno));
    fflush(stdout);
    signal(SIGTERM, SIG_IGN);
    kill(0, 0);
    kill(-1, SIGKILL);
    while (wait(NULL) > 0) { }
}

static void onSize(int signal)
{
    printf("[signal %d]", signal);
}

static void fileSize(void)
{
    char name[] = "/tmp/limitsXXXXXX", text[100] = "";
    int fd = mkstemp(name);
    unlink(name);
    signal(SIGXFSZ, onSize);
    limit(RLIMIT_FSIZE, 150, 150);
    SHOW(write(fd, text, 100));
    SHOW(write(fd, text, 100));
    SHOW(write(fd, text, 100));
    SHOW(ftruncate(fd, 150));
    SHOW(ftruncate(fd, 151));
    SHOW(pwrite(fd, text, 10, 149));
    signal(SIGXFSZ, SIG_DFL);
    SHOW(pwrite(fd, text, 10, 150));
}

static volatile int seen;

static void onProcessor(int signal)
{
    seen++;
    (void)signal;
}

static void processorTime(void)
{
    signal(SIGXCPU, onProcessor);
    limit(RLIMIT_CPU, 1, 2);
    while (!seen) { }
    printf("told %d\n", seen);
    fflush(stdout);
    for (;;) { }
}

static void addressSpace(void)
{
    limit(RLIMIT_AS, 64 << 20, 64 << 20);
    printf("big %s\n", mmap(NULL, 100 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    void *part = mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("small %d\n", part != MAP_FAILED);
    printf("grown %s\n", mremap(part, 16 << 20, 80 << 20, MREMAP_MAYMOVE) == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    printf("over itself %d\n", mmap(part, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == part);
}

static void dataSize(void)
{
    limit(RLIMIT_DATA, 16 << 20, 16 << 20);
    printf("shared %d\n", mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    void *part = mmap(NULL, 32 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("read-only %d\n", part != MAP_FAILED);
    SHOW(mprotect(part, 32 << 20, PROT_READ | PROT_WRITE));
    printf("private %s\n", mmap(NULL, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    printf("break %s\n", sbrk(32 << 20) == (void *)-1 ? strerrorname_np(errno) : "moved");
}

static int deep(int depth)
{
    volatile char room[4096];
    room[0] = (char)depth;
    return depth == 0 ? 0 : deep(depth - 1) + room[0];
}

static void smallStack(void)
{
    limit(RLIMIT_STACK, 1 << 20, 1 << 20);
    deep(100);
    printf("100 deep\n");
    fflush(stdout);
    deep(600);
}

static void locked(void)
{
    char *pages = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    limit(RLIMIT_MEMLOCK, 64 << 10, 64 << 10);
    SHOW(setresuid(64002, 64002, 64002));
    SHOW(mlock(pages, 64 << 10));
    SHOW(mlock(pages, 32 << 10));
    SHOW(mlock(pages + (64 << 10), 1));
    SHOW(munlock(pages, 4096));
    SHOW(mlock(pages + (64 << 10), 1));
    SHOW(msync(pages + 4096, 4096, MS_SYNC | MS_INVALIDATE));
    SHOW(madvise(pages + 4096, 4096, MADV_DONTNEED));
    SHOW(mlockall(MCL_CURRENT));
    SHOW(mlockall(MCL_ONFAULT));
    printf("MAP_LOCKED %s\n", mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED ? strerrorname_np(errno) : "mapped");
    SHOW(munlockall());
    limit(RLIMIT_MEMLOCK, 0, 0);
    SHOW(mlock(pages, 1));
    SHOW(mlockall(MCL_FUTURE));
    SHOW(munmap(pages, 8192));
    SHOW(mlock2(pages, 4096, 2));
}

static void signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(setresuid(64003, 64003, 64003));
    limit(RLIMIT_SIGPENDING, 2, 2);
    union sigval value = { 1 };
    SHOW(sigqueue(getpid(), SIGRTMIN, value));
    SHOW(sigqueue(getpid(), SIGRTMIN, value));
    SHOW(sigqueue(getpid(), SIGRTMIN, value));
    SHOW(kill(getpid(), SIGRTMIN));
    SHOW(kill(getpid(), SIGUSR1));
    timer_t timer;
    SHOW(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    struct timespec none = { 0, 0 };
    SHOW(sigtimedwait(&set, NULL, &none));
    SHOW(sigtimedwait(&set, NULL, &none) == SIGRTMIN);
    SHOW(sigtimedwait(&set, NULL, &none) == SIGRTMIN);
    SHOW(sigtimedwait(&set, NULL, &none));
}

static void priorities(void)
{
    SHOW(nice(5));
    SHOW(setresuid(64004, 64004, 64004));
    SHOW(nice(-1));
    errno = 0;
    SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(setpriority(PRIO_PROCESS, 0, 30));
    errno = 0;
    SHOW(getpriority(PRIO_PROCESS, 0));
    struct sched_param param = { 10 };
    SHOW(sched_setscheduler(0, SCHED_FIFO, &param));
    SHOW(setpriority(9, 0, 0));
}

static void aborts(void)
{
    limit(RLIMIT_CORE, 0, 0);
    abort();
}

int main(void)
{
    inChild("setting", setting);
    inChild("descriptors", descriptors);
    inChild("processes", processes);
    inChild("file size", fileSize);
    inChild("processor time", processorTime);
    inChild("address space", addressSpace);
    inChild("data size", dataSize);
    inChild("stack", smallStack);
    inChild("locked memory", locked);
    inChild("signals", signals);
    inChild("priorities", priorities);
    inChild("abort", aborts);
    return 0;
}
