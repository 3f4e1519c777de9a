// inotify(7): which events come, in what order, and what is folded together.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include "check.h"

static int queue;
static unsigned cookies[8];

// Cookies are numbered in the order they are seen, since their values are the system's.
static int cookieNumber(unsigned cookie)
{
    if (cookie == 0)
        return 0;
    for (int i = 0; i < 8; i++) {
        if (cookies[i] == 0)
            cookies[i] = cookie;
        if (cookies[i] == cookie)
            return i + 1;
    }
    return 99;
}

static void showEvents(int fd, const char *what)
{
    static char buffer[1 << 16];
    memset(cookies, 0, sizeof cookies);
    printf("%s:\n", what);
    ssize_t got;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
        for (char *at = buffer; at < buffer + got;) {
            struct inotify_event *event = (struct inotify_event *)at;
            printf("    wd %d mask %x cookie %d len %u", event->wd, event->mask, cookieNumber(event->cookie), event->len);
            if (event->len != 0 && event->name[0] == '#')
                printf(" #");
            else if (event->len != 0)
                printf(" %s", event->name);
            printf("\n");
            at += sizeof *event + event->len;
        }
    }
    if (got == -1 && errno != EAGAIN)
        printf("    %s\n", strerrorname_np(errno));
    fflush(stdout);
}

static void events(const char *what) { showEvents(queue, what); }

static void put(const char *path, const char *text)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die(path);
    close(fd);
}

