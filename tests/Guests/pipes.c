// Pipes: capacity, atomicity, partial writes, end of file, SIGPIPE, readiness, FIFOs, select and poll.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "check.h"

static char block[1 << 20];

static void readiness(int file, const char *what)
{
    struct pollfd item = { file, POLLIN | POLLOUT | POLLRDHUP, 0 };
    int result = poll(&item, 1, 0);
    printf("%s: poll %d events %x\n", what, result, item.revents);
}

static void capacity(void)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK))
        die("pipe2");
    readiness(ends[0], "empty reader");
    readiness(ends[1], "empty writer");
    SHOW(read(ends[0], block, 1));
    long total = 0, got;
    while ((got = write(ends[1], block, 1000)) > 0)
        total += got;
    printf("filled by 1000: %ld then %s\n", total, strerrorname_np(errno));
    readiness(ends[1], "full writer");
    int queued;
    SHOW(ioctl(ends[0], FIONREAD, &queued));
    printf("queued %d\n", queued);
    SHOW(read(ends[0], block, sizeof block));
    SHOW(write(ends[1], block, sizeof block));
    SHOW(write(ends[1], block, 1));
    SHOW(read(ends[0], block, 4096));
    readiness(ends[1], "writer with a page");
    SHOW(write(ends[1], block, 4096));
    SHOW(fcntl(ends[0], F_GETPIPE_SZ));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 1 << 20));
    SHOW(write(ends[1], block, sizeof block));
    SHOW(fcntl(ends[0], F_SETPIPE_SZ, 4096));
    close(ends[1]);
    readiness(ends[0], "reader without writers");
    long drained = 0;
    while ((got = read(ends[0], block, 30000)) > 0)
        drained += got;
    printf("drained %ld end %ld\n", drained, got);
    readiness(ends[0], "drained reader");
    close(ends[0]);
}

static void broken(void)
{
    int ends[2];
    if (pipe(ends))
        die("pipe");
    close(ends[0]);
    readiness(ends[1], "writer without readers");
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(ends[1], "x", 1));
    signal(SIGPIPE, SIG_DFL);
    pid_t child = fork();
    if (child == 0) {
        SHOW(write(ends[1], "x", 1));
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    SHOW(read(ends[1], block, 1));
    SHOW(write(77, "x", 1));
    SHOW(lseek(ends[1], 0, SEEK_CUR));
    SHOW(write(ends[1], (void *)16, 0));
}

static void blocking(void)
{
    int ends[2];
    if (pipe(ends))
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        for (unsigned i = 0; i < sizeof block; i++)
            block[i] = (char)(i * 7 + (i >> 8));
        for (int i = 0; i < 3; i++)
            if (write(ends[1], block, sizeof block) != sizeof block)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    unsigned long sum = 0, total = 0;
    long got;
    static unsigned char chunk[7777];
    while ((got = read(ends[0], chunk, sizeof chunk)) > 0)
        for (long i = 0; i < got; i++, total++)
            sum = sum * 31 + chunk[i];
    int status;
    waitpid(child, &status, 0);
    printf("received %lu sum %lx writer %d\n", total, sum, status);
    close(ends[0]);
    if (pipe(ends))
        die("pipe");
    struct iovec parts[3] = { { "alpha ", 6 }, { "", 0 }, { "beta", 4 } };
    SHOW(writev(ends[1], parts, 3));
    char a[4], b[16];
    struct iovec into[2] = { { a, 4 }, { b, 16 } };
    SHOW(readv(ends[0], into, 2));
    printf("%.4s|%.6s\n", a, b);
    SHOW(readv(ends[0], into, -1));
    SHOW(writev(ends[1], parts, 2000));
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(ends[0], &readable);
    struct timeval time = { 0, 1000 };
    SHOW(select(ends[0] + 1, &readable, NULL, NULL, &time));
    printf("set %d left %ld\n", FD_ISSET(ends[0], &readable), (long)time.tv_usec);
    if (write(ends[1], "!", 1) != 1)
        die("write");
    FD_SET(ends[0], &readable);
    SHOW(select(ends[0] + 1, &readable, NULL, NULL, NULL));
    struct pollfd many[3] = { { ends[0], POLLIN, 0 }, { -1, POLLIN, 9 }, { 500, POLLIN, 0 } };
    SHOW(poll(many, 3, -1));
    printf("%x %x %x\n", many[0].revents, many[1].revents, many[2].revents);
}

