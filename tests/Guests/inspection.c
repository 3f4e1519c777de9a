// What the system tells of a process's memory and of IPC's objects: PROCMAP_QUERY, /proc/PID/pagemap, coredump_filter, shmctl's and msgctl's structures.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "check.h"

// struct procmap_query of Linux 6.11's linux/fs.h, which headers may be older than.
struct query
{
    uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};

#define QUERY _IOWR(0x66, 17, struct query)
enum { READABLE = 1, WRITABLE = 2, EXECUTABLE = 4, SHARED = 8, OR_NEXT = 16, FILE_BACKED = 32 };

static const size_t page = 4096;
static char name[4096];

// Asks for a mapping and prints what there is to say of it, by distances from a known place.
static void ask(int maps, const char *what, char *address, uint64_t flags, char *origin)
{
    struct query query = { .size = sizeof query, .query_flags = flags, .query_addr = (uint64_t)address, .vma_name_addr = (uint64_t)name, .vma_name_size = sizeof name };
    memset(name, 0, sizeof name);
    if (show(what, ioctl(maps, QUERY, &query)) != 0)
        return;
    printf("    %+ld to %+ld flags %lx page %lu offset %lu name %u %s\n", (long)(query.vma_start - (uint64_t)origin) / 4096, (long)(query.vma_end - (uint64_t)origin) / 4096,
        query.vma_flags, query.vma_page_size, query.vma_offset, query.vma_name_size, name);
}

