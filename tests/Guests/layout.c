// Where a program says that its parts are (prctl(2), PR_SET_MM), and what /proc tells of that. With an argument: what only the privileged may.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SET(option, value) prctl(PR_SET_MM, PR_SET_MM_##option, value, 0, 0)

static char *page;
static unsigned long told[52];

// The fields of /proc/self/stat from the third on, by their numbers in proc(5).
static void stat_self(void)
{
    static char text[2000];
    int file = open("/proc/self/stat", O_RDONLY);
    text[read(file, text, sizeof text - 1)] = 0;
    close(file);
    char *at = strrchr(text, ')') + 3;
    for (int i = 4; i < 52 && (at = strchr(at, ' ')); i++)
        told[i] = strtoul(++at, NULL, 10);
}

static void strings(const char *path)
{
    static char text[8192];
    int file = open(path, O_RDONLY);
    long length = read(file, text, sizeof text);
    close(file);
    printf("%s: %ld", path, length);
    for (int i = 0; i < length && i < 60; i++)
        putchar(text[i] ? text[i] : '|');
    printf("\n");
}

static void give_up(int capability)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];
    syscall(SYS_capget, &header, data);
    data[capability / 32].effective &= ~(1u << capability % 32);
    syscall(SYS_capset, &header, data);
}

static struct prctl_mm_map now(void)
{
    stat_self();
    return (struct prctl_mm_map){
        .start_code = told[26], .end_code = told[27], .start_data = told[45], .end_data = told[46], .start_brk = told[47], .brk = (uintptr_t)sbrk(0),
        .start_stack = told[28], .arg_start = told[48], .arg_end = told[49], .env_start = told[50], .env_end = told[51], .exe_fd = -1,
    };
}

static long set_all(struct prctl_mm_map *map) { return prctl(PR_SET_MM, PR_SET_MM_MAP, map, sizeof *map, 0); }

static void refused(void)
{
    struct prctl_mm_map map = now(), bad;
    unsigned size = 0;
    SHOW(prctl(PR_SET_MM, PR_SET_MM_START_CODE, map.start_code, 0, 1));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_START_CODE, map.start_code, 1, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 5, 0));
    printf("size %u\n", size);
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, NULL, 0, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map - 8, 0));
    SHOW(prctl(PR_SET_MM, PR_SET_MM_MAP, NULL, sizeof map, 0));
    SHOW(set_all(&map));
    for (int i = 0; i < 11; i++) {
        bad = map;
        ((__u64 *)&bad)[i] = 100;
        printf("low %d: ", i);
        SHOW(set_all(&bad));
        ((__u64 *)&bad)[i] = 0x7FFFFFFFF000;
        SHOW(set_all(&bad));
    }
    bad = map, bad.end_code = bad.start_code;
    SHOW(set_all(&bad));
    bad = map, bad.end_data = bad.start_data;
    SHOW(set_all(&bad));
    bad = map, bad.end_data = bad.start_data - 1;
    SHOW(set_all(&bad));
    bad = map, bad.brk = bad.start_brk - 1;
    SHOW(set_all(&bad));
    bad = map, bad.arg_end = bad.arg_start - 1;
    SHOW(set_all(&bad));
    bad = map, bad.env_end = bad.env_start - 1;
    SHOW(set_all(&bad));
    bad = map, bad.auxv_size = 16;
    SHOW(set_all(&bad));
    bad.auxv = (void *)8;
    SHOW(set_all(&bad));
    bad.auxv = (void *)page, bad.auxv_size = 456;
    SHOW(set_all(&bad));
    SHOW(prctl(0x41555856, page, 4096, 0, 0));
    bad = map, bad.exe_fd = 99;
    SHOW(set_all(&bad));
    bad.exe_fd = open("/", O_RDONLY);
    SHOW(set_all(&bad));
    bad.exe_fd = open("/etc/passwd", O_RDONLY);
    SHOW(set_all(&bad));
    bad.exe_fd = open("/bin/sh", O_RDONLY);
    SHOW(set_all(&bad));
    SHOW(set_all(&map));
    if (fork() == 0) {
        struct rlimit limit = { 1 << 20, 1 << 20 };
        setrlimit(RLIMIT_DATA, &limit);
        bad = map, bad.end_data = bad.start_data + (2 << 20);
        SHOW(set_all(&bad));
        give_up(CAP_SYS_RESOURCE);
        SHOW(SET(START_CODE, map.start_code));
        SHOW(SET(EXE_FILE, 99));
        SHOW(prctl(PR_SET_MM, 99, 0, 0, 0));
        give_up(CAP_SYS_ADMIN);
        give_up(CAP_CHECKPOINT_RESTORE);
        bad = map, bad.exe_fd = 99;
        SHOW(set_all(&bad));
        exit(0);
    }
    wait(NULL);
}

