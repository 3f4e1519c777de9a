// Landlock (landlock(7)): what a program gives up, and that it is gone, for what it starts, too. Rights of the interface's version 3.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRUNCATE (1ULL << 14)
#define REFER (1ULL << 13)
#define ALL ((1ULL << 15) - 1)
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static const char *name(int error) { return error ? strerrorname_np(error) : "ok"; }

static void tell(const char *what, long result) { printf("%s: %s\n", what, result < 0 ? name(errno) : "ok"); }

static int ruleset(uint64_t handled) { return syscall(444, &handled, sizeof handled, 0); }

static int allow(int set, const char *path, uint64_t rights)
{
    struct __attribute__((packed)) { uint64_t rights; int32_t fd; } rule = { rights, open(path, O_PATH | O_CLOEXEC) };
    int result = syscall(445, set, 1, &rule, 0), error = errno;
    close(rule.fd);
    errno = error;
    return result;
}

static void try_open(const char *path, int flags)
{
    char what[64];
    snprintf(what, sizeof what, "open %s %o", path, flags);
    int fd = open(path, flags, 0644);
    tell(what, fd);
    close(fd);
}

static void mistakes(void)
{
    uint64_t words[2] = { 1, 1 };
    int file = open("in/a", O_RDONLY), set;
    tell("version", syscall(444, NULL, 0, 1));
    tell("version of something", syscall(444, words, 8, 1));
    tell("no attributes", syscall(444, NULL, 8, 0));
    tell("short", syscall(444, words, 4, 0));
    tell("empty", ruleset(0));
    tell("unknown", ruleset(1ULL << 62));
    tell("bad address", syscall(444, 8L, 8, 0));
    tell("huge", syscall(444, words, 5000, 0));
    tell("set", set = ruleset(READ));
    tell("flags", syscall(445, set, 1, words, 1));
    tell("not a descriptor", syscall(445, 99, 1, words, 0));
    tell("not a set", syscall(445, file, 1, words, 0));
    tell("unknown type", syscall(445, set, 99, words, 0));
    tell("bad address", syscall(445, set, 1, 8L, 0));
    tell("nothing allowed", allow(set, "in", 0));
    tell("not handled", allow(set, "in", LANDLOCK_ACCESS_FS_MAKE_REG));
    tell("no such file", allow(set, "nowhere", READ));
    tell("directory rights for a file", allow(set, "in/a", READ));
    tell("a set as a place", ({ struct __attribute__((packed)) { uint64_t r; int32_t f; } rule = { READ, set }; syscall(445, set, 1, &rule, 0); }));
    int ends[2];
    pipe(ends);
    tell("a pipe as a place", ({ struct __attribute__((packed)) { uint64_t r; int32_t f; } rule = { LANDLOCK_ACCESS_FS_READ_FILE, ends[0] }; syscall(445, set, 1, &rule, 0); }));
    tell("restrict by no descriptor", syscall(446, 99, 0));
    tell("restrict by no set", syscall(446, file, 0));
    tell("restrict with flags", syscall(446, set, 1 << 20));
    close(file);
    close(set);
    close(ends[0]);
    close(ends[1]);
}

