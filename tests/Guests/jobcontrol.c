// Controlling terminals: who gets one, who may use it, what is sent when it changes or goes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include "check.h"

static int master, slave;
static int news[2];

static void fresh(void)
{
    if (openpty(&master, &slave, NULL, NULL, NULL))
        die("openpty");
}

static void finish(void)
{
    close(master);
    close(slave);
}

static void noted(int signal)
{
    char letter = (char)signal;
    if (write(news[1], &letter, 1) != 1)
        _exit(98);
}

static void note(int signal) { sigaction(signal, &(struct sigaction){ .sa_handler = noted, .sa_flags = SA_RESTART }, NULL); }

// Signals that came so far, after the others had time to send them.
static void told(const char *who)
{
    printf("%s got", who);
    struct pollfd item = { news[0], POLLIN, 0 };
    char signal;
    while (poll(&item, 1, 100) > 0 && read(news[0], &signal, 1) == 1)
        printf(" %s", sigabbrev_np(signal));
    printf("\n");
    fflush(stdout);
}

static void status(const char *who, pid_t child, int options)
{
    int code;
    if (waitpid(child, &code, options) != child)
        printf("%s: no news\n", who);
    else if (WIFSTOPPED(code))
        printf("%s stopped by %s\n", who, sigabbrev_np(WSTOPSIG(code)));
    else if (WIFSIGNALED(code))
        printf("%s killed by %s\n", who, sigabbrev_np(WTERMSIG(code)));
    else
        printf("%s exits %d\n", who, WEXITSTATUS(code));
    fflush(stdout);
}

// A session leader without a terminal runs this, then ends.
static void session(const char *name, void (*body)(void))
{
    printf("- %s\n", name);
    fflush(stdout);
    fresh();
    pid_t leader = fork();
    if (leader == 0) {
        setsid();
        body();
        fflush(stdout);
        _exit(0);
    }
    status("leader", leader, 0);
    finish();
}

static pid_t group(void (*body)(void))
{
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        body();
        fflush(stdout);
        _exit(0);
    }
    setpgid(child, child);
    return child;
}

static void show_proc(void)
{
    char text[512];
    int file = open("/proc/self/stat", O_RDONLY);
    long length = read(file, text, sizeof text - 1);
    close(file);
    text[length > 0 ? length : 0] = 0;
    int parent, pgrp, sid, tty, foreground;
    sscanf(strrchr(text, ')') + 4, "%d %d %d %d %d", &parent, &pgrp, &sid, &tty, &foreground);
    printf("own group %d, session %d, major %d, foreground %s\n", pgrp == getpid(), sid == getpid(), tty >> 8, foreground == -1 ? "-1" : foreground == pgrp ? "mine" : "another");
}

static void acquire(void)
{
    show_proc();
    SHOW(open("/dev/tty", O_RDWR));
    SHOW(tcgetpgrp(slave));
    SHOW(tcgetsid(slave));
    SHOW(tcgetsid(master));
    int group = -1;
    SHOW(ioctl(master, TIOCGPGRP, &group));
    printf("%d\n", group);
    char *name = ttyname(slave);
    printf("named %d\n", name && strncmp(name, "/dev/pts/", 9) == 0);
    int other = open(name, O_RDWR | O_NOCTTY);
    show_proc();
    SHOW(close(other));
    other = open(name, O_WRONLY);
    show_proc();
    close(other);
    other = open(name, O_RDWR);
    show_proc();
    SHOW(tcgetsid(slave) == getpid());
    SHOW(tcgetsid(master) == getpid());
    SHOW(tcgetpgrp(master) == getpid());
    SHOW(ioctl(slave, TIOCSCTTY, 0));
    int tty = open("/dev/tty", O_RDWR);
    printf("%s\n", ttyname(tty));
    SHOW(write(tty, "x", 1));
    char byte;
    SHOW(read(master, &byte, 1));
    int first = slave;
    fresh();
    SHOW(ioctl(slave, TIOCSCTTY, 0));
    SHOW(tcsetpgrp(slave, getpid()));
    finish();
    slave = first;
    SHOW(tcsetpgrp(slave, -1));
    SHOW(tcsetpgrp(slave, 4000000));
    SHOW(tcsetpgrp(slave, getppid()));
    pid_t child = fork();
    if (child == 0) {
        SHOW(ioctl(slave, TIOCNOTTY));
        show_proc();
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        setsid();
        SHOW(ioctl(slave, TIOCSCTTY, 0));
        fflush(stdout);
        _exit(0);
    }
    status("child", child, 0);
    note(SIGHUP);
    note(SIGCONT);
    SHOW(ioctl(slave, TIOCNOTTY));
    told("leader");
    show_proc();
    SHOW(ioctl(slave, TIOCNOTTY));
    SHOW(ioctl(slave, TIOCSCTTY, 0));
    show_proc();
}

