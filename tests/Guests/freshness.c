/*
 * Nothing that a process wrote is seen by those after it: children of one parent, one after another and several at a time, each look at
 * all of their memory, then spoil it; so do further starts of the program.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGE = 4096, PAGES = 96, ROUNDS = 60, AT_ONCE = 3 };

static char zeros[PAGES][PAGE];
static char initialised[24][PAGE] = { "first" };
static char *anonymous, *reserved, *mapped;
static unsigned expected[PAGES];

static void check(int holds, const char *what)
{
    if (!holds)
        die(what);
}

static int is_filled(const char *page, char byte)
{
    for (int i = 0; i < PAGE; i++)
        if (page[i] != byte)
            return 0;
    return 1;
}

/* What a child finds: 0, or what is wrong. */
static int look(void)
{
    for (int i = 0; i < PAGES; i++) {
        if (!is_filled(zeros[i], 0))
            return 1;
        if (!is_filled(anonymous + i * PAGE, (char)expected[i]))
            return 2;
    }
    if (strcmp(initialised[0], "first"))
        return 3;
    for (int i = 1; i < 24; i++)
        if (!is_filled(initialised[i], 0))
            return 4;
    for (int i = 0; i < 8; i++)
        if (!is_filled(mapped + i * PAGE, 'f'))
            return 5;
    return 0;
}

/* Deep enough to dirty stack pages that the parent never had; what lies there is looked at on purpose. */
#pragma GCC diagnostic ignored "-Wuninitialized"
static __attribute__((noinline)) int look_at_stack(int spoils)
{
    volatile char local[16 * PAGE];
    int found = 0;
    for (int i = PAGE; i < 8 * PAGE; i++)
        found |= local[i] == 0x5A;
    if (spoils)
        for (size_t i = 0; i < sizeof local; i++)
            local[i] = 0x5A;
    return found;
}

/* Writes, protects, unmaps and maps, differently each round. */
static void spoil(unsigned round)
{
    unsigned random = round * 2654435761u + 1;
    int count = 1 + round * 7 % 120;
    for (int i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        int page = (random >> 8) % PAGES;
        switch (random >> 29) {
        case 0: memset(zeros[page], 0x5A, PAGE); break;
        case 1: memset(initialised[page % 24], 0x5A, PAGE); break;
        case 2: memset(mapped + page % 8 * PAGE, 0x5A, PAGE); break;
        case 3: mprotect(reserved + page * PAGE, PAGE, PROT_READ | PROT_WRITE); memset(reserved + page * PAGE, 0x5A, PAGE); break;
        case 4: mprotect(anonymous + page * PAGE, PAGE, page & 1 ? PROT_READ : PROT_READ | PROT_WRITE); break;
        case 5: if (round % 5 == 0) { munmap(anonymous + page * PAGE, PAGE); break; } /* fall through */
        default:
            if (mmap(anonymous + page * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
                memset(anonymous + page * PAGE, 0x5A, PAGE);
        }
    }
    char *more = malloc(300000);
    memset(more, 0x5A, 300000);
    look_at_stack(1);
}

/* Memory that nobody may reach stays so, and is zero once it may be reached. */
static int look_at_reserved(void)
{
    if (mprotect(reserved, PAGES * PAGE, PROT_READ))
        return 6;
    for (int i = 0; i < PAGES; i++)
        if (!is_filled(reserved + i * PAGE, 0))
            return 7;
    mprotect(reserved, PAGES * PAGE, PROT_NONE);
    return 0;
}

static int look_at_new(void)
{
    char *fresh = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *heap = calloc(1, 200000);
    for (int i = 0; i < 64; i++)
        if (!is_filled(fresh + i * PAGE, 0))
            return 8;
    for (int i = 0; i < 200000; i++)
        if (heap[i])
            return 9;
    memset(fresh, 0x5A, 64 * PAGE);
    return 0;
}

static int child(unsigned round)
{
    int problem = look();
    if (!problem)
        problem = look_at_reserved();
    if (!problem)
        problem = look_at_new();
    if (!problem && look_at_stack(0))
        problem = 10;
    spoil(round);
    return problem;
}

static void make_memory(void)
{
    char page[PAGE];
    int file = memfd_create("freshness", 0);
    check(file >= 0, "memfd_create");
    memset(page, 'f', PAGE);
    for (int i = 0; i < 8; i++)
        check(write(file, page, PAGE) == PAGE, "write");
    mapped = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    close(file);
    anonymous = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    reserved = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(mapped != MAP_FAILED && anonymous != MAP_FAILED && reserved != MAP_FAILED, "mmap");
}

/* The parent changes a few pages, now and then many, so that it is copied and frozen by turns. */
static void change(unsigned round)
{
    int count = round % 20 == 19 ? PAGES : round % 4;
    for (int i = 0; i < count; i++) {
        int page = (round * 31 + i) % PAGES;
        expected[page] = 1 + (round + i) % 80;
        memset(anonymous + page * PAGE, (int)expected[page], PAGE);
    }
    if (round % 17 == 16) {
        madvise(anonymous, PAGES / 2 * PAGE, MADV_DONTNEED);
        memset(expected, 0, sizeof expected / 2);
    }
}

/* A program started anew finds its memory as its file has it, whatever the last start of it did. */
static int started(unsigned round)
{
    make_memory();
    return child(round);
}

static void start_again(const char *self, unsigned round)
{
    char number[16];
    snprintf(number, sizeof number, "%u", round);
    pid_t id = vfork();
    check(id >= 0, "vfork");
    if (id == 0) {
        execl(self, self, number, NULL);
        _exit(98);
    }
    int status = -1;
    check(waitpid(id, &status, 0) == id, "waitpid");
    if (status)
        printf("start %u: status %#x\n", round, status);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return started(atoi(argv[1]));
    make_memory();
    for (unsigned round = 0; round < ROUNDS; round++) {
        int children = 1 + round % AT_ONCE;
        pid_t ids[AT_ONCE];
        change(round);
        for (int i = 0; i < children; i++) {
            ids[i] = fork();
            check(ids[i] >= 0, "fork");
            if (ids[i] == 0)
                _exit(child(round * AT_ONCE + i));
        }
        for (int i = 0; i < children; i++) {
            int status = -1;
            check(waitpid(ids[i], &status, 0) == ids[i], "waitpid");
            if (status)
                printf("round %u, child %d: status %#x\n", round, i, status);
        }
    }
    check(look() == 0, "look");
    for (unsigned round = 0; round < 12; round++)
        start_again(argv[0], round);
    puts("fresh");
    return 0;
}
