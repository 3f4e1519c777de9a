// Mounts: flags, shared subtrees, mounts set up step by step and behind descriptors.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define FSOPEN 430
#define FSCONFIG 431
#define FSMOUNT 432
#define FSPICK 433
#define OPEN_TREE 428
#define MOVE_MOUNT 429
#define MOUNT_SETATTR 442
#define STATMOUNT 457
#define LISTMOUNT 458

static int groups[50], known;

// Groups by the order in which they are seen: their numbers are the system's.
static int group(int number)
{
    for (int i = 0; i < known; i++)
        if (groups[i] == number)
            return i + 1;
    groups[known++] = number;
    return known;
}

// The mounts below a directory, as mountinfo has them.
static void show_mounts(const char *what)
{
    char line[500];
    printf("%s:\n", what);
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof line, file))
    {
        char root[200], point[200], options[200], rest[300];
        if (sscanf(line, "%*d %*d %*s %199s %199s %199s %299[^\n]", root, point, options, rest) != 4 || strncmp(point, "/tmp/mounts", 11))
            continue;
        printf("  %s at %s %s", root, point, options);
        for (char *word = strtok(rest, " "); word && strcmp(word, "-"); word = strtok(0, " "))
        {
            char *colon = strchr(word, ':');
            if (colon)
                printf(" %.*s:%d", (int)(colon - word), word, group(atoi(colon + 1)));
            else
                printf(" %s", word);
        }
        char *type = strtok(0, " "), *source = strtok(0, " "), *super = strtok(0, " ");
        printf(" - %s %s %s\n", type, source, super);
    }
    fclose(file);
}

