// epoll's order and triggering, eventfd, timerfd, signalfd: what epoll(7) says and what Linux does.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include "check.h"

static int set;

static void take(const char *what, int most)
{
    struct epoll_event events[16];
    int got = epoll_wait(set, events, most, 0);
    printf("%s: %d", what, got);
    for (int i = 0; i < got; i++)
        printf(" %llu:%x", (unsigned long long)events[i].data.u64, events[i].events);
    printf("\n");
}

static int watch(int operation, int file, unsigned events, long data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };
    return epoll_ctl(set, operation, file, &event);
}

static void add(int file) { uint64_t one = 1; if (write(file, &one, 8) != 8) die("eventfd"); }

static void levelAndOrder(void)
{
    int files[4];
    for (int i = 0; i < 4; i++) {
        files[i] = eventfd(0, EFD_NONBLOCK);
        watch(EPOLL_CTL_ADD, files[i], EPOLLIN, i);
    }
    take("nothing", 16);
    add(files[2]);
    add(files[0]);
    add(files[1]);
    take("all", 16);
    for (int i = 0; i < 5; i++)
        take("rotating", 1);
    uint64_t value;
    SHOW(read(files[0], &value, 8));
    take("one read", 16);
    SHOW(watch(EPOLL_CTL_ADD, files[0], EPOLLIN, 9));
    SHOW(watch(EPOLL_CTL_MOD, files[3], EPOLLOUT, 33));
    take("writable", 16);
    SHOW(watch(EPOLL_CTL_DEL, files[3], 0, 0));
    SHOW(watch(EPOLL_CTL_DEL, files[3], 0, 0));
    SHOW(watch(EPOLL_CTL_MOD, files[3], EPOLLIN, 0));
    int copy = dup(files[1]);
    close(files[1]);
    take("closed but duplicated", 16);
    SHOW(watch(EPOLL_CTL_DEL, files[1], 0, 0));
    close(copy);
    take("closed", 16);
    for (int i = 0; i < 4; i++)
        close(files[i]);
    take("all closed", 16);
}

static void edges(void)
{
    int ends[2];
    if (pipe(ends))
        die("pipe");
    SHOW(watch(EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET, 1));
    take("empty", 4);
    if (write(ends[1], "ab", 2) != 2)
        die("write");
    take("written", 4);
    take("again", 4);
    if (write(ends[1], "c", 1) != 1)
        die("write");
    take("second write", 4);
    SHOW(watch(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 2));
    take("modified", 4);
    char byte;
    SHOW(read(ends[0], &byte, 1));
    take("after a partial read", 4);
    SHOW(watch(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 3));
    take("one-shot", 4);
    take("disabled", 4);
    SHOW(watch(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 4));
    take("armed again", 4);
    close(ends[1]);
    SHOW(watch(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLRDHUP, 5));
    take("hung up", 4);
    close(ends[0]);
}

static void errors(void)
{
    int file = open("/proc/self/exe", O_RDONLY);
    SHOW(watch(EPOLL_CTL_ADD, file, EPOLLIN, 0));
    SHOW(watch(EPOLL_CTL_ADD, set, EPOLLIN, 0));
    SHOW(watch(EPOLL_CTL_ADD, 999, EPOLLIN, 0));
    SHOW(epoll_create(0));
    SHOW(epoll_create1(12345));
    SHOW(epoll_wait(file, (struct epoll_event[1]){ 0 }, 1, 0));
    SHOW(epoll_wait(set, (struct epoll_event[1]){ 0 }, 0, 0));
    SHOW(epoll_ctl(set, 99, 0, NULL));
    int inner = epoll_create1(0), outer = set, event = eventfd(1, 0);
    struct epoll_event wanted = { .events = EPOLLIN, .data.u64 = 70 };
    SHOW(epoll_ctl(inner, EPOLL_CTL_ADD, event, &wanted));
    SHOW(watch(EPOLL_CTL_ADD, inner, EPOLLIN, 71));
    SHOW(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &wanted));
    take("nested", 4);
    close(inner);
    close(event);
    close(file);
}

