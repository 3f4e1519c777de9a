/* What ptrace(2) of FreeBSD says: stops, events, registers, errors. Runs on amd64 and arm64. */
#include "freebsd.h"

enum { EBUSY = 16, EFAULT = 14, ENOMEM = 12, ECHILD = 10, SIGTRAP = 5, SIGKILL = 9, SIGSTOP = 17, SIGUSR1 = 30, SIGTERM = 15, WNOHANG = 1 };
enum { TRACE_ME, READ_I, READ_D, WRITE_D = 5, CONTINUE = 7, KILL, STEP, ATTACH, DETACH, IO, LWPINFO, GETNUMLWPS, GETLWPLIST, CLEARSTEP, SETSTEP, SUSPEND, RESUME, TO_SCE, TO_SCX,
    SYSCALL, FOLLOW_FORK, LWP_EVENTS, GET_EVENT_MASK, SET_EVENT_MASK, GET_SC_ARGS, GET_SC_RET, GETREGS = 33, SETREGS, GETFPREGS, SETFPREGS, GETDBREGS, SETDBREGS,
    VM_TIMESTAMP = 40, VM_ENTRY, GETREGSET, SETREGSET };
enum { NT_PRSTATUS = 1, NT_FPREGSET, NT_THRMISC = 7, NT_X86_SEGBASES = 0x200, NT_X86_XSTATE = 0x202, NT_ARM_TLS = 0x401 };
enum { F_SCE = 4, F_SCX = 8, F_EXEC = 0x10, F_SI = 0x20, F_FORKED = 0x40, F_CHILD = 0x80, F_BORN = 0x100, F_EXITED = 0x200, F_VFORKED = 0x400, F_VFORK_DONE = 0x800 };
enum { E_EXEC = 1, E_SCE = 2, E_SCX = 4, E_FORK = 8, E_LWP = 16, E_VFORK = 32 };

struct siginfo { int signo, error, code, pid; unsigned uid; int status; void *address; long value; int trap, spare[9]; };
struct lwpinfo { int lwpid, event, flags; unsigned mask[4], list[4]; struct siginfo info; char name[20]; int child; unsigned code, narg; };
struct entry { int entry, timestamp; unsigned long start, end, offset; unsigned prot, pathlen; long fileid; unsigned fsid; char *path; };
struct result { long value[2]; int error; };
#ifdef __aarch64__
struct reg { unsigned long x[30], lr, sp, pc, flags; };
#define FLOAT_SIZE 528
#define R_PC(r) (r).pc
#define R_RESULT(r) (r).x[0]
#define R_ARGUMENT(r) (r).x[0]
#define R_KEPT(r) (r).x[19]
#define BREAKPOINT __asm__ volatile("brk #0")
#define BREAKPOINT_AFTER 0
#define NOP_SIZE 4
#else
struct reg { long r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax; unsigned trapno; unsigned short fs, gs; unsigned err; unsigned short es, ds; long rip, cs, flags, rsp, ss; };
#define FLOAT_SIZE 512
#define R_PC(r) (r).rip
#define R_RESULT(r) (r).rax
#define R_ARGUMENT(r) (r).rdi
#define R_KEPT(r) (r).rbx
#define BREAKPOINT __asm__ volatile("int3")
#define BREAKPOINT_AFTER 1
#define NOP_SIZE 1
#endif

#include "tracing.h"

static struct lwpinfo info;

static int flags(long pid) { EXPECT(trace(LWPINFO, pid, &info, sizeof info), 0); return info.flags; }
static void reset(long pid) { trace(KILL, pid, 0, 0); killed(pid); }

static void again(void) { EXPECT(trace(TRACE_ME, 0, 0, 0), -EBUSY); leave(failures); }
static volatile int handled;

