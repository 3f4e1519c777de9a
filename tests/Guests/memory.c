// mmap, mprotect, mremap, madvise, brk; faults and their handlers; private and shared mappings of files and anonymous
// memory across fork; bus errors past the end of a file; code that is written and run.
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "check.h"

enum { Page = 4096 };

static sigjmp_buf jump;
static volatile int faultSignal, faultCode;
static char *volatile faultAddress;
static char *volatile repair;

static void onFault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    faultSignal = signal;
    faultCode = info->si_code;
    faultAddress = info->si_addr;
    if (repair) {
        mprotect(repair, Page, PROT_READ | PROT_WRITE);
        repair = NULL;
        return;
    }
    siglongjmp(jump, 1);
}

static void probe(const char *what, volatile char *address, int write)
{
    faultSignal = 0;
    if (sigsetjmp(jump, 1) == 0) {
        if (write)
            *address = 1;
        else
            (void)*address;
    }
    printf("%s: signal %d code %d here %d\n", what, faultSignal, faultSignal ? faultCode : 0, faultAddress == address);
}

static void protections(void)
{
    char *pages = mmap(NULL, 8 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, 'a', 8 * Page);
    SHOW(mprotect(pages + Page, Page, PROT_READ));
    SHOW(mprotect(pages + 2 * Page, Page, PROT_NONE));
    SHOW(munmap(pages + 3 * Page, Page));
    probe("write to rw", pages + 17, 1);
    probe("read of r", pages + Page + 5, 0);
    probe("write to r", pages + Page + 5, 1);
    probe("read of none", pages + 2 * Page, 0);
    probe("read of hole", pages + 3 * Page + 9, 0);
    probe("read of null", (char *)0, 0);
    SHOW(mprotect(pages + 3 * Page, Page, PROT_READ));
    SHOW(mprotect(pages + 1, Page, PROT_READ));
    repair = pages + Page;
    ((volatile char *)pages)[Page + 100] = 'z';
    printf("repaired %c\n", pages[Page + 100]);
    // An eight-byte access that begins in a good page and ends in a bad one.
    uint64_t *straddle = (uint64_t *)(pages + 2 * Page - 4);
    if (sigsetjmp(jump, 1) == 0)
        *(volatile uint64_t *)straddle = ~0ull;
    printf("straddle at +%ld first half %x\n", (long)(faultAddress - pages), (unsigned char)pages[2 * Page - 1]);
    SHOW(madvise(pages, Page, MADV_DONTNEED));
    printf("discarded %d\n", pages[17]);
    char *fixed = mmap(pages, 2 * Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("fixed %d first %d\n", fixed == pages, *fixed);
    SHOW(mmap(pages, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    printf("%s\n", strerrorname_np(errno));
    SHOW(mmap(pages + 1, Page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
    SHOW(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    SHOW(mmap(NULL, Page, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED);
    printf("%s\n", strerrorname_np(errno));
    SHOW(munmap(pages + 1, Page));
    SHOW(munmap(pages, 8 * Page));
}

static void remapping(void)
{
    char *area = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'r', 4 * Page);
    char *grown = mremap(area, 4 * Page, 64 * Page, MREMAP_MAYMOVE);
    printf("grown: %c %c %d\n", grown[0], grown[4 * Page - 1], grown[4 * Page]);
    printf("shrunk in place %d\n", mremap(grown, 64 * Page, 2 * Page, 0) == grown);
    probe("behind the shrunk end", grown + 2 * Page, 0);
    char *place = mmap(NULL, 4 * Page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("moved %d\n", mremap(grown, 2 * Page, 2 * Page, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
    printf("content %c\n", place[Page]);
    probe("old place", grown, 0);
    void *start = sbrk(0);
    printf("brk %d\n", sbrk(10 * Page) == start);
    memset(start, 1, 10 * Page);
    printf("shrunk %d\n", sbrk(-10 * Page) != (void *)-1 && sbrk(0) == start);
}

static void sharing(void)
{
    char name[] = "/tmp/memory-XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    SHOW(ftruncate(file, Page + 100));
    char *shared = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    char *private = mmap(NULL, 4 * Page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    strcpy(shared, "written through the shared mapping");
    char buffer[64] = "";
    SHOW(pread(file, buffer, sizeof buffer, 0));
    printf("file: %s\nprivate: %s\n", buffer, private);
    strcpy(private, "private now");
    SHOW(pwrite(file, "PWRITE", 6, 0));
    printf("shared: %.12s private: %s\n", shared, private);
    probe("tail of the last page", shared + 2 * Page - 1, 1);
    probe("past the end", shared + 2 * Page, 0);
    SHOW(ftruncate(file, 3 * Page));
    probe("after growing", shared + 2 * Page, 0);
    SHOW(ftruncate(file, 10));
    probe("after shrinking", shared + Page, 0);
    SHOW(write(1, shared + Page, 1));
    int readOnly = open("/proc/self/exe", O_RDONLY);
    SHOW(mmap(NULL, Page, PROT_READ | PROT_WRITE, MAP_SHARED, readOnly, 0) == MAP_FAILED);
    printf("%s\n", strerrorname_np(errno));

    int *anonymous = mmap(NULL, Page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int *own = mmap(NULL, Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *own = 5;
    for (int i = 0; i < 5; i++) {
        if (fork() == 0) {
            __atomic_fetch_add(anonymous, 1, __ATOMIC_SEQ_CST);
            *own += 100;
            shared[1] = '0' + i;
            _exit(*own);
        }
        int status;
        wait(&status);
        printf("child saw %d\n", WEXITSTATUS(status));
        *own += 1;
    }
    printf("shared counter %d own %d byte %c\n", *anonymous, *own, shared[1]);
}

static void generatedCode(void)
{
    // mov eax, imm32; ret -- changed and run again many times, through one mapping and through an alias of it.
    unsigned char *code = mmap(NULL, Page, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long sum = 0;
    for (int i = 0; i < 1000; i++) {
        unsigned char text[] = { 0xB8, i & 255, i >> 8, 0, 0, 0xC3 };
        memcpy(code, text, sizeof text);
        sum += ((int (*)(void))code)();
    }
    printf("rewritten in place: %ld\n", sum);
    int file = memfd_create("code", 0);
    SHOW(ftruncate(file, Page));
    unsigned char *writable = mmap(NULL, Page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    unsigned char *runnable = mmap(NULL, Page, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    sum = 0;
    for (int i = 0; i < 1000; i++) {
        unsigned char text[] = { 0xB8, i & 255, i >> 8, 0, 0, 0xC3 };
        memcpy(writable + (i % 7) * 16, text, sizeof text);
        sum += ((int (*)(void))(runnable + (i % 7) * 16))();
    }
    printf("rewritten through an alias: %ld\n", sum);
    // A loop that patches the immediate of an instruction ahead of itself: add eax, 1 becomes add eax, 2, in one block.
    static const unsigned char self[] = {
        0x31, 0xC0,                         // xor eax, eax
        0xB9, 10, 0, 0, 0,                  // mov ecx, 10
        0x88, 0x0D, 2, 0, 0, 0,             // mov [rip+2], cl: the immediate of the add
        0x83, 0xC0, 0x63,                   // add eax, 0x63
        0xFF, 0xC9,                         // dec ecx
        0x75, 0xF3,                         // jnz the mov
        0xC3 };
    memcpy(code, self, sizeof self);
    printf("patching itself: %d\n", ((int (*)(void))code)());
    char *data = mmap(NULL, Page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    data[0] = (char)0xC3;
    faultSignal = 0;
    if (sigsetjmp(jump, 1) == 0)
        ((void (*)(void))data)();
    printf("running data: signal %d code %d here %d\n", faultSignal, faultCode, faultAddress == data);
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = onFault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    protections();
    remapping();
    sharing();
    generatedCode();
    fflush(stdout);
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *volatile)64 = 1;
}
