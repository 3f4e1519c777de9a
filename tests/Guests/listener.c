// A supervisor that decides about another's calls: answers, errors, letting them go on, descriptors given, signals, ends (seccomp_unotify(2)).
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "check.h"

static long listenTo(const int *numbers, int count, unsigned flags)
{
    struct sock_filter program[20];
    int at = 0;
    program[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < count; i++) {
        program[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i], 0, 1);
        program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    }
    program[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = { at, program };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

static void give(int socket, int fd)
{
    char control[CMSG_SPACE(sizeof(int))], byte = 0;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr) { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    sendmsg(socket, &message, 0);
}

static int take(int socket)
{
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    recvmsg(socket, &message, 0);
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

static volatile int caught;
static void handler(int signal) { caught = signal; }

#undef SHOW
#define SHOW(call) do { long value = (long)(call); printf("%s = %ld %s\n", #call, value, value == -1 ? strerrorname_np(errno) : ""); } while (0)

static void supervised(int socket)
{
    // What it prints comes at its end, behind what its supervisor prints.
    static char printed[1 << 14];
    setvbuf(stdout, printed, _IOFBF, sizeof printed);
    int numbers[] = { SYS_mkdir, SYS_getppid, SYS_open, SYS_sethostname, SYS_pause };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    SHOW(listenTo(numbers, 5, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC));
    SHOW(listenTo(numbers, 5, 1 << 5));
    int listener = listenTo(numbers, 5, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    printf("listener %d cloexec %d\n", listener > 2, fcntl(listener, F_GETFD));
    SHOW(listenTo(numbers, 5, SECCOMP_FILTER_FLAG_NEW_LISTENER));
    give(socket, listener);
    close(listener);
    SHOW(syscall(SYS_mkdir, "/nosuchplace/directory", 0700));
    SHOW(syscall(SYS_mkdir, "second", 0));
    SHOW(syscall(SYS_getppid) > 0);
    int fd = syscall(SYS_open, "/nosuchfile", O_RDONLY);
    char text[6] = "";
    printf("read %zd %s cloexec %d\n", read(fd, text, 5), text, fcntl(fd, F_GETFD));
    SHOW(syscall(SYS_open, "number", O_RDONLY));
    // A signal interrupts the wait for an answer.
    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGUSR1, &action, NULL);
    SHOW(syscall(SYS_sethostname, "x", 1));
    printf("caught %d\n", caught);
    // Then nobody listens any more.
    SHOW(syscall(SYS_getppid));
    read(socket, text, 1);
    SHOW(syscall(SYS_getppid));
    exit(0);
}

static int listener;
static struct seccomp_notif notice;

static void next(void)
{
    memset(&notice, 0, sizeof notice);
    long result = ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice);
    printf("received %ld: %d %llx arch %d flags %u\n", result, notice.data.nr, notice.data.args[1], notice.data.arch == AUDIT_ARCH_X86_64, notice.flags);
    fflush(stdout);
}

static long answer(long long value, int error, unsigned flags)
{
    struct seccomp_notif_resp response = { notice.id, value, error, flags };
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static int state(void)
{
    struct pollfd wanted = { listener, POLLIN | POLLOUT };
    poll(&wanted, 1, 0);
    return wanted.revents;
}

int main(void)
{
    int sockets[2], status;
    setvbuf(stdout, NULL, _IOLBF, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        supervised(sockets[1]);
    listener = take(sockets[0]);
    struct pollfd wanted = { listener, POLLIN };
    poll(&wanted, 1, -1);
    printf("ready %x\n", wanted.revents);
    notice.pid = 1;
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice));
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, 8));
    SHOW(ioctl(listener, 0x2105, 0));
    next();
    printf("pid %d ready %x\n", notice.pid == child, state());
    unsigned long long id = notice.id, wrong = id + 7;
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &wrong));
    SHOW(answer(0, 0, 2));
    SHOW(answer(5, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
    SHOW(answer(77, 0, 0));
    // EINPROGRESS until the call has taken it, ENOENT from then on.
    printf("again %d\n", answer(77, 0, 0) == -1);
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
    next();
    SHOW(answer(0, -EXDEV, 0));
    next();
    SHOW(answer(0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
    next();
    int pipes[2];
    pipe(pipes);
    write(pipes[1], "hello", 5);
    struct seccomp_notif_addfd descriptor = { notice.id, 0, pipes[0], 9, 0 };
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &descriptor));
    descriptor.newfd = 0, descriptor.newfd_flags = 1;
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &descriptor));
    descriptor.newfd_flags = O_CLOEXEC, descriptor.srcfd = 999;
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &descriptor));
    descriptor.srcfd = pipes[0], descriptor.id++;
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &descriptor));
    descriptor.id--, descriptor.flags = SECCOMP_ADDFD_FLAG_SEND;
    printf("given %d\n", ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &descriptor) > 2);
    next();
    descriptor = (struct seccomp_notif_addfd) { notice.id, SECCOMP_ADDFD_FLAG_SETFD, pipes[1], 40, 0 };
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &descriptor));
    SHOW(answer(40, 0, 0));
    next();
    kill(child, SIGUSR1);
    // Its number is no longer valid once the signal came.
    id = notice.id;
    while (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0)
        usleep(1000);
    SHOW(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
    SHOW(answer(0, 0, 0));
    next();
    SHOW(close(listener));
    write(sockets[0], "x", 1);
    waitpid(child, &status, 0);
    printf("status %x\n", status);

    // A listener hears of the end of those it listens to, and of one that is killed.
    fflush(stdout);
    child = fork();
    if (child == 0) {
        int number = SYS_getppid;
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int own = listenTo(&number, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER);
        give(sockets[1], own);
        close(own);
        syscall(SYS_getppid);
        _exit(0);
    }
    listener = take(sockets[0]);
    next();
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    printf("status %x ready %x\n", status, state());
    SHOW(answer(0, 0, 0));
    return 0;
}
