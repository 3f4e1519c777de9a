// io_uring(7) by its raw calls: set-up, rings, operations, chains, time-outs, cancelling.
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
#include "ring.h"

static void settingUp(void)
{
    SHOW(syscall(SYS_io_uring_setup, 0, &params));
    SHOW(syscall(SYS_io_uring_setup, 40000, &params));
    SHOW(syscall(SYS_io_uring_setup, 8, (void *)8));
    params.flags = 0x80000000;
    SHOW(syscall(SYS_io_uring_setup, 8, &params));
    params = (struct io_uring_params){ .resv = { 1 } };
    SHOW(syscall(SYS_io_uring_setup, 8, &params));
    params = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .cq_entries = 4 };
    SHOW(syscall(SYS_io_uring_setup, 8, &params));
    SHOW(setUp(5, IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP) == -1);
    SHOW(setUp(5, 0));
    printf("entries %u %u masks %u %u\n", params.sq_entries, params.cq_entries, *field(params.sq_off.ring_mask), *field(params.cq_off.ring_mask));
    printf("single %d nodrop %d\n", params.features & IORING_FEAT_SINGLE_MMAP, params.features & IORING_FEAT_NODROP);
    SHOW(fcntl(ring, F_GETFD));
    SHOW(read(ring, block, 8));
    SHOW(syscall(SYS_io_uring_enter, 1, 0, 0, 0, NULL, 0));
    SHOW(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0));
    SHOW(enter(0, 0, 0x80000000));
    SHOW(enter(5, 0, 0));
    struct pollfd polled = { ring, POLLIN | POLLOUT };
    SHOW(poll(&polled, 1, 0)), printf("ready %x\n", polled.revents);
}

static void transfers(void)
{
    int file = open("u", O_CREAT | O_RDWR | O_TRUNC, 0600);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 1);
    SHOW(enter(1, 0, 0));
    take("nop");
    submission(IORING_OP_WRITE, file, "hello world", 11, 0, 2);
    run("write", 1, 1);
    submission(IORING_OP_READ, file, block, 100, 6, 3);
    run("read", 1, 1);
    printf("%.5s\n", block);
    submission(IORING_OP_READ, file, block, 5, -1, 4);
    submission(IORING_OP_READ, file, block + 5, 5, -1, 5);
    run("at the position", 2, 2);
    struct iovec vectors[2] = { { "abc", 3 }, { "defg", 4 } };
    submission(IORING_OP_WRITEV, file, vectors, 2, 20, 6);
    struct iovec into[2] = { { block, 2 }, { block + 10, 50 } };
    run("writev", 1, 1);
    submission(IORING_OP_READV, file, into, 2, 20, 7);
    run("readv", 1, 1);
    submission(IORING_OP_FSYNC, file, NULL, 0, 0, 8);
    run("fsync", 1, 1);
    submission(IORING_OP_FALLOCATE, file, (void *)1000, 0, 0, 9);
    run("fallocate", 1, 1);
    submission(IORING_OP_READ, -1, block, 5, 0, 10);
    submission(IORING_OP_READ, file, (void *)8, 5, 0, 11);
    run("bad file and address", 2, 2);
    submission(200, file, block, 5, 0, 12);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 13);
    run("bad operation", 2, 1);
    run("what was left", 1, 1);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 14)->flags = 0x80;
    run("bad flags", 1, 1);
    struct iovec fixed = { block, 4096 };
    SHOW(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &fixed, 1));
    SHOW(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &fixed, 1));
    submission(IORING_OP_READ_FIXED, file, block + 100, 10, 0, 15);
    submission(IORING_OP_READ_FIXED, file, block + 4090, 10, 0, 16);
    submission(IORING_OP_READ_FIXED, file, block, 10, 0, 17)->buf_index = 1;
    run("fixed buffers", 3, 3);
    SHOW(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0));
    SHOW(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0));
    int files[2] = { file, -1 };
    SHOW(syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, files, 2));
    submission(IORING_OP_READ, 0, block, 5, 0, 18)->flags = IOSQE_FIXED_FILE;
    submission(IORING_OP_READ, 1, block, 5, 0, 19)->flags = IOSQE_FIXED_FILE;
    submission(IORING_OP_READ, 7, block, 5, 0, 20)->flags = IOSQE_FIXED_FILE;
    run("fixed files", 3, 3);
    SHOW(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_FILES, NULL, 0));
    SHOW(syscall(SYS_io_uring_register, ring, 9999, NULL, 0));
    close(file);
}

