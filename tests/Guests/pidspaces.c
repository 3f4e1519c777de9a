// Process ids in name spaces of their own (pid_namespaces(7)): numbers, signals to the first process, orphans, ends, /proc, descriptors.
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/ipc.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

static char stack[256 * 1024];

static pid_t make(int (*body)(void *), int flags, void *argument)
{
    fflush(stdout);
    return clone(body, stack + sizeof stack, flags | SIGCHLD, argument);
}

static void ending(const char *what, pid_t pid)
{
    int status = 0;
    pid_t got = waitpid(pid, &status, 0);
    printf("%s: %s, %s %d\n", what, got == pid ? "waited" : strerrorname_np(errno), WIFEXITED(status) ? "exit" : "signal",
        WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    fflush(stdout);
}

static int run(const char *what, int (*body)(void *), int flags, void *argument)
{
    printf("-- %s\n", what);
    pid_t pid = make(body, flags, argument);
    if (pid < 0)
        return show("clone", pid);
    ending(what, pid);
    return 0;
}

static void lines(const char *path, const char *const *wanted)
{
    char text[200];
    FILE *file = fopen(path, "r");
    if (!file)
    {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    while (fgets(text, sizeof text, file))
        for (int i = 0; wanted[i]; i++)
            if (!strncmp(text, wanted[i], strlen(wanted[i])))
                printf("%s", text);
    fclose(file);
}

// A timer's signals may go to threads of the process alone, by their numbers in its space.
static void timerFor(pid_t thread)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM, ._sigev_un._tid = thread};
    int timer;
    SHOW(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
}

static void *opener(void *tid)
{
    *(pid_t *)tid = syscall(SYS_gettid);
    close(open("/dev/null", O_RDONLY));
    close(open(".", O_RDONLY | O_DIRECTORY));
    return 0;
}

// Who is gone when it is read that it did something keeps its number.
static void alerts(void)
{
    int group = fanotify_init(FAN_NONBLOCK | FAN_REPORT_TID, O_RDONLY);
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, AT_FDCWD, "."));
    pthread_t thread;
    pid_t tid = 0;
    pthread_create(&thread, 0, opener, &tid);
    pthread_join(thread, 0);
    struct fanotify_event_metadata event = {0};
    SHOW(read(group, &event, sizeof event));
    printf("by %s\n", event.pid == tid ? "the thread" : "another");
    close(event.fd);
    // In a space below it has none.
    opener(&tid);
    pid_t child = fork();
    if (child == 0)
    {
        unshare(CLONE_NEWPID);
        child = fork();
        if (child == 0)
        {
            SHOW(read(group, &event, sizeof event));
            SHOW(event.pid);
            _exit(0);
        }
        waitpid(child, 0, 0);
        _exit(0);
    }
    waitpid(child, 0, 0);
    close(group);
}

static int numbers(void *unused)
{
    SHOW(getpid());
    SHOW(getppid());
    SHOW(syscall(SYS_gettid));
    SHOW(getpgid(0));
    SHOW(getsid(0));
    SHOW(setsid());
    SHOW(getsid(0));
    SHOW(getpgrp());
    SHOW(kill(1, 0));
    SHOW(kill(2, 0));
    SHOW(kill(getppid() + 77777, 0));
    SHOW(kill(-1, 0));
    SHOW(setpriority(PRIO_PGRP, getpgrp(), 5));
    SHOW(getpriority(PRIO_PGRP, 1));
    SHOW(getpriority(PRIO_PGRP, 77777));
    alerts();
    pid_t child = fork();
    if (child == 0)
    {
        SHOW(getpid());
        SHOW(getppid());
        SHOW(setpgid(0, 0));
        SHOW(getpgid(0));
        SHOW(getpgid(1));
        timerFor(1);
        timerFor(getpid());
        _exit(3);
    }
    ending("child", child);
    printf("child %d\n", child);
    SHOW(waitpid(-1, 0, 0));
    child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info = {0};
    waitid(P_PID, child, &info, WEXITED);
    printf("child %d, si_pid %d\n", child, info.si_pid);
    return 0;
}

