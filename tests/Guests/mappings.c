// Random programs of mapping calls, told step by step: results, and a digest of what every page of a small arena holds and allows.
// usage: mappings SEED STEPS
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "check.h"

enum { Pages = 32, PageSize = 4096, FilePages = 6 };

static uint64_t state;
static char *arena;
static int file, channel[2], depth;
static uint64_t nextValue = 1;

static unsigned below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 20) % limit;
}

static char *place(unsigned page)
{
    return arena + (size_t)page * PageSize;
}

// Reads through the kernel, which tells of faults without a signal.
static int canRead(const char *from, uint64_t *value)
{
    if (write(channel[1], from, sizeof *value) != sizeof *value)
        return 0;
    return read(channel[0], value, sizeof *value) == sizeof *value;
}

static int canWrite(char *to, uint64_t value)
{
    if (write(channel[1], &value, sizeof value) != sizeof value)
        die("pipe");
    if (read(channel[0], to, sizeof value) == sizeof value)
        return 1;
    if (read(channel[0], &value, sizeof value) != sizeof value)
        die("pipe");
    return 0;
}

static uint64_t digest(void)
{
    uint64_t hash = 14695981039346656037u;
    for (unsigned page = 0; page < Pages; page++) {
        uint64_t first = 0, last = 0;
        int readable = canRead(place(page), &first) | canRead(place(page) + PageSize - 8, &last) << 1;
        unsigned char resident;
        int mapped = mincore(place(page), PageSize, &resident) == 0;
        hash = (hash ^ (first + last * 31 + readable * 7 + mapped)) * 1099511628211u;
    }
    return hash;
}

static void result(const char *what, long value)
{
    printf(" %s %s", what, value == -1 ? strerrorname_np(errno) : "ok");
}

static void step(unsigned number);

static void forks(unsigned number)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        depth++;
        for (unsigned i = 0; i < 4; i++)
            step(number * 100 + i);
        printf("child ends %016lx\n", digest());
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf(" forked %x", status);
}

static void step(unsigned number)
{
    static const int protections[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC };
    unsigned start = below(Pages), count = 1 + below(Pages - start < 8 ? Pages - start : 8);
    size_t length = (size_t)count * PageSize;
    int protection = protections[below(5)];
    printf("%u: %u+%u", number, start, count);
    switch (below(16)) {
    case 0:
        result("private", (long)mmap(place(start), length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        break;
    case 1:
        result("shared", (long)mmap(place(start), length, protection, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        break;
    case 2:
        result("file", (long)mmap(place(start), length, protection, (below(2) ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, file, below(FilePages + 1) * PageSize));
        break;
    case 3:
        result("noreplace", (long)mmap(place(start), length, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
        break;
    case 4:
        result("munmap", munmap(place(start), length));
        break;
    case 5:
    case 6:
        result("mprotect", mprotect(place(start), length, protection));
        break;
    case 7:
        result("grow", (long)mremap(place(start), PageSize, 2 * PageSize, 0));
        break;
    case 8:
        result("move", (long)mremap(place(start), PageSize, (size_t)(1 + below(4)) * PageSize, MREMAP_MAYMOVE | MREMAP_FIXED, place(below(Pages - 4))));
        break;
    case 9:
        result("shrink", (long)mremap(place(start), length, PageSize, 0));
        break;
    case 10:
        result("dontneed", madvise(place(start), length, MADV_DONTNEED));
        break;
    case 11:
        result("wipe", madvise(place(start), length, below(2) ? MADV_WIPEONFORK : MADV_KEEPONFORK));
        break;
    case 12:
        result("dontfork", madvise(place(start), length, below(2) ? MADV_DONTFORK : MADV_DOFORK));
        break;
    case 13:
        result("msync", msync(place(start), length, MS_SYNC));
        if (depth == 0 && below(2))
            forks(number);
        break;
    case 14: {
        static const int advices[] = { MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_REMOVE, MADV_FREE };
        int advice = advices[below(6)];
        result("advice", madvise(place(start), length, advice));
        printf(" (%d)", advice);
        break;
    }
    default:
        for (unsigned page = start; page < start + count; page++, nextValue++)
            putchar(canWrite(place(page), nextValue) & canWrite(place(page) + PageSize - 8, ~nextValue) ? 'w' : '-');
        break;
    }
    printf(" %016lx\n", digest());
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    state = strtoull(argv[1], NULL, 0) * 0x9E3779B97F4A7C15u + 1;
    arena = mmap(NULL, (size_t)(Pages + 16) * PageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    file = memfd_create("mappings", 0);
    if (arena == MAP_FAILED || file < 0 || pipe2(channel, O_NONBLOCK) != 0 || ftruncate(file, FilePages * PageSize) != 0)
        die("set-up");
    munmap(arena, (size_t)(Pages + 16) * PageSize);
    for (unsigned page = 0; page < FilePages; page++) {
        uint64_t value = 1000 + page;
        if (pwrite(file, &value, sizeof value, page * PageSize) != sizeof value)
            die("pwrite");
    }
    unsigned steps = (unsigned)atoi(argv[2]);
    for (unsigned i = 0; i < steps; i++)
        step(i);
    return 0;
}