// Nothing of the file is mapped once all of it was copied to where it was.
static void unmap_program(void)
{
    char line[600], name[512];
    struct { unsigned long start, end; int protection; } areas[32];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    char exe[512] = "";
    readlink("/proc/self/exe", exe, sizeof exe - 1);
    while (fgets(line, sizeof line, maps)) {
        char flags[8];
        name[0] = 0;
        sscanf(line, "%lx-%lx %7s %*s %*s %*s %511s", &areas[count].start, &areas[count].end, flags, name);
        areas[count].protection = (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) | (flags[2] == 'x' ? PROT_EXEC : 0);
        count += !strcmp(name, exe);
    }
    fclose(maps);
    for (int i = 0; i < count; i++) {
        size_t size = areas[i].end - areas[i].start;
        void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memcpy(copy, (void *)areas[i].start, size);
        mprotect(copy, size, areas[i].protection);
        mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, areas[i].start);
    }
}

static void told_of(void)
{
    struct prctl_mm_map map = now();
    // A program without a place of its own choice is where its file says.
    printf("code %lx-%lx data %lx-%lx\n", (long)map.start_code, (long)map.end_code, (long)map.start_data, (long)map.end_data);
    printf("break is behind data: %d, at its start: %d\n", map.start_brk >= map.end_data, map.brk >= map.start_brk);
    memset(page, 0, 8192);
    memcpy(page, "a title\0of three\0words\0HOME=there\0X=1\0", 38);
    map.arg_start = (uintptr_t)page, map.arg_end = (uintptr_t)page + 23, map.env_start = (uintptr_t)page + 23, map.env_end = (uintptr_t)page + 38;
    map.start_code += 16, map.end_code += 32, map.start_data += 8, map.end_data += 24, map.start_stack -= 64;
    __u64 vector[] = { 6, 4096, 25, 17, 0, 99, 7, 7 };
    map.auxv = vector, map.auxv_size = sizeof vector;
    SHOW(set_all(&map));
    struct prctl_mm_map after = now();
    printf("as said: %d\n", !memcmp(&map, &after, offsetof(struct prctl_mm_map, auxv)));
    strings("/proc/self/cmdline");
    strings("/proc/self/environ");
    __u64 saved[128] = { 0 };
    int file = open("/proc/self/auxv", O_RDONLY);
    SHOW(read(file, saved, sizeof saved));
    printf("%d\n", memcmp(saved, vector, 48));
    SHOW(prctl(0x41555856, saved, sizeof saved, 0, 0));
    printf("%d %d\n", memcmp(saved, vector, sizeof vector), saved[8] != 0);
    // Who writes over the last 0 writes a title, up to one behind.
    page[22] = '!';
    strings("/proc/self/cmdline");
    map.env_start++;
    SHOW(set_all(&map));
    strings("/proc/self/cmdline");
    map.arg_end = map.env_start = (uintptr_t)page + 5000;
    map.env_end = map.env_start;
    SHOW(set_all(&map));
    strings("/proc/self/cmdline");
    // The break goes on from where it was said to be.
    char *heap = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(heap, 1 << 20);
    map.start_brk = map.brk = (uintptr_t)heap;
    SHOW(set_all(&map));
    SHOW(syscall(SYS_brk, heap - 1) == (long)heap);
    SHOW(syscall(SYS_brk, heap + 10000) == (long)heap + 10000);
    heap[9999] = 1;
    SHOW(syscall(SYS_brk, heap) == (long)heap);
    SHOW(madvise(heap, 4096, MADV_NORMAL));
    unmap_program();
    map.exe_fd = open("/bin/sh", O_RDONLY);
    SHOW(set_all(&map));
    char exe[512] = "", shell[512] = "";
    readlink("/proc/self/exe", exe, sizeof exe - 1);
    printf("exe is the shell: %d\n", realpath("/bin/sh", shell) && !strcmp(exe, shell));
}

