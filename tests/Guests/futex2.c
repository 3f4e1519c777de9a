// The futex calls with an operation each, waiting on several words, and being moved from a condition on to a lock.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

struct waiter { uint64_t value, address; uint32_t flags, reserved; };

enum { SIZE32 = 2, PRIVATE = 128 };

static atomic_uint words[4], condition, lock, ready;

static long wake(void *address, unsigned long mask, int count, unsigned flags) { return syscall(454, address, mask, count, flags); }
static long waitOn(void *address, unsigned long value, unsigned long mask, unsigned flags, void *timeout, int clock)
{
    return syscall(455, address, value, mask, flags, timeout, clock);
}
static long requeue(void *pair, unsigned flags, int wakes, int moves) { return syscall(456, pair, flags, wakes, moves); }
static long waitv(void *table, unsigned count, unsigned flags, void *timeout, int clock) { return syscall(449, table, count, flags, timeout, clock); }
static long futex(void *address, int operation, uint32_t value, const void *timeout, void *other, uint32_t value3)
{
    return syscall(SYS_futex, address, operation, value, timeout, other, value3);
}

// Who is about to wait.
static atomic_int waiters[4];

static void arrive(void)
{
    waiters[atomic_fetch_add(&ready, 1)] = gettid();
}

// Until all of them wait.
static void untilWaiting(unsigned count)
{
    while (atomic_load(&ready) != count)
        sched_yield();
    for (unsigned i = 0; i < count; i++) {
        while (atomic_load(&waiters[i]) == 0)
            sched_yield();
        untilAsleep(atomic_exchange(&waiters[i], 0));
    }
}

static void *one(void *argument)
{
    arrive();
    return (void *)waitOn(&words[0], 0, (unsigned long)argument, SIZE32 | PRIVATE, NULL, 0);
}

static void *several(void *argument)
{
    struct waiter table[3];
    for (int i = 0; i < 3; i++)
        table[i] = (struct waiter) { 0, (uintptr_t)&words[i], SIZE32 | PRIVATE, 0 };
    return (void *)waitv(table, 3, 0, argument, CLOCK_MONOTONIC);
}

static void *severalOfThread(void *argument)
{
    arrive();
    return several(argument);
}

static void *locker(void *argument)
{
    arrive();
    long result = futex(&condition, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &lock, 0);
    int owns = (atomic_load(&lock) & FUTEX_TID_MASK) == (unsigned)gettid();
    if (owns)
        futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    return (void *)(result * 10 + owns);
}

static long joined(pthread_t thread)
{
    void *value;
    pthread_join(thread, &value);
    return (long)value;
}

static void handler(int signal) { }