static void arguments(void)
{
    SHOW(inotify_init1(0x1));
    SHOW(inotify_add_watch(queue, "d", 0));
    SHOW(inotify_add_watch(queue, "d", 0x1000));
    SHOW(inotify_add_watch(queue, "d", 0x04000000));
    SHOW(inotify_add_watch(queue, "d", IN_ONLYDIR));
    SHOW(inotify_add_watch(-1, "d", IN_OPEN));
    SHOW(inotify_add_watch(1, "d", IN_OPEN));
    SHOW(inotify_add_watch(1, "d", 0));
    SHOW(inotify_add_watch(1, "d", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
    SHOW(inotify_add_watch(queue, "absent", IN_OPEN));
    SHOW(inotify_add_watch(queue, "", IN_OPEN));
    SHOW(syscall(SYS_inotify_add_watch, queue, (char *)1, IN_OPEN));
    put("d/file", "x");
    SHOW(inotify_add_watch(queue, "d/file", IN_OPEN | IN_ONLYDIR));
    SHOW(symlink("file", "d/link"));
    SHOW(symlink(".", "d/dirlink"));
    SHOW(inotify_add_watch(queue, "d/link", IN_OPEN));
    SHOW(inotify_add_watch(queue, "d/file", IN_MODIFY | IN_MASK_CREATE));
    SHOW(inotify_add_watch(queue, "d/link", IN_OPEN | IN_DONT_FOLLOW));
    SHOW(inotify_add_watch(queue, "d/dirlink", IN_OPEN | IN_DONT_FOLLOW | IN_ONLYDIR));
    SHOW(inotify_add_watch(queue, "d/dirlink", IN_OPEN | IN_ONLYDIR));
    SHOW(inotify_add_watch(queue, "d", IN_OPEN));
    SHOW(inotify_rm_watch(queue, 77));
    SHOW(inotify_rm_watch(1, 1));
    SHOW(inotify_rm_watch(-1, 1));
    int available = -1;
    SHOW(ioctl(queue, FIONREAD, &available));
    printf("available %d\n", available);
    close(open("d/file", O_RDONLY));
    SHOW(ioctl(queue, FIONREAD, &available));
    printf("available %d\n", available);
    char small[16];
    SHOW(read(queue, small, 8));
    SHOW(read(queue, small, 16));
    SHOW(read(queue, small, 16));
    SHOW(write(queue, small, 16));
    SHOW(lseek(queue, 0, SEEK_SET));
    SHOW(read(queue, (char *)1, 4096));
    events("after a fault");
    for (int wd = 1; wd < 4; wd++)
        SHOW(inotify_rm_watch(queue, wd));
    SHOW(inotify_rm_watch(queue, 1));
    events("removed");
    SHOW(inotify_add_watch(queue, "d", IN_OPEN));
    SHOW(inotify_rm_watch(queue, 4));
    events("numbers go on");
    system("rm -r d; mkdir d");
}

static void contents(void)
{
    int watch = SHOW(inotify_add_watch(queue, "d", IN_ALL_EVENTS));
    put("d/a", "hello");
    events("create, write, close");
    put("d/a", "hello again");
    events("truncate, write, close");
    int own = SHOW(inotify_add_watch(queue, "d/a", IN_ALL_EVENTS));
    int fd = open("d/a", O_RDWR);
    char buffer[100];
    SHOW(read(fd, buffer, 5));
    SHOW(read(fd, buffer, 5));
    SHOW(pread(fd, buffer, 5, 0));
    events("reads");
    SHOW(pread(fd, buffer, 5, 100));
    SHOW(pread(fd, buffer, 0, 0));
    events("reads of nothing");
    struct iovec vector = { buffer, 5 };
    SHOW(preadv(fd, &vector, 1, 100));
    SHOW(readv(fd, &vector, 0));
    events("vector reads of nothing");
    vector.iov_len = 0;
    SHOW(readv(fd, &vector, 1));
    events("a vector read of no length");
    SHOW(write(fd, buffer, 0));
    SHOW(writev(fd, &vector, 1));
    events("writes of nothing");
    SHOW(write(fd, "one", 3));
    SHOW(write(fd, "two", 3));
    events("writes");
    SHOW(ftruncate(fd, 3));
    SHOW(ftruncate(fd, 3));
    events("ftruncate");
    SHOW(truncate("d/a", 30));
    events("truncate");
    SHOW(fallocate(fd, 0, 0, 100));
    events("fallocate");
    SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 10));
    events("punch");
    SHOW(fsync(fd));
    SHOW(fchmod(fd, 0600));
    SHOW(chmod("d/a", 0600));
    events("chmod");
    SHOW(chown("d/a", -1, -1));
    events("chown to nothing");
    SHOW(chown("d/a", 0, 0));
    events("chown");
    SHOW(futimens(fd, NULL));
    events("touch");
    struct timespec times[2] = { { 5, 6 }, { 0, UTIME_OMIT } };
    SHOW(futimens(fd, times));
    events("access time");
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = 7;
    SHOW(futimens(fd, times));
    events("modification time");
    times[1].tv_nsec = UTIME_OMIT;
    SHOW(futimens(fd, times));
    events("no time");
    SHOW(fsetxattr(fd, "user.x", "1", 1, 0));
    SHOW(fgetxattr(fd, "user.x", buffer, 10));
    SHOW(fremovexattr(fd, "user.x"));
    SHOW(fremovexattr(fd, "user.x"));
    events("attributes");
    int copy = dup(fd);
    close(fd);
    events("one of two closed");
    close(copy);
    events("both closed");
    SHOW(chmod("d/a", 06755));
    if (fork() == 0) {
        if (setuid(1234) != 0)
            _exit(1);
        _exit(0);
    }
    wait(NULL);
    events("set-user-id");
    fd = open("d/a", O_PATH);
    close(fd);
    events("only the path");
    fd = open("d/a", O_RDONLY | O_TRUNC);
    close(fd);
    events("read-only and truncated");
    SHOW(open("d/a", O_CREAT | O_EXCL | O_RDWR, 0600));
    SHOW(open("d/a", O_DIRECTORY));
    events("failed opens");
    SHOW(inotify_rm_watch(queue, own));
    SHOW(inotify_rm_watch(queue, watch));
    events("removed");
    unlink("d/a");
}

