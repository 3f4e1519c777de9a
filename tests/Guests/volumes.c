// A volume of ext4 on a loop device, mounted where the argument says: places of files, areas to swap to, what /sys/block tells of the device. Run by the superuser.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include "check.h"

static char page[4096];

static struct { struct fiemap map; struct fiemap_extent extents[8]; } asked;

static int made(const char *name, mode_t mode)
{
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, mode);
    if (file < 0)
        die(name);
    return file;
}

// Blocks of 4096 bytes: where each extent begins in the file, how long it is, and whether it begins somewhere on the device.
static void map(const char *what, int file, uint64_t start, uint64_t length, uint32_t flags, uint32_t room)
{
    asked.map = (struct fiemap){ .fm_start = start, .fm_length = length, .fm_flags = flags, .fm_extent_count = room };
    show(what, ioctl(file, FS_IOC_FIEMAP, &asked));
    printf("    flags %x mapped %u:", asked.map.fm_flags, asked.map.fm_mapped_extents);
    for (uint32_t i = 0; i < asked.map.fm_mapped_extents && i < room; i++)
    {
        struct fiemap_extent *one = &asked.extents[i];
        printf(" %lu+%lu/%x%s", (unsigned long)one->fe_logical / 4096, (unsigned long)one->fe_length / 4096, one->fe_flags, one->fe_physical == 0 ? " nowhere" : "");
    }
    printf("\n");
}

// A letter for each block: written, unwritten, or a hole. Into how many extents they fall is the allocator's choice.
static void kinds(const char *what, int file)
{
    char letters[64] = "";
    asked.map = (struct fiemap){ .fm_length = -1, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 8 };
    show(what, ioctl(file, FS_IOC_FIEMAP, &asked));
    uint32_t last = asked.map.fm_mapped_extents - 1;
    for (uint32_t i = 0; i <= last; i++)
    {
        struct fiemap_extent *one = &asked.extents[i];
        for (uint64_t at = one->fe_logical / 4096; at < (one->fe_logical + one->fe_length) / 4096; at++)
            letters[at] = one->fe_flags & FIEMAP_EXTENT_UNWRITTEN ? 'u' : 'w';
        if ((i == last) != ((one->fe_flags & FIEMAP_EXTENT_LAST) != 0))
            printf("the last is another\n");
    }
    printf("    %s\n", letters);
}

static void places(void)
{
    int file = made("plain", 0600), block = 0;
    map("an empty file", file, 0, -1, FIEMAP_FLAG_SYNC, 8);
    for (int i = 0; i < 3; i++)
        write(file, page, sizeof page);
    map("a plain file", file, 0, -1, FIEMAP_FLAG_SYNC, 8);
    uint64_t place = asked.extents[0].fe_physical;
    SHOW(ioctl(file, FIBMAP, &block));
    printf("first block %d\n", block == (int)(place / 4096));
    block = 2;
    SHOW(ioctl(file, FIBMAP, &block));
    printf("third block %d\n", block == (int)(place / 4096) + 2);
    block = 3;
    SHOW(ioctl(file, FIBMAP, &block));
    printf("beyond %d\n", block);
    map("no length", file, 0, 0, 0, 8);
    map("too far", file, 1ul << 63, 1, 0, 8);
    map("beyond the end", file, 1 << 20, -1, 0, 8);
    map("unknown flags", file, 0, -1, 0x110, 8);
    map("too many", file, 0, -1, 0, -1);
    close(file);

    file = made("holes", 0600);
    pwrite(file, page, sizeof page, 0);
    pwrite(file, page, sizeof page, 10 * 4096);
    pwrite(file, page, sizeof page, 11 * 4096);
    pwrite(file, page, sizeof page, 20 * 4096);
    map("holes", file, 0, -1, FIEMAP_FLAG_SYNC, 8);
    map("counted", file, 0, -1, 0, 0);
    map("room for one", file, 0, -1, 0, 1);
    map("from a hole on", file, 5 * 4096, -1, 0, 8);
    map("of a hole", file, 5 * 4096, 4096, 0, 8);
    map("from within", file, 11 * 4096, 4096, 0, 8);
    block = 5;
    SHOW(ioctl(file, FIBMAP, &block));
    printf("in a hole %d\n", block);
    close(file);

    file = made("reserved", 0600);
    SHOW(fallocate(file, 0, 0, 8 * 4096));
    kinds("reserved", file);
    pwrite(file, page, sizeof page, 2 * 4096);
    kinds("written in the middle", file);
    close(file);
    file = open(".", O_RDONLY);
    map("a directory", file, 0, -1, FIEMAP_FLAG_SYNC, 8);
    close(file);
}

