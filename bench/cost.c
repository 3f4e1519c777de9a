/*
 * What a program costs in processor time, its own and its children's; other work on the machine does not count.
 * usage: cost COUNT PROGRAM [ARG...]
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

static double milliseconds(struct timeval time)
{
    return time.tv_sec * 1e3 + time.tv_usec / 1e3;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: cost COUNT PROGRAM [ARG...]\n", stderr);
        return 2;
    }
    int count = atoi(argv[1]);
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    double *times = malloc(count * sizeof *times);
    for (int i = 0; i < count; i++) {
        pid_t child;
        int status;
        struct rusage used;
        if (posix_spawnp(&child, argv[2], &quiet, NULL, argv + 2, environ) || wait4(child, &status, 0, &used) != child || status) {
            fprintf(stderr, "cost: %s failed\n", argv[2]);
            return 1;
        }
        times[i] = milliseconds(used.ru_utime) + milliseconds(used.ru_stime);
    }
    report("cost", median(times, count), "ms");
    return 0;
}
