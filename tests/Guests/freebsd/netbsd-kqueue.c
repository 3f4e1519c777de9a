/* kqueue(2) of NetBSD: the same points, through its numbers and both layouts of struct kevent; units and mistakes of its own (sys/event.h). */
#define NETBSD
#define run points
#include "kqueue.c"
#undef run

static void timers(void)
{
    enum { MSECONDS = 0, SECONDS = 1, USECONDS = 2, NSECONDS = 3 };
    int kq = kqueue_();
    static const int units[] = { MSECONDS, USECONDS, NSECONDS };
    for (int i = 0; i < 3; i++)
    {
        EXPECT(change(kq, 1, TIMER, ADD | ONESHOT, units[i], 3), 0);
        EXPECT(await(kq), 1);
        EXPECT(got[0].data, 1);
    }
    EXPECT(change(kq, 1, TIMER, ADD | ONESHOT, SECONDS, 3), 0);
    EXPECT(take(kq), 0);
    EXPECT(change(kq, 1, TIMER, ADD, 9, 500), -EINVAL);
    EXPECT(change(kq, 1, 77, ADD, 0, 0), -EINVAL);
    close_(kq);
}

/* NOTE_OPEN, NOTE_READ, NOTE_CLOSE, NOTE_CLOSE_WRITE. */
static void uses(void)
{
    char byte;
    int kq = kqueue_(), fd = open_("used", 0x202, 0644), other;
    write_(fd, "abc", 3);
    EXPECT(change(kq, fd, VNODE, ADD | CLEAR, 0x780, 0), 0);
    other = open_("used", 0, 0);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 0x80);
    read_(other, &byte, 1);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 0x400);
    close_(other);
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 0x100);
    close_(open_("used", 1, 0));
    EXPECT(take(kq), 1);
    EXPECT(got[0].fflags, 0x80 | 0x200);
    unlink_("used");
    close_(fd);
    close_(kq);
}

void run(void)
{
    points();
    timers();
    uses();
}
