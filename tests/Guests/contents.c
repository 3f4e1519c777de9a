// Contents of files beyond read and write: seals, holes, ranges, splicing, flags of vectors, handles, locks.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/close_range.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include "check.h"

static char block[1 << 20];

static void seals(void)
{
    SHOW(memfd_create("x", 0x20));
    SHOW(syscall(SYS_memfd_create, (char *)1, 0));
    memset(block, 'n', 300), block[300] = 0;
    SHOW(syscall(SYS_memfd_create, block, 0));
    block[249] = 0;
    int longest = memfd_create(block, 0);
    SHOW(longest >= 0);
    close(longest);
    int plain = memfd_create("plain", 0);
    SHOW(fcntl(plain, F_GET_SEALS));
    SHOW(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(fcntl(1, F_GET_SEALS));
    int file = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    SHOW(fcntl(file, F_GETFD));
    SHOW(fcntl(file, F_GET_SEALS));
    SHOW(fcntl(file, F_ADD_SEALS, 0x100));
    SHOW(write(file, "0123456789", 10));
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK));
    SHOW(ftruncate(file, 5));
    SHOW(ftruncate(file, 20));
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_GROW));
    SHOW(ftruncate(file, 30));
    SHOW(pwrite(file, "abc", 3, 18));
    SHOW(pwrite(file, "abc", 3, 20));
    SHOW(pwrite(file, "abc", 3, 0));
    SHOW(fallocate(file, 0, 0, 30));
    SHOW(fallocate(file, 0, 0, 10));
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(shared, 4096);
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    SHOW(pwrite(file, "abc", 3, 0));
    SHOW(pwrite(file, "abc", 0, 0));
    SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5));
    SHOW(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED ? -1 : 0);
    char *readOnly = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    SHOW(readOnly == MAP_FAILED ? -1 : 0);
    SHOW(mprotect(readOnly, 4096, PROT_READ | PROT_WRITE));
    char *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    SHOW(mine == MAP_FAILED ? -1 : 0);
    SHOW(fcntl(file, F_GET_SEALS));
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_SEAL));
    SHOW(fcntl(file, F_ADD_SEALS, F_SEAL_WRITE));
    int future = memfd_create("future", MFD_ALLOW_SEALING);
    SHOW(ftruncate(future, 4096));
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0);
    SHOW(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    shared[0] = 'x';
    SHOW(pwrite(future, "y", 1, 0));
    SHOW(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0) == MAP_FAILED ? -1 : 0);
    SHOW(pread(future, block, 1, 0));
    int noExec = memfd_create("noexec", 8), exec = memfd_create("exec", 16);
    struct stat status;
    fstat(noExec, &status);
    printf("noexec mode %o seals %x\n", status.st_mode, fcntl(noExec, F_GET_SEALS));
    SHOW(fchmod(noExec, 0777));
    SHOW(fchmod(noExec, 0600));
    fstat(exec, &status);
    printf("exec mode %o seals %x\n", status.st_mode, fcntl(exec, F_GET_SEALS));
    SHOW(memfd_create("both", 24));
    int reader = open("/proc/self/fd/3", O_RDONLY);
    char link[100];
    sprintf(link, "/proc/self/fd/%d", file);
    reader = open(link, O_RDONLY);
    SHOW(fcntl(reader, F_ADD_SEALS, F_SEAL_WRITE));
    long length = readlink(link, block, 100);
    printf("%.*s\n", (int)length, block);
    for (int fd = 3; fd < 20; fd++)
        close(fd);
}

static void map(const char *what, int file)
{
    struct stat status;
    fstat(file, &status);
    printf("%s: size %ld", what, (long)status.st_size);
    for (off_t at = 0; at < status.st_size;) {
        off_t data = lseek(file, at, SEEK_DATA);
        if (data == -1) {
            printf(" end %s", strerrorname_np(errno));
            break;
        }
        off_t hole = lseek(file, data, SEEK_HOLE);
        printf(" data %ld-%ld", (long)data, (long)hole);
        at = hole;
    }
    printf("\n");
}

static void show12(int file, off_t at)
{
    long got = pread(file, block, 12, at);
    printf("at %ld:", (long)at);
    for (int i = 0; i < got; i++)
        printf(" %02x", (unsigned char)block[i]);
    printf("\n");
}