#define REQUIRE(condition) ((condition) ? (void)0 : (void)printf("line %d: %s, errno %d\n", __LINE__, #condition, errno))

static void privileged(void)
{
    struct prctl_mm_map map = now();
    memcpy(page, "new name\0A=B\0", 13);
    uintptr_t at = (uintptr_t)page;
    if (SET(START_CODE, map.start_code) == -1 && errno == EPERM) {
        // A host that gives its users no CAP_SYS_RESOURCE would say:
        printf("/proc/self/cmdline: 9new name|\n/proc/self/environ: 4A=B|\ndone\n");
        return;
    }
    REQUIRE(SET(START_CODE, map.start_code + 16) == 0 && SET(END_CODE, map.end_code - 16) == 0);
    REQUIRE(SET(START_DATA, map.start_data + 8) == 0 && SET(END_DATA, map.end_data - 8) == 0);
    REQUIRE(SET(START_STACK, map.start_stack - 128) == 0);
    REQUIRE(SET(START_STACK, 0x7FFFFFFFE000) == -1 && errno == EFAULT);
    REQUIRE(SET(START_CODE, 0x7FFFFFFFE000) == -1 && errno == EINVAL);
    REQUIRE(SET(ARG_START, map.arg_end + 1) == -1 && errno == EINVAL);
    REQUIRE(SET(ENV_END, 0x7FFFFFFFE000) == -1 && errno == EFAULT);
    REQUIRE(SET(ARG_START, 0) == -1 && errno == EINVAL);
    REQUIRE(prctl(PR_SET_MM, 99, at, 0, 0) == -1 && errno == EINVAL);
    // First the one that keeps the order: the page is below the stack.
    REQUIRE(SET(ARG_START, at) == 0 && SET(ARG_END, at + 9) == 0);
    REQUIRE(SET(ENV_START, at + 9) == 0 && SET(ENV_END, at + 13) == 0);
    REQUIRE(SET(BRK, map.start_brk - 1) == -1 && errno == EINVAL);
    REQUIRE(SET(BRK, map.brk) == 0 && SET(START_BRK, map.start_brk) == 0);
    struct prctl_mm_map after = now();
    REQUIRE(after.start_code == map.start_code + 16 && after.end_code == map.end_code - 16 && after.start_data == map.start_data + 8);
    REQUIRE(after.end_data == map.end_data - 8 && after.start_stack == map.start_stack - 128 && after.arg_start == at && after.env_end == at + 13);
    strings("/proc/self/cmdline");
    strings("/proc/self/environ");
    // What is behind a part of the vector stays.
    unsigned long before[128] = { 0 }, vector[128] = { 0 }, part[2] = { 6, 8192 };
    long size = prctl(0x41555856, before, sizeof before, 0, 0);
    REQUIRE(prctl(PR_SET_MM, PR_SET_MM_AUXV, part, sizeof part, 0) == 0);
    REQUIRE(prctl(0x41555856, vector, sizeof vector, 0, 0) == size && vector[1] == 8192 && vector[2] == before[2] && vector[5] == before[5]);
    REQUIRE(prctl(PR_SET_MM, PR_SET_MM_AUXV, part, size + 8, 0) == -1 && errno == EINVAL);
    REQUIRE(prctl(PR_SET_MM, PR_SET_MM_AUXV, 8, 16, 0) == -1 && errno == EFAULT);
    REQUIRE(SET(EXE_FILE, 99) == -1 && errno == EBADF);
    REQUIRE(SET(EXE_FILE, open("/bin/sh", O_RDONLY)) == -1 && errno == EBUSY);
    unmap_program();
    REQUIRE(SET(EXE_FILE, open("/bin/sh", O_RDONLY)) == 0);
    printf("done\n");
}

int main(int count, char **arguments)
{
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 1) {
        privileged();
        return 0;
    }
    refused();
    told_of();
    return 0;
}
