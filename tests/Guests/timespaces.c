// Clocks in name spaces of their own (time_namespaces(7)): offsets, who has them, absolute times, /proc, the vDSO.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define NEWTIME 0x80

static long long now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long called(clockid_t clock)
{
    struct timespec time;
    syscall(SYS_clock_gettime, clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long long monotonicThen, bootThen;

// How far the clocks have moved since then, in whole hours.
static void moved(const char *who)
{
    long long hour = 3600LL * 1000000000;
    printf("%s: monotonic %+lld h, raw %+lld h, coarse %+lld h, boot %+lld h; called %+lld h, %+lld h\n", who, (now(CLOCK_MONOTONIC) - monotonicThen + 60000000000LL) / hour,
        (now(CLOCK_MONOTONIC_RAW) - monotonicThen + 60000000000LL) / hour, (now(CLOCK_MONOTONIC_COARSE) - monotonicThen + 60000000000LL) / hour,
        (now(CLOCK_BOOTTIME) - bootThen + 60000000000LL) / hour, (called(CLOCK_MONOTONIC) - monotonicThen + 60000000000LL) / hour,
        (called(CLOCK_BOOTTIME) - bootThen + 60000000000LL) / hour);
    fflush(stdout);
}

static void print(const char *path)
{
    char text[300];
    FILE *file = fopen(path, "r");
    while (file && fgets(text, sizeof text, file))
        printf("  %s", text);
    if (file)
        fclose(file);
}

static int set(const char *text)
{
    int file = open("/proc/self/timens_offsets", O_WRONLY);
    int result = write(file, text, strlen(text));
    int error = errno;
    close(file);
    errno = error;
    return result < 0 ? -1 : result == (int)strlen(text) ? 0 : 1;
}

// Sleeps on absolute times of the moved clocks end when they should.
static void absolutes(void)
{
    struct timespec time;
    long long start = called(CLOCK_MONOTONIC);
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_nsec += 30000000;
    if (time.tv_nsec >= 1000000000)
        time.tv_sec++, time.tv_nsec -= 1000000000;
    SHOW(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, 0));
    int word = 0;
    SHOW(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &time, 0, -1));
    clock_gettime(CLOCK_BOOTTIME, &time);
    time.tv_sec += 1;
    struct itimerspec setting = {.it_value = time};
    int timer = timerfd_create(CLOCK_BOOTTIME, 0);
    SHOW(timerfd_settime(timer, TFD_TIMER_ABSTIME, &setting, 0));
    struct pollfd wait = {timer, POLLIN, 0};
    SHOW(poll(&wait, 1, 0));
    SHOW(poll(&wait, 1, 5000));
    timer_t posix;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    SHOW(timer_create(CLOCK_MONOTONIC, &none, &posix));
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += 100;
    setting.it_value = time;
    SHOW(timer_settime(posix, TIMER_ABSTIME, &setting, 0));
    struct itimerspec left;
    timer_gettime(posix, &left);
    printf("left %d\n", left.it_value.tv_sec >= 98 && left.it_value.tv_sec <= 100);
    long long took = called(CLOCK_MONOTONIC) - start;
    printf("took about a second: %d\n", took > 900000000LL && took < 4000000000LL);
    fflush(stdout);
}

static void ups(void)
{
    struct sysinfo info;
    double up = 0;
    FILE *file = fopen("/proc/uptime", "r");
    if (fscanf(file, "%lf", &up) != 1)
        up = 0;
    fclose(file);
    sysinfo(&info);
    long long boot = called(CLOCK_BOOTTIME) / 1000000000;
    printf("uptime agrees: %d %d\n", llabs(boot - (long long)up) < 3, llabs(boot - info.uptime) < 3);
    char stat[600] = "";
    file = fopen("/proc/self/stat", "r");
    if (!fgets(stat, sizeof stat, file))
        return;
    fclose(file);
    char *at = strrchr(stat, ')') + 2;
    for (int i = 3; i < 22; i++)
        at = strchr(at, ' ') + 1;
    printf("start time agrees: %d\n", llabs(boot - atoll(at) / 100) < 10);
    fflush(stdout);
}