static void errors(void)
{
    struct timespec past = { 0, 1 }, bad = { 0, -1 };
    SHOW(wake(&words[0], 1, 1, 0));
    SHOW(wake(&words[0], 1, 1, 1));
    SHOW(wake(&words[0], 1, 1, SIZE32 | 0x40));
    SHOW(wake(&words[0], 0, 1, SIZE32));
    SHOW(wake(&words[0], 0x100000000, 1, SIZE32));
    SHOW(wake((char *)&words[0] + 1, 1, 1, SIZE32));
    SHOW(wake((void *)8, 1, 1, SIZE32));
    SHOW(wake(&words[0], 1, 1, SIZE32));
    SHOW(waitOn(&words[0], 1, 1, SIZE32, NULL, 0));
    SHOW(waitOn(&words[0], 0, 0, SIZE32, NULL, 0));
    SHOW(waitOn(&words[0], 0x100000000, 1, SIZE32, NULL, 0));
    SHOW(waitOn(&words[0], 0, 1, SIZE32, &past, CLOCK_MONOTONIC));
    SHOW(waitOn(&words[0], 0, 1, SIZE32, &past, CLOCK_REALTIME));
    SHOW(waitOn(&words[0], 0, 1, SIZE32, &past, CLOCK_BOOTTIME));
    SHOW(waitOn(&words[0], 0, 1, SIZE32, &bad, CLOCK_REALTIME));
    SHOW(waitOn(&words[0], 0, 1, SIZE32, (void *)8, CLOCK_REALTIME));
    struct waiter pair[2] = { { 0, (uintptr_t)&words[0], SIZE32, 0 }, { 0, (uintptr_t)&words[1], SIZE32, 0 } };
    SHOW(requeue(pair, 1, 1, 1));
    SHOW(requeue(NULL, 0, 1, 1));
    SHOW(requeue((void *)8, 0, 1, 1));
    SHOW(requeue(pair, 0, -1, 1));
    SHOW(requeue(pair, 0, 1, 1));
    pair[0].value = 7;
    SHOW(requeue(pair, 0, 1, 1));
    SHOW(waitv(pair, 2, 0, NULL, 0));
    SHOW(waitv(pair, 0, 0, NULL, 0));
    SHOW(waitv(pair, 129, 0, NULL, 0));
    SHOW(waitv(pair, 2, 1, NULL, 0));
    SHOW(waitv(NULL, 2, 0, NULL, 0));
    pair[0].value = 0;
    SHOW(waitv(pair, 2, 0, &past, CLOCK_MONOTONIC));
    SHOW(waitv(pair, 2, 0, &past, 7));
    pair[1].reserved = 1;
    SHOW(waitv(pair, 2, 0, NULL, 0));
    SHOW(futex(&words[0], FUTEX_WAIT_REQUEUE_PI, 0, NULL, &words[0], 0));
    SHOW(futex(&words[0], FUTEX_WAIT_REQUEUE_PI, 1, NULL, &words[1], 0));
    SHOW(futex(&words[0], FUTEX_WAIT_REQUEUE_PI, 0, &past, &words[1], 0));
    SHOW(futex(&words[0], FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &words[0], 0));
    SHOW(futex(&words[0], FUTEX_CMP_REQUEUE_PI, 2, (void *)1, &words[1], 0));
    SHOW(futex(&words[0], FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &words[1], 5));
    SHOW(futex(&words[0], FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &words[1], 0));
}

int main(void)
{
    pthread_t threads[3];
    errors();

    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, one, (void *)(1ul << i));
    untilWaiting(3);
    SHOW(wake(&words[0], 8, 9, SIZE32 | PRIVATE));
    SHOW(wake(&words[0], 7, 0, SIZE32 | PRIVATE));
    SHOW(wake(&words[0], 2, 9, SIZE32 | PRIVATE));
    printf("joined %ld\n", joined(threads[1]));
    struct waiter pair[2] = { { 0, (uintptr_t)&words[0], SIZE32 | PRIVATE, 0 }, { 0, (uintptr_t)&words[3], SIZE32 | PRIVATE, 0 } };
    SHOW(requeue(pair, 0, 1, 5));
    SHOW(wake(&words[0], ~0u, 9, SIZE32 | PRIVATE));
    SHOW(futex(&words[3], FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0));
    printf("joined %ld %ld\n", joined(threads[0]), joined(threads[2]));

    for (int i = 0; i < 3; i++) {
        atomic_store(&ready, 0);
        pthread_create(&threads[0], NULL, severalOfThread, NULL);
        untilWaiting(1);
        SHOW(wake(&words[i], ~0u, 1, SIZE32 | PRIVATE));
        printf("woken by %ld\n", joined(threads[0]));
    }
    struct timespec soon;
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_nsec += 20 * 1000 * 1000;
    if (soon.tv_nsec >= 1000000000)
        soon.tv_sec++, soon.tv_nsec -= 1000000000;
    SHOW((long)several(&soon));

    // A free lock goes to the first waiter, who unlocks it for the next.
    atomic_store(&ready, 0);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, locker, NULL);
    untilWaiting(3);
    SHOW(futex(&condition, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    SHOW(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &words[1], 0));
    SHOW(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, &lock, 0));
    SHOW(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    SHOW(futex(&condition, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &lock, 0));
    printf("waiters %d\n", (atomic_load(&lock) & FUTEX_WAITERS) != 0);
    SHOW(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    printf("joined %ld %ld %ld\n", joined(threads[0]), joined(threads[1]), joined(threads[2]));
    SHOW(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    SHOW(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));

    // A condition variable over a mutex with priority inheritance, as glibc has it.
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGALRM, &action, NULL);
    struct waiter own = { 0, (uintptr_t)&words[0], SIZE32, 0 };
    // Again and again: one that came before the wait would be missed.
    setitimer(ITIMER_REAL, &(struct itimerval) { { 0, 100000 }, { 0, 100000 } }, NULL);
    SHOW(waitv(&own, 1, 0, NULL, 0));
    return 0;
}
