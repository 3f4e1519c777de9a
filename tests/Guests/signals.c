// Signals: dispositions, masks, queueing order, siginfo, alternate stacks, restart rules, nested handlers, sigsuspend,
// sigtimedwait, changing registers in a handler, job control statuses.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include "check.h"

static volatile sig_atomic_t hits;
static int order[64], values[64], count;
static char *altStack;

// Shared with children.
static volatile int *heard;

static void note(int signal) { (void)signal; hits++; ++*heard; }

static void noteInfo(int signal, siginfo_t *info, void *context)
{
    (void)context;
    order[count] = signal;
    values[count++] = info->si_value.sival_int;
}

static void onAltStack(int signal)
{
    char here;
    hits = (&here > altStack && &here < altStack + SIGSTKSZ) ? signal : -1;
}

static void nested(int signal)
{
    printf("in %d depth %d\n", signal, ++hits);
    if (signal == SIGUSR1)
        raise(SIGUSR2);
    printf("out %d\n", signal);
}

static void install(int signal, void *handler, int flags)
{
    struct sigaction action = { .sa_flags = flags };
    action.sa_sigaction = handler;
    sigemptyset(&action.sa_mask);
    SHOW(sigaction(signal, &action, NULL));
}

static void skipInstruction(int signal, siginfo_t *info, void *context)
{
    ucontext_t *user = context;
    printf("signal %d code %d address %p error %llx trap %lld\n", signal, info->si_code, info->si_addr,
           user->uc_mcontext.gregs[REG_ERR], user->uc_mcontext.gregs[REG_TRAPNO]);
    user->uc_mcontext.gregs[REG_RIP] += 3;      // the length of mov (%rax),%rbx
    user->uc_mcontext.gregs[REG_RBX] = 0x1234;
}

static sigjmp_buf jump;
static void leave(int signal, siginfo_t *info, void *context) { (void)context; values[0] = info->si_code; siglongjmp(jump, signal); }

// SIGALRM again and again: one that came before the call that it is to interrupt does no harm.
static void tick(int microseconds)
{
    struct itimerval timer = { { 0, microseconds }, { 0, microseconds } };
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void restartRules(int flags)
{
    int ends[2];
    char byte;
    if (pipe(ends))
        die("pipe");
    install(SIGALRM, note, flags);
    hits = *heard = 0;
    pid_t child = fork();
    if (child == 0) {
        untilAsleep(getppid());
        kill(getppid(), SIGALRM);
        while (!*heard)
            usleep(1000);
        if (write(ends[1], "x", 1) != 1)
            _exit(1);
        _exit(0);
    }
    SHOW(read(ends[0], &byte, 1));
    printf("hits %d\n", (int)hits);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    struct timespec longer = { 100, 0 }, left = { 0, 0 };
    tick(20000);
    SHOW(nanosleep(&longer, &left));
    printf("left %d\n", left.tv_sec >= 80);
    SHOW(pause());
    tick(0);
}

int main(void)
{
    heard = mmap(NULL, sizeof *heard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    install(SIGUSR1, note, 0);
    raise(SIGUSR1);
    printf("hits %d\n", (int)hits);
    SHOW(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = note }, NULL));
    SHOW(kill(getpid(), 0));
    SHOW(kill(999999, 0));
    SHOW(kill(getpid(), 99));

    sigset_t all, old, pending;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    install(SIGRTMIN + 1, noteInfo, SA_SIGINFO);
    install(SIGRTMIN + 2, noteInfo, SA_SIGINFO);
    install(SIGUSR2, noteInfo, SA_SIGINFO);
    for (int i = 0; i < 3; i++) {
        sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 20 + i });
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 10 + i });
        sigqueue(getpid(), SIGUSR2, (union sigval){ .sival_int = 30 + i });
    }
    sigpending(&pending);
    printf("pending %d %d %d\n", sigismember(&pending, SIGUSR2), sigismember(&pending, SIGRTMIN + 1), sigismember(&pending, SIGHUP));
    siginfo_t info;
    SHOW(sigtimedwait(&pending, &info, &(struct timespec){ 0, 0 }) == SIGUSR2);
    printf("code %d value %d\n", info.si_code, info.si_value.sival_int);
    sigprocmask(SIG_SETMASK, &old, NULL);
    for (int i = 0; i < count; i++)
        printf("delivered RT%+d value %d\n", order[i] - SIGRTMIN, values[i]);

    altStack = malloc(SIGSTKSZ);
    stack_t stack = { .ss_sp = altStack, .ss_size = SIGSTKSZ };
    SHOW(sigaltstack(&stack, NULL));
    install(SIGUSR1, onAltStack, SA_ONSTACK);
    raise(SIGUSR1);
    printf("on alternate stack %d\n", hits == SIGUSR1);
    SHOW(sigaltstack(&(stack_t){ .ss_sp = altStack, .ss_size = 100 }, NULL));

    hits = 0;
    install(SIGUSR1, nested, 0);
    install(SIGUSR2, nested, 0);
    raise(SIGUSR1);
    install(SIGUSR1, note, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    printf("reset %d\n", action.sa_handler == SIG_DFL);

    restartRules(SA_RESTART);
    restartRules(0);

    install(SIGSEGV, skipInstruction, SA_SIGINFO);
    unsigned long changed;
    __asm__ volatile("mov (%%rax), %%rbx" : "=b"(changed) : "a"(0x10));
    printf("register %lx\n", changed);
    __asm__ volatile("mov (%%rax), %%rbx" : "=b"(changed) : "a"(0x8000000000000010ul));
    printf("register %lx\n", changed);

    install(SIGFPE, leave, SA_SIGINFO);
    install(SIGILL, leave, SA_SIGINFO);
    install(SIGTRAP, leave, SA_SIGINFO);
    volatile int zero = 0, hundred = 100;
    if (sigsetjmp(jump, 1) == 0)
        printf("%d\n", hundred / zero);
    printf("divide code %d\n", values[0]);
    if (sigsetjmp(jump, 1) == 0)
        __builtin_trap();
    printf("illegal code %d\n", values[0]);
    if (sigsetjmp(jump, 1) == 0)
        __asm__ volatile("int3");
    printf("trap code %d\n", values[0]);

    static const int fatal[] = { SIGTERM, SIGKILL, SIGABRT, SIGSEGV, SIGPIPE, SIGALRM, SIGUSR1, SIGCHLD, SIGWINCH, SIGURG };
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        pid_t child = fork();
        if (child == 0) {
            signal(fatal[i], SIG_DFL);
            raise(fatal[i]);
            _exit(7);
        }
        int status;
        waitpid(child, &status, 0);
        printf("child of %d: signalled %d exit %d\n", fatal[i], WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    }
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(9);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    printf("continued %d\n", WIFCONTINUED(status) != 0);
    waitpid(child, &status, 0);
    printf("exited %d\n", WEXITSTATUS(status));
    fflush(stdout);
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
    return 0;
}
