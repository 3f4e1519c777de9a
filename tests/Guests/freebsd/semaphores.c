/*
 * Semaphores of the kernel: what sem_open(3), sem_wait(3), sem_timedwait(3), sem_destroy(3) and sem(4) say, of FreeBSD, or with NETBSD of NetBSD;
 * sys/kern/uipc_sem.c of either where they are silent.
 */
#include "freebsd.h"

enum { EINTR = 4, EACCES = 13, EFAULT = 14, EBUSY = 16, EEXIST = 17, ENFILE = 23, ENOSPC = 28, ENAMETOOLONG = 63, EOVERFLOW = 84, CREAT = 0x200, EXCL = 0x800 };

#ifdef NETBSD
static long init(unsigned value, long *id) { return CALL(247, value, id); }
static long open_semaphore(const char *name, int flags, int mode, unsigned value, long *id) { return CALL(248, name, flags, mode, value, id); }
enum { CLOSE = 250, POST = 251, WAIT = 252, TRYWAIT = 253, GETVALUE = 254, DESTROY = 255, TIMEDWAIT = 256, UNLINK = 249, SETITIMER = 425 };
#else
static long init(unsigned value, long *id) { return CALL(404, id, value); }
static long open_semaphore(const char *name, int flags, int mode, unsigned value, long *id) { return CALL(405, id, name, flags, mode, value); }
enum { CLOSE = 400, POST = 401, WAIT = 402, TRYWAIT = 403, GETVALUE = 407, DESTROY = 408, TIMEDWAIT = 441, UNLINK = 406, SETITIMER = 83 };
#endif

static long value_of(long id)
{
    int value = -1;
    EXPECT(CALL(GETVALUE, id, &value), 0);
    return value;
}

static void counts(void)
{
    long id = 0;
    struct timespec past = { 1, 0 }, wrong = { 1, 1000000000 }, soon;
    EXPECT(init(2, &id), 0);
    EXPECT(value_of(id), 2);
    EXPECT(CALL(WAIT, id), 0);
    EXPECT(CALL(TRYWAIT, id), 0);
    EXPECT(CALL(TRYWAIT, id), -EAGAIN);
    EXPECT(CALL(POST, id), 0);
    /* "If the semaphore can be locked immediately, the validity of the timeout is not checked" - but for its form. */
    EXPECT(CALL(TIMEDWAIT, id, &wrong), -EINVAL);
    EXPECT(CALL(TIMEDWAIT, id, &past), 0);
    EXPECT(CALL(TIMEDWAIT, id, &past), -ETIMEDOUT);
    EXPECT(CALL(TIMEDWAIT, id, 8), -EFAULT);
    clock_(0, &soon);
    soon.nanoseconds += 3000000;
    if (soon.nanoseconds >= 1000000000)
        soon.seconds++, soon.nanoseconds -= 1000000000;
    EXPECT(CALL(TIMEDWAIT, id, &soon), -ETIMEDOUT);
    EXPECT(CALL(GETVALUE, id, 8), -EFAULT);
    /* "[EINVAL] The sem argument does not refer to a valid semaphore." */
    EXPECT(CALL(CLOSE, id), -EINVAL);
    EXPECT(CALL(POST, 99), -EINVAL);
    EXPECT(CALL(WAIT, 1), -EINVAL);
    EXPECT(CALL(TRYWAIT, -1), -EINVAL);
    EXPECT(CALL(DESTROY, id), 0);
    EXPECT(CALL(DESTROY, id), -EINVAL);
    EXPECT(CALL(POST, id), -EINVAL);
    EXPECT(init(1, (long *)8), -EFAULT);
#ifdef NETBSD
    EXPECT(init(~0u, &id), 0);
#else
    struct timespec early = { -5, 0 };
    EXPECT(init(0, &id), 0);
    EXPECT(CALL(TIMEDWAIT, id, &early), -ETIMEDOUT);
    EXPECT(CALL(DESTROY, id), 0);
    /* "[EINVAL] The value argument exceeds SEM_VALUE_MAX." */
    EXPECT(init(0x80000000u, &id), -EINVAL);
    EXPECT(init(0x7FFFFFFF, &id), 0);
#endif
    EXPECT(CALL(POST, id), -EOVERFLOW);
    EXPECT(CALL(DESTROY, id), 0);
}