static void names(void)
{
    int watch = inotify_add_watch(queue, "d", IN_ALL_EVENTS);
    put("d/a", "1");
    events("made");
    int a = inotify_add_watch(queue, "d/a", IN_ALL_EVENTS);
    SHOW(link("d/a", "d/b"));
    events("linked");
    close(open("d/b", O_RDONLY));
    events("opened by the other name");
    SHOW(unlink("d/b"));
    events("unlinked one");
    SHOW(unlink("d/a"));
    events("unlinked both");
    SHOW(inotify_rm_watch(queue, a));
    SHOW(mkdir("d/sub", 0755));
    int sub = inotify_add_watch(queue, "d/sub", IN_ALL_EVENTS);
    events("mkdir");
    put("d/sub/x", "1");
    events("inside");
    SHOW(rename("d/sub/x", "d/y"));
    events("out of the lower");
    SHOW(rename("d/y", "d/z"));
    events("within");
    SHOW(rename("d/z", "outside"));
    events("out");
    SHOW(rename("outside", "d/sub/in"));
    events("in");
    put("d/victim", "1");
    int victim = inotify_add_watch(queue, "d/victim", IN_ALL_EVENTS);
    int in = inotify_add_watch(queue, "d/sub/in", IN_ALL_EVENTS);
    events("victim");
    SHOW(rename("d/sub/in", "d/victim"));
    events("over another");
    put("d/other", "2");
    events("other");
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "d/other", AT_FDCWD, "d/sub", 2));
    events("exchanged");
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "d/other", AT_FDCWD, "d/sub", 2));
    events("exchanged back");
    SHOW(link("d/victim", "d/same"));
    events("link");
    SHOW(rename("d/victim", "d/same"));
    events("rename to the same file");
    SHOW(rename("d/sub", "d/moved"));
    events("directory moved");
    SHOW(rmdir("d/moved"));
    events("directory removed");
    SHOW(symlink("nowhere", "d/link"));
    SHOW(mkfifo("d/fifo", 0600));
    SHOW(mknod("d/null", S_IFCHR | 0600, 0x103));
    SHOW(mknod("d/plain", 0600, 0));
    events("other kinds");
    int fifo = open("d/fifo", O_RDWR);
    events("fifo opened");
    SHOW(write(fifo, "abc", 3));
    char buffer[10];
    SHOW(read(fifo, buffer, 10));
    close(fifo);
    events("fifo used");
    int own = inotify_add_watch(queue, "d/fifo", IN_ALL_EVENTS);
    fifo = open("d/fifo", O_RDWR);
    SHOW(write(fifo, "abc", 3));
    SHOW(read(fifo, buffer, 10));
    close(fifo);
    inotify_rm_watch(queue, own);
    events("fifo itself");
    int device = open("d/null", O_RDWR);
    SHOW(write(device, "abc", 3));
    SHOW(read(device, buffer, 10));
    close(device);
    events("device");
    struct sockaddr_un name = { AF_UNIX, "d/socket" };
    int one = socket(AF_UNIX, SOCK_STREAM, 0);
    SHOW(bind(one, (struct sockaddr *)&name, sizeof name));
    close(one);
    events("socket");
    inotify_add_watch(queue, "d/link", IN_ALL_EVENTS | IN_DONT_FOLLOW);
    readlink("d/link", buffer, sizeof buffer);
    SHOW(lchown("d/link", 0, 0));
    SHOW(unlink("d/link"));
    SHOW(unlink("d/absent"));
    SHOW(mkdir("d/plain", 0700));
    SHOW(rmdir("d/plain"));
    events("unlinked");
    (void)victim, (void)in, (void)sub;
    inotify_rm_watch(queue, watch);
    system("rm -r d; mkdir d");
    events("gone");
}