static void files(void)
{
    int before = open("out/b", O_RDWR), ends[2], set = ruleset(ALL);
    tell("allow all in", allow(set, "in", ALL & ~(TRUNCATE | REFER)));
    tell("allow reading ro", allow(set, "ro", READ));
    tell("allow the file", allow(set, "out/b", LANDLOCK_ACCESS_FS_READ_FILE));
    tell("restrict", syscall(446, set, 0));
    try_open("in/a", O_RDWR);
    try_open("in/a", O_RDWR | O_TRUNC);
    try_open("in/new", O_RDWR | O_CREAT);
    try_open("in", O_RDONLY | O_DIRECTORY);
    try_open("ro/c", O_RDONLY);
    try_open("ro/c", O_RDWR);
    try_open("ro/new", O_RDWR | O_CREAT);
    try_open("ro", O_RDONLY | O_TMPFILE | O_RDWR);
    try_open("in", O_TMPFILE | O_RDWR);
    try_open("out/b", O_RDONLY);
    try_open("out/b", O_RDWR);
    try_open("out", O_RDONLY);
    try_open("out", O_PATH);
    try_open("/", O_RDONLY);
    tell("stat", ({ struct stat s; stat("out/b", &s); }));
    tell("write what was open", write(before, "x", 1));
    tell("truncate what was open", ftruncate(before, 1));
    int now = open("in/a", O_RDWR);
    tell("truncate what is opened now", ftruncate(now, 1));
    tell("truncate by name", truncate("in/a", 1));
    tell("mkdir in", mkdir("in/d", 0755));
    tell("mkdir ro", mkdir("ro/d", 0755));
    tell("mkdir there", mkdir("in/d", 0755));
    tell("fifo in", mkfifo("in/f", 0644));
    tell("fifo ro", mkfifo("ro/f", 0644));
    tell("symlink in", symlink("x", "in/s"));
    tell("symlink ro", symlink("x", "ro/s"));
    struct sockaddr_un at = { AF_UNIX, "ro/sock" };
    tell("bind ro", bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&at, sizeof at));
    strcpy(at.sun_path, "in/sock");
    tell("bind in", bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&at, sizeof at));
    tell("unlink ro", unlink("ro/c"));
    tell("unlink in", unlink("in/new"));
    tell("rmdir in", rmdir("in/d"));
    tell("rmdir ro", rmdir("ro/e"));
    tell("rename in", rename("in/s", "in/t"));
    tell("rename ro", rename("ro/c", "ro/d"));
    tell("rename from in to in/sub", rename("in/t", "in/sub/t"));
    tell("rename from ro to in", rename("ro/c", "in/c"));
    tell("rename from in to ro", rename("in/t", "ro/t"));
    tell("link in", link("in/a", "in/l"));
    tell("link in to in/sub", link("in/a", "in/sub/l"));
    tell("mount", mount("none", "in/sub", "tmpfs", 0, NULL));
    tell("umount", umount("in/sub"));
    tell("chmod", chmod("ro/c", 0600));
    tell("exec", execl("/bin/true", "true", NULL));
    pipe(ends);
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    tell("a pipe by name", open(path, O_RDONLY | O_NONBLOCK));
    int memory = memfd_create("m", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    tell("memory by name", open(path, O_RDWR));
    if (fork() == 0) {
        try_open("out/b", O_RDWR);
        exit(0);
    }
    wait(NULL);
    set = ruleset(LANDLOCK_ACCESS_FS_READ_FILE);
    tell("allow ro alone", allow(set, "ro", LANDLOCK_ACCESS_FS_READ_FILE));
    tell("restrict more", syscall(446, set, 0));
    try_open("in/a", O_RDONLY);
    try_open("in/a", O_WRONLY);
    try_open("ro/c", O_RDONLY);
    int layers = 2;
    while (syscall(446, set, 0) == 0)
        layers++;
    printf("%d layers, then %s\n", layers, name(errno));
}

static void references(void)
{
    int set = ruleset(REFER | TRUNCATE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE);
    uint64_t both = REFER | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
    allow(set, "in", both);
    allow(set, "out", both);
    allow(set, "ro", REFER);
    allow(set, "more", both | LANDLOCK_ACCESS_FS_EXECUTE);
    tell("restrict", syscall(446, set, 0));
    tell("truncate", truncate("in/a", 0));
    tell("move in to out", rename("in/a", "out/a"));
    tell("move back", rename("out/a", "in/a"));
    tell("link in to out", link("in/a", "out/l"));
    tell("to where more is allowed", rename("in/a", "more/a"));
    tell("link to where more is allowed", link("in/a", "more/l"));
    tell("from where more is allowed", rename("more/x", "in/x"));
    tell("to where nothing may be made", rename("in/x", "ro/x"));
    tell("to nowhere", rename("in/x", "else/x"));
    tell("exchange", renameat2(AT_FDCWD, "in/x", AT_FDCWD, "out/b", RENAME_EXCHANGE));
    tell("exchange with more", renameat2(AT_FDCWD, "in/x", AT_FDCWD, "more/y", RENAME_EXCHANGE));
    tell("a directory", rename("in/sub", "out/sub"));
}

static void run(void (*part)(void))
{
    fflush(stdout);
    if (fork() == 0) {
        part();
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

int main(void)
{
    static const char *folders[] = { "in", "in/sub", "out", "ro", "ro/e", "more", "else" };
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < 7; i++)
        mkdir(folders[i], 0755);
    static const char *names[] = { "in/a", "out/b", "ro/c", "more/x", "more/y" };
    for (int i = 0; i < 5; i++)
        close(open(names[i], O_CREAT | O_WRONLY, 0644));
    run(mistakes);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    run(files);
    run(references);
    return 0;
}
