// What only the superuser may: ids and groups, names of the host, roots, terminals, locks of all memory, ends of a process id name space.
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/reboot.h>
#include <sched.h>
#include <time.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include "check.h"

static void ids(void)
{
    gid_t groups[4] = { 10, 20, 30 };
    SHOW(syscall(SYS_setgroups, 3, groups));
    groups[0] = groups[1] = 0;
    SHOW(syscall(SYS_getgroups, 4, groups));
    printf("groups %u %u\n", groups[0], groups[1]);
    SHOW(syscall(SYS_getgroups, 1, groups));
    SHOW(syscall(SYS_setfsuid, 55));
    SHOW(syscall(SYS_setfsuid, -1));
    SHOW(syscall(SYS_setfsgid, 66));
    SHOW(syscall(SYS_setfsgid, -1));
    gid_t real, effective, saved;
    SHOW(syscall(SYS_setregid, 7, 8));
    SHOW(syscall(SYS_getresgid, &real, &effective, &saved));
    printf("gids %u %u %u\n", real, effective, saved);
    SHOW(syscall(SYS_setresgid, 1, 2, 3));
    SHOW(syscall(SYS_setgid, 5));
    SHOW(syscall(SYS_getresgid, &real, &effective, &saved));
    printf("gids %u %u %u\n", real, effective, saved);
    SHOW(syscall(SYS_setreuid, 0, 8));
    SHOW(syscall(SYS_getresuid, &real, &effective, &saved));
    printf("uids %u %u %u\n", real, effective, saved);
    SHOW(syscall(SYS_setgroups, 0, NULL));
    SHOW(syscall(SYS_setgid, 77));
    SHOW(syscall(SYS_setreuid, -1, 0));
    SHOW(syscall(SYS_setregid, -1, 77));
}

static void names(void)
{
    unshare(CLONE_NEWUTS);
    SHOW(syscall(SYS_sethostname, "somewhere", 9));
    SHOW(syscall(SYS_setdomainname, "else", 4));
    SHOW(syscall(SYS_sethostname, "x", 65));
    struct utsname told;
    uname(&told);
    printf("%s %s\n", told.nodename, told.domainname);
    struct timex clock = { 0 };
    SHOW(syscall(SYS_adjtimex, &clock) >= 0);
    SHOW(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &clock) >= 0);
    SHOW(clock.tick);
}

static void roots(void)
{
    char place[] = "/tmp/superuserXXXXXX";
    mkdtemp(place);
    if (fork() == 0) {
        unshare(CLONE_NEWNS);
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
        SHOW(mount("tmpfs", place, "tmpfs", 0, NULL));
        SHOW(syscall(467, AT_FDCWD, place, 1, NULL, 0) >= 0);
        SHOW(syscall(467, AT_FDCWD, place, 1, NULL, 8));
        chdir(place);
        mkdir("old", 0700), mkdir("inside", 0700);
        if (fork() == 0) {
            SHOW(syscall(SYS_chroot, "inside"));
            SHOW(chdir("/"));
            SHOW(access("/old", F_OK));
            exit(0);
        }
        wait(NULL);
        SHOW(syscall(SYS_pivot_root, ".", "inside/nothing"));
        SHOW(syscall(SYS_pivot_root, ".", "old"));
        SHOW(access("/inside", F_OK));
        SHOW(access("/old/proc", F_OK));
        SHOW(umount2("/old", MNT_DETACH));
        SHOW(access("/old/proc", F_OK));
        exit(0);
    }
    wait(NULL);
    rmdir(place);
}

static void ends(void)
{
    if (fork() == 0) {
        setsid();
        SHOW(syscall(SYS_vhangup));
        SHOW(syscall(SYS_mlockall, MCL_CURRENT));
        SHOW(syscall(SYS_munlockall));
        exit(0);
    }
    wait(NULL);
    unsigned commands[] = { LINUX_REBOOT_CMD_RESTART, LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_CAD_ON };
    for (int i = 0; i < 4; i++) {
        pid_t child = syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
        if (child == 0) {
            long result = syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, commands[i], 0);
            _exit(result == -1 ? errno : 99);
        }
        int status;
        waitpid(child, &status, 0);
        printf("status %x\n", status);
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    names();
    roots();
    ends();
    ids();
    return 0;
}
