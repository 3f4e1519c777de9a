// Executes a program, then again under a filter of calls: only where both are of one system does the filter mean the same calls.
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "check.h"

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    if (fork() == 0)
    {
        execv(arguments[1], arguments + 1);
        die("execv");
    }
    wait(NULL);
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { 1, &allow };
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    SHOW(execv(arguments[1], arguments + 1));
}
