/* kqueue of NetBSD: its numbers of filters and units, and both layouts of struct kevent (kqueue(2), sys/event.h). What filters do is kqueue.c's. */
#define SYSTEM_NOTE ".long 7, 4, 1\n.asciz \"NetBSD\"\n.balign 4\n.long 1000000000\n"
#include "freebsd.h"

enum { READ = 0, WRITE = 1, VNODE = 3, PROC = 4, SIGNAL = 5, TIMER = 6, USER = 8 };
enum { ADD = 1, DELETE = 2, ONESHOT = 16, CLEAR = 32, RECEIPT = 64, ERROR = 0x4000, EOFLAG = 0x8000 };
enum { MSECONDS = 0, SECONDS = 1, USECONDS = 2, NSECONDS = 3, TRIGGER = 0x1000000, NOTE_EXIT_ = (int)0x80000000, NOTE_WRITE_ = 2, NOTE_DELETE_ = 1 };

struct event { uint64_t ident; uint32_t filter, flags, fflags, padding; int64_t data; void *udata; uint64_t ext[4]; };

static const struct timespec now = { 0, 0 }, long_time = { 20, 0 };
static struct event got[4];
static int number, size;

/* Events of the layout under test, which is the first 40 bytes of the other, one behind the other. */
static long queue(int kq, const struct event *change, const struct timespec *limit)
{
    static char raw[4 * sizeof(struct event)];
    long n = CALL(number, kq, change, change != 0, raw, change ? 0 : 4, limit);
    for (long i = 0; i < n; i++)
        memcpy(&got[i], raw + i * size, size);
    return n;
}

static long change(int kq, long ident, int filter, int flags, uint32_t notes, long data)
{
    struct event k = { ident, filter, flags, notes, 0, data, (void *)(ident + 1000), { 0 } };
    return queue(kq, &k, 0);
}

static void filters(void)
{
    int p[2], kq = CALL(344), status;
    EXPECT(CALL(453, p, 0), 0);
    EXPECT(change(kq, p[0], READ, ADD, 0, 0), 0);
    EXPECT(queue(kq, 0, &now), 0);
    write_(p[1], "hello", 5);
    EXPECT(queue(kq, 0, &now), 1);
    EXPECT(got[0].ident, p[0]);
    EXPECT(got[0].filter, READ);
    EXPECT(got[0].data, 5);
    EXPECT(got[0].udata, p[0] + 1000);
    EXPECT(change(kq, p[0], READ, DELETE, 0, 0), 0);
    EXPECT(change(kq, p[0], READ, DELETE, 0, 0), -ENOENT);
    EXPECT(change(kq, p[1], WRITE, ADD | ONESHOT, 0, 0), 0);
    EXPECT(queue(kq, 0, &now), 1);
    EXPECT(got[0].filter, WRITE);
    EXPECT(queue(kq, 0, &now), 0);
    EXPECT(change(kq, 7, USER, ADD | CLEAR, 0, 0), 0);
    EXPECT(queue(kq, 0, &now), 0);
    EXPECT(change(kq, 7, USER, 0, TRIGGER, 0), 0);
    EXPECT(queue(kq, 0, &now), 1);
    EXPECT(got[0].filter, USER);
    EXPECT(queue(kq, 0, &now), 0);
    EXPECT(change(kq, 1, TIMER, ADD | ONESHOT, USECONDS, 500), 0);
    EXPECT(queue(kq, 0, &long_time), 1);
    EXPECT(got[0].filter, TIMER);
    EXPECT(got[0].data, 1);
    EXPECT(change(kq, 1, TIMER, ADD, 9, 500), -EINVAL);
    EXPECT(change(kq, 1, 77, ADD, 0, 0), -EINVAL);
    long file = CALL(5, "watched", 0x202, 0644);
    EXPECT(change(kq, file, VNODE, ADD | CLEAR, NOTE_WRITE_ | NOTE_DELETE_, 0), 0);
    write_(file, "x", 1);
    EXPECT(queue(kq, 0, &now), 1);
    EXPECT(got[0].fflags, NOTE_WRITE_);
    unlink_("watched");
    EXPECT(queue(kq, 0, &now), 1);
    EXPECT(got[0].fflags, NOTE_DELETE_);
    close_(file);
    long child = fork_();
    if (child == 0)
    {
        char byte;
        read_(p[0], &byte, 1);
        read_(p[0], &byte, 1);
        read_(p[0], &byte, 1);
        read_(p[0], &byte, 1);
        read_(p[0], &byte, 1);
        read_(p[0], &byte, 1);
        leave(5);
    }
    EXPECT(change(kq, child, PROC, ADD, NOTE_EXIT_, 0), 0);
    write_(p[1], "!", 1);
    EXPECT(queue(kq, 0, &long_time), 1);
    EXPECT(got[0].filter, PROC);
    EXPECT(got[0].ident, child);
    EXPECT(CALL(449, child, &status, 0, 0), child);
    EXPECT(status, 5 << 8);
    close_(kq);
    close_(p[0]);
    close_(p[1]);
}

void run(void)
{
    number = 435, size = 40;
    filters();
    number = 500, size = 72;
    filters();
}
