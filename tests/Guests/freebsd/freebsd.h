/* FreeBSD's system calls without its C library, or with NETBSD NetBSD's: numbers and structures of the manual pages, amd64 and arm64. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { EPERM = 1, ENOENT = 2, ESRCH = 3, EBADF = 9, EAGAIN = 35, EINVAL = 22, ENOSYS = 78, ETIMEDOUT = 60 };

/* The linker's mark by which a system knows its programs: a note with the release. */
#ifdef NETBSD
#define SYSTEM_NOTE ".long 7, 4, 1\n.asciz \"NetBSD\"\n.balign 4\n.long 1000000000\n"
#else
#define SYSTEM_NOTE ".long 8, 4, 1\n.asciz \"FreeBSD\"\n.long 1302001\n"
#endif
__asm__(".section .note.tag,\"a\",@note\n.align 4\n" SYSTEM_NOTE ".text");

/* -errno for an error, which is what the carry flag says. */
static inline __attribute__((always_inline)) long call(long number, long a, long b, long c, long d, long e, long f)
{
#ifdef __aarch64__
#ifdef NETBSD
    register long x17 __asm__("x17") = number;
#else
    register long x8 __asm__("x8") = number;
#define x17 x8
#endif
    register long x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    long failed;
    __asm__ volatile("svc #0\n\tcset %0, cs" : "=r"(failed), "+r"(x0), "+r"(x1) : "r"(x17), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return failed ? -x0 : x0;
#undef x17
#else
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    unsigned char failed;
    long second = c;
    __asm__ volatile("syscall\n\tsetc %0" : "=r"(failed), "+a"(number), "+d"(second), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "D"(a), "S"(b) : "rcx", "r11", "memory", "cc");
    return failed ? -number : number;
#endif
}

#define CALL(n, ...) CALL_(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(n, a, b, c, d, e, f, ...) call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Where the systems differ. */
#ifdef NETBSD
enum { N_WAIT4 = 449, N_CLOCK_GETTIME = 427, N_NANOSLEEP = 430, N_KQUEUE = 344, N_PIPE2 = 453, O_DIRECTORY = 0x200000, NOTE_USECONDS = 2, NOTE_SECONDS = 1 };
#else
enum { N_WAIT4 = 7, N_CLOCK_GETTIME = 232, N_NANOSLEEP = 240, N_KQUEUE = 362, N_PIPE2 = 542, O_DIRECTORY = 0x20000, NOTE_USECONDS = 4, NOTE_SECONDS = 1 };
#endif

struct timespec { int64_t seconds, nanoseconds; };
struct kevent { uint64_t ident; int16_t filter; uint16_t flags; uint32_t fflags; int64_t data; void *udata; uint64_t ext[4]; };
struct sigaction { void *handler; uint32_t flags; uint32_t mask[4]; };

static void leave(int code) { CALL(1, code); for (;;); }
static long fork_(void) { return CALL(2); }
static long read_(int fd, void *to, size_t n) { return CALL(3, fd, to, n); }
static long write_(int fd, const void *from, size_t n) { return CALL(4, fd, from, n); }
static long open_(const char *path, int flags, int mode) { return CALL(5, path, flags, mode); }
static long close_(int fd) { return CALL(6, fd); }
static long wait_(long pid, int *status) { return CALL(N_WAIT4, pid, status, 0, 0); }
static long link_(const char *from, const char *to) { return CALL(9, from, to); }
static long unlink_(const char *path) { return CALL(10, path); }
static long chmod_(const char *path, int mode) { return CALL(15, path, mode); }
static long getpid_(void) { return CALL(20); }
static long kill_(long pid, int signal) { return CALL(37, pid, signal); }
static long dup_(int fd) { return CALL(41, fd); }
static long rename_(const char *from, const char *to) { return CALL(128, from, to); }
static long mkdir_(const char *path, int mode) { return CALL(136, path, mode); }
static long rmdir_(const char *path) { return CALL(137, path); }
static long clock_(int clock, struct timespec *now) { return CALL(N_CLOCK_GETTIME, clock, now); }
static long pause_(int64_t nanoseconds) { struct timespec t = { 0, nanoseconds }; return CALL(N_NANOSLEEP, &t, 0); }
static long kqueue_(void) { return CALL(N_KQUEUE); }
static long pipe_(int fds[2]) { return CALL(N_PIPE2, fds, 0); }

#ifdef NETBSD
/* Both layouts of struct kevent: the first 40 bytes of this, or all. Filters count from 0 there. */
struct netbsd_kevent { uint64_t ident; uint32_t filter, flags, fflags, padding; int64_t data; void *udata; uint64_t ext[4]; };
static int kevent_number, kevent_size;
static const signed char netbsd_filters[] = { -1, -2, -3, -4, -5, -6, -7, -9, -11, -13 };

static long kevent_(int kq, const struct kevent *changes, int n, struct kevent *events, int room, const struct timespec *limit)
{
    static char in[8 * sizeof(struct netbsd_kevent)], out[8 * sizeof(struct netbsd_kevent)];
    for (int i = 0; i < n; i++)
    {
        struct netbsd_kevent k = { changes[i].ident, 99, changes[i].flags, changes[i].fflags, 0, changes[i].data, changes[i].udata, { 0 } };
        for (unsigned f = 0; f < sizeof netbsd_filters; f++)
            if (netbsd_filters[f] == changes[i].filter)
                k.filter = f;
        __builtin_memcpy(in + i * kevent_size, &k, kevent_size);
    }
    long found = CALL(kevent_number, kq, in, n, out, room, limit);
    for (int i = 0; i < found; i++)
    {
        struct netbsd_kevent k = { 0 };
        __builtin_memcpy(&k, out + i * kevent_size, kevent_size);
        events[i] = (struct kevent){ k.ident, k.filter < sizeof netbsd_filters ? netbsd_filters[k.filter] : k.filter, k.flags, k.fflags, k.data, k.udata, { 0 } };
    }
    return found;
}

/* __sigaction_sigtramp: the mask comes before the flags. No handlers here, which would need a way back. */
static long sigaction_(int signal, const struct sigaction *new, struct sigaction *old)
{
    struct { void *handler; uint32_t mask[4], flags; } action = { new->handler };
    return CALL(340, signal, &action, 0, 0, 0);
}
static long seek_(int fd, long offset, int whence) { return CALL(199, fd, 0, offset, whence); }
#else
static long kevent_(int kq, const struct kevent *changes, int n, struct kevent *events, int room, const struct timespec *limit)
{
    return CALL(560, kq, changes, n, events, room, limit);
}
static long sigaction_(int signal, const struct sigaction *new, struct sigaction *old) { return CALL(416, signal, new, old); }
static long seek_(int fd, long offset, int whence) { return CALL(478, fd, offset, whence); }
static long pdfork_(int *fd) { return CALL(518, fd, 0); }
static long kqueuex_(unsigned flags) { return CALL(583, flags); }
#endif

static int failures;

static void put(const char *text)
{
    size_t n = 0;
    while (text[n])
        n++;
    write_(1, text, n);
}

static void put_number(long n)
{
    char text[24], *at = text + sizeof text;
    unsigned long rest = n < 0 ? -(unsigned long)n : (unsigned long)n;
    *--at = 0;
    do
        *--at = '0' + rest % 10;
    while (rest /= 10);
    if (n < 0)
        *--at = '-';
    put(at);
}

static void expect_at(int line, const char *what, long got, long wanted)
{
    if (got == wanted)
        return;
    failures++;
    put("line "); put_number(line); put(": "); put(what); put(": "); put_number(got); put(", not "); put_number(wanted); put("\n");
}

/* Says what was expected and came not; silent otherwise. */
#define EXPECT(got, wanted) expect_at(__LINE__, #got, (long)(got), (long)(wanted))

/* A shell of another system does what only that can. */
static void run_shell(const char *command)
{
    const char *const words[] = { "/bin/sh", "-c", command, 0 }, *const none[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", 0 };
    int status = -1;
    if (fork_() == 0)
    {
        CALL(59, words[0], words, none);
        leave(1);
    }
    wait_(-1, &status);
    EXPECT(status, 0);
}

/* gcc may ask for these. */
void *memset(void *to, int value, size_t n) { for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = value; return to; }
void *memcpy(void *to, const void *from, size_t n) { for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = ((const char *)from)[i]; return to; }

void run(void);

#ifndef __aarch64__
__attribute__((force_align_arg_pointer))
#endif
void _start(void)
{
    run();
    put(failures ? "failed\n" : "as the manual says\n");
    leave(failures != 0);
}
