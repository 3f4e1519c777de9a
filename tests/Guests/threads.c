// POSIX threads as glibc makes them of clone, futex and TLS: creation, joining, mutexes, condition variables, barriers,
// read-write locks, semaphores, thread-specific data, cancellation, once, detached threads.
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include "check.h"

enum { Workers = 8, Rounds = 500 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turnChanged = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static __thread int local = 7;
static atomic_long sum;
static long plain;
static int turn, destroyed, onceRuns;

static void countOnce(void) { onceRuns++; }
static void destroy(void *value) { atomic_fetch_add(&sum, (long)value); __atomic_fetch_add(&destroyed, 1, __ATOMIC_SEQ_CST); }

static void *work(void *argument)
{
    long id = (long)argument;
    pthread_once(&once, countOnce);
    pthread_setspecific(key, (void *)(id + 1));
    local += (int)id;
    for (int i = 0; i < Rounds; i++) {
        pthread_mutex_lock(&mutex);
        plain++;
        pthread_mutex_unlock(&mutex);
        atomic_fetch_add(&sum, 1);
    }
    pthread_barrier_wait(&barrier);
    pthread_mutex_lock(&mutex);
    while (turn != id)
        pthread_cond_wait(&turnChanged, &mutex);
    printf("worker %ld: local %d, plain %ld\n", id, local, plain);
    turn++;
    pthread_cond_broadcast(&turnChanged);
    pthread_mutex_unlock(&mutex);
    return (void *)(id * id);
}

static sem_t ping, pong;

static void *echo(void *argument)
{
    for (int i = 0; i < 100; i++) {
        sem_wait(&ping);
        ++*(int *)argument;
        sem_post(&pong);
    }
    return NULL;
}

static void cleanup(void *argument) { printf("cleanup %s\n", (char *)argument); }

static void *waitForever(void *argument)
{
    pthread_cleanup_push(cleanup, argument);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

static void *reader(void *argument)
{
    long seen = 0;
    for (int i = 0; i < 50; i++) {
        pthread_rwlock_rdlock(&rwlock);
        seen = *(volatile long *)argument;
        pthread_rwlock_unlock(&rwlock);
        sched_yield();
    }
    (void)seen;
    return NULL;
}

static void *writer(void *argument)
{
    for (int i = 0; i < 50; i++) {
        pthread_rwlock_wrlock(&rwlock);
        ++*(long *)argument;
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

static void *recurse(void *argument)
{
    volatile char block[64 * 1024];
    memset((void *)block, 1, sizeof block);
    long depth = (long)argument;
    return depth == 0 ? NULL : (void *)(1 + (long)recurse((void *)(depth - 1)));
}

int main(void)
{
    pthread_t threads[Workers];
    pthread_key_create(&key, destroy);
    pthread_barrier_init(&barrier, NULL, Workers);
    for (long i = 0; i < Workers; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    void *results[Workers];
    for (int i = 0; i < Workers; i++)
        pthread_join(threads[i], &results[i]);
    for (int i = 0; i < Workers; i++)
        printf("join %d -> %ld\n", i, (long)results[i]);
    printf("sum %ld plain %ld destroyed %d once %d main local %d\n", sum, plain, destroyed, onceRuns, local);

    int count = 0;
    pthread_t other;
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    pthread_create(&other, NULL, echo, &count);
    for (int i = 0; i < 100; i++) {
        sem_post(&ping);
        sem_wait(&pong);
    }
    pthread_join(other, NULL);
    printf("ping-pong %d\n", count);

    pthread_create(&other, NULL, waitForever, "pause");
    pthread_cancel(other);
    void *result;
    pthread_join(other, &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);

    long shared = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, i & 1 ? writer : reader, &shared);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("written %ld\n", shared);

    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    printf("stack size %d\n", pthread_attr_setstacksize(&attributes, 8 << 20));
    pthread_create(&other, &attributes, recurse, (void *)50);
    pthread_join(other, &result);
    printf("depth %ld\n", (long)result);

    for (int i = 0; i < 200; i++) {
        if (pthread_create(&other, NULL, (void *(*)(void *))(void *)labs, (void *)(long)-i))
            die("pthread_create");
        pthread_join(other, &result);
    }
    printf("last %ld\n", (long)result);
    return 3;
}
