/* The same of NetBSD. */
#define NETBSD
#include "mounts.c"