static void rangesOf(int file)
{
    SHOW(ftruncate(file, 1 << 20));
    map("all hole", file);
    memset(block, 'a', 8192);
    SHOW(pwrite(file, block, 8192, 65536));
    SHOW(pwrite(file, block, 1, 300000));
    map("written", file);
    SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE, 65536, 4096));
    SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536 + 4096, 4096));
    map("punched", file);
    SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536 + 10, 20));
    show12(file, 65536 + 4);
    show12(file, 65536 + 26);
    SHOW(fallocate(file, FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
    map("kept size", file);
    SHOW(fallocate(file, 0, 2 << 20, 4096));
    struct stat status;
    fstat(file, &status);
    printf("size %ld\n", (long)status.st_size);
    SHOW(lseek(file, 5 << 20, SEEK_DATA));
    SHOW(lseek(file, 5 << 20, SEEK_HOLE));
    SHOW(lseek(file, -1, SEEK_DATA));
    SHOW(lseek(file, 0, 5));
    SHOW(fallocate(file, 0, -1, 10));
    SHOW(fallocate(file, 0, 0, 0));
    SHOW(fallocate(file, 0x80, 0, 10));
    SHOW(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 10));
    SHOW(fallocate(file, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    SHOW(fallocate(file, FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_PUNCH_HOLE, 0, 10));
    SHOW(fallocate(file, 0, 0x7fffffffffffffff, 10));
    SHOW(ftruncate(file, 0));
    map("emptied", file);
    close(file);
}

static void collapse(void)
{
    int file = open("f", O_CREAT | O_RDWR | O_TRUNC, 0600);
    for (int i = 0; i < 8; i++) {
        memset(block, 'a' + i, 4096);
        write(file, block, 4096);
    }
    SHOW(fallocate(file, FALLOC_FL_ZERO_RANGE, 4090, 12));
    show12(file, 4086);
    SHOW(fallocate(file, FALLOC_FL_ZERO_RANGE, 32768 - 6, 12));
    struct stat status;
    fstat(file, &status);
    printf("size %ld\n", (long)status.st_size);
    SHOW(ftruncate(file, 32768));
    SHOW(fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 32768 - 6, 12));
    fstat(file, &status);
    printf("size %ld\n", (long)status.st_size);
    SHOW(fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 4096, 8192));
    fstat(file, &status);
    printf("size %ld\n", (long)status.st_size);
    show12(file, 4090);
    SHOW(fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 4096, 100));
    SHOW(fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 4096, 1 << 20));
    SHOW(fallocate(file, FALLOC_FL_INSERT_RANGE, 4096, 4096));
    fstat(file, &status);
    printf("size %ld\n", (long)status.st_size);
    show12(file, 4090);
    show12(file, 8186);
    SHOW(fallocate(file, FALLOC_FL_INSERT_RANGE, 1 << 20, 4096));
    SHOW(fallocate(file, FALLOC_FL_INSERT_RANGE, 4096, 5));
    close(file);
    int readOnly = open("f", O_RDONLY);
    SHOW(fallocate(readOnly, 0, 0, 10));
    SHOW(fallocate(open(".", O_RDONLY), 0, 0, 10));
    int ends[2];
    pipe(ends);
    SHOW(fallocate(ends[1], 0, 0, 10));
    close(ends[0]), close(ends[1]), close(readOnly);
    unlink("f");
}