static volatile int hits, from;
static void handler(int signal, siginfo_t *info, void *context)
{
    hits++;
    from = info->si_pid;
}

// The first process of a space heeds what it has handlers for, and only from outside SIGKILL and SIGSTOP.
static int shielded(void *unused)
{
    SHOW(kill(1, SIGTERM));
    SHOW(kill(1, SIGKILL));
    SHOW(kill(1, SIGSTOP));
    SHOW(raise(SIGUSR1));
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGUSR1, &action, 0);
    pid_t child = fork();
    if (child == 0)
    {
        SHOW(kill(1, SIGUSR2));
        SHOW(kill(1, SIGKILL));
        SHOW(kill(1, SIGUSR1));
        _exit(0);
    }
    ending("sender", child);
    printf("hits %d from %d\n", hits, from);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, 0);
    kill(1, SIGHUP);
    sigpending(&set);
    printf("blocked SIGHUP pending: %d\n", sigismember(&set, SIGHUP));
    sigprocmask(SIG_UNBLOCK, &set, 0);
    printf("still here\n");
    return 5;
}

static int waitsForOutside(void *argument)
{
    int *pipes = argument;
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, 0);
    // It comes while it is waited for, not between the look and the wait.
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &before);
    write(pipes[1], "r", 1);
    while (!hits)
        sigsuspend(&before);
    printf("inside: SIGUSR1 from %d\n", from);
    fflush(stdout);
    write(pipes[1], "g", 1);
    for (;;)
        pause();
}

static void fromOutside(void)
{
    int pipes[2];
    char byte;
    pipe(pipes);
    printf("-- signals from outside\n");
    pid_t child = make(waitsForOutside, CLONE_NEWPID, pipes);
    read(pipes[0], &byte, 1);
    SHOW(kill(child, SIGTERM));
    int sent = kill(child, SIGUSR1);
    read(pipes[0], &byte, 1);
    printf("sent %d\n", sent);
    SHOW(kill(child, SIGSTOP));
    int status;
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d\n", WIFSTOPPED(status));
    SHOW(kill(child, SIGCONT));
    SHOW(kill(child, SIGKILL));
    ending("killed", child);
}

// A fault kills even the first process.
static int faults(void *unused)
{
    *(volatile int *)8 = 1;
    return 0;
}

// Orphans become children of the first process, whose end is theirs.
static int orphans(void *argument)
{
    int *pipes = argument, go[2];
    char byte;
    pipe(go);
    pid_t child = fork();
    if (child == 0)
    {
        if (fork() == 0)
        {
            // Its parent's end is told first.
            read(go[0], &byte, 1);
            printf("orphan %d has parent %d\n", getpid(), getppid());
            fflush(stdout);
            _exit(9);
        }
        _exit(0);
    }
    ending("child", child);
    write(go[1], "g", 1);
    ending("orphan", 3);
    for (int i = 0; i < 3; i++)
        if (fork() == 0)
        {
            setsid();
            signal(SIGTERM, SIG_IGN);
            for (;;)
                pause();
        }
    (void)pipes;
    return 4;
}

static void orphansEnd(void)
{
    int pipes[2];
    pipe(pipes);
    printf("-- orphans\n");
    pid_t child = make(orphans, CLONE_NEWPID, pipes);
    ending("first", child);
    close(pipes[1]);
    char byte;
    // All that held the other end are gone with the first process.
    printf("pipe: %ld\n", (long)read(pipes[0], &byte, 1));
    close(pipes[0]);
}

static int subreaper(void *unused)
{
    int go[2];
    char byte;
    pipe(go);
    pid_t child = fork();
    if (child == 0)
    {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        pid_t middle = fork();
        if (middle == 0)
        {
            if (fork() == 0)
            {
                read(go[0], &byte, 1);
                printf("orphan's parent %d\n", getppid());
                fflush(stdout);
                _exit(0);
            }
            _exit(0);
        }
        ending("middle", middle);
        write(go[1], "g", 1);
        ending("orphan", 4);
        _exit(0);
    }
    ending("subreaper", child);
    return 0;
}