static void openAndGone(void)
{
    put("d/a", "1");
    int watch = inotify_add_watch(queue, "d", IN_ALL_EVENTS);
    int own = inotify_add_watch(queue, "d/a", IN_ALL_EVENTS);
    int fd = open("d/a", O_RDWR);
    events("open");
    SHOW(unlink("d/a"));
    events("unlinked while open");
    SHOW(write(fd, "x", 1));
    events("written");
    SHOW(fchmod(fd, 0600));
    events("changed");
    close(fd);
    events("closed");
    put("d/b", "1");
    events("made");
    int excluding = inotify_add_watch(queue, "d", IN_ALL_EVENTS | IN_EXCL_UNLINK);
    own = inotify_add_watch(queue, "d/b", IN_ALL_EVENTS);
    fd = open("d/b", O_RDWR);
    SHOW(unlink("d/b"));
    SHOW(write(fd, "x", 1));
    SHOW(fchmod(fd, 0600));
    close(fd);
    events("without the unlinked");
    // Two names, one of them held open: the inode is told gone with the name that nobody holds.
    put("d/c", "1");
    SHOW(link("d/c", "d/e"));
    own = inotify_add_watch(queue, "d/c", IN_ALL_EVENTS);
    events("two names");
    fd = open("d/c", O_RDONLY);
    SHOW(unlink("d/c"));
    SHOW(unlink("d/e"));
    events("both gone, one open");
    close(fd);
    events("closed");
    SHOW(inotify_add_watch(queue, "d", IN_ALL_EVENTS) == excluding);
    fd = open("d", O_TMPFILE | O_RDWR, 0600);
    SHOW(write(fd, "x", 1));
    SHOW(fchmod(fd, 0644));
    events("temporary");
    char path[64];
    sprintf(path, "/proc/self/fd/%d", fd);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "d/named", AT_SYMLINK_FOLLOW));
    events("temporary named");
    SHOW(write(fd, "x", 1));
    close(fd);
    events("temporary closed");
    SHOW(mkdir("d/dir", 0700));
    int dir = inotify_add_watch(queue, "d/dir", IN_ALL_EVENTS);
    fd = open("d/dir", O_RDONLY | O_DIRECTORY);
    events("directory open");
    SHOW(rmdir("d/dir"));
    events("directory removed while open");
    close(fd);
    events("directory closed");
    (void)own, (void)watch, (void)excluding, (void)dir;
    SHOW(inotify_rm_watch(queue, excluding));
    system("rm -r d; mkdir d");
    events("gone");
}

static void policies(void)
{
    put("d/a", "1");
    int once = SHOW(inotify_add_watch(queue, "d/a", IN_OPEN | IN_ONESHOT));
    close(open("d/a", O_RDONLY));
    close(open("d/a", O_RDONLY));
    events("one shot");
    SHOW(inotify_rm_watch(queue, once));
    int watch = SHOW(inotify_add_watch(queue, "d/a", IN_OPEN));
    SHOW(inotify_add_watch(queue, "d/a", IN_CLOSE | IN_MASK_ADD) == watch);
    close(open("d/a", O_RDONLY));
    events("added");
    SHOW(inotify_add_watch(queue, "d/a", IN_MODIFY) == watch);
    close(open("d/a", O_RDONLY));
    events("replaced");
    SHOW(inotify_add_watch(queue, "d/a", IN_MODIFY | IN_MASK_CREATE));
    SHOW(inotify_rm_watch(queue, watch));
    events("removed");
    // x, x, y, x, y, y comes as x, y, x, y.
    put("d/x", ""), put("d/y", "");
    watch = inotify_add_watch(queue, "d", IN_ATTRIB);
    chmod("d/x", 0600), chmod("d/x", 0600), chmod("d/y", 0600), chmod("d/x", 0600), chmod("d/y", 0600), chmod("d/y", 0600);
    events("folded");
    chmod("d/x", 0600);
    struct pollfd polled = { queue, POLLIN | POLLOUT };
    SHOW(poll(&polled, 1, 0));
    printf("ready %x\n", polled.revents);
    int second = dup(queue);
    if (fork() == 0) {
        chmod("d/y", 0600);
        showEvents(second, "in the child");
        inotify_add_watch(queue, "d/y", IN_CLOSE_WRITE);
        exit(0);
    }
    wait(NULL);
    events("after the child");
    put("d/y", "2");
    events("the child's watch");
    int other = inotify_init1(IN_NONBLOCK);
    printf("first watch of another %d\n", inotify_add_watch(other, "d", IN_ATTRIB | IN_MODIFY));
    int set = epoll_create1(0);
    struct epoll_event wanted = { EPOLLIN | EPOLLET, { .u64 = 1 } }, got;
    epoll_ctl(set, EPOLL_CTL_ADD, queue, &wanted);
    wanted.data.u64 = 2;
    epoll_ctl(set, EPOLL_CTL_ADD, other, &wanted);
    SHOW(epoll_wait(set, &got, 1, 0));
    chmod("d/x", 0600);
    int count = 0;
    unsigned long long sum = 0;
    while (epoll_wait(set, &got, 1, 0) == 1)
        count++, sum += got.data.u64;
    printf("both told: %d %llu\n", count, sum);
    chmod("d/x", 0600);
    SHOW(epoll_wait(set, &got, 1, 0));
    chmod("d/y", 0600);
    SHOW(epoll_wait(set, &got, 1, 0));
    showEvents(other, "other");
    close(other);
    close(set);
    close(second);
    events("own");
    system("rm -r d; mkdir d");
    events("gone");
}