static void otherSources(void)
{
    uint64_t value;
    int counter = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
    SHOW(read(counter, &value, 8));
    printf("value %lu\n", value);
    SHOW(read(counter, &value, 4));
    value = ~0ull;
    SHOW(write(counter, &value, 8));
    value = ~0ull - 3;
    SHOW(write(counter, &value, 8));
    SHOW(write(counter, &value, 8));
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    SHOW(read(timer, &value, 8));
    struct itimerspec time = { { 0, 0 }, { 0, 1000000 } };
    SHOW(timerfd_settime(timer, 0, &time, NULL));
    SHOW(watch(EPOLL_CTL_ADD, timer, EPOLLIN, 5));
    struct epoll_event event;
    SHOW(epoll_wait(set, &event, 1, 2000));
    SHOW(read(timer, &value, 8));
    printf("expirations %lu\n", value);
    SHOW(timerfd_gettime(timer, &time));
    printf("left %ld\n", time.it_value.tv_nsec);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int receiver = signalfd(-1, &signals, SFD_NONBLOCK);
    struct signalfd_siginfo info;
    SHOW(read(receiver, &info, sizeof info));
    sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 4 });
    raise(SIGUSR1);
    SHOW(watch(EPOLL_CTL_ADD, receiver, EPOLLIN, 6));
    take("signals", 4);
    SHOW(read(receiver, &info, sizeof info));
    printf("signal %u code %d\n", info.ssi_signo, info.ssi_code);
    SHOW(read(receiver, &info, sizeof info));
    printf("signal %u code %d value %d\n", info.ssi_signo - SIGRTMIN, info.ssi_code, info.ssi_int);
    SHOW(read(receiver, &info, sizeof info));
    // The child shares the set: what it adds, the parent sees.
    int ends[2];
    if (pipe(ends))
        die("pipe");
    if (fork() == 0) {
        watch(EPOLL_CTL_ADD, ends[0], EPOLLIN, 88);
        _exit(write(ends[1], "x", 1) != 1);
    }
    wait(NULL);
    take("after the child", 4);
}

// How many were woken: who sleeps still was not, and who was has told of it before it ended.
static int reports(int from, const pid_t *children, int count)
{
    struct pollfd report = { from, POLLIN, 0 };
    char bytes[8];
    poll(&report, 1, -1);
    for (int i = 0; i < count; i++)
        while (stateOf(children[i]) != 'S' && stateOf(children[i]) != 'Z')
            usleep(1000);
    return read(from, bytes, sizeof bytes);
}

// Of those who wait behind sets of their own for one pipe, each arrival wakes one; its end wakes all.
static void exclusive(void)
{
    int waited[2], told[2];
    pid_t children[4];
    pipe(waited);
    pipe(told);
    for (int i = 0; i < 4; i++)
    {
        children[i] = fork();
        if (children[i] == 0)
        {
            int own = epoll_create1(0);
            struct epoll_event event = { EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, { 0 } };
            close(waited[1]);
            epoll_ctl(own, EPOLL_CTL_ADD, waited[0], &event);
            epoll_wait(own, &event, 1, -1);
            write(told[1], "", 1);
            _exit(0);
        }
        untilAsleep(children[i]);
    }
    char byte;
    for (int i = 0; i < 2; i++)
    {
        write(waited[1], "x", 1);
        printf("woken by an arrival %d\n", reports(told[0], children, 4));
        read(waited[0], &byte, 1);
    }
    close(waited[1]);
    printf("woken by the end %d\n", reports(told[0], children, 4));
    while (wait(NULL) > 0)
        continue;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    set = epoll_create1(EPOLL_CLOEXEC);
    levelAndOrder();
    edges();
    errors();
    otherSources();
    exclusive();
    return 0;
}
