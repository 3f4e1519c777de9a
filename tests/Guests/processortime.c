// Clocks and timers on processor time: interval timers, POSIX timers, sleeping on them, and what usage tells.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static volatile sig_atomic_t count;

static void onSignal(int signal)
{
    count++;
    (void)signal;
}

static int64_t now(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        die("clock_gettime");
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static void burn(int milliseconds)
{
    int64_t end = now(CLOCK_THREAD_CPUTIME_ID) + milliseconds * 1000000L;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end) { }
}

static void interval(const char *what, int which, int signalNumber)
{
    struct itimerval value = { { 0, 20000 }, { 0, 20000 } }, state;
    signal(signalNumber, onSignal);
    count = 0;
    int64_t start = now(CLOCK_PROCESS_CPUTIME_ID), realStart = now(CLOCK_MONOTONIC);
    SHOW(setitimer(which, &value, NULL));
    getitimer(which, &state);
    printf("%s interval %ld left within %d\n", what, (long)state.it_interval.tv_usec, state.it_value.tv_usec > 0 && state.it_value.tv_usec <= 30000);
    // Its own loop, not calls, so that both kinds of timer run.
    while (count < 3)
        for (volatile int i = 0; i < 10000; i++) { }
    // Linux may count these in whole ticks: who is often preempted is charged for more than it used, but not for more than went by.
    int64_t spent = now(CLOCK_PROCESS_CPUTIME_ID) - start, passed = now(CLOCK_MONOTONIC) - realStart;
    printf("%s three after enough %d and not too much %d\n", what, spent >= 50000000 || passed >= 50000000, spent < 500000000);
    struct itimerval none = { { 0, 0 }, { 0, 0 } };
    SHOW(setitimer(which, &none, &state));
    printf("%s interval was %ld\n", what, (long)state.it_interval.tv_usec);
    // Sleeping is no processor time.
    value.it_interval.tv_usec = 0;
    setitimer(which, &value, NULL);
    count = 0;
    struct timespec pause = { 0, 60000000 };
    SHOW(nanosleep(&pause, NULL));
    printf("%s asleep %d\n", what, count);
    setitimer(which, &none, NULL);
}

// Linux looks for timers that are over when its clock ticks, which may be in others' time again and again.
static void untilTold(void)
{
    for (int i = 0; i < 3000 && count == 0; i++)
        burn(1);
}

static void *spin(void *counts)
{
    burn(80);
    if (counts)
        untilTold();
    return NULL;
}

static void posixTimers(void)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    timer_t timer;
    clockid_t clocks[] = { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };
    signal(SIGUSR1, onSignal);
    for (int i = 0; i < 2; i++) {
        count = 0;
        SHOW(timer_create(clocks[i], &event, &timer));
        struct itimerspec value = { { 0, 0 }, { 0, 20000000 } };
        SHOW(timer_settime(timer, 0, &value, NULL));
        pthread_t thread;
        pthread_create(&thread, NULL, spin, (void *)(long)(i == 0));
        pthread_join(thread, NULL);
        printf("other thread's time counts %d\n", count);
        burn(40);
        untilTold();
        printf("own time counts %d\n", count);
        timer_gettime(timer, &value);
        printf("left %ld\n", value.it_value.tv_nsec);
        SHOW(timer_delete(timer));
    }
    SHOW(timer_create(99, &event, &timer));
    SHOW(timer_create((int)(~(unsigned)getpid() << 3) | 2, &event, &timer));
    SHOW(timer_create((int)(~999999u << 3) | 2, &event, &timer));
}

static atomic_int awake;

static void *sleeper(void *argument)
{
    struct timespec time = { 0, 30000000 };
    int64_t start = now(CLOCK_PROCESS_CPUTIME_ID);
    int result = clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &time, NULL);
    printf("slept %d, at least its time %d\n", result, now(CLOCK_PROCESS_CPUTIME_ID) - start >= 30000000);
    atomic_store(&awake, 1);
    return argument;
}

int main(void)
{
    interval("virtual", ITIMER_VIRTUAL, SIGVTALRM);
    interval("profile", ITIMER_PROF, SIGPROF);
    posixTimers();
    pthread_t thread;
    pthread_create(&thread, NULL, sleeper, NULL);
    // For as long as it takes: its clock stands still while nobody works.
    while (!atomic_load(&awake))
        burn(1);
    pthread_join(thread, NULL);
    struct timespec time = { 0, 1 };
    printf("own thread: %s\n", strerrorname_np(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &time, NULL)));

    fflush(stdout);
    struct rusage before, after;
    struct tms ticks;
    getrusage(RUSAGE_CHILDREN, &before);
    pid_t child = fork();
    if (child == 0) {
        burn(120);
        _exit(0);
    }
    int status;
    wait4(child, &status, 0, &after);
    int64_t spent = (after.ru_utime.tv_sec + after.ru_stime.tv_sec) * 1000000L + after.ru_utime.tv_usec + after.ru_stime.tv_usec;
    printf("wait4 tells the child's time %d\n", spent >= 110000 && spent < 1000000);
    struct rusage children;
    getrusage(RUSAGE_CHILDREN, &children);
    int64_t all = (children.ru_utime.tv_sec + children.ru_stime.tv_sec - before.ru_utime.tv_sec - before.ru_stime.tv_sec) * 1000000L
        + children.ru_utime.tv_usec + children.ru_stime.tv_usec - before.ru_utime.tv_usec - before.ru_stime.tv_usec;
    printf("and so do all children's %d\n", all >= 110000 && all < 1000000);
    times(&ticks);
    printf("ticks of children %d\n", ticks.tms_cutime + ticks.tms_cstime >= 10);
    SHOW(getrusage(5, &after));
    struct timespec resolution;
    clock_getres(CLOCK_PROCESS_CPUTIME_ID, &resolution);
    printf("resolution %ld\n", resolution.tv_nsec);
    SHOW(clock_settime(CLOCK_MONOTONIC, &time));
    SHOW(syscall(SYS_clock_settime, CLOCK_PROCESS_CPUTIME_ID, &time));
    return 0;
}
