// Takes all it can get of one thing, says what ended it, and lets go. Not for the host. usage: bombs KIND
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_tun.h>
#include <mqueue.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static char block[1 << 20];

static void tell(const char *what, long count)
{
    printf("%s: %s after %s\n", what, strerrorname_np(errno) ? strerrorname_np(errno) : "nothing", count < 10 ? "few" : count < 1000 ? "some" : "many");
    fflush(stdout);
}

// Every child forks as well, as long as it can.
static void forks(void)
{
    int ends[2];
    pipe(ends);
    pid_t first = fork();
    if (first == 0) {
        setpgid(0, 0);
        for (;;) {
            if (fork() < 0) {
                int error = errno;
                write(ends[1], &error, sizeof error);
                pause();
            }
        }
    }
    int error;
    read(ends[0], &error, sizeof error);
    errno = error;
    tell("fork", 1000);
    kill(-first, SIGKILL);
    waitpid(first, NULL, 0);
    // All are gone once nobody holds the pipe.
    close(ends[1]);
    while (read(ends[0], block, sizeof block) > 0)
        ;
    first = fork();
    if (first == 0)
        _exit(0);
    printf("again %d\n", waitpid(first, NULL, 0) == first);
}

static void *sleeper(void *unused)
{
    pause();
    return NULL;
}

static void threads(void)
{
    pthread_attr_t small;
    pthread_t thread;
    long count = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    while ((errno = pthread_create(&thread, &small, sleeper, NULL)) == 0)
        count++;
    tell("pthread_create", count);
}

static void raise_limit(int resource)
{
    struct rlimit limit;
    getrlimit(resource, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
}

static void descriptors(void)
{
    long count = 0;
    raise_limit(RLIMIT_NOFILE);
    int ends[2];
    while (pipe(ends) == 0)
        count++;
    tell("pipe", count);
    // Each child has a table of its own.
    count = 0;
    for (pid_t child; (child = fork()) >= 0; count++) {
        if (child == 0) {
            while (open("/dev/null", O_RDONLY) >= 0)
                ;
            pause();
        }
        if (count == 50)
            break;
    }
    kill(0, SIGTERM);
    tell("children", 50);
}

static void files(void)
{
    char name[64];
    long count = 0;
    for (;; count++) {
        snprintf(name, sizeof name, "f%ld", count);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0)
            break;
        close(fd);
    }
    tell("open", count);
    while (count-- > 0) {
        snprintf(name, sizeof name, "f%ld", count);
        unlink(name);
    }
    int fd = open("big", O_CREAT | O_WRONLY, 0600);
    for (count = 0; write(fd, block, sizeof block) == sizeof block; count++)
        ;
    tell("write", count);
    printf("unlinked %d\n", unlink("big"));
}

static void memory(void)
{
    long count = 0;
    memset(block, 1, sizeof block);
    for (;; count++) {
        char *more = mmap(NULL, sizeof block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED)
            break;
        memcpy(more, block, sizeof block);
    }
    tell("mmap", count);
}

static void mappings(void)
{
    long count = 0;
    // Neighbours of another protection do not merge.
    for (; mmap(NULL, 4096, count % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; count++)
        ;
    tell("mmap", count);
}

static void reservations(void)
{
    long count = 0;
    for (; mmap(NULL, 1UL << 32, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED; count++)
        ;
    tell("mmap", count);
}

static void fill(int fd)
{
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, block, 65536) > 0)
        ;
}

static void pipes(void)
{
    long count = 0;
    int ends[2];
    raise_limit(RLIMIT_NOFILE);
    for (; count < 20000 && pipe(ends) == 0; count++) {
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        fill(ends[1]);
    }
    tell("pipe", count);
}

static void sockets(void)
{
    long count = 0;
    int ends[2], size = 1 << 20;
    raise_limit(RLIMIT_NOFILE);
    for (; count < 20000 && socketpair(AF_UNIX, count % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, ends) == 0; count++) {
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        fill(ends[0]);
        fill(ends[1]);
    }
    tell("socketpair", count);
}

static void watches(void)
{
    char name[64];
    long count = 0;
    int queue = inotify_init();
    for (;; count++) {
        snprintf(name, sizeof name, "d%ld", count);
        if (mkdir(name, 0700) != 0) {
            tell("mkdir", count);
            break;
        }
        if (inotify_add_watch(queue, name, IN_ALL_EVENTS) < 0) {
            tell("inotify_add_watch", count);
            break;
        }
    }
    count = 0;
    while (inotify_init() >= 0)
        count++;
    tell("inotify_init", count);
}