/* "The process ... stops when it receives a signal", and goes on with the one that its tracer gives it, or none. */
static void signals(void)
{
    long pid = child(again);
    EXPECT(flags(pid), F_SI);
    EXPECT(info.event, 1);
    EXPECT(info.info.signo, SIGSTOP);
    EXPECT(info.info.pid, pid);
    EXPECT(info.lwpid > 99999, 1);
    /* "the signal number was neither 0 nor a legal signal number": EINVAL. */
    EXPECT(go(pid, 129), -EINVAL);
    EXPECT(go(pid, -1), -EINVAL);
    EXPECT(go(pid, 0), 0);
    ended(pid, 0);
    pid = child(nothing);
    EXPECT(kill_(pid, SIGUSR1), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGUSR1);
    EXPECT(go(pid, SIGTERM), 0);
    EXPECT(wait_(pid, &status), pid);
    EXPECT(status, SIGTERM);
    pid = child(nothing);
    EXPECT(go(pid, SIGSTOP), 0); /* traced processes ignore stops */
    ended(pid, 7);
    pid = child(nothing);
    EXPECT(trace(DETACH, pid, (void *)1, 0), 0);
    EXPECT(trace(LWPINFO, pid, &info, sizeof info), -EPERM);
    ended(pid, 7);
}

static void errors(void)
{
    long pid = child(nothing), other;
    EXPECT(trace(ATTACH, getpid_(), 0, 0), -EINVAL);
    EXPECT(trace(ATTACH, 77777, 0, 0), -ESRCH);
    EXPECT(trace(CONTINUE, 177777, (void *)1, 0), -ESRCH);
    EXPECT(trace(ATTACH, pid, 0, 0), -EBUSY);
    EXPECT(trace(99, pid, 0, 0), -EINVAL);
    EXPECT(trace(LWPINFO, pid, &info, 0), -EINVAL);
    EXPECT(trace(LWPINFO, pid, &info, sizeof info + 1), -EINVAL);
    EXPECT(trace(LWPINFO, pid, (void *)8, sizeof info), -EFAULT);
    EXPECT(trace(READ_D, pid, (void *)8, 0), -ENOMEM);
    EXPECT(trace(WRITE_D, pid, (void *)8, 1), -ENOMEM);
    EXPECT(trace(GETREGS, pid, (void *)8, 0), -EFAULT);
    EXPECT(trace(SETREGS, pid, (void *)8, 0), -EFAULT);
    EXPECT(trace(GET_SC_RET, pid, &info, 24), -EINVAL);
    EXPECT(trace(GET_SC_ARGS, pid, &info, 24), -EINVAL);
    EXPECT(trace(GET_EVENT_MASK, pid, &status, 8), -EINVAL);
    status = 0x40;
    EXPECT(trace(SET_EVENT_MASK, pid, &status, 4), -EINVAL);
    /* "A request attempted to manipulate a process that was being traced by some process other than the one making the request": EBUSY. */
    other = fork_();
    if (other == 0)
    {
        EXPECT(trace(GETREGS, pid, &info, 0), -EBUSY);
        EXPECT(trace(ATTACH, pid, 0, 0), -EBUSY);
        leave(failures);
    }
    ended(other, 0);
    /* "... that was not being traced at all": EPERM. */
    other = fork_();
    if (other == 0)
        for (;;)
            pause_(1000000);
    EXPECT(trace(CONTINUE, other, (void *)1, 0), -EPERM);
    EXPECT(trace(KILL, other, 0, 0), -EPERM);
    EXPECT(trace(ATTACH, other, 0, 0), 0);
    /* "... specified a process that was not stopped": not before it was waited for. */
    EXPECT(trace(LWPINFO, other, &info, sizeof info), -EBUSY);
    EXPECT(stopped(other), SIGSTOP);
    EXPECT(flags(other), F_SI);
    EXPECT(go(other, 0), 0);
    EXPECT(go(other, 0), -EBUSY);
    EXPECT(kill_(other, SIGUSR1), 0);
    EXPECT(stopped(other), SIGUSR1);
    reset(other);
    reset(pid);
}

