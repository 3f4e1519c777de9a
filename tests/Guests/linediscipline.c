// Random programs of settings, typing, writing and reading on a pseudo-terminal: what comes out at both ends. Seeds are arguments.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include "check.h"

static int master, slave;
static unsigned long long state;

static unsigned below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

static void bytes(const char *what, const char *data, long length)
{
    printf("%s %ld ", what, length < 0 ? (long)-errno : length);
    for (long i = 0; i < length; i++)
        printf(data[i] < ' ' || data[i] > '~' || data[i] == '\\' ? "\\%03o" : "%c", (unsigned char)data[i]);
    printf("\n");
}

static int compose(char *text)
{
    static const char *const pieces[] = {
        "a", "bc ", "_word", " two", "\t", "\n", "\r", "\177", "\025", "\027", "\026", "\022", "\004", "\377", "\303\251", "\342\202\254",
        "\023", "\021", "\003", "\034", "\032", ";", "|", "X", "\b", "\001", "\033[A", "\177\177", "\200", "\0", "\t\t", "x\ty", "QUITE a LINE\n",
    };
    int length = 0;
    for (unsigned count = 1 + below(12); count; count--) {
        const char *piece = pieces[below(sizeof pieces / sizeof *pieces)];
        int size = *piece ? (int)strlen(piece) : 1;
        memcpy(text + length, piece, size);
        length += size;
    }
    return length;
}

static void drain(void)
{
    char data[8192];
    for (;;) {
        long got = read(master, data, sizeof data);
        if (got < 0 && errno == EAGAIN)
            return;
        bytes("  out", data, got);
        if (got <= 0)
            return;
    }
}

static tcflag_t some(tcflag_t flags, const tcflag_t *choices, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (below(6) == 0)
            flags ^= choices[i];
    return flags;
}

static void change(void)
{
    static const tcflag_t inputs[] = { ISTRIP, INLCR, IGNCR, ICRNL, IUCLC, IXON, IXANY, IUTF8, PARMRK };
    static const tcflag_t outputs[] = { OPOST, OLCUC, ONLCR, OCRNL, ONOCR, ONLRET, XTABS };
    static const tcflag_t locals[] = { ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHONL, NOFLSH, TOSTOP, ECHOCTL, ECHOPRT, ECHOKE, IEXTEN };
    static const cc_t minima[] = { 0, 1, 5, 100 };
    static const int when[] = { TCSANOW, TCSADRAIN, TCSAFLUSH };
    struct termios mode;
    tcgetattr(slave, &mode);
    mode.c_iflag = some(mode.c_iflag, inputs, sizeof inputs / sizeof *inputs);
    mode.c_oflag = some(mode.c_oflag, outputs, sizeof outputs / sizeof *outputs);
    mode.c_lflag = some(mode.c_lflag, locals, sizeof locals / sizeof *locals);
    mode.c_cc[VMIN] = minima[below(4)];
    mode.c_cc[VEOL] = below(2) ? ';' : 0;
    mode.c_cc[VEOL2] = below(2) ? '|' : 0;
    int how = when[below(3)];
    printf("set %d %x %x %x min %d: %d\n", how, mode.c_iflag, mode.c_oflag, mode.c_lflag, mode.c_cc[VMIN], tcsetattr(below(4) ? slave : master, how, &mode));
}

static void look(void)
{
    struct pollfd items[2] = { { slave, POLLIN | POLLOUT | POLLPRI, 0 }, { master, POLLIN | POLLOUT | POLLPRI, 0 } };
    int queued = -1;
    poll(items, 2, 0);
    ioctl(slave, FIONREAD, &queued);
    printf("look %x %x, %d queued\n", items[0].revents, items[1].revents, queued);
}

static void step(void)
{
    char text[256];
    int length;
    switch (below(12)) {
    case 0:
        change();
        break;
    case 1: case 2: case 3: case 4:
        length = compose(text);
        bytes("type", text, length);
        if (write(master, text, length) != length)
            die("write");
        // The kernel passes what was typed on in a worker.
        usleep(20000);
        break;
    case 5: case 6:
        length = compose(text);
        bytes("write", text, length);
        printf("  %ld\n", (long)write(slave, text, length));
        break;
    case 7: case 8:
        length = below(3) ? 200 : 1 + below(8);
        printf("read %d\n", length);
        bytes("  in", text, read(slave, text, length));
        break;
    case 9: {
        static const int queues[] = { TCIFLUSH, TCOFLUSH, TCIOFLUSH };
        int queue = queues[below(3)];
        printf("flush %d: %d\n", queue, tcflush(slave, queue));
        break;
    }
    case 10: {
        static const int actions[] = { TCOOFF, TCOON, TCOON, TCIOFF, TCION };
        int action = actions[below(5)];
        printf("flow %d: %d\n", action, tcflow(slave, action));
        break;
    }
    default: {
        int packet = below(2);
        printf("packet %d: %d\n", packet, ioctl(master, TIOCPKT, &packet));
        break;
    }
    }
    look();
    drain();
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        state = strtoull(arguments[i], NULL, 10) * 0x9E3779B97F4A7C15ull + 1;
        printf("seed %s\n", arguments[i]);
        if (openpty(&master, &slave, NULL, NULL, NULL))
            die("openpty");
        fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
        fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
        for (int steps = 0; steps < 40; steps++)
            step();
        close(master);
        close(slave);
    }
    return 0;
}
