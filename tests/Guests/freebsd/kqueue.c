/* What kqueue(2) says, point by point, for FreeBSD and (netbsd-kqueue.c) NetBSD. Expectations are the manual pages'; kern_event.c's where they are silent. */
#include "freebsd.h"

enum { READ = -1, WRITE = -2, VNODE = -4, PROC = -5, SIGNAL = -6, TIMER = -7, PROCDESC = -8, USER = -11, EMPTY = -13 };
enum { ADD = 1, DELETE = 2, ENABLE = 4, DISABLE = 8, ONESHOT = 16, CLEAR = 32, RECEIPT = 64, DISPATCH = 128, ERROR = 0x4000, EOFLAG = 0x8000 };

static const struct timespec now = { 0, 0 }, long_time = { 20, 0 };

static long change(int kq, long ident, int filter, int flags, uint32_t notes, long data)
{
    struct kevent k = { ident, filter, flags, notes, data, (void *)(ident + 1000), { 0 } };
    return kevent_(kq, &k, 1, 0, 0, 0);
}

static struct kevent got[8];

static long take(int kq) { return kevent_(kq, 0, 0, got, 8, &now); }
static long await(int kq) { return kevent_(kq, 0, 0, got, 8, &long_time); }

static void readiness(void)
{
    int p[2], kq = kqueue_();
    char buffer[16];
    pipe_(p);
    EXPECT(change(kq, p[0], READ, ADD, 0, 0), 0);
    EXPECT(take(kq), 0);
    write_(p[1], "hello", 5);
    /* "data contains the number of bytes in the buffer"; level-triggered by default. */
    EXPECT(take(kq), 1);
    EXPECT(got[0].ident, p[0]);
    EXPECT(got[0].filter, READ);
    EXPECT(got[0].data, 5);
    EXPECT(got[0].udata, p[0] + 1000);
    EXPECT(take(kq), 1);
    read_(p[0], buffer, 5);
    EXPECT(take(kq), 0);
    /* "EV_CLEAR: After the event is retrieved by the user, its state is reset." */
    EXPECT(change(kq, p[0], READ, ADD | CLEAR, 0, 0), 0);
    write_(p[1], "a", 1);
    EXPECT(take(kq), 1);
    EXPECT(take(kq), 0);
    write_(p[1], "b", 1);
    EXPECT(take(kq), 1);
    EXPECT(got[0].data, 2);
    /* "EV_ONESHOT: ... After the user retrieves the event from the kqueue, it is deleted." */
    EXPECT(change(kq, p[0], READ, DELETE, 0, 0), 0);
    EXPECT(change(kq, p[0], READ, ADD | ONESHOT, 0, 0), 0);
    EXPECT(take(kq), 1);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, p[0], READ, DELETE, 0, 0), -ENOENT);
    /* "EV_DISPATCH: Disable the event source immediately after delivery of an event." */
    EXPECT(change(kq, p[0], READ, ADD | DISPATCH, 0, 0), 0);
    EXPECT(take(kq), 1);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, p[0], READ, ENABLE, 0, 0), 0);
    EXPECT(take(kq), 1);
    /* "EV_DISABLE: Disable event so kevent() will not return it. The filter itself is not disabled." */
    EXPECT(change(kq, p[0], READ, ADD, 0, 0), 0);
    EXPECT(change(kq, p[0], READ, DISABLE, 0, 0), 0);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, p[0], READ, ENABLE, 0, 0), 0);
    EXPECT(take(kq), 1);
    /* NOTE_LOWAT in fflags, the mark in data. */
    EXPECT(change(kq, p[0], READ, ADD, 1, 3), 0);
    EXPECT(take(kq), 0);
    write_(p[1], "c", 1);
    EXPECT(take(kq), 1);
    EXPECT(got[0].data, 3);
    /* "If the writer goes away, the filter will also set the EV_EOF flag." */
    EXPECT(change(kq, p[0], READ, ADD, 0, 0), 0);
    close_(p[1]);
    EXPECT(take(kq), 1);
    EXPECT((got[0].flags & EOFLAG) != 0, 1);
    close_(p[0]);
    EXPECT(take(kq), 0);
    close_(kq);
}

