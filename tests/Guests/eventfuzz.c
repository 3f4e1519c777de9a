// Random programs of file and descriptor operations, for comparing what every kind of event says about them with another kernel.
// usage: eventfuzz SEED COUNT [KIND]     runs the programs SEED .. SEED+COUNT-1; prints a digest for each, or all of it when COUNT is 0
// KIND: f only files, d only descriptors; both otherwise. The same seed makes the same program everywhere; nothing in it depends on time.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include "check.h"

enum { Slots = 14, Mixed = 0, FilesOnly = 'f', DescriptorsOnly = 'd' };

static int files[Slots];
static int isQueue[Slots];

// Two queues for all programs, since closing one takes the kernel milliseconds; their watches are numbered from each program's start.
static int queues[2];
static int firstWatch[2];
static int lastWatch[2];
static int kind;
static int isVerbose;
static int isChild;
static uint64_t state;
static uint64_t digest;
static unsigned cookies[64];
static char block[1 << 17];

static uint32_t next(void)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static int below(int limit) { return (int)(next() % (unsigned)limit); }

static void say(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (int i = 0; i < length; i++)
        digest = (digest ^ (unsigned char)text[i]) * 0x100000001b3;
    if (isVerbose)
        fputs(text, stdout);
}

static const char *outcome(long value)
{
    static char text[32];
    if (value >= 0)
        sprintf(text, "%ld", value);
    else
        sprintf(text, "%s", strerrorname_np(errno));
    return text;
}

static int cookieNumber(unsigned cookie)
{
    for (int i = 0; cookie != 0 && i < 64; i++) {
        if (cookies[i] == 0)
            cookies[i] = cookie;
        if (cookies[i] == cookie)
            return i + 1;
    }
    return 0;
}

static void sayRecords(int queue, const char *buffer, long got)
{
    for (const char *at = buffer; at < buffer + got;) {
        const struct inotify_event *event = (const struct inotify_event *)at;
        say("  %d:%x:%d:%s", event->wd - firstWatch[queue], event->mask, cookieNumber(event->cookie), event->len == 0 ? "" : event->name[0] == '#' ? "#" : event->name);
        at += sizeof *event + event->len;
    }
    say("\n");
}

// A slot, most often one in use.
static int some(void)
{
    int slot = below(Slots);
    for (int i = 0; i < 6 && files[slot] < 0; i++)
        slot = below(Slots);
    return slot;
}

// What a directory says to read(2) depends on where its file system lets it stand.
static int isDirectory(int slot)
{
    struct stat status;
    return fstat(files[slot], &status) == 0 && S_ISDIR(status.st_mode);
}

static int put(int slot, int file)
{
    if (file >= 0 && files[slot] >= 0) {
        say("  (closes %d)", slot);
        close(files[slot]);
    }
    if (file >= 0)
        files[slot] = file, isQueue[slot] = 0;
    return file;
}

static const char *name(void)
{
    static char texts[4][32];
    static int last;
    static const char *const folders[] = { "", "", "", "x/", "y/", "x/z/" };
    char *text = texts[last++ & 3];
    sprintf(text, "%s%c", folders[below(6)], "abcxyz"[below(6)]);
    return text;
}

// ---- descriptors ----

static void makeObject(void)
{
    int first = below(Slots), second = below(Slots), ends[2];
    if (second == first)
        second = (first + 1) % Slots;
    switch (below(10)) {
    case 0: case 1:
        say("pipe %d %d", first, second);
        if (pipe2(ends, O_NONBLOCK) == 0)
            put(first, ends[0]), put(second, ends[1]);
        break;
    case 2: case 3: {
        static const int types[] = { SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
        int type = types[below(4)];
        say("socketpair %d %d type %d", first, second, type);
        if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends) == 0)
            put(first, ends[0]), put(second, ends[1]);
        break;
    }
    case 4: case 5: {
        int value = below(3), flags = below(4) == 0 ? EFD_SEMAPHORE : 0;
        say("eventfd %d value %d flags %d", first, value, flags);
        put(first, eventfd(value, EFD_NONBLOCK | flags));
        break;
    }
    case 6: case 7:
        say("epoll %d", first);
        put(first, epoll_create1(0));
        break;
    case 8:
        say("timerfd %d", first);
        put(first, timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
        break;
    default: {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        if (below(2))
            sigaddset(&set, SIGUSR2);
        say("signalfd %d", first);
        put(first, signalfd(-1, &set, SFD_NONBLOCK));
        break;
    }
    }
    say("\n");
}