static void names(void)
{
    long one = 0, two = 0, three = 0;
    static char longest[1100];
    EXPECT(open_semaphore("/one", 0, 0, 0, &one), -ENOENT);
    EXPECT(open_semaphore("one", CREAT, 0644, 0, &one), -EINVAL);
    EXPECT(open_semaphore("/one", CREAT | EXCL, 0644, 3, &one), 0);
    EXPECT(open_semaphore("/one", CREAT | EXCL, 0644, 3, &two), -EEXIST);
    EXPECT(open_semaphore("/one", CREAT, 0644, 9, &two), 0);
    EXPECT(one != two, 1);
    EXPECT(CALL(WAIT, two), 0);
    EXPECT(value_of(one), 2);
    EXPECT(CALL(DESTROY, one), -EINVAL);
    /* "Subsequent calls to sem_open() ... will refer to a new semaphore" once the name is gone. */
    EXPECT(CALL(UNLINK, "/one"), 0);
    EXPECT(CALL(UNLINK, "/one"), -ENOENT);
    EXPECT(value_of(one), 2);
    EXPECT(open_semaphore("/one", CREAT, 0644, 7, &three), 0);
    EXPECT(value_of(three), 7);
    EXPECT(CALL(CLOSE, one), 0);
    EXPECT(CALL(CLOSE, one), -EINVAL);
    EXPECT(value_of(two), 2);
    EXPECT(CALL(CLOSE, two), 0);
    EXPECT(CALL(CLOSE, three), 0);
    /* It outlives its last descriptor. */
    EXPECT(open_semaphore("/one", 0, 0, 0, &one), 0);
    EXPECT(value_of(one), 7);
    EXPECT(CALL(CLOSE, one), 0);
    EXPECT(CALL(UNLINK, "/one"), 0);
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    EXPECT(open_semaphore(longest, CREAT, 0644, 0, &one), -ENAMETOOLONG);
    EXPECT(CALL(UNLINK, longest), -ENAMETOOLONG);
    EXPECT(open_semaphore((char *)8, CREAT, 0644, 0, &one), -EFAULT);
#ifdef NETBSD
    /* Its only slash is the first. */
    EXPECT(open_semaphore("/a/b", CREAT, 0644, 0, &one), -EINVAL);
    EXPECT(open_semaphore("/", CREAT, 0644, 0, &one), -EINVAL);
#else
    EXPECT(open_semaphore("/a/b", CREAT, 0644, 0, &one), 0);
    EXPECT(CALL(CLOSE, one), 0);
    EXPECT(CALL(UNLINK, "/a/b"), 0);
    EXPECT(open_semaphore("/c", CREAT | 1, 0644, 0, &one), -EINVAL);
#endif
}

/* "[EACCES] The semaphore exists and the permissions ... are denied." */
static void permissions(void)
{
    long id = 0, other = 0;
    int status = 0;
    EXPECT(open_semaphore("/mine", CREAT, 0600, 0, &id), 0);
    EXPECT(open_semaphore("/ours", CREAT, 0666, 0, &other), 0);
    if (fork_() == 0)
    {
        CALL(23, 1000);
        EXPECT(open_semaphore("/mine", 0, 0, 0, &other), -EACCES);
        EXPECT(CALL(UNLINK, "/mine"), -EACCES);
#ifdef NETBSD
        EXPECT(open_semaphore("/ours", 0, 0, 0, &other), 0);
#else
        /* The umask took others' right to write; both rights are needed. */
        EXPECT(open_semaphore("/ours", 0, 0, 0, &other), -EACCES);
#endif
        leave(failures);
    }
    EXPECT(wait_(-1, &status), status ? -1 : getpid_() + 1);
    failures += status != 0;
    EXPECT(CALL(UNLINK, "/mine"), 0);
    EXPECT(CALL(UNLINK, "/ours"), 0);
    EXPECT(CALL(CLOSE, id), 0);
    EXPECT(CALL(CLOSE, other), 0);
}

/* Children have the descriptors; who waits longest goes on first; with waiters there is no end. */
static void children(void)
{
    long id = 0;
    int p[2], status;
    char order[4] = { 0 };
    EXPECT(init(0, &id), 0);
    pipe_(p);
    for (int i = 0; i < 3; i++)
    {
        if (fork_() == 0)
        {
            pause_((i + 1) * 4000000);
            EXPECT(CALL(WAIT, id), 0);
            write_(p[1], &"abc"[i], 1);
            leave(failures);
        }
    }
    pause_(40000000);
    EXPECT(CALL(DESTROY, id), -EBUSY);
    for (int i = 0; i < 3; i++)
    {
        EXPECT(CALL(POST, id), 0);
        EXPECT(read_(p[0], order + i, 1), 1);
        wait_(-1, &status);
        failures += status != 0;
    }
    EXPECT(order[0], 'a');
    EXPECT(order[1], 'b');
    EXPECT(order[2], 'c');
    EXPECT(value_of(id), 0);
    /* Who is killed while it waits takes nothing. */
    long child = fork_();
    if (child == 0)
    {
        CALL(WAIT, id);
        leave(1);
    }
    pause_(5000000);
    kill_(child, 9);
    wait_(child, &status);
    EXPECT(CALL(POST, id), 0);
    EXPECT(value_of(id), 1);
    EXPECT(CALL(DESTROY, id), 0);
    close_(p[0]);
    close_(p[1]);
}

static volatile int alarms;

