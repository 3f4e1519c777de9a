// io_uring(7) by its raw calls: buffers given beforehand, receiving again and again, the kernel's own thread, attributes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include "ring.h"

// Gives buffers of 16 bytes, whose numbers begin anywhere.
static struct io_uring_sqe *provide(int group, int count, int first, char *memory)
{
    struct io_uring_sqe *entry = submission(IORING_OP_PROVIDE_BUFFERS, count, memory, 16, first, 90);
    entry->buf_group = group;
    return entry;
}

static struct io_uring_sqe *receive(int socket, int group, unsigned length, int again, int data)
{
    struct io_uring_sqe *entry = submission(IORING_OP_RECV, socket, NULL, length, 0, data);
    entry->flags = IOSQE_BUFFER_SELECT;
    entry->buf_group = group;
    entry->ioprio = again ? IORING_RECV_MULTISHOT : 0;
    return entry;
}

static void given(void)
{
    int sockets[2];
    static char memory[8][16];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    receive(sockets[0], 3, 0, 0, 1);
    run("none", 1, 1);
    provide(3, 0, 0, memory[0]);
    run("no count", 1, 1);
    provide(3, 4, 0xffff, memory[0]);
    run("numbers end", 1, 1);
    provide(3, 4, 100, (char *)-64);
    run("not there", 1, 1);
    provide(3, 4, 100, memory[0]);
    run("given", 1, 1);
    write(sockets[1], "first", 5);
    receive(sockets[0], 3, 0, 0, 2);
    run("received", 1, 1);
    printf("%.5s\n", memory[0]);
    receive(sockets[0], 3, 3, 0, 3);
    SHOW(enter(1, 0, 0));
    write(sockets[1], "second", 6);
    run("three bytes", 0, 1);
    printf("%.3s\n", memory[1]);
    struct io_uring_sqe *entry = submission(IORING_OP_READ, sockets[0], NULL, 16, 0, 4);
    entry->flags = IOSQE_BUFFER_SELECT;
    entry->buf_group = 3;
    run("read", 1, 1);
    printf("%.3s\n", memory[2]);
    entry = submission(IORING_OP_REMOVE_BUFFERS, 9, NULL, 0, 0, 5);
    entry->buf_group = 3;
    run("removed", 1, 1);
    entry = submission(IORING_OP_REMOVE_BUFFERS, 1, NULL, 0, 0, 6);
    entry->buf_group = 77;
    run("no group", 1, 1);
    close(sockets[0]), close(sockets[1]);
}

struct entry { unsigned long address; unsigned length; unsigned short number, tail; };

static void mapped(void)
{
    int sockets[2];
    static char memory[8][16];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    struct entry *buffers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct { unsigned long address; unsigned entries; unsigned short group, flags; unsigned long zeros[3]; } wanted = { (unsigned long)buffers, 8, 5 };
    SHOW(syscall(SYS_io_uring_register, ring, 22, &wanted, 2));
    wanted.entries = 5;
    SHOW(syscall(SYS_io_uring_register, ring, 22, &wanted, 1));
    wanted.entries = 8, wanted.address++;
    SHOW(syscall(SYS_io_uring_register, ring, 22, &wanted, 1));
    wanted.address = 0;
    SHOW(syscall(SYS_io_uring_register, ring, 22, &wanted, 1));
    wanted.address = (unsigned long)buffers;
    SHOW(syscall(SYS_io_uring_register, ring, 22, &wanted, 1));
    SHOW(syscall(SYS_io_uring_register, ring, 22, &wanted, 1));
    for (int i = 0; i < 4; i++) {
        buffers[i].address = (unsigned long)memory[i], buffers[i].length = 16, buffers[i].number = 200 + i;
        *(volatile unsigned short *)&buffers[0].tail = i + 1;
    }
    receive(sockets[0], 5, 0, 1, 7);
    SHOW(enter(1, 0, 0));
    write(sockets[1], "one", 3);
    run("one", 0, 1);
    write(sockets[1], "twenty bytes or more of them", 28);
    run("two", 0, 2);
    printf("%.3s|%.16s|%.12s\n", memory[0], memory[1], memory[2]);
    write(sockets[1], "four", 4);
    run("four", 0, 1);
    write(sockets[1], "five", 4);
    run("no buffer is left", 0, 1);
    buffers[4].address = (unsigned long)memory[4], buffers[4].length = 16, buffers[4].number = 300;
    *(volatile unsigned short *)&buffers[0].tail = 5;
    receive(sockets[0], 5, 0, 1, 8);
    run("five", 1, 1);
    close(sockets[1]);
    buffers[5].address = (unsigned long)memory[5], buffers[5].length = 16, buffers[5].number = 301;
    *(volatile unsigned short *)&buffers[0].tail = 6;
    enter(0, 0, IORING_ENTER_GETEVENTS);
    take("end");
    struct io_uring_sqe *entry = receive(sockets[0], 5, 0, 1, 9);
    entry->flags = 0;
    run("again without a buffer", 1, 1);
    wanted.group = 6;
    SHOW(syscall(SYS_io_uring_register, ring, 23, &wanted, 1));
    wanted.group = 5;
    SHOW(syscall(SYS_io_uring_register, ring, 23, &wanted, 1));
    close(sockets[0]);
}

static void attributes(void)
{
    int file = open("u", O_CREAT | O_RDWR | O_TRUNC, 0600);
    char value[20] = "";
    submission(IORING_OP_FSETXATTR, file, "user.one", 5, (unsigned long)"value", 1);
    run("set", 1, 1);
    struct io_uring_sqe *entry = submission(IORING_OP_GETXATTR, 0, "user.one", sizeof value, (unsigned long)value, 2);
    entry->addr3 = (unsigned long)"u";
    run("get", 1, 1);
    puts(value);
    submission(IORING_OP_FGETXATTR, file, "user.two", sizeof value, (unsigned long)value, 3);
    run("not there", 1, 1);
    unlink("u");
    close(file);
}

static void threads(void)
{
    params = (struct io_uring_params){ .flags = IORING_SETUP_SQ_AFF };
    SHOW(syscall(SYS_io_uring_setup, 8, &params));
    params = (struct io_uring_params){ .flags = IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN };
    SHOW(syscall(SYS_io_uring_setup, 8, &params));
    SHOW(setUp(8, IORING_SETUP_SQPOLL));
    printf("any file %d\n", (params.features & IORING_FEAT_SQPOLL_NONFIXED) != 0);
    int pipes[2];
    pipe(pipes);
    for (int i = 0; i < 3; i++) {
        submission(IORING_OP_WRITE, pipes[1], "hello", 5, -1, i);
        __sync_synchronize();
        unsigned wakes = *(volatile unsigned *)field(params.sq_off.flags) & IORING_SQ_NEED_WAKEUP ? IORING_ENTER_SQ_WAKEUP : 0;
        SHOW(enter(1, 1, IORING_ENTER_GETEVENTS | wakes));
        take("written");
    }
    SHOW(read(pipes[0], block, 100));
    close(ring);
    SHOW(setUp(8, IORING_SETUP_R_DISABLED));
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 1);
    SHOW(enter(1, 1, IORING_ENTER_GETEVENTS));
    SHOW(syscall(SYS_io_uring_register, ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
    SHOW(syscall(SYS_io_uring_register, ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
    run("enabled", 1, 1);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setUp(16, 0);
    given();
    mapped();
    attributes();
    close(ring);
    threads();
    return 0;
}
