// What a tmpfs may hold (tmpfs(5)): size, inodes, mode and owner, shown by statfs and kept, also when mounted anew.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static const char *name(int error) { return error ? strerrorname_np(error) : "ok"; }

static void show(const char *what)
{
    struct statfs f;
    statfs("t", &f);
    printf("%s: blocks %lu free %lu files %lu free %lu\n", what, (long)f.f_blocks, (long)f.f_bfree, (long)f.f_files, (long)f.f_ffree);
}

static void again(const char *options)
{
    errno = 0;
    mount("none", "t", "tmpfs", MS_REMOUNT, options);
    printf("again with %s: %s\n", options, name(errno));
    show("now");
}

static void told(void)
{
    char line[512];
    FILE *mounts = fopen("/proc/self/mounts", "r");
    while (fgets(line, sizeof line, mounts))
        if (!strncmp(line, "limited ", 8))
            printf("%s", strstr(line, "tmpfs"));
    fclose(mounts);
}

int main(void)
{
    static char page[4096], much[65536];
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0))
        return printf("cannot mount: %s\n", name(errno));
    mkdir("t", 0755);
    const char *wrong[] = { "size=1z", "size=", "nr_inodes=x", "mode=9", "uid=-1", "nonsense", "size=1k1" };
    for (int i = 0; i < 7; i++) {
        errno = 0;
        mount("none", "t", "tmpfs", 0, wrong[i]);
        printf("%s: %s\n", wrong[i], name(errno));
    }
    if (mount("limited", "t", "tmpfs", 0, "size=64k,nr_inodes=6,mode=750,uid=7,gid=8"))
        return printf("cannot mount: %s\n", name(errno));
    struct stat s;
    stat("t", &s);
    printf("mode %o uid %d gid %d\n", s.st_mode, s.st_uid, s.st_gid);
    told();
    show("empty");

    int f = open("t/a", O_RDWR | O_CREAT, 0644);
    memset(much, 'x', sizeof much);
    printf("write %ld\n", (long)write(f, much, 10000));
    fstat(f, &s);
    printf("blocks %ld\n", (long)s.st_blocks);
    show("three pages");
    printf("the same again %ld\n", (long)pwrite(f, much, 10000, 0));
    show("three pages");
    printf("too much: %ld\n", (long)pwrite(f, much, sizeof much, 8192));
    show("full");
    errno = 0;
    long n = pwrite(f, page, 4096, 1 << 20);
    printf("more: %ld %s\n", n, name(errno));
    printf("within: %ld\n", (long)pwrite(f, page, 4096, 100));
    ftruncate(f, 5000);
    show("cut");
    fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
    show("punched");
    errno = 0;
    fallocate(f, 0, 0, 4 << 20);
    printf("allocate 4M: %s\n", name(errno));
    show("still");
    errno = 0;
    fallocate(f, 0, 0, 32768);
    printf("allocate 32K: %s\n", name(errno));
    show("allocated");
    unlink("t/a");
    show("unlinked, open");
    close(f);
    show("closed");

    char path[16];
    for (int i = 0; i < 6; i++) {
        sprintf(path, "t/f%d", i);
        errno = 0;
        f = open(path, O_WRONLY | O_CREAT, 0644);
        printf("file %d: %s\n", i, name(errno));
        if (f >= 0)
            close(f);
    }
    show("no inodes");
    errno = 0;
    link("t/f0", "t/g");
    printf("link: %s\n", name(errno));
    unlink("t/f4");
    errno = 0;
    link("t/f0", "t/g");
    printf("link: %s\n", name(errno));
    show("linked");
    errno = 0;
    mkdir("t/d", 0755);
    printf("directory: %s\n", name(errno));
    unlink("t/f0");
    show("one name less");
    errno = 0;
    symlink("a", "t/s");
    printf("symbolic link: %s\n", name(errno));
    rename("t/s", "t/g");
    show("replaced");

    again("size=4k");
    again("nr_inodes=2");
    again("size=1m,nr_inodes=100");
    told();
    again("size=0");
    again("size=64k");
    again("nr_inodes=0");
    told();
    f = open("t/big", O_RDWR | O_CREAT, 0644);
    printf("unlimited: %ld\n", (long)write(f, much, sizeof much));
    close(f);
    umount("t");
    mount("limited", "t", "tmpfs", 0, "nr_blocks=3,nr_inodes=9");
    f = open("t/m", O_RDWR | O_CREAT, 0644);
    printf("three blocks: %ld\n", (long)write(f, much, sizeof much));
    show("full");
    told();
    close(f);
    umount("t");
    rmdir("t");
    return 0;
}
