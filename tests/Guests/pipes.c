// Pipes: capacity, atomicity, partial writes, end of file, SIGPIPE, readiness, FIFOs, select and poll.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/select.h>
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

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    capacity();
    broken();
    blocking();
    fifos();
    return 0;
}
