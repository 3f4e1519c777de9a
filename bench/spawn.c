/*
 * Starts a program again and again, one at a time.
 * usage: spawn COUNT PROGRAM [ARG...]
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

extern char **environ;

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: spawn COUNT PROGRAM [ARG...]\n", stderr);
        return 2;
    }
    int count = atoi(argv[1]);
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    double *times = malloc(count * sizeof *times);
    for (int i = 0; i < count; i++) {
        double start = now();
        pid_t child;
        int status;
        if (posix_spawnp(&child, argv[2], &quiet, NULL, argv + 2, environ) || waitpid(child, &status, 0) != child || status) {
            fprintf(stderr, "spawn: %s failed\n", argv[2]);
            return 1;
        }
        times[i] = (now() - start) * 1e3;
    }
    report("start", median(times, count), "ms");
    return 0;
}
