// Processes by descriptor, memory of other processes, membarrier, scheduling attributes, I/O priorities, prctl.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include "check.h"

static int pollNow(int fd)
{
    struct pollfd one = { fd, POLLIN, 0 };
    poll(&one, 1, 0);
    return one.revents;
}

static void descriptors(void)
{
    int channel[2];
    siginfo_t info = { 0 };
    if (pipe(channel) != 0)
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        char letter;
        if (read(channel[0], &letter, 1) != 1)
            _exit(9);
        pause();
        _exit(1);
    }
    int fd = syscall(SYS_pidfd_open, child, 0);
    printf("open %d cloexec %d\n", fd >= 0, fcntl(fd, F_GETFD));
    printf("poll %x\n", pollNow(fd));
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    int other = syscall(SYS_pidfd_getfd, fd, channel[1], 0);
    printf("getfd %d cloexec %d\n", other >= 0, fcntl(other, F_GETFD));
    SHOW(write(other, "x", 1));
    SHOW(syscall(SYS_pidfd_getfd, fd, 900, 0));
    SHOW(syscall(SYS_pidfd_getfd, fd, 0, 1));
    SHOW(syscall(SYS_pidfd_getfd, 0, 0, 0));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG));
    printf("pid %d\n", info.si_pid);
    SHOW(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED | WNOWAIT));
    printf("child %d code %d status %d\n", info.si_pid == child, info.si_code, info.si_status);
    printf("poll %x\n", pollNow(fd));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    printf("poll %x\n", pollNow(fd));
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_send_signal, open("/proc/self", O_RDONLY), 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_send_signal, open("/proc/self", O_PATH), 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_send_signal, open("/proc/self/task", O_RDONLY), 0, NULL, 0));
    SHOW(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 64));
    SHOW(syscall(SYS_pidfd_getfd, fd, 0, 0));
    SHOW(waitid(P_PIDFD, 0, &info, WEXITED));
    SHOW(waitid(P_PIDFD, -1, &info, WEXITED));
    SHOW(syscall(SYS_pidfd_open, 0, 0));
    SHOW(syscall(SYS_pidfd_open, -1, 0));
    SHOW(syscall(SYS_pidfd_open, 4000000, 0));
    SHOW(syscall(SYS_pidfd_open, getpid(), 1));
    SHOW(read(fd, &info, sizeof info));
    close(fd);
    struct clone_args arguments = { .flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD };
    child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0)
        _exit(7);
    printf("cloned %d with descriptor %d\n", child > 0, fd >= 0);
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    printf("status %d\n", info.si_status);
    SHOW(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, &fd, 0));
    fd = syscall(SYS_pidfd_open, child = fork() ?: (pause(), 0), O_NONBLOCK);
    SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void memory(void)
{
    static char secret[] = "what is read", target[40];
    struct iovec local[2] = { { target, 6 }, { target + 10, 20 } }, remote[2] = { { secret, 4 }, { secret + 4, 9 } };
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    SHOW(process_vm_readv(child, local, 2, remote, 2, 0));
    printf("%.6s|%.10s\n", target, target + 10);
    SHOW(process_vm_writev(child, local, 1, remote, 1, 0));
    SHOW(process_vm_readv(child, local, 2, remote, 2, 1));
    SHOW(process_vm_readv(4000000, local, 2, remote, 2, 0));
    remote[0].iov_base = (void *)16;
    SHOW(process_vm_readv(child, local, 2, remote, 2, 0));
    remote[0].iov_base = secret;
    remote[1].iov_base = (void *)16;
    SHOW(process_vm_readv(child, local, 2, remote, 2, 0));
    SHOW(process_vm_readv(child, local, 0, remote, 2, 0));
    SHOW(process_vm_readv(child, local, 2000, remote, 2, 0));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    SHOW(process_vm_readv(child, local, 2, remote, 2, 0));
}

static void barriers(void)
{
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
    SHOW(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 1, 0));
    SHOW(syscall(SYS_membarrier, 3, 0, 0));
}

static void scheduling(void)
{
    struct { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; uint32_t clamps[2]; } attributes = { 0 };
    SHOW(syscall(SYS_sched_getattr, 0, &attributes, 48, 0));
    printf("size %u policy %u nice %d priority %u flags %lx\n", attributes.size, attributes.policy, attributes.nice, attributes.priority, attributes.flags);
    SHOW(syscall(SYS_sched_getattr, 0, &attributes, 47, 0));
    SHOW(syscall(SYS_sched_getattr, 4000000, &attributes, 48, 0));
    attributes.size = 48;
    attributes.policy = SCHED_BATCH;
    attributes.nice = 7;
    attributes.flags = 1;
    SHOW(syscall(SYS_sched_setattr, 0, &attributes, 0));
    SHOW(sched_getscheduler(0));
    errno = 0;
    SHOW(getpriority(PRIO_PROCESS, 0));
    attributes.size = 20;
    SHOW(syscall(SYS_sched_setattr, 0, &attributes, 0));
    printf("size %u\n", attributes.size);
    attributes.size = 48;
    attributes.flags = 1 << 20;
    SHOW(syscall(SYS_sched_setattr, 0, &attributes, 0));
    attributes.flags = 0;
    attributes.policy = 77;
    SHOW(syscall(SYS_sched_setattr, 0, &attributes, 0));
    struct sched_param param = { 1 };
    SHOW(sched_setscheduler(0, SCHED_BATCH, &param));
    SHOW(sched_setscheduler(0, 77, &param));
    SHOW(sched_setscheduler(0, -1, &param));
    param.sched_priority = 0;
    SHOW(sched_setscheduler(0, SCHED_FIFO, &param));
    SHOW(sched_setscheduler(0, SCHED_IDLE, &param));
    SHOW(sched_getscheduler(0));
    SHOW(sched_setscheduler(0, SCHED_OTHER, &param));
    SHOW(sched_getparam(0, &param));
    SHOW(sched_get_priority_max(SCHED_RR));
    SHOW(sched_get_priority_min(SCHED_FIFO));
    SHOW(sched_get_priority_max(44));
    SHOW(sched_getscheduler(4000000));
    SHOW(sched_getscheduler(-1));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 3 << 13 | 7));
    SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 5 << 13));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 3));
    SHOW(syscall(SYS_ioprio_set, 9, 0, 0));
    SHOW(syscall(SYS_ioprio_get, 1, 4000000));
    cpu_set_t set;
    CPU_ZERO(&set);
    SHOW(sched_setaffinity(0, sizeof set, &set));
    CPU_SET(0, &set);
    SHOW(sched_setaffinity(0, sizeof set, &set));
    CPU_SET(1, &set);
    SHOW(sched_getaffinity(0, sizeof set, &set));
    printf("one processor %d\n", CPU_COUNT(&set) == 1 && CPU_ISSET(0, &set));
    SHOW(sched_getaffinity(4000000, sizeof set, &set));
}

