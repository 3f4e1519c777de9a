// futex(2) directly: wait and wake, bitsets, requeue, wake-op, priority inheritance, time-outs, errors.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static atomic_uint word, second, ready, woken;

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

static void *waiter(void *argument)
{
    arrive();
    while (futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)(uintptr_t)argument) == -1 && errno == EINTR) { }
    atomic_fetch_add(&woken, 1);
    return NULL;
}

static void start(pthread_t *threads, int count, uintptr_t mask)
{
    atomic_store(&ready, 0);
    atomic_store(&woken, 0);
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, waiter, (void *)(mask ? mask : (uintptr_t)1 << i));
    untilWaiting(count);
}

static void join(pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    printf("woken %u\n", atomic_load(&woken));
}

int main(void)
{
    pthread_t threads[4];
    struct timespec shortTime = { 0, 1000000 }, bad = { 0, 1000000000 };
    SHOW(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &shortTime, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
    SHOW(futex((char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0));
    SHOW(futex((void *)8, FUTEX_WAIT, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    SHOW(futex(&word, 99, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));

    start(threads, 4, FUTEX_BITSET_MATCH_ANY);
    SHOW(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &second, 7));
    SHOW(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &second, 0));
    SHOW(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
    join(threads, 4);

    start(threads, 4, 0);
    SHOW(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0x30));
    SHOW(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0x5));
    SHOW(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0xF));
    join(threads, 4);

    start(threads, 2, FUTEX_BITSET_MATCH_ANY);
    atomic_store(&second, 5);
    SHOW(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)));
    printf("second %u\n", atomic_load(&second));
    SHOW(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
    join(threads, 2);

    atomic_store(&word, 0);
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    printf("owner is me %d\n", (int)(atomic_load(&word) & FUTEX_TID_MASK) == gettid());
    SHOW(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    SHOW(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    printf("word %u\n", atomic_load(&word));
    SHOW(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));

    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(mutex, &attributes);
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(mutex);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("lock after owner died: %s\n", strerrorname_np(pthread_mutex_lock(mutex)));
    printf("consistent: %d\n", pthread_mutex_consistent(mutex));
    printf("unlock: %d\n", pthread_mutex_unlock(mutex));
    printf("lock: %d\n", pthread_mutex_lock(mutex));

    atomic_uint *shared = (atomic_uint *)((char *)mutex + 2048);
    child = fork();
    if (child == 0)
        _exit(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 42 : errno);
    while (futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
        sched_yield();
    int status;
    waitpid(child, &status, 0);
    printf("shared futex child %d\n", WEXITSTATUS(status));
    return 0;
}
