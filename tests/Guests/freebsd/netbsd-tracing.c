/* What ptrace(2) of NetBSD says: stops and what SIGTRAP's codes tell of them, events, threads, registers, errors. Runs on amd64 and arm64. */
#define NETBSD
#include "freebsd.h"

enum { EIO = 5, EBUSY = 16, EFAULT = 14, EDEADLK = 11, ECHILD = 10, SIGTRAP = 5, SIGKILL = 9, SIGSTOP = 17, SIGCHLD = 20, SIGUSR1 = 30, SIGTERM = 15 };
enum { TRACE_ME, READ_I, READ_D, WRITE_D = 5, CONTINUE = 7, KILL, ATTACH, DETACH, IO, LWPINFO = 13, SYSCALL, SYSCALLEMU, SET_EVENT_MASK, GET_EVENT_MASK, GET_PROCESS_STATE,
    SET_SIGINFO, GET_SIGINFO, RESUME, SUSPEND, STOP, LWPSTATUS, LWPNEXT, SET_SIGPASS, GET_SIGPASS };
enum { FORK = 1, VFORK = 2, VFORK_DONE = 4, LWP_CREATE = 8, LWP_EXIT = 16 };
enum { BRKPT = 1, TRACE, EXEC, CHLD, LWP, DBREG, SCE, SCX };

#ifdef __aarch64__
enum { GETREGS = 32, SETREGS, GETFPREGS, SETFPREGS, STEP, SETSTEP, CLEARSTEP };
struct reg { unsigned long x[31], sp, pc, flags, tpidr; };
#define R_PC(r) (r).pc
#define R_RESULT(r) (r).x[0]
#define R_FLAGS(r) (r).flags
#define CARRY (1ul << 29)
#define BREAKPOINT __asm__ volatile("brk #13")
#define BREAKPOINT_AFTER 0
#define NOP_SIZE 4
#define FLOAT_SIZE 528
#else
enum { STEP = 32, GETREGS, SETREGS, GETFPREGS, SETFPREGS, GETDBREGS, SETDBREGS, SETSTEP, CLEARSTEP };
struct reg { long r[26]; };
#define R_PC(r_) (r_).r[21]
#define R_RESULT(r_) (r_).r[14]
#define R_FLAGS(r_) (r_).r[23]
#define CARRY 1
#define BREAKPOINT __asm__ volatile("int3")
#define BREAKPOINT_AFTER 1
#define NOP_SIZE 1
#define FLOAT_SIZE 512
#endif

struct siginfo { int signo, code, error, pad; union { struct { int pid; unsigned uid; } sender; struct { int event, other; } state; struct { int number, result[2], error; unsigned long arguments[8]; } call; void *address; char all[112]; }; int lwp, pad2; };
struct status { int lwp; unsigned pending[4], mask[4]; char name[20]; void *private; };

#include "tracing.h"

static struct siginfo info;

/* SIGTRAP's code. */
static int code(long pid) { EXPECT(trace(GET_SIGINFO, pid, &info, sizeof info), 0); return info.code; }
static void reset(long pid) { EXPECT(trace(KILL, pid, 0, 0), 0); killed(pid); }

static void sleeper(void) { for (;;) pause_(1000000); }

static void signals(void)
{
    long pid = child(nothing);
    EXPECT(trace(GET_SIGINFO, pid, &info, 8), -EINVAL);
    EXPECT(code(pid), 0);
    EXPECT(info.signo, SIGSTOP);
    EXPECT(info.sender.pid, pid);
    EXPECT(go(pid, 64), -EINVAL);
    EXPECT(trace(CONTINUE, pid, 0, 0), -EINVAL);
    /* A signal that stops leaves it stopped, for that signal. */
    EXPECT(go(pid, 18), 0);
    EXPECT(stopped(pid), 18);
    EXPECT(trace(STOP, pid, 0, 0), 0);
    EXPECT(stopped(pid), SIGSTOP);
    EXPECT(kill_(pid, SIGUSR1), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGUSR1);
    EXPECT(go(pid, SIGTERM), 0);
    EXPECT(wait_(pid, &status), pid);
    EXPECT(status, SIGTERM);
    /* Signals that pass are not seen. */
    pid = child(nothing);
    unsigned set[4] = { 1u << (SIGTERM - 1) };
    EXPECT(trace(SET_SIGPASS, pid, set, sizeof set), 0);
    EXPECT(trace(GET_SIGPASS, pid, set, 17), -EINVAL);
    kill_(pid, SIGTERM);
    EXPECT(go(pid, 0), 0);
    EXPECT(wait_(pid, &status), pid);
    EXPECT(status, SIGTERM);
    /* PT_STOP and PT_KILL need no stop. */
    pid = child(sleeper);
    EXPECT(go(pid, 0), 0);
    EXPECT(go(pid, 0), -EBUSY);
    EXPECT(trace(STOP, pid, 0, 0), 0);
    EXPECT(stopped(pid), SIGSTOP);
    EXPECT(go(pid, 0), 0);
    reset(pid);
}

