// Calls that RISC-V alone has: riscv_hwprobe (Documentation/arch/riscv/hwprobe.rst) and riscv_flush_icache, with code that is written while the
// program runs. Built for another processor it prints what the documentation says, for comparison.
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <stdint.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct pair { int64_t key; uint64_t value; };

enum { HWPROBE = 258, FLUSH_ICACHE = 259 };
enum { KEYS = 10 };

#ifdef __riscv
/* The vDSO's functions, which answer with negated errors, or null: then it is the call. */
static long (*fastProbe)(struct pair *, size_t, size_t, void *, unsigned);
static long (*fastFlush)(void *, void *, unsigned long);

static long outcome(long result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

static long probe(struct pair *pairs, size_t count, size_t size, void *set, unsigned flags)
{
    return fastProbe ? outcome(fastProbe(pairs, count, size, set, flags)) : syscall(HWPROBE, pairs, count, size, set, flags);
}

static long flush(void *start, void *end, unsigned long flags)
{
    return fastFlush ? outcome(fastFlush(start, end, flags)) : syscall(FLUSH_ICACHE, start, end, flags);
}

static void *inVdso(const char *name)
{
    const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
    const Elf64_Ehdr *header = (const void *)image;
    const Elf64_Phdr *segment = (const void *)(image + header->e_phoff);
    const Elf64_Sym *symbols = 0;
    const char *strings = 0;
    const Elf64_Word *hash = 0;
    while (segment->p_type != PT_DYNAMIC)
        segment++;
    for (const Elf64_Dyn *entry = (const void *)(image + segment->p_offset); entry->d_tag; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbols = (const void *)(image + entry->d_un.d_ptr);
        if (entry->d_tag == DT_STRTAB)
            strings = image + entry->d_un.d_ptr;
        if (entry->d_tag == DT_HASH)
            hash = (const void *)(image + entry->d_un.d_ptr);
    }
    for (unsigned i = 1; i < hash[1]; i++) {
        if (!strcmp(strings + symbols[i].st_name, name))
            return (void *)(image + symbols[i].st_value);
    }
    return 0;
}

static void useVdso(void)
{
    fastProbe = inVdso("__vdso_riscv_hwprobe");
    fastFlush = inVdso("__vdso_flush_icache");
    unsigned (*cpu)(unsigned *, unsigned *, void *) = inVdso("__vdso_getcpu");
    unsigned where = 99, node = 99;
    printf("%s %s\n", fastProbe && fastFlush ? "found" : "missing", cpu && !cpu(&where, &node, 0) && where < 99 && !node ? "here" : "nowhere");
}
#else
/* The documentation as a program: a machine with F, D, C, Zba, Zbb and Zbs. */
static long fail(int error) { errno = error; return -1; }

static int known(int64_t key, uint64_t *value)
{
    static const uint64_t values[KEYS] = { 0, 0, 0, 1, 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5, 3, 0, 1ull << 47, 1000000000, 3 };
    *value = key >= 0 && key < KEYS ? values[key] : 0;
    return key >= 0 && key < KEYS;
}

static long probe(struct pair *pairs, size_t count, size_t size, void *set, unsigned flags)
{
    if (flags & ~1u || (flags && (!size || !set)))
        return fail(EINVAL);
    if ((size || set) && (uintptr_t)set < 4096)
        return fail(EFAULT);
    if (!flags && set && !*(uint64_t *)set)
        return fail(EINVAL);
    if ((uintptr_t)pairs < 4096 && count)
        return fail(EFAULT);
    int all = 1;
    for (size_t i = 0; i < count; i++) {
        uint64_t value, wanted = pairs[i].value;
        int64_t key = pairs[i].key;
        int is_known = known(key, &value), is_set = key >= 3 && key <= 5;
        all &= is_known && (is_set ? (value & wanted) == wanted : value == wanted);
        if (!is_known)
            pairs[i].key = -1;
        if (!flags || !is_known)
            pairs[i].value = value;
    }
    if (flags && !all)
        memset(set, 0, size);
    return 0;
}

static long flush(void *start, void *end, unsigned long flags) { return flags & ~1ul ? fail(EINVAL) : 0; }
static void useVdso(void) { puts("found here"); }
#endif

/* The vDSO's function writes by itself, and faults where the call says EFAULT. */
static int isVdso;

static void values(void)
{
    struct pair pairs[KEYS + 3];
    for (int i = 0; i < KEYS + 3; i++)
        pairs[i] = (struct pair){ i < KEYS ? i : i == KEYS ? -7 : 1000 + i, 99 };
    SHOW(probe(pairs, KEYS + 3, 0, 0, 0));
    for (int i = 0; i < KEYS + 3; i++)
        printf("  key %ld value %lx\n", (long)pairs[i].key, (unsigned long)pairs[i].value);
    SHOW(probe(0, 0, 0, 0, 0));
    if (!isVdso)
        SHOW(probe(0, 1, 0, 0, 0));
    SHOW(probe(pairs, 1, 0, 0, 2));
    SHOW(probe(pairs, 1, 8, 0, 0));
}

static void sets(void)
{
    uint64_t set = 1, none = 0;
    struct pair pair = { 3, 0 };
    SHOW(probe(&pair, 1, sizeof set, &set, 0));
    SHOW(probe(&pair, 1, sizeof none, &none, 0));
    SHOW(probe(&pair, 1, 0, 0, 1));
    pair = (struct pair){ 4, 1 << 3 };
    printf("%ld", probe(&pair, 1, sizeof set, &set, 1));
    printf(" %ld %lx\n", (long)pair.key, (unsigned long)set);
    pair = (struct pair){ 4, 1 << 2 };
    set = 1;
    printf("%ld", probe(&pair, 1, sizeof set, &set, 1));
    printf(" %ld %lx\n", (long)pair.key, (unsigned long)set);
    pair = (struct pair){ 5000, 7 };
    set = 1;
    printf("%ld", probe(&pair, 1, sizeof set, &set, 1));
    printf(" %ld %ld %lx\n", (long)pair.key, (long)pair.value, (unsigned long)set);
}

/* Writes "return n" again and again into one place, and calls it. */
static void code(void)
{
    long sum = 0;
#ifdef __riscv
    uint32_t *place = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
    for (int n = 1; n <= 50; n++) {
#ifdef __riscv
        place[0] = (uint32_t)n << 20 | 0x513; /* addi a0, zero, n */
        place[1] = 0x8067; /* ret */
        flush(place, place + 2, n & 1);
        sum += ((long (*)(void))place)();
#else
        sum += n;
#endif
    }
    printf("sum %ld\n", sum);
    SHOW(flush(0, 0, 0));
    SHOW(flush(0, 0, 2));
}

int main(void)
{
    values();
    sets();
    code();
    useVdso();
    isVdso = 1;
    values();
    sets();
    code();
    return 0;
}