static void memory(void)
{
    long pid = child(nothing), copy[2] = { 0 };
    EXPECT(trace(READ_D, pid, (void *)&word, 0), (int)word);
    EXPECT(trace(READ_I, pid, (char *)&word + 4, 0), (int)(word >> 32));
    EXPECT(trace(WRITE_D, pid, (void *)&word, 0x55), 0);
    EXPECT(trace(READ_D, pid, (void *)&word, 0), 0x55);
    struct io io = { 1, (void *)&word, copy, sizeof word };
    EXPECT(trace(IO, pid, &io, 0), 0);
    EXPECT(io.length, 8);
    EXPECT(copy[0], (word & ~0xffffffffL) | 0x55);
    /* Text is written past its protection, as for breakpoints. */
    io = (struct io){ 4, (void *)(long)nothing, copy, 4 };
    EXPECT(trace(IO, pid, &io, 0), 0);
    EXPECT(trace(READ_I, pid, (void *)(long)nothing, 0), (int)copy[0]);
    io = (struct io){ 9, (void *)&word, copy, 8 };
    EXPECT(trace(IO, pid, &io, 0), -EINVAL);
    io = (struct io){ 1, (void *)8, copy, 8 };
    EXPECT(trace(IO, pid, &io, 0), -EFAULT);
    io = (struct io){ 1, (void *)&word, (void *)8, 8 };
    EXPECT(trace(IO, pid, &io, 0), -EFAULT);
    io = (struct io){ 1, (void *)&word, copy, ~0ul };
    EXPECT(trace(IO, pid, &io, 0), -EFAULT);
    EXPECT(trace(IO, pid, (void *)8, 0), -EFAULT);
    /* The map: entries in order, "ENOENT" behind the last. */
    struct entry e = { 0 };
    int n = 0;
    unsigned long last = 0;
    long result;
    while ((result = trace(VM_ENTRY, pid, &e, 0)) == 0 && ++n < 1000)
    {
        EXPECT(e.start >= last && e.end > e.start, 1);
        last = e.end;
    }
    EXPECT(result, -ENOENT);
    EXPECT(n > 3, 1);
    EXPECT(trace(VM_TIMESTAMP, pid, 0, 0), e.timestamp);
    e.entry = -1;
    EXPECT(trace(VM_ENTRY, pid, &e, 0), -EINVAL);
    reset(pid);
}

static void call_pid(void)
{
    long pid = getpid_();
    leave(pid == 4242 ? 1 : pid == 77 ? 2 : 3);
}
static void close_bad(void) { close_(333); }
static void exchange(void) { leave((int)close_(333) == -EBADF ? 4 : 5); }

