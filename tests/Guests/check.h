// Shared by the guest programs: each prints what it saw, the harness compares that with the native run.
#pragma once
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef __GLIBC__
// Other libraries do not know the names of errors: their messages tell as much.
static inline const char *strerrorname_np(int error) { return strerror(error); }
#endif

// Prints the outcome of a call: its value, or the symbolic errno.
static inline long show(const char *what, long value)
{
    if (value == -1)
        printf("%s = -1 %s\n", what, strerrorname_np(errno) ? strerrorname_np(errno) : "?");
    else
        printf("%s = %ld\n", what, value);
    fflush(stdout);
    return value;
}

#define SHOW(call) show(#call, (long)(call))

static inline void die(const char *what)
{
    perror(what);
    exit(99);
}
