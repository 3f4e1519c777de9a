// Landlock (landlock(7)): what a program gives up, and that it is gone, for what it starts, too. The interface's version 7.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
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

#define BIND_TCP (1ULL << 0)
#define CONNECT_TCP (1ULL << 1)
#define IOCTL_DEV (1ULL << 15)
#define SCOPE_ABSTRACT (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

static int full_ruleset(uint64_t files, uint64_t ports, uint64_t scopes)
{
    uint64_t attributes[3] = { files, ports, scopes };
    return syscall(444, attributes, sizeof attributes, 0);
}

static int allow_port(int set, uint64_t rights, uint64_t port)
{
    uint64_t rule[2] = { rights, port };
    return syscall(445, set, 2, rule, 0);
}

static struct sockaddr_in internet(int port) { return (struct sockaddr_in){ AF_INET, htons(port), { htonl(INADDR_LOOPBACK) } }; }

static void port_mistakes(void)
{
    uint64_t words[5] = { 0, 1, 0, 0, 1 };
    int set;
    tell("ports alone", syscall(444, words, 16, 0));
    tell("with scopes", syscall(444, words, 24, 0));
    tell("more that is nothing", syscall(444, words, 32, 0));
    tell("more than is known", syscall(444, words, 40, 0));
    tell("unknown port right", full_ruleset(0, 4, 0));
    tell("unknown scope", full_ruleset(0, 0, 4));
    tell("corrections of something", syscall(444, words, 8, 2));
    tell("set", set = full_ruleset(IOCTL_DEV, BIND_TCP, SCOPE_SIGNAL));
    tell("no right", allow_port(set, 0, 80));
    tell("not handled", allow_port(set, CONNECT_TCP, 80));
    tell("no port", allow_port(set, BIND_TCP, 65536));
    tell("a port", allow_port(set, BIND_TCP, 65535));
    tell("bad address", syscall(445, set, 2, 8L, 0));
    tell("nothing logged", syscall(446, -1, 4));
    tell("no set", syscall(446, -1, 0));
    tell("no set, nothing of what it executes", syscall(446, -1, 1));
    tell("logs", syscall(446, set, 3));
}

static void try_port(const char *what, int kind, int family, int port, int connects, socklen_t length)
{
    int fd = socket(family == AF_INET6 ? AF_INET6 : AF_INET, kind, 0), result;
    struct sockaddr_in at = internet(port);
    struct sockaddr_in6 at6 = { AF_INET6, htons(port), 0, IN6ADDR_LOOPBACK_INIT, 0 };
    void *to = family == AF_INET6 ? (void *)&at6 : &at;
    at.sin_family = family;
    result = connects ? connect(fd, to, length) : bind(fd, to, length);
    tell(what, result);
    close(fd);
}

static void ports(void)
{
    struct sockaddr_in at = internet(0);
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (void *)&at, sizeof at);
    listen(listener, 5);
    getsockname(listener, (void *)&at, &length);
    int port = ntohs(at.sin_port), set = full_ruleset(0, BIND_TCP | CONNECT_TCP, 0);
    tell("allow connecting", allow_port(set, CONNECT_TCP, port));
    tell("allow any port", allow_port(set, BIND_TCP, 0));
    tell("restrict", syscall(446, set, 0));
    try_port("connect", SOCK_STREAM, AF_INET, port, 1, sizeof at);
    try_port("connect elsewhere", SOCK_STREAM, AF_INET, port - 1, 1, sizeof at);
    try_port("connect to nothing", SOCK_STREAM, AF_UNSPEC, port - 1, 1, sizeof at);
    try_port("connect, short", SOCK_STREAM, AF_INET, port, 1, 8);
    try_port("connect, shorter", SOCK_STREAM, AF_INET, port, 1, 1);
    try_port("connect as another family", SOCK_STREAM, AF_UNIX, port, 1, sizeof at);
    try_port("bind", SOCK_STREAM, AF_INET, 0, 0, sizeof at);
    try_port("bind elsewhere", SOCK_STREAM, AF_INET, port + 7, 0, sizeof at);
    try_port("bind 6", SOCK_STREAM, AF_INET6, 0, 0, sizeof(struct sockaddr_in6));
    try_port("bind 6 elsewhere", SOCK_STREAM, AF_INET6, port + 7, 0, sizeof(struct sockaddr_in6));
    try_port("bind unspecified", SOCK_STREAM, AF_UNSPEC, 0, 0, sizeof at);
    try_port("datagrams", SOCK_DGRAM, AF_INET, port - 1, 1, sizeof at);
    try_port("datagrams bind", SOCK_DGRAM, AF_INET, port, 0, sizeof at);
    // Nothing of files was given up: they can be mounted on, and moved.
    tell("rename", rename("in/a", "out/moved"));
    tell("back", rename("out/moved", "in/a"));
    set = full_ruleset(0, BIND_TCP, 0);
    tell("restrict more", syscall(446, set, 0));
    try_port("connect", SOCK_STREAM, AF_INET, port, 1, sizeof at);
    try_port("bind", SOCK_STREAM, AF_INET, 0, 0, sizeof at);
}