static void queries(void)
{
    int maps = open("/proc/self/maps", O_RDONLY), file = open("mapped", O_RDWR | O_CREAT, 0600);
    ftruncate(file, 4 * page);
    // Eleven pages: hole, rw, r, hole, shared file from its second page, hole.
    char *base = mmap(NULL, 11 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(base, 11 * page);
    mmap(base + page, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap(base + 3 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap(base + 6 * page, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, page);
    mmap(base + 9 * page, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, file, 0);
    ask(maps, "in the middle", base + 2 * page + 5, 0, base);
    ask(maps, "readable only", base + 3 * page, 0, base);
    ask(maps, "in a hole", base + 4 * page, 0, base);
    ask(maps, "in a hole or next", base + 4 * page, OR_NEXT, base);
    ask(maps, "writable or next", base + 3 * page, OR_NEXT | WRITABLE, base);
    ask(maps, "writable", base + 3 * page, WRITABLE, base);
    ask(maps, "executable or next", base + page, OR_NEXT | EXECUTABLE, base);
    ask(maps, "shared or next", base + page, OR_NEXT | SHARED, base);
    ask(maps, "of a file or next", base + page, OR_NEXT | FILE_BACKED, base);
    ask(maps, "of a file", base + page, FILE_BACKED, base);
    ask(maps, "unknown flag", base + page, 64, base);
    ask(maps, "beyond all", (char *)0xffffffffffffe000, 0, base);

    struct query query = { .size = sizeof query, .query_addr = (uint64_t)base + 6 * page };
    SHOW(ioctl(maps, QUERY, &query));
    query.query_addr = (uint64_t)base + page;
    SHOW(ioctl(maps, QUERY, &query));
    printf("inode %lu device %u:%u\n", query.inode, query.dev_major, query.dev_minor);
    query.vma_name_addr = (uint64_t)name;
    SHOW(ioctl(maps, QUERY, &query));
    query.vma_name_size = 3, query.query_addr = (uint64_t)base + 6 * page;
    SHOW(ioctl(maps, QUERY, &query));
    query.vma_name_size = sizeof name, query.vma_name_addr = 1;
    SHOW(ioctl(maps, QUERY, &query));
    query.vma_name_addr = query.vma_name_size = 0;
    query.size = 23;
    SHOW(ioctl(maps, QUERY, &query));
    query.size = 24;
    SHOW(ioctl(maps, QUERY, &query));
    query.size = 4097;
    SHOW(ioctl(maps, QUERY, &query));
    struct { struct query query; uint64_t more; } longer = { .query = { .size = sizeof longer, .query_addr = (uint64_t)base + page } };
    SHOW(ioctl(maps, QUERY, &longer));
    longer.more = 1;
    SHOW(ioctl(maps, QUERY, &longer));
    SHOW(ioctl(maps, QUERY, (char *)8));
    SHOW(ioctl(file, QUERY, &query));
    close(maps);
    close(file);
    unlink("mapped");
}

// Present, swapped, of a file or shared. The number of the frame is the superuser's to know.
static void pages(int map, const char *what, char *at, int count)
{
    uint64_t words[8];
    printf("%s:", what);
    long size = pread(map, words, count * 8, (uint64_t)at / page * 8);
    for (int i = 0; i < size / 8; i++)
        printf(" %d%d%d", (int)(words[i] >> 63), (int)(words[i] >> 62 & 1), (int)(words[i] >> 61 & 1));
    printf(size < 0 ? " %s\n" : "\n", strerrorname_np(errno));
    fflush(stdout);
}

static void page_map(void)
{
    int map = open("/proc/self/pagemap", O_RDONLY), file = memfd_create("file", 0), ready[2];
    uint64_t word;
    volatile char sink;
    char *own = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(own, 4 * page, MADV_NOHUGEPAGE);
    own[0] = 1, own[2 * page] = 1;
    sink = own[3 * page];
    pages(map, "own", own, 4);
    ftruncate(file, 4 * page);
    char *shared = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    pages(map, "not touched", shared, 2);
    shared[0] = 1;
    pages(map, "touched", shared, 1);
    char *copy = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    copy[0] = 2;
    pages(map, "a copy", copy, 1);
    pipe(ready);
    if (fork() == 0)
    {
        int mine = open("/proc/self/pagemap", O_RDONLY);
        pages(mine, "of a child", own, 1);
        own[0] = 2;
        pages(mine, "written by a child", own, 1);
        pages(mine, "the other", own + 2 * page, 1);
        exit(0);
    }
    wait(NULL);
    pages(map, "after it", own, 3);
    madvise(own, page, MADV_DONTNEED);
    pages(map, "given back", own, 1);
    munmap(own, 4 * page);
    pages(map, "unmapped", own, 2);
    SHOW(pread(map, &word, 7, 0));
    SHOW(pread(map, &word, 8, 4));
    SHOW(pread(map, &word, 8, (1ul << 47) / page * 8));
    SHOW(lseek(map, 0, SEEK_END));
    SHOW(lseek(map, 16, SEEK_SET));
    SHOW(read(map, &word, 8));
    SHOW(lseek(map, 0, SEEK_CUR));
    SHOW(write(map, &word, 8));
    close(map);
}

static void put(const char *text)
{
    int file = open("/proc/self/coredump_filter", O_RDWR);
    long written = write(file, text, strlen(text));
    char now[20] = "";
    lseek(file, 0, SEEK_SET);
    read(file, now, sizeof now - 1);
    printf("coredump_filter %s: %s, now %s", text, written < 0 ? strerrorname_np(errno) : "written", now);
    fflush(stdout);
    close(file);
}

static void dumps(void)
{
    struct stat status;
    stat("/proc/self/coredump_filter", &status);
    printf("mode %o size %ld\n", status.st_mode, (long)status.st_size);
    put("0x33");
    put("7");
    put("0x1ff\n");
    put("0777");
    put("0x1ffffffff");
    put("x");
    put("-1");
    put("12 13");
    put("0x15");
    if (fork() == 0)
    {
        put("x");
        exit(0);
    }
    wait(NULL);
}

static void segments(void)
{
    struct shminfo limits;
    struct shm_info use;
    struct shmid_ds status;
    SHOW(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits));
    printf("shmmax %lu shmmin %lu shmmni %lu shmseg %lu shmall %lu\n", limits.shmmax, limits.shmmin, limits.shmmni, limits.shmseg, limits.shmall);
    int one = shmget(IPC_PRIVATE, 5000, 0600), two = shmget(0x1234, 3 * page, 0640 | IPC_CREAT);
    char *at = shmat(two, NULL, 0);
    at[0] = at[page] = 1;
    SHOW(shmctl(0, SHM_INFO, (struct shmid_ds *)&use));
    printf("used %d pages %lu resident %lu swapped %lu attempts %lu successes %lu\n", use.used_ids, use.shm_tot, use.shm_rss, use.shm_swp, use.swap_attempts, use.swap_successes);
    SHOW(shmctl(0, IPC_INFO, (struct shmid_ds *)&limits));
    for (int i = -1; i < 3; i++)
    {
        memset(&status, 0, sizeof status);
        long found = show("SHM_STAT", shmctl(i, SHM_STAT, &status));
        if (found >= 0)
            printf("    key %x mode %o size %lu attached %lu last %d id %d\n", status.shm_perm.__key, status.shm_perm.mode, status.shm_segsz, status.shm_nattch,
                status.shm_lpid == getpid(), found == one ? 1 : found == two ? 2 : 0);
        SHOW(shmctl(i, SHM_STAT_ANY, &status) >= 0);
    }
    SHOW(shmctl(two, SHM_LOCK, NULL));
    shmctl(two, IPC_STAT, &status);
    printf("mode %o\n", status.shm_perm.mode);
    SHOW(shmctl(two, SHM_UNLOCK, NULL));
    SHOW(shmctl(two, IPC_RMID, NULL));
    shmctl(two, IPC_STAT, &status);
    printf("mode %o key %x\n", status.shm_perm.mode, status.shm_perm.__key);
    SHOW(shmdt(at));
    SHOW(shmctl(two, IPC_STAT, &status));
    SHOW(shmctl(one, IPC_RMID, NULL));
    SHOW(shmctl(0, SHM_INFO, (struct shmid_ds *)1));
}

static void messages(void)
{
    struct msginfo info;
    struct msqid_ds status;
    struct { long type; char text[20]; } message = { 1, "message" };
    SHOW(msgctl(0, IPC_INFO, (struct msqid_ds *)&info));
    printf("pool %d map %d max %d mnb %d mni %d ssz %d tql %d seg %d\n", info.msgpool, info.msgmap, info.msgmax, info.msgmnb, info.msgmni, info.msgssz, info.msgtql, info.msgseg);
    int one = msgget(IPC_PRIVATE, 0600), two = msgget(0x4321, 0640 | IPC_CREAT);
    msgsnd(two, &message, 20, 0);
    msgsnd(two, &message, 7, 0);
    SHOW(msgctl(0, MSG_INFO, (struct msqid_ds *)&info));
    printf("queues %d messages %d bytes %d\n", info.msgpool, info.msgmap, info.msgtql);
    for (int i = -1; i < 3; i++)
    {
        memset(&status, 0, sizeof status);
        long found = show("MSG_STAT", msgctl(i, MSG_STAT, &status));
        if (found >= 0)
            printf("    key %x mode %o messages %lu bytes %lu most %lu sender %d receiver %d id %d\n", status.msg_perm.__key, status.msg_perm.mode, status.msg_qnum,
                status.__msg_cbytes, status.msg_qbytes, status.msg_lspid == getpid(), status.msg_lrpid, found == one ? 1 : found == two ? 2 : 0);
        SHOW(msgctl(i, MSG_STAT_ANY, &status) >= 0);
    }
    SHOW(msgctl(one, IPC_RMID, NULL));
    SHOW(msgctl(two, IPC_RMID, NULL));
    SHOW(msgctl(two, IPC_STAT, &status));
}

// Files of tmpfs have no places on a device.
static void extents(void)
{
    struct { struct fiemap map; struct fiemap_extent extents[4]; } asked = { .map = { .fm_length = -1, .fm_extent_count = 4 } };
    int file = memfd_create("file", 0), pipes[2], block = 0;
    ftruncate(file, 4 * page);
    pipe(pipes);
    SHOW(ioctl(file, FS_IOC_FIEMAP, &asked));
    SHOW(ioctl(file, FS_IOC_FIEMAP, (char *)1));
    SHOW(ioctl(pipes[0], FS_IOC_FIEMAP, &asked));
    SHOW(ioctl(file, FIBMAP, &block));
    SHOW(ioctl(open("/proc/self/maps", O_RDONLY), FS_IOC_FIEMAP, &asked));
}

int main(void)
{
    // Of its own, in which nobody else has objects.
    if (unshare(CLONE_NEWIPC) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWIPC) != 0)
        die("unshare");
    queries();
    page_map();
    dumps();
    segments();
    messages();
    extents();
}
