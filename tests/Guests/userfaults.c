// Pages whose faults another thread resolves (userfaultfd(2)).
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "check.h"

#define PAGE 4096ul
#define FEATURE_UNPOPULATED (1 << 13)
#define FEATURE_POISON (1 << 14)
#define FEATURE_ASYNC (1 << 15)
#define IOCTL_MOVE _IOWR(0xAA, 5, struct uffdio_copy)
#define IOCTL_POISON _IOWR(0xAA, 8, struct uffdio_zeropage)

static int monitor;
static char *area;
static int forked = -1;

static unsigned long place(const void *address)
{
    return ((unsigned long)address - (unsigned long)area) / PAGE;
}

static int make(unsigned long features, int flags)
{
    int fd = syscall(SYS_userfaultfd, flags);
    if (fd < 0)
        die("userfaultfd");
    struct uffdio_api api = { .api = UFFD_API, .features = features };
    SHOW(ioctl(fd, UFFDIO_API, &api));
    return fd;
}

static long watch(int fd, void *start, unsigned long pages, unsigned long mode)
{
    struct uffdio_register wanted = { .range = { (unsigned long)start, pages * PAGE }, .mode = mode };
    long result = ioctl(fd, UFFDIO_REGISTER, &wanted);
    if (result == 0)
        printf("requests %llx ", wanted.ioctls);
    return result;
}

static long copy(int fd, void *target, void *source, unsigned long length, unsigned long mode)
{
    struct uffdio_copy wanted = { .dst = (unsigned long)target, .src = (unsigned long)source, .len = length, .mode = mode };
    long result = ioctl(fd, UFFDIO_COPY, &wanted);
    printf("copied %lld ", wanted.copy);
    return result;
}

static long move(int fd, void *target, void *source, unsigned long length, unsigned long mode)
{
    struct uffdio_copy wanted = { .dst = (unsigned long)target, .src = (unsigned long)source, .len = length, .mode = mode };
    long result = ioctl(fd, IOCTL_MOVE, &wanted);
    printf("moved %lld ", wanted.copy);
    return result;
}

static long onRange(int fd, unsigned long request, void *start, unsigned long length, unsigned long mode)
{
    struct { unsigned long start, length, mode; long result; } wanted = { (unsigned long)start, length, mode, 7 };
    long result = ioctl(fd, request, &wanted);
    printf("did %ld ", wanted.result);
    return result;
}

static char notes[4096];

#define NOTE(...) sprintf(notes + strlen(notes), __VA_ARGS__)

static void note(const struct uffd_msg *message)
{
    switch (message->event)
    {
    case UFFD_EVENT_PAGEFAULT:
        NOTE("fault at %lu flags %llx\n", place((void *)message->arg.pagefault.address), message->arg.pagefault.flags);
        break;
    case UFFD_EVENT_FORK:
        NOTE("fork\n");
        forked = message->arg.fork.ufd;
        break;
    case UFFD_EVENT_REMAP:
        NOTE("moved %lu pages from %lu\n", (unsigned long)message->arg.remap.len / PAGE, place((void *)message->arg.remap.from));
        break;
    default:
        NOTE("event %x of %lu to %lu\n", message->event, place((void *)message->arg.remove.start), place((void *)message->arg.remove.end));
    }
}

// Answers so many messages: missing pages get a letter for their place, guarded ones are opened, others are shown.
static void *resolve(void *count)
{
    for (long i = 0; i < (long)count; i++)
    {
        struct pollfd wait = { .fd = monitor, .events = POLLIN };
        if (fcntl(monitor, F_GETFL) & O_NONBLOCK)
            poll(&wait, 1, -1);
        struct uffd_msg message;
        if (read(monitor, &message, sizeof message) != sizeof message)
            die("read");
        note(&message);
        if (message.event != UFFD_EVENT_PAGEFAULT)
            continue;
        unsigned long page = message.arg.pagefault.address & -PAGE;
        static char bytes[4096];
        struct uffdio_writeprotect open = { .range = { page, PAGE } };
        struct uffdio_continue shows = { .range = { page, PAGE } };
        struct uffdio_copy copied = { .dst = page, .src = (unsigned long)bytes, .len = PAGE };
        memset(bytes, 'a' + place((char *)page), sizeof bytes);
        if (ioctl(monitor,
                message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP ? UFFDIO_WRITEPROTECT : message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR ? UFFDIO_CONTINUE : UFFDIO_COPY,
                message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP ? (void *)&open : message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR ? (void *)&shows : (void *)&copied))
            die("resolving");
    }
    return NULL;
}

