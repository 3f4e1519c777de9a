/* Shared by the benchmarks: time, medians, and the line "name<TAB>value<TAB>unit" that `viv bench` reads. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPETITIONS = 5 };

/* Keeps the compiler from dropping work whose result nobody wants. */
static volatile uint64_t sink;

static inline double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static inline int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static inline double median(double *values, int count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static inline void report(const char *name, double value, const char *unit)
{
    printf("%s\t%.6g\t%s\n", name, value, unit);
    fflush(stdout);
}

/* n scaled, at least 10. */
static inline int scaled(int n, double scale)
{
    int count = (int)(n * scale);
    return count < 10 ? 10 : count;
}

#endif
