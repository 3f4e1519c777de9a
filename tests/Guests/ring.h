// io_uring(7) by its raw calls: one ring, its submissions, and what completed.
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "check.h"

static int ring;
static struct io_uring_params params;
static char *rings;
static struct io_uring_sqe *entries;
static char block[100000];

static unsigned *field(unsigned offset) { return (unsigned *)(rings + offset); }

static int setUp(unsigned count, unsigned flags)
{
    memset(&params, 0, sizeof params);
    params.flags = flags;
    ring = syscall(SYS_io_uring_setup, count, &params);
    if (ring < 0)
        return -1;
    size_t size = params.sq_off.array + params.sq_entries * 4;
    rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    entries = mmap(NULL, params.sq_entries * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    return rings == MAP_FAILED || entries == MAP_FAILED ? -1 : 0;
}

static struct io_uring_sqe *submission(int opcode, int fd, const void *address, unsigned length, unsigned long long offset, unsigned long long data)
{
    unsigned tail = *field(params.sq_off.tail), index = tail & (params.sq_entries - 1);
    struct io_uring_sqe *entry = &entries[index];
    memset(entry, 0, sizeof *entry);
    entry->opcode = opcode, entry->fd = fd, entry->addr = (unsigned long)address, entry->len = length, entry->off = offset, entry->user_data = data;
    field(params.sq_off.array)[index] = index;
    *field(params.sq_off.tail) = tail + 1;
    return entry;
}

static long enter(unsigned count, unsigned least, unsigned flags) { return syscall(SYS_io_uring_enter, ring, count, least, flags, NULL, 0); }

static void take(const char *what)
{
    printf("%s:", what);
    unsigned head = *field(params.cq_off.head);
    for (; head != *(volatile unsigned *)field(params.cq_off.tail); head++) {
        struct io_uring_cqe *done = (struct io_uring_cqe *)(rings + params.cq_off.cqes) + (head & (params.cq_entries - 1));
        if (done->res < 0)
            printf(" %llu:%s:%x", done->user_data, strerrorname_np(-done->res), done->flags & ~IORING_CQE_F_SOCK_NONEMPTY);
        else
            printf(" %llu:%d:%x", done->user_data, done->res, done->flags & ~IORING_CQE_F_SOCK_NONEMPTY);
    }
    *field(params.cq_off.head) = head;
    printf("\n");
    fflush(stdout);
}

static void run(const char *what, unsigned count, unsigned least)
{
    long result = enter(count, least, IORING_ENTER_GETEVENTS);
    printf("%s ", result == -1 ? strerrorname_np(errno) : "ok");
    printf("%ld ", result);
    take(what);
}