static void end(pthread_t thread)
{
    pthread_join(thread, NULL);
    fputs(notes, stdout);
    notes[0] = 0;
}

static pthread_t begin(long count)
{
    pthread_t thread;
    pthread_create(&thread, NULL, resolve, (void *)count);
    return thread;
}

static void missing(void)
{
    monitor = make(0, O_CLOEXEC);
    SHOW(watch(monitor, area, 8, UFFDIO_REGISTER_MODE_MISSING));
    pthread_t thread = begin(3);
    printf("%c\n", area[PAGE + 5]);
    area[2 * PAGE] = 'x';
    printf("%c%c\n", area[2 * PAGE], area[2 * PAGE + 1]);
    // The kernel's accesses wait as well.
    int ends[2];
    pipe(ends);
    SHOW(write(ends[1], area + 3 * PAGE, 4));
    char got[5] = "";
    SHOW(read(ends[0], got, 4));
    printf("%s\n", got);
    end(thread);
    thread = begin(3);
    SHOW(write(ends[1], "hello, world", 12));
    struct iovec parts[] = { { area + 5 * PAGE - 3, 6 }, { area + 6 * PAGE, 100 } };
    SHOW(readv(ends[0], parts, 2));
    printf("%.3s%.3s%.7s\n", area + 5 * PAGE - 3, area + 5 * PAGE, area + 6 * PAGE);
    end(thread);
    SHOW(copy(monitor, area + PAGE, area + 2 * PAGE, PAGE, 0));
    SHOW(copy(monitor, area + 1, area, PAGE, 0));
    SHOW(copy(monitor, area + 7 * PAGE, (void *)16, PAGE, 0));
    SHOW(copy(monitor, area + 7 * PAGE, area + PAGE, 2 * PAGE, 0));
    SHOW(copy(monitor, area + 7 * PAGE, area + PAGE, PAGE, 4));
    SHOW(onRange(monitor, UFFDIO_ZEROPAGE, area, 2 * PAGE, 0));
    SHOW(onRange(monitor, UFFDIO_ZEROPAGE, area, PAGE, 0));
    SHOW(onRange(monitor, UFFDIO_CONTINUE, area + 7 * PAGE, PAGE, 0));
    SHOW(onRange(monitor, UFFDIO_WRITEPROTECT, area, PAGE, 1));
    printf("%d\n", area[9]);
    // What is given back is missing again.
    SHOW(madvise(area + PAGE, PAGE, MADV_DONTNEED));
    thread = begin(1);
    printf("%c\n", area[PAGE]);
    end(thread);
    SHOW(onRange(monitor, UFFDIO_UNREGISTER, area, 8 * PAGE, 0));
    printf("%d %c\n", area[7 * PAGE], area[PAGE]);
    SHOW(onRange(monitor, UFFDIO_UNREGISTER, area + 64 * PAGE, PAGE, 0));
    close(monitor);
}

