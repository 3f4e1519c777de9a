/* What _umtx_op(2) says of mutexes, condition variables, locks of readers and writers, semaphores and shared pages; FreeBSD's kern_umtx.c where it is silent. */
#include "freebsd.h"

enum { EDEADLK = 11, EFAULT = 14, EBUSY = 16, ENOTTY = 25, EINTR = 4, EOPNOTSUPP = 45, ENOTRECOVERABLE = 95, EOWNERDEAD = 96 };
enum { WAIT = 2, WAKE = 3, TRYLOCK = 4, LOCK = 5, UNLOCK = 6, SET_CEILING = 7, CV_WAIT = 8, CV_SIGNAL = 9, CV_BROADCAST = 10, WAIT_UINT = 11, RDLOCK = 12, WRLOCK = 13,
    RW_UNLOCK = 14, WAIT_UINT_PRIVATE = 15, WAKE_PRIVATE = 16, MUTEX_WAIT = 17, MUTEX_WAKE = 18, SEM_WAIT = 19, SEM_WAKE = 20, NWAKE_PRIVATE = 21, WAKE2 = 22,
    SEM2_WAIT = 23, SEM2_WAKE = 24, SHM = 25, ROBUST_LISTS = 26 };
enum { SHARED = 1, INHERIT = 4, PROTECT = 8, ROBUST = 16, INCONSISTENT = 32 };
#define CONTESTED 0x80000000u
#define OWNER_DEAD (CONTESTED | 0x10)
#define NOT_RECOVERABLE (CONTESTED | 0x11)
#define WRITE_OWNER 0x80000000u
#define WRITE_WAITERS 0x40000000u
#define READ_WAITERS 0x20000000u

struct umutex { volatile uint32_t owner; uint32_t flags, ceilings[2]; uint64_t link; uint32_t spare[2]; };
struct ucond { volatile uint32_t has_waiters; uint32_t flags, clock, spare; };
struct urwlock { volatile uint32_t state; uint32_t flags; volatile uint32_t readers, writers; uint32_t spare[4]; };
struct umtx_time { struct timespec time; uint32_t flags, clock; struct timespec rest; };
struct thr_param { void (*start)(void *); void *argument; char *stack; uint64_t stack_size; char *tls; uint64_t tls_size; long *child, *parent; int flags; void *priority; void *spare[3]; };

static long op(volatile void *object, int operation, unsigned long value, volatile void *first, volatile void *second) { return CALL(454, object, operation, value, first, second); }
static uint32_t self(void) { long id; CALL(432, &id); return id; }

static char stacks[4][16384] __attribute__((aligned(16)));
static volatile long states[4];
static void (*volatile bodies[4])(void);

static void body(void *number)
{
    bodies[(long)number]();
    CALL(431, &states[(long)number]);
}

static long start(long number, void (*what)(void))
{
    long id = 0;
    struct thr_param p = { .start = body, .argument = (void *)number, .stack = stacks[number], .stack_size = sizeof stacks[number], .parent = &id };
    states[number] = 0;
    bodies[number] = what;
    EXPECT(CALL(455, &p, sizeof p), 0);
    return id;
}

/* Until it has ended: its state becomes 1 and who waits for that is woken. */
static void join(long number)
{
    while (!states[number])
        op(&states[number], WAIT, 0, 0, 0);
}

/* Until a word has some of these bits. */
static void until(volatile uint32_t *word, uint32_t bits)
{
    for (int i = 0; i < 10000 && !(*word & bits); i++)
        pause_(100000);
    EXPECT((*word & bits) != 0, 1);
}

static void until_is(volatile uint32_t *word, uint32_t value)
{
    for (int i = 0; i < 10000 && *word != value; i++)
        pause_(100000);
    EXPECT(*word, value);
}

static const struct timespec moment = { 0, 2000000 };
static struct umutex m;
static struct ucond c;
static struct urwlock rw;
static volatile uint32_t sem[4], order, got[8];

