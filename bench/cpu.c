/*
 * Kernels that only compute.
 * usage: cpu [SCALE]
 */
#include <math.h>
#include <string.h>

#include "bench.h"

static void sieve(int limit)
{
    uint8_t *is_prime = malloc(limit + 1);
    uint64_t primes = 0;
    for (int round = 0; round < 4; round++) {
        memset(is_prime, 1, limit + 1);
        for (int i = 2; (long)i * i <= limit; i++) {
            if (!is_prime[i])
                continue;
            for (int j = i * i; j <= limit; j += i)
                is_prime[j] = 0;
        }
        for (int i = 2; i <= limit; i++)
            primes += is_prime[i];
    }
    sink = primes;
    free(is_prime);
}

/* SHA-256's compression function (FIPS 180-4, 6.2.2) over made-up blocks. */

static uint32_t round_constants[64];

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
static void make_round_constants(void)
{
    int count = 0;
    for (int candidate = 2; count < 64; candidate++) {
        int is_prime = 1;
        for (int divisor = 2; divisor * divisor <= candidate; divisor++)
            is_prime &= candidate % divisor != 0;
        if (!is_prime)
            continue;
        long double root = cbrtl(candidate);
        round_constants[count++] = (uint32_t)((root - floorl(root)) * 4294967296.0L);
    }
}

static inline uint32_t rotate(uint32_t value, int by)
{
    return value >> by | value << (32 - by);
}

static void compress(uint32_t state[8], uint32_t w[64])
{
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        uint32_t sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + round_constants[i] + w[i];
        uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

static void sha256(int blocks)
{
    uint32_t state[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, words[64];
    for (int block = 0; block < blocks; block++) {
        for (int i = 0; i < 16; i++)
            words[i] = block * 31 + i;
        compress(state, words);
    }
    sink = state[0];
}

struct body {
    double place[3], speed[3], mass;
};

static void attract(struct body *a, struct body *b)
{
    double d[3], square = 0;
    for (int k = 0; k < 3; k++) {
        d[k] = a->place[k] - b->place[k];
        square += d[k] * d[k];
    }
    double force = 0.001 / (square * sqrt(square));
    for (int k = 0; k < 3; k++) {
        a->speed[k] -= d[k] * b->mass * force;
        b->speed[k] += d[k] * a->mass * force;
    }
}

static void nbody(int steps)
{
    struct body bodies[5];
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 3; k++) {
            bodies[i].place[k] = 1.0 + i * 0.7 + k * 0.3 * (i + 1);
            bodies[i].speed[k] = 1.0 + i * 0.7 + (k + 3) * 0.3 * (i + 1);
        }
        bodies[i].mass = 1.0 + i * 0.7 + 6 * 0.3 * (i + 1);
    }
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++)
                attract(&bodies[i], &bodies[j]);
        for (int i = 0; i < 5; i++)
            for (int k = 0; k < 3; k++)
                bodies[i].place[k] += 0.001 * bodies[i].speed[k];
    }
    sink = (uint64_t)(bodies[0].place[0] * 1000);
}

static void copy(int times)
{
    static char from[1 << 20], to[1 << 20];
    for (int i = 0; i < times; i++) {
        from[i & 1023] = i;
        memcpy(to, from, sizeof from);
        sink += to[i & 1023];
    }
}

static int compare_ints(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

static void sort(int count)
{
    int *values = malloc(count * sizeof *values);
    uint32_t random = 1;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < count; i++) {
            random = random * 1664525 + 1013904223;
            values[i] = random >> 1;
        }
        qsort(values, count, sizeof *values, compare_ints);
    }
    sink = values[count / 2];
    free(values);
}

/* A mix as in small systems' marks: a list walk with a checksum, a matrix product, a scanner of numbers. */

enum { NODES = 512, SIDE = 40 };

struct node {
    struct node *next;
    int value;
};

static uint16_t walk(const struct node *list, uint16_t checksum)
{
    for (int i = 0; i < NODES; i++) {
        checksum = checksum >> 1 ^ ((list->value ^ checksum) & 1 ? 0xA001 : 0);
        list = list->next;
    }
    return checksum;
}

static void multiply(int16_t a[SIDE][SIDE], int16_t b[SIDE][SIDE], int32_t product[SIDE][SIDE])
{
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += a[i][k] * b[k][j];
            product[i][j] = sum;
        }
}

static uint16_t scan(const char *text, uint16_t checksum)
{
    enum { START, NUMBER, SIGN, OTHER, FRACTION } state = START;
    for (; *text; text++) {
        int is_digit = *text >= '0' && *text <= '9';
        switch (state) {
        case START:
            state = is_digit ? NUMBER : *text == '-' || *text == '+' ? SIGN : OTHER;
            break;
        case NUMBER:
            state = *text == ',' ? START : *text == '.' ? FRACTION : NUMBER;
            break;
        case SIGN:
            state = is_digit ? NUMBER : OTHER;
            break;
        default:
            state = *text == ',' ? START : state;
        }
        checksum += state;
    }
    return checksum;
}

static void mark(int rounds)
{
    static struct node list[NODES];
    static int16_t a[SIDE][SIDE], b[SIDE][SIDE];
    static int32_t product[SIDE][SIDE];
    uint16_t checksum = 0;
    for (int i = 0; i < NODES; i++) {
        list[i].next = &list[(i * 197 + 1) % NODES];
        list[i].value = i * 7;
    }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            a[i][j] = i + j;
            b[i][j] = i ^ j;
        }
    for (int round = 0; round < rounds; round++) {
        checksum = walk(list, checksum);
        multiply(a, b, product);
        checksum ^= product[round % SIDE][round * 7 % SIDE];
        checksum = scan("5012,-874,+122,0x3f,1.25e3,--,7f", checksum);
    }
    sink = checksum;
}

static const struct {
    const char *name;
    void (*run)(int count);
    int count;
} benchmarks[] = {
    { "sieve", sieve, 5000000 },
    { "sha256", sha256, 200000 },
    { "nbody", nbody, 1000000 },
    { "memcpy 1M", copy, 4000 },
    { "qsort", sort, 1000000 },
    { "mark", mark, 5000 },
};

int main(int argc, char **argv)
{
    double scale = argc > 1 ? atof(argv[1]) : 1;
    make_round_constants();
    for (size_t i = 0; i < sizeof benchmarks / sizeof *benchmarks; i++) {
        double results[REPETITIONS];
        for (int r = 0; r < REPETITIONS; r++) {
            double start = now();
            benchmarks[i].run(scaled(benchmarks[i].count, scale));
            results[r] = (now() - start) * 1e3;
        }
        report(benchmarks[i].name, median(results, REPETITIONS), "ms");
    }
    return 0;
}
