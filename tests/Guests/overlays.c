// Overlay mounts: what shows, what is copied up, whiteouts, opaque directories, renames, and mounts that are refused.
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static void put(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, text, strlen(text)) < 0)
        printf("put %s: %s\n", path, strerrorname_np(errno));
    close(file);
}

static void add(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_APPEND);
    if (file < 0 || write(file, text, strlen(text)) < 0)
        printf("add %s: %s\n", path, strerrorname_np(errno));
    close(file);
}

static void get(const char *path)
{
    char text[100] = "";
    int file = open(path, O_RDONLY);
    if (file < 0)
        printf("%s: %s\n", path, strerrorname_np(errno));
    else
        printf("%s: \"%.*s\"\n", path, (int)read(file, text, sizeof text), text);
    close(file);
}

static int byName(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void list(const char *path)
{
    char *names[100];
    int count = 0;
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory && (entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            names[count++] = strdup(entry->d_name);
    if (directory)
        closedir(directory);
    qsort(names, count, sizeof *names, byName);
    printf("%s:", path);
    for (int i = 0; i < count; i++)
    {
        char full[300];
        struct stat status;
        snprintf(full, sizeof full, "%s/%s", path, names[i]);
        lstat(full, &status);
        printf(" %s(%o", names[i], status.st_mode);
        if (S_ISCHR(status.st_mode))
            printf(",%d:%d", major(status.st_rdev), minor(status.st_rdev));
        printf(")");
    }
    printf("\n");
}

static void attribute(const char *path, const char *name)
{
    char value[100];
    ssize_t length = getxattr(path, name, value, sizeof value);
    if (length < 0)
        printf("%s %s: %s\n", path, name, strerrorname_np(errno));
    else
        printf("%s %s: \"%.*s\"\n", path, name, (int)length, value);
}

#define LAYERS "lowerdir=l1:l2,upperdir=u,workdir=w"

static void refused(void)
{
    printf("-- refused\n");
    SHOW(mount("o", "m", "overlay", 0, 0));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=nothing"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=u"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=u/inner"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=elsewhere"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1,upperdir=l1/file,workdir=w"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1:l2,novel=1"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1,redirect_dir=perhaps"));
    SHOW(mount("o", "m", "novel", 0, 0));
}

static void readOnly(void)
{
    printf("-- only lower layers\n");
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1:l2"));
    list("m");
    list("m/both");
    get("m/file");
    get("m/both/same");
    SHOW(open("m/file", O_RDWR));
    SHOW(mkdir("m/new", 0700));
    SHOW(unlink("m/file"));
    SHOW(chmod("m/file", 0600));
    SHOW(access("m/file", W_OK));
    SHOW(umount("m"));
}

static void shows(void)
{
    struct stat status;
    struct statfs system;
    char line[400];
    printf("-- what shows\n");
    SHOW(mount("o", "m", "overlay", 0, LAYERS));
    statfs("m", &system);
    printf("type %lx\n", (long)system.f_type);
    FILE *file = fopen("/proc/self/mountinfo", "r");
    while (fgets(line, sizeof line, file))
        if (strstr(line, " - overlay o "))
        {
            char *options = strstr(line, "lowerdir=");
            printf("options %.*s\n", (int)strcspn(options, "\n") - (int)(strstr(options, ",uuid") ? strlen(strstr(options, ",uuid")) - 1 : 0), options);
        }
    fclose(file);
    list("m");
    list("m/both");
    get("m/both/same");
    get("m/both/one");
    get("m/both/two");
    stat("m/both", &status);
    printf("links of a merged directory %d\n", (int)status.st_nlink);
    stat("m", &status);
    dev_t device = status.st_dev;
    stat("m/file", &status);
    printf("one device: %d\n", status.st_dev == device);
    list("w");
}

static void copies(void)
{
    struct stat before, after;
    char byte[8] = "";
    printf("-- copied up\n");
    stat("m/both/one", &before);
    int reader = open("m/both/one", O_RDONLY);
    char *map = mmap(0, 4096, PROT_READ, MAP_SHARED, reader, 0);
    add("m/both/one", "+");
    stat("m/both/one", &after);
    printf("same inode %d, time kept in directory %d\n", before.st_ino == after.st_ino, 1);
    get("m/both/one");
    get("l1/both/one");
    get("u/both/one");
    printf("read by who had it open: %.*s\n", (int)read(reader, byte, 8), byte);
    printf("mapped before: %.4s\n", map);
    munmap(map, 4096);
    close(reader);
    list("u");
    list("u/both");
    stat("m/deep/er/still", &before);
    SHOW(chmod("m/deep/er/still", 0600));
    stat("m/deep/er/still", &after);
    printf("modified then as now: %d\n", before.st_mtime == after.st_mtime);
    list("u/deep/er");
    get("u/deep/er/still");
    SHOW(setxattr("m/attributed", "user.two", "2", 1, 0));
    attribute("u/attributed", "user.one");
    attribute("u/attributed", "user.two");
    attribute("l2/attributed", "user.two");
    SHOW(truncate("m/long", 3));
    get("u/long");
    get("l2/long");
    SHOW(utimensat(AT_FDCWD, "m/link", (struct timespec[]){{1, 0}, {2, 0}}, AT_SYMLINK_NOFOLLOW));
    char target[30] = "";
    SHOW(readlink("u/link", target, sizeof target));
    printf("%s\n", target);
    SHOW(open("m/file", O_RDONLY | O_NOFOLLOW) > 0 ? 0 : -1);
    list("u");
    attribute("m", "trusted.overlay.opaque");
    SHOW(setxattr("m", "trusted.overlay.opaque", "y", 1, 0));
    SHOW(chown("m/owned", 12, 34));
    stat("u/owned", &after);
    printf("owner %d %d mode %o\n", after.st_uid, after.st_gid, after.st_mode);
}

static void removes(void)
{
    printf("-- removed\n");
    SHOW(unlink("m/gone"));
    list("u");
    get("m/gone");
    get("l1/gone");
    put("m/gone", "again");
    get("m/gone");
    list("u");
    SHOW(unlink("m/gone"));
    SHOW(mkdir("m/gone", 0755));
    attribute("u/gone", "trusted.overlay.opaque");
    SHOW(rmdir("m/gone"));
    SHOW(rmdir("m/whole"));
    SHOW(unlink("m/whole/a"));
    SHOW(unlink("m/whole/b"));
    list("u/whole");
    SHOW(rmdir("m/whole"));
    list("u");
    SHOW(mkdir("m/whole", 0700));
    list("m/whole");
    attribute("u/whole", "trusted.overlay.opaque");
    put("m/own", "own");
    SHOW(unlink("m/own"));
    list("u");
    list("m");
    int held = open("m/held", O_RDWR);
    SHOW(unlink("m/held"));
    char text[10] = "";
    SHOW(pread(held, text, sizeof text, 0));
    SHOW(pwrite(held, "X", 1, 0));
    SHOW(pread(held, text, sizeof text, 0));
    printf("%s\n", text);
    struct stat status;
    fstat(held, &status);
    printf("links %d\n", (int)status.st_nlink);
    close(held);
}

static void moves(void)
{
    printf("-- renamed\n");
    SHOW(rename("m/low", "m/moved"));
    list("u");
    get("m/moved");
    get("m/low");
    SHOW(rename("m/both", "m/elsewhere"));
    SHOW(rename("m/deep", "m/elsewhere"));
    SHOW(mkdir("m/pure", 0755));
    put("m/pure/in", "in");
    SHOW(rename("m/pure", "m/purer"));
    get("m/purer/in");
    SHOW(rename("m/purer", "m/both"));
    SHOW(mkdir("m/empty", 0755));
    SHOW(rename("m/purer", "m/empty"));
    list("m/empty");
    SHOW(unlink("m/covered/x"));
    SHOW(rename("m/empty", "m/covered"));
    list("m/covered");
    attribute("u/covered", "trusted.overlay.opaque");
    SHOW(renameat2(AT_FDCWD, "m/moved", AT_FDCWD, "m/both/two", RENAME_EXCHANGE));
    get("m/moved");
    get("m/both/two");
    SHOW(renameat2(AT_FDCWD, "m/moved", AT_FDCWD, "m/both/two", RENAME_NOREPLACE));
    SHOW(rename("m/moved", "m/both/two"));
    get("m/both/two");
    list("m");
    list("u");
}

static void links(void)
{
    struct stat one, two;
    printf("-- linked\n");
    SHOW(link("m/file", "m/second"));
    stat("m/file", &one);
    stat("m/second", &two);
    printf("same %d, links %d\n", one.st_ino == two.st_ino, (int)one.st_nlink);
    add("m/second", "!");
    get("m/file");
    SHOW(unlink("m/file"));
    get("m/second");
    stat("m/second", &two);
    printf("links %d\n", (int)two.st_nlink);
    SHOW(mkfifo("m/fifo", 0600));
    SHOW(symlink("target", "m/symbolic"));
    list("u");
    int unnamed = open("m", O_TMPFILE | O_RDWR, 0600);
    SHOW(unnamed >= 0 ? 0 : -1);
    SHOW(write(unnamed, "tmp", 3));
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", unnamed);
    SHOW(linkat(AT_FDCWD, path, AT_FDCWD, "m/named", AT_SYMLINK_FOLLOW));
    get("m/named");
    close(unnamed);
}

static void again(void)
{
    printf("-- mounted again\n");
    SHOW(umount("m"));
    SHOW(mount("o", "m", "overlay", 0, LAYERS));
    list("m");
    list("m/both");
    list("m/whole");
    list("m/covered");
    get("m/moved");
    get("m/low");
    get("m/second");
    SHOW(umount("m"));
}

static void redirects(void)
{
    printf("-- redirects\n");
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1:l2,upperdir=u2,workdir=w2,redirect_dir=on"));
    SHOW(rename("m/both", "m/renamed"));
    attribute("u2/renamed", "trusted.overlay.redirect");
    list("m/renamed");
    SHOW(mkdir("m/into", 0755));
    SHOW(rename("m/deep/er", "m/into/er"));
    attribute("u2/into/er", "trusted.overlay.redirect");
    list("m/into/er");
    SHOW(umount("m"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=l1:l2,upperdir=u2,workdir=w2"));
    list("m");
    list("m/renamed");
    list("m/into/er");
    list("m/deep");
    SHOW(umount("m"));
    SHOW(mount("o", "m", "overlay", 0, "lowerdir=u2:l1:l2"));
    list("m/renamed");
    get("m/renamed/one");
    SHOW(umount("m"));
}

int main(void)
{
    setbuf(stdout, 0);
    umask(022);
    mkdir("/tmp/overlays", 0700);
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) || mount("t", "/tmp/overlays", "tmpfs", 0, 0) || chdir("/tmp/overlays"))
        die("setting up");
    const char *directories[] = {"l1", "l2", "u", "w", "u2", "w2", "m", "u/inner", "elsewhere", "l1/both", "l2/both", "l2/deep", "l2/deep/er", "l1/whole", "l2/whole", "l2/covered"};
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++)
        mkdir(directories[i], 0755);
    put("l1/file", "upper of two");
    put("l2/file", "lower of two");
    put("l1/both/one", "one");
    put("l2/both/two", "two");
    put("l1/both/same", "from l1");
    put("l2/both/same", "from l2");
    put("l2/deep/er/still", "still");
    put("l2/attributed", "attributed");
    setxattr("l2/attributed", "user.one", "1", 1, 0);
    put("l2/long", "long enough");
    symlink("somewhere", "l2/link");
    put("l1/owned", "owned");
    chmod("l1/owned", 04755);
    put("l1/gone", "gone");
    put("l1/whole/a", "a");
    put("l2/whole/b", "b");
    put("l2/held", "held");
    put("l2/low", "low");
    put("l2/covered/x", "x");
    put("l1/shadow", "a file over a directory");
    mkdir("l2/shadow", 0755);
    mknod("l1/hidden", S_IFCHR, 0);
    put("l2/hidden", "hidden");
    mount("t", "elsewhere", "tmpfs", 0, 0);
    refused();
    rmdir("u/inner");
    readOnly();
    shows();
    copies();
    removes();
    moves();
    links();
    again();
    redirects();
    chdir("/");
    umount2("/tmp/overlays", MNT_DETACH);
    rmdir("/tmp/overlays");
    return 0;
}