/* SCE, SCX: "right after the kernel is entered", "immediately before syscall is returning". */
static void calls(void)
{
    struct reg r;
    struct result result;
    unsigned long arguments[8];
    int mask = -1;
    long pid = child(call_pid);
    EXPECT(trace(GET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(mask, E_EXEC);
    EXPECT(trace(SYSCALL, pid, (void *)1, 0), 0);
    /* The kill(2) that stopped it is left. */
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_SCE);
    EXPECT(info.code, 20);
    EXPECT(info.narg, 0);
    EXPECT(trace(GET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(mask, E_EXEC | E_SCE | E_SCX);
    EXPECT(trace(SYSCALL, pid, (void *)1, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_SCX);
    EXPECT(trace(GET_SC_RET, pid, &result, sizeof result), 0);
    EXPECT(result.error, 0);
    EXPECT(result.value[0], pid);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    EXPECT(R_RESULT(r), pid);
    R_RESULT(r) = 4242;
    EXPECT(trace(SETREGS, pid, &r, 0), 0);
    mask = E_EXEC;
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    ended(pid, 1);
    /* Arguments, and a change of them. */
    pid = child(exchange);
    EXPECT(trace(TO_SCE, pid, (void *)1, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_SCE);
    EXPECT(info.code, 6);
    EXPECT(info.narg, 1);
    EXPECT(trace(GET_SC_ARGS, pid, arguments, sizeof arguments), 0);
    EXPECT(arguments[0], 333);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    EXPECT(R_ARGUMENT(r), 333);
    R_ARGUMENT(r) = 0;
    EXPECT(trace(SETREGS, pid, &r, 0), 0);
    mask = E_SCX;
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_SCX);
    EXPECT(trace(GET_SC_RET, pid, &result, sizeof result), 0);
    EXPECT(result.error, 0);
    mask = 0;
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    ended(pid, 5);
    pid = child(close_bad);
    EXPECT(trace(TO_SCX, pid, (void *)1, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_SCX);
    EXPECT(trace(GET_SC_RET, pid, &result, sizeof result), 0);
    EXPECT(result.error, EBADF);
    reset(pid);
}

static void breaks(void) { BREAKPOINT; }

struct prstatus { int version; unsigned long size, general, floats; int release, signal, thread; struct reg registers; };
struct vector { void *base; unsigned long length; };

/* "PT_GETREGSET ... the data argument ... the register set": NT_ names; a null iov_base asks for its length, which must be exact otherwise. */
static void sets(void)
{
    static struct prstatus status;
    static char floats[FLOAT_SIZE], copy[FLOAT_SIZE];
    struct reg r;
    char name[24];
    unsigned long bases[2];
    struct vector vector = { 0, 77 };
    long pid = child(breaks);
    EXPECT(trace(GETREGSET, pid, (void *)8, NT_PRSTATUS), -EFAULT);
    EXPECT(trace(GETREGSET, pid, &vector, 99), -EINVAL);
    EXPECT(trace(GETREGSET, pid, &vector, NT_X86_XSTATE), -EINVAL);
    EXPECT(trace(GETREGSET, pid, &vector, NT_PRSTATUS), 0);
    EXPECT(vector.length, sizeof status);
    vector.base = &status;
    EXPECT(trace(GETREGSET, pid, &vector, NT_PRSTATUS), 0);
    EXPECT(status.version, 1);
    EXPECT(status.size, sizeof status);
    EXPECT(status.general, sizeof r);
    EXPECT(status.floats, FLOAT_SIZE);
    EXPECT(status.release > 1300000, 1);
    EXPECT(status.signal, 0);
    flags(pid);
    EXPECT(status.thread, info.lwpid);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    EXPECT(R_PC(status.registers), R_PC(r));
    R_KEPT(status.registers) = 4321;
    vector.length--;
    EXPECT(trace(SETREGSET, pid, &vector, NT_PRSTATUS), -EINVAL);
    EXPECT(trace(GETREGSET, pid, &vector, NT_PRSTATUS), -EINVAL);
    vector.length++;
    EXPECT(trace(SETREGSET, pid, &vector, NT_PRSTATUS), 0);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    EXPECT(R_KEPT(r), 4321);
    status.registers.flags = -1;
    EXPECT(trace(SETREGSET, pid, &vector, NT_PRSTATUS), -EINVAL);
    vector.base = (void *)8;
    EXPECT(trace(SETREGSET, pid, &vector, NT_PRSTATUS), -EFAULT);
    EXPECT(trace(GETREGSET, pid, &vector, NT_PRSTATUS), -EFAULT);
    vector = (struct vector){ floats, sizeof floats };
    EXPECT(trace(GETREGSET, pid, &vector, NT_FPREGSET), 0);
    floats[168] ^= 0x55;
    EXPECT(trace(SETREGSET, pid, &vector, NT_FPREGSET), 0);
    EXPECT(trace(GETFPREGS, pid, copy, 0), 0);
    EXPECT(copy[168], floats[168]);
    vector = (struct vector){ name, sizeof name };
    EXPECT(trace(GETREGSET, pid, &vector, NT_THRMISC), 0);
    EXPECT(trace(SETREGSET, pid, &vector, NT_THRMISC), -EINVAL);
#ifdef __aarch64__
    EXPECT(trace(GETREGSET, pid, &vector, NT_X86_SEGBASES), -EINVAL);
    vector = (struct vector){ bases, 8 };
    bases[0] = 0x1234;
    EXPECT(trace(SETREGSET, pid, &vector, NT_ARM_TLS), 0);
    bases[0] = 0;
    EXPECT(trace(GETREGSET, pid, &vector, NT_ARM_TLS), 0);
    EXPECT(bases[0], 0x1234);
#else
    EXPECT(trace(GETREGSET, pid, &vector, NT_ARM_TLS), -EINVAL);
    vector = (struct vector){ bases, sizeof bases };
    EXPECT(trace(GETREGSET, pid, &vector, NT_X86_SEGBASES), 0);
    bases[1] = 0x1234;
    EXPECT(trace(SETREGSET, pid, &vector, NT_X86_SEGBASES), 0);
    bases[1] = 0;
    EXPECT(trace(GETREGSET, pid, &vector, NT_X86_SEGBASES), 0);
    EXPECT(bases[1], 0x1234);
#endif
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    vector = (struct vector){ &status, sizeof status };
    EXPECT(trace(GETREGSET, pid, &vector, NT_PRSTATUS), 0);
    EXPECT(status.signal, SIGTRAP);
    reset(pid);
}

static void steps(void)
{
    struct reg r, next;
    static char floats[FLOAT_SIZE], copy[FLOAT_SIZE];
    long pid = child(breaks);
    EXPECT(go(pid, 0), 0);
    /* TRAP_BRKPT, with the address. */
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_SI);
    EXPECT(info.info.code, 1);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    EXPECT((long)info.info.address, (long)R_PC(r));
    /* "an address specifying the place where execution is to be resumed" */
    EXPECT(trace(CONTINUE, pid, (void *)(long)nops, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    R_PC(r) -= BREAKPOINT_AFTER + 4 * NOP_SIZE;
    EXPECT(trace(SETREGS, pid, &r, 0), 0);
    for (int i = 0; i < 2; i++)
    {
        EXPECT(trace(STEP, pid, (void *)1, 0), 0);
        EXPECT(stopped(pid), SIGTRAP);
        EXPECT(flags(pid), F_SI);
        EXPECT(info.info.code, 2);
        EXPECT(trace(GETREGS, pid, &next, 0), 0);
        EXPECT(R_PC(next), R_PC(r) + NOP_SIZE);
        r = next;
    }
    /* "automatically disabled when a single-step trap is caught" */
    EXPECT(trace(SETSTEP, pid, 0, 0), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid) && info.info.code == 2, 1);
    EXPECT(trace(SETSTEP, pid, 0, 0), 0);
    EXPECT(trace(CLEARSTEP, pid, 0, 0), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid) && info.info.code == 1, 1);
    EXPECT(trace(GETFPREGS, pid, floats, 0), 0);
    floats[FLOAT_SIZE == 512 ? 160 : 0] = 0x5a;
    EXPECT(trace(SETFPREGS, pid, floats, 0), 0);
    EXPECT(trace(GETFPREGS, pid, copy, 0), 0);
    for (int i = 0; i < FLOAT_SIZE; i++)
        EXPECT(copy[i], floats[i]);
#ifndef __aarch64__
    /* Flags and segments that no program may set. */
    r = next;
    r.flags |= 1 << 12;
    EXPECT(trace(SETREGS, pid, &r, 0), -EINVAL);
    r = next;
    r.cs = 8;
    EXPECT(trace(SETREGS, pid, &r, 0), -EINVAL);
    unsigned long debug[16] = { (unsigned long)&word };
    debug[7] = 1 | 0xdul << 16;
    EXPECT(trace(SETDBREGS, pid, debug, 0), 0);
    EXPECT(trace(GETDBREGS, pid, debug, 0), 0);
    EXPECT(debug[0], (unsigned long)&word);
    debug[0] = ~0ul;
    EXPECT(trace(SETDBREGS, pid, debug, 0), -EINVAL);
#else
    EXPECT(trace(GETDBREGS, pid, floats, 0), -EINVAL);
#endif
    reset(pid);
}

/* PTRACE_FORK: the child stops with SIGSTOP and PL_FLAG_CHILD, the parent with PL_FLAG_FORKED. */
static void follows(void)
{
    long pid = child(forks), made;
    EXPECT(trace(FOLLOW_FORK, pid, 0, 1), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_FORKED | F_SCX);
    made = info.child;
    EXPECT(stopped(made), SIGSTOP);
    EXPECT(flags(made), F_CHILD | F_SCX);
    EXPECT(go(pid, 0), 0);
    /* The parent waits until its child has been waited for by the tracer. */
    EXPECT(go(made, 0), 0);
    ended(made, 3);
    int got = stopped(pid);
    EXPECT(got, 20);
    EXPECT(go(pid, 0), 0);
    ended(pid, 3);
    /* Not followed. */
    pid = child(forks);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), 20);
    EXPECT(go(pid, 0), 0);
    ended(pid, 3);
}

static void vforks(void)
{
    /* In line: the child must not return from where the parent has yet to. */
    long made = CALL(66);
    if (made == 0)
        leave(4);
    wait_(made, &status);
    leave(status >> 8);
}
static void vfollows(void)
{
    long pid = child(forks);
    int mask = E_VFORK;
    reset(pid);
    pid = child(vforks);
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    int seen = stopped(pid);
    /* The child's SIGCHLD may come first. */
    if (seen == 20)
    {
        EXPECT(go(pid, 20), 0);
        seen = stopped(pid);
    }
    EXPECT(seen, SIGTRAP);
    EXPECT(flags(pid), F_VFORK_DONE);
    mask = 0;
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(wait_(pid, &status), pid);
    if ((status & 0xff) == 0x7f)
    {
        EXPECT(go(pid, 0), 0);
        EXPECT(wait_(pid, &status), pid);
    }
    EXPECT(status, 4 << 8);
    pid = child(vforks);
    EXPECT(trace(FOLLOW_FORK, pid, 0, 1), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_FORKED | F_VFORKED | F_SCX);
    long made = info.child;
    struct reg r;
    EXPECT(trace(GETREGS, pid, &r, 0), 0);
    EXPECT(R_RESULT(r), made);
    EXPECT(stopped(made), SIGSTOP);
    EXPECT(go(pid, 0), 0);
    EXPECT(trace(DETACH, made, (void *)1, 0), 0);
    EXPECT(wait_(pid, &status), pid);
    reset(pid);
}

struct parameters { void (*start)(void *); void *argument; char *stack; unsigned long stack_size; char *tls; unsigned long tls_size; long *child, *parent; int flags; void *priority; void *spare[3]; };
static char stack[16384] __attribute__((aligned(16)));
static volatile long gone;
static void body(void *argument)
{
    CALL(431, &gone);
}
static void threads_(void)
{
    struct parameters p = { .start = body, .stack = stack, .stack_size = sizeof stack };
    CALL(455, &p, sizeof p);
    while (!gone)
        pause_(100000);
    leave(9);
}

/* PTRACE_LWP: BORN before its first instruction, EXITED before it ends; all threads stop with one. */
static void lwps(void)
{
    int ids[4], born, mask;
    long pid = child(threads_);
    EXPECT(trace(LWP_EVENTS, pid, 0, 1), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_BORN | F_SCX);
    born = info.lwpid;
    EXPECT(trace(GETNUMLWPS, pid, 0, 0), 2);
    EXPECT(trace(GETLWPLIST, pid, ids, 4), 2);
    EXPECT(ids[0] != born && ids[1] == born, 1);
    EXPECT(trace(GETLWPLIST, pid, ids, 1), 1);
    EXPECT(trace(GETLWPLIST, pid, ids, 0), -EINVAL);
    EXPECT(trace(LWPINFO, ids[0], &info, sizeof info), 0);
    EXPECT(info.event, 0);
    EXPECT(info.lwpid, ids[0]);
    /* Held, it does not end; the other goes on until it is told to. */
    EXPECT(trace(SUSPEND, born, 0, 0), 0);
    EXPECT(go(pid, 0), 0);
    pause_(3000000);
    EXPECT(CALL(N_WAIT4, pid, &status, WNOHANG, 0), 0);
    EXPECT(kill_(pid, SIGUSR1), 0);
    EXPECT(stopped(pid), SIGUSR1);
    EXPECT(trace(GETNUMLWPS, pid, 0, 0), 2);
    EXPECT(trace(RESUME, born, 0, 0), 0);
    EXPECT(go(pid, 0), 0);
    EXPECT(stopped(pid), SIGTRAP);
    EXPECT(flags(pid), F_EXITED);
    EXPECT(info.lwpid, born);
    mask = 0;
    EXPECT(trace(SET_EVENT_MASK, pid, &mask, 4), 0);
    EXPECT(go(pid, 0), 0);
    ended(pid, 9);
}

/* A tracer that exits takes what it traces with it (kern.kill_on_debugger_exit); and the parent learns of an end after the tracer. */
static void tracers(void)
{
    long victim = fork_(), tracer;
    int pipe[2];
    char byte;
    if (victim == 0)
        for (;;)
            pause_(1000000);
    pipe_(pipe);
    tracer = fork_();
    if (tracer == 0)
    {
        EXPECT(trace(ATTACH, victim, 0, 0), 0);
        EXPECT(stopped(victim), SIGSTOP);
        leave(failures);
    }
    ended(tracer, 0);
    killed(victim);
    victim = fork_();
    if (victim == 0)
        for (;;)
            pause_(1000000);
    tracer = fork_();
    if (tracer == 0)
    {
        EXPECT(trace(ATTACH, victim, 0, 0), 0);
        EXPECT(stopped(victim), SIGSTOP);
        /* Tracing the tracer's ancestors would close a ring. */
        EXPECT(trace(KILL, victim, 0, 0), 0);
        write_(pipe[1], "x", 1);
        read_(pipe[0], &byte, 0);
        pause_(5000000);
        killed(victim);
        leave(failures);
    }
    EXPECT(read_(pipe[0], &byte, 1), 1);
    EXPECT(CALL(N_WAIT4, victim, &status, WNOHANG, 0), 0);
    killed(victim);
    ended(tracer, 0);
    EXPECT(wait_(victim, &status), -ECHILD);
    /* "Can't trace an ancestor if you're being traced." */
    long parent = getpid_(), pid = fork_();
    if (pid == 0)
    {
        EXPECT(trace(TRACE_ME, 0, 0, 0), 0);
        EXPECT(trace(ATTACH, parent, 0, 0), -EINVAL);
        leave(failures);
    }
    ended(pid, 0);
}

/* PROC_TRACE_CTL: 2 denies, 3 beyond execve(2), 1 allows; the status is -1, 0, or who traces. */
static void control(void)
{
    int value = 2, told = 5;
    EXPECT(CALL(544, 0, 0, 8, &told), 0);
    EXPECT(told, 0);
    EXPECT(CALL(544, 0, 0, 7, &value), 0);
    EXPECT(CALL(544, 0, 0, 8, &told), 0);
    EXPECT(told, -1);
    value = 1;
    EXPECT(CALL(544, 0, 0, 7, &value), 0);
    value = 9;
    EXPECT(CALL(544, 0, 0, 7, &value), -EINVAL);
    EXPECT(CALL(544, 0, 0, 8, 8), -EFAULT);
    long pid = child(nothing);
    EXPECT(CALL(544, 0, pid, 8, &told), 0);
    EXPECT(told, getpid_());
    reset(pid);
}

void run(void)
{
    signals();
    errors();
    memory();
    calls();
    sets();
    steps();
    follows();
    vfollows();
    lwps();
    tracers();
    control();
}