static void control(void)
{
    static const uint32_t bits[] = { EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLPRI, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE, EPOLLERR, EPOLLHUP };
    static const int operations[] = { EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
    int set = some(), file = some(), operation = operations[below(6)];
    // Sets are rarer than they are wanted here.
    for (int i = 0; i < 4 && epoll_wait(files[set], (struct epoll_event[1]){ }, 0, 0) == -1 && errno != EINVAL; i++)
        set = some();
    struct epoll_event event = { .data.u64 = (uint64_t)file };
    for (int i = 0; i < 2; i++)
        event.events |= bits[below(2)];
    for (int i = below(3); i > 0; i--)
        event.events |= bits[2 + below(7)];
    int result = epoll_ctl(files[set], operation, files[file], &event);
    say("ctl %d op %d %d events %x", set, operation, file, event.events);
    say(" = %s\n", outcome(result));
}

static void waitEvents(void)
{
    struct epoll_event events[8];
    int set = some(), most = 1 + below(8);
    int got = epoll_wait(files[set], events, most, 0);
    if (got == -1 && (errno == EINVAL || errno == EBADF))
        return;
    say("wait %d most %d = %s", set, most, outcome(got));
    for (int i = 0; i < got; i++)
        say("  %d:%x", (int)events[i].data.u64, events[i].events);
    say("\n");
}

static void pollAll(void)
{
    struct pollfd polled[Slots];
    for (int i = 0; i < Slots; i++)
        polled[i] = (struct pollfd){ files[i], POLLIN | POLLOUT | POLLPRI | POLLRDHUP };
    say("poll = %d", poll(polled, Slots, 0));
    for (int i = 0; i < Slots; i++) {
        if (polled[i].revents != 0)
            say("  %d:%x", i, polled[i].revents);
    }
    say("\n");
}

static int size(void)
{
    static const int sizes[] = { 0, 1, 8, 8, 8, 8, 100, 4096, 5000, 70000 };
    return sizes[below(10)];
}

static void transfer(void)
{
    int file = some(), count = size();
    if (isDirectory(file))
        return;
    if (below(2)) {
        if (count == 8)
            *(uint64_t *)block = 1 + below(3);
        long result = write(files[file], block, count);
        say("write %d %d", file, count);
        say(" = %s\n", outcome(result));
        return;
    }
    long result = read(files[file], block, count);
    // What inotify says is of interest, and comes later; a part of it would be lost here.
    say("read %d %d", file, count);
    say(" = %s\n", outcome(result));
    memset(block, 0, 100);
}

static void setTimer(void)
{
    int file = some();
    struct itimerspec value = { .it_value = { 0, below(3) == 0 ? 0 : 1 } };
    int result = timerfd_settime(files[file], 0, &value, NULL);
    if (result == -1)
        return;
    say("timer %d %ld = %s\n", file, value.it_value.tv_nsec, outcome(result));
    struct pollfd polled = { files[file], POLLIN };
    if (value.it_value.tv_nsec != 0)
        poll(&polled, 1, -1);
}

static void duplicate(void)
{
    int from = some(), to = below(Slots);
    if (from == to || files[from] < 0)
        return;
    say("dup %d to %d", from, to);
    int queue = isQueue[from];
    if (put(to, dup(files[from])) >= 0)
        isQueue[to] = queue;
    say("\n");
}

static void closeOne(void)
{
    int file = some();
    if (files[file] < 0)
        return;
    say("close %d", file);
    say(" = %s\n", outcome(close(files[file])));
    files[file] = -1;
}

static void shutDown(void)
{
    int file = some(), how = below(3);
    int result = shutdown(files[file], how);
    if (result == -1 && (errno == ENOTSOCK || errno == EBADF))
        return;
    say("shutdown %d %d = %s\n", file, how, outcome(result));
}

static void sendSignal(void)
{
    int signal = below(2) ? SIGUSR1 : SIGUSR2;
    say("kill %d\n", signal);
    kill(getpid(), signal);
}

// ---- files ----

static void openFile(void)
{
    static const int flags[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_CREAT, O_WRONLY | O_CREAT, O_RDWR | O_CREAT | O_TRUNC, O_WRONLY | O_TRUNC,
        O_RDONLY | O_DIRECTORY, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_APPEND, O_PATH, O_RDONLY | O_NOFOLLOW, O_RDONLY | O_TRUNC, O_TMPFILE | O_RDWR };
    int slot = below(Slots), flag = flags[below(14)];
    const char *path = (flag & O_TMPFILE) == O_TMPFILE ? (below(2) ? "." : "x") : below(12) == 0 ? "." : name();
    int file = open(path, flag | O_NONBLOCK, 0644);
    say("open %d %s %x", slot, path, flag);
    say(" %s", file >= 0 ? "opened" : outcome(file));
    put(slot, file);
    say("\n");
}

static void watch(void)
{
    static const uint32_t masks[] = { IN_ALL_EVENTS, IN_ALL_EVENTS, IN_ALL_EVENTS, IN_ALL_EVENTS | IN_EXCL_UNLINK, IN_MOVE, IN_ATTRIB | IN_MASK_ADD,
        IN_OPEN | IN_CLOSE, IN_MODIFY | IN_ONESHOT, IN_ACCESS | IN_ONLYDIR, IN_DELETE_SELF | IN_MOVE_SELF, IN_CREATE | IN_DELETE | IN_DONT_FOLLOW,
        IN_CREATE | IN_MASK_CREATE, IN_ALL_EVENTS | IN_ONESHOT };
    int queue = below(2), removed = below(20);
    uint32_t mask = masks[below(13)];
    if (removed < 3) {
        say("unwatch %d %d = %s\n", queue, removed + 1, outcome(inotify_rm_watch(files[queue], firstWatch[queue] + removed + 1)));
        return;
    }
    const char *path = below(4) == 0 ? "." : below(3) == 0 ? "x" : name();
    int result = inotify_add_watch(files[queue], path, mask);
    say("watch %d %s %x", queue, path, mask);
    say(" = %s\n", outcome(result > 0 ? result - firstWatch[queue] : result));
    if (result > lastWatch[queue])
        lastWatch[queue] = result;
}

static void takeRecords(int queue)
{
    memset(cookies, 0, sizeof cookies);
    if (!isQueue[queue])
        return;
    long got = read(files[queue], block, below(3) == 0 ? 64 : sizeof block / 2);
    say("records %d = %s", queue, outcome(got));
    sayRecords(queue, block, got);
    memset(block, 0, 100);
}

static void changeNames(void)
{
    const char *path = name(), *other = name();
    int result;
    switch (below(14)) {
    case 0: case 1:
        result = unlink(path);
        say("unlink %s = ", path);
        break;
    case 2: case 3: case 4: case 5:
        result = rename(path, other);
        say("rename %s %s = ", path, other);
        break;
    case 6:
        result = syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, 2);
        say("exchange %s %s = ", path, other);
        break;
    case 7:
        result = syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, 1);
        say("rename new %s %s = ", path, other);
        break;
    case 8: case 9:
        result = link(path, other);
        say("link %s %s = ", path, other);
        break;
    case 10: case 11:
        result = mkdir(path, 0755);
        say("mkdir %s = ", path);
        break;
    case 12:
        result = rmdir(path);
        say("rmdir %s = ", path);
        break;
    default:
        result = below(2) ? symlink(other, path) : mkfifo(path, 0600);
        say("special %s %s = ", path, other);
        break;
    }
    say("%s\n", outcome(result));
}

