// POSIX access control lists: attributes, what they allow, modes beside them, inheritance. And quotas, which no file system here keeps.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

struct entry
{
    unsigned short tag, permissions;
    unsigned id;
};

struct list
{
    unsigned version;
    struct entry entries[10];
};

// "u:7 U1000:5 g:5 G2000:6 m:7 o:0"
static size_t parse(const char *text, struct list *list)
{
    int count = 0;
    list->version = 2;
    while (*text)
    {
        static const char kinds[] = "uUgGmo";
        static const unsigned short tags[] = {1, 2, 4, 8, 16, 32};
        struct entry *entry = &list->entries[count++];
        entry->tag = tags[strchr(kinds, *text++) - kinds];
        entry->id = *text == ':' ? -1u : strtoul(text, (char **)&text, 10);
        text++;
        entry->permissions = strtoul(text, (char **)&text, 10);
        while (*text == ' ')
            text++;
    }
    return 4 + count * sizeof(struct entry);
}

static int set(const char *path, const char *name, const char *text)
{
    struct list list;
    size_t size = parse(text, &list);
    return setxattr(path, name, &list, size, 0);
}

static void get(const char *path)
{
    struct stat status;
    lstat(path, &status);
    printf("%s: mode %o", path, status.st_mode & 07777);
    for (int i = 0; i < 2; i++)
    {
        struct list list;
        ssize_t size = getxattr(path, i ? DEFAULT : ACCESS, &list, sizeof list);
        if (size < 0)
        {
            printf(" %s", strerrorname_np(errno));
            continue;
        }
        printf(" [");
        for (int j = 0; j < (size - 4) / 8; j++)
            printf(" %x:%o:%d", list.entries[j].tag, list.entries[j].permissions, (int)list.entries[j].id);
        printf(" ]");
    }
    printf("\n");
}

// What a user in some groups may do.
static void may(unsigned user, unsigned group, unsigned other, const char *path)
{
    fflush(stdout);
    if (fork() == 0)
    {
        gid_t groups[] = {other};
        setgroups(other ? 1 : 0, groups);
        setresgid(group, group, group);
        setresuid(user, user, user);
        printf("%u in %u %u may %s:", user, group, other, path);
        for (int mode = 1; mode < 8; mode++)
            printf(" %d", faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0);
        printf("\n");
        fflush(stdout);
        _exit(0);
    }
    wait(0);
}

static void attributes(void)
{
    printf("-- attributes\n");
    get("file");
    SHOW(set("file", ACCESS, "u:6 g:4 o:0"));
    get("file");
    SHOW(set("file", ACCESS, "u:6 U1000:7 g:4 G2000:6 m:6 o:0"));
    get("file");
    char names[200];
    ssize_t length = listxattr("file", names, sizeof names);
    for (char *name = names; name < names + length; name += strlen(name) + 1)
        printf("  %s\n", name);
    SHOW(getxattr("file", ACCESS, 0, 0));
    SHOW(getxattr("file", ACCESS, names, 10));
    SHOW(chmod("file", 0741));
    get("file");
    SHOW(removexattr("file", ACCESS));
    get("file");
    SHOW(removexattr("file", ACCESS));
    SHOW(set("file", ACCESS, ""));
    SHOW(setxattr("file", ACCESS, "", 0, 0));
    SHOW(setxattr("file", ACCESS, "\2", 1, 0));
    SHOW(setxattr("file", ACCESS, "\3\0\0\0", 4, 0));
    SHOW(setxattr("file", ACCESS, "\2\0\0\0xxx", 7, 0));
    SHOW(setxattr("file", ACCESS, "\2\0\0\0\3\0\0\0\0\0\0\0", 12, 0));
    SHOW(set("file", ACCESS, "u:6 g:4"));
    SHOW(set("file", ACCESS, "g:6 u:4 o:0"));
    SHOW(set("file", ACCESS, "u:6 U1000:7 g:4 o:0"));
    SHOW(set("file", ACCESS, "u:6 g:4 U1000:7 m:7 o:0"));
    SHOW(set("file", ACCESS, "u:8 g:4 o:0"));
    SHOW(set("file", ACCESS, "u:6 g:4 m:7 o:0"));
    get("file");
    SHOW(set("file", DEFAULT, "u:6 g:4 o:0"));
    SHOW(setxattr("file", DEFAULT, "", 0, 0));
    SHOW(lsetxattr("link", ACCESS, "\2\0\0\0", 4, 0));
    SHOW(lgetxattr("link", ACCESS, names, sizeof names));
    int pipes[2];
    pipe(pipes);
    SHOW(fgetxattr(pipes[0], ACCESS, names, sizeof names));
    SHOW(setxattr("file", "system.other", "x", 1, 0));
    fflush(stdout);
    if (fork() == 0)
    {
        setresuid(1000, 1000, 1000);
        SHOW(set("file", ACCESS, "u:6 g:4 o:0"));
        SHOW(set("file", ACCESS, "u:6 g:4"));
        _exit(0);
    }
    wait(0);
    SHOW(chmod("file", 02755));
    SHOW(chown("file", 1000, 3000));
    SHOW(chmod("file", 02755));
    fflush(stdout);
    if (fork() == 0)
    {
        setgroups(0, 0);
        setresgid(1000, 1000, 1000);
        setresuid(1000, 1000, 1000);
        SHOW(set("file", ACCESS, "u:7 U1001:5 g:5 m:5 o:5"));
        _exit(0);
    }
    wait(0);
    get("file");
    chown("file", 0, 0);
}