static void names(void)
{
    submission(IORING_OP_OPENAT, AT_FDCWD, "u", 0600, 0, 1)->open_flags = O_RDWR;
    long result = enter(1, 1, IORING_ENTER_GETEVENTS);
    struct io_uring_cqe *done = (struct io_uring_cqe *)(rings + params.cq_off.cqes) + (*field(params.cq_off.head) & (params.cq_entries - 1));
    int file = done->res;
    *field(params.cq_off.head) += 1;
    printf("opened %ld %d\n", result, fcntl(file, F_GETFL) & O_ACCMODE);
    struct statx status;
    submission(IORING_OP_STATX, AT_FDCWD, "u", STATX_SIZE, (unsigned long)&status, 2);
    run("statx", 1, 1);
    printf("size %llu\n", status.stx_size);
    submission(IORING_OP_CLOSE, file, NULL, 0, 0, 3);
    submission(IORING_OP_CLOSE, file, NULL, 0, 0, 4);
    run("close twice", 2, 2);
    submission(IORING_OP_MKDIRAT, AT_FDCWD, "ud", 0700, 0, 5);
    run("mkdir", 1, 1);
    submission(IORING_OP_RENAMEAT, AT_FDCWD, "u", AT_FDCWD, (unsigned long)"u2", 6);
    run("rename", 1, 1);
    submission(IORING_OP_UNLINKAT, AT_FDCWD, "u2", 0, 0, 7);
    run("unlink", 1, 1);
    submission(IORING_OP_UNLINKAT, AT_FDCWD, "ud", 0, 0, 8)->unlink_flags = AT_REMOVEDIR;
    run("rmdir", 1, 1);
    submission(IORING_OP_OPENAT, AT_FDCWD, "absent", 0, 0, 9);
    run("absent", 1, 1);
}

static void waiting(void)
{
    int ends[2], pair[2];
    pipe(ends);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    submission(IORING_OP_READ, ends[0], block, 10, 0, 1);
    submission(IORING_OP_POLL_ADD, pair[0], NULL, 0, 0, 2)->poll32_events = POLLIN;
    run("nothing yet", 2, 0);
    write(ends[1], "abc", 3);
    enter(0, 1, IORING_ENTER_GETEVENTS);
    take("after a write");
    write(pair[1], "x", 1);
    enter(0, 1, IORING_ENTER_GETEVENTS);
    take("after another");
    submission(IORING_OP_POLL_ADD, pair[0], NULL, 0, 0, 3)->poll32_events = POLLIN | POLLOUT;
    run("ready at once", 1, 1);
    submission(IORING_OP_RECV, pair[0], block, 10, 0, 4);
    submission(IORING_OP_RECV, pair[0], block, 10, 0, 5);
    submission(IORING_OP_SEND, pair[1], "hello", 5, 0, 6);
    run("recv, recv, send", 3, 3);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    submission(IORING_OP_READ, ends[0], block, 10, 0, 7);
    run("non-blocking", 1, 0);
    write(ends[1], "now", 3);
    enter(0, 1, IORING_ENTER_GETEVENTS), take("waits all the same");
    submission(IORING_OP_RECV, pair[0], block, 10, 0, 70)->msg_flags = MSG_DONTWAIT;
    run("does not wait", 1, 1);
    fcntl(ends[0], F_SETFL, 0);
    int told = eventfd(0, EFD_NONBLOCK);
    SHOW(syscall(SYS_io_uring_register, ring, IORING_REGISTER_EVENTFD, &told, 1));
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 8);
    run("with an eventfd", 1, 1);
    SHOW(read(told, block, 8));
    SHOW(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_EVENTFD, NULL, 0));
    submission(IORING_OP_POLL_ADD, ends[0], NULL, IORING_POLL_ADD_MULTI, 0, 9)->poll32_events = POLLIN;
    run("multishot", 1, 0);
    write(ends[1], "a", 1);
    enter(0, 1, IORING_ENTER_GETEVENTS), take("once");
    read(ends[0], block, 1);
    write(ends[1], "b", 1);
    enter(0, 1, IORING_ENTER_GETEVENTS), take("twice");
    submission(IORING_OP_POLL_REMOVE, -1, (void *)9, 0, 0, 10);
    run("removed", 1, 2);
    submission(IORING_OP_POLL_REMOVE, -1, (void *)9, 0, 0, 11);
    run("removed again", 1, 1);
    read(ends[0], block, 1);
    submission(IORING_OP_READ, ends[0], block, 10, 0, 12);
    run("a read", 1, 0);
    submission(IORING_OP_ASYNC_CANCEL, -1, (void *)12, 0, 0, 13);
    run("cancelled", 1, 2);
    submission(IORING_OP_ASYNC_CANCEL, -1, (void *)12, 0, 0, 14);
    run("cancelled again", 1, 1);
    close(ends[0]), close(ends[1]), close(pair[0]), close(pair[1]);
}