static void directories(void)
{
    int watch = SHOW(inotify_add_watch(queue, "d", IN_ALL_EVENTS));
    mkdir("d/sub", 0755);
    int sub = SHOW(inotify_add_watch(queue, "d/sub", IN_ALL_EVENTS));
    events("made");
    int fd = open("d", O_RDONLY);
    char buffer[1000];
    SHOW(syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0);
    events("listed");
    SHOW(syscall(SYS_getdents64, fd, buffer, sizeof buffer));
    events("listed to the end");
    SHOW(chdir("d/sub"));
    SHOW(chmod(".", 0700));
    events("chmod of a directory");
    SHOW(rmdir("../sub"));
    events("working directory removed");
    SHOW(fchdir(fd));
    SHOW(chdir(".."));
    events("and left");
    close(fd);
    (void)sub;
    SHOW(inotify_rm_watch(queue, watch));
    events("end");
}

static void transfers(void)
{
    put("d/a", "0123456789");
    put("d/b", "");
    SHOW(inotify_add_watch(queue, "d/a", IN_ALL_EVENTS) > 0);
    SHOW(inotify_add_watch(queue, "d/b", IN_ALL_EVENTS) > 0);
    int a = open("d/a", O_RDONLY), b = open("d/b", O_RDWR);
    events("opened");
    SHOW(sendfile(b, a, NULL, 5));
    events("sendfile");
    SHOW(copy_file_range(a, NULL, b, NULL, 3, 0));
    events("copy_file_range");
    int ends[2];
    pipe(ends);
    SHOW(sendfile(ends[1], a, NULL, 5));
    events("sendfile to a pipe");
    close(a);
    close(b);
    events("closed");
    unlink("d/a"), unlink("d/b");
    events("gone");
}

static void overflow(void)
{
    put("d/a", "1"), put("d/b", "2");
    int watch = inotify_add_watch(queue, "d", IN_ATTRIB);
    for (int i = 0; i < 9000; i++)
        chmod("d/a", 0600), chmod("d/b", 0600);
    static char buffer[1 << 20];
    long count = 0;
    struct inotify_event last = { 0 };
    for (ssize_t got; (got = read(queue, buffer, sizeof buffer)) > 0;) {
        for (char *at = buffer; at < buffer + got; at += sizeof last + last.len, count++)
            memcpy(&last, at, sizeof last);
    }
    printf("%ld events, the last: wd %d mask %x len %u\n", count, last.wd, last.mask, last.len);
    inotify_rm_watch(queue, watch);
    events("after overflow");
}

