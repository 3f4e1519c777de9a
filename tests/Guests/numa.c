// Memory policies on one node, and who shares what (kcmp).
#define _GNU_SOURCE
#include <linux/kcmp.h>
#include <linux/mempolicy.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "check.h"

static unsigned long mask[16];
static int mode;

static long set(int policy, unsigned long nodes, unsigned long count)
{
    mask[0] = nodes;
    return syscall(SYS_set_mempolicy, policy, mask, count);
}

static long get(void *address, unsigned long flags)
{
    mode = -1;
    memset(mask, 0, sizeof mask);
    long result = syscall(SYS_get_mempolicy, &mode, mask, 1024, address, flags);
    printf("mode %x nodes %lx ", mode, mask[0]);
    return result;
}

static long bindTo(void *start, unsigned long length, int policy, unsigned long nodes, unsigned flags)
{
    mask[0] = nodes;
    return syscall(SYS_mbind, start, length, policy, mask, 64, flags);
}

static void policies(void)
{
    SHOW(get(NULL, 0));
    SHOW(get(NULL, MPOL_F_MEMS_ALLOWED));
    SHOW(get(NULL, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE));
    SHOW(get(NULL, 8));
    SHOW(get(&mode, 0));
    SHOW(get((void *)8, MPOL_F_ADDR));
    SHOW(get(&mode, MPOL_F_ADDR | MPOL_F_NODE));
    SHOW(get(NULL, MPOL_F_NODE));
    SHOW(syscall(SYS_get_mempolicy, NULL, mask, 0, NULL, 0));
    SHOW(syscall(SYS_get_mempolicy, (void *)8, NULL, 0, NULL, 0));
    SHOW(set(MPOL_BIND, 1, 64));
    SHOW(get(NULL, 0));
    SHOW(set(MPOL_BIND, 0, 64));
    SHOW(set(MPOL_BIND, 2, 64));
    SHOW(set(MPOL_BIND | MPOL_F_STATIC_NODES, 3, 64));
    SHOW(get(NULL, 0));
    SHOW(set(MPOL_INTERLEAVE, 1, 64));
    SHOW(get(NULL, MPOL_F_NODE));
    SHOW(set(MPOL_PREFERRED, 0, 64));
    SHOW(get(NULL, 0));
    SHOW(set(MPOL_PREFERRED | MPOL_F_RELATIVE_NODES, 4, 64));
    SHOW(get(NULL, 0));
    SHOW(set(MPOL_LOCAL, 1, 64));
    SHOW(set(MPOL_LOCAL, 0, 64));
    SHOW(set(99, 0, 64));
    SHOW(set(MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, 1, 64));
    SHOW(set(MPOL_DEFAULT, 1, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, (void *)8, 64));
    SHOW(syscall(SYS_set_mempolicy, MPOL_BIND, mask, 1000000));
    SHOW(set(MPOL_DEFAULT, 0, 0));

    char *area = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    area[0] = 1;
    SHOW(bindTo(area, 2 * 4096, MPOL_BIND, 1, MPOL_MF_MOVE));
    SHOW(get(area + 4096, MPOL_F_ADDR));
    SHOW(get(area + 2 * 4096, MPOL_F_ADDR));
    SHOW(syscall(SYS_set_mempolicy_home_node, area, 4096, 0, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, area + 4 * 4096, 4096, 0, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, area, 4096, 0, 1));
    SHOW(syscall(SYS_set_mempolicy_home_node, area, 4096, 900, 0));
    SHOW(bindTo(area, 4096, MPOL_INTERLEAVE, 1, 0));
    SHOW(syscall(SYS_set_mempolicy_home_node, area, 4096, 0, 0));
    SHOW(bindTo(area + 1, 4096, MPOL_BIND, 1, 0));
    SHOW(bindTo(area, 0, MPOL_BIND, 1, 0));
    SHOW(bindTo(area, 4096, MPOL_BIND, 1, 64));
    SHOW(bindTo(area, 4096, MPOL_DEFAULT, 0, MPOL_MF_STRICT));
    SHOW(get(area, MPOL_F_ADDR));
    munmap(area + 4 * 4096, 4096);
    SHOW(bindTo(area + 3 * 4096, 3 * 4096, MPOL_BIND, 1, 0));

    void *pages[3] = { area, area + 4096, area + 4 * 4096 };
    int status[3] = { 9, 9, 9 }, nodes[3] = { 0, 0, 0 };
    SHOW(syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0));
    printf("status %d %d %d\n", status[0], status[1], status[2]);
    SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
    printf("status %d\n", status[0]);
    nodes[0] = 5000;
    SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, MPOL_MF_MOVE));
    SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, 1));
    SHOW(syscall(SYS_move_pages, 99999999, 1, pages, NULL, status, 0));
    mask[0] = 1;
    SHOW(syscall(SYS_migrate_pages, 0, 64, mask, mask));
    SHOW(syscall(SYS_migrate_pages, 99999999, 64, mask, mask));
    SHOW(syscall(SYS_migrate_pages, 0, 64, (void *)8, mask));
}

static long compare(pid_t one, pid_t other, int type, unsigned long first, unsigned long second)
{
    long result = syscall(SYS_kcmp, one, other, type, first, second);
    return result > 0 ? 7 : result;
}

static void *thread(void *argument)
{
    pid_t self = gettid(), other = getpid();
    for (int type = KCMP_VM; type <= KCMP_SYSVSEM; type++)
        printf("threads share %d: %ld\n", type, compare(self, other, type, 0, 0));
    return NULL;
}

static void comparisons(void)
{
    pid_t self = getpid();
    int file = open("/dev/null", O_RDONLY), copy = dup(file), another = open("/dev/null", O_RDONLY);
    SHOW(compare(self, self, KCMP_FILE, file, copy));
    SHOW(compare(self, self, KCMP_FILE, file, another));
    int order = syscall(SYS_kcmp, self, self, KCMP_FILE, file, another), reverse = syscall(SYS_kcmp, self, self, KCMP_FILE, another, file);
    printf("opposite orders %d\n", order + reverse == 3 && order != reverse);
    SHOW(compare(self, self, KCMP_FILE, 99, file));
    SHOW(compare(self, 99999999, KCMP_VM, 0, 0));
    SHOW(compare(self, self, 99, 0, 0));
    int pipes[2], epoll = epoll_create1(0);
    pipe(pipes);
    struct epoll_event event = { EPOLLIN };
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event);
    struct kcmp_epoll_slot slot = { epoll, pipes[0], 0 };
    SHOW(compare(self, self, KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot));
    SHOW(compare(self, self, KCMP_EPOLL_TFD, pipes[1], (unsigned long)&slot));
    slot.toff = 1;
    SHOW(compare(self, self, KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot));
    slot.efd = pipes[0];
    SHOW(compare(self, self, KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot));
    SHOW(compare(self, self, KCMP_EPOLL_TFD, pipes[0], 8));
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    pid_t child = fork();
    if (child == 0) {
        SHOW(compare(getpid(), getppid(), KCMP_FILE, file, file));
        for (int type = KCMP_VM; type <= KCMP_SYSVSEM; type++)
            printf("processes share %d: %ld\n", type, compare(getpid(), getppid(), type, 0, 0));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

int main(void)
{
    policies();
    comparisons();
    return 0;
}
