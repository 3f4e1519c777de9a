/* What NetBSD's _lwp_park(2), _lwp_unpark(2) and __futex(2) say; sys_lwp.c and sys_futex.c where they are silent. */
#define NETBSD
#include "freebsd.h"

enum { EALREADY = 37, FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_FD = 2, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE = 4, FUTEX_LOCK_PI = 6, FUTEX_WAIT_BITSET = 9, PRIVATE = 128 };
enum { REALTIME = 0, MONOTONIC = 3, ABSTIME = 1 };

static char stack[16384] __attribute__((aligned(16)));
static volatile uint32_t word, other, done;
static volatile int first;

static long park(int clock, int flags, void *time, int unpark) { return CALL(478, clock, flags, time, unpark, 0, 0); }
static long futex(volatile uint32_t *at, int op, int value, void *time, volatile uint32_t *second, int number, int third)
{
    /* The seventh argument is on the stack, above the place of a return address. */
    long result;
    register long r10 __asm__("r10") = (long)time, r8 __asm__("r8") = (long)second, r9 __asm__("r9") = number;
    unsigned char failed;
    __asm__ volatile("sub $128, %%rsp\n\tpush %[third]\n\tpush $0\n\tsyscall\n\tsetc %0\n\tlea 144(%%rsp), %%rsp"
                     : "=r"(failed), "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9) : "1"(166L), "D"(at), "S"((long)op), "d"((long)value), [third] "r"((long)third) : "rcx", "r11", "memory", "cc");
    return failed ? -result : result;
}

static void (*volatile body)(void);
static void thread(void) { body(); done = 1; CALL(310); }

/* A context with a stack and a first instruction: uc_flags 4, ..., registers at 56 (getcontext(2) fills them; rip is the 22nd, rsp the 24th). */
static int start(void (*what)(void))
{
    static uint64_t context[110];
    int id = 0;
    body = what;
    done = 0;
    EXPECT(CALL(307, context), 0);
    context[7 + 21] = (uint64_t)thread;
    context[7 + 24] = (uint64_t)(stack + sizeof stack - 8);
    EXPECT(CALL(309, context, 0, &id), 0);
    return id;
}

static void join(void) { while (!done) pause_(100000); pause_(1000000); }

static void unpark_first(void) { pause_(3000000); EXPECT(CALL(321, first, 0), 0); }
static volatile long result;
static void wait_here(void) { result = futex(&word, FUTEX_WAIT | PRIVATE, 0, 0, 0, 0, 0); }
static void park_here(void) { result = park(MONOTONIC, 0, 0, 0); }

void run(void)
{
    struct timespec span = { 0, 2000000 }, point;
    uint64_t table[2];
    first = CALL(311);
    /* "If the LWP is not parked, ... the next call to _lwp_park will return early": EALREADY. */
    EXPECT(CALL(321, first, 0), 0);
    EXPECT(CALL(321, first, 0), 0);
    EXPECT(park(MONOTONIC, 0, 0, 0), -EALREADY);
    EXPECT(park(MONOTONIC, 0, &span, 0), -ETIMEDOUT);
    EXPECT(span.seconds, 0);
    EXPECT(span.nanoseconds, 0);
    clock_(MONOTONIC, &point);
    EXPECT(park(MONOTONIC, ABSTIME, &point, 0), -ETIMEDOUT);
    EXPECT(park(MONOTONIC, 0, 0, 9999), -ESRCH);
    EXPECT(CALL(321, 9999, 0), -ESRCH);
    span.nanoseconds = 1000000000;
    EXPECT(park(MONOTONIC, 0, &span, 0), -EINVAL);
    /* Unparked by another; what is left of the time is told. */
    span = (struct timespec){ 20, 0 };
    start(unpark_first);
    EXPECT(park(MONOTONIC, 0, &span, 0), 0);
    EXPECT(span.seconds, 19);
    join();
    /* One call unparks another and parks. */
    int id = start(park_here);
    pause_(3000000);
    span = (struct timespec){ 0, 2000000 };
    EXPECT(park(MONOTONIC, 0, &span, id), -ETIMEDOUT);
    join();
    EXPECT(result, 0);
    id = start(park_here);
    pause_(3000000);
    int targets[2] = { id, first };
    EXPECT(CALL(322, 0, 0, 0), 1024);
    EXPECT(CALL(322, targets, 0, 0), -EINVAL);
    EXPECT(CALL(322, targets, 2, 0), 0);
    join();
    EXPECT(result, 0);
    EXPECT(park(MONOTONIC, 0, 0, 0), -EALREADY);
    /* __futex */
    EXPECT(futex(&word, FUTEX_WAIT | PRIVATE, 1, 0, 0, 0, 0), -EAGAIN);
    span = (struct timespec){ 0, 2000000 };
    EXPECT(futex(&word, FUTEX_WAIT | PRIVATE, 0, &span, 0, 0, 0), -ETIMEDOUT);
    EXPECT(futex(&word, FUTEX_WAIT_BITSET | PRIVATE, 0, &point, 0, 0, 1), -ETIMEDOUT);
    EXPECT(futex(&word, FUTEX_LOCK_PI, 0, 0, 0, 0, 0), -ENOSYS);
    EXPECT(futex(&word, FUTEX_FD, 0, 0, 0, 0, 0), -ENOSYS);
    EXPECT(futex(&word, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0, 0), 0);
    start(wait_here);
    pause_(3000000);
    /* Moved to another word: val2 is how many, val3 what the word must be. */
    EXPECT(futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 0, 0, &other, 1, 7), -EAGAIN);
    EXPECT(futex(&word, FUTEX_CMP_REQUEUE | PRIVATE, 0, 0, &other, 1, 0), 1);
    EXPECT(futex(&word, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0, 0), 0);
    EXPECT(futex(&other, FUTEX_WAKE | PRIVATE, 1, 0, 0, 0, 0), 1);
    join();
    EXPECT(result, 0);
    EXPECT(CALL(167, table, 23), -EINVAL);
    EXPECT(CALL(167, table, 24), 0);
}
