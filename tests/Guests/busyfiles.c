// Files in use: programs that run cannot be written, files that are written cannot be executed, and mappings keep their files open.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void copy(const char *from, const char *to)
{
    char bytes[65536];
    ssize_t length;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    while ((length = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, length) != length)
            die("copy");
    close(in);
    close(out);
}

static int start(const char *program, const char *argument)
{
    int pipes[2];
    pipe(pipes);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
    {
        dup2(pipes[1], 9);
        execl(program, program, argument, (char *)0);
        printf("execl %s: %s\n", program, strerrorname_np(errno));
        fflush(stdout);
        _exit(1);
    }
    close(pipes[1]);
    char byte;
    // The program says when it runs; one that could not be started just ends.
    if (read(pipes[0], &byte, 1) == 0)
        printf("did not run\n");
    close(pipes[0]);
    return child;
}

static void end(int child)
{
    int status;
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

static void running(void)
{
    printf("-- a program that runs\n");
    int child = start("./program", "wait");
    SHOW(open("program", O_RDWR));
    SHOW(open("program", O_WRONLY | O_APPEND));
    SHOW(open("program", O_RDONLY | O_TRUNC));
    SHOW(open("program", O_RDWR | O_CREAT, 0700));
    SHOW(truncate("program", 10));
    SHOW(access("program", W_OK));
    int reader = open("program", O_RDONLY);
    SHOW(reader >= 0 ? 0 : -1);
    close(reader);
    SHOW(chmod("program", 0755));
    SHOW(rename("program", "renamed"));
    SHOW(open("renamed", O_WRONLY));
    SHOW(link("renamed", "linked"));
    SHOW(open("linked", O_WRONLY));
    copy("/proc/self/exe", "program");
    SHOW(unlink("linked"));
    end(child);
    int writer = open("renamed", O_WRONLY);
    SHOW(writer >= 0 ? 0 : -1);
    printf("-- a program that is written\n");
    child = start("./renamed", "wait");
    end(child);
    close(writer);
    child = start("./renamed", "wait");
    end(child);
    SHOW(unlink("renamed"));
}

static void scripts(void)
{
    printf("-- a script\n");
    int script = open("script", O_WRONLY | O_CREAT, 0755);
    dprintf(script, "#!./program\n");
    int child = start("./script", "wait");
    end(child);
    close(script);
    child = start("./script", "wait");
    script = open("script", O_WRONLY);
    SHOW(script >= 0 ? 0 : -1);
    SHOW(open("program", O_WRONLY));
    close(script);
    end(child);
    SHOW(unlink("script"));
}

static void events(int queue)
{
    char bytes[4096];
    ssize_t length = read(queue, bytes, sizeof bytes);
    for (char *at = bytes; at < bytes + length;)
    {
        struct inotify_event *event = (struct inotify_event *)at;
        printf("  %x %s\n", event->mask, event->len ? event->name : "");
        at += sizeof *event + event->len;
    }
    if (length < 0)
        printf("  nothing\n");
    fflush(stdout);
}

static void mapped(void)
{
    printf("-- mapped\n");
    int queue = inotify_init1(IN_NONBLOCK);
    int file = open("content", O_RDWR | O_CREAT, 0600);
    ftruncate(file, 16384);
    flock(file, LOCK_EX);
    inotify_add_watch(queue, ".", IN_CLOSE | IN_OPEN);
    char *map = mmap(0, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    printf("closed\n");
    events(queue);
    int other = open("content", O_RDONLY);
    SHOW(flock(other, LOCK_SH | LOCK_NB));
    munmap(map + 4096, 4096);
    mprotect(map, 4096, PROT_READ);
    char *moved = mremap(map + 8192, 4096, 8192, MREMAP_MAYMOVE);
    printf("cut and moved\n");
    events(queue);
    pid_t child = fork();
    if (child == 0)
    {
        sleep(10);
        _exit(0);
    }
    munmap(map, 4096);
    munmap(moved, 8192);
    munmap(map + 12288, 4096);
    printf("unmapped here\n");
    events(queue);
    end(child);
    printf("unmapped there\n");
    events(queue);
    SHOW(flock(other, LOCK_SH | LOCK_NB));
    close(other);
    events(queue);
    child = start("./program", "end");
    waitpid(child, 0, 0);
    printf("executed\n");
    events(queue);
    close(queue);
}

static void mounts(void)
{
    printf("-- mounts\n");
    mkdir("m", 0700);
    SHOW(mount("t", "m", "tmpfs", 0, 0));
    int file = open("m/file", O_RDWR | O_CREAT, 0600);
    SHOW(mount("", "m", 0, MS_REMOUNT | MS_RDONLY, 0));
    SHOW(mount("", "m", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
    ftruncate(file, 4096);
    char *map = mmap(0, 4096, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    SHOW(mount("", "m", 0, MS_REMOUNT | MS_RDONLY, 0));
    SHOW(umount("m"));
    munmap(map, 4096);
    SHOW(mount("", "m", 0, MS_REMOUNT | MS_RDONLY, 0));
    SHOW(mount("", "m", 0, MS_REMOUNT, 0));
    copy("program", "m/program");
    int child = start("m/program", "wait");
    SHOW(umount("m"));
    SHOW(mount("", "m", 0, MS_REMOUNT | MS_RDONLY, 0));
    end(child);
    SHOW(umount("m"));
}

int main(int count, char **arguments)
{
    if (count > 1)
    {
        write(9, "r", 1);
        close(9);
        while (!strcmp(arguments[count - 1], "wait"))
            pause();
        return 0;
    }
    setbuf(stdout, 0);
    mkdir("/tmp/busyfiles", 0700);
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) || mount("top", "/tmp/busyfiles", "tmpfs", 0, 0) || chdir("/tmp/busyfiles"))
        die("setting up");
    copy("/proc/self/exe", "program");
    running();
    scripts();
    mapped();
    mounts();
    int sealed = memfd_create("program", 0);
    copy("/proc/self/exe", "content");
    int from = open("content", O_RDONLY);
    char bytes[65536];
    ssize_t length;
    while ((length = read(from, bytes, sizeof bytes)) > 0)
        write(sealed, bytes, length);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", sealed);
    printf("-- without a name\n");
    int child = start(path, "wait");
    SHOW(write(sealed, "x", 1));
    end(child);
    chdir("/");
    umount2("/tmp/busyfiles", MNT_DETACH);
    rmdir("/tmp/busyfiles");
    return 0;
}
