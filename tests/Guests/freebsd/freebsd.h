/* FreeBSD's system calls without its C library: numbers and structures of the manual pages, amd64. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { EPERM = 1, ENOENT = 2, ESRCH = 3, EBADF = 9, EAGAIN = 35, EINVAL = 22, ENOSYS = 78, ETIMEDOUT = 60 };

/* The linker's mark by which a system knows its programs: a note of FreeBSD with the release, unless the program has another's. */
#ifndef SYSTEM_NOTE
#define SYSTEM_NOTE ".long 8, 4, 1\n.asciz \"FreeBSD\"\n.long 1302001\n"
#endif
__asm__(".section .note.tag,\"a\",@note\n.align 4\n" SYSTEM_NOTE ".text");

/* -errno for an error, which is what the carry flag says. */
static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    unsigned char failed;
    long second = c;
    __asm__ volatile("syscall\n\tsetc %0" : "=r"(failed), "+a"(number), "+d"(second), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "D"(a), "S"(b) : "rcx", "r11", "memory", "cc");
    return failed ? -number : number;
}

#define CALL(n, ...) CALL_(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(n, a, b, c, d, e, f, ...) call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

struct timespec { int64_t seconds, nanoseconds; };
struct kevent { uint64_t ident; int16_t filter; uint16_t flags; uint32_t fflags; int64_t data; void *udata; uint64_t ext[4]; };
struct sigaction { void *handler; uint32_t flags; uint32_t mask[4]; };

static void leave(int code) { CALL(1, code); for (;;); }
static long fork_(void) { return CALL(2); }
static long read_(int fd, void *to, size_t n) { return CALL(3, fd, to, n); }
static long write_(int fd, const void *from, size_t n) { return CALL(4, fd, from, n); }
static long open_(const char *path, int flags, int mode) { return CALL(5, path, flags, mode); }
static long close_(int fd) { return CALL(6, fd); }
static long wait_(long pid, int *status) { return CALL(7, pid, status, 0, 0); }
static long link_(const char *from, const char *to) { return CALL(9, from, to); }
static long unlink_(const char *path) { return CALL(10, path); }
static long chmod_(const char *path, int mode) { return CALL(15, path, mode); }
static long getpid_(void) { return CALL(20); }
static long kill_(long pid, int signal) { return CALL(37, pid, signal); }
static long dup_(int fd) { return CALL(41, fd); }
static long rename_(const char *from, const char *to) { return CALL(128, from, to); }
static long mkdir_(const char *path, int mode) { return CALL(136, path, mode); }
static long rmdir_(const char *path) { return CALL(137, path); }
static long clock_(int clock, struct timespec *now) { return CALL(232, clock, now); }
static long pause_(int64_t nanoseconds) { struct timespec t = { 0, nanoseconds }; return CALL(240, &t, 0); }
static long kqueue_(void) { return CALL(362); }
static long sigaction_(int signal, const struct sigaction *new, struct sigaction *old) { return CALL(416, signal, new, old); }
static long pipe_(int fds[2]) { return CALL(542, fds, 0); }
static long pdfork_(int *fd) { return CALL(518, fd, 0); }
static long kevent_(int kq, const struct kevent *changes, int n, struct kevent *events, int room, const struct timespec *limit)
{
    return CALL(560, kq, changes, n, events, room, limit);
}
static long kqueuex_(unsigned flags) { return CALL(583, flags); }

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

/* gcc may ask for these. */
void *memset(void *to, int value, size_t n) { for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = value; return to; }
void *memcpy(void *to, const void *from, size_t n) { for (size_t i = 0; i < n; i++) ((volatile char *)to)[i] = ((const char *)from)[i]; return to; }

void run(void);

__attribute__((force_align_arg_pointer)) void _start(void)
{
    run();
    put(failures ? "failed\n" : "as the manual says\n");
    leave(failures != 0);
}
