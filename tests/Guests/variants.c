// Calls by their numbers that libraries no longer make, or of which they make only the newest: old forms, *at forms, forms with a mask.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>
#include "check.h"

static volatile int caught;
static void handler(int signal) { caught = signal; }

static void files(void)
{
    struct stat status;
    static char folder[4096];
    SHOW(syscall(SYS_getcwd, folder, sizeof folder) == (long)strlen(folder) + 1);
    SHOW(syscall(SYS_creat, "file", 0640));
    SHOW(syscall(SYS_open, "file", O_RDWR) >= 0);
    int fd = syscall(SYS_open, "file", O_RDWR);
    SHOW(write(fd, "0123456789", 10));
    SHOW(syscall(SYS_fdatasync, fd));
    SHOW(syscall(SYS_syncfs, fd));
    SHOW(syscall(SYS_sync));
    SHOW(syscall(SYS_stat, "file", &status));
    SHOW(syscall(SYS_fstat, fd, &status));
    printf("size %ld mode %o\n", (long)status.st_size, status.st_mode);
    SHOW(syscall(SYS_symlink, "file", "link"));
    SHOW(syscall(SYS_lstat, "link", &status));
    printf("size %ld mode %o\n", (long)status.st_size, status.st_mode);
    SHOW(syscall(SYS_access, "file", R_OK));
    SHOW(syscall(SYS_faccessat, AT_FDCWD, "nothing", R_OK));
    SHOW(syscall(SYS_faccessat, AT_FDCWD, "file", R_OK));
    SHOW(syscall(SYS_mkdirat, AT_FDCWD, "directory", 0700));
    SHOW(syscall(SYS_symlinkat, "to", AT_FDCWD, "directory/other"));
    char text[64] = "";
    SHOW(syscall(SYS_readlinkat, AT_FDCWD, "directory/other", text, sizeof text));
    puts(text);
    SHOW(syscall(SYS_renameat, AT_FDCWD, "directory/other", AT_FDCWD, "directory/another"));
    SHOW(syscall(SYS_fchmodat, AT_FDCWD, "file", 0600));
    SHOW(syscall(452, AT_FDCWD, "file", 0604, 0));
    SHOW(syscall(452, AT_FDCWD, "file", 0604, 0x4000));
    SHOW(syscall(452, fd, "", 0644, AT_EMPTY_PATH));
    SHOW(syscall(SYS_fchown, fd, -1, -1));
    SHOW(syscall(SYS_fchownat, AT_FDCWD, "link", -1, -1, AT_SYMLINK_NOFOLLOW));
    stat("file", &status);
    printf("mode %o\n", status.st_mode);
    struct utimbuf stamps = { 1000, 2000 };
    SHOW(syscall(SYS_utime, "file", &stamps));
    stat("file", &status);
    printf("times %ld %ld\n", (long)status.st_atime, (long)status.st_mtime);
    struct timeval pair[2] = { { 3000, 5 }, { 4000, 6 } };
    SHOW(syscall(SYS_utimes, "file", pair));
    pair[0].tv_sec = 5000;
    SHOW(syscall(SYS_futimesat, AT_FDCWD, "file", pair));
    struct statx more;
    SHOW(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_BASIC_STATS, &more));
    printf("times %lld.%u %lld\n", more.stx_atime.tv_sec, more.stx_atime.tv_nsec, more.stx_mtime.tv_sec);
    SHOW(syscall(SYS_mknod, "fifo", S_IFIFO | 0600, 0));
    SHOW(syscall(SYS_dup3, fd, 50, O_CLOEXEC));
    struct iovec parts[2] = { { "ab", 2 }, { "cd", 2 } };
    SHOW(syscall(SYS_pwritev, fd, parts, 2, 3, 0));
    SHOW(pread(fd, text, 10, 0));
    printf("%.10s\n", text);
    int directory = open("directory", O_RDONLY | O_DIRECTORY), names = 0;
    char entries[512];
    long length = syscall(SYS_getdents, directory, entries, sizeof entries);
    for (long at = 0; at < length; at += *(unsigned short *)(entries + at + 16))
        names++;
    printf("names %d\n", names);
    SHOW(setxattr("file", "user.a", "1", 1, 0));
    SHOW(syscall(SYS_lgetxattr, "file", "user.a", text, sizeof text));
    SHOW(syscall(SYS_llistxattr, "file", text, sizeof text) >= 7);
    SHOW(syscall(SYS_flistxattr, fd, text, sizeof text) >= 7);
    SHOW(syscall(SYS_lremovexattr, "file", "user.a"));
}

