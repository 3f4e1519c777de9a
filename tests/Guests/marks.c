// Marks of files, extended attributes by directory, mounts by number, what descriptors tell of processes, and core dumps.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STATMOUNT 457
#define LISTMOUNT 458
#define SETXATTRAT 463
#define GETXATTRAT 464
#define LISTXATTRAT 465
#define REMOVEXATTRAT 466
#define FILE_GETATTR 468
#define FILE_SETATTR 469

struct attributes { uint64_t flags; uint32_t extent, extents, project, copied; };
struct value { uint64_t at; uint32_t size, flags; };

static void marks(void)
{
    struct attributes told = {0}, wanted = {.flags = 8};
    struct { struct attributes known; uint64_t more; } long_one = {{0}, 1};
    int fd = open("file", O_RDWR | O_CREAT, 0600), flags = 0;
    SHOW(syscall(FILE_GETATTR, AT_FDCWD, "file", &told, 24, 0));
    printf("flags %#lx\n", (unsigned long)told.flags);
    SHOW(syscall(FILE_GETATTR, AT_FDCWD, "file", &told, 23, 0));
    SHOW(syscall(FILE_GETATTR, AT_FDCWD, "file", &told, 5000, 0));
    SHOW(syscall(FILE_GETATTR, AT_FDCWD, "file", &told, 24, 1));
    SHOW(syscall(FILE_GETATTR, AT_FDCWD, "file", (void *)1, 24, 0));
    SHOW(syscall(FILE_GETATTR, AT_FDCWD, "none", &told, 24, 0));
    SHOW(syscall(FILE_SETATTR, AT_FDCWD, "file", &long_one, sizeof long_one, 0));
    SHOW(syscall(FILE_SETATTR, AT_FDCWD, "file", &wanted, 24, 0));
    SHOW(syscall(FILE_GETATTR, fd, "", &told, 24, AT_EMPTY_PATH));
    printf("flags %#lx\n", (unsigned long)told.flags);
    SHOW(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    printf("flags %#x\n", flags);
    SHOW(open("file", O_WRONLY));
    SHOW(unlink("file"));
    SHOW(rename("file", "other"));
    SHOW(link("file", "other"));
    SHOW(chmod("file", 0644));
    SHOW(chown("file", 1, 1));
    SHOW(truncate("file", 10));
    SHOW(utimensat(AT_FDCWD, "file", 0, 0));
    flags = FS_APPEND_FL | FS_NODUMP_FL;
    SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    SHOW(open("file", O_WRONLY));
    int end = open("file", O_WRONLY | O_APPEND);
    SHOW(write(end, "end", 3));
    SHOW(fcntl(end, F_SETFL, 0));
    SHOW(ftruncate(end, 0));
    SHOW(unlink("file"));
    struct statx about;
    statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &about);
    printf("statx %#lx\n", (unsigned long)(about.stx_attributes & 0x70));
    if (fork() == 0)
    {
        setresuid(1000, 1000, 1000);
        flags = 0;
        SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
        _exit(0);
    }
    wait(0);
    flags = 0x1000000;
    SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    wanted = (struct attributes){.flags = 0x800, .extent = 4096};
    SHOW(syscall(FILE_SETATTR, AT_FDCWD, "file", &wanted, 24, 0));
    wanted = (struct attributes){.flags = 1ull << 40};
    SHOW(syscall(FILE_SETATTR, AT_FDCWD, "file", &wanted, 24, 0));
    SHOW(syscall(FILE_GETATTR, AT_FDCWD, "/proc/self/stat", &told, 24, 0));
    flags = 0;
    SHOW(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    SHOW(unlink("file"));
}

static void attributes(void)
{
    char text[100] = "";
    struct value value = {(uintptr_t)"one", 3, 0}, room = {(uintptr_t)text, 100, 0}, odd = {(uintptr_t)text, 100, 1};
    close(creat("named", 0600));
    int here = open(".", O_PATH);
    SHOW(syscall(SETXATTRAT, here, "named", 0, "trusted.a", &value, sizeof value));
    SHOW(syscall(SETXATTRAT, here, "named", 0, "trusted.a", &value, 8));
    SHOW(syscall(SETXATTRAT, here, "named", 1, "trusted.a", &value, sizeof value));
    SHOW(syscall(GETXATTRAT, here, "named", 0, "trusted.a", &room, sizeof room));
    printf("%s\n", text);
    SHOW(syscall(GETXATTRAT, here, "named", 0, "trusted.a", &odd, sizeof odd));
    SHOW(syscall(GETXATTRAT, here, "named", 0, "trusted.b", &room, sizeof room));
    SHOW(syscall(LISTXATTRAT, here, "named", 0, text, sizeof text));
    printf("%s\n", text);
    SHOW(syscall(REMOVEXATTRAT, here, "named", 0, "trusted.a"));
    SHOW(syscall(REMOVEXATTRAT, here, "named", 0, "trusted.a"));
}

struct request { uint32_t size, space; uint64_t mount, parameter; };

static uint64_t number(const char *path)
{
    struct statx about;
    statx(AT_FDCWD, path, 0, 0x4000, &about);
    return about.stx_mnt_id;
}

static void mounts(void)
{
    uint64_t ids[10], top = number(".");
    static union { char bytes[1024]; uint32_t words[256]; uint64_t longs[128]; } about;
    mkdir("sub", 0700);
    mkdir("other", 0700);
    mount("inner", "sub", "tmpfs", MS_RDONLY | MS_NOSUID, "");
    mount("inner", "other", "tmpfs", MS_NODEV, "");
    uint64_t sub = number("sub"), other = number("other");
    struct request request = {24, 0, top, 0};
    SHOW(syscall(LISTMOUNT, &request, ids, 10, 0));
    printf("%d %d\n", ids[0] == sub, ids[1] == other);
    SHOW(syscall(LISTMOUNT, &request, ids, 10, 1));
    printf("%d %d\n", ids[0] == other, ids[1] == sub);
    request.parameter = sub;
    SHOW(syscall(LISTMOUNT, &request, ids, 10, 0));
    SHOW(syscall(LISTMOUNT, &request, ids, 10, 2));
    SHOW(syscall(LISTMOUNT, &request, (void *)8, 10, 0));
    request.parameter = 1;
    SHOW(syscall(LISTMOUNT, &request, ids, 10, 0));
    request = (struct request){24, 0, 1ull << 40, 0};
    SHOW(syscall(LISTMOUNT, &request, ids, 10, 0));
    request = (struct request){24, 0, sub, 1 | 2 | 8 | 0x10 | 0x20 | 0x200};
    SHOW(syscall(STATMOUNT, &request, &about, sizeof about, 0));
    printf("mask %#lx size %u magic %#lx flags %u\n", (unsigned long)about.longs[1], about.words[0], (unsigned long)about.longs[3], about.words[8]);
    printf("%d %d attributes %#lx propagation %#lx\n", about.longs[5] == sub, about.longs[6] == top, (unsigned long)about.longs[8], (unsigned long)about.longs[9]);
    char *strings = about.bytes + 512;
    printf("%s %s %s %s\n", strings + about.words[26], strings + about.words[27], strings + about.words[9], strings + about.words[31]);
    SHOW(syscall(STATMOUNT, &request, &about, 520, 0));
    SHOW(syscall(STATMOUNT, &request, &about, sizeof about, 1));
    SHOW(syscall(STATMOUNT, &request, (void *)8, sizeof about, 0));
    request.size = 20;
    SHOW(syscall(STATMOUNT, &request, &about, sizeof about, 0));
    request.size = 5000;
    SHOW(syscall(STATMOUNT, &request, &about, sizeof about, 0));
    request = (struct request){24, 0, 5, 1};
    SHOW(syscall(STATMOUNT, &request, &about, sizeof about, 0));
    int fd = open("/proc/self/mounts", O_RDONLY);
    struct pollfd polled = {fd, POLLPRI, 0};
    SHOW(poll(&polled, 1, 0));
    umount("other");
    SHOW(poll(&polled, 1, 0));
    printf("%#x\n", polled.revents);
    SHOW(poll(&polled, 1, 0));
    umount("sub");
}

static void processes(void)
{
    uint32_t told[16];
    int status;
    pid_t child = fork();
    if (child == 0)
    {
        pause();
        _exit(0);
    }
    int fd = syscall(SYS_pidfd_open, child, 0);
    unsigned long request = _IOWR(0xFF, 11, char[64]);
    memset(told, 0, sizeof told);
    SHOW(ioctl(fd, request, told));
    printf("%d %d %d user %u\n", told[0] & 3, told[4] == (uint32_t)child, told[6] == (uint32_t)getpid(), told[7]);
    SHOW(ioctl(fd, request, 0));
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    SHOW(ioctl(fd, request, told) == -1 ? errno : 0);
    memset(told, 0, sizeof told);
    told[0] = 8;
    SHOW(ioctl(fd, request, told));
    printf("%d %d\n", told[0] & 8, told[15] == (uint32_t)status);
}

// The signal, the program's name and a page of memory are in the file.
static void cores(void)
{
    struct rlimit limit = {1 << 24, 1 << 24};
    int status;
    pid_t child = fork();
    if (child == 0)
    {
        setrlimit(RLIMIT_CORE, &limit);
        abort();
    }
    waitpid(child, &status, 0);
    printf("core %d signal %d\n", !!WCOREDUMP(status), WTERMSIG(status));
    struct { unsigned char magic[16]; uint16_t type, machine; } head = {0};
    char pattern[20] = "";
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
    if (read(fd, pattern, sizeof pattern) == 5 && !memcmp(pattern, "core", 4))
    {
        fd = open("core", O_RDONLY);
        SHOW(read(fd, &head, sizeof head) == sizeof head && head.type == 4);
    }
    else
        SHOW(1);
    unlink("core");
    limit.rlim_cur = 0;
    child = fork();
    if (child == 0)
    {
        setrlimit(RLIMIT_CORE, &limit);
        abort();
    }
    waitpid(child, &status, 0);
    printf("core %d signal %d\n", !!WCOREDUMP(status), WTERMSIG(status));
}

static volatile int came;

static void on_message(union sigval value)
{
    came = value.sival_int;
}

static void notices(void)
{
    struct mq_attr attributes = {0, 4, 16, 0};
    mqd_t queue = mq_open("/marks", O_CREAT | O_RDWR, 0600, &attributes);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_message, .sigev_value.sival_int = 7};
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "a", 1, 0));
    for (int i = 0; i < 1000 && !came; i++)
        usleep(10000);
    printf("came %d\n", came);
    mq_unlink("/marks");
}

