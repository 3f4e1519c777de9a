// A pseudo-terminal: line editing, echo, signals by control characters, raw mode, window size, job control, hang-up.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include "check.h"

static int master, slave;

static void type(const char *keys)
{
    if (write(master, keys, strlen(keys)) < 0)
        die("write");
}

// What comes out: so many bytes that are waited for, and any that come with them.
static void output(const char *what, int expected)
{
    char data[512];
    printf("%s:", what);
    struct pollfd item = { master, POLLIN, 0 };
    while (poll(&item, 1, expected > 0 ? 10000 : 0) > 0 && item.revents & POLLIN) {
        long got = read(master, data, sizeof data);
        if (got <= 0)
            break;
        expected -= got;
        for (long i = 0; i < got; i++)
            printf(data[i] < ' ' ? " \\%o" : "%c", data[i]);
    }
    printf("\n");
}

static void input(const char *what)
{
    char line[512];
    long got = read(slave, line, sizeof line);
    printf("%s: %ld '%.*s'\n", what, got, got > 0 ? (int)got - (line[got - 1] == '\n') : 0, line);
}

static void interrupted(int signal) { printf("child got %d\n", signal); fflush(stdout); _exit(signal); }

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct winsize size = { 24, 80, 0, 0 };
    SHOW(openpty(&master, &slave, NULL, NULL, &size));
    SHOW(isatty(slave));
    SHOW(isatty(0));
    type("hellp\177o\n");
    output("echo", 11);
    input("line");
    type("one two\027three\025again\n");
    output("editing", 55);
    input("edited");
    type("no end\004");
    input("partial line");
    type("\004");
    input("end of file");
    struct termios mode;
    SHOW(tcgetattr(slave, &mode));
    printf("%x %x %x %x\n", mode.c_iflag, mode.c_oflag, mode.c_cflag, mode.c_lflag);
    if (write(slave, "a\nb\tc\n", 6) != 6)
        die("write");
    output("post-processed", 14);
    cfmakeraw(&mode);
    SHOW(tcsetattr(slave, TCSANOW, &mode));
    type("\003x\r");
    input("raw");
    output("no echo", 0);
    if (write(slave, "a\nb\n", 4) != 4)
        die("write");
    output("raw output", 4);
    mode.c_cc[VMIN] = 0;
    mode.c_cc[VTIME] = 1;
    SHOW(tcsetattr(slave, TCSANOW, &mode));
    input("time-out");
    SHOW(ioctl(slave, TIOCGWINSZ, &size));
    printf("%d x %d\n", size.ws_row, size.ws_col);
    SHOW(tcgetpgrp(slave));
    int ready[2];
    if (pipe(ready))
        die("pipe");
    int other;
    pid_t child = forkpty(&other, NULL, NULL, &size);
    if (child == 0) {
        signal(SIGINT, interrupted);
        printf("leader %d foreground %d\n", getsid(0) == getpid(), tcgetpgrp(0) == getpid());
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    SHOW(read(ready[0], &byte, 1));
    SHOW(write(other, "\003", 1));
    int status;
    waitpid(child, &status, 0);
    printf("child exit %d\n", WEXITSTATUS(status));
    master = other;
    output("child's screen", 38);
    child = forkpty(&other, NULL, NULL, NULL);
    if (child == 0) {
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    SHOW(read(ready[0], &byte, 1));
    close(other);
    waitpid(child, &status, 0);
    printf("hung up %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return 0;
}