static void chains(void)
{
    int ends[2];
    pipe(ends);
    submission(IORING_OP_WRITE, ends[1], "abc", 3, 0, 1)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_READ, ends[0], block, 3, 0, 2)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 3);
    run("a chain", 3, 3);
    submission(IORING_OP_READ, -1, block, 3, 0, 4)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 5)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 6);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 7);
    run("a broken chain", 4, 4);
    submission(IORING_OP_READ, -1, block, 3, 0, 8)->flags = IOSQE_IO_HARDLINK;
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 9);
    run("a hard link", 2, 2);
    submission(IORING_OP_READ, ends[0], block, 3, 0, 10)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 11);
    run("waits", 2, 0);
    write(ends[1], "a", 1);
    enter(0, 2, IORING_ENTER_GETEVENTS);
    take("a short read breaks it");
    struct __kernel_timespec time = { 0, 1000000 };
    submission(IORING_OP_TIMEOUT, -1, &time, 1, 0, 12);
    run("a time-out", 1, 1);
    submission(IORING_OP_READ, ends[0], block, 3, 0, 13)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_LINK_TIMEOUT, -1, &time, 1, 0, 14);
    long result = enter(2, 2, IORING_ENTER_GETEVENTS);
    unsigned sum = 0, head = *field(params.cq_off.head);
    for (; head != *field(params.cq_off.tail); head++)
        sum += ((struct io_uring_cqe *)(rings + params.cq_off.cqes))[head & (params.cq_entries - 1)].res;
    *field(params.cq_off.head) = head;
    printf("limited %ld %d\n", result, sum == (unsigned)(-ECANCELED - ETIME));
    time.tv_sec = 100;
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 15)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_LINK_TIMEOUT, -1, &time, 1, 0, 16);
    run("in time", 2, 2);
    submission(IORING_OP_TIMEOUT, -1, &time, 1, 1, 17);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 18);
    run("a time-out by count", 2, 2);
    submission(IORING_OP_TIMEOUT, -1, &time, 1, 0, 19);
    submission(IORING_OP_TIMEOUT_REMOVE, -1, (void *)19, 0, 0, 20);
    result = enter(2, 2, IORING_ENTER_GETEVENTS);
    printf("%ld\n", result);
    *field(params.cq_off.head) = *field(params.cq_off.tail);
    submission(IORING_OP_TIMEOUT_REMOVE, -1, (void *)19, 0, 0, 21);
    run("removed again", 1, 1);
    submission(IORING_OP_READ, ends[0], block, 1, 0, 24);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 25)->flags = IOSQE_IO_DRAIN;
    run("drains", 2, 0);
    write(ends[1], "z", 1);
    enter(0, 2, IORING_ENTER_GETEVENTS);
    take("drained");
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 22)->flags = IOSQE_CQE_SKIP_SUCCESS;
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 23);
    run("not told", 2, 1);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 26)->flags = IOSQE_IO_DRAIN;
    run("cannot drain any more", 1, 1);
    submission(IORING_OP_WRITE, ends[1], "abc", 3, 0, 27)->flags = IOSQE_IO_LINK;
    submission(IORING_OP_READ, ends[0], block, 3, 0, 28);
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 29);
    run("a chain and another", 3, 3);
    struct __kernel_timespec soon = { 0, 2000000 };
    struct io_uring_getevents_arg argument = { .ts = (unsigned long)&soon };
    SHOW(syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof argument));
    SHOW(syscall(SYS_io_uring_enter, ring, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, 8));
    close(ends[0]), close(ends[1]);
}

