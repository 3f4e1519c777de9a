/* What travels over local sockets (unix(4)), settings of terminals (tty(4), termios(4)), inotify(2), contexts (getcontext(3)). */
#include "freebsd.h"

enum { SOCKET_LEVEL = 0xFFFF, RIGHTS = 1, CREDS = 3, LOCAL_LEVEL = 0, PEERCRED = 1, LOCAL_CREDS = 2, LOCAL_CREDS_PERSISTENT = 3, CREDS2 = 8, ENOPROTOOPT = 42, ENOTTY = 25 };

struct iovec { void *base; size_t length; };
struct msghdr { void *name; int name_length; struct iovec *vectors; int count; void *control; uint32_t control_length; int flags; };
struct cmsg { uint32_t length; int level, type; uint32_t padding; union { int fd; uint32_t words[21]; char bytes[120]; } data; };

static int ends[2];

static long send_(struct cmsg *control, uint32_t length)
{
    struct iovec byte = { "x", 1 };
    struct msghdr message = { .vectors = &byte, .count = 1, .control = control, .control_length = length };
    return CALL(28, ends[0], &message, 0);
}

static struct msghdr receive(struct cmsg *control, uint32_t room)
{
    static char byte[4];
    static struct iovec vector = { byte, 4 };
    struct msghdr message = { .vectors = &vector, .count = 1, .control = control, .control_length = room };
    EXPECT(CALL(27, ends[1], &message, 0), 1);
    return message;
}

static void rights(void)
{
    int p[2];
    char text[4];
    struct cmsg control = { .length = 20, .level = SOCKET_LEVEL, .type = RIGHTS }, got = { 0 };
    pipe_(p);
    control.data.fd = p[0];
    EXPECT(send_(&control, 24), 1);
    struct msghdr message = receive(&got, sizeof got);
    EXPECT(message.control_length, 24);
    EXPECT(got.length, 20);
    EXPECT(got.level, SOCKET_LEVEL);
    EXPECT(got.type, RIGHTS);
    EXPECT(got.data.fd != p[0], 1);
    write_(p[1], "abc", 3);
    EXPECT(read_(got.data.fd, text, 4), 3);
    /* MSG_CTRUNC where there is no room. */
    EXPECT(send_(&control, 24), 1);
    EXPECT(receive(&got, 12).flags, 0x20);
    control.data.fd = 99;
    EXPECT(send_(&control, 24), -EBADF);
    control.type = 77;
    EXPECT(send_(&control, 24), -EINVAL);
}

static void credentials(void)
{
    struct cmsg control = { .length = 100, .level = SOCKET_LEVEL, .type = CREDS }, got = { 0 };
    uint32_t peer[22] = { 9 };
    int on = 1, size = sizeof peer;
    /* "SCM_CREDS: the kernel fills in the structure". */
    EXPECT(send_(&control, 104), 1);
    receive(&got, sizeof got);
    EXPECT(got.length, 100);
    EXPECT(got.type, CREDS);
    EXPECT(got.data.words[0], getpid_());
    EXPECT(got.data.words[1], CALL(24));
    EXPECT(got.data.words[2], CALL(25));
    EXPECT(got.data.words[3], CALL(47));
    EXPECT((short)got.data.words[4] > 0, 1);
    EXPECT(got.data.words[5], CALL(43));
    /* "LOCAL_CREDS ... Credentials are passed to the peer only once on SOCK_STREAM". */
    EXPECT(CALL(105, ends[1], LOCAL_LEVEL, LOCAL_CREDS, &on, 4), 0);
    EXPECT(send_(0, 0), 1);
    receive(&got, sizeof got);
    EXPECT(got.type, CREDS);
    EXPECT(got.data.words[0], CALL(24));
    EXPECT(got.data.words[3], CALL(43));
    EXPECT(send_(0, 0), 1);
    EXPECT(receive(&got, sizeof got).control_length, 0);
    /* "LOCAL_CREDS_PERSISTENT: ... the SCM_CREDS2 ... on every message" as a struct sockcred2; it and LOCAL_CREDS "are mutually exclusive". */
    EXPECT(CALL(105, ends[1], LOCAL_LEVEL, LOCAL_CREDS_PERSISTENT, &on, 4), 0);
    EXPECT(CALL(105, ends[1], LOCAL_LEVEL, LOCAL_CREDS, &on, 4), -EINVAL);
    for (int i = 0; i < 2; i++)
    {
        EXPECT(send_(0, 0), 1);
        receive(&got, sizeof got);
        EXPECT(got.type, CREDS2);
        EXPECT(got.data.words[0], 0);
        EXPECT(got.data.words[1], getpid_());
        EXPECT(got.data.words[2], CALL(24));
        EXPECT(got.data.words[5], CALL(43));
    }
    on = 0;
    EXPECT(CALL(105, ends[1], LOCAL_LEVEL, LOCAL_CREDS_PERSISTENT, &on, 4), 0);
    EXPECT(send_(0, 0), 1);
    EXPECT(receive(&got, sizeof got).control_length, 0);
    EXPECT(CALL(118, ends[1], LOCAL_LEVEL, PEERCRED, peer, &size), 0);
    EXPECT(size, 88);
    EXPECT(peer[0], 0);
    EXPECT(peer[1], CALL(25));
    EXPECT(peer[3], CALL(43));
    EXPECT(peer[20], getpid_());
    EXPECT(CALL(105, ends[1], LOCAL_LEVEL, 99, &on, 4), -ENOPROTOOPT);
}

