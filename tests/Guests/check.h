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

// What a process, or a thread of this one, does, as proc_pid_stat(5) has it: R, S, Z, ...; 0 when it is gone.
static inline char stateOf(int id)
{
    char path[48], state = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    FILE *file = fopen(path, "r");
    if (!file) {
        snprintf(path, sizeof path, "/proc/%d/stat", id);
        file = fopen(path, "r");
    }
    if (!file)
        return 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    fclose(file);
    return state;
}

// Until somebody sleeps in the call that was to be waited for: it was the next thing to do, and nothing else makes it sleep.
static inline void untilAsleep(int id)
{
    while (stateOf(id) != 'S')
        usleep(1000);
}