static void read_one(void)
{
    char byte;
    SHOW(read(slave, &byte, 1));
}

static void read_ignoring(void) { signal(SIGTTIN, SIG_IGN); read_one(); }

static void read_blocking(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTTIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    read_one();
}

static void read_handling(void) { sigaction(SIGTTIN, &(struct sigaction){ .sa_handler = noted }, NULL); read_one(); told("reader"); }

static void write_one(void) { SHOW(write(slave, "y", 1)); }

static void write_ignoring(void) { signal(SIGTTOU, SIG_IGN); write_one(); }

static void set_one(void)
{
    struct termios mode;
    tcgetattr(slave, &mode);
    SHOW(tcsetattr(slave, TCSANOW, &mode));
}

static void take_foreground(void) { SHOW(tcsetpgrp(slave, getpid())); }

static void take_ignoring(void) { signal(SIGTTOU, SIG_IGN); take_foreground(); }

static void orphan(void)
{
    // The group's only tie to the session goes.
    pid_t child = fork();
    if (child == 0) {
        usleep(100000);
        read_one();
        set_one();
        SHOW(raise(SIGTSTP));
        printf("orphans are not stopped\n");
        fflush(stdout);
        noted(SIGUSR1);
        _exit(0);
    }
    _exit(7);
}

static void background(void)
{
    ioctl(slave, TIOCSCTTY, 0);
    pid_t child = group(read_one);
    status("reader", child, WUNTRACED);
    if (write(master, "a\n", 2) != 2)
        die("write");
    SHOW(tcsetpgrp(slave, child));
    SHOW(kill(-child, SIGCONT));
    status("reader", child, WUNTRACED);
    signal(SIGTTOU, SIG_IGN);
    SHOW(tcsetpgrp(slave, getpid()));
    signal(SIGTTOU, SIG_DFL);
    status("ignoring reader", group(read_ignoring), WUNTRACED);
    status("blocking reader", group(read_blocking), WUNTRACED);
    child = group(read_handling);
    usleep(100000);
    SHOW(tcsetpgrp(slave, child));
    SHOW(write(master, "b\n", 2));
    status("handling reader", child, WUNTRACED);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, getpid());
    signal(SIGTTOU, SIG_DFL);
    status("writer", group(write_one), WUNTRACED);
    struct termios mode;
    tcgetattr(slave, &mode);
    mode.c_lflag |= TOSTOP;
    tcsetattr(slave, TCSANOW, &mode);
    child = group(write_one);
    status("writer", child, WUNTRACED);
    kill(-child, SIGKILL);
    status("writer", child, WUNTRACED);
    status("ignoring writer", group(write_ignoring), WUNTRACED);
    child = group(set_one);
    status("setter", child, WUNTRACED);
    kill(-child, SIGKILL);
    waitpid(child, NULL, 0);
    child = group(take_foreground);
    status("taker", child, WUNTRACED);
    kill(-child, SIGKILL);
    waitpid(child, NULL, 0);
    status("ignoring taker", group(take_ignoring), WUNTRACED);
    signal(SIGTTOU, SIG_IGN);
    SHOW(tcsetpgrp(slave, getpid()));
    status("maker of orphans", group(orphan), WUNTRACED);
    told("leader");
}