static void vectors(void)
{
    int file = open("v", O_CREAT | O_RDWR | O_TRUNC, 0600);
    struct iovec vector = { "abcdef", 6 };
    SHOW(pwritev2(file, &vector, 1, 0, RWF_DSYNC | RWF_SYNC));
    SHOW(pwritev2(file, &vector, 1, -1, 0));
    SHOW(pwritev2(file, &vector, 1, 2, RWF_APPEND));
    SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(pwritev2(file, &vector, 1, -1, RWF_APPEND));
    SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(pwritev2(file, &vector, 1, 0, 0x10000));
    SHOW(pwritev2(file, &vector, 1, -2, 0));
    vector.iov_base = block;
    SHOW(preadv2(file, &vector, 1, 0, RWF_HIPRI));
    SHOW(preadv2(file, &vector, 1, 0, RWF_NOWAIT));
    SHOW(preadv2(file, &vector, 1, 0, RWF_APPEND));
    SHOW(preadv2(file, &vector, 1, 0, 0x20));
    int appending = open("v", O_WRONLY | O_APPEND);
    vector.iov_base = "xyz";
    SHOW(pwritev2(appending, &vector, 1, 0, 0x20));
    show12(file, 0);
    int ends[2];
    pipe(ends);
    SHOW(preadv2(ends[0], &vector, 1, -1, RWF_NOWAIT));
    SHOW(preadv2(ends[0], &vector, 1, 0, 0));
    SHOW(pwritev2(ends[1], &vector, 1, -1, RWF_NOWAIT));
    SHOW(readahead(file, 0, 100));
    SHOW(readahead(ends[0], 0, 100));
    SHOW(readahead(-1, 0, 100));
    SHOW(readahead(appending, 0, 100));
    SHOW(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED));
    SHOW(posix_fadvise(file, 0, 0, 99));
    SHOW(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL));
    SHOW(posix_fadvise(file, 0, -1, POSIX_FADV_NORMAL));
    SHOW(sync_file_range(file, 0, 10, 8));
    SHOW(sync_file_range(file, 0, 10, 7));
    SHOW(sync_file_range(ends[0], 0, 10, 7));
    close(ends[0]), close(ends[1]), close(file), close(appending);
    unlink("v");
}

static void closing(void)
{
    for (int i = 0; i < 5; i++)
        dup2(1, 20 + i);
    SHOW(close_range(21, 22, CLOSE_RANGE_CLOEXEC));
    SHOW(fcntl(20, F_GETFD));
    SHOW(fcntl(21, F_GETFD));
    SHOW(close_range(23, 22, 0));
    SHOW(close_range(23, 24, 8));
    SHOW(close_range(24, ~0u, 0));
    SHOW(fcntl(24, F_GETFD));
    SHOW(close_range(20, 23, CLOSE_RANGE_UNSHARE));
    SHOW(fcntl(23, F_GETFD));
}

static void handles(void)
{
    close(open("h", O_CREAT | O_RDWR, 0600));
    union { struct file_handle handle; char bytes[200]; } one = { }, two = { };
    int mount, other;
    SHOW(name_to_handle_at(AT_FDCWD, "h", &one.handle, &mount, 0));
    printf("needs some: %d\n", one.handle.handle_bytes > 0);
    one.handle.handle_bytes = 150;
    SHOW(name_to_handle_at(AT_FDCWD, "h", &one.handle, &mount, 0x40));
    SHOW(name_to_handle_at(AT_FDCWD, "absent", &one.handle, &mount, 0));
    one.handle.handle_bytes = 100;
    SHOW(name_to_handle_at(AT_FDCWD, "h", &one.handle, &mount, 0));
    two.handle.handle_bytes = 100;
    SHOW(link("h", "h2"));
    SHOW(name_to_handle_at(AT_FDCWD, "h2", &two.handle, &other, 0));
    printf("same %d %d\n", mount == other, memcmp(&one, &two, 8 + one.handle.handle_bytes));
    int here = open(".", O_RDONLY);
    int file = open_by_handle_at(here, &one.handle, O_RDWR);
    SHOW(file >= 0 ? 0 : -1);
    SHOW(write(file, "by handle", 9));
    unlink("h"), unlink("h2");
    close(file);
    SHOW(open_by_handle_at(here, &one.handle, O_RDWR));
    one.handle.handle_bytes = 200;
    SHOW(open_by_handle_at(here, &one.handle, O_RDWR));
    SHOW(open_by_handle_at(-1, &two.handle, O_RDWR));
    close(here);
}

static void whiteouts(void)
{
    close(open("w", O_CREAT | O_RDWR, 0600));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "w", AT_FDCWD, "moved", 4));
    struct stat status;
    SHOW(lstat("w", &status));
    printf("mode %o device %lx links %ld\n", status.st_mode, (long)status.st_rdev, (long)status.st_nlink);
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "w", AT_FDCWD, "moved", 5));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "w", AT_FDCWD, "moved", 6));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "w", AT_FDCWD, "moved", 8));
    SHOW(open("w", O_RDONLY));
    unlink("w"), unlink("moved");
}

static int lockAs(int file, int command, int type, off_t start, off_t length)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
    return fcntl(file, command, &lock);
}