static int procfs(void *unused)
{
    char link[64];
    mkdir("/tmp/pidspaces.proc", 0700);
    SHOW(mount("none", "/", 0, MS_REC | MS_PRIVATE, 0));
    SHOW(mount("proc", "/tmp/pidspaces.proc", "proc", 0, 0));
    ssize_t length = readlink("/tmp/pidspaces.proc/self", link, sizeof link);
    printf("self %.*s\n", (int)length, link);
    length = readlink("/tmp/pidspaces.proc/thread-self", link, sizeof link);
    printf("thread-self %.*s\n", (int)length, link);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    DIR *directory = opendir("/tmp/pidspaces.proc");
    struct dirent *entry;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
            printf("listed %s\n", entry->d_name);
    closedir(directory);
    const char *own[] = {"Tgid:", "Pid:", "PPid:", "NStgid:", "NSpid:", "NSpgid:", "NSsid:", 0};
    lines("/tmp/pidspaces.proc/1/status", own);
    setsid();
    lines("/tmp/pidspaces.proc/self/status", own);
    lines("/tmp/pidspaces.proc/2/status", own);
    FILE *stat = fopen("/tmp/pidspaces.proc/2/stat", "r");
    int pid, parent, group, session;
    char name[32], state;
    if (fscanf(stat, "%d %31s %c %d %d %d", &pid, name, &state, &parent, &group, &session) == 6)
        printf("stat %d parent %d\n", pid, parent);
    fclose(stat);
    kill(child, SIGKILL);
    ending("child", child);
    umount("/tmp/pidspaces.proc");
    rmdir("/tmp/pidspaces.proc");
    // The outer /proc shows both numbers.
    char nspid[200] = "";
    FILE *outer = fopen("/proc/thread-self/status", "r");
    while (outer && fgets(nspid, sizeof nspid, outer))
        if (!strncmp(nspid, "NSpid:", 6))
        {
            int outside = 0, inside = 0;
            int fields = sscanf(nspid, "NSpid: %d %d", &outside, &inside);
            printf("NSpid fields %d, last %d\n", fields, inside);
        }
    if (outer)
        fclose(outer);
    return 0;
}

static int nestedBody(void *unused)
{
    printf("level 2: pid %d, parent %d\n", getpid(), getppid());
    fflush(stdout);
    return 0;
}

static int nested(void *unused)
{
    static char inner[64 * 1024];
    printf("level 1: pid %d\n", getpid());
    fflush(stdout);
    pid_t child = clone(nestedBody, inner + sizeof inner, CLONE_NEWPID | SIGCHLD, 0);
    ending("nested", child);
    printf("its child is %d here\n", child);
    return 0;
}

static void *nothing(void *unused)
{
    return unused;
}

static int unshared(void *unused)
{
    char before[64] = "", after[64] = "", children[64] = "";
    readlink("/proc/self/ns/pid", before, sizeof before - 1);
    SHOW(unshare(CLONE_NEWPID));
    readlink("/proc/self/ns/pid", after, sizeof after - 1);
    printf("own space kept: %d\n", !strcmp(before, after));
    SHOW(readlink("/proc/self/ns/pid_for_children", children, sizeof children - 1) > 0 ? 0 : -1);
    SHOW(unshare(CLONE_NEWPID));
    pthread_t thread;
    printf("thread: %s\n", strerrorname_np(pthread_create(&thread, 0, nothing, 0)) ?: "0");
    pid_t child = fork();
    if (child == 0)
    {
        printf("first %d, parent %d\n", getpid(), getppid());
        fflush(stdout);
        _exit(0);
    }
    ending("first", child);
    // Its first process is gone: no more can be made.
    SHOW(fork());
    return 0;
}

static int target(void *argument)
{
    int *pipes = argument;
    write(pipes[1], "r", 1);
    for (;;)
        pause();
}