static void flags(void)
{
    printf("-- flags\n");
    SHOW(mount("t", "a", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, "mode=0751,uid=7,gid=8,size=1m"));
    struct stat status;
    stat("a", &status);
    printf("%o %d %d\n", status.st_mode, status.st_uid, status.st_gid);
    show_mounts("flags");
    SHOW(mount("", "a", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
    SHOW(mkdir("a/x", 0700));
    show_mounts("bound read-only");
    SHOW(mount("", "a", 0, MS_REMOUNT | MS_NODIRATIME, 0));
    SHOW(mkdir("a/x", 0700));
    SHOW(mount("", "a", 0, MS_REMOUNT | MS_RDONLY | MS_STRICTATIME, 0));
    SHOW(mkdir("a/y", 0700));
    show_mounts("read-only");
    SHOW(mount("", "a", 0, MS_REMOUNT, "novel=1"));
    SHOW(mount("", "a", 0, MS_REMOUNT, 0));
    SHOW(mount("", "a/x", 0, MS_REMOUNT, 0));
    SHOW(mount("", "b", "tmpfs", 0, "novel=1"));
    SHOW(mount("", "b", "tmpfs", 0, "mode=9"));
    SHOW(mount(0, "b", 0, 0, 0));
    SHOW(mount("", "b", 0, MS_BIND, 0));
    SHOW(mount("nothing", "b", 0, MS_BIND, 0));
    SHOW(mount("a", "file", 0, MS_BIND, 0));
    SHOW(mount("file", "b", 0, MS_BIND, 0));
    SHOW(mount("a", "b", 0, MS_BIND, 0));
    SHOW(mount("a", "a/x", 0, MS_MOVE, 0));
    SHOW(mount("c", "b", 0, MS_MOVE, 0));
    SHOW(mount("b", "c", 0, MS_MOVE, 0));
    SHOW(mount("a", "b", 0, MS_BIND, 0));
    SHOW(mount("", "b", 0, MS_REMOUNT | MS_BIND | 256, 0));
    SHOW(symlink("x", "a/link"));
    SHOW(access("a/link", F_OK));
    SHOW(access("b/link", F_OK));
    show_mounts("bound");
    SHOW(umount("a/x"));
    SHOW(umount("a"));
    SHOW(umount("b"));
    SHOW(umount("c"));
}

static void shared(void)
{
    printf("-- shared subtrees\n");
    SHOW(mount("t1", "a", "tmpfs", 0, 0));
    mkdir("a/d", 0700);
    mkdir("a/e", 0700);
    SHOW(mount("", "a", 0, MS_SHARED | MS_PRIVATE, 0));
    SHOW(mount("", "a", 0, MS_SHARED | MS_NOSUID, 0));
    SHOW(mount("", "a/d", 0, MS_SHARED, 0));
    SHOW(mount("", "a", 0, MS_SHARED, 0));
    SHOW(mount("a", "b", 0, MS_BIND, 0));
    SHOW(mount("a", "c", 0, MS_BIND, 0));
    SHOW(mount("", "c", 0, MS_SLAVE, 0));
    show_mounts("peers and a slave");
    SHOW(mount("t2", "a/d", "tmpfs", 0, 0));
    show_mounts("mounted below one");
    SHOW(mount("t3", "c/e", "tmpfs", 0, 0));
    show_mounts("mounted below the slave");
    SHOW(umount("b/d"));
    SHOW(umount("c/e"));
    show_mounts("unmounted");
    SHOW(mount("", "c", 0, MS_SHARED, 0));
    SHOW(mount("c", "d", 0, MS_BIND, 0));
    SHOW(mount("t4", "a/d", "tmpfs", 0, 0));
    show_mounts("slave and shared");
    SHOW(mount("a/d", "e", 0, MS_MOVE, 0));
    SHOW(umount("a/d"));
    SHOW(mount("", "b", 0, MS_PRIVATE, 0));
    SHOW(mount("", "a", 0, MS_PRIVATE, 0));
    show_mounts("private");
    SHOW(mount("", "b", 0, MS_UNBINDABLE, 0));
    SHOW(mount("b", "e", 0, MS_BIND, 0));
    SHOW(mount("t5", "b/d", "tmpfs", 0, 0));
    SHOW(mount(".", "e", 0, MS_BIND | MS_REC, 0));
    show_mounts("bound with all below");
    fflush(stdout);
    if (fork() == 0)
    {
        unshare(CLONE_NEWNS);
        mount("t6", "c/e", "tmpfs", 0, 0);
        mount("", "/", 0, MS_REC | MS_SLAVE, 0);
        mount("t7", "c/e", "tmpfs", 0, 0);
        show_mounts("in a space of its own");
        _exit(0);
    }
    wait(0);
    show_mounts("here");
    umount2("e", MNT_DETACH);
    umount2("d", MNT_DETACH);
    umount2("c", MNT_DETACH);
    umount2("b", MNT_DETACH);
    umount2("a", MNT_DETACH);
    show_mounts("all gone");
}

static long config(int fd, unsigned command, const char *key, const void *value, int auxiliary)
{
    return syscall(FSCONFIG, fd, command, key, value, auxiliary);
}

static void messages(int context)
{
    char text[200];
    ssize_t length;
    while ((length = read(context, text, sizeof text)) > 0)
        printf("says: %.*s\n", (int)strcspn(text, "\n") < length ? (int)strcspn(text, "\n") : (int)length, text);
    show("read", length);
}

static void steps(void)
{
    printf("-- step by step\n");
    SHOW(syscall(FSOPEN, "novel", 0));
    SHOW(syscall(FSOPEN, "tmpfs", 8));
    SHOW(syscall(FSOPEN, 8, 0));
    int context = syscall(FSOPEN, "tmpfs", 1);
    printf("close on exec: %d\n", fcntl(context, F_GETFD));
    SHOW(syscall(FSMOUNT, context, 0, 0));
    SHOW(config(context, 1, "mode", "0711", 0));
    SHOW(config(context, 1, "source", "named", 0));
    SHOW(config(context, 1, "source", "twice", 0));
    SHOW(config(context, 1, "novel", "1", 0));
    SHOW(config(context, 0, "novel", 0, 0));
    messages(context);
    SHOW(config(context, 0, "mode", "1", 0));
    SHOW(config(context, 1, "mode", 0, 0));
    SHOW(config(context, 1, 0, "x", 0));
    SHOW(config(context, 6, "x", 0, 0));
    SHOW(config(context, 77, 0, 0, 0));
    SHOW(config(-1, 6, 0, 0, 0));
    SHOW(config(400, 6, 0, 0, 0));
    SHOW(config(0, 6, 0, 0, 0));
    SHOW(config(context, 7, 0, 0, 0));
    SHOW(config(context, 6, 0, 0, 0));
    SHOW(config(context, 6, 0, 0, 0));
    SHOW(config(context, 0, "ro", 0, 0));
    SHOW(syscall(FSMOUNT, context, 8, 0));
    SHOW(syscall(FSMOUNT, context, 0, 0x30));
    SHOW(syscall(FSMOUNT, context, 0, 0x1000));
    int tree = syscall(FSMOUNT, context, 1, 2 | 8 | 0x10);
    SHOW(tree >= 0 ? 0 : -1);
    SHOW(syscall(FSMOUNT, context, 0, 0));
    SHOW(mkdirat(tree, "inside", 0700));
    SHOW(fcntl(tree, F_GETFL) & O_PATH ? 0 : -1);
    show_mounts("not attached");
    SHOW(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, "a", 0));
    SHOW(syscall(MOVE_MOUNT, tree, "inside", AT_FDCWD, "a", 4));
    SHOW(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, "file", 4));
    SHOW(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, "a", 4 | 0x8000));
    SHOW(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, "a", 4));
    show_mounts("attached");
    struct stat status;
    stat("a", &status);
    printf("mode %o\n", status.st_mode);
    SHOW(access("a/inside", F_OK));
    SHOW(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, "b", 4));
    show_mounts("moved");
    close(tree);
    close(context);
    context = syscall(FSPICK, AT_FDCWD, "b", 0);
    SHOW(config(context, 6, 0, 0, 0));
    SHOW(config(context, 0, "ro", 0, 0));
    SHOW(config(context, 7, 0, 0, 0));
    SHOW(mkdir("b/more", 0700));
    show_mounts("picked and made read-only");
    SHOW(syscall(FSPICK, AT_FDCWD, "b/inside", 0));
    SHOW(syscall(FSPICK, AT_FDCWD, "b", 0x40));
    close(context);
    SHOW(umount("b"));
    mkdir("lower", 0755);
    mkdir("lower/shown", 0755);
    context = syscall(FSOPEN, "overlay", 0);
    SHOW(config(context, 1, "lowerdir", "lower:d", 0));
    SHOW(config(context, 1, "novel", "lower", 0));
    SHOW(config(context, 6, 0, 0, 0));
    tree = syscall(FSMOUNT, context, 0, 0);
    SHOW(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, "a", 4));
    SHOW(access("a/shown", F_OK));
    close(tree);
    close(context);
    SHOW(umount("a"));
}