static void locks(void)
{
    int one = open("l", O_CREAT | O_RDWR, 0600), two = open("l", O_RDWR);
    SHOW(lockAs(one, F_SETLK, F_WRLCK, 0, 10));
    SHOW(lockAs(two, F_SETLK, F_WRLCK, 5, 10));
    SHOW(lockAs(one, F_OFD_SETLK, F_WRLCK, 20, 10));
    SHOW(lockAs(two, F_OFD_SETLK, F_RDLCK, 25, 10));
    SHOW(lockAs(two, F_SETLK, F_WRLCK, 25, 10));
    SHOW(lockAs(one, F_OFD_SETLK, F_RDLCK, 20, 10));
    SHOW(lockAs(two, F_OFD_SETLK, F_RDLCK, 25, 10));
    SHOW(lockAs(two, F_OFD_SETLK, F_UNLCK, 0, 0));
    SHOW(flock(one, LOCK_EX));
    SHOW(flock(two, LOCK_SH | LOCK_NB));
    SHOW(flock(one, LOCK_SH));
    SHOW(flock(two, LOCK_SH | LOCK_NB));
    SHOW(flock(two, LOCK_EX | LOCK_NB));
    SHOW(flock(one, 0));
    SHOW(flock(one, 16));
    int go[2], back[2];
    pipe(go), pipe(back);
    SHOW(lockAs(one, F_SETLK, F_UNLCK, 0, 0));
    SHOW(lockAs(one, F_SETLK, F_WRLCK, 0, 1));
    pid_t child = fork();
    if (child == 0) {
        lockAs(two, F_SETLK, F_WRLCK, 1, 1);
        write(back[1], "x", 1);
        // Waits for the parent's lock, which it never gets before the parent found out.
        int result = lockAs(two, F_SETLKW, F_WRLCK, 0, 1);
        _exit(result == 0 ? 0 : errno);
    }
    read(back[0], block, 1);
    untilAsleep(child);
    SHOW(lockAs(one, F_SETLKW, F_WRLCK, 1, 1));
    SHOW(lockAs(one, F_SETLK, F_UNLCK, 0, 0));
    int status;
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    close(one), close(two);
    close(go[0]), close(go[1]), close(back[0]), close(back[1]);
    unlink("l");
}

static void attributes(void)
{
    close(open("x", O_CREAT | O_RDWR, 0600));
    symlink("x", "xl");
    mkfifo("xf", 0600);
    SHOW(setxattr("x", "user.a", "1", 1, XATTR_REPLACE));
    SHOW(setxattr("x", "user.a", "1", 1, XATTR_CREATE));
    SHOW(setxattr("x", "user.a", "2", 1, XATTR_CREATE));
    SHOW(setxattr("x", "user.a", "2", 1, 3));
    SHOW(setxattr("x", "user.", "2", 1, 0));
    SHOW(setxattr("x", "", "2", 1, 0));
    SHOW(setxattr("x", "other.a", "2", 1, 0));
    SHOW(setxattr("x", "user.big", block, 70000, 0));
    SHOW(setxattr("x", "trusted.t", "3", 1, 0));
    SHOW(setxattr("x", "security.s", "4", 1, 0));
    SHOW(setxattr("x", "system.posix_acl_access", "5", 1, 0));
    SHOW(getxattr("x", "system.posix_acl_access", block, 10));
    SHOW(getxattr("x", "system.other", block, 10));
    SHOW(lsetxattr("xl", "user.a", "1", 1, 0));
    SHOW(lsetxattr("xl", "trusted.a", "1", 1, 0));
    SHOW(lgetxattr("xl", "user.a", block, 10));
    SHOW(setxattr("xf", "user.a", "1", 1, 0));
    SHOW(getxattr("x", "user.a", block, 0));
    SHOW(getxattr("x", "user.none", block, 0));
    SHOW(setxattr("x", "user.long", "12345", 5, 0));
    SHOW(getxattr("x", "user.long", block, 2));
    SHOW(listxattr("x", block, 0) > 0);
    SHOW(listxattr("x", block, 3));
    SHOW(removexattr("x", "user.none"));
    SHOW(removexattr("x", "user.long"));
    unlink("x"), unlink("xl"), unlink("xf");
}

