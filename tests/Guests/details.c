// Details of many calls that few programs look at.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

static void nest(void)
{
    struct epoll_event event = { .events = EPOLLIN };
    int ends[2];
    if (pipe(ends) != 0)
        die("pipe");
    int inner = ends[0];
    for (int i = 1; i <= 7; i++)
    {
        int outer = epoll_create1(0);
        printf("around %d: ", i);
        SHOW(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event));
        inner = outer;
    }
    int outer = epoll_create1(0);
    for (int i = 2; i <= 7; i++)
    {
        int next = epoll_create1(0);
        printf("within %d: ", i);
        SHOW(epoll_ctl(outer, EPOLL_CTL_ADD, next, &event));
        outer = next;
    }
    SHOW(epoll_ctl(outer, EPOLL_CTL_ADD, open("/dev/zero", O_RDONLY), &event));
    SHOW(epoll_ctl(outer, EPOLL_CTL_ADD, open("/dev/urandom", O_RDONLY), &event));
}

static void created(void)
{
    const int query = 1028;
    int file = open("details.tmp", O_CREAT | O_RDWR, 0600), again = open("details.tmp", O_CREAT | O_RDWR, 0600);
    SHOW(fcntl(file, query, 0));
    SHOW(fcntl(again, query, 0));
    off_t *place = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int other = open("details.out", O_CREAT | O_RDWR, 0600);
    SHOW(sendfile(other, file, place, 10));
    SHOW(ftruncate(file, 4096));
    int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    SHOW(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(ftruncate(file, 0));
    SHOW(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0));
    word = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0));
    SHOW(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    unlink("details.tmp");
    unlink("details.out");
}

static void print_locked(const char *when)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file))
    {
        if (strncmp(line, "VmLck:", 6) == 0)
            printf("%s %s", when, line);
    }
    fclose(file);
}

static void locks(void)
{
    char *pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char there[4];
    print_locked("before");
    SHOW(mlock(pages, 3 * 4096));
    print_locked("after");
    mincore(pages, 4 * 4096, there);
    printf("there: %d %d %d %d\n", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1);
    SHOW(munlock(pages, 3 * 4096));
    print_locked("unlocked");
}

static void handle(int signal, siginfo_t *info, void *context)
{
    struct sigaction now;
    sigaction(signal, NULL, &now);
    printf("handled; handler is default %d, flags have SA_SIGINFO %d\n", now.sa_handler == SIG_DFL, (now.sa_flags & SA_SIGINFO) != 0);
    (void)info;
    (void)context;
}

int main(void)
{
    nest();
    created();
    locks();
    struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESETHAND };
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    unsigned long context = 0;
    SHOW(syscall(SYS_io_setup, -1, &context));
    SHOW(syscall(SYS_io_cancel, 0L, NULL, NULL));
    SHOW(personality(STICKY_TIMEOUTS));
    struct timeval time = { 0, 1000 };
    SHOW(select(0, NULL, NULL, NULL, &time));
    printf("left %ld\n", (long)time.tv_usec);
    SHOW(personality(0xFFFFFFFF));
    return 0;
}
