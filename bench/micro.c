/*
 * What single system calls and small groups of them cost.
 * usage: micro [SCALE]
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* Seconds since `start` for each of `count`, in units of `unit` seconds. */
static double each(double start, int count, double unit)
{
    return (now() - start) / count / unit;
}

static double getppid_call(int count)
{
    double start = now();
    for (int i = 0; i < count; i++)
        syscall(SYS_getppid);
    return each(start, count, 1e-9);
}

static double clock_gettime_call(int count)
{
    struct timespec time;
    double start = now();
    for (int i = 0; i < count; i++)
        clock_gettime(CLOCK_MONOTONIC, &time);
    return each(start, count, 1e-9);
}

static void transfer(int from, int to)
{
    char byte = 1;
    if (to >= 0 && write(to, &byte, 1) != 1)
        abort();
    if (from >= 0 && read(from, &byte, 1) != 1)
        abort();
}

static double pipe_to_itself(int count)
{
    int ends[2];
    if (pipe(ends))
        abort();
    double start = now();
    for (int i = 0; i < count; i++)
        transfer(ends[0], ends[1]);
    double result = each(start, count, 1e-9);
    close(ends[0]);
    close(ends[1]);
    return result;
}

static int there[2], back[2];
static int rounds;

static void *echo(void *unused)
{
    for (int i = 0; i < rounds; i++) {
        transfer(there[0], -1);
        transfer(-1, back[1]);
    }
    return unused;
}

static void open_pipes(int count)
{
    rounds = count;
    if (pipe(there) || pipe(back))
        abort();
}

static void close_pipes(void)
{
    close(there[0]);
    close(there[1]);
    close(back[0]);
    close(back[1]);
}

static double ping_pong(int count)
{
    double start = now();
    for (int i = 0; i < count; i++)
        transfer(back[0], there[1]);
    return each(start, count, 1e-9);
}

static double ping_pong_threads(int count)
{
    pthread_t thread;
    open_pipes(count);
    pthread_create(&thread, NULL, echo, NULL);
    double result = ping_pong(count);
    pthread_join(thread, NULL);
    close_pipes();
    return result;
}

static double ping_pong_processes(int count)
{
    open_pipes(count);
    pid_t child = fork();
    if (child == 0) {
        echo(NULL);
        _exit(0);
    }
    double result = ping_pong(count);
    waitpid(child, NULL, 0);
    close_pipes();
    return result;
}

static double event_loop(int count)
{
    int set = epoll_create1(0), event = eventfd(0, 0);
    struct epoll_event interest = { .events = EPOLLIN }, ready;
    epoll_ctl(set, EPOLL_CTL_ADD, event, &interest);
    double start = now();
    for (int i = 0; i < count; i++) {
        uint64_t value = 1;
        if (write(event, &value, 8) != 8 || epoll_wait(set, &ready, 1, -1) != 1 || read(event, &value, 8) != 8)
            abort();
    }
    double result = each(start, count, 1e-9);
    close(set);
    close(event);
    return result;
}

static double fork_exit_wait(int count)
{
    double start = now();
    for (int i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    return each(start, count, 1e-6);
}

static double map_touch_unmap(int count)
{
    enum { LENGTH = 65536 };
    double start = now();
    for (int i = 0; i < count; i++) {
        char *pages = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (int offset = 0; offset < LENGTH; offset += 4096)
            pages[offset] = 1;
        munmap(pages, LENGTH);
    }
    return each(start, count, 1e-9);
}

static double create_join(int count)
{
    rounds = 0;
    double start = now();
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, echo, NULL);
        pthread_join(thread, NULL);
    }
    return each(start, count, 1e-6);
}

static const struct {
    const char *name;
    const char *unit;
    double (*run)(int count);
    int count;
} benchmarks[] = {
    { "getppid", "ns", getppid_call, 300000 },
    { "clock_gettime", "ns", clock_gettime_call, 300000 },
    { "pipe write, read", "ns", pipe_to_itself, 100000 },
    { "pipe ping-pong, threads", "ns", ping_pong_threads, 20000 },
    { "pipe ping-pong, processes", "ns", ping_pong_processes, 20000 },
    { "eventfd, epoll_wait, read", "ns", event_loop, 100000 },
    { "mmap 64K, touch, munmap", "ns", map_touch_unmap, 3000 },
    { "fork, exit, wait", "us", fork_exit_wait, 300 },
    { "pthread create, join", "us", create_join, 1000 },
};

int main(int argc, char **argv)
{
    double scale = argc > 1 ? atof(argv[1]) : 1;
    for (size_t i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++) {
        double results[REPETITIONS];
        for (int r = 0; r < REPETITIONS; r++)
            results[r] = benchmarks[i].run(scaled(benchmarks[i].count, scale));
        report(benchmarks[i].name, median(results, REPETITIONS), benchmarks[i].unit);
    }
    return 0;
}