static void guarded(void)
{
    monitor = make(UFFD_FEATURE_PAGEFAULT_FLAG_WP, O_NONBLOCK);
    memset(area, 'g', 4 * PAGE);
    SHOW(watch(monitor, area, 8, UFFDIO_REGISTER_MODE_WP));
    SHOW(onRange(monitor, UFFDIO_WRITEPROTECT, area, 6 * PAGE, 1));
    SHOW(onRange(monitor, UFFDIO_WRITEPROTECT, area, 6 * PAGE, 3));
    pthread_t thread = begin(3);
    printf("%c\n", area[PAGE]);
    area[PAGE] = 'w';
    area[5 * PAGE] = 'w';
    int ends[2];
    pipe(ends);
    write(ends[1], "12345", 5);
    SHOW(read(ends[0], area + 3 * PAGE, 5));
    end(thread);
    printf("%c %.6s\n", area[PAGE], area + 3 * PAGE);
    SHOW(onRange(monitor, UFFDIO_WRITEPROTECT, area + 8 * PAGE, PAGE, 1));
    struct uffd_msg message;
    SHOW(read(monitor, &message, sizeof message));
    SHOW(read(monitor, &message, 8));
    close(monitor);
    area[0] = 'f';
    madvise(area, 8 * PAGE, MADV_DONTNEED);

    monitor = make(FEATURE_UNPOPULATED, 0);
    SHOW(watch(monitor, area, 4, UFFDIO_REGISTER_MODE_WP));
    SHOW(onRange(monitor, UFFDIO_WRITEPROTECT, area, 2 * PAGE, 1));
    thread = begin(1);
    area[PAGE] = 'u';
    area[2 * PAGE] = 'u';
    end(thread);
    close(monitor);
    monitor = make(FEATURE_ASYNC, 0);
    SHOW(watch(monitor, area, 4, UFFDIO_REGISTER_MODE_WP));
    SHOW(onRange(monitor, UFFDIO_WRITEPROTECT, area, 2 * PAGE, 1));
    area[PAGE] = 'v';
    printf("%c\n", area[PAGE]);
    close(monitor);
    madvise(area, 8 * PAGE, MADV_DONTNEED);
}