static void lock_and_tell(void) { got[0] = op(&m, LOCK, 0, 0, 0); got[1] = m.owner; got[2] = self(); op(&m, UNLOCK, 0, 0, 0); }
static void lock_too(void) { got[3] = op(&m, LOCK, 0, 0, 0); got[4] = m.owner; op(&m, UNLOCK, 0, 0, 0); }
static void try_and_tell(void) { got[0] = op(&m, TRYLOCK, 0, 0, 0); got[1] = op(&m, UNLOCK, 0, 0, 0); got[2] = op(&m, LOCK, 0, (void *)16, (void *)&moment); }
static void watch(void) { got[0] = op(&m, MUTEX_WAIT, 0, 0, 0); got[1] = m.owner; }

static void plain(uint32_t flags)
{
    struct umtx_time limit = { { 0, 0 }, 1, 4 };
    m = (struct umutex){ .flags = flags };
    EXPECT(op(&m, TRYLOCK, 0, 0, 0), 0);
    EXPECT(m.owner, self());
    start(0, try_and_tell);
    join(0);
    EXPECT((int)got[0], -EBUSY);
    EXPECT((int)got[1], -EPERM);
    EXPECT((int)got[2], -ETIMEDOUT);
    /* "Set the contested bit so that a release in user space knows to use the system call for unlock." */
    EXPECT(m.owner, self() | CONTESTED);
    clock_(4, &limit.time);
    start(0, lock_and_tell);
    pause_(2000000);
    start(1, lock_too);
    pause_(5000000);
    /* "marked as unowned if there is zero or one thread only waiting for it. Otherwise, it must be marked as contested." */
    EXPECT(op(&m, UNLOCK, 0, 0, 0), 0);
    join(0);
    join(1);
    EXPECT(got[0], 0);
    EXPECT(got[1], got[2] | CONTESTED);
    EXPECT(got[3], 0);
    EXPECT(m.owner & ~CONTESTED, 0);
    EXPECT(op(&m, UNLOCK, 0, 0, 0), -EPERM);
    EXPECT(op(0, LOCK, 0, 0, 0), -EFAULT);
    m.flags = INHERIT | PROTECT;
    EXPECT(op(&m, LOCK, 0, 0, 0), -EINVAL);
    EXPECT(op(&m, UNLOCK, 0, 0, 0), -EINVAL);
    limit.time.nanoseconds = 2000000000;
    EXPECT(op(&m, LOCK, 0, (void *)24, &limit), -EINVAL);
    EXPECT(op(&m, 0, 0, 0, 0), -EOPNOTSUPP);
    EXPECT(op(&m, 99, 0, 0, 0), -EINVAL);
}

static void watching(void)
{
    m = (struct umutex){ 0 };
    op(&m, LOCK, 0, 0, 0);
    start(0, watch);
    until(&m.owner, CONTESTED);
    EXPECT(op(&m, UNLOCK, 0, 0, 0), 0);
    join(0);
    /* MUTEX_WAIT does not take it. */
    EXPECT(got[0], 0);
    EXPECT(got[1], 0);
    /* Unlocked without the kernel: MUTEX_WAKE2 wakes the one that waits. */
    op(&m, LOCK, 0, 0, 0);
    start(0, watch);
    until(&m.owner, CONTESTED);
    m.owner = 0;
    EXPECT(op(&m, WAKE2, 0, 0, 0), 0);
    join(0);
    EXPECT(m.owner, 0);
    EXPECT(op(&m, WAKE2, INHERIT | PROTECT, 0, 0), -EINVAL);
    op(&m, LOCK, 0, 0, 0);
    start(0, watch);
    until(&m.owner, CONTESTED);
    m.owner = CONTESTED;
    EXPECT(op(&m, MUTEX_WAKE, 0, 0, 0), 0);
    join(0);
    EXPECT(m.owner, 0);
}

static void inheriting(void)
{
    struct umtx_time limit = { { 0, 0 }, 1, 4 };
    plain(INHERIT);
    m = (struct umutex){ .flags = INHERIT };
    EXPECT(op(&m, LOCK, 0, 0, 0), 0);
    EXPECT(op(&m, LOCK, 0, 0, 0), -EDEADLK);
    clock_(4, &limit.time);
    EXPECT(op(&m, UNLOCK, 0, 0, 0), 0);
    EXPECT(m.owner, 0);
}