static void controls(void)
{
    int value = -1;
    char name[16];
    SHOW(prctl(PR_SET_PDEATHSIG, SIGUSR1));
    SHOW(prctl(PR_GET_PDEATHSIG, &value));
    printf("signal %d\n", value);
    SHOW(prctl(PR_SET_PDEATHSIG, 65));
    SHOW(prctl(PR_SET_PDEATHSIG, 0));
    SHOW(prctl(PR_SET_NAME, "a name that is too long"));
    SHOW(prctl(PR_GET_NAME, name));
    printf("%s\n", name);
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 2));
    SHOW(prctl(PR_SET_DUMPABLE, 0));
    SHOW(prctl(PR_GET_DUMPABLE));
    SHOW(prctl(PR_SET_DUMPABLE, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 1));
    SHOW(prctl(PR_GET_KEEPCAPS));
    SHOW(prctl(PR_SET_KEEPCAPS, 2));
    SHOW(prctl(PR_GET_SECUREBITS));
    SHOW(prctl(PR_SET_KEEPCAPS, 0));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 1234));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_TIMERSLACK, 0));
    SHOW(prctl(PR_GET_TIMERSLACK));
    SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
    SHOW(prctl(PR_GET_CHILD_SUBREAPER, &value));
    printf("subreaper %d\n", value);
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    SHOW(prctl(PR_CAPBSET_READ, CAP_KILL));
    SHOW(prctl(PR_CAPBSET_READ, 99));
    SHOW(prctl(PR_CAPBSET_DROP, CAP_KILL));
    SHOW(prctl(PR_CAPBSET_READ, CAP_KILL));
    SHOW(prctl(PR_CAPBSET_DROP, 99));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 99, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, 9, 0, 0, 0));
    SHOW(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED));
    SHOW(prctl(PR_GET_SECUREBITS));
    SHOW(prctl(PR_SET_SECUREBITS, 0));
    SHOW(prctl(PR_SET_SECUREBITS, 1 << 12));
    SHOW(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
    SHOW(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
    SHOW(prctl(PR_GET_TIMING));
    SHOW(prctl(PR_SET_TIMING, 1));
    SHOW(prctl(PR_GET_TSC, &value));
    printf("counter %d\n", value);
    SHOW(prctl(12345, 0));
}

struct sets { uint32_t effective, permitted, inheritable; };

static void showSets(const char *what)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct sets sets[2];
    syscall(SYS_capget, &header, sets);
    printf("%s: effective %d %d permitted %d %d inheritable %d %d\n", what, sets[0].effective >> CAP_CHOWN & 1, sets[0].effective >> CAP_SETUID & 1,
        sets[0].permitted >> CAP_CHOWN & 1, sets[0].permitted >> CAP_SETUID & 1, sets[0].inheritable >> CAP_CHOWN & 1, sets[0].inheritable >> CAP_SETUID & 1);
}

static void capabilities(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct sets sets[2];
    showSets("first");
    syscall(SYS_capget, &header, sets);
    sets[0].inheritable = 1 << CAP_CHOWN;
    SHOW(syscall(SYS_capset, &header, sets));
    showSets("inheritable");
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
    SHOW(setresuid(-1, 1000, -1));
    showSets("other effective id");
    SHOW(setresuid(-1, 0, -1));
    showSets("back");
    SHOW(prctl(PR_SET_KEEPCAPS, 1));
    SHOW(setresuid(1000, 1000, 1000));
    showSets("kept");
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
    sets[0].effective = sets[0].permitted = 1 << CAP_CHOWN;
    sets[1].effective = sets[1].permitted = 0;
    SHOW(syscall(SYS_capset, &header, sets));
    showSets("raised one");
    sets[0].permitted = 1 << CAP_SETUID;
    SHOW(syscall(SYS_capset, &header, sets));
    header.version = 1;
    SHOW(syscall(SYS_capget, &header, sets));
    printf("version %x\n", header.version);
    SHOW(syscall(SYS_capget, &header, NULL));
    header.pid = 4000000;
    SHOW(syscall(SYS_capget, &header, sets));
    header.pid = 1;
    SHOW(syscall(SYS_capset, &header, sets));
}

int main(void)
{
    descriptors();
    memory();
    barriers();
    scheduling();
    fflush(stdout);
    if (fork() == 0) {
        capabilities();
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    controls();
    return 0;
}
