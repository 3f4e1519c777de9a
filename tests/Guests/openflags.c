// O_ flags where others look at calls: filters, supervisors and tracers see them as the program's own processor has them (arm64 has four in other places,
// arch/arm64/include/uapi/asm/fcntl.h), and every call that takes or tells them means the same. What is printed is the same on every processor.
#define _GNU_SOURCE
#include "ring.h"
#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#ifndef __x86_64__
#include <asm/ptrace.h>
#endif

#if defined(__riscv)
enum { MACHINE = AUDIT_ARCH_RISCV64, LARGE_FILE = 0100000 };
#define THIRD(r) (r).a2
#elif defined(__aarch64__)
enum { MACHINE = AUDIT_ARCH_AARCH64, LARGE_FILE = 0400000 };
#define THIRD(r) (r).regs[2]
#else
enum { MACHINE = AUDIT_ARCH_X86_64, LARGE_FILE = 0100000 };
#define THIRD(r) (r).rdx
#endif

// The library's own O_LARGEFILE is 0 where off_t is large anyway.
static const struct { const char *name; unsigned value; } flags[] = {
    { "O_DIRECTORY", O_DIRECTORY }, { "O_NOFOLLOW", O_NOFOLLOW }, { "O_DIRECT", O_DIRECT }, { "O_LARGEFILE", LARGE_FILE }, { "O_CLOEXEC", O_CLOEXEC },
};
enum { FLAGS = sizeof flags / sizeof *flags };

static const char *names(unsigned value)
{
    static char text[200];
    text[0] = 0;
    for (int i = 0; i < FLAGS; i++) {
        if (value & flags[i].value)
            strcat(strcat(text, " "), flags[i].name);
        value &= ~flags[i].value;
    }
    snprintf(text + strlen(text), 20, " %#o", value);
    return text;
}

static long opens(const char *path, unsigned how) { return syscall(SYS_openat, AT_FDCWD, path, how, 0); }

// Where the machine is this one, an openat with the flag ends in an error of its own, one by one; with "action" other than an error, that.
static long filter(unsigned action)
{
    struct sock_filter program[8 + FLAGS * 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
    };
    int count = 7;
    for (int i = 0; i < FLAGS; i++) {
        program[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags[i].value, 0, 1);
        program[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action == SECCOMP_RET_ERRNO ? action | (EDOTDOT + i) : action);
    }
    program[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = { count, program };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, action == SECCOMP_RET_USER_NOTIF ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &filter);
}

static void filtered(void)
{
    if (fork() == 0) {
        SHOW(filter(SECCOMP_RET_ERRNO));
        for (int i = 0; i < FLAGS; i++) {
            long result = opens(".", flags[i].value);
            printf("%s: %s\n", flags[i].name, result < 0 ? strerrorname_np(errno) : "open");
        }
        printf("none: %s\n", opens(".", O_RDONLY | O_NONBLOCK) < 0 ? strerrorname_np(errno) : "open");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

// Calls that nobody knows go through filters by the numbers that they were made with.
static void unknown(void)
{
    if (fork() == 0) {
        struct sock_filter program[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3999, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog filter = { 4, program };
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        SHOW(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
        SHOW(syscall(3999));
        SHOW(syscall(3998));
        _exit(0);
    }
    wait(NULL);
}

// The child's own listener, asked by another thread of control: a second child that shares descriptors.
static void supervised(void)
{
    if (fork() == 0) {
        int listener = filter(SECCOMP_RET_USER_NOTIF);
        pid_t asks = fork();
        if (asks == 0) {
            opens(".", O_DIRECTORY | O_CLOEXEC);
            opens(".", O_NOFOLLOW | LARGE_FILE);
            opens(".", O_DIRECT);
            _exit(0);
        }
        for (int i = 0; i < 3; i++) {
            struct seccomp_notif asked;
            memset(&asked, 0, sizeof asked);
            if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked))
                die("SECCOMP_IOCTL_NOTIF_RECV");
            printf("asked for%s of the right machine %d\n", names(asked.data.args[2]), asked.data.arch == MACHINE);
            struct seccomp_notif_resp answer = { asked.id, 0, -EACCES, 0 };
            ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        }
        waitpid(asks, NULL, 0);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static unsigned long third(pid_t child)
{
    struct user_regs_struct set;
    struct iovec vector = { &set, sizeof set };
    if (ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &vector))
        die("PTRACE_GETREGSET");
    return THIRD(set);
}

// At each openat's entry; the last one's flag is taken away there, and it opens what is no directory.
static void traced(void)
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        for (int i = 0; i < FLAGS; i++)
            opens("/proc/self", flags[i].value | O_NONBLOCK);
        _exit(opens("file", O_DIRECTORY) < 0 ? errno : 0);
    }
    int status;
    waitpid(child, &status, 0);
    ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD);
    int seen = 0;
    while (ptrace(PTRACE_SYSCALL, child, 0, 0) == 0 && waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        struct { uint8_t op, pad[3]; uint32_t machine; uint64_t counter, stack, number, arguments[6]; } told;
        memset(&told, 0, sizeof told);
        ptrace(0x420e, child, sizeof told, &told);
        if (told.op != 1 || told.number != SYS_openat)
            continue;
        printf("traced:%s; registers %s\n", names(told.arguments[2]), third(child) == told.arguments[2] ? "the same" : "another");
        if (seen++ < FLAGS)
            continue;
        struct user_regs_struct set;
        struct iovec vector = { &set, sizeof set };
        ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &vector);
        THIRD(set) &= ~(unsigned long)O_DIRECTORY;
        ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &vector);
    }
    printf("opened %s\n", WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "it");
}