static void wait_for_signals(void)
{
    note(SIGHUP);
    note(SIGCONT);
    note(SIGWINCH);
    note(SIGINT);
    noted(SIGUSR1);
    // Outlives its session, but not for ever: it holds the output open.
    alarm(2);
    for (;;)
        pause();
}

static void sizes(void)
{
    ioctl(slave, TIOCSCTTY, 0);
    note(SIGWINCH);
    struct winsize size = { 10, 20, 30, 40 };
    SHOW(ioctl(slave, TIOCSWINSZ, &size));
    told("leader");
    SHOW(ioctl(master, TIOCSWINSZ, &size));
    told("leader");
    size.ws_col = 21;
    SHOW(ioctl(master, TIOCSWINSZ, &size));
    told("leader");
    memset(&size, 0, sizeof size);
    SHOW(ioctl(slave, TIOCGWINSZ, &size));
    printf("%d %d %d %d\n", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
    pid_t child = group(wait_for_signals);
    told("child");
    tcsetpgrp(slave, child);
    size.ws_row = 11;
    SHOW(ioctl(master, TIOCSWINSZ, &size));
    SHOW(write(master, "\003", 1));
    told("child");
    SHOW(ioctl(master, TIOCSIG, SIGINT));
    told("child");
    SHOW(ioctl(master, TIOCSIG, SIGHUP));
    kill(child, SIGKILL);
    status("child", child, 0);
    note(SIGINT);
    SHOW(write(master, "\003", 1));
    told("leader");
}

static void leader_ends(void)
{
    ioctl(slave, TIOCSCTTY, 0);
    pid_t child = group(wait_for_signals);
    tcsetpgrp(slave, child);
    told("child");
}

static void wait_without_master(void) { close(master); wait_for_signals(); }

static void master_closed(void)
{
    // The parent keeps its own open.
    fresh();
    ioctl(slave, TIOCSCTTY, 0);
    pid_t child = group(wait_without_master);
    told("child");
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(slave, child);
    note(SIGHUP);
    note(SIGCONT);
    close(master);
    told("leader");
    show_proc();
    char byte;
    SHOW(read(slave, &byte, 1));
    SHOW(write(slave, "a", 1));
    SHOW(open("/dev/tty", O_RDWR));
    SHOW(tcgetsid(slave) == getpid());
    int count;
    SHOW(ioctl(slave, FIONREAD, &count));
}

static void packets(void)
{
    char data[64];
    int on = 1, number = -1;
    struct termios mode;
    SHOW(ioctl(master, TIOCPKT, &on));
    SHOW(ioctl(master, TIOCGPKT, &number));
    SHOW(write(slave, "hi", 2));
    long got = SHOW(read(master, data, sizeof data));
    printf("%d %.*s\n", data[0], (int)got - 1, data + 1);
    SHOW(tcflow(slave, TCOOFF));
    SHOW(tcflow(slave, TCOON));
    tcgetattr(slave, &mode);
    mode.c_iflag &= ~IXON;
    tcsetattr(slave, TCSANOW, &mode);
    tcflush(slave, TCIOFLUSH);
    struct pollfd item = { master, POLLIN | POLLPRI, 0 };
    SHOW(poll(&item, 1, 0));
    printf("%x\n", item.revents);
    SHOW(read(master, data, sizeof data));
    printf("%x\n", data[0]);
    SHOW(ioctl(slave, TIOCPKT, &on));
    SHOW(ioctl(slave, TIOCGPTN, &number));
    SHOW(ioctl(master, TIOCGPTLCK, &number));
    printf("%d\n", number);
    int peer = SHOW(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY)) >= 0;
    printf("%d\n", peer);
    unsigned device = 0;
    SHOW(ioctl(master, TIOCGDEV, &device));
    printf("%d\n", device >> 8);
    int fresh_master = posix_openpt(O_RDWR | O_NOCTTY);
    SHOW(ioctl(fresh_master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
    SHOW(unlockpt(fresh_master));
    int fresh_slave = open(ptsname(fresh_master), O_RDWR | O_NOCTTY);
    SHOW(close(fresh_master));
    SHOW(open(ptsname(master), O_PATH) >= 0);
    SHOW(write(fresh_slave, "a", 1));
    SHOW(isatty(fresh_slave));
    int disc = 5;
    SHOW(ioctl(slave, TIOCGETD, &disc));
    printf("%d\n", disc);
    SHOW(ioctl(slave, TIOCMGET, &disc));
    SHOW(ioctl(slave, 0x1234, &disc));
    SHOW(tcsendbreak(slave, 0));
    SHOW(tcdrain(slave));
    SHOW(lseek(slave, 0, SEEK_SET));
    SHOW(pread(slave, data, 1, 0));
}

static void timed(void)
{
    struct termios mode;
    char data[64];
    tcgetattr(slave, &mode);
    cfmakeraw(&mode);
    mode.c_cc[VMIN] = 3;
    mode.c_cc[VTIME] = 1;
    tcsetattr(slave, TCSANOW, &mode);
    SHOW(write(master, "ab", 2));
    SHOW(read(slave, data, sizeof data));
    SHOW(write(master, "abcd", 4));
    SHOW(read(slave, data, 2));
    fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
    SHOW(read(slave, data, sizeof data));
    SHOW(read(slave, data, sizeof data));
    mode.c_cc[VMIN] = 0;
    mode.c_cc[VTIME] = 0;
    tcsetattr(slave, TCSANOW, &mode);
    SHOW(read(slave, data, sizeof data));
    mode.c_cc[VTIME] = 1;
    tcsetattr(slave, TCSANOW, &mode);
    SHOW(read(slave, data, sizeof data));
    fcntl(slave, F_SETFL, O_RDWR);
    SHOW(read(slave, data, sizeof data));
    mode.c_cc[VMIN] = 4;
    tcsetattr(slave, TCSANOW, &mode);
    struct sigaction action = { .sa_handler = noted };
    sigaction(SIGALRM, &action, NULL);
    ualarm(50000, 0);
    SHOW(read(slave, data, sizeof data));
    told("reader");
    mode.c_cc[VTIME] = 0;
    tcsetattr(slave, TCSANOW, &mode);
    SHOW(write(master, "xy", 2));
    ualarm(50000, 0);
    SHOW(read(slave, data, sizeof data));
    told("reader");
}

static void events(void)
{
    // The parent keeps its own open.
    fresh();
    int set = epoll_create1(0);
    struct epoll_event event = { EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLET, { 0 } };
    epoll_ctl(set, EPOLL_CTL_ADD, master, &event);
    SHOW(epoll_wait(set, &event, 1, 0));
    printf("%x\n", event.events);
    SHOW(epoll_wait(set, &event, 1, 0));
    SHOW(write(slave, "a", 1));
    SHOW(epoll_wait(set, &event, 1, 100));
    printf("%x\n", event.events);
    close(slave);
    SHOW(epoll_wait(set, &event, 1, 100));
    printf("%x\n", event.events);
    char data[8];
    SHOW(read(master, data, sizeof data));
    SHOW(read(master, data, sizeof data));
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    SHOW(read(master, data, sizeof data));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (pipe(news))
        die("pipe");
    session("acquire", acquire);
    session("background", background);
    session("sizes", sizes);
    session("the leader ends", leader_ends);
    told("its child");
    session("the master is closed", master_closed);
    told("its child");
    session("packets", packets);
    session("timed", timed);
    session("events", events);
    return 0;
}