static void information(void)
{
    int watch = inotify_add_watch(queue, "d", IN_MODIFY | IN_CREATE);
    char path[64], line[200];
    sprintf(path, "/proc/self/fdinfo/%d", queue);
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned wd, mask;
        unsigned long inode;
        if (sscanf(line, "inotify wd:%x ino:%lx sdev:%*x mask:%x", &wd, &inode, &mask) == 3) {
            struct stat status;
            stat("d", &status);
            printf("watch %d: %d, mask %x\n", wd == (unsigned)watch, inode == status.st_ino, mask);
        } else if (strncmp(line, "flags", 5) == 0 || strncmp(line, "pos", 3) == 0)
            printf("%s", line);
    }
    fclose(file);
    sprintf(path, "/proc/self/fd/%d", queue);
    ssize_t length = readlink(path, line, sizeof line);
    printf("%.*s\n", (int)length, line);
    for (int i = 0; i < 2; i++) {
        file = fopen(i == 0 ? "/proc/sys/fs/inotify/max_queued_events" : "/proc/sys/fs/inotify/max_user_instances", "r");
        if (file != NULL && fgets(line, sizeof line, file) != NULL)
            printf("%s", line);
        if (file != NULL)
            fclose(file);
    }
    inotify_rm_watch(queue, watch);
    events("end");
}

static void blocking(void)
{
    int reader = inotify_init();
    inotify_add_watch(reader, "d", IN_CREATE);
    if (fork() == 0) {
        usleep(20000);
        put("d/late", "");
        _exit(0);
    }
    char buffer[100];
    SHOW(read(reader, buffer, sizeof buffer));
    wait(NULL);
    close(reader);
}

// What goes over a directory, an existing file, and back.
static void replacing(void)
{
    int watch = inotify_add_watch(queue, "d", IN_ALL_EVENTS);
    mkdir("d/one", 0700), mkdir("d/two", 0700);
    int one = inotify_add_watch(queue, "d/one", IN_ALL_EVENTS), two = inotify_add_watch(queue, "d/two", IN_ALL_EVENTS);
    events("made");
    SHOW(rename("d/one", "d/two"));
    events("over an empty directory");
    close(open("d/two/x", O_CREAT | O_WRONLY, 0600));
    close(open("d/two/x", O_CREAT | O_WRONLY, 0600));
    events("opened to create, twice");
    put("d/y", "1"), put("d/z", "2");
    int held = open("d/z", O_RDONLY);
    int z = inotify_add_watch(queue, "d/z", IN_ALL_EVENTS);
    events("a file held open");
    SHOW(rename("d/y", "d/z"));
    events("is replaced");
    close(held);
    events("and closed");
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "d/z", AT_FDCWD, "d/two", 1));
    SHOW(syscall(SYS_renameat2, AT_FDCWD, "d/z", AT_FDCWD, "d/w", 1));
    SHOW(rename("d/w", "d/w"));
    SHOW(rename("d/absent", "d/w"));
    SHOW(rename("d/w", "d/two"));
    events("renames that do nothing");
    SHOW(rename("d/w", "d/w2"));
    SHOW(rename("d/w2", "d/w"));
    SHOW(rename("d/w", "d/w2"));
    events("back and forth");
    (void)one, (void)two, (void)z;
    unlink("d/w2"), unlink("d/two/x"), rmdir("d/two");
    SHOW(inotify_rm_watch(queue, watch));
    events("end");
}

int main(void)
{
    system("rm -rf d outside; mkdir d");
    queue = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    SHOW(fcntl(queue, F_GETFL) == O_NONBLOCK);
    SHOW(fcntl(queue, F_GETFD));
    arguments();
    contents();
    names();
    openAndGone();
    policies();
    directories();
    replacing();
    transfers();
    overflow();
    information();
    blocking();
    system("rm -rf d");
    return 0;
}