// In /proc/self/fdinfo.
static int isTold(int fd, unsigned value)
{
    char path[64], text[200];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    while (file && fgets(text, sizeof text, file))
        sscanf(text, "flags: %o", &flags);
    if (file)
        fclose(file);
    return flags == value;
}

static void told(const char *path, unsigned how)
{
    int fd = opens(path, how);
    printf("%s with%s: ", path, names(how));
    if (fd < 0)
        printf("%s\n", strerrorname_np(errno));
    else
        printf("F_GETFL%s, fdinfo %s\n", names(fcntl(fd, F_GETFL)), isTold(fd, fcntl(fd, F_GETFL)) ? "the same" : "another");
    close(fd);
}

static void statuses(void)
{
    told(".", O_DIRECTORY);
    told("file", O_DIRECTORY);
    told("file", O_NOFOLLOW);
    told("link", O_NOFOLLOW);
    told("link", O_NOFOLLOW | O_PATH);
    told("link", LARGE_FILE);
    told("file", O_PATH | O_DIRECTORY);
    told(".", O_RDWR | __O_TMPFILE);
    int fd = opens("file", O_RDWR);
    SHOW(fcntl(fd, F_SETFL, O_APPEND | O_DIRECTORY | O_NOFOLLOW | LARGE_FILE));
    printf("F_GETFL%s\n", names(fcntl(fd, F_GETFL)));
    close(fd);
    int ends[2];
    for (int i = 0; i < FLAGS; i++)
        printf("pipe2 with %s: %s\n", flags[i].name, pipe2(ends, flags[i].value) ? strerrorname_np(errno) : "made");
    static const struct { const char *path; uint64_t how; } seconds[] = {
        { "file", O_DIRECTORY }, { ".", O_DIRECTORY }, { "link", O_NOFOLLOW }, { "file", O_PATH | O_DIRECT }, { "file", O_PATH | O_NOFOLLOW }, { "file", LARGE_FILE },
    };
    for (int i = 0; i < 6; i++) {
        struct open_how how = { .flags = seconds[i].how };
        fd = syscall(SYS_openat2, AT_FDCWD, seconds[i].path, &how, sizeof how);
        printf("openat2 of %s with%s: %s\n", seconds[i].path, names(how.flags), fd < 0 ? strerrorname_np(errno) : "open");
    }
}

static void queued(void)
{
    if (setUp(8, 0))
        die("io_uring_setup");
    submission(IORING_OP_OPENAT, AT_FDCWD, "file", 0, 0, 1)->open_flags = O_DIRECTORY;
    run("a file as a directory", 1, 1);
    submission(IORING_OP_OPENAT, AT_FDCWD, "link", 0, 0, 2)->open_flags = O_NOFOLLOW;
    run("a link unfollowed", 1, 1);
}

int main(void)
{
    close(creat("file", 0600));
    if (symlink("file", "link"))
        die("symlink");
    filtered();
    unknown();
    supervised();
    traced();
    statuses();
    queued();
    return 0;
}