static void trees(void)
{
    printf("-- trees\n");
    mount("t1", "a", "tmpfs", 0, 0);
    mkdir("a/d", 0700);
    mount("t2", "a/d", "tmpfs", 0, 0);
    mkdir("a/d/deep", 0700);
    SHOW(syscall(OPEN_TREE, AT_FDCWD, "a", 2));
    SHOW(syscall(OPEN_TREE, AT_FDCWD, "a", AT_RECURSIVE));
    int path = syscall(OPEN_TREE, AT_FDCWD, "a", O_CLOEXEC);
    SHOW(path >= 0 ? 0 : -1);
    SHOW(faccessat(path, "d/deep", F_OK, 0));
    close(path);
    int one = syscall(OPEN_TREE, AT_FDCWD, "a", 1), all = syscall(OPEN_TREE, AT_FDCWD, "a", 1 | AT_RECURSIVE);
    SHOW(faccessat(one, "d/deep", F_OK, 0));
    SHOW(faccessat(all, "d/deep", F_OK, 0));
    struct
    {
        unsigned long long set, clear, propagation, users;
    } change = {.set = 1};
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH, &change, 8));
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH, &change, 5000));
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH | 2, &change, sizeof change));
    SHOW(syscall(MOUNT_SETATTR, all, "d/deep", AT_EMPTY_PATH, &change, sizeof change));
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH | AT_RECURSIVE, &change, sizeof change));
    SHOW(mkdirat(all, "d/new", 0700));
    change.set = 0x10;
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH, &change, sizeof change));
    change.clear = 0x70;
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH, &change, sizeof change));
    change.set = 0;
    change.clear = 0x10;
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH, &change, sizeof change));
    change.clear = 0;
    change.propagation = MS_SHARED | MS_PRIVATE;
    SHOW(syscall(MOUNT_SETATTR, all, "", AT_EMPTY_PATH, &change, sizeof change));
    SHOW(syscall(MOVE_MOUNT, all, "", AT_FDCWD, "b", 4));
    SHOW(syscall(MOVE_MOUNT, one, "", AT_FDCWD, "c", 4));
    change.propagation = MS_SHARED;
    SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "c", 0, &change, sizeof change));
    change.propagation = MS_UNBINDABLE;
    SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "a/d", 0, &change, sizeof change));
    show_mounts("trees");
    SHOW(syscall(OPEN_TREE, AT_FDCWD, "a/d", 1));
    change.propagation = 0;
    SHOW(syscall(MOUNT_SETATTR, AT_FDCWD, "nothing", 0, &change, sizeof change));
    close(one);
    close(all);
    umount2("c", MNT_DETACH);
    umount2("b", MNT_DETACH);
    int gone = syscall(OPEN_TREE, AT_FDCWD, "a", 1 | AT_RECURSIVE);
    close(gone);
    umount2("a", MNT_DETACH);
}

int main(void)
{
    setbuf(stdout, 0);
    mkdir("/tmp/mounts", 0700);
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) || mount("top", "/tmp/mounts", "tmpfs", 0, 0) || chdir("/tmp/mounts"))
        die("setting up");
    for (const char *name = "a\0b\0c\0d\0e\0"; *name; name += 2)
        mkdir(name, 0700);
    close(creat("file", 0600));
    flags();
    shared();
    steps();
    trees();
    fflush(stdout);
    if (fork() == 0)
    {
        setresuid(1000, 1000, 1000);
        SHOW(syscall(FSOPEN, "tmpfs", 0));
        SHOW(syscall(OPEN_TREE, AT_FDCWD, "/", 1));
        SHOW(syscall(MOVE_MOUNT, AT_FDCWD, "/", AT_FDCWD, "/", 0));
        SHOW(mount("", "/", 0, MS_SHARED, 0));
        _exit(0);
    }
    wait(0);
    chdir("/");
    umount2("/tmp/mounts", MNT_DETACH);
    rmdir("/tmp/mounts");
    return 0;
}