static void resolving(void)
{
    mkdir("r", 0700), mkdir("r/in", 0700);
    close(open("r/in/file", O_CREAT | O_RDWR, 0600));
    symlink("in/file", "r/link"), symlink("../..", "r/in/up"), symlink("/", "r/root"), symlink("/in/file", "r/absolute");
    int base = open("r", O_PATH);
    static const struct { const char *path; unsigned long flags, resolve; } cases[] = {
        { "in/file", O_RDONLY, 0 }, { "link", O_RDONLY, RESOLVE_NO_SYMLINKS }, { "in/../in/file", O_RDONLY, RESOLVE_BENEATH },
        { "../r/in/file", O_RDONLY, RESOLVE_BENEATH }, { "in/up/r", O_RDONLY, RESOLVE_BENEATH }, { "root", O_RDONLY, RESOLVE_BENEATH },
        { "absolute", O_RDONLY, RESOLVE_IN_ROOT }, { "/in/file", O_RDONLY, RESOLVE_IN_ROOT }, { "../../../in/file", O_RDONLY, RESOLVE_IN_ROOT },
        { "absolute", O_RDONLY, 0 }, { "root/proc", O_RDONLY, RESOLVE_NO_XDEV }, { "/proc/self/fd/0", O_RDONLY, RESOLVE_NO_MAGICLINKS },
        { "in", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT }, { "in", O_RDONLY, 0x40 }, { "in", 0x80000000000UL, 0 }, { "in/file", O_RDONLY, RESOLVE_CACHED },
        { "in/new", O_CREAT | O_RDWR, RESOLVE_BENEATH }, { "in", O_PATH | O_RDWR, 0 }, { "in/file", O_RDONLY | O_DIRECTORY, 0 },
        { "in/none", O_CREAT | O_RDWR, RESOLVE_CACHED }, { "/in", O_RDONLY, RESOLVE_BENEATH },
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct open_how how = { .flags = cases[i].flags, .resolve = cases[i].resolve, .mode = cases[i].flags & O_CREAT ? 0600 : 0 };
        long result = syscall(SYS_openat2, base, cases[i].path, &how, sizeof how);
        show(cases[i].path, result >= 0 ? 0 : -1);
        close(result);
    }
    struct { struct open_how how; long more; } bigger = { { .flags = O_RDONLY }, 0 };
    SHOW(syscall(SYS_openat2, base, "in", &bigger, sizeof bigger) >= 0 ? 0 : -1);
    bigger.more = 1;
    SHOW(syscall(SYS_openat2, base, "in", &bigger, sizeof bigger));
    SHOW(syscall(SYS_openat2, base, "in", &bigger, 20));
    SHOW(faccessat(base, "", R_OK, AT_EMPTY_PATH));
    SHOW(fchmod(base, 0700));
    SHOW(fchdir(base));
    SHOW(chdir(".."));
    SHOW(read(base, block, 1));
    SHOW(ioctl(base, FIONREAD, block));
    SHOW(fcntl(base, F_GETFL) == (O_PATH));
    int file = open("r/in/file", O_PATH);
    SHOW(linkat(file, "", AT_FDCWD, "r/linked", AT_EMPTY_PATH));
    SHOW(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0) == MAP_FAILED ? -1 : 0);
    int temporary = open("r", O_TMPFILE | O_RDWR | O_EXCL, 0600);
    SHOW(linkat(temporary, "", AT_FDCWD, "r/never", AT_EMPTY_PATH));
    close(temporary);
    SHOW(open("r", O_TMPFILE | O_RDONLY, 0600));
    SHOW(open("r/in/file", O_TMPFILE | O_RDWR, 0600));
    close(base), close(file);
    system("rm -r r");
}