int main(int count, char **arguments)
{
    if (count == 3)
    {
        monotonicThen = atoll(arguments[1]);
        bootThen = atoll(arguments[2]);
        moved("executed");
        print("/proc/self/timens_offsets");
        SHOW(set("monotonic 1 0\n"));
        return 0;
    }
    monotonicThen = now(CLOCK_MONOTONIC);
    bootThen = now(CLOCK_BOOTTIME);
    struct stat before, after, children;
    stat("/proc/self/ns/time", &before);
    printf("-- first space\n");
    print("/proc/self/timens_offsets");
    SHOW(set("monotonic 3600 0\n"));
    SHOW(unshare(NEWTIME));
    stat("/proc/self/ns/time", &after);
    stat("/proc/self/ns/time_for_children", &children);
    printf("own space kept: %d, children's is another: %d\n", before.st_ino == after.st_ino, before.st_ino != children.st_ino);
    SHOW(set("monotonic\n"));
    SHOW(set("monotonic 1 1000000000\n"));
    SHOW(set("realtime 1 0\n"));
    SHOW(set("monotonic x 0\n"));
    SHOW(set("monotonic -99999999999 0\n"));
    SHOW(set("boottime 9999999999 0\n"));
    SHOW(set("monotonic 7200 5\nboottime 18000 500000000\n"));
    print("/proc/self/timens_offsets");
    SHOW(set("7 36000 0\n"));
    SHOW(set("1 7200 999999999"));
    print("/proc/self/timens_offsets");
    moved("not inside");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        moved("forked");
        stat("/proc/self/ns/time", &after);
        printf("inside: %d\n", after.st_ino == children.st_ino);
        absolutes();
        ups();
        fflush(stdout);
        pid_t grandchild = fork();
        if (grandchild == 0)
        {
            moved("grandchild");
            _exit(0);
        }
        waitpid(grandchild, 0, 0);
        grandchild = vfork();
        if (grandchild == 0)
        {
            char one[32], two[32];
            snprintf(one, sizeof one, "%lld", monotonicThen);
            snprintf(two, sizeof two, "%lld", bootThen);
            execl("/proc/self/exe", arguments[0], one, two, (char *)0);
            _exit(9);
        }
        waitpid(grandchild, 0, 0);
        SHOW(unshare(NEWTIME));
        SHOW(set("monotonic 14400 0\n"));
        if (fork() == 0)
        {
            moved("nested");
            print("/proc/self/timens_offsets");
            fflush(stdout);
            _exit(0);
        }
        wait(0);
        _exit(0);
    }
    waitpid(child, 0, 0);
    moved("still not inside");
    SHOW(set("monotonic 1 0\n"));
    int space = open("/proc/self/ns/time_for_children", O_RDONLY);
    fflush(stdout);
    if (fork() == 0)
    {
        SHOW(setns(space, CLONE_NEWNET));
        SHOW(setns(space, NEWTIME));
        moved("joined");
        _exit(0);
    }
    wait(0);
    struct
    {
        unsigned long flags, pidfd, child, parent, exit, stack, size, tls;
    } how = {.flags = NEWTIME, .exit = SIGCHLD};
    fflush(stdout);
    long cloned = syscall(SYS_clone3, &how, sizeof how);
    if (cloned == 0)
    {
        moved("cloned");
        fflush(stdout);
        _exit(0);
    }
    waitpid(cloned, 0, 0);
    // A program that is executed enters the space of its children-to-be.
    char one[32], two[32];
    snprintf(one, sizeof one, "%lld", monotonicThen);
    snprintf(two, sizeof two, "%lld", bootThen);
    fflush(stdout);
    execl("/proc/self/exe", arguments[0], one, two, (char *)0);
    return 1;
}
