// The vDSO: found by the auxiliary vector, its symbols and their version, and clocks that agree with the system calls'.
#define _GNU_SOURCE
#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include "check.h"

static const char *image;
static const Elf64_Sym *symbols;
static const char *strings;
static const Elf64_Word *hash;
static const Elf64_Half *versions;
static const Elf64_Verdef *definitions;

static void parse(void)
{
    const Elf64_Ehdr *header = (void *)image;
    const Elf64_Phdr *segments = (void *)(image + header->e_phoff);
    const Elf64_Dyn *entry = NULL;
    uint64_t base = 0;
    printf("type %d machine %d\n", header->e_type, header->e_machine);
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD)
            base = (uint64_t)image + segments[i].p_offset - segments[i].p_vaddr;
        if (segments[i].p_type == PT_DYNAMIC)
            entry = (void *)(image + segments[i].p_offset);
    }
    for (; entry->d_tag; entry++) {
        void *at = (void *)(base + entry->d_un.d_ptr);
        switch (entry->d_tag) {
        case DT_SYMTAB: symbols = at; break;
        case DT_STRTAB: strings = at; break;
        case DT_HASH: hash = at; break;
        case DT_VERSYM: versions = at; break;
        case DT_VERDEF: definitions = at; break;
        case DT_SONAME: break;
        }
    }
}

static void *find(const char *name)
{
    for (unsigned i = 1; i < (hash ? hash[1] : 32); i++) {
        if (strcmp(strings + symbols[i].st_name, name))
            continue;
        const Elf64_Verdef *definition = definitions;
        while ((definition->vd_ndx & 0x7fff) != (versions[i] & 0x7fff) && definition->vd_next)
            definition = (void *)((char *)definition + definition->vd_next);
        const Elf64_Verdaux *text = (void *)((char *)definition + definition->vd_aux);
        printf("%s@%s hash %#x\n", name, strings + text->vda_name, definition->vd_hash);
        return (void *)(image + symbols[i].st_value);
    }
    printf("%s: none\n", name);
    return NULL;
}

static int64_t nanoseconds(struct timespec t) { return t.tv_sec * 1000000000ll + t.tv_nsec; }

int main(void)
{
    image = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (!image || memcmp(image, ELFMAG, SELFMAG))
        die("no vDSO");
    parse();
    int (*gettime)(clockid_t, struct timespec *) = find("__vdso_clock_gettime");
    int (*timeofday)(struct timeval *, struct timezone *) = find("__vdso_gettimeofday");
    time_t (*seconds)(time_t *) = find("__vdso_time");
    int (*cpu)(unsigned *, unsigned *, void *) = find("__vdso_getcpu");
    find("clock_gettime");
    static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_PROCESS_CPUTIME_ID, CLOCK_TAI };
    for (int i = 0; i < 7; i++) {
        struct timespec before, now, after;
        syscall(SYS_clock_gettime, clocks[i], &before);
        int result = gettime(clocks[i], &now);
        syscall(SYS_clock_gettime, clocks[i], &after);
        int64_t slack = i == 0 ? 1000000 : 0;
        printf("clock %d: %d %s\n", clocks[i], result,
            nanoseconds(before) <= nanoseconds(now) + slack && nanoseconds(now) <= nanoseconds(after) + slack ? "between" : "outside");
    }
    struct timespec now;
    printf("no clock: %d\n", gettime(1000, &now));
    struct timeval tv;
    struct timezone tz = { 5, 5 };
    int result = timeofday(&tv, &tz);
    printf("%d %d %d\n", result, tz.tz_minuteswest, tz.tz_dsttime);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    time_t stored, told = seconds(&stored);
    printf("%d %d %d\n", labs(tv.tv_sec - now.tv_sec) <= 1, labs(told - now.tv_sec) <= 1, told == stored);
    printf("%d\n", timeofday(NULL, NULL));
    unsigned processor = 9999, node = 9999;
    result = cpu(&processor, &node, NULL);
    printf("%d %d\n", result, processor < 1024 && node < 64);
    printf("%d\n", cpu(NULL, NULL, NULL));
    int64_t last = 0;
    for (int i = 0; i < 100000; i++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (nanoseconds(now) < last)
            die("backwards");
        last = nanoseconds(now);
    }
    return 0;
}
