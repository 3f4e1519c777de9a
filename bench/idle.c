/*
 * Many processes that sleep, for measuring what one costs: children by fork, or by posix_spawn of this program.
 * usage: idle fork|spawn COUNT      writes "ready" and sleeps with them until its standard input ends
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void start(const char *program, int by_fork)
{
    pid_t child;
    char *command[] = { (char *)program, "sleep", NULL };
    if (by_fork) {
        child = fork();
        if (child == 0) {
            close(STDOUT_FILENO);
            for (;;)
                pause();
        }
    } else if (posix_spawn(&child, program, NULL, NULL, command, environ) != 0) {
        child = -1;
    }
    if (child < 0) {
        perror("idle");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    char end;
    if (argc == 2 && strcmp(argv[1], "sleep") == 0) {
        close(STDOUT_FILENO);
        for (;;)
            pause();
    }
    if (argc != 3) {
        fputs("usage: idle fork|spawn COUNT\n", stderr);
        return 2;
    }
    setpgid(0, 0);
    for (int i = atoi(argv[2]); i > 0; i--)
        start(argv[0], strcmp(argv[1], "fork") == 0);
    if (write(STDOUT_FILENO, "ready\n", 6) != 6 || read(STDIN_FILENO, &end, 1) < 0)
        return 1;
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(NULL) > 0)
        continue;
    return 0;
}