static void minor(void)
{
    int file = memfd_create("shown", 0);
    ftruncate(file, 4 * PAGE);
    pwrite(file, "content", 7, PAGE);
    char *mapped = mmap(area + 16 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    monitor = make(UFFD_FEATURE_MINOR_SHMEM, 0);
    SHOW(watch(monitor, mapped, 4, UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_MISSING));
    pthread_t thread = begin(2);
    printf("%s\n", mapped + PAGE);
    printf("%c\n", mapped[2 * PAGE]);
    end(thread);
    SHOW(onRange(monitor, UFFDIO_CONTINUE, mapped + 3 * PAGE, PAGE, 0));
    SHOW(onRange(monitor, UFFDIO_CONTINUE, mapped + PAGE, PAGE, 0));
    SHOW(onRange(monitor, UFFDIO_ZEROPAGE, mapped, PAGE, 0));
    char byte;
    SHOW(pread(file, &byte, 1, 2 * PAGE));
    printf("%c\n", byte);
    SHOW(watch(monitor, area, 1, UFFDIO_REGISTER_MODE_MINOR));
    close(monitor);
    munmap(mapped, 4 * PAGE);
    close(file);
}

static sigjmp_buf back;

static void onBus(int number, siginfo_t *info, void *context)
{
    printf("signal %d at %lu\n", number, place(info->si_addr));
    siglongjmp(back, 1);
}

static void signals(void)
{
    struct sigaction action = { .sa_sigaction = onBus, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGBUS, &action, NULL);
    monitor = make(UFFD_FEATURE_SIGBUS | FEATURE_POISON, 0);
    SHOW(watch(monitor, area, 4, UFFDIO_REGISTER_MODE_MISSING));
    if (!sigsetjmp(back, 1))
        area[PAGE] = 1;
    int ends[2];
    pipe(ends);
    SHOW(write(ends[1], area, 1));
    SHOW(onRange(monitor, IOCTL_POISON, area + 2 * PAGE, PAGE, 0));
    SHOW(onRange(monitor, IOCTL_POISON, area + 2 * PAGE, PAGE, 0));
    if (!sigsetjmp(back, 1))
        area[2 * PAGE] = 1;
    SHOW(madvise(area + 2 * PAGE, PAGE, MADV_DONTNEED));
    if (!sigsetjmp(back, 1))
        area[2 * PAGE] = 1;
    close(monitor);
    area[PAGE] = 1;

    monitor = syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);
    struct uffdio_api api = { .api = UFFD_API };
    SHOW(ioctl(monitor, UFFDIO_API, &api));
    SHOW(watch(monitor, area + 4 * PAGE, 4, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(write(ends[1], area + 5 * PAGE, 1));
    pthread_t thread = begin(1);
    SHOW(area[5 * PAGE]);
    end(thread);
    close(monitor);
    madvise(area, 8 * PAGE, MADV_DONTNEED);
}

static void moves(void)
{
    char *source = area + 32 * PAGE;
    source[0] = 's';
    source[PAGE] = 't';
    monitor = make(0, 0);
    SHOW(watch(monitor, area, 8, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(move(monitor, area + PAGE, source, 2 * PAGE, 0));
    printf("%c%c %d\n", area[PAGE], area[2 * PAGE], source[0]);
    SHOW(move(monitor, area + PAGE, source, PAGE, 0));
    SHOW(move(monitor, area + 3 * PAGE, source + 4 * PAGE, PAGE, 0));
    SHOW(move(monitor, area + 3 * PAGE, source + 4 * PAGE, PAGE, 2));
    SHOW(move(monitor, area + 3 * PAGE, source, PAGE, 4));
    SHOW(move(monitor, source + 8 * PAGE, source, PAGE, 0));
    close(monitor);
    madvise(area, 8 * PAGE, MADV_DONTNEED);
}

static void events(void)
{
    monitor = make(UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_FORK, 0);
    SHOW(watch(monitor, area, 8, UFFDIO_REGISTER_MODE_MISSING));
    pthread_t thread = begin(1);
    area[0] = 1;
    end(thread);
    thread = begin(2);
    SHOW(madvise(area, PAGE, MADV_DONTNEED));
    SHOW(munmap(area + 7 * PAGE, PAGE));
    end(thread);
    thread = begin(3);
    char *moved = mremap(area + 4 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 40 * PAGE);
    printf("%lu\n", place(moved));
    printf("%d\n", moved[PAGE]);
    end(thread);
    thread = begin(1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        _exit(area[2 * PAGE]);
    }
    end(thread);
    int parents = monitor, status;
    monitor = forked;
    thread = begin(1);
    waitpid(child, &status, 0);
    end(thread);
    printf("status %x\n", status);
    close(monitor);
    close(parents);
}

static void refusals(void)
{
    SHOW(syscall(SYS_userfaultfd, 2));
    monitor = syscall(SYS_userfaultfd, O_NONBLOCK);
    struct pollfd wait = { .fd = monitor, .events = POLLIN };
    SHOW(poll(&wait, 1, 0));
    printf("%x\n", wait.revents);
    struct uffd_msg message;
    SHOW(read(monitor, &message, sizeof message));
    SHOW(watch(monitor, area, 1, UFFDIO_REGISTER_MODE_MISSING));
    struct uffdio_api api = { .api = 1 };
    SHOW(ioctl(monitor, UFFDIO_API, &api));
    api = (struct uffdio_api){ .api = UFFD_API, .features = 1ul << 40 };
    SHOW(ioctl(monitor, UFFDIO_API, &api));
    printf("%llx %llx %llx\n", api.api, api.features, api.ioctls);
    api = (struct uffdio_api){ .api = UFFD_API };
    SHOW(ioctl(monitor, UFFDIO_API, &api));
    printf("%llx %llx %llx\n", api.api, api.features, api.ioctls);
    api = (struct uffdio_api){ .api = UFFD_API };
    SHOW(ioctl(monitor, UFFDIO_API, &api));
    SHOW(watch(monitor, area, 1, 0));
    SHOW(watch(monitor, area, 1, 8));
    SHOW(watch(monitor, area + 1, 1, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(watch(monitor, area, 0, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(watch(monitor, area + 200 * PAGE, 1, UFFDIO_REGISTER_MODE_MISSING));
    int file = open("/proc/self/exe", O_RDONLY);
    char *mapped = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, file, 0);
    SHOW(watch(monitor, mapped, 1, UFFDIO_REGISTER_MODE_MISSING));
    int other = make(0, 0);
    SHOW(watch(other, area, 1, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(watch(monitor, area, 2, UFFDIO_REGISTER_MODE_MISSING));
    SHOW(onRange(monitor, UFFDIO_UNREGISTER, area, PAGE, 0));
    SHOW(ioctl(monitor, 0xAA77, 0));
    char text[64];
    sprintf(text, "/proc/self/fd/%d", other);
    char name[64] = "";
    readlink(text, name, 63);
    printf("%s\n", name);
    close(other);
    close(monitor);
}

int main(void)
{
    area = mmap(NULL, 256 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    area = mmap(area, 128 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    munmap(area + 128 * PAGE, 128 * PAGE);
    setvbuf(stdout, NULL, _IONBF, 0);
    missing();
    guarded();
    minor();
    signals();
    moves();
    refusals();
    events();
    return 0;
}
