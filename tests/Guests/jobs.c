// What job control and the ends of threads look like from outside: orphaned groups, stops and continuations, clone children,
// exit codes of processes whose first thread ended first, words of priority-inheritance futexes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static void rest(int milliseconds)
{
    struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
    while (nanosleep(&pause, &pause) == -1 && errno == EINTR) { }
}

static void showStatus(const char *what, int status)
{
    if (WIFEXITED(status))
        printf("%s: exit %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: killed by %d\n", what, WTERMSIG(status));
    else if (WIFSTOPPED(status))
        printf("%s: stopped by %d\n", what, WSTOPSIG(status));
    else
        printf("%s: continued %d\n", what, WIFCONTINUED(status));
    fflush(stdout);
}

static void *late(void *argument)
{
    rest(20);
    syscall(SYS_exit, 5);
    return argument;
}

static void firstThreadEndsFirst(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, late, NULL);
        syscall(SYS_exit, 3);
    }
    waitpid(child, &status, 0);
    showStatus("first thread ended first", status);
}

static int channel[2];

static void say(const char *text)
{
    if (write(channel[1], text, strlen(text)) < 0)
        die("write");
}

static void onSignal(int signal)
{
    say(signal == SIGHUP ? "[HUP]" : signal == SIGCONT ? "[CONT]" : "[?]");
}

// A session whose leader ends while a member of another group is stopped.
static void orphans(int stop)
{
    if (pipe(channel) != 0)
        die("pipe");
    pid_t leader = fork();
    if (leader == 0) {
        setsid();
        pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            signal(SIGHUP, onSignal);
            signal(SIGCONT, onSignal);
            raise(stop);
            say("[on]");
            _exit(0);
        }
        int status;
        setpgid(job, job);
        waitpid(job, &status, WUNTRACED);
        _exit(WIFSTOPPED(status) ? 1 : 2);
    }
    int status;
    waitpid(leader, &status, 0);
    showStatus("leader", status);
    close(channel[1]);
    char text[200] = "";
    size_t length = 0;
    ssize_t count;
    while ((count = read(channel[0], text + length, sizeof text - 1 - length)) > 0)
        length += count;
    close(channel[0]);
    printf("job said: %zu bytes, hung up %d, continued %d, went on %d\n", length, strstr(text, "[HUP]") != NULL, strstr(text, "[CONT]") != NULL, strstr(text, "[on]") != NULL);
    fflush(stdout);
}

// A terminal's stop in a group that is an orphan from the beginning.
static void orphanStop(void)
{
    pid_t child = fork();
    if (child == 0) {
        setsid();
        raise(SIGTSTP);
        raise(SIGTTIN);
        _exit(4);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    showStatus("orphan's terminal stop", status);
}

static int ends(void *argument)
{
    return (int)(long)argument;
}

static void cloneChildren(void)
{
    static char stack[65536];
    int status;
    pid_t child = clone(ends, stack + sizeof stack, CLONE_VM, (void *)6);
    printf("plain wait %d %s\n", waitpid(-1, &status, 0) == child, strerrorname_np(errno));
    printf("__WCLONE %d", waitpid(-1, &status, __WCLONE) == child);
    showStatus("", status);
    // Before it can end: its signal's default would end its parent.
    signal(SIGUSR1, SIG_IGN);
    child = clone(ends, stack + sizeof stack, CLONE_VM | SIGUSR1, (void *)7);
    printf("__WALL %d", waitpid(-1, &status, __WALL) == child);
    showStatus("", status);
}

static void stopAndContinue(const char *what, long (*call)(void))
{
    int told[2], go[2];
    char byte;
    if (pipe(told) || pipe(go))
        _exit(1);
    pid_t child = fork();
    if (child == 0) {
        if (write(told[1], "c", 1) != 1)
            _exit(1);
        errno = 0;
        long result = call();
        int error = errno;
        // Its parent tells of the continuation first.
        if (read(go[0], &byte, 1) != 1)
            _exit(1);
        printf("%s: %ld %s\n", what, result, error ? strerrorname_np(error) : "");
        fflush(stdout);
        _exit(0);
    }
    int status;
    if (read(told[0], &byte, 1) != 1)
        _exit(1);
    untilAsleep(child);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    showStatus(what, status);
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    showStatus(what, status);
    if (write(go[1], "g", 1) != 1)
        _exit(1);
    waitpid(child, &status, 0);
    showStatus(what, status);
}

static long epollWait(void)
{
    struct epoll_event event;
    return epoll_wait(epoll_create1(0), &event, 1, 10000);
}

static long sleeps(void)
{
    struct timespec time = { 1, 0 };
    return nanosleep(&time, NULL);
}

static long waitsForSignal(void)
{
    sigset_t set;
    struct timespec time = { 10, 0 };
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return sigtimedwait(&set, NULL, &time);
}

static long futexWaits(void)
{
    static int word;
    struct timespec time = { 1, 0 };
    return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &time, NULL, 0);
}

