// Files that raise signals: owners, leases and how they are broken, changes of directories.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static volatile int hits, code, descriptor;
static volatile long band;

static void handler(int signal, siginfo_t *info, void *context)
{
    hits++;
    code = info->si_code;
    descriptor = info->si_fd;
    band = info->si_band;
}

static void seen(const char *what, int fd)
{
    printf("%s: signals %d", what, hits);
    if (hits && code != SI_KERNEL)
        printf(", code %d band %lx same descriptor %d", code, band, descriptor == fd);
    printf("\n");
    fflush(stdout);
    hits = 0;
}

static void owners(void)
{
    printf("-- owners\n");
    int file = open("file", O_RDONLY);
    struct f_owner_ex owner;
    SHOW(fcntl(file, F_GETOWN));
    SHOW(fcntl(file, F_GETSIG));
    SHOW(fcntl(file, F_SETSIG, 65));
    SHOW(fcntl(file, F_SETSIG, SIGUSR1));
    SHOW(fcntl(file, F_GETSIG) == SIGUSR1);
    SHOW(fcntl(file, F_SETOWN, 4000000));
    SHOW(fcntl(file, F_SETOWN, getpid()));
    SHOW(fcntl(file, F_GETOWN) == getpid());
    SHOW(fcntl(file, F_GETOWN_EX, &owner));
    printf("%d %d\n", owner.type, owner.pid == getpid());
    SHOW(fcntl(file, F_SETOWN, -getpgrp()));
    SHOW(fcntl(file, F_GETOWN_EX, &owner));
    printf("%d %d\n", owner.type, owner.pid == getpgrp());
    owner.type = 7;
    SHOW(fcntl(file, F_SETOWN_EX, &owner));
    owner.type = F_OWNER_TID;
    owner.pid = gettid();
    SHOW(fcntl(file, F_SETOWN_EX, &owner));
    owner.pid = 4000000;
    SHOW(fcntl(file, F_SETOWN_EX, &owner));
    SHOW(fcntl(file, F_SETOWN, 0));
    SHOW(fcntl(file, F_GETOWN));
    close(file);
}