static void joined(void)
{
    int pipes[2];
    char path[64], byte;
    pipe(pipes);
    printf("-- joining\n");
    pid_t first = make(target, CLONE_NEWPID, pipes);
    read(pipes[0], &byte, 1);
    snprintf(path, sizeof path, "/proc/%d/ns/pid", first);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    SHOW(ioctl(space, 0xB703) == CLONE_NEWPID ? 0 : -1);
    int parent = ioctl(space, 0xB702);
    struct stat one, two;
    fstat(parent, &one);
    stat("/proc/self/ns/pid", &two);
    printf("parent is ours: %d\n", one.st_ino == two.st_ino);
    SHOW(ioctl(parent, 0xB702));
    fflush(stdout);
    if (fork() == 0)
    {
        SHOW(setns(space, CLONE_NEWUTS));
        SHOW(setns(space, CLONE_NEWPID));
        pid_t child = fork();
        if (child == 0)
        {
            printf("joined as %d, parent %d\n", getpid(), getppid());
            SHOW(kill(1, 0));
            SHOW(setns(parent, 0));
            fflush(stdout);
            write(pipes[1], "j", 1);
            for (;;)
                pause();
        }
        read(pipes[0], &byte, 1);
        kill(first, SIGKILL);
        ending("joined", child);
        SHOW(fork());
        _exit(0);
    }
    waitpid(-1, 0, 0);
    while (waitpid(-1, 0, 0) > 0)
        ;
    close(space);
    close(parent);
}

// Credentials and process descriptors name a process by the number that the receiver has for it.
static int sends(void *argument)
{
    int socket = *(int *)argument;
    struct ucred own = {getpid(), getuid(), getgid()};
    char control[CMSG_SPACE(sizeof own)] = {0};
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof own);
    memcpy(CMSG_DATA(header), &own, sizeof own);
    SHOW(sendmsg(socket, &message, 0));
    own.pid = 4000000;
    memcpy(CMSG_DATA(header), &own, sizeof own);
    SHOW(sendmsg(socket, &message, 0));
    int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    char byte;
    part.iov_base = &byte;
    message.msg_controllen = sizeof control;
    recvmsg(socket, &message, 0);
    header = CMSG_FIRSTHDR(&message);
    memcpy(&own, CMSG_DATA(header), sizeof own);
    printf("from outside: pid %d\n", own.pid);
    struct ucred peer;
    socklen_t length = sizeof peer;
    getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    printf("peer %d\n", peer.pid);
    return 0;
}

static void credentials(void)
{
    int pair[2], on = 1;
    printf("-- credentials\n");
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    pid_t child = make(sends, CLONE_NEWPID, &pair[1]);
    struct ucred sender;
    char control[CMSG_SPACE(sizeof sender)] = {0}, byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    recvmsg(pair[0], &message, 0);
    memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
    send(pair[0], "y", 1, 0);
    ending("sender", child);
    printf("the child's number: %d\n", sender.pid == child);
}

static int lockHolder(void *argument)
{
    struct flock lock = {.l_type = F_WRLCK};
    fcntl(*(int *)argument, F_SETLK, &lock);
    pid_t child = fork();
    if (child == 0)
    {
        struct flock asked = {.l_type = F_WRLCK};
        fcntl(*(int *)argument, F_GETLK, &asked);
        printf("holder seen inside: %d\n", asked.l_pid);
        fflush(stdout);
        _exit(0);
    }
    ending("asker", child);
    return 0;
}

// What tells of who did something long after they are gone: connections, messages, and System V objects.
static struct { int listener, pair[2], queue, segment, semaphores, alerts; } left;

static int leaves(void)
{
    struct sockaddr_un name = {AF_UNIX, "\0gone"};
    for (int i = 0; i < 3; i++)
        if (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof name) != 0)
            die("connect");
    send(left.pair[1], "x", 1, 0);
    struct { long type; char text[4]; } message = {1, "one"};
    msgsnd(left.queue, &message, 4, 0);
    msgsnd(left.queue, &message, 4, 0);
    msgrcv(left.queue, &message, 4, 1, 0);
    shmdt(shmat(left.segment, NULL, 0));
    struct sembuf operation = {0, 1, 0};
    semop(left.semaphores, &operation, 1);
    close(open(".", O_RDONLY | O_DIRECTORY));
    return 0;
}