static void fifos(void)
{
    char name[] = "/tmp/fifo-XXXXXX";
    SHOW(mkdtemp(name) != NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/f", name);
    SHOW(mkfifo(path, 0600));
    SHOW(mkfifo(path, 0600));
    SHOW(open(path, O_WRONLY | O_NONBLOCK));
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    SHOW(read(reader, block, 1));
    pid_t child = fork();
    if (child == 0) {
        int writer = open(path, O_WRONLY);
        dprintf(writer, "through the fifo");
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SHOW(read(reader, block, 100));
    printf("%.16s\n", block);
    SHOW(read(reader, block, 100));
    close(reader);
    child = fork();
    if (child == 0) {
        int late = open(path, O_RDONLY);
        _exit(read(late, block, 10));
    }
    int writer = open(path, O_WRONLY);
    SHOW(write(writer, "12345", 5));
    int status;
    close(writer);
    waitpid(child, &status, 0);
    printf("child read %d\n", WEXITSTATUS(status));
    struct stat info;
    SHOW(stat(path, &info));
    printf("mode %o\n", info.st_mode);
    SHOW(unlink(path));
    SHOW(rmdir(name));
}

static void rest(const char *what, int file)
{
    int queued = -1, flags = fcntl(file, F_GETFL);
    ioctl(file, FIONREAD, &queued);
    printf("%s: queued %d direct %d\n", what, queued, (flags & O_DIRECT) != 0);
}

// Each page that is written is a packet, a read takes one, and what does not fit of it is lost (pipe(2), O_DIRECT).
static void packets(void)
{
    int ends[2], other[2];
    char text[64];
    SHOW(pipe2(ends, O_DIRECT | O_NONBLOCK));
    rest("reader", ends[0]);
    rest("writer", ends[1]);
    SHOW(write(ends[1], "one", 3));
    SHOW(write(ends[1], "two and more", 12));
    SHOW(write(ends[1], "three", 5));
    SHOW(write(ends[1], "", 0));
    rest("three packets", ends[0]);
    SHOW(read(ends[0], text, 0));
    SHOW(read(ends[0], text, sizeof text));
    SHOW(read(ends[0], text, 3));
    printf("%.3s\n", text);
    rest("one packet", ends[0]);
    readiness(ends[0], "reader with a packet");
    SHOW(read(ends[0], text, sizeof text));
    SHOW(read(ends[0], text, sizeof text));

    // A write of more than a page is packets of a page each, and a vector one.
    SHOW(write(ends[1], block, 10000));
    SHOW(read(ends[0], block, sizeof block));
    SHOW(read(ends[0], block, 100));
    SHOW(read(ends[0], block, sizeof block));
    struct iovec parts[2] = { { "alpha ", 6 }, { "beta", 4 } };
    SHOW(writev(ends[1], parts, 2));
    struct iovec into[2] = { { text, 3 }, { text + 3, 4 } };
    SHOW(readv(ends[0], into, 2));
    printf("%.7s\n", text);
    rest("nothing", ends[0]);

    // So many packets, however small.
    int count = 0;
    while (write(ends[1], "x", 1) == 1)
        count++;
    printf("%d packets then %s\n", count, strerrorname_np(errno));
    readiness(ends[1], "writer without a place");
    SHOW(read(ends[0], text, sizeof text));
    readiness(ends[1], "writer with a place");
    while (read(ends[0], text, sizeof text) > 0)
        ;

    // The flag is the writer's, and asked at each write; bytes that are no packet may grow.
    SHOW(write(ends[1], "packet", 6));
    SHOW(fcntl(ends[1], F_SETFL, O_NONBLOCK));
    rest("no packets", ends[1]);
    SHOW(write(ends[1], "ab", 2));
    SHOW(write(ends[1], "cd", 2));
    SHOW(fcntl(ends[1], F_SETFL, O_NONBLOCK | O_DIRECT));
    SHOW(write(ends[1], "ef", 2));
    SHOW(write(ends[1], "gh", 2));
    SHOW(fcntl(ends[0], F_SETFL, O_NONBLOCK | O_DIRECT));
    rest("reader that asks for packets", ends[0]);
    SHOW(read(ends[0], text, sizeof text));
    SHOW(read(ends[0], text, sizeof text));
    SHOW(read(ends[0], text, sizeof text));
    SHOW(write(ends[1], block, 4000));
    SHOW(write(ends[1], block, 5));
    SHOW(read(ends[0], block, sizeof block));
    SHOW(read(ends[0], block, sizeof block));

    // Packets stay what they are in other pipes.
    SHOW(pipe2(other, O_NONBLOCK));
    SHOW(write(ends[1], "first", 5));
    SHOW(write(ends[1], "second", 6));
    SHOW(write(ends[1], "third", 5));
    SHOW(tee(ends[0], other[1], 8, 0));
    SHOW(read(other[0], text, sizeof text));
    SHOW(read(other[0], text, sizeof text));
    SHOW(splice(ends[0], NULL, other[1], NULL, 3, 0));
    SHOW(write(other[1], "more", 4));
    SHOW(splice(ends[0], NULL, other[1], NULL, 5, 0));
    rest("moved from", ends[0]);
    rest("moved to", other[0]);
    SHOW(read(other[0], text, sizeof text));
    SHOW(read(other[0], text, sizeof text));
    SHOW(read(other[0], text, sizeof text));
    SHOW(read(other[0], text, sizeof text));
    SHOW(read(ends[0], text, 1));
    SHOW(read(ends[0], text, sizeof text));
    struct iovec whole = { text, sizeof text };
    SHOW(write(ends[1], "first", 5));
    SHOW(write(ends[1], "second", 6));
    SHOW(vmsplice(ends[0], &whole, 1, SPLICE_F_NONBLOCK));
    printf("%.11s\n", text);
    SHOW(vmsplice(ends[0], &whole, 1, SPLICE_F_NONBLOCK));
    SHOW(vmsplice(ends[1], parts, 2, 0));
    SHOW(read(ends[0], text, sizeof text));

    SHOW(write(ends[1], "the last", 8));
    close(ends[1]);
    readiness(ends[0], "reader of the last packet");
    SHOW(read(ends[0], text, 2));
    SHOW(read(ends[0], text, 2));
    close(ends[0]);
    SHOW(pipe2(ends, O_DIRECT | O_APPEND));
    SHOW(pipe2(ends, O_DIRECT | O_CLOEXEC));
    pid_t child = fork();
    if (child == 0) {
        for (int i = 1; i < 100; i++)
            if (write(ends[1], block, i) != i)
                _exit(1);
        _exit(write(ends[1], block, 100000) != 100000);
    }
    close(ends[1]);
    long got, total = 0, reads = 0;
    while ((got = read(ends[0], block, 2000)) > 0) {
        total += got;
        reads++;
    }
    int status;
    waitpid(child, &status, 0);
    printf("%ld bytes by %ld reads, writer %d\n", total, reads, status);
    close(ends[0]);
    close(other[0]);
    close(other[1]);

    char name[] = "/tmp/packets-XXXXXX";
    SHOW(mkdtemp(name) != NULL);
    char path[64];
    snprintf(path, sizeof path, "%s/f", name);
    SHOW(mkfifo(path, 0600));
    SHOW(open(path, O_RDWR | O_DIRECT) >= 0);
    int fifo = open(path, O_RDWR);
    SHOW(fcntl(fifo, F_SETFL, O_DIRECT));
    SHOW(write(fifo, "one", 3));
    SHOW(write(fifo, "two", 3));
    SHOW(read(fifo, text, sizeof text));
    close(fifo);
    SHOW(unlink(path));
    SHOW(rmdir(name));
    int sockets[2];
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    SHOW(fcntl(sockets[0], F_SETFL, O_DIRECT | O_NONBLOCK));
    printf("%x\n", fcntl(sockets[0], F_GETFL));
    int null = open("/dev/null", O_RDWR);
    SHOW(fcntl(null, F_SETFL, O_DIRECT | O_NONBLOCK));
    printf("%x\n", fcntl(null, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_DIRECT));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    capacity();
    broken();
    blocking();
    fifos();
    packets();
    return 0;
}