static void splicing(void)
{
    int one[2], two[2];
    pipe2(one, O_NONBLOCK), pipe2(two, O_NONBLOCK);
    int file = open("s", O_CREAT | O_RDWR | O_TRUNC, 0600);
    for (int i = 0; i < 20000; i++)
        block[i] = 'a' + i % 26;
    write(file, block, 20000);
    off_t at = 100;
    SHOW(splice(file, &at, one[1], NULL, 5000, 0));
    printf("at %ld\n", (long)at);
    int held;
    SHOW(ioctl(one[0], FIONREAD, &held)), printf("held %d\n", held);
    SHOW(tee(one[0], two[1], 3000, 0));
    SHOW(splice(one[0], NULL, two[1], NULL, 100, SPLICE_F_MOVE));
    SHOW(read(two[0], block, 10000));
    show("first", block[0]), show("behind", block[3000]);
    SHOW(splice(one[0], NULL, file, &(off_t){ 0 }, 10, 0));
    SHOW(splice(one[0], NULL, file, NULL, 10, 0));
    SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(splice(one[0], &at, file, NULL, 10, 0));
    SHOW(splice(file, NULL, file, NULL, 10, 0));
    SHOW(splice(one[0], NULL, one[1], NULL, 10, 0));
    SHOW(tee(one[0], one[1], 10, 0));
    SHOW(tee(file, one[1], 10, 0));
    SHOW(splice(one[1], NULL, file, NULL, 10, 0));
    SHOW(splice(one[0], NULL, file, NULL, 10, 32));
    SHOW(splice(one[0], NULL, file, NULL, 0, 0));
    SHOW(splice(file, &(off_t){ 1000000 }, one[1], NULL, 10, 0));
    SHOW(splice(file, &(off_t){ -5 }, one[1], NULL, 10, 0));
    SHOW(read(one[0], block, 10000));
    SHOW(splice(one[0], NULL, two[1], NULL, 10, 0));
    // How many places small pieces take.
    long count = 0;
    while (splice(file, &(off_t){ 4000 }, one[1], NULL, 200, 0) > 0)
        count++;
    printf("pieces %ld, then %s\n", count, strerrorname_np(errno));
    SHOW(write(one[1], "x", 1));
    SHOW(splice(one[0], NULL, two[1], NULL, 1000, 0));
    SHOW(write(one[1], "x", 1));
    struct iovec vector = { block + 4000, 9000 };
    SHOW(vmsplice(two[1], &vector, 1, 0));
    SHOW(read(two[0], block + 20000, 20000));
    SHOW(vmsplice(two[0], &vector, 1, SPLICE_F_NONBLOCK));
    SHOW(vmsplice(file, &vector, 1, 0));
    SHOW(vmsplice(two[1], &vector, 0, 0));
    SHOW(vmsplice(-1, &vector, 1, 0));
    close(two[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(splice(file, &(off_t){ 0 }, two[1], NULL, 10, 0));
    SHOW(sendfile(two[1], file, &(off_t){ 0 }, 10));
    SHOW(tee(one[0], two[1], 10, 0));
    int appending = open("s", O_WRONLY | O_APPEND);
    SHOW(splice(one[0], NULL, appending, NULL, 10, 0));
    SHOW(sendfile(appending, file, NULL, 10));
    SHOW(copy_file_range(file, NULL, appending, NULL, 10, 0));
    SHOW(copy_file_range(file, NULL, file, &(off_t){ 5 }, 10, 0));
    SHOW(copy_file_range(file, NULL, file, &(off_t){ 30000 }, 10, 1));
    SHOW(copy_file_range(file, &(off_t){ 0 }, file, &(off_t){ 30000 }, 10, 0));
    SHOW(copy_file_range(one[0], NULL, file, NULL, 10, 0));
    SHOW(copy_file_range(open(".", O_RDONLY), NULL, file, NULL, 10, 0));
    SHOW(sendfile(file, one[0], NULL, 10));
    SHOW(sendfile(file, one[0], &(off_t){ 0 }, 10));
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    SHOW(sendfile(pair[0], file, &(off_t){ 50 }, 3000));
    SHOW(splice(pair[1], NULL, one[1], NULL, 100, 0));
    SHOW(read(one[0], block, 50));
    while (read(one[0], block, 60000) > 0)
        ;
    SHOW(splice(pair[1], NULL, one[1], NULL, 100, 0));
    SHOW(splice(one[0], NULL, pair[1], NULL, 100, 0));
    SHOW(recv(pair[0], block, 1000, MSG_DONTWAIT));
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    SHOW(splice(zero, NULL, one[1], NULL, 10000, 0));
    SHOW(splice(one[0], NULL, null, NULL, 6000, 0));
    SHOW(ioctl(one[0], FIONREAD, &held)), printf("held %d\n", held);
    for (int fd = 3; fd < 25; fd++)
        close(fd);
    unlink("s");
}

int main(void)
{
    seals();
    int file = memfd_create("ranges", 0);
    rangesOf(file);
    rangesOf(open("f", O_CREAT | O_RDWR | O_TRUNC, 0600));
    collapse();
    vectors();
    closing();
    handles();
    whiteouts();
    locks();
    attributes();
    resolving();
    splicing();
    return 0;
}
