/* The same of NetBSD. */
#define NETBSD
#include "routing.c"
