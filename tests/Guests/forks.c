// Process trees: fork, vfork, wait in all its forms, statuses, reparenting, process groups, sessions, exec, exit handlers.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "check.h"

extern char **environ;

static int tree(int depth)
{
    if (depth == 0)
        return 1;
    int sum = 1;
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(tree(depth - 1));
    }
    for (int i = 2; i >= 0; i--) {
        int status;
        if (waitpid(children[i], &status, 0) != children[i])
            die("waitpid");
        sum += WEXITSTATUS(status);
    }
    return sum;
}

static void sayBye(void) { printf("atexit\n"); }

static void waits(void)
{
    siginfo_t info = { 0 };
    SHOW(waitpid(-1, NULL, 0));
    SHOW(waitpid(getpid(), NULL, 0));
    pid_t child = fork();
    if (child == 0)
        _exit(33);
    SHOW(waitid(P_PID, child, &info, WEXITED | WNOWAIT));
    printf("%d %d %d %d\n", info.si_signo, info.si_code, info.si_status, info.si_pid == child);
    SHOW(waitid(P_PID, child, &info, WEXITED | WNOHANG));
    SHOW(waitid(P_PID, child, &info, WEXITED));
    SHOW(waitid(P_ALL, 0, &info, 0));
    int ends[2];
    if (pipe(ends))
        die("pipe");
    child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        if (read(ends[0], &byte, 1) != 0)
            _exit(1);
        _exit(2);
    }
    close(ends[0]);
    SHOW(waitpid(child, NULL, WNOHANG));
    close(ends[1]);
    int status;
    struct rusage usage;
    SHOW(wait4(child, &status, 0, &usage) == child);
    printf("status %x\n", status);
    signal(SIGCHLD, SIG_IGN);
    child = fork();
    if (child == 0)
        _exit(0);
    SHOW(waitpid(child, &status, 0));
    signal(SIGCHLD, SIG_DFL);
}

static void orphans(void)
{
    int ends[2];
    if (pipe(ends))
        die("pipe");
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t self = getpid(), middle = fork();
    if (middle == 0) {
        if (fork() == 0) {
            while (getppid() != self)
                sched_yield();
            dprintf(ends[1], "adopted %d\n", getppid() == self);
            _exit(21);
        }
        _exit(0);
    }
    int status;
    waitpid(middle, &status, 0);
    char text[64] = "";
    SHOW(read(ends[0], text, sizeof text));
    printf("%s", text);
    SHOW(waitpid(-1, &status, 0) > 0);
    printf("orphan's status %d\n", WEXITSTATUS(status));
    close(ends[0]);
    close(ends[1]);
}

static void groups(void)
{
    pid_t child = fork();
    if (child == 0) {
        SHOW(getpgrp() == getpgid(getppid()));
        SHOW(setpgid(0, 0));
        SHOW(getpgrp() == getpid());
        SHOW(setsid());
        SHOW(setpgid(getppid(), 0));
        SHOW(setpgid(99999, 0));
        pid_t leader = fork();
        if (leader == 0) {
            SHOW(setsid() == getpid());
            SHOW(getsid(0) == getpid());
            SHOW(setpgid(0, 0));
            SHOW(open("/dev/tty", O_RDWR));
            exit(0);
        }
        waitpid(leader, NULL, 0);
        exit(4);
    }
    int status;
    waitpid(child, &status, 0);
    printf("group child %d\n", WEXITSTATUS(status));
    // A whole group signalled at once.
    pid_t first = 0;
    for (int i = 0; i < 4; i++) {
        pid_t member = fork();
        if (member == 0) {
            setpgid(0, first);
            for (;;)
                pause();
        }
        setpgid(member, first);
        if (!first)
            first = member;
    }
    SHOW(kill(-first, SIGTERM));
    int ended = 0;
    while (waitpid(-first, &status, 0) > 0)
        ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    printf("group of %d ended\n", ended);
    SHOW(kill(-first, 0));
}

static void starting(char *self)
{
    fflush(stdout);
    pid_t child = vfork();
    if (child == 0) {
        execl(self, self, "child", "one", "", "two words", (char *)NULL);
        _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    printf("vfork+exec %d\n", WEXITSTATUS(status));
    child = vfork();
    if (child == 0) {
        execl("/nonexistent", "x", (char *)NULL);
        _exit(errno);
    }
    waitpid(child, &status, 0);
    printf("missing: %s\n", strerrorname_np(WEXITSTATUS(status)));
    SHOW(execl("/", "x", (char *)NULL));
    SHOW(execl("/etc/passwd", "x", (char *)NULL));
    SHOW(execl("/etc/passwd/x", "x", (char *)NULL));
    char *arguments[] = { self, "child", "spawned", NULL };
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    fflush(stdout);
    int failure = posix_spawn(&child, self, &actions, NULL, arguments, environ);
    waitpid(child, &status, 0);
    printf("posix_spawn %d child %d\n", failure, WEXITSTATUS(status));
    printf("posix_spawn of nothing: %s\n", strerrorname_np(posix_spawn(&child, "/nothing", NULL, NULL, arguments, environ)));
    int script = open("/tmp/forks-script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    dprintf(script, "#!%s child   -x y \nignored\n", self);
    close(script);
    fflush(stdout);
    if ((child = fork()) == 0) {
        execl("/tmp/forks-script", "zero", "last", (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    printf("script %d\n", WEXITSTATUS(status));
    unlink("/tmp/forks-script");
}

int main(int count, char **values)
{
    if (count > 1 && strcmp(values[1], "child") != 0 && strncmp(values[1], "child   -x y", 12) != 0)
        return 64;
    if (count > 1) {
        printf("child:");
        for (int i = 1; i < count; i++)
            printf(" [%s]", values[i]);
        printf(" fd 9 %s\n", fcntl(9, F_GETFD) < 0 ? "closed" : "open");
        return 10 + count;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length] = 0;
    waits();
    printf("tree of %d\n", tree(4));
    orphans();
    groups();
    starting(self);
    atexit(sayBye);
    fflush(stdout);
    if (fork() == 0)
        exit(0);
    wait(NULL);
    return 200;
}