// struct swap_header, in its first page.
static void area(const char *name, int pages, mode_t mode)
{
    int file = made(name, mode);
    uint32_t header[3] = { 1, pages - 1, 0 };
    for (int i = 0; i < pages; i++)
        write(file, page, sizeof page);
    pwrite(file, header, sizeof header, 1024);
    pwrite(file, "SWAPSPACE2", 10, 4086);
    fsync(file);
    close(file);
}

// Lines of /proc/swaps about files here, and the memory there is to swap to.
static void told(const char *folder, unsigned long before)
{
    char line[500], kind[20];
    long size, used, priority;
    struct sysinfo system;
    FILE *swaps = fopen("/proc/swaps", "r");
    while (fgets(line, sizeof line, swaps))
    {
        char *space = strchr(line, ' ');
        if (strncmp(line, folder, strlen(folder)) == 0 && space && sscanf(space, " %19s %ld %ld %ld", kind, &size, &used, &priority) == 4)
            printf("    %.*s %s %ld %ld %s\n", (int)(space - line - strlen(folder)), line + strlen(folder), kind, size, used, priority == 7 ? "7" : priority < 0 ? "below 0" : "?");
    }
    fclose(swaps);
    sysinfo(&system);
    printf("    %lu KiB more\n", (system.totalswap * system.mem_unit - before) / 1024);
}

static void swaps(const char *folder)
{
    struct sysinfo system;
    sysinfo(&system);
    unsigned long before = system.totalswap * system.mem_unit;
    area("one", 20, 0600);
    area("two", 30, 0600);
    SHOW(swapon("none", 0));
    SHOW(swapon(".", 0));
    SHOW(swapon("plain", 0));
    SHOW(swapon("one", 0x100000));
    int file = made("holed", 0600);
    ftruncate(file, 20 * 4096);
    uint32_t header[3] = { 1, 19, 0 };
    pwrite(file, header, sizeof header, 1024);
    pwrite(file, "SWAPSPACE2", 10, 4086);
    fsync(file);
    SHOW(swapon("holed", 0));
    header[1] = 20;
    for (int i = 1; i < 20; i++)
        pwrite(file, page, sizeof page, i * 4096);
    pwrite(file, header, sizeof header, 1024);
    fsync(file);
    SHOW(swapon("holed", 0));
    SHOW(swapon("one", 0));
    told(folder, before);
    SHOW(swapon("one", 0));
    SHOW(swapon("two", SWAP_FLAG_PREFER | 7));
    told(folder, before);
    SHOW(open("one", O_RDWR));
    SHOW(truncate("one", 0));
    SHOW(unlink("one"));
    SHOW(rename("one", "three"));
    SHOW(chmod("one", 0644));
    SHOW(swapoff("one"));
    told(folder, before);
    SHOW(swapoff("one"));
    SHOW(unlink("one"));
    SHOW(swapoff("two"));
    SHOW(swapoff("plain"));
    SHOW(swapoff("none"));
    told(folder, before);
    if (setuid(1000) == 0)
    {
        SHOW(swapon("two", 0));
        SHOW(swapoff("two"));
    }
}

static void fact(const char *device, const char *name)
{
    char path[300], text[4096];
    snprintf(path, sizeof path, "/sys/dev/block/%s/%s", device, name);
    int file = open(path, O_RDONLY);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    text[size < 0 ? 0 : size] = 0;
    char *last = strrchr(text, '/');
    printf("%s: %s", name, size < 0 ? "none\n" : last ? last + 1 : text);
    close(file);
}

static void device(void)
{
    static const char *const names[] = {
        "size", "ro", "removable", "range", "ext_range", "hidden", "loop/offset", "loop/sizelimit", "loop/autoclear", "loop/partscan", "loop/backing_file", "queue/logical_block_size",
        "partition",
    };
    struct stat status;
    char text[50], at[300];
    stat(".", &status);
    snprintf(text, sizeof text, "%u:%u", major(status.st_dev), minor(status.st_dev));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        fact(text, names[i]);
    snprintf(at, sizeof at, "/sys/dev/block/%s", text);
    char target[300] = "", link[400];
    readlink(at, target, sizeof target - 1);
    const char *name = strrchr(target, '/') + 1;
    printf("%s\n", strncmp(name, "loop", 4) == 0 ? "a loop device" : name);
    snprintf(link, sizeof link, "/sys/block/%s/dev", name);
    int file = open(link, O_RDONLY);
    ssize_t size = read(file, at, sizeof at - 1);
    printf("the same number %d\n", size > 0 && strncmp(at, text, strlen(text)) == 0 && at[size - 1] == '\n');
}

int main(int count, char **arguments)
{
    if (count < 2 || chdir(arguments[1]) != 0)
        die("chdir");
    memset(page, 'x', sizeof page);
    places();
    device();
    swaps(arguments[1]);
}
