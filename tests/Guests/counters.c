// perf_event_open(2): software events of threads, groups, times, control, errors.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static struct perf_event_attr wanted;

static int event(unsigned type, unsigned long config, int disabled, unsigned long format, pid_t pid, int group, unsigned long flags)
{
    wanted = (struct perf_event_attr) { .type = type, .size = sizeof wanted, .config = config, .read_format = format, .disabled = disabled, .exclude_hv = 1 };
    return syscall(SYS_perf_event_open, &wanted, pid, -1, group, flags);
}

static void work(void)
{
    for (volatile int i = 0; i < 3000000; i++) { }
}

static long value(int fd)
{
    long counted = -1;
    read(fd, &counted, sizeof counted);
    return counted;
}

int main(void)
{
    SHOW(syscall(SYS_perf_event_open, 8, 0, -1, -1, 0));
    SHOW(event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, 0, 0, -1, 1 << 10));
    SHOW(event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, 0, -1, -1, 0));
    SHOW(event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, 0, 99999999, -1, 0));
    SHOW(event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, 0, 0, 99, 0));
    SHOW(event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, 1 << 9, 0, -1, 0));
    SHOW(event(PERF_TYPE_SOFTWARE, 777, 1, 0, 0, -1, 0));
    SHOW(event(77, 0, 1, 0, 0, -1, 0));
    wanted.size = 20;
    SHOW(syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0));
    printf("size is told %d\n", wanted.size >= PERF_ATTR_SIZE_VER0);

    int clock = event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, 0, 0, -1, PERF_FLAG_FD_CLOEXEC);
    printf("cloexec %d\n", fcntl(clock, F_GETFD));
    work();
    printf("disabled %ld\n", value(clock));
    SHOW(ioctl(clock, PERF_EVENT_IOC_ENABLE, 0));
    work();
    SHOW(ioctl(clock, PERF_EVENT_IOC_DISABLE, 0));
    long counted = value(clock);
    printf("counted %d\n", counted > 100000);
    work();
    printf("stands still %d\n", value(clock) == counted);
    SHOW(ioctl(clock, PERF_EVENT_IOC_RESET, 0));
    printf("reset %ld\n", value(clock));
    unsigned long id = 0;
    SHOW(ioctl(clock, PERF_EVENT_IOC_ID, &id));
    printf("id %d\n", id != 0);
    SHOW(ioctl(clock, 0x1234, 0));
    char small[4];
    SHOW(read(clock, small, sizeof small));
    SHOW(write(clock, small, sizeof small));
    SHOW(lseek(clock, 0, SEEK_SET));

    int switches = event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, 0, 0, 0, -1, 0);
    struct timespec pause = { 0, 20000000 };
    for (int i = 0; i < 5; i++)
        nanosleep(&pause, NULL);
    counted = value(switches);
    printf("switched %d\n", counted >= 3 && counted < 500);
    int migrations = event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_ALIGNMENT_FAULTS, 0, 0, 0, -1, 0);
    printf("faults of alignment %ld\n", value(migrations));
    int faults = event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, 0, 0, 0, -1, 0);
    long before = value(faults);
    char *pages = mmap(NULL, 100 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 100; i++)
        pages[i * 4096] = 1;
    printf("faulted %d\n", value(faults) - before >= 100);

    // A group is told at once, its leader first, and counts when its leader does.
    unsigned long all = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    int leader = event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 1, all, 0, -1, 0);
    int member = event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, 0, all, 0, leader, 0);
    work();
    struct { unsigned long count, enabled, running, values[4]; } group;
    SHOW(read(leader, &group, sizeof group));
    printf("%lu members, enabled %lu, values %lu %lu\n", group.count, group.enabled, group.values[0], group.values[2]);
    SHOW(ioctl(leader, PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP));
    work();
    SHOW(read(leader, &group, sizeof group));
    printf("%lu members, enabled %d, running is enabled %d, value %d %lu\n", group.count, group.enabled > 100000, group.running == group.enabled, group.values[0] > 100000, group.values[2]);
    SHOW(event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY, 0, 0, 0, member, 0));
    SHOW(read(leader, &group, 16));

    // A child's event is read by its parent.
    fflush(stdout);
    int pipes[2];
    pipe(pipes);
    pid_t child = fork();
    if (child == 0) {
        char go;
        read(pipes[0], &go, 1);
        work();
        _exit(0);
    }
    int others = event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 0, 0, child, -1, 0);
    write(pipes[1], "x", 1);
    waitpid(child, NULL, 0);
    counted = value(others);
    printf("child counted %d, stands still %d\n", counted > 100000, value(others) == counted);

    child = fork();
    if (child == 0) {
        setuid(12345);
        SHOW(event(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK, 0, 0, 0, -1, 0));
        wanted.exclude_kernel = 1;
        SHOW(syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0) > 0);
        SHOW(syscall(SYS_perf_event_open, &wanted, -1, 0, -1, 0));
        SHOW(syscall(SYS_perf_event_open, &wanted, getppid(), -1, -1, 0));
        exit(0);
    }
    waitpid(child, NULL, 0);
    return 0;
}