static void terminals(void)
{
    struct { uint32_t input, output, control, local; uint8_t special[20]; uint32_t in_speed, out_speed; } now, then;
    struct { uint16_t rows, columns, x, y; } size = { 24, 80, 0, 0 }, told = { 0 };
    long fd = open_("/dev/ptmx", 2, 0);
    int p[2], queues = 3;
    EXPECT(fd >= 0, 1);
    EXPECT(CALL(54, fd, 0x402C7413, &now), 0);
    /* ICRNL and IXON; OPOST and ONLCR; CREAD and CS8; ISIG, ICANON, ECHO, IEXTEN. */
    EXPECT(now.input & 0x300, 0x300);
    EXPECT(now.output & 3, 3);
    EXPECT(now.control & 0xB00, 0xB00);
    EXPECT(now.local & 0x588, 0x588);
    EXPECT(now.special[8], 3);
    EXPECT(now.special[0], 4);
    EXPECT(now.special[16], 1);
    EXPECT(now.special[1], 0xFF);
    EXPECT(now.out_speed, 38400);
    then = now;
    then.local &= ~0x108u;
    then.input = 0x1;
    then.special[16] = 5;
    then.special[8] = 0xFF;
    then.out_speed = 9600;
    EXPECT(CALL(54, fd, 0x802C7416, &then), 0);
    EXPECT(CALL(54, fd, 0x402C7413, &now), 0);
    EXPECT(now.local & 0x188, 0x80);
    EXPECT(now.input, 1);
    EXPECT(now.special[16], 5);
    EXPECT(now.special[8], 0xFF);
    EXPECT(now.special[9], 28);
    EXPECT(now.out_speed, 9600);
    EXPECT(CALL(54, fd, 0x80087467, &size), 0);
    EXPECT(CALL(54, fd, 0x40087468, &told), 0);
    EXPECT(told.columns, 80);
    EXPECT(CALL(54, fd, 0x80047410, &queues), 0);
    EXPECT(CALL(54, fd, 0x2000745E, 0), 0);
    pipe_(p);
    EXPECT(CALL(54, p[0], 0x402C7413, &now), -ENOTTY);
    EXPECT(CALL(54, 99, 0x402C7413, &now), -EBADF);
}

static void watches(void)
{
    struct { int wd; uint32_t mask, cookie, length; char name[16]; } event;
    uint32_t flags = 4;
    long queue = CALL(577, 2, &flags, 4), watch;
    mkdir_("watched", 0755);
    EXPECT(queue >= 0, 1);
    watch = CALL(593, queue, -100, "watched", 0x100);
    EXPECT(watch, 1);
    EXPECT(read_(queue, &event, sizeof event), -EAGAIN);
    close_(open_("watched/new", 0x201, 0644));
    EXPECT(read_(queue, &event, sizeof event), 32);
    EXPECT(event.wd, watch);
    EXPECT(event.mask, 0x100);
    EXPECT(event.name[0], 'n');
    EXPECT(CALL(594, queue, watch), 0);
    EXPECT(CALL(594, queue, watch), -EINVAL);
    EXPECT(CALL(577, 9, &flags, 4), -EINVAL);
    unlink_("watched/new");
    rmdir_("watched");
}

static void contexts(void)
{
    static uint64_t context[110];
    static volatile int times;
    EXPECT(CALL(421, context), 0);
    if (times++ == 0)
        EXPECT(CALL(422, context), "not reached");
    EXPECT(times, 2);
}

void run(void)
{
    EXPECT(CALL(135, 1, 1, 0, ends), 0);
    rights();
    credentials();
    terminals();
    watches();
    contexts();
}
