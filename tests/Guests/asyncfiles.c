// O_ASYNC: signals that tell that pipes, FIFOs and sockets can be read or written, whom they go to, and what they say.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static sigset_t watched;
static char bytes[70000];

static const char *name(int sig)
{
    return sig == SIGIO ? "SIGIO" : sig == SIGURG ? "SIGURG" : sig == SIGRTMIN ? "SIGRTMIN" : "SIGUSR1";
}

// Lists what is pending, like signals in a row once.
static void drain(const char *what)
{
    printf("%s:", what);
    siginfo_t info, last = { 0 };
    struct timespec pause = { 0, 0 };
    for (int sig; (sig = sigtimedwait(&watched, &info, &pause)) > 0; last = info)
    {
        if (last.si_signo == sig && last.si_code == info.si_code)
            continue;
        printf(" %s code %d", name(sig), info.si_code);
        if (info.si_code != SI_KERNEL)
            printf(" fd %d band %lx", info.si_fd, info.si_band);
    }
    puts("");
}

static void follow(int fd, int sig)
{
    fcntl(fd, F_SETOWN, getpid());
    fcntl(fd, F_SETSIG, sig);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC | O_NONBLOCK) != 0)
        die("F_SETFL");
}

static void pipes(void)
{
    int ends[2];
    pipe(ends);
    follow(ends[0], SIGRTMIN);
    follow(ends[1], SIGRTMIN);
    write(ends[1], "a", 1);
    drain("write to a pipe");
    write(ends[1], "b", 1);
    drain("again");
    read(ends[0], bytes, 1);
    drain("read");
    read(ends[0], bytes, 9);
    drain("read all");
    read(ends[0], bytes, 9);
    drain("read nothing");
    write(ends[1], bytes, sizeof bytes);
    drain("fill");
    close(ends[1]);
    drain("close the writer");
    close(ends[0]);
    drain("close the reader");
    pipe(ends);
    follow(ends[1], SIGRTMIN);
    close(ends[0]);
    drain("close the reader first");
    close(ends[1]);
}

static void switches(void)
{
    int ends[2], on = 1, off = 0;
    pipe(ends);
    follow(ends[0], 0);
    write(ends[1], "a", 1);
    drain("by default");
    SHOW(fcntl(ends[0], F_SETFL, 0));
    write(ends[1], "a", 1);
    drain("switched off");
    SHOW(ioctl(ends[0], FIOASYNC, &on));
    printf("flags %x\n", fcntl(ends[0], F_GETFL));
    write(ends[1], "a", 1);
    drain("by ioctl");
    int copy = dup(ends[0]);
    close(ends[0]);
    write(ends[1], "a", 1);
    drain("by a copy");
    close(copy);
    int null = open("/dev/null", O_RDONLY | O_ASYNC);
    printf("flags %x\n", fcntl(null, F_GETFL));
    SHOW(ioctl(null, FIOASYNC, &on));
    SHOW(ioctl(null, FIOASYNC, &off));
    SHOW(fcntl(null, F_SETSIG, 65));
    SHOW(fcntl(null, F_SETFL, 0));
    printf("flags %x\n", fcntl(null, F_GETFL));
}

static void sockets(void)
{
    int ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    follow(ends[0], SIGRTMIN);
    follow(ends[1], SIGRTMIN);
    write(ends[1], "ab", 2);
    drain("write to a stream");
    read(ends[0], bytes, 1);
    drain("read");
    read(ends[0], bytes, 1);
    while (write(ends[1], bytes, sizeof bytes) > 0)
        continue;
    drain("fill");
    while (read(ends[0], bytes, sizeof bytes) > 0)
        continue;
    drain("empty");
    shutdown(ends[1], SHUT_WR);
    drain("shut down");
    close(ends[1]);
    drain("close");
    close(ends[0]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    follow(ends[0], SIGRTMIN);
    write(ends[1], "a", 1);
    drain("send a datagram");
}

static void internet(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    bind(udp, (void *)&address, length);
    getsockname(udp, (void *)&address, &length);
    follow(udp, SIGRTMIN);
    sendto(udp, "q", 1, 0, (void *)&address, length);
    drain("send by UDP");
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = 0;
    bind(listener, (void *)&address, length);
    listen(listener, 4);
    getsockname(listener, (void *)&address, &length);
    follow(listener, SIGRTMIN);
    connect(client, (void *)&address, length);
    drain("connect");
    int server = accept(listener, NULL, NULL);
    follow(server, SIGRTMIN);
    write(client, "hello", 5);
    drain("write by TCP");
    read(server, bytes, 5);
    fcntl(server, F_SETFL, O_NONBLOCK);
    send(client, "!", 1, MSG_OOB);
    drain("urgent, with O_ASYNC off");
    fcntl(server, F_SETFL, O_NONBLOCK | O_ASYNC);
    close(client);
    drain("close");
}

static int theirs[2], otherId;

static void *other(void *unused)
{
    struct f_owner_ex owner = { F_OWNER_TID, syscall(SYS_gettid) };
    otherId = owner.pid;
    fcntl(theirs[0], F_SETOWN_EX, &owner);
    fcntl(theirs[0], F_SETSIG, SIGRTMIN);
    fcntl(theirs[0], F_SETFL, O_ASYNC);
    write(theirs[1], "a", 1);
    drain("the thread");
    return unused;
}

static void owners(void)
{
    pipe(theirs);
    pthread_t thread;
    pthread_create(&thread, NULL, other, NULL);
    pthread_join(thread, NULL);
    // Who joins it is told a little before it is gone.
    while (stateOf(otherId))
        usleep(1000);
    drain("not the first thread");
    write(theirs[1], "a", 1);
    drain("its thread is gone");
    struct f_owner_ex owner;
    SHOW(fcntl(theirs[0], F_GETOWN_EX, &owner));
    printf("owner %d %d\n", owner.type, owner.pid);
    // A group: the child, which is of it, and this process.
    setpgid(0, 0);
    int told[2];
    pipe(told);
    fcntl(theirs[0], F_SETOWN, -getpid());
    pid_t child = fork();
    if (child == 0)
    {
        siginfo_t info;
        write(told[1], "r", 1);
        _exit(sigwaitinfo(&watched, &info) == SIGRTMIN && info.si_code == POLL_IN ? 7 : 8);
    }
    read(told[0], bytes, 1);
    write(theirs[1], "a", 1);
    int status;
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    drain("the group");
}

static void others(void)
{
    mkfifo("/tmp/asyncfiles.fifo", 0600);
    int both = open("/tmp/asyncfiles.fifo", O_RDWR);
    unlink("/tmp/asyncfiles.fifo");
    follow(both, SIGRTMIN);
    write(both, "a", 1);
    drain("a FIFO open for both");
    read(both, bytes, 1);
    drain("and read");
    int notify = inotify_init1(0);
    mkdir("/tmp/asyncfiles.d", 0700);
    inotify_add_watch(notify, "/tmp/asyncfiles.d", IN_DELETE_SELF);
    follow(notify, SIGRTMIN);
    rmdir("/tmp/asyncfiles.d");
    drain("inotify");
}

int main(void)
{
    close_range(3, ~0U, 0);
    sigemptyset(&watched);
    int all[] = { SIGIO, SIGURG, SIGUSR1, SIGRTMIN };
    for (int i = 0; i < 4; i++)
        sigaddset(&watched, all[i]);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    signal(SIGPIPE, SIG_IGN);
    pipes();
    switches();
    sockets();
    internet();
    owners();
    others();
}
