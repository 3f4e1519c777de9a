// Threads that queue at one lock, for the trace to find.
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { Threads = 8, Rounds = 40 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *work(void *unused)
{
    (void)unused;
    for (int i = 0; i < Rounds; i++) {
        pthread_mutex_lock(&lock);
        counter++;
        // Whoever has the lock sleeps with it.
        nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[Threads];
    for (int i = 0; i < Threads; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < Threads; i++)
        pthread_join(threads[i], NULL);
    printf("%ld\n", counter);
    return 0;
}
