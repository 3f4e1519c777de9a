// Files and directories: creation, links, renames, permissions, sparse files, offsets shared and not, times, errors.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "check.h"

static char text[1 << 16];

static void list(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    printf("%s:", path);
    for (int i = 0; i < count; i++)
        printf(" %s/%d", entries[i]->d_name, entries[i]->d_type);
    printf("\n");
}

static void describe(const char *path)
{
    struct stat info;
    if (lstat(path, &info) < 0) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    printf("%s: mode %o links %lu size %ld\n", path, info.st_mode, S_ISDIR(info.st_mode) ? 0 : (long)info.st_nlink, S_ISDIR(info.st_mode) ? 0 : (long)info.st_size);
}

static void opening(void)
{
    SHOW(open("f", O_RDONLY));
    SHOW(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
    SHOW(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
    SHOW(write(3, "0123456789", 10));
    int copy = dup(3), other = open("f", O_RDWR | O_APPEND);
    SHOW(lseek(copy, 3, SEEK_SET));
    SHOW(read(3, text, 2));
    SHOW(lseek(copy, 0, SEEK_CUR));
    SHOW(lseek(other, 0, SEEK_CUR));
    SHOW(write(other, "AB", 2));
    SHOW(lseek(other, 0, SEEK_CUR));
    SHOW(pwrite(3, "xyz", 3, 20));
    SHOW(pread(3, text, 100, 0));
    for (int i = 0; i < 23; i++)
        printf("%02x", (unsigned char)text[i]);
    printf("\n");
    SHOW(lseek(3, -1, SEEK_SET));
    SHOW(lseek(3, -5, SEEK_END));
    SHOW(lseek(3, 0, 99));
    SHOW(ftruncate(3, 5));
    SHOW(ftruncate(3, -1));
    describe("f");
    SHOW(ftruncate(3, 1 << 20));
    SHOW(pwrite(3, "end", 3, 1 << 20));
    describe("f");
    SHOW(lseek(3, 0, SEEK_DATA) >= 0);
    SHOW(open("f/x", O_RDONLY));
    SHOW(open("f", O_RDONLY | O_DIRECTORY));
    SHOW(open(".", O_RDWR));
    SHOW(open(".", O_WRONLY | O_CREAT, 0600));
    SHOW(open("", O_RDONLY));
    SHOW(open((char *)1, O_RDONLY));
    SHOW(read(open("f", O_WRONLY), text, 1));
    SHOW(write(open("f", O_RDONLY), text, 1));
    SHOW(read(open(".", O_RDONLY), text, 1));
    SHOW(fcntl(other, F_GETFL) & (O_ACCMODE | O_APPEND));
    SHOW(fcntl(other, F_DUPFD_CLOEXEC, 50));
    SHOW(fcntl(50, F_GETFD));
    SHOW(dup2(50, 50));
    SHOW(dup3(50, 50, 0));
    SHOW(dup2(50, 5000000));
    SHOW(close(4711));
    int path = open("f", O_PATH);
    SHOW(read(path, text, 1));
    struct stat info;
    SHOW(fstat(path, &info));
    char name[300];
    memset(name, 'n', 256);
    name[256] = 0;
    SHOW(open(name, O_CREAT | O_RDWR, 0600));
    closefrom(3);
}

static void names(void)
{
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d", 0755));
    SHOW(mkdir("d/e/f", 0755));
    SHOW(symlink("../f", "d/link"));
    SHOW(symlink("loop2", "loop1"));
    SHOW(symlink("loop1", "loop2"));
    SHOW(open("loop1", O_RDONLY));
    SHOW(open("d/link", O_RDONLY | O_NOFOLLOW));
    SHOW(readlink("d/link", text, 3));
    SHOW(readlink("f", text, 3));
    SHOW(link("f", "d/hard"));
    SHOW(link("d", "e"));
    SHOW(link("f", "d/hard"));
    describe("f");
    describe("d/hard");
    describe("d/link");
    list("d");
    SHOW(rename("d/hard", "f"));
    SHOW(rename("f", "d"));
    SHOW(rename("d", "f"));
    SHOW(rename("d", "d/inside"));
    SHOW(rename("missing", "x"));
    SHOW(mkdir("d2", 0700));
    SHOW(rename("d", "d2"));
    list("d2");
    list(".");
    SHOW(renameat2(AT_FDCWD, "f", AT_FDCWD, "d2", RENAME_NOREPLACE));
    SHOW(renameat2(AT_FDCWD, "f", AT_FDCWD, "d2", RENAME_EXCHANGE));
    list(".");
    SHOW(renameat2(AT_FDCWD, "f", AT_FDCWD, "d2", RENAME_EXCHANGE));
    SHOW(rmdir("d2"));
    SHOW(rmdir("f"));
    SHOW(unlink("d2"));
    SHOW(rmdir("."));
    SHOW(unlink("d2/link/"));
    SHOW(unlink("loop1"));
    SHOW(unlink("missing"));
    SHOW(access("f", R_OK | W_OK));
    SHOW(access("f", X_OK));
    SHOW(chmod("f", 04751));
    describe("f");
    SHOW(umask(027) >= 0);
    close(open("masked", O_CREAT | O_WRONLY, 0777));
    describe("masked");
    SHOW(mkfifo("pipe", 0666));
    describe("pipe");
    SHOW(mknod("device", S_IFCHR | 0600, makedev(1, 3)) <= 0);
    struct timespec times[2] = { { 1000000000, 123456789 }, { 1234567890, 987654321 } };
    SHOW(utimensat(AT_FDCWD, "f", times, 0));
    struct stat info;
    SHOW(stat("f", &info));
    printf("%ld.%09ld %ld.%09ld\n", info.st_atim.tv_sec, info.st_atim.tv_nsec, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    struct statx more;
    SHOW(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &more));
    printf("statx %llu %o\n", more.stx_size, more.stx_mode);
    SHOW(chdir("d2"));
    SHOW(getcwd(text, 2) != NULL);
    SHOW(strcmp(strrchr(getcwd(text, sizeof text), '/'), "/d2"));
    SHOW(chdir("../f"));
    SHOW(chdir(".."));
    int gone = open("gone", O_RDWR | O_CREAT, 0600);
    SHOW(unlink("gone"));
    SHOW(write(gone, "still", 5));
    SHOW(fstat(gone, &info));
    printf("links %ld size %ld\n", (long)info.st_nlink, (long)info.st_size);
    char target[64];
    snprintf(target, sizeof target, "/proc/self/fd/%d", gone);
    long length = readlink(target, text, sizeof text);
    printf("%d\n", length > 10 && memcmp(text + length - 10, " (deleted)", 10) == 0);
    SHOW(open(target, O_RDONLY) >= 0);
}

static void locks(void)
{
    int one = open("lock", O_RDWR | O_CREAT, 0600), two = open("lock", O_RDWR);
    SHOW(flock(one, LOCK_EX));
    SHOW(flock(two, LOCK_EX | LOCK_NB));
    SHOW(flock(one, LOCK_UN));
    SHOW(flock(two, LOCK_SH | LOCK_NB));
    struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
    SHOW(fcntl(one, F_SETLK, &range));
    int ready[2];
    char byte;
    if (pipe(ready))
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        struct flock probe = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
        SHOW(fcntl(two, F_GETLK, &probe));
        printf("type %d start %ld length %ld parent %d\n", probe.l_type, probe.l_start, probe.l_len, probe.l_pid == getppid());
        SHOW(fcntl(two, F_SETLK, &(struct flock){ .l_type = F_RDLCK, .l_start = 15, .l_len = 1 }));
        SHOW(fcntl(two, F_SETLK, &(struct flock){ .l_type = F_WRLCK, .l_start = 20, .l_len = 1 }));
        if (write(ready[1], "r", 1) != 1)
            _exit(1);
        SHOW(fcntl(two, F_SETLKW, &(struct flock){ .l_type = F_WRLCK, .l_start = 12, .l_len = 1 }));
        _exit(0);
    }
    // From here the child alone prints, so that no schedule shows.
    if (read(ready[0], &byte, 1) != 1)
        die("read");
    range.l_type = F_UNLCK;
    if (fcntl(one, F_SETLK, &range))
        die("fcntl");
    wait(NULL);
}

int main(void)
{
    char directory[] = "/tmp/files-XXXXXX";
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    if (!mkdtemp(directory) || chdir(directory))
        die("mkdtemp");
    opening();
    names();
    locks();
    char command[64];
    snprintf(command, sizeof command, "cd / && rm -rf %s", directory);
    return system(command);
}