static void order(void)
{
    int kq = kqueue_(), p[3][2];
    for (int i = 0; i < 3; i++)
    {
        pipe_(p[i]);
        change(kq, p[i][0], READ, ADD, 0, 0);
    }
    /* In the order in which they became active; what stays ready goes to the tail. */
    write_(p[2][1], "x", 1);
    write_(p[0][1], "x", 1);
    write_(p[1][1], "x", 1);
    EXPECT(kevent_(kq, 0, 0, got, 2, &now), 2);
    EXPECT(got[0].ident, p[2][0]);
    EXPECT(got[1].ident, p[0][0]);
    EXPECT(kevent_(kq, 0, 0, got, 1, &now), 1);
    EXPECT(got[0].ident, p[1][0]);
    EXPECT(kevent_(kq, 0, 0, got, 1, &now), 1);
    EXPECT(got[0].ident, p[2][0]);
    /* A queue can be watched by another: "Fifos, Pipes ... kqueue: data contains the number of pending events". */
    int outer = kqueue_();
    EXPECT(change(outer, kq, READ, ADD, 0, 0), 0);
    EXPECT(take(outer), 1);
    EXPECT(got[0].data, 3);
    close_(outer);
    for (int i = 0; i < 3; i++)
        close_(p[i][0]), close_(p[i][1]);
    close_(kq);
}

static void errors(void)
{
    int kq = kqueue_();
    struct kevent wrong[2] = { { 99, READ, ADD }, { 99, 7, ADD } };
    /* "If an error occurs while processing an element of the changelist and there is enough room in the eventlist, then the event
       will be placed in the eventlist with EV_ERROR set in flags and the system error in data." */
    EXPECT(kevent_(kq, wrong, 2, got, 8, &now), 2);
    EXPECT(got[0].flags, ERROR);
    EXPECT(got[0].data, EBADF);
    EXPECT(got[1].data, EINVAL);
    EXPECT(kevent_(kq, wrong, 1, 0, 0, &now), -EBADF);
    EXPECT(change(kq, 1, USER, DELETE, 0, 0), -ENOENT);
    EXPECT(change(kq, 99999, PROC, ADD, 0x80000000, 0), -ESRCH);
    EXPECT(change(1, 1, USER, ADD, 0, 0), -EBADF);
    /* EV_RECEIPT: "each change ... EV_ERROR with data 0", and nothing pending is drained. */
    struct kevent receipt = { 5, USER, ADD | RECEIPT, 0x01000000 };
    EXPECT(kevent_(kq, &receipt, 1, got, 8, &now), 1);
    EXPECT(got[0].flags & ERROR, ERROR);
    EXPECT(got[0].data, 0);
    EXPECT(take(kq), 1);
    close_(kq);
}

static void users_and_timers(void)
{
    int kq = kqueue_();
    struct timespec t;
    EXPECT(change(kq, 1, USER, ADD | CLEAR, 0, 0), 0);
    EXPECT(take(kq), 0);
    /* NOTE_FFOR | bits, then NOTE_FFAND, and NOTE_TRIGGER. */
    EXPECT(change(kq, 1, USER, 0, 0x80000000 | 0x5, 0), 0);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, 1, USER, 0, 0x40000000 | 0x01000000 | 0x4, 0), 0);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 4);
    EXPECT(take(kq), 0);
    /* "data specifies the timeout period", milliseconds unless said otherwise; EV_CLEAR is set by itself. */
    EXPECT(change(kq, 7, TIMER, ADD, 0, 5), 0);
    EXPECT(await(kq), 1);
    EXPECT(got[0].ident, 7);
    EXPECT(got[0].data >= 1, 1);
    pause_(30 * 1000 * 1000);
    EXPECT(take(kq), 1);
    EXPECT(got[0].data >= 5, 1);
    EXPECT(change(kq, 7, TIMER, DELETE, 0, 0), 0);
    EXPECT(change(kq, 8, TIMER, ADD | ONESHOT, NOTE_USECONDS, 500), 0);
    EXPECT(await(kq), 1);
    EXPECT(change(kq, 8, TIMER, DELETE, 0, 0), -ENOENT);
    /* NOTE_ABSTIME | NOTE_SECONDS: a point in time that is over fires at once. */
    clock_(0, &t);
    EXPECT(change(kq, 9, TIMER, ADD | ONESHOT, 0x10 | NOTE_SECONDS, t.seconds), 0);
    EXPECT(await(kq), 1);
    /* "Timers created with NOTE_ABSTIME remain activated on the kqueue once the absolute time has passed unless EV_CLEAR or EV_ONESHOT are also specified." */
    EXPECT(change(kq, 9, TIMER, ADD, 0x10 | NOTE_SECONDS, t.seconds), 0);
    EXPECT(await(kq), 1);
    EXPECT(got[0].data, 1);
    EXPECT(take(kq), 1);
    EXPECT(change(kq, 9, TIMER, ADD | CLEAR, 0x10 | NOTE_SECONDS, t.seconds), 0);
    EXPECT(await(kq), 1);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, 9, TIMER, ADD, 0, 3600000), 0);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, 9, TIMER, ADD, 0, -1), -EINVAL);
    close_(kq);
}