static void ceilings(void)
{
    volatile uint32_t before = 9;
    m = (struct umutex){ .owner = CONTESTED, .flags = PROTECT, .ceilings = { 5, 0xFFFFFFFF } };
    EXPECT(op(&m, LOCK, 0, 0, 0), 0);
    EXPECT(m.owner, self() | CONTESTED);
    start(0, try_and_tell);
    join(0);
    EXPECT((int)got[0], -EBUSY);
    EXPECT(op(&m, SET_CEILING, 7, &before, 0), 0);
    EXPECT(before, 5);
    EXPECT(m.ceilings[0], 7);
    /* "always set unlocked state to UMUTEX_CONTESTED, so that userland always enters kernel to lock the mutex" */
    EXPECT(op(&m, UNLOCK, 0, 0, 0), 0);
    EXPECT(m.owner, CONTESTED);
    EXPECT(op(&m, SET_CEILING, 32, &before, 0), -EINVAL);
    EXPECT(op(&m, SET_CEILING, 3, 0, 0), 0);
    EXPECT(m.owner, CONTESTED);
    m.ceilings[0] = 40;
    EXPECT(op(&m, LOCK, 0, 0, 0), -EINVAL);
    m.flags = 0;
    EXPECT(op(&m, SET_CEILING, 3, 0, 0), -EINVAL);
}

static void wait_for_condition(void) { op(&m, LOCK, 0, 0, 0); got[0] = op(&c, CV_WAIT, 0, &m, 0); got[1] = m.owner; }
static void wait_too(void) { op(&m, LOCK, 0, 0, 0); got[2] = op(&c, CV_WAIT, 0, &m, 0); }

static void conditions(void)
{
    struct timespec then;
    m = (struct umutex){ 0 };
    c = (struct ucond){ 0 };
    start(0, wait_for_condition);
    until(&c.has_waiters, 1);
    until_is(&m.owner, 0);
    EXPECT(op(&c, CV_SIGNAL, 0, 0, 0), 0);
    join(0);
    EXPECT(got[0], 0);
    EXPECT(got[1], 0);
    EXPECT(c.has_waiters, 0);
    start(0, wait_for_condition);
    start(1, wait_too);
    pause_(5000000);
    EXPECT(op(&c, CV_SIGNAL, 0, 0, 0), 0);
    EXPECT(c.has_waiters, 1);
    EXPECT(op(&c, CV_BROADCAST, 0, 0, 0), 0);
    join(0);
    join(1);
    EXPECT(c.has_waiters, 0);
    /* Relative; then absolute on the condition's clock, which is past. The mutex is unlocked and stays so. */
    op(&m, LOCK, 0, 0, 0);
    EXPECT(op(&c, CV_WAIT, 0, &m, (void *)&moment), -ETIMEDOUT);
    EXPECT(c.has_waiters, 0);
    EXPECT(m.owner, 0);
    op(&m, LOCK, 0, 0, 0);
    c.clock = 4;
    clock_(4, &then);
    EXPECT(op(&c, CV_WAIT, 2 | 4, &m, &then), -ETIMEDOUT);
    EXPECT(op(&c, CV_WAIT, 0, &m, 0), -EPERM);
    EXPECT(c.has_waiters, 0);
    c.clock = 14;
    EXPECT(op(&c, CV_WAIT, 4, &m, 0), -EINVAL);
}

static void read_it(void) { got[0] = op(&rw, RDLOCK, 0, 0, 0); }
static void write_it(void) { got[1] = op(&rw, WRLOCK, 0, 0, 0); }

