/*
 * Makes one cheap system call again and again.
 * usage: calls COUNT
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    for (long left = argc > 1 ? atol(argv[1]) : 1000000; left > 0; left--)
        syscall(SYS_getppid);
    return 0;
}