static void signals(void)
{
    int kq = kqueue_();
    struct sigaction ignore = { (void *)1 };
    sigaction_(30, &ignore, 0);
    EXPECT(change(kq, 30, SIGNAL, ADD, 0, 0), 0);
    /* "... the number of times the signal has occurred since the last call to kevent", though it is ignored. */
    for (int i = 0; i < 3; i++)
        kill_(getpid_(), 30);
    EXPECT(take(kq), 1);
    EXPECT(got[0].data, 3);
    EXPECT(take(kq), 0);
    close_(kq);
}

static void files(void)
{
    int kq = kqueue_(), fd = open_("watched", 0x200 | 2, 0644), directory;
    EXPECT(change(kq, fd, VNODE, ADD | CLEAR, 0x7f, 0), 0);
    write_(fd, "abc", 3);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 2 | 4); /* NOTE_WRITE | NOTE_EXTEND */
    chmod_("watched", 0600);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 8); /* NOTE_ATTRIB */
    link_("watched", "second");
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 0x10); /* NOTE_LINK */
    rename_("watched", "third");
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 0x20); /* NOTE_RENAME */
    unlink_("third");
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags & 1, 1); /* NOTE_DELETE */
    /* Several since the last report are one report. */
    write_(fd, "d", 1);
    chmod_("second", 0644);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 2 | 4 | 8);
    EXPECT(take(kq), 0);
    /* "EVFILT_READ, Vnodes: ... data contains the offset from current position to end of file, and may be negative." */
    EXPECT(change(kq, fd, READ, ADD, 0, 0), 0);
    EXPECT(take(kq), 0);
    seek_(fd, 1, 0);
    EXPECT(take(kq), 1);
    EXPECT(got[0].data, 3);
    close_(fd);
    unlink_("second");
    mkdir_("folder", 0755);
    directory = open_("folder", O_DIRECTORY, 0);
    EXPECT(change(kq, directory, VNODE, ADD | CLEAR, 0x7f, 0), 0);
    close_(open_("folder/file", 0x200 | 1, 0644));
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 2);
    mkdir_("folder/inner", 0755);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 2 | 0x10);
    unlink_("folder/file");
    rmdir_("folder/inner");
    rmdir_("folder");
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags & 1, 1);
    close_(directory);
    close_(kq);
}

static void processes(void)
{
    int kq = kqueue_(), gate[2], status;
    long child;
    pipe_(gate);
    if ((child = fork_()) == 0)
    {
        char c;
        /* "The queue is not inherited by a child created with fork(2)." */
        EXPECT(kevent_(kq, 0, 0, got, 8, &now), -EBADF);
        read_(gate[0], &c, 1);
        long grandchild = fork_();
        if (grandchild == 0)
            leave(4);
        wait_(grandchild, &status);
        leave(failures ? 9 : 3);
    }
    /* NOTE_EXIT | NOTE_FORK | NOTE_TRACK */
    EXPECT(change(kq, child, PROC, ADD, 0x80000000 | 0x40000000 | 1, 0), 0);
    write_(gate[1], "x", 1);
    int exits = 0, forks = 0, children = 0;
    while (exits < 2)
    {
        long n = await(kq);
        if (n <= 0)
        {
            EXPECT(n, 1);
            break;
        }
        for (int i = 0; i < n; i++)
        {
            if (got[i].fflags & 4) /* NOTE_CHILD: data is the parent */
                children++;
            if (got[i].fflags & 0x40000000)
                forks++;
            if (got[i].fflags & 0x80000000)
            {
                exits++;
                EXPECT(got[i].data, got[i].ident == (uint64_t)child ? 3 << 8 : 4 << 8);
                EXPECT((got[i].flags & EOFLAG) != 0, 1);
            }
        }
    }
    EXPECT(forks, 1);
    EXPECT(children, 1);
    EXPECT(wait_(child, &status), child);
    EXPECT(change(kq, child, PROC, DELETE, 0, 0), -ENOENT);
    /* "If a process can normally see another process": one that has ended and was not waited for is told at once. */
    if ((child = fork_()) == 0)
        leave(2);
    for (int i = 0; i < 100; i++)
        pause_(100000);
    EXPECT(change(kq, child, PROC, ADD, 0x80000000, 0), 0);
    EXPECT(await(kq), 1);
    EXPECT(got[0].data, 2 << 8);
    EXPECT(take(kq), 0);
    wait_(child, &status);
#ifndef NETBSD
    /* A process behind a descriptor. */
    int fd;
    if ((child = pdfork_(&fd)) == 0)
        leave(5);
    EXPECT(change(kq, fd, PROCDESC, ADD, 0x80000000, 0), 0);
    EXPECT(await(kq), 1);
    EXPECT(got[0].data, 5 << 8);
    close_(fd);
#endif
    close_(kq);
}