static void deep(void)
{
    long count = 0;
    while (count < 100000 && mkdir("d", 0700) == 0 && chdir("d") == 0)
        count++;
    printf("depth %ld\n", count);
    SHOW(getcwd(block, 4096) == NULL ? -1 : 0);
    int fd = open("file", O_CREAT | O_RDWR, 0600);
    printf("file %d\n", fd >= 0);
    symlink("loop", "loop");
    SHOW(open("loop", O_RDONLY));
    for (int i = 0; i < 1000; i++) {
        char from[32], to[32];
        snprintf(from, sizeof from, "l%d", i + 1);
        snprintf(to, sizeof to, "l%d", i);
        symlink(from, to);
    }
    SHOW(open("l0", O_RDONLY));
    unlink("file");
    for (int i = 0; i <= 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "l%d", i);
        unlink(name);
    }
    unlink("loop");
    for (; count > 0 && chdir("..") == 0 && rmdir("d") == 0; count--)
        ;
    printf("left %ld\n", count);
}

static void queues(void)
{
    long count = 0;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (; sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0; count++)
        ;
    tell("sigqueue", count);
    for (count = 0; shmget(IPC_PRIVATE, 1 << 20, 0600) >= 0; count++)
        ;
    tell("shmget", count);
    for (count = 0; semget(IPC_PRIVATE, 250, 0600) >= 0; count++)
        ;
    tell("semget", count);
    for (count = 0; msgget(IPC_PRIVATE, 0600) >= 0; count++)
        ;
    tell("msgget", count);
    struct sigevent none = { .sigev_notify = SIGEV_NONE };
    timer_t timer;
    for (count = 0; timer_create(CLOCK_MONOTONIC, &none, &timer) == 0; count++)
        ;
    tell("timer_create", count);
    raise_limit(RLIMIT_NOFILE);
    for (count = 0; eventfd(0, 0) >= 0; count++)
        ;
    tell("eventfd", count);
}

static void tables(void)
{
    // Page by page over a large reservation: little memory for each, many of them.
    long count = 0;
    unsigned char *all = mmap(NULL, 1UL << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) {
        tell("mmap", 0);
        return;
    }
    for (; count < (1 << 20); count++)
        all[count << 20] = 1;
    tell("pages", count);
}

static void promises(void)
{
    // A child touches more of what it was promised than there is: it is killed, as by Linux' OOM killer, and its parent goes on.
    pid_t child = fork();
    if (child == 0) {
        char *all = mmap(NULL, 1UL << 33, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        for (long at = 0; all != MAP_FAILED && at < 1L << 33; at += 4096)
            all[at] = 1;
        _exit(1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("killed %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

// Routes and devices, each of which every packet looks at.
static void networks(void)
{
    unshare(CLONE_NEWUSER | CLONE_NEWNET);
    int control = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq loopback = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    ioctl(control, SIOCSIFFLAGS, &loopback);
    struct rtentry route = { .rt_flags = RTF_UP | RTF_HOST, .rt_dev = "lo" };
    struct sockaddr_in *to = (struct sockaddr_in *)&route.rt_dst;
    to->sin_family = AF_INET;
    long count = 0;
    do
        to->sin_addr.s_addr = htonl(0x0a000000 + ++count);
    while (ioctl(control, SIOCADDRT, &route) == 0);
    tell("SIOCADDRT", count);
    count = 0;
    for (;;) {
        int tunnel = open("/dev/net/tun", O_RDWR);
        struct ifreq device = { .ifr_flags = IFF_TUN };
        if (ioctl(tunnel, TUNSETIFF, &device))
            break;
        ioctl(tunnel, TUNSETPERSIST, 1);
        close(tunnel);
        count++;
    }
    tell("TUNSETIFF", count);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*run)(void); } kinds[] = {
        { "forks", forks }, { "threads", threads }, { "descriptors", descriptors }, { "files", files }, { "memory", memory }, { "mappings", mappings },
        { "reservations", reservations }, { "pipes", pipes }, { "sockets", sockets }, { "watches", watches }, { "deep", deep }, { "queues", queues }, { "tables", tables },
        { "promises", promises }, { "networks", networks },
    };
    // What else lies in the folder is not its business.
    char folder[] = "/tmp/bombs-XXXXXX";
    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (argc > 1 && strcmp(argv[1], kinds[i].name) == 0)
            kinds[i].run();
    }
    printf("done\n");
    return 0;
}
