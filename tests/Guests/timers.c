// Clocks and timers: sleeping, absolute deadlines, interval and POSIX timers, overruns, time-outs of waits.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include "check.h"

static volatile sig_atomic_t ticks;
static void tick(int signal) { (void)signal; ticks++; }

static timer_t timer;
static int overrun;

// Ends the timer with its first signal: a later one would have an overrun of its own.
static void last(int signal)
{
    struct itimerspec off = { 0 };
    tick(signal);
    if (ticks == 1)
        overrun = timer_getoverrun(timer);
    timer_settime(timer, 0, &off, NULL);
}

static long long now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void slept(const char *what, long long since, long long atLeast)
{
    long long elapsed = now(CLOCK_MONOTONIC) - since;
    printf("%s: long enough %d\n", what, elapsed >= atLeast && elapsed < atLeast + 10000000000ll);
}

int main(void)
{
    struct timespec time;
    SHOW(clock_getres(CLOCK_MONOTONIC, &time));
    printf("resolution %ld\n", time.tv_nsec);
    SHOW(clock_gettime(99, &time));
    long long start = now(CLOCK_MONOTONIC);
    SHOW(nanosleep(&(struct timespec){ 0, 30000000 }, NULL));
    slept("nanosleep", start, 30000000);
    SHOW(nanosleep(&(struct timespec){ 0, 1000000000 }, NULL));
    SHOW(nanosleep(&(struct timespec){ -1, 0 }, NULL));
    start = now(CLOCK_MONOTONIC);
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_nsec += 20000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    printf("%d\n", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL));
    slept("absolute", start, 19000000);
    start = now(CLOCK_MONOTONIC);
    SHOW(poll(NULL, 0, 25));
    slept("poll", start, 25000000);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&mutex);
    clock_gettime(CLOCK_REALTIME, &time);
    printf("%s\n", strerrorname_np(pthread_cond_timedwait(&condition, &mutex, &time)));
    signal(SIGALRM, tick);
    signal(SIGUSR1, last);
    struct itimerval every = { { 0, 10000 }, { 0, 10000 } }, off = { { 0, 0 }, { 0, 0 } };
    SHOW(setitimer(ITIMER_REAL, &every, NULL));
    while (ticks < 5)
        pause();
    SHOW(setitimer(ITIMER_REAL, &off, &every));
    printf("interval %ld\n", (long)every.it_interval.tv_usec);
    SHOW(alarm(100));
    SHOW(alarm(0) > 90);
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    SHOW(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec period = { { 0, 5000000 }, { 0, 5000000 } };
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    ticks = 0;
    SHOW(timer_settime(timer, 0, &period, NULL));
    nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    printf("one signal for many expirations %d overrun %d\n", ticks >= 1 && ticks <= 3, overrun > 2);
    SHOW(timer_delete(timer));
    SHOW(timer_delete(timer));
    long long cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (volatile int i = 0; i < 300000; i++) { }
    printf("cpu time passed %d\n", now(CLOCK_PROCESS_CPUTIME_ID) > cpu);
    struct tm *calendar = gmtime(&(time_t){ 1700000000 });
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j", calendar);
    printf("%s year %d\n", text, now(CLOCK_REALTIME) > 1600000000ll * 1000000000ll);
    return 0;
}
