// Pages on several nodes of memory: needs a machine with two (viv run --numa-nodes 2).
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "check.h"

#define PAGE 4096ul

static long policy(int mode, unsigned long nodes)
{
    return syscall(SYS_set_mempolicy, mode, &nodes, 64);
}

static long bindTo(void *start, unsigned long pages, int mode, unsigned long nodes, unsigned flags)
{
    return syscall(SYS_mbind, start, pages * PAGE, mode, &nodes, 64, flags);
}

static char *fresh(unsigned long pages, int flags)
{
    return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
}

// The nodes of pages, '.' for those that are not there, '!' for what move_pages cannot tell.
static void tell(const char *what, char *start, int pages)
{
    printf("%s ", what);
    for (int i = 0; i < pages; i++)
    {
        void *page = start + i * PAGE;
        int status = 77;
        syscall(SYS_move_pages, 0, 1, &page, NULL, &status, 0);
        putchar(status >= 0 ? '0' + status : status == -ENOENT ? '.' : '!');
    }
    putchar('\n');
}

static void touch(char *start, int pages)
{
    for (int i = 0; i < pages; i++)
        start[i * PAGE] = 1;
}

static void placing(void)
{
    char *area = fresh(6, MAP_PRIVATE);
    touch(area, 1);
    SHOW(policy(MPOL_BIND, 2));
    touch(area, 2);
    SHOW(policy(MPOL_INTERLEAVE, 3));
    touch(area, 5);
    SHOW(policy(MPOL_DEFAULT, 0));
    tell("placed", area, 6);
    SHOW(bindTo(area, 6, MPOL_PREFERRED, 2, 0));
    touch(area, 6);
    tell("preferred", area, 6);
    SHOW(bindTo(area, 6, MPOL_BIND, 2, MPOL_MF_STRICT));
    SHOW(bindTo(area, 6, MPOL_BIND, 2, MPOL_MF_STRICT | MPOL_MF_MOVE));
    tell("moved", area, 6);
    SHOW(bindTo(area, 4, MPOL_INTERLEAVE, 3, MPOL_MF_MOVE));
    madvise(area + PAGE, PAGE, MADV_DONTNEED);
    tell("given back", area, 6);
    char *other = mremap(area, 6 * PAGE, 12 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 64 * PAGE);
    tell("elsewhere", other, 7);
    munmap(other, 12 * PAGE);
    SHOW(policy(MPOL_BIND, 4));
    SHOW(policy(MPOL_BIND | MPOL_F_RELATIVE_NODES, 8));
    char *relative = fresh(1, MAP_PRIVATE);
    touch(relative, 1);
    tell("relative", relative, 1);
    SHOW(policy(MPOL_DEFAULT, 0));
}

static void moving(void)
{
    char *area = fresh(4, MAP_PRIVATE);
    touch(area, 3);
    printf("%d\n", area[3 * PAGE]);
    void *pages[] = { area, area + PAGE, area + 3 * PAGE, area + 512 * 1024 * PAGE };
    int nodes[] = { 1, 0, 1, 1 }, status[4] = { 9, 9, 9, 9 };
    SHOW(syscall(SYS_move_pages, 0, 4, pages, nodes, status, MPOL_MF_MOVE));
    printf("%d %d %d %d\n", status[0], status[1], status[2], status[3]);
    nodes[0] = 2;
    SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
    unsigned long from = 3, to = 2;
    SHOW(syscall(SYS_migrate_pages, 0, 64, &from, &to));
    tell("migrated", area, 4);
    from = 2, to = 1;
    SHOW(syscall(SYS_migrate_pages, 0, 64, &from, &to));
    tell("and back", area, 4);
    to = 4;
    SHOW(syscall(SYS_migrate_pages, 0, 64, &from, &to));
    char *shared = fresh(2, MAP_SHARED);
    touch(shared, 2);
    nodes[0] = 1;
    fflush(stdout);
    if (fork() == 0)
    {
        pages[0] = shared;
        SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
        printf("%d\n", status[0]);
        SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE_ALL));
        _exit(0);
    }
    wait(NULL);
    tell("shared", shared, 2);
}

int main(void)
{
    unsigned long mask = 0;
    SHOW(syscall(SYS_get_mempolicy, NULL, &mask, 64, NULL, MPOL_F_MEMS_ALLOWED));
    printf("%lx\n", mask);
    placing();
    moving();
    char *homed = fresh(1, MAP_PRIVATE);
    SHOW(bindTo(homed, 1, MPOL_BIND, 3, 0));
    SHOW(syscall(450, homed, PAGE, 1, 0));
    touch(homed, 1);
    tell("home", homed, 1);
    SHOW(syscall(450, homed, PAGE, 2, 0));
    fflush(stdout);
    return system("cat /sys/devices/system/node/online /sys/devices/system/node/node1/distance; grep Mems_allowed /proc/self/status; grep -c 'default.*N0=' /proc/self/numa_maps > /dev/null && echo maps");
}