static void tellLeft(const char *who, int own)
{
    static int connection = -1;
    connection = connection < 0 ? accept(left.listener, 0, 0) : connection;
    struct ucred peer = {-1};
    socklen_t length = sizeof peer;
    getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    struct ucred sender = {-1};
    char control[CMSG_SPACE(sizeof sender)] = {0}, byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    recvmsg(left.pair[0], &message, MSG_PEEK);
    memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
    struct msqid_ds queue;
    struct shmid_ds segment;
    msgctl(left.queue, IPC_STAT, &queue);
    shmctl(left.segment, IPC_STAT, &segment);
    int semaphore = semctl(left.semaphores, 0, GETPID);
    int all[] = {peer.pid, sender.pid, queue.msg_lspid, queue.msg_lrpid, segment.shm_lpid, semaphore};
    printf("%s:", who);
    for (int i = 0; i < 6; i++)
        if (own)
            printf(" %d", all[i]);
        else
            printf(" %s", all[i] == 0 ? "none" : all[i] == all[0] ? "the same" : "another");
    printf(", created by %s\n", segment.shm_cpid == getpid() ? "the reader" : segment.shm_cpid == 0 ? "none" : "another");
}

static int goneInside(void *unused)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ending("one before", child);
    child = fork();
    if (child == 0)
        _exit(leaves());
    ending("who leaves", child);
    printf("number %d\n", child);
    tellLeft("its own space", 1);
    unshare(CLONE_NEWPID);
    child = fork();
    if (child == 0)
    {
        tellLeft("a space below", 1);
        _exit(0);
    }
    ending("who is below", child);
    return 0;
}

static void gone(void)
{
    int on = 1;
    printf("-- gone\n");
    struct sockaddr_un name = {AF_UNIX, "\0gone"};
    left.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(left.listener, (struct sockaddr *)&name, sizeof name) != 0 || listen(left.listener, 5) != 0)
        die("bind");
    socketpair(AF_UNIX, SOCK_DGRAM, 0, left.pair);
    setsockopt(left.pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    left.queue = msgget(IPC_PRIVATE, 0600);
    left.segment = shmget(IPC_PRIVATE, 4096, 0600);
    left.semaphores = semget(IPC_PRIVATE, 1, 0600);
    left.alerts = fanotify_init(FAN_NONBLOCK, O_RDONLY);
    fanotify_mark(left.alerts, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, AT_FDCWD, ".");
    ending("a space", make(goneInside, CLONE_NEWPID, 0));
    tellLeft("the space above", 0);
    struct fanotify_event_metadata event = {0};
    struct ucred peer;
    socklen_t length = sizeof peer;
    getsockopt(accept(left.listener, 0, 0), SOL_SOCKET, SO_PEERCRED, &peer, &length);
    SHOW(read(left.alerts, &event, sizeof event));
    printf("alert by %s\n", event.pid == 0 ? "none" : event.pid == peer.pid ? "the same" : "another");
    msgctl(left.queue, IPC_RMID, 0);
    shmctl(left.segment, IPC_RMID, 0);
    semctl(left.semaphores, 0, IPC_RMID);
}

int main(void)
{
    setbuf(stdout, 0);
    run("numbers", numbers, CLONE_NEWPID, 0);
    run("shield", shielded, CLONE_NEWPID, 0);
    fromOutside();
    run("fault", faults, CLONE_NEWPID, 0);
    orphansEnd();
    run("subreaper", subreaper, CLONE_NEWPID, 0);
    run("proc", procfs, CLONE_NEWPID | CLONE_NEWNS, 0);
    run("nested", nested, CLONE_NEWPID, 0);
    run("unshare", unshared, 0, 0);
    joined();
    credentials();
    gone();
    int file = memfd_create("locks", 0);
    run("locks", lockHolder, CLONE_NEWPID, &file);
    printf("-- refused\n");
    SHOW(clone(nestedBody, stack + sizeof stack, CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0));
    SHOW(setns(0, 0));
    if (fork() == 0)
    {
        setresuid(1000, 1000, 1000);
        SHOW(unshare(CLONE_NEWPID));
        SHOW(unshare(CLONE_NEWTIME));
        _exit(0);
    }
    wait(0);
    return 0;
}