static void taking(void)
{
    printf("-- taking leases\n");
    int reader = open("file", O_RDONLY), writer = open("file", O_RDWR);
    SHOW(fcntl(reader, F_GETLEASE));
    SHOW(fcntl(reader, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(reader, F_SETLEASE, F_WRLCK));
    SHOW(fcntl(reader, F_SETLEASE, F_UNLCK));
    SHOW(fcntl(reader, F_SETLEASE, 3));
    SHOW(fcntl(writer, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(writer, F_SETLEASE, F_WRLCK));
    close(reader);
    SHOW(fcntl(writer, F_SETLEASE, F_WRLCK));
    SHOW(fcntl(writer, F_GETLEASE));
    SHOW(fcntl(writer, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(writer, F_SETLEASE, F_UNLCK));
    SHOW(fcntl(writer, F_GETLEASE));
    close(writer);
    reader = open("file", O_RDONLY);
    SHOW(fcntl(reader, F_SETLEASE, F_RDLCK));
    int copy = dup(reader), other = open("file", O_RDONLY);
    SHOW(fcntl(copy, F_GETLEASE));
    SHOW(fcntl(other, F_GETLEASE));
    SHOW(fcntl(other, F_SETLEASE, F_RDLCK));
    SHOW(fcntl(other, F_SETLEASE, F_UNLCK));
    close(other);
    close(reader);
    SHOW(fcntl(copy, F_GETLEASE));
    close(copy);
    int directory = open(".", O_RDONLY);
    SHOW(fcntl(directory, F_SETLEASE, F_RDLCK));
    close(directory);
    int pipes[2];
    pipe(pipes);
    SHOW(fcntl(pipes[0], F_SETLEASE, F_RDLCK));
    SHOW(fcntl(pipes[0], F_NOTIFY, DN_CREATE));
    close(pipes[0]);
    close(pipes[1]);
}

// Shared with the children: the parent is about to let who waits go on.
static volatile int *released;

// A child opens the file: whether it waited for the parent, and what came of it.
static pid_t opening(const char *what, int flags, int isTruncation)
{
    fflush(stdout);
    *released = 0;
    pid_t child = fork();
    if (child)
        return child;
    // Or the lease would outlive the parent's close.
    for (int fd = 3; fd < 10; fd++)
        close(fd);
    int result = isTruncation ? truncate("file", 1) : open("file", flags);
    int error = errno;
    printf("%s: %s, %s\n", what, result < 0 ? strerrorname_np(error) : "opened", *released ? "waited" : "at once");
    fflush(stdout);
    _exit(0);
}

// What lets a child's open go on: the child's line comes first, or either might.
#define SHOW_BEHIND(child, call) \
    do { \
        *released = 1; \
        long result = (call); \
        int error = errno; \
        waitpid(child, 0, 0); \
        errno = error; \
        show(#call, result); \
    } while (0)

// A child that opens the file; returns when it sleeps, which nothing but the lease makes it do.
static pid_t waiting(const char *what, int flags, int isTruncation)
{
    pid_t child = opening(what, flags, isTruncation);
    untilAsleep(child);
    return child;
}

static void broken(int signal)
{
    printf("-- breaking them, signal %d\n", signal != 0);
    int file = open("file", O_RDONLY);
    if (signal)
        fcntl(file, F_SETSIG, signal);
    SHOW(fcntl(file, F_SETLEASE, F_RDLCK));
    waitpid(opening("to read a read lease", O_RDONLY, 0), 0, 0);
    seen("read", file);
    waitpid(opening("not waiting", O_WRONLY | O_NONBLOCK, 0), 0, 0);
    seen("write", file);
    SHOW(fcntl(file, F_GETLEASE));
    pid_t child = waiting("to write a read lease", O_WRONLY, 0);
    seen("write again", file);
    SHOW_BEHIND(child, fcntl(file, F_SETLEASE, F_UNLCK));
    SHOW(fcntl(file, F_GETLEASE));
    close(file);
    file = open("file", O_RDWR);
    if (signal)
        fcntl(file, F_SETSIG, signal);
    SHOW(fcntl(file, F_SETLEASE, F_WRLCK));
    child = waiting("to read a write lease", O_RDONLY, 0);
    seen("read", file);
    SHOW(fcntl(file, F_GETLEASE));
    SHOW_BEHIND(child, fcntl(file, F_SETLEASE, F_UNLCK));
    SHOW(fcntl(file, F_SETLEASE, F_WRLCK));
    child = waiting("to shorten it", 0, 1);
    seen("shortened", file);
    SHOW(fcntl(file, F_GETLEASE));
    *released = 1;
    close(file);
    waitpid(child, 0, 0);
    file = open("file", O_RDONLY);
    SHOW(fcntl(file, F_SETLEASE, F_RDLCK));
    SHOW(chmod("file", 0600));
    SHOW(rename("file", "other"));
    SHOW(rename("other", "file"));
    hits = 0;
    close(file);
}

static void notices(void)
{
    printf("-- directories\n");
    int directory = open("d", O_RDONLY);
    SHOW(fcntl(directory, F_SETSIG, SIGRTMIN));
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE));
    close(creat("d/one", 0600));
    seen("created", directory);
    close(creat("d/two", 0600));
    seen("only once", directory);
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE | DN_DELETE | DN_RENAME | DN_ATTRIB | DN_MODIFY | DN_ACCESS | DN_MULTISHOT));
    close(creat("d/three", 0600));
    seen("created", directory);
    int file = open("d/three", O_RDWR);
    seen("opened", directory);
    write(file, "x", 1);
    seen("modified", directory);
    char byte;
    pread(file, &byte, 1, 0);
    seen("accessed", directory);
    fchmod(file, 0644);
    seen("changed", directory);
    close(file);
    seen("closed", directory);
    rename("d/three", "d/four");
    seen("renamed", directory);
    rename("d/four", "five");
    seen("moved out", directory);
    rename("five", "d/four");
    seen("moved in", directory);
    unlink("d/four");
    seen("deleted", directory);
    chmod("d", 0711);
    seen("itself changed", directory);
    mkdir("d/sub", 0700);
    seen("directory made", directory);
    close(creat("d/sub/below", 0600));
    seen("below", directory);
    SHOW(fcntl(directory, F_NOTIFY, 0));
    close(creat("d/five", 0600));
    seen("over", directory);
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
    close(directory);
    close(creat("d/six", 0600));
    seen("closed", directory);
    file = open("file", O_RDONLY);
    SHOW(fcntl(file, F_NOTIFY, DN_CREATE));
    close(file);
    directory = open("d", O_RDONLY);
    SHOW(fcntl(directory, F_NOTIFY, DN_CREATE));
    close(creat("d/seven", 0600));
    seen("SIGIO", directory);
    close(directory);
}

int main(void)
{
    setbuf(stdout, 0);
    released = mmap(0, sizeof *released, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    mkdir("/tmp/leases", 0755);
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) || mount("top", "/tmp/leases", "tmpfs", 0, "mode=755") || chdir("/tmp/leases"))
        die("setting up");
    mkdir("d", 0755);
    int file = creat("file", 0644);
    write(file, "content", 7);
    close(file);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGIO, &action, 0);
    sigaction(SIGUSR1, &action, 0);
    sigaction(SIGRTMIN, &action, 0);
    owners();
    taking();
    broken(0);
    broken(SIGRTMIN);
    notices();
    fflush(stdout);
    if (fork() == 0)
    {
        setresuid(1000, 1000, 1000);
        chmod("file", 0644);
        file = open("/etc/passwd", O_RDONLY);
        SHOW(fcntl(file, F_SETLEASE, F_RDLCK));
        _exit(0);
    }
    wait(0);
    chdir("/");
    umount2("/tmp/leases", MNT_DETACH);
    rmdir("/tmp/leases");
    return 0;
}