static atomic_uint lock;
static atomic_int waiting, dying;

static void *takesLock(void *argument)
{
    atomic_store(&waiting, gettid());
    long result = syscall(SYS_futex, &lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    unsigned word = atomic_load(&lock);
    printf("%s: %ld, mine %d, waiters %d, died %d\n", (char *)argument, result, (int)(word & FUTEX_TID_MASK) == gettid(), (word & FUTEX_WAITERS) != 0, (word & FUTEX_OWNER_DIED) != 0);
    fflush(stdout);
    printf("%s unlocks: %ld\n", (char *)argument, syscall(SYS_futex, &lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    fflush(stdout);
    return NULL;
}

static struct { struct robust_list_head head; struct robust_list entry; } robust;

static void *diesWithLock(void *argument)
{
    robust.head.list.next = (void *)((char *)&robust.entry + 1);
    robust.entry.next = &robust.head.list;
    robust.head.futex_offset = (char *)&lock - (char *)&robust.entry;
    syscall(SYS_set_robust_list, &robust.head, sizeof robust.head);
    syscall(SYS_futex, &lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    atomic_store(&waiting, gettid());
    while (!atomic_load(&dying))
        sched_yield();
    syscall(SYS_exit, 0);
    return argument;
}

// Until the thread that was made last says who it is.
static int untilHere(void)
{
    while (atomic_load(&waiting) == 0)
        sched_yield();
    return atomic_exchange(&waiting, 0);
}

static void priorityInheritance(void)
{
    pthread_t first, second, owner;
    SHOW(syscall(SYS_futex, &lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    pthread_create(&first, NULL, takesLock, "first");
    untilAsleep(untilHere());
    printf("waiters %d\n", (atomic_load(&lock) & FUTEX_WAITERS) != 0);
    long unlocked = syscall(SYS_futex, &lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    pthread_join(first, NULL);
    printf("unlocked: %ld\n", unlocked);
    printf("word %u\n", atomic_load(&lock));
    // A failed try marks the word as well.
    pthread_create(&owner, NULL, diesWithLock, NULL);
    untilHere();
    SHOW(syscall(SYS_futex, &lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    printf("waiters %d\n", (atomic_load(&lock) & FUTEX_WAITERS) != 0);
    pthread_create(&second, NULL, takesLock, "second");
    untilAsleep(untilHere());
    atomic_store(&dying, 1);
    pthread_join(second, NULL);
    printf("word %u\n", atomic_load(&lock));
    atomic_store(&lock, 4000000);
    SHOW(syscall(SYS_futex, &lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
}

int main(void)
{
    signal(SIGCHLD, SIG_DFL);
    firstThreadEndsFirst();
    orphans(SIGSTOP);
    orphans(SIGTSTP);
    orphanStop();
    cloneChildren();
    stopAndContinue("epoll_wait", epollWait);
    stopAndContinue("nanosleep", sleeps);
    stopAndContinue("sigtimedwait", waitsForSignal);
    stopAndContinue("futex", futexWaits);
    priorityInheritance();
    return 0;
}