static void zeros(void)
{
    int fd = open("/dev/zero", O_RDWR);
    char *own = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096), *all = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("%d %d\n", own[5000], all[1]);
    own[5000] = 1;
    if (fork() == 0)
    {
        own[5000] = all[1] = 2;
        _exit(0);
    }
    wait(0);
    printf("%d %d\n", own[5000], all[1]);
    fd = open("/dev/zero", O_RDONLY);
    all = mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(mprotect(all, 4096, PROT_READ | PROT_WRITE));
}

// A mark to expire goes with the next visit, and nothing is mounted on the links of open files.
static void visits(void)
{
    char path[50];
    mkdir("place", 0700);
    mount("place", "place", "tmpfs", 0, "");
    SHOW(umount2("place", MNT_EXPIRE));
    SHOW(access("place", F_OK));
    SHOW(umount2("place", MNT_EXPIRE));
    SHOW(umount2("place", MNT_EXPIRE));
    close(creat("under", 0600));
    int fd = open("under", O_RDONLY);
    sprintf(path, "/proc/self/fd/%d", fd);
    int link = open(path, O_PATH | O_NOFOLLOW);
    sprintf(path, "/proc/self/fd/%d", link);
    SHOW(mount("named", path, "", MS_BIND, 0));
    close(link);
    close(fd);
}

// A file that cannot be spliced: nothing of it is nothing, more of it is refused.
static void nothing(void)
{
    int ends[2], fd = open("/proc/self/mem", O_RDONLY);
    pipe(ends);
    SHOW(sendfile(ends[1], fd, 0, 0));
}

int main(void)
{
    setbuf(stdout, 0);
    mkdir("/tmp/marks", 0700);
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) || mount("top", "/tmp/marks", "tmpfs", 0, 0) || chdir("/tmp/marks"))
        die("setting up");
    marks();
    attributes();
    mounts();
    processes();
    cores();
    notices();
    zeros();
    visits();
    nothing();
    chdir("/");
    umount2("/tmp/marks", MNT_DETACH);
    rmdir("/tmp/marks");
    return 0;
}