static void changeFile(void)
{
    const char *path = name();
    int slot = some(), file = files[slot], amount = below(100), result;
    if (isDirectory(slot))
        return;
    struct timespec times[2] = { { 1, below(2) ? 0 : UTIME_OMIT }, { 2, below(2) ? 0 : UTIME_OMIT } };
    switch (below(10)) {
    case 0:
        result = chmod(path, 0600 + amount % 64);
        say("chmod %s = ", path);
        break;
    case 1:
        result = fchmod(file, 0600 + amount % 64);
        say("fchmod %d = ", slot);
        break;
    case 2:
        result = truncate(path, amount);
        say("truncate %s %d = ", path, amount);
        break;
    case 3:
        result = ftruncate(file, amount);
        say("ftruncate %d %d = ", slot, amount);
        break;
    case 4:
        result = fallocate(file, below(2) ? FALLOC_FL_KEEP_SIZE : 0, amount, 50);
        say("fallocate %d = ", slot);
        break;
    case 5:
        result = utimensat(AT_FDCWD, path, times, 0);
        say("utimens %s %ld %ld = ", path, times[0].tv_nsec, times[1].tv_nsec);
        break;
    case 6:
        result = setxattr(path, "user.a", "1", 1, 0);
        say("setxattr %s = ", path);
        break;
    case 7:
        result = pread(file, block, amount, below(50));
        say("pread %d = ", slot);
        break;
    case 8: {
        struct iovec vectors[2] = { { block, amount }, { block + 1000, 10 } };
        result = below(2) ? readv(file, vectors, 2) : writev(file, vectors, 2);
        say("vectors %d = ", slot);
        break;
    }
    default: {
        int out = some();
        int sends = below(2);
        result = sends ? sendfile(files[out], file, NULL, amount) : copy_file_range(file, NULL, files[out], NULL, amount, 0);
        say("%s %d of %d to %d = ", sends ? "send" : "copy", amount, slot, out);
        break;
    }
    }
    say("%s\n", outcome(result));
}

