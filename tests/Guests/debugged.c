// A program to look into with gdb: calls, data, threads, a signal, a child process.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct point { int x, y; const char *name; double weight; };

static int total;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t together;

__attribute__((noinline)) static int add(int a, int b)
{
    int sum = a + b;
    total += sum;
    return sum;
}

static void walk(struct point *p, int depth)
{
    if (depth == 0)
        p->x = add(p->x, p->y);
    else
        walk(p, depth - 1);
}

static void on_signal(int number)
{
    total += number;
}

__attribute__((noinline)) static void all_here(void)
{
}

static void *work(void *index)
{
    pthread_mutex_lock(&lock);
    total += (int)(long)index;
    pthread_mutex_unlock(&lock);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    return NULL;
}

static void run_threads(void)
{
    pthread_t threads[3];
    pthread_barrier_init(&together, NULL, 4);
    for (long i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    pthread_barrier_wait(&together);
    all_here();
    pthread_barrier_wait(&together);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static int run_child(void)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(add(1, 2));
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    struct point p = { 3, 4, "here", 1.5 };
    for (int i = 0; i < 3; i++) {
        walk(&p, 2);
        p.y *= 2;
    }
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    if (argc > 1 && strcmp(argv[1], "threads") == 0)
        run_threads();
    if (argc > 1 && strcmp(argv[1], "wait") == 0) {
        puts("waiting");
        fflush(stdout);
        while (getppid() != 1)
            usleep(1000);
    }
    if (argc > 1 && strcmp(argv[1], "crash") == 0)
        *(volatile int *)8 = p.x;
    printf("total %d, child %d\n", total, run_child());
    return 7;
}