static void readers_and_writer(void)
{
    rw = (struct urwlock){ 0 };
    EXPECT(op(&rw, RW_UNLOCK, 0, 0, 0), -EPERM);
    EXPECT(op(&rw, RDLOCK, 0, 0, 0), 0);
    EXPECT(op(&rw, RDLOCK, 0, 0, 0), 0);
    EXPECT(rw.state, 2);
    EXPECT(op(&rw, WRLOCK, 0, (void *)16, (void *)&moment), -ETIMEDOUT);
    EXPECT(rw.state, 2);
    EXPECT(rw.writers, 0);
    start(1, write_it);
    until(&rw.state, WRITE_WAITERS);
    EXPECT(rw.writers, 1);
    /* A writer that waits keeps readers out, unless they say so. */
    EXPECT(op(&rw, RDLOCK, 0, (void *)16, (void *)&moment), -ETIMEDOUT);
    EXPECT(op(&rw, RDLOCK, 2, 0, 0), 0);
    start(0, read_it);
    until(&rw.state, READ_WAITERS);
    EXPECT(rw.readers, 1);
    EXPECT(op(&rw, RW_UNLOCK, 0, 0, 0), 0);
    EXPECT(op(&rw, RW_UNLOCK, 0, 0, 0), 0);
    EXPECT(op(&rw, RW_UNLOCK, 0, 0, 0), 0);
    join(1);
    EXPECT(got[1], 0);
    EXPECT(rw.state, WRITE_OWNER | READ_WAITERS);
    EXPECT(rw.writers, 0);
    EXPECT(op(&rw, RW_UNLOCK, 0, 0, 0), 0);
    join(0);
    EXPECT(got[0], 0);
    EXPECT(rw.state, 1);
    EXPECT(rw.readers, 0);
    rw.state = 0x1FFFFFFF;
    EXPECT(op(&rw, RDLOCK, 0, 0, 0), -EAGAIN);
}

static void wait_for_one(void) { got[0] = op(sem, SEM2_WAIT, 0, 0, 0); }
static void wait_for_old(void) { got[0] = op(sem, SEM_WAIT, 0, 0, 0); }
static void on_signal(int number) { order++; }
static uint32_t first_thread;

static void interrupt(void)
{
    until(&sem[0], CONTESTED);
    pause_(2000000);
    CALL(433, first_thread, 30);
}

static void semaphores(void)
{
    struct umtx_time limit = { { 20, 0 }, 0, 4, { 0, 0 } };
    struct sigaction action = { (void *)on_signal, 0, { 0 } };
    sem[0] = 2;
    EXPECT(op(sem, SEM2_WAIT, 0, 0, 0), 0);
    EXPECT(sem[0], 2);
    sem[0] = 0;
    EXPECT(op(sem, SEM2_WAIT, 0, (void *)16, (void *)&moment), -ETIMEDOUT);
    EXPECT(sem[0], CONTESTED);
    sem[0] = 0;
    start(0, wait_for_one);
    until(&sem[0], CONTESTED);
    sem[0]++;
    /* "If this was the last sleeping thread, clear the waiters flag in _count." */
    EXPECT(op(sem, SEM2_WAKE, 0, 0, 0), 0);
    EXPECT(sem[0], 1);
    join(0);
    EXPECT(got[0], 0);
    /* A wait for a span of time tells what is left of it when a signal ends it. */
    sem[0] = 0;
    first_thread = self();
    sigaction_(30, &action, 0);
    start(0, interrupt);
    EXPECT(op(sem, SEM2_WAIT, 0, (void *)sizeof limit, &limit), -EINTR);
    EXPECT(limit.rest.seconds, 19);
    EXPECT(order, 1);
    join(0);
    /* struct _usem: has_waiters, count, flags. */
    sem[0] = sem[1] = sem[2] = 0;
    start(0, wait_for_old);
    until(&sem[0], 1);
    sem[1] = 1;
    EXPECT(op(sem, SEM_WAKE, 0, 0, 0), 0);
    EXPECT(sem[0], 0);
    join(0);
    EXPECT(op(sem, SEM_WAIT, 0, 0, 0), 0);
}

static struct umutex robust[3];
static uint64_t lists[3], heads[3];

static void leave_locked(void)
{
    lists[0] = (uint64_t)&heads[0]; lists[1] = (uint64_t)&heads[1]; lists[2] = (uint64_t)&heads[2];
    EXPECT(op(0, ROBUST_LISTS, sizeof lists, lists, 0), 0);
    EXPECT(op(0, ROBUST_LISTS, 32, lists, 0), -EINVAL);
    for (int i = 0; i < 3; i++)
        EXPECT(op(&robust[i], LOCK, 0, 0, 0), 0);
    /* Two in a list, and one that was being locked. */
    heads[1] = (uint64_t)&robust[0];
    robust[0].link = (uint64_t)&robust[1];
    heads[2] = (uint64_t)&robust[2];
}

