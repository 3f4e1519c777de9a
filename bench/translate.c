/*
 * Code that runs once: how long distinct blocks take that were never seen before, each ending in a jump to the next.
 * usage: translate [SCALE]
 */
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

/* Bytes from one block to the next, and of the memory they work on. */
enum { BLOCK = 48, DATA = 4096 };

typedef uint32_t (*chain)(uint32_t *data, uint32_t value);

/* xorshift32. */
static uint32_t next_number(void)
{
    static uint32_t state = 1;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static uint8_t *put(uint8_t *at, const char *bytes, int length)
{
    memcpy(at, bytes, length);
    return at + length;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

/* Eight instructions and a jump; *value becomes what they make of it. */
static void write_block(uint8_t *at, uint32_t *data, uint32_t *value)
{
    uint8_t *start = at;
    uint32_t addend = next_number(), mask = next_number(), from = next_number() % (DATA / 4), to = next_number() % (DATA / 4);
    at = put32(put(at, "\x05", 1), addend);             /* add eax, addend */
    at = put(at, "\x8d\x4c\x40\x07", 4);                /* lea ecx, [rax + rax * 2 + 7] */
    at = put32(put(at, "\xba", 1), mask);               /* mov edx, mask */
    at = put(at, "\x31\xd0", 2);                        /* xor eax, edx */
    at = put32(put(at, "\x89\x8f", 2), to * 4);         /* mov [rdi + to * 4], ecx */
    at = put32(put(at, "\x03\x97", 2), from * 4);       /* add edx, [rdi + from * 4] */
    at = put(at, "\xc1\xc2\x05", 3);                    /* rol edx, 5 */
    at = put(at, "\x29\xd0", 2);                        /* sub eax, edx */
    put32(put(at, "\xe9", 1), (uint32_t)(start + BLOCK - (at + 5)));

    *value += addend;
    data[to] = *value * 3 + 7;
    *value ^= mask;
    mask += data[from];
    *value -= mask << 5 | mask >> 27;
}

static double run_once(int count)
{
    static uint32_t data[DATA / 4], expected_data[DATA / 4];
    memset(data, 0, sizeof data);
    memset(expected_data, 0, sizeof expected_data);
    size_t length = ((size_t)count + 2) * BLOCK;
    uint8_t *code = mmap(NULL, length, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        abort();
    uint32_t expected = 1;
    put(code, "\x89\xf0\xeb\x2c", 4);                   /* mov eax, esi; jmp to the first block */
    for (int i = 0; i < count; i++)
        write_block(code + (size_t)(i + 1) * BLOCK, expected_data, &expected);
    code[length - BLOCK] = 0xc3;                        /* ret */
    double start = now();
    uint32_t value = ((chain)code)(data, 1);
    double result = (now() - start) * 1e3;
    if (value != expected || memcmp(data, expected_data, sizeof data))
        abort();
    munmap(code, length);
    return result;
}

int main(int argc, char **argv)
{
    double scale = argc > 1 ? atof(argv[1]) : 1;
    double results[REPETITIONS];
    for (int r = 0; r < REPETITIONS; r++)
        results[r] = run_once(scaled(100000, scale));
    report("distinct blocks, once each", median(results, REPETITIONS), "ms");
    return 0;
}