static void listFolder(void)
{
    int slot = some();
    long result = syscall(SYS_getdents64, files[slot], block, 4096);
    if (result == -1 && errno == ENOTDIR)
        return;
    say("list %d = %s\n", slot, outcome(result));
    memset(block, 0, 100);
}

static void rewindFile(void)
{
    int slot = some();
    say("seek %d = %s\n", slot, outcome(lseek(files[slot], 0, SEEK_SET)));
}

// ---- programs ----

static void steps(int count);

static void runChild(void)
{
    if (isChild)
        return;
    say("fork\n");
    fflush(stdout);
    int report[2];
    pipe(report);
    pid_t child = fork();
    if (child == 0) {
        isChild = 1;
        steps(1 + below(8));
        fflush(stdout);
        write(report[1], &digest, sizeof digest);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    read(report[0], &digest, sizeof digest);
    close(report[0]), close(report[1]);
    // The child drew numbers of its own.
    next();
}

static void step(void)
{
    int choice = kind == FilesOnly ? 50 + below(50) : kind == DescriptorsOnly ? below(50) : below(100);
    if (choice < 8) makeObject();
    else if (choice < 18) control();
    else if (choice < 28) waitEvents();
    else if (choice < 30) pollAll();
    else if (choice < 42) transfer();
    else if (choice < 44) setTimer();
    else if (choice < 46) duplicate();
    else if (choice < 47) shutDown();
    else if (choice < 48) sendSignal();
    else if (choice < 50) closeOne();
    else if (choice < 57) openFile();
    else if (choice < 63) watch();
    else if (choice < 67) takeRecords(below(2));
    else if (choice < 79) changeNames();
    else if (choice < 85) changeFile();
    else if (choice < 90) transfer();
    else if (choice < 92) listFolder();
    else if (choice < 94) rewindFile();
    else if (choice < 98) closeOne();
    else if (choice < 99) duplicate();
    else if (below(4) == 0) runChild();
}

static void steps(int count)
{
    while (count-- > 0)
        step();
}

static void empty(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char inner[400];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (unlink(inner) == -1) {
            empty(inner);
            rmdir(inner);
        }
    }
    closedir(directory);
}

static void program(uint64_t seed)
{
    state = seed * 0x9E3779B97F4A7C15 + 1;
    digest = 0xcbf29ce484222325;
    for (int i = 0; i < 8; i++)
        next();
    for (int i = 0; i < Slots; i++)
        files[i] = -1, isQueue[i] = 0;
    if (kind != DescriptorsOnly) {
        for (int i = 0; i < 2; i++) {
            files[i] = fcntl(queues[i], F_DUPFD, 0);
            isQueue[i] = 1;
            inotify_rm_watch(queues[i], firstWatch[i] = lastWatch[i] = inotify_add_watch(queues[i], "/", IN_UNMOUNT));
            read(queues[i], block, sizeof block);
        }
        mkdir("x", 0755);
        close(open("a", O_CREAT | O_WRONLY, 0644));
        inotify_add_watch(files[0], ".", IN_ALL_EVENTS);
    }
    if (kind != FilesOnly)
        files[2] = epoll_create1(0), files[3] = epoll_create1(0), files[4] = eventfd(0, EFD_NONBLOCK);
    steps(10 + below(50));
    for (int queue = 0; queue < 2; queue++)
        takeRecords(queue);
    for (int i = 0; i < Slots; i++) {
        if (files[i] >= 0)
            close(files[i]);
    }
    for (int i = 0; i < 2 && kind != DescriptorsOnly; i++) {
        for (int number = firstWatch[i] + 1; number <= lastWatch[i] + 8; number++)
            inotify_rm_watch(queues[i], number);
        while (read(queues[i], block, sizeof block) > 0)
            ;
    }
    memset(block, 0, sizeof block);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2);
    while (sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }) > 0)
        ;
    if (kind != DescriptorsOnly)
        empty(".");
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    long count = argc > 2 ? atol(argv[2]) : 100;
    kind = argc > 3 ? argv[3][0] : Mixed;
    isVerbose = count == 0;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    mkdir("fuzz", 0755);
    if (chdir("fuzz") != 0)
        die("fuzz");
    empty(".");
    queues[0] = inotify_init1(IN_NONBLOCK), queues[1] = inotify_init1(IN_NONBLOCK);
    for (long i = 0; i < (count == 0 ? 1 : count); i++) {
        program(seed + i);
        printf("%llu %016llx\n", (unsigned long long)(seed + i), (unsigned long long)digest);
    }
    chdir("..");
    rmdir("fuzz");
    return 0;
}