static void waiting(void)
{
    int pipes[2], event = syscall(SYS_eventfd, 3), epoll = syscall(SYS_epoll_create, 1);
    SHOW(syscall(SYS_pipe, pipes));
    SHOW(event >= 0 && epoll >= 0);
    struct timeval short_ = { 0, 1000 };
    struct timespec brief = { 0, 1000000 };
    fd_set set;
    FD_ZERO(&set);
    FD_SET(event, &set);
    SHOW(syscall(SYS_select, event + 1, &set, NULL, NULL, &short_));
    struct pollfd wanted = { pipes[0], POLLIN };
    sigset_t mask;
    sigemptyset(&mask);
    SHOW(syscall(SYS_ppoll, &wanted, 1, &brief, &mask, 8));
    struct epoll_event ready = { EPOLLIN, { .u64 = 77 } };
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &ready);
    ready.data.u64 = 0;
    SHOW(syscall(SYS_epoll_pwait, epoll, &ready, 1, 0, &mask, 8));
    printf("data %lu\n", (unsigned long)ready.data.u64);
    SHOW(syscall(441, epoll, &ready, 1, &brief, &mask, 8));
    brief.tv_nsec = -1;
    SHOW(syscall(441, epoll, &ready, 1, &brief, &mask, 8));
    struct timespec pause = { 0, 1000 };
    SHOW(syscall(SYS_nanosleep, &pause, NULL));

    struct sigaction action = { .sa_handler = handler };
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigset_t user;
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    sigprocmask(SIG_BLOCK, &user, NULL);
    SHOW(syscall(SYS_tkill, gettid(), SIGUSR1));
    SHOW(syscall(SYS_rt_sigsuspend, &mask, 8));
    printf("caught %d\n", caught);
    int signals = syscall(SYS_signalfd, -1, &user, 8);
    siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
    info.si_value.sival_int = 4711;
    SHOW(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
    struct signalfd_siginfo told;
    SHOW(read(signals, &told, sizeof told));
    printf("signal %u value %d\n", told.ssi_signo, told.ssi_int);
    // Again and again: one that came before the pause would be missed.
    struct itimerval soon = { { 0, 20000 }, { 0, 20000 } }, off = { 0 };
    setitimer(ITIMER_REAL, &soon, NULL);
    SHOW(syscall(SYS_pause));
    setitimer(ITIMER_REAL, &off, NULL);
    printf("caught %d\n", caught);

    // Asynchronous polls: one that is cancelled, one whose end comes.
    aio_context_t context = 0;
    syscall(SYS_io_setup, 4, &context);
    struct iocb poll = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = pipes[0], .aio_buf = POLLIN, .aio_data = 5 }, *polls[] = { &poll };
    SHOW(syscall(SYS_io_submit, context, 1, polls));
    struct io_event done;
    SHOW(syscall(SYS_io_cancel, context, &poll, &done));
    struct { const sigset_t *mask; size_t size; } temporary = { &mask, 8 };
    SHOW(syscall(SYS_io_pgetevents, context, 1, 1, &done, NULL, &temporary));
    printf("data %llu\n", done.data);
    temporary.size = 3;
    SHOW(syscall(SYS_io_pgetevents, context, 0, 1, &done, NULL, &temporary));
    struct sembuf up = { 0, 1, 0 };
    int semaphore = semget(IPC_PRIVATE, 1, 0600);
    SHOW(syscall(SYS_semop, semaphore, &up, 1));
    semctl(semaphore, 0, IPC_RMID);
}

static void processes(void)
{
    pid_t child = syscall(SYS_fork);
    if (child == 0) {
        char *words[] = { "true", NULL }, *none[] = { NULL };
        int program = open("/bin/true", O_PATH);
        syscall(SYS_execveat, program, "", words, none, AT_EMPTY_PATH);
        _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    printf("status %d\n", status);
    struct utsname names;
    SHOW(syscall(SYS_uname, &names));
    puts(names.sysname);
    struct timeval now;
    SHOW(syscall(SYS_gettimeofday, &now, NULL));
    SHOW(syscall(SYS_time, NULL) - now.tv_sec < 2);
    SHOW(syscall(SYS_settimeofday, NULL, NULL));
    struct rlimit limit;
    SHOW(syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 100;
    SHOW(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit));
    unsigned processor, node;
    SHOW(syscall(SYS_getcpu, &processor, &node, NULL));
    void *head;
    size_t length;
    SHOW(syscall(SYS_get_robust_list, 0, &head, &length));
    printf("length %zu\n", length);
    char *area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec range = { area, 4096 };
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    SHOW(syscall(440, self, &range, 1, MADV_COLD, 0));
    SHOW(syscall(440, self, &range, 1, MADV_COLD, 1));
    SHOW(syscall(SYS_mlock2, area, 4096, 1));
    SHOW(syscall(SYS_mlock2, area, 4096, 2));
    SHOW(syscall(SYS_munlock, area, 4096));
    struct sched_param priority = { 0 };
    SHOW(syscall(SYS_sched_setparam, 0, &priority));
    struct timespec quantum;
    SHOW(syscall(SYS_sched_rr_get_interval, 0, &quantum));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    char name[] = "/var/tmp/variantsXXXXXX";
    mkdtemp(name);
    chdir(name);
    files();
    unlink("file"), unlink("link"), unlink("fifo"), unlink("directory/another"), rmdir("directory"), rmdir(name);
    waiting();
    processes();
    return 0;
}
