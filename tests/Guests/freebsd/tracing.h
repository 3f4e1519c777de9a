/* What a tracer does alike on FreeBSD and NetBSD. Wants PT_ requests without their prefix, the signals and BREAKPOINT. */
struct io { int op; void *remote, *local; unsigned long length; };

static long trace(int request, long pid, void *address, long data) { return CALL(26, request, pid, address, data); }
static int status;

/* The signal a process stopped for; -1 when it did not. */
static int stopped(long pid)
{
    status = 0;
    EXPECT(wait_(pid, &status), pid);
    return (status & 0xff) == 0x7f ? status >> 8 : -1;
}
static long go(long pid, int signal) { return trace(CONTINUE, pid, (void *)1, signal); }
static void ended(long pid, int code) { EXPECT(wait_(pid, &status), pid); EXPECT(status, code << 8); }
static void killed(long pid) { EXPECT(wait_(pid, &status), pid); EXPECT(status, SIGKILL); }
static void raise_(int signal) { kill_(getpid_(), signal); }

/* A child that is traced by its parent and has stopped by itself. */
static long child(void (*what)(void))
{
    long pid = fork_();
    if (pid == 0)
    {
        EXPECT(trace(TRACE_ME, 0, 0, 0), 0);
        raise_(SIGSTOP);
        what();
        leave(7);
    }
    EXPECT(stopped(pid), SIGSTOP);
    return pid;
}

static void nothing(void) { }
static void nops(void) { __asm__ volatile("nop\n\tnop\n\tnop\n\tnop"); BREAKPOINT; }
static void forks(void)
{
    long pid = fork_();
    if (pid == 0)
        leave(3);
    wait_(pid, &status);
    leave(status >> 8);
}

static volatile long word = 0x123456789abcdef0;