static void wait_for_heir(void) { got[0] = op(&robust[1], LOCK, 0, 0, 0); got[1] = robust[1].owner; got[2] = self(); op(&robust[1], UNLOCK, 0, 0, 0); }

static void robust_ones(void)
{
    for (int i = 0; i < 3; i++)
        robust[i] = (struct umutex){ .flags = ROBUST };
    robust[2].flags |= INHERIT;
    start(0, leave_locked);
    join(0);
    until_is(&robust[0].owner, OWNER_DEAD);
    EXPECT(robust[1].owner, OWNER_DEAD);
    EXPECT(robust[2].owner, OWNER_DEAD);
    EXPECT(op(&robust[0], LOCK, 0, 0, 0), -EOWNERDEAD);
    EXPECT(robust[0].owner, self() | CONTESTED);
    EXPECT(op(&robust[2], TRYLOCK, 0, 0, 0), -EOWNERDEAD);
    start(1, wait_for_heir);
    join(1);
    EXPECT((int)got[0], -EOWNERDEAD);
    EXPECT(got[1], got[2] | CONTESTED);
    EXPECT(robust[1].owner, 0);
    /* Unlocked without having been made consistent. */
    robust[0].flags |= INCONSISTENT;
    EXPECT(op(&robust[0], UNLOCK, 0, 0, 0), 0);
    EXPECT(robust[0].owner, NOT_RECOVERABLE);
    EXPECT(op(&robust[0], LOCK, 0, 0, 0), -ENOTRECOVERABLE);
    EXPECT(op(&robust[0], MUTEX_WAIT, 0, 0, 0), 0);
}

static volatile uint32_t words[2];
static void wait_at_first(void) { got[0] = op(&words[0], WAIT_UINT_PRIVATE, 0, 0, 0); }
static void wait_at_second(void) { got[1] = op(&words[1], WAIT_UINT_PRIVATE, 0, 0, 0); }

static void words_and_pages(void)
{
    volatile void *table[2] = { &words[0], &words[1] };
    struct umtx_time past = { { 1, 0 }, 1, 0 };
    EXPECT(op(&words[0], WAIT_UINT, 1, 0, 0), 0);
    EXPECT(op(&words[0], WAIT_UINT, 0, (void *)24, &past), -ETIMEDOUT);
    start(0, wait_at_first);
    start(1, wait_at_second);
    pause_(5000000);
    EXPECT(op(table, NWAKE_PRIVATE, 2, 0, 0), 0);
    join(0);
    join(1);
    EXPECT(got[0] | got[1], 0);
    /* UMTX_OP_SHM: a page for an address; the same for whoever asks. */
    EXPECT(op(0, SHM, 2, &m, 0), -ESRCH);
    EXPECT(op(0, SHM, 3, &m, 0), -EINVAL);
    EXPECT(op(0, SHM, 0, &m, 0), -EINVAL);
    long made = op(0, SHM, 1, &m, 0), found = op(0, SHM, 2, &m, 0), again = op(0, SHM, 1, &m, 0);
    EXPECT(made >= 0 && found > made && again > found, 1);
    volatile int *one = (int *)CALL(477, 0, 4096, 3, 1, made, 0), *other = (int *)CALL(477, 0, 4096, 3, 1, found, 0);
    *one = 77;
    EXPECT(*other, 77);
    EXPECT(op(0, SHM, 8, one, 0), 0);
    EXPECT(op(0, SHM, 4, &m, 0), 0);
    EXPECT(op(0, SHM, 8, one, 0), -ENOTTY);
    EXPECT(op(0, SHM, 4, &m, 0), -ESRCH);
    EXPECT(op(0, SHM, 2, &m, 0), -ESRCH);
}

void run(void)
{
    plain(0);
    plain(SHARED);
    watching();
    inheriting();
    ceilings();
    conditions();
    readers_and_writer();
    semaphores();
    robust_ones();
    words_and_pages();
}