static void errors(void)
{
    long pid = child(nothing), other;
    struct io io = { 1, (void *)&word, &status, 0 };
    EXPECT(trace(ATTACH, getpid_(), 0, 0), -EINVAL);
    EXPECT(trace(ATTACH, 77777, 0, 0), -ESRCH);
    EXPECT(trace(ATTACH, pid, 0, 0), -EBUSY);
    EXPECT(trace(99, pid, 0, 0), -EINVAL);
    EXPECT(trace(3, pid, 0, 0), -EINVAL);
    EXPECT(trace(READ_D, pid, (void *)8, 0), -EFAULT);
    EXPECT(trace(GETREGS, pid, (void *)8, 0), -EFAULT);
    EXPECT(trace(GETREGS, pid, (void *)8, 9999), -ESRCH);
    EXPECT(trace(IO, pid, &io, 0), -EINVAL);
    EXPECT(trace(SET_EVENT_MASK, pid, &status, 8), -EINVAL);
    EXPECT(trace(GET_EVENT_MASK, pid, (void *)8, 4), -EFAULT);
    EXPECT(trace(SYSCALLEMU, pid, 0, 0), -EINVAL);
    EXPECT(trace(DETACH, pid, (void *)1, -pid), -EINVAL);
    EXPECT(trace(READ_I, pid, (void *)&word, 0), (int)word);
    EXPECT(trace(WRITE_D, pid, (void *)&word, 3), 0);
    EXPECT(trace(READ_D, pid, (void *)&word, 0), 3);
    /* The auxiliary vector ends with a zero entry. */
    unsigned long auxiliary[64] = { 0 };
    io = (struct io){ 5, 0, auxiliary, sizeof auxiliary };
    EXPECT(trace(IO, pid, &io, 0), 0);
    EXPECT(io.length > 32 && auxiliary[io.length / 8 - 2] == 0, 1);
    io = (struct io){ 5, (void *)100000, auxiliary, 8 };
    EXPECT(trace(IO, pid, &io, 0), -EIO);
    other = fork_();
    if (other == 0)
    {
        EXPECT(trace(LWPINFO, pid, &info, 8), -EBUSY);
        leave(failures);
    }
    ended(other, 0);
    other = fork_();
    if (other == 0)
        sleeper();
    EXPECT(trace(KILL, other, 0, 0), -EPERM);
    EXPECT(trace(ATTACH, other, 0, 0), 0);
    EXPECT(trace(GETREGS, other, &info, 0), -EBUSY);
    EXPECT(stopped(other), SIGSTOP);
    EXPECT(trace(DETACH, other, (void *)1, 0), 0);
    kill_(other, SIGKILL);
    killed(other);
    reset(pid);
}

static void close_bad(void) { leave(close_(333) == -EBADF ? 4 : 5); }

