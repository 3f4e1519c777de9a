// Asynchronous I/O of the kernel's own kind (io_setup(2) and its kin), by raw calls.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include "check.h"

static aio_context_t context;
static char block[100];

static void take(const char *what, long least)
{
    struct io_event events[8];
    struct timespec none = { 0, 0 };
    long got = syscall(SYS_io_getevents, context, least, 8, events, least != 0 ? NULL : &none);
    printf("%s %ld:", what, got);
    // POLLRDNORM comes with POLLIN or not, as it was waited for or found.
    for (int i = 0; i < got; i++)
        printf(" %llu:%lld", events[i].data, events[i].data == 5 ? events[i].res & POLLIN : events[i].res);
    printf("\n");
}

static long submit(int operation, int file, void *buffer, long length, long offset, int data, struct iocb *request)
{
    memset(request, 0, sizeof *request);
    request->aio_lio_opcode = operation, request->aio_fildes = file, request->aio_buf = (unsigned long)buffer;
    request->aio_nbytes = length, request->aio_offset = offset, request->aio_data = data;
    return syscall(SYS_io_submit, context, 1, &request);
}

int main(void)
{
    struct iocb one, two, three;
    struct io_event event;
    SHOW(syscall(SYS_io_setup, 0, &context));
    SHOW(syscall(SYS_io_setup, 8, &context));
    SHOW(syscall(SYS_io_setup, 8, &context));
    int file = open("aio", O_CREAT | O_RDWR | O_TRUNC, 0600);
    SHOW(submit(IOCB_CMD_PWRITE, file, "hello", 5, 0, 1, &one));
    take("write", 1);
    SHOW(submit(IOCB_CMD_PREAD, file, block, 100, 1, 2, &one));
    take("read", 1);
    printf("%s\n", block);
    SHOW(submit(IOCB_CMD_FSYNC, file, 0, 0, 0, 3, &one));
    take("fsync", 1);
    SHOW(submit(77, file, 0, 0, 0, 3, &one));
    SHOW(submit(IOCB_CMD_PREAD, -1, block, 1, 0, 3, &one));
    SHOW(submit(IOCB_CMD_PREAD, file, (void *)8, 1, 0, 4, &one));
    take("fault", 1);
    int ends[2];
    pipe(ends);
    SHOW(submit(IOCB_CMD_POLL, ends[0], (void *)POLLIN, 0, 0, 5, &two));
    take("none", 0);
    write(ends[1], "x", 1);
    take("polled", 1);
    read(ends[0], block, 1);
    SHOW(submit(IOCB_CMD_POLL, ends[0], (void *)POLLIN, 0, 0, 6, &two));
    SHOW(syscall(SYS_io_cancel, context, &two, &event));
    SHOW(syscall(SYS_io_cancel, context, &one, &event));
    int told = eventfd(0, EFD_NONBLOCK);
    three = (struct iocb){ .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = file, .aio_buf = (long)block, .aio_nbytes = 5, .aio_data = 7,
        .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = told };
    struct iocb *list = &three;
    SHOW(syscall(SYS_io_submit, context, 1, &list));
    SHOW(read(told, block, 8));
    SHOW(syscall(SYS_io_getevents, context, 2, 1, &event, NULL));
    SHOW(syscall(SYS_io_destroy, context));
    SHOW(syscall(SYS_io_destroy, context));
    SHOW(syscall(SYS_io_submit, context, 0, NULL));
    unlink("aio");
    return 0;
}