static void allowing(void)
{
    printf("-- allowing\n");
    SHOW(set("file", ACCESS, "u:6 U1000:7 U1001:0 g:4 G2000:2 G2001:1 m:7 o:6"));
    may(0, 0, 0, "file");
    may(1000, 1000, 0, "file");
    may(1001, 2000, 0, "file");
    may(1002, 1002, 0, "file");
    may(1002, 0, 0, "file");
    may(1002, 2000, 0, "file");
    may(1002, 2000, 2001, "file");
    may(1002, 1002, 2001, "file");
    SHOW(chmod("file", 0616));
    may(1000, 1000, 0, "file");
    may(1002, 2000, 2001, "file");
    SHOW(chmod("file", 0606));
    may(1000, 1000, 0, "file");
    may(1002, 2000, 2001, "file");
    SHOW(chown("file", 1000, 2000));
    may(1000, 1000, 0, "file");
    may(1002, 2000, 0, "file");
    SHOW(chown("file", 0, 0));
    SHOW(set("d", ACCESS, "u:7 U1000:5 g:0 m:7 o:0"));
    may(1000, 1000, 0, "d/in");
    may(1001, 1001, 0, "d/in");
    SHOW(set("d", ACCESS, "u:7 g:5 o:5"));
}

static void inheriting(void)
{
    printf("-- inheriting\n");
    umask(077);
    SHOW(set("d", DEFAULT, "u:7 U1000:7 g:5 m:7 o:1"));
    get("d");
    close(open("d/file", O_WRONLY | O_CREAT, 0666));
    get("d/file");
    close(open("d/private", O_WRONLY | O_CREAT, 0600));
    get("d/private");
    mkdir("d/sub", 0755);
    get("d/sub");
    mkdir("d/sub/sub", 0777);
    get("d/sub/sub");
    mkfifo("d/fifo", 0622);
    get("d/fifo");
    symlink("x", "d/link");
    int unnamed = open("d", O_TMPFILE | O_RDWR, 0640);
    struct stat status;
    fstat(unnamed, &status);
    printf("unnamed %o\n", status.st_mode);
    close(unnamed);
    close(open("plain", O_WRONLY | O_CREAT, 0666));
    link("plain", "d/linked");
    get("d/linked");
    rename("plain", "d/moved");
    get("d/moved");
    SHOW(set("d", DEFAULT, "u:7 g:5 o:1"));
    close(open("d/simple", O_WRONLY | O_CREAT, 0666));
    get("d/simple");
    mkdir("d/simple.sub", 0777);
    get("d/simple.sub");
    SHOW(removexattr("d", DEFAULT));
    close(open("d/masked", O_WRONLY | O_CREAT, 0666));
    get("d/masked");
}

static void overlaid(void)
{
    printf("-- overlaid\n");
    mkdir("l", 0755), mkdir("l2", 0755), mkdir("u", 0755), mkdir("w", 0755), mkdir("m", 0755);
    close(open("l/file", O_WRONLY | O_CREAT, 0644));
    set("l/file", ACCESS, "u:6 U1000:6 g:4 m:6 o:0");
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l:l2,upperdir=u,workdir=w"));
    get("m/file");
    may(1000, 1000, 0, "m/file");
    SHOW(chmod("m/file", 0660));
    get("u/file");
    get("l/file");
    SHOW(umount("m"));
}

static void quotas(void)
{
    struct dqblk block;
    printf("-- quotas\n");
    SHOW(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "file", 0, (void *)&block));
    SHOW(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "nothing", 0, (void *)&block));
    SHOW(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), 0, 0, (void *)&block));
    SHOW(quotactl(QCMD(Q_GETQUOTA, 5), "file", 0, (void *)&block));
    SHOW(quotactl(QCMD(Q_SYNC, USRQUOTA), 0, 0, 0));
    int file = open("file", O_RDONLY);
    SHOW(syscall(443, file, QCMD(Q_GETQUOTA, USRQUOTA), 0, &block));
    SHOW(syscall(443, file, QCMD(Q_GETQUOTA, 7), 0, &block));
    SHOW(syscall(443, 400, QCMD(Q_GETQUOTA, USRQUOTA), 0, &block));
    close(file);
    SHOW(mknod("disk", S_IFBLK | 0600, 0x7777));
    SHOW(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "disk", 0, (void *)&block));
}

int main(void)
{
    setbuf(stdout, 0);
    umask(022);
    mkdir("/tmp/accesslists", 0755);
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) || mount("top", "/tmp/accesslists", "tmpfs", 0, "mode=755") || chdir("/tmp/accesslists"))
        die("setting up");
    mkdir("d", 0755);
    close(creat("file", 0644));
    close(creat("d/in", 0644));
    symlink("file", "link");
    attributes();
    allowing();
    inheriting();
    overlaid();
    quotas();
    chdir("/");
    umount2("/tmp/accesslists", MNT_DETACH);
    rmdir("/tmp/accesslists");
    return 0;
}