#ifdef NETBSD
/* The way back of a handler: setcontext(2) of the context, whose address is in r15. */
__asm__("way_back: mov %r15, %rdi\n\tmov $308, %eax\n\tsyscall\n");
extern char way_back[];
static void handle(int flags, void (*handler)(int))
{
    struct { void *handler; uint32_t mask[4], flags; } action = { handler, { 0 }, flags };
    EXPECT(CALL(340, 14, &action, 0, way_back, 2), 0);
}
#else
static void handle(int flags, void (*handler)(int))
{
    struct sigaction action = { handler, flags, { 0 } };
    EXPECT(sigaction_(14, &action, 0), 0);
}
#endif

static long post_to;
static void on_alarm(int signal) { alarms++; if (alarms == 2) CALL(POST, post_to); }

static void ring(void)
{
    struct { int64_t every[2], first[2]; } timer = { { 0, 0 }, { 0, 5000 } };
    EXPECT(CALL(SETITIMER, 0, &timer, 0), 0);
}

/* "[EINTR] A signal interrupted this function" unless the handler lets calls go on. */
static void interruptions(void)
{
    enum { RESTART = 2 };
    long id = 0;
    struct timespec later;
    EXPECT(init(0, &id), 0);
    post_to = id;
    handle(0, on_alarm);
    ring();
    EXPECT(CALL(WAIT, id), -EINTR);
    handle(RESTART, on_alarm);
    ring();
    EXPECT(CALL(WAIT, id), 0);
    EXPECT(alarms, 2);
    handle(0, on_alarm);
    clock_(0, &later);
    later.seconds += 100;
    ring();
    EXPECT(CALL(TIMEDWAIT, id, &later), -EINTR);
    EXPECT(CALL(DESTROY, id), 0);
}

#ifdef NETBSD
/* A number that all processes know: 'PSRD' asks for one (sys/ksem.h). */
static void shared(void)
{
    long id = 0x50535244, *place = (long *)CALL(197, 0, 4096, 3, 0x1001, -1, 0);
    int status;
    EXPECT(init(0, &id), 0);
    EXPECT(id & 0xff000001, 0x70000001);
    *place = id;
    long child = fork_();
    if (child == 0)
    {
        for (int fd = 3; fd < 64; fd++)
            close_(fd);
        EXPECT(CALL(POST, *place), 0);
        pause_(5000000);
        EXPECT(CALL(DESTROY, *place), -EINVAL);
        EXPECT(CALL(CLOSE, *place), -EINVAL);
        leave(failures);
    }
    EXPECT(CALL(WAIT, id), 0);
    EXPECT(wait_(child, &status), child);
    failures += status != 0;
    EXPECT(CALL(DESTROY, id), 0);
    EXPECT(CALL(POST, id), -EINVAL);
}

static void limits(void)
{
    long id = 0, first = 0;
    char name[] = "/aaa";
    for (int i = 0; i < 128; i++)
    {
        name[1] = 'a' + i / 16, name[2] = 'a' + i % 16;
        EXPECT(open_semaphore(name, CREAT | EXCL, 0600, 0, &id), 0);
        EXPECT(CALL(CLOSE, id), 0);
    }
    EXPECT(open_semaphore("/more", CREAT, 0600, 0, &id), -ENFILE);
    EXPECT(init(0, &id), -ENFILE);
    for (int i = 0; i < 128; i++)
    {
        name[1] = 'a' + i / 16, name[2] = 'a' + i % 16;
        EXPECT(CALL(UNLINK, name), 0);
    }
    EXPECT(init(0, &first), 0);
    EXPECT(CALL(DESTROY, first), 0);
}
#else
static void shared(void)
{
    /* "sem_destroy ... subsequent use is undefined": others' descriptors name nothing any more. */
    long id = 0;
    int p[2], status;
    char byte;
    EXPECT(init(0, &id), 0);
    pipe_(p);
    long child = fork_();
    if (child == 0)
    {
        EXPECT(read_(p[0], &byte, 1), 1);
        EXPECT(CALL(POST, id), -EINVAL);
        leave(failures);
    }
    EXPECT(CALL(DESTROY, id), 0);
    write_(p[1], "x", 1);
    EXPECT(wait_(child, &status), child);
    failures += status != 0;
    close_(p[0]);
    close_(p[1]);
}

/* sem(4): p1003_1b.sem_nsems_max. */
static void limits(void)
{
    long ids[31], id = 0;
    int most = 0, number[2] = { 9, 22 };
    size_t size = sizeof most;
    EXPECT(CALL(202, number, 2, &most, &size, 0, 0), 0);
    EXPECT(most, 30);
    for (int i = 0; i < 30; i++)
        EXPECT(init(0, ids + i), 0);
    EXPECT(init(0, &id), -ENOSPC);
    EXPECT(open_semaphore("/more", CREAT, 0600, 0, &id), -ENFILE);
    for (int i = 0; i < 30; i++)
        EXPECT(CALL(DESTROY, ids[i]), 0);
    EXPECT(init(0, ids), 0);
    EXPECT(CALL(92, ids[0], 1), 1);
    EXPECT(CALL(DESTROY, ids[0]), 0);
}
#endif

void run(void)
{
    counts();
    names();
    permissions();
    children();
    interruptions();
    shared();
    limits();
}
