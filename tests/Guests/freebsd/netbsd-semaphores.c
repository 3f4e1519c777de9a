/* The same of NetBSD. */
#define NETBSD
#include "semaphores.c"
