// Calls that few programs make: seals of memory, secret memory, protection keys, page cache, system log, old calls, modules of security.
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "check.h"

static void seals(void)
{
    char *area = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(syscall(462, area + 1, 4096, 0));
    SHOW(syscall(462, area, 4096, 1));
    SHOW(syscall(462, area, 0, 0));
    SHOW(syscall(462, area, -4096L, 0));
    munmap(area + 7 * 4096, 4096);
    SHOW(syscall(462, area + 6 * 4096, 2 * 4096, 0));
    SHOW(syscall(462, area + 4096, 2 * 4096, 0));
    SHOW(mprotect(area, 8192, PROT_READ));
    SHOW(munmap(area + 4096, 4096));
    SHOW(munmap(area + 3 * 4096, 4096));
    SHOW((long)mmap(area + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    SHOW((long)mremap(area + 4096, 4096, 8192, MREMAP_MAYMOVE));
    SHOW(madvise(area + 4096, 4096, MADV_DONTNEED));
    area[4096] = 5;
    printf("still writable %d\n", area[4096]);
}

static void secrets(void)
{
    SHOW(syscall(SYS_memfd_secret, 1));
    int fd = syscall(SYS_memfd_secret, O_CLOEXEC);
    printf("cloexec %d\n", fcntl(fd, F_GETFD));
    SHOW(ftruncate(fd, 8192));
    SHOW(ftruncate(fd, 4096));
    char letter;
    SHOW(read(fd, &letter, 1));
    SHOW(write(fd, "x", 1));
    struct stat status;
    fstat(fd, &status);
    printf("mode %o size %ld\n", status.st_mode, (long)status.st_size);
    SHOW((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
    char *secret = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(secret, "secret");
    char copy[8] = "";
    struct iovec local = { copy, 7 }, remote = { secret, 7 };
    SHOW(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    int pipes[2];
    pipe(pipes);
    SHOW(write(pipes[1], secret, 7));
    SHOW(read(pipes[0], copy, 7));
    puts(copy);
}

static void keys(void)
{
    SHOW(syscall(SYS_pkey_alloc, 1, 0));
    SHOW(syscall(SYS_pkey_alloc, 0, 4));
    SHOW(syscall(SYS_pkey_free, 77));
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_WRITE, -1));
    SHOW(syscall(SYS_pkey_mprotect, page, 4096, PROT_READ, 77));
}

static void files(void)
{
    char name[] = "/tmp/oddcallsXXXXXX", block[4096] = "x";
    int fd = mkstemp(name);
    unlink(name);
    for (int i = 0; i < 4; i++)
        write(fd, block, sizeof block);
    fsync(fd);
    unsigned long range[2] = { 0, 0 }, told[5] = { 9, 9, 9, 9, 9 };
    SHOW(syscall(451, fd, range, told, 0));
    printf("pages %lu dirty %lu\n", told[0], told[1]);
    range[0] = 4096, range[1] = 5000;
    SHOW(syscall(451, fd, range, told, 0));
    printf("pages %lu\n", told[0]);
    SHOW(syscall(451, fd, range, told, 1));
    SHOW(syscall(451, -1, range, told, 0));
    SHOW(syscall(451, fd, 8, told, 0));

    // A mapping of a file's pages in another order.
    for (int i = 0; i < 4; i++)
        block[0] = 'a' + i, pwrite(fd, block, 1, i * 4096);
    char *map = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(remap_file_pages(map, 4096, 0, 3, 0));
    SHOW(remap_file_pages(map + 3 * 4096, 4096, 0, 0, 0));
    printf("%c%c%c%c\n", map[0], map[4096], map[2 * 4096], map[3 * 4096]);
    map[0] = 'D';
    pread(fd, block, 1, 3 * 4096);
    printf("%c\n", block[0]);
    SHOW(remap_file_pages(map, 4096, 1, 3, 0));
    SHOW(remap_file_pages(map, 0, 0, 3, 0));
    void *private = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SHOW(remap_file_pages(private, 4096, 0, 0, 0));

    struct stat status;
    stat("/proc", &status);
    char told2[32];
    SHOW(syscall(SYS_ustat, (unsigned)status.st_dev, told2));
    SHOW(syscall(SYS_ustat, (unsigned)status.st_dev, (void *)8));
    SHOW(syscall(SYS_ustat, 0xffff, told2));
    char type[64] = "";
    long index = syscall(SYS_sysfs, 1, "proc");
    SHOW(syscall(SYS_sysfs, 2, index, type));
    puts(type);
    SHOW(syscall(SYS_sysfs, 1, "nosuchtype"));
    SHOW(syscall(SYS_sysfs, 1, 8));
    SHOW(syscall(SYS_sysfs, 2, 9999, type));
    SHOW(syscall(SYS_sysfs, 4));
    printf("more than two types %d\n", syscall(SYS_sysfs, 3) > 2);
}

static void administration(void)
{
    SHOW(syscall(SYS_syslog, 99, NULL, 0));
    SHOW(klogctl(3, NULL, 10));
    SHOW(klogctl(3, (char *)1, -1));
    SHOW(klogctl(3, (char *)"", 0));
    SHOW(klogctl(8, NULL, 9));
    printf("has a size %d\n", klogctl(10, NULL, 0) > 4096);
    SHOW(swapon("/nosuchfile", 0));
    SHOW(swapon("/proc/self/status", 0));
    SHOW(swapon((char *)8, 0));
    SHOW(swapon("/etc/passwd", 0x4000000));
    SHOW(swapoff("/etc/passwd"));
    SHOW(swapoff("/nosuchfile"));
    SHOW(syscall(SYS_reboot, 1, 2, 3, 4));
    SHOW(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, 12345, 0));
    SHOW(syscall(SYS_restart_syscall));
    struct user_desc descriptor = { .entry_number = 9000 };
    char table[128];
    SHOW(syscall(SYS_modify_ldt, 0, table, sizeof table));
    SHOW(syscall(SYS_modify_ldt, 2, table, 1000));
    SHOW(syscall(SYS_modify_ldt, 1, &descriptor, 3));
    SHOW(syscall(SYS_modify_ldt, 1, &descriptor, sizeof descriptor));
    SHOW(syscall(SYS_modify_ldt, 1, 8, sizeof descriptor));
    SHOW(syscall(SYS_modify_ldt, 9, 0, 0));
    pid_t child = fork();
    if (child == 0) {
        setuid(12345);
        SHOW(klogctl(10, NULL, 0));
        SHOW(swapon("/nosuchfile", 0));
        SHOW(swapoff("/nosuchfile"));
        SHOW(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0));
        exit(0);
    }
    waitpid(child, NULL, 0);
    SHOW(syscall(SYS_process_mrelease, 1, 1));
    SHOW(syscall(SYS_process_mrelease, -1, 0));
    child = fork();
    if (child == 0)
        _exit(pause());
    int process = syscall(SYS_pidfd_open, child, 0);
    SHOW(syscall(SYS_process_mrelease, process, 0));
    kill(child, SIGKILL);
    struct pollfd over = { process, POLLIN };
    poll(&over, 1, -1);
    SHOW(syscall(SYS_process_mrelease, process, 0));
    waitpid(child, NULL, 0);
}

static void modules(void)
{
    unsigned long identifiers[32] = { 0 };
    unsigned size = 4;
    SHOW(syscall(461, identifiers, &size, 1));
    SHOW(syscall(461, identifiers, NULL, 0));
    SHOW(syscall(461, identifiers, &size, 0));
    size = sizeof identifiers;
    printf("some %d first %lu\n", (int)syscall(461, identifiers, &size, 0) > 0, identifiers[0]);
    SHOW(syscall(459, 0, identifiers, &size, 0));
    SHOW(syscall(459, 100, identifiers, NULL, 0));
    SHOW(syscall(459, 100, identifiers, &size, 2));
    SHOW(syscall(459, 100, NULL, &size, 0));
    printf("size %u\n", size);
    SHOW(syscall(460, 100, identifiers, 8, 0));
    SHOW(syscall(460, 100, identifiers, 5000, 0));
    SHOW(syscall(460, 100, identifiers, 32, 1));
    SHOW(syscall(460, 100, identifiers, 32, 0));
}

// What only other processors' programs call, what another system's do, x32's.
static void strangers(void)
{
    static const long numbers[] = { 4096, 4096 + 258, 4096 + 259, 0x1804, 0x1c04, 0x40000027, -5, -1 };
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        SHOW(syscall(numbers[i], 1, "no call\n", 8, 0, 0, 0));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    seals();
    secrets();
    keys();
    files();
    administration();
    modules();
    strangers();
    return 0;
}