static void devices(void)
{
    int zero = open("/dev/zero", O_RDONLY), set = full_ruleset(IOCTL_DEV, 0, 0), no = 0, value;
    long size;
    struct termios settings;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    tell("restrict", syscall(446, set, 0));
    tell("settings of what was open", tcgetattr(master, &settings));
    tell("zero that was open", ioctl(zero, TCGETS, &settings));
    zero = open("/dev/zero", O_RDONLY);
    tell("zero", ioctl(zero, TCGETS, &settings));
    tell("FIONREAD", ioctl(zero, FIONREAD, &value));
    tell("FIONBIO", ioctl(zero, FIONBIO, &no));
    tell("FIOCLEX", ioctl(zero, FIOCLEX));
    tell("FIONCLEX", ioctl(zero, FIONCLEX));
    tell("FIGETBSZ", ioctl(zero, FIGETBSZ, &value));
    tell("FS_IOC_GETFLAGS", ioctl(zero, FS_IOC_GETFLAGS, &size));
    tell("of a file", ioctl(open("in/a", O_RDONLY), FIONREAD, &value));
    int ends[2];
    pipe(ends);
    tell("of a pipe", ioctl(ends[0], FIONREAD, &value));
}

// An abstract socket inside, and one outside, of the domain.
static void scopes(void)
{
    struct sockaddr_un outer = { AF_UNIX, "" }, inner = { AF_UNIX, "" };
    char names[2][32];
    int to[2], kinds[] = { SOCK_STREAM, SOCK_DGRAM };
    for (int i = 0; i < 2; i++) {
        sprintf(names[0], "outer %d", getpid());
        strcpy(outer.sun_path + 1, names[0]);
        int server = socket(AF_UNIX, kinds[i], 0);
        bind(server, (void *)&outer, sizeof outer);
        if (i == 0)
            listen(server, 5);
        int before = socket(AF_UNIX, kinds[i], 0), peer = socket(AF_UNIX, kinds[i], 0);
        if (i == 1)
            connect(peer, (void *)&outer, sizeof outer);
        fflush(stdout);
        pipe(to);
        if (fork() == 0) {
            tell("restrict", syscall(446, full_ruleset(0, 0, SCOPE_ABSTRACT | SCOPE_SIGNAL), 0));
            tell("connect outside", connect(before, (void *)&outer, sizeof outer));
            tell("send outside", sendto(before, "x", 1, 0, (void *)&outer, sizeof outer));
            tell("send to a peer", send(peer, "x", 1, MSG_NOSIGNAL));
            strcpy(inner.sun_path + 1, "inner");
            int own = socket(AF_UNIX, kinds[i], 0);
            tell("bind", bind(own, (void *)&inner, sizeof inner));
            if (i == 0)
                listen(own, 5);
            fflush(stdout);
            if (fork() == 0) {
                tell("connect inside", connect(socket(AF_UNIX, kinds[i], 0), (void *)&inner, sizeof inner));
                tell("signal inside", kill(getppid(), 0));
                tell("signal outside", kill(getpgid(getppid()), 0));
                tell("restrict more", syscall(446, full_ruleset(0, 0, SCOPE_SIGNAL), 0));
                tell("signal above", kill(getppid(), 0));
                tell("connect above", connect(socket(AF_UNIX, kinds[i], 0), (void *)&inner, sizeof inner));
                tell("signal oneself", kill(getpid(), 0));
                tell("trace above", ptrace(PTRACE_SEIZE, getppid(), 0, 0) == -1 && errno == EPERM ? 0 : -1);
                _exit(0);
            }
            wait(NULL);
            tell("signal outside", kill(getppid(), 0));
            tell("the group", kill(0, 0));
            tell("continue outside", kill(getppid(), SIGCONT));
            _exit(0);
        }
        wait(NULL);
        close(server);
        close(before);
        close(peer);
    }
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
    run(port_mistakes);
    run(ports);
    run(devices);
    run(scopes);
    return 0;
}
