// Records of processes that ended (acct(2)), what processes and their children used, mounts below others, handles of files that keep names.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/acct.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

#define RECORDS "/tmp/accounting.d/records"

static void list(void)
{
    struct acct_v3 record;
    int fd = open(RECORDS, O_RDONLY);
    for (int i = 0; read(fd, &record, sizeof record) == sizeof record; i++)
    {
        printf("%.16s flags %x version %d tty %d exit %x ids %u %u", record.ac_comm, record.ac_flag & ~ASU, record.ac_version, record.ac_tty, record.ac_exitcode, record.ac_uid, record.ac_gid);
        printf(" pid %u parent %u since %d long %d memory %d\n", record.ac_pid, record.ac_ppid, labs((long)record.ac_btime - time(NULL)) < 100, record.ac_etime < 1000, record.ac_mem != 0);
    }
    close(fd);
}

// As process 1 of a space of its own, whose records hold nothing of others.
static int account(void)
{
    SHOW(acct("/tmp/accounting.d/missing"));
    SHOW(acct("/tmp/accounting.d"));
    SHOW(acct("/dev/null"));
    SHOW(acct(RECORDS "/x"));
    SHOW(acct(""));
    SHOW(acct((char *)1));
    SHOW(acct(RECORDS));
    for (int i = 0; i < 5; i++)
    {
        if (fork() == 0)
        {
            if (i == 1)
                prctl(PR_SET_NAME, "renamed");
            if (i == 2)
                raise(SIGKILL);
            if (i == 3)
                execl("/bin/sh", "sh", "-c", "exit 3", NULL);
            if (i == 4)
            {
                setgid(7);
                setuid(5);
                execl("/bin/true", "true", NULL);
            }
            _exit(i);
        }
        wait(NULL);
    }
    SHOW(acct(NULL));
    SHOW(acct(NULL));
    if (fork() == 0)
        _exit(0);
    wait(NULL);
    list();
    if (fork() == 0)
    {
        setuid(1);
        SHOW(acct(NULL));
        SHOW(acct(RECORDS));
        _exit(0);
    }
    wait(NULL);
    return 0;
}

static void spend(size_t megabytes)
{
    char *area = mmap(NULL, megabytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 1, megabytes << 20);
}

static void usage(void)
{
    struct rusage used, waited;
    getrusage(RUSAGE_CHILDREN, &used);
    printf("children at first %d\n", used.ru_maxrss < (8 << 10));
    if (fork() == 0)
    {
        if (fork() == 0)
        {
            spend(64);
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    wait4(-1, NULL, 0, &waited);
    getrusage(RUSAGE_CHILDREN, &used);
    printf("a child's child %ld %ld\n", used.ru_maxrss >> 14, waited.ru_maxrss >> 14);
    signal(SIGCHLD, SIG_IGN);
    pid_t unwanted = fork();
    if (unwanted == 0)
    {
        spend(160);
        _exit(0);
    }
    waitpid(unwanted, NULL, 0);
    getrusage(RUSAGE_CHILDREN, &used);
    printf("one that nobody waited for %ld\n", used.ru_maxrss >> 14);
    signal(SIGCHLD, SIG_DFL);
}

static void beneath(void)
{
    mkdir("/tmp/accounting.d/a", 0700);
    mkdir("/tmp/accounting.d/b", 0700);
    mount("none", "/tmp/accounting.d/a", "tmpfs", 0, NULL);
    mount("none", "/tmp/accounting.d/b", "tmpfs", 0, NULL);
    close(creat("/tmp/accounting.d/a/in-a", 0600));
    close(creat("/tmp/accounting.d/b/in-b", 0600));
    int tree = syscall(SYS_open_tree, AT_FDCWD, "/tmp/accounting.d/a", 1 | O_CLOEXEC);
    const unsigned empty = 4, below = 0x200;
    SHOW(syscall(SYS_move_mount, tree, "", AT_FDCWD, "/", empty | below));
    SHOW(syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp/accounting.d", empty | below));
    SHOW(syscall(SYS_move_mount, AT_FDCWD, "/tmp/accounting.d/b", AT_FDCWD, "/tmp/accounting.d/b", below));
    SHOW(syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp/accounting.d/b", empty | below));
    SHOW(access("/tmp/accounting.d/b/in-b", F_OK));
    SHOW(access("/tmp/accounting.d/b/in-a", F_OK));
    SHOW(umount("/tmp/accounting.d/b"));
    SHOW(access("/tmp/accounting.d/b/in-a", F_OK));
    SHOW(umount("/tmp/accounting.d/b"));
    SHOW(umount("/tmp/accounting.d/b"));
}

static void handles(void)
{
    union
    {
        struct file_handle head;
        char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } handle;
    uint64_t mount = 0;
    const int unique = 1, connectable = 2, identify = 0x200;
    int flags[] = { connectable | identify, connectable | AT_EMPTY_PATH, identify, connectable, unique, 0x20, 0 };
    const char *paths[] = { "/tmp/accounting.d/a", "/tmp/accounting.d/a/in-a" };
    for (int i = 0; i < 14; i++)
    {
        handle.head.handle_bytes = MAX_HANDLE_SZ;
        mount = 0;
        long result = syscall(SYS_name_to_handle_at, AT_FDCWD, paths[i % 2], &handle, &mount, flags[i / 2]);
        show("name_to_handle_at", result);
        if (result == 0)
            printf("type flags %x, large number %d\n", handle.head.handle_type & ~0xFFFF, mount >> 31 != 0);
    }
    int tree = open("/tmp/accounting.d/a", O_RDONLY);
    handle.head.handle_bytes = MAX_HANDLE_SZ;
    syscall(SYS_name_to_handle_at, AT_FDCWD, paths[1], &handle, &mount, connectable);
    int fd = syscall(SYS_open_by_handle_at, tree, &handle, O_RDONLY);
    char link[64] = "", place[64];
    snprintf(place, sizeof place, "/proc/self/fd/%d", fd);
    readlink(place, link, sizeof link - 1);
    puts(link);
    handle.head.handle_type |= 0x40000;
    SHOW(syscall(SYS_open_by_handle_at, tree, &handle, O_RDONLY));
}

// A name that is held by O_PATH alone keeps what the file holds.
static void held(void)
{
    int fd = open("/tmp/accounting.d/a/kept", O_CREAT | O_WRONLY, 0700);
    write(fd, "kept", 4);
    close(fd);
    fd = open("/tmp/accounting.d/a/kept", O_PATH);
    unlink("/tmp/accounting.d/a/kept");
    char place[64], text[8] = "";
    snprintf(place, sizeof place, "/proc/self/fd/%d", fd);
    read(open(place, O_RDONLY), text, 4);
    puts(text);
}

int main(void)
{
    unshare(CLONE_NEWNS);
    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mkdir("/tmp/accounting.d", 0755);
    mount("none", "/tmp/accounting.d", "tmpfs", 0, "size=1M");
    close(creat(RECORDS, 0644));
    usage();
    unshare(CLONE_NEWPID);
    if (fork() == 0)
        return account();
    wait(NULL);
    beneath();
    handles();
    held();
    umount2("/tmp/accounting.d", MNT_DETACH);
    rmdir("/tmp/accounting.d");
}