static void sockets(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 4);
    getsockname(listener, (struct sockaddr *)&address, &length);
    submission(IORING_OP_ACCEPT, listener, NULL, 0, 0, 1);
    enter(1, 0, 0);
    submission(IORING_OP_CONNECT, client, &address, 0, sizeof address, 2);
    enter(1, 2, IORING_ENTER_GETEVENTS);
    int server = -1, results = 0;
    for (unsigned head = *field(params.cq_off.head); head != *field(params.cq_off.tail); head++) {
        struct io_uring_cqe *done = (struct io_uring_cqe *)(rings + params.cq_off.cqes) + (head & (params.cq_entries - 1));
        if (done->user_data == 1)
            server = done->res;
        else
            printf("connected %d\n", done->res);
        results++;
    }
    *field(params.cq_off.head) = *field(params.cq_off.tail);
    printf("results %d server %d\n", results, server >= 0);
    submission(IORING_OP_RECV, server, block, 100, 0, 3);
    enter(1, 0, 0);
    struct iovec part = { "by message", 10 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    submission(IORING_OP_SENDMSG, client, &message, 1, 0, 4);
    enter(1, 2, IORING_ENTER_GETEVENTS);
    unsigned sum = 0;
    for (unsigned head = *field(params.cq_off.head); head != *field(params.cq_off.tail); head++)
        sum += ((struct io_uring_cqe *)(rings + params.cq_off.cqes))[head & (params.cq_entries - 1)].res;
    *field(params.cq_off.head) = *field(params.cq_off.tail);
    printf("sent and received %u %.10s\n", sum, block);
    submission(IORING_OP_SHUTDOWN, client, NULL, SHUT_WR, 0, 5);
    run("shutdown", 1, 1);
    submission(IORING_OP_RECV, server, block, 100, 0, 6);
    run("the end", 1, 1);
    submission(IORING_OP_SEND, -1, block, 100, 0, 7);
    submission(IORING_OP_SEND, 1, block, 100, 0, 8);
    run("no sockets", 2, 2);
    close(server), close(client), close(listener);
}

static void overflow(void)
{
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 8; i++)
            submission(IORING_OP_NOP, 0, NULL, 0, 0, round * 8 + i);
        SHOW(enter(8, 0, 0));
    }
    printf("overflow flag %d\n", (*field(params.sq_off.flags) & IORING_SQ_CQ_OVERFLOW) != 0);
    for (int i = 0; i < 4; i++) {
        take("part");
        SHOW(enter(0, 0, IORING_ENTER_GETEVENTS));
    }
    printf("overflow flag %d\n", (*field(params.sq_off.flags) & IORING_SQ_CQ_OVERFLOW) != 0);
    int set = epoll_create1(0);
    struct epoll_event event = { EPOLLIN, { .u64 = 5 } };
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, ring, &event));
    SHOW(epoll_wait(set, &event, 1, 0));
    submission(IORING_OP_NOP, 0, NULL, 0, 0, 100);
    enter(1, 0, 0);
    SHOW(epoll_wait(set, &event, 1, 0));
    take("told by epoll");
    close(set);
}

int main(void)
{
    settingUp();
    transfers();
    names();
    waiting();
    chains();
    sockets();
    overflow();
    close(ring);
    return 0;
}