/* TRAP_SCE with number and arguments, TRAP_SCX with results; a call that the tracer does itself. */
static void calls(void)
{
    struct reg r;
    long pid = child(close_bad);
    EXPECT(trace(SYSCALL, pid, (void *)1, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(code(pid), SCE);
    EXPECT(info.call.number, 6);
    EXPECT(info.call.arguments[0], 333);
    EXPECT(trace(SYSCALL, pid, (void *)1, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(code(pid), SCX);
    EXPECT(info.call.number, 6);
    EXPECT(info.call.error, EBADF);
    EXPECT(go(pid, 0), 0);
    ended(pid, 4);
    pid = child(close_bad);
    EXPECT(trace(SYSCALL, pid, (void *)1, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(trace(SYSCALLEMU, pid, 0, 0), 0);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    R_RESULT(r) = 0;
    R_FLAGS(r) &= ~CARRY;
    EXPECT(trace(SETREGS, pid, &r, 0), 0);
    EXPECT(go(pid, 0), 0);
    ended(pid, 5);
}

static void steps(void)
{
    struct reg r, next;
    static char floats[FLOAT_SIZE], copy[FLOAT_SIZE];
    long pid = child(nops);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(code(pid), BRKPT);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    EXPECT((long)info.address, (long)R_PC(r));
    R_PC(r) -= BREAKPOINT_AFTER + 4 * NOP_SIZE;
    EXPECT(trace(SETREGS, pid, &r, 0), 0);
    for (int i = 0; i < 3; i++)
    {
        /* PT_SETSTEP stays set. */
        if (i == 1)
            EXPECT(trace(SETSTEP, pid, 0, 0), 0);
        EXPECT(i == 0 ? trace(STEP, pid, (void *)1, 0) : go(pid, 0), 0);
        EXPECT(stopped(pid), SIGTRAP);
        EXPECT(code(pid), TRACE);
        EXPECT(trace(GETREGS, pid, &next, 0), 0);
        EXPECT(R_PC(next), R_PC(r) + NOP_SIZE);
        r = next;
    }
    EXPECT(trace(CLEARSTEP, pid, 0, 0), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(code(pid), BRKPT);
    EXPECT(trace(GETFPREGS, pid, floats, 0), 0);
    floats[FLOAT_SIZE == 512 ? 160 : 0] = 0x5a;
    EXPECT(trace(SETFPREGS, pid, floats, 0), 0);
    EXPECT(trace(GETFPREGS, pid, copy, 0), 0);
    for (int i = 0; i < FLOAT_SIZE; i++)
        EXPECT(copy[i], floats[i]);
    reset(pid);
}

static void vforks(void)
{
    long made = CALL(66);
    if (made == 0)
        leave(4);
    int result = 0;
    wait_(made, &result);
    leave(result >> 8);
}

/* TRAP_CHLD: both the parent and the child stop with SIGTRAP, each naming the other. */
static void follows(void)
{
    int mask = FORK, state[2];
    long pid = child(forks), made;
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(trace(GET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(mask, FORK);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(code(pid), CHLD);
    EXPECT(trace(GET_PROCESS_STATE, pid, state, sizeof state), 0);
    EXPECT(state[0], FORK);
    made = state[1];
    EXPECT(info.state.other, made);
    EXPECT(stopped(made), SIGTRAP);
    EXPECT(trace(GET_PROCESS_STATE, made, state, sizeof state), 0);
    EXPECT(state[0], FORK);
    EXPECT(state[1], pid);
    EXPECT(trace(DETACH, made, (void *)1, 0), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGCHLD);
    EXPECT(go(pid, 0), 0);
    ended(pid, 3);
    pid = child(vforks);
    mask = VFORK_DONE;
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(trace(GET_PROCESS_STATE, pid, state, sizeof state), 0);
    EXPECT(state[0], VFORK_DONE);
    reset(pid);
}

static char stack[16384] __attribute__((aligned(16)));
static volatile int done;
static void body(void) { done = 1; CALL(310); }
static void threads_(void)
{
    static uint64_t context[128] __attribute__((aligned(16)));
    int id = 0;
    CALL(307, context);
#ifdef __aarch64__
    context[8 + 32] = (uint64_t)body;
    context[8 + 31] = (uint64_t)(stack + sizeof stack);
#else
    context[7 + 21] = (uint64_t)body;
    context[7 + 24] = (uint64_t)(stack + sizeof stack - 8);
#endif
    CALL(309, context, 0, &id);
    while (!done)
        pause_(100000);
    pause_(1000000);
    leave(9);
}

/* TRAP_LWP, and the threads one after the other. */
static void lwps(void)
{
    int mask = LWP_CREATE | LWP_EXIT, state[2], born;
    struct status s = { 0 };
    long pid = child(threads_);
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(code(pid), LWP);
    EXPECT(trace(GET_PROCESS_STATE, pid, state, sizeof state), 0);
    EXPECT(state[0], LWP_CREATE);
    born = state[1];
    EXPECT(info.lwp, born);
    EXPECT(trace(LWPNEXT, pid, &s, sizeof s), 0);
    EXPECT(s.lwp != 0 && s.lwp != born, 1);
    EXPECT(trace(LWPNEXT, pid, &s, sizeof s), 0);
    EXPECT(s.lwp, born);
    EXPECT(trace(LWPNEXT, pid, &s, sizeof s), 0);
    EXPECT(s.lwp, 0);
    s.lwp = 4444;
    EXPECT(trace(LWPSTATUS, pid, &s, sizeof s), -ESRCH);
    EXPECT(trace(LWPSTATUS, pid, &s, sizeof s + 1), -EINVAL);
    EXPECT(trace(SUSPEND, pid, 0, born), 0);
    EXPECT(go(pid, -born), -EDEADLK);
    EXPECT(trace(RESUME, pid, 0, born), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(trace(GET_PROCESS_STATE, pid, state, sizeof state), 0);
    EXPECT(state[0], LWP_EXIT);
    EXPECT(state[1], born);
    EXPECT(go(pid, 0), 0);
    ended(pid, 9);
}

/* What a tracer traces is killed when it exits. */
static void tracers(void)
{
    long victim = fork_(), tracer;
    if (victim == 0)
        sleeper();
    tracer = fork_();
    if (tracer == 0)
    {
        EXPECT(trace(ATTACH, victim, 0, 0), 0);
        EXPECT(stopped(victim), SIGSTOP);
        leave(failures);
    }
    ended(tracer, 0);
    killed(victim);
}

void run(void)
{
    signals();
    errors();
    calls();
    steps();
    follows();
    lwps();
    tracers();
}