static void sockets(void)
{
    int kq = kqueue_(), s[2], size = 4, name = 4;
    char buffer[16], address[16] = { 16, 2 };
    EXPECT(CALL(135, 1, 1, 0, s), 0);
    /* "a per-filter low water mark ... NOTE_LOWAT flag in fflags, ... the new low water mark in data" */
    EXPECT(change(kq, s[0], READ, ADD, 1, 4), 0);
    write_(s[1], "abc", 3);
    EXPECT(take(kq), 0);
    write_(s[1], "d", 1);
    EXPECT(take(kq), 1);
    EXPECT(got[0].data, 4);
    /* EVFILT_WRITE: "data will contain the amount of space remaining in the write buffer." */
    EXPECT(change(kq, s[0], READ, DELETE, 0, 0), 0);
    EXPECT(change(kq, s[1], WRITE, ADD, 0, 0), 0);
    EXPECT(take(kq), 1);
    EXPECT(got[0].filter, WRITE);
    EXPECT(got[0].data > 0, 1);
    /* "The filter will set EV_EOF when the reader disconnects". */
    close_(s[0]);
    EXPECT(take(kq), 1);
    EXPECT((got[0].flags & EOFLAG) != 0, 1);
    close_(s[1]);
    EXPECT(take(kq), 0);
    /* EVFILT_EMPTY: "returns whenever there is no remaining data in the write buffer. ... only for sockets." */
    EXPECT(CALL(135, 1, 1, 0, s), 0);
    EXPECT(change(kq, s[0], EMPTY, ADD | CLEAR, 0, 0), 0);
    EXPECT(take(kq), 1);
    EXPECT(got[0].filter, EMPTY);
    pipe_(s);
    EXPECT(change(kq, s[1], EMPTY, ADD, 0, 0), -EINVAL);
    close_(kq);
}

static void descriptors(void)
{
    int kq = kqueue_(), p[2], status;
    pipe_(p);
    int other = dup_(p[0]);
    change(kq, p[0], READ, ADD, 0, 0);
    write_(p[1], "x", 1);
    EXPECT(take(kq), 1);
    /* "Calling close() on a file descriptor will remove any kevents that reference the descriptor", dup or not. */
    close_(p[0]);
    EXPECT(take(kq), 0);
    close_(other);
    close_(p[1]);
    close_(kq);
#ifndef NETBSD
    /* KQUEUE_CPONFORK: the child has a copy. */
    kq = kqueuex_(2);
    change(kq, 1, USER, ADD | CLEAR, 0x01000000, 0);
    long child = fork_();
    if (child == 0)
        leave(kevent_(kq, 0, 0, got, 8, &now) == 1 && got[0].filter == USER ? 6 : 7);
    wait_(child, &status);
    EXPECT(status, 6 << 8);
    EXPECT(take(kq), 1);
    EXPECT(kqueuex_(8), -EINVAL);
    close_(kq);
#endif
}

/* "When nevents is zero, kevent will return immediately even if there is a timeout", and one queue serves as many filters of one descriptor as there are. */
static void calls(void)
{
    int kq = kqueue_(), p[2];
    struct kevent both[2];
    pipe_(p);
    EXPECT(kevent_(kq, 0, 0, got, 0, &long_time), 0);
    EXPECT(change(kq, p[1], WRITE, ADD, 0, 0), 0);
    EXPECT(change(kq, p[0], READ, ADD | DISABLE, 0, 0), 0);
    write_(p[1], "x", 1);
    EXPECT(take(kq), 1);
    /* "Re-adding an existing event will modify the parameters of the original event": it stays disabled until EV_ENABLE (kqueue_register). */
    EXPECT(change(kq, p[0], READ, ADD, 0, 0), 0);
    EXPECT(take(kq), 1);
    EXPECT(change(kq, p[0], READ, ADD | ENABLE, 0, 0), 0);
    EXPECT(take(kq), 2);
    /* "All changes contained in the changelist are applied before any pending events are read from the queue. ... The same array may be used". */
    both[0] = (struct kevent){ p[1], WRITE, DELETE };
    both[1] = (struct kevent){ p[0], READ, ADD | ONESHOT, 0, 0, (void *)77 };
    EXPECT(kevent_(kq, both, 2, both, 2, &now), 1);
    EXPECT(both[0].udata, 77);
    EXPECT(both[0].flags & ONESHOT, ONESHOT);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, p[0], READ, DISABLE, 0, 0), -ENOENT);
    close_(p[0]), close_(p[1]), close_(kq);
}

static void all(void)
{
    calls();
    sockets();
    readiness();
    order();
    errors();
    users_and_timers();
    signals();
    files();
    processes();
    descriptors();
}

void run(void)
{
#ifdef NETBSD
    kevent_number = 435, kevent_size = 40;
    all();
    kevent_number = 500, kevent_size = 72;
#endif
    all();
}
