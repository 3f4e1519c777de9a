// fanotify: marks of files, mounts and file systems, descriptors and handles, permission, what is ignored, overflow.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#ifndef FAN_RENAME
#define FAN_RENAME 0x10000000
#endif
#ifndef FAN_REPORT_TARGET_FID
#define FAN_REPORT_TARGET_FID 0x1000
#endif
#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x400
#endif
#ifndef FAN_REPORT_PIDFD
#define FAN_REPORT_PIDFD 0x80
#endif

#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x200
#endif
#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x2000
#endif
#ifndef FAN_FS_ERROR
#define FAN_FS_ERROR 0x8000
#endif
#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x100000
#endif

static pid_t self;

static void touch(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT, 0644);
    if (file < 0 || write(file, "x", 1) != 1)
        printf("touch %s: %s\n", path, strerrorname_np(errno));
    close(file);
}

static void look(const char *path)
{
    char byte;
    int file = open(path, O_RDONLY);
    if (file < 0 || read(file, &byte, 1) < 0)
        printf("look %s: %s\n", path, strerrorname_np(errno));
    close(file);
}

// Which of the known files a handle names.
static const char *named(struct file_handle *wanted)
{
    static const char *names[] = {".", "d", "d/in", "file", "e", "e/moved", "d/sub", "renamed"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    {
        char space[sizeof(struct file_handle) + 128];
        struct file_handle *handle = (struct file_handle *)space;
        int mount;
        handle->handle_bytes = 128;
        if (name_to_handle_at(AT_FDCWD, names[i], handle, &mount, 0) == 0 && handle->handle_bytes == wanted->handle_bytes
            && !memcmp(handle->f_handle, wanted->f_handle, handle->handle_bytes))
            return names[i];
    }
    return "another";
}

static void records(struct fanotify_event_metadata *event)
{
    char *at = (char *)event + event->metadata_len, *end = (char *)event + event->event_len;
    while (at < end)
    {
        struct fanotify_event_info_fid *record = (struct fanotify_event_info_fid *)at;
        if (record->hdr.info_type == 4)
        {
            int descriptor = ((int *)at)[1];
            printf(" pidfd %d", descriptor >= 0);
            close(descriptor);
        }
        else
        {
            struct file_handle *handle = (struct file_handle *)record->handle;
            printf(" [%d %s", record->hdr.info_type, named(handle));
            if (record->hdr.info_type == 2 || record->hdr.info_type >= 10)
                printf(" \"%s\"", handle->f_handle + handle->handle_bytes);
            printf("]");
        }
        at += record->hdr.len;
    }
}

#ifndef FAN_REPORT_FD_ERROR
#define FAN_REPORT_FD_ERROR 0x2000
#endif

static void events(int group, const char *what)
{
    char bytes[16384];
    printf("%s:\n", what);
    ssize_t length = read(group, bytes, sizeof bytes);
    if (length < 0)
    {
        printf("  %s\n", strerrorname_np(errno));
        return;
    }
    struct fanotify_event_metadata *event = (void *)bytes;
    for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length))
    {
        printf("  %llx", (unsigned long long)event->mask);
        if (event->fd >= 0)
        {
            char link[40], path[200] = "";
            snprintf(link, sizeof link, "/proc/self/fd/%d", event->fd);
            ssize_t count = readlink(link, path, sizeof path - 1);
            printf(" %.*s flags %x", (int)count, path, fcntl(event->fd, F_GETFL) & (O_ACCMODE | O_APPEND));
            close(event->fd);
        }
        else
        {
            printf(" fd %d", event->fd);
        }
        printf(" %s", event->pid == self ? "me" : event->pid == 0 ? "nobody" : "another");
        records(event);
        printf("\n");
    }
    fflush(stdout);
}

static void refused(void)
{
    printf("-- refused\n");
    SHOW(fanotify_init(0x80000000, 0));
    SHOW(fanotify_init(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT, 0));
    SHOW(fanotify_init(FAN_CLASS_CONTENT | FAN_REPORT_FID, 0));
    SHOW(fanotify_init(FAN_REPORT_NAME, 0));
    SHOW(fanotify_init(FAN_REPORT_TARGET_FID | FAN_REPORT_FID, 0));
    SHOW(fanotify_init(FAN_REPORT_PIDFD | FAN_REPORT_TID, 0));
    SHOW(fanotify_init(0, 3));
    SHOW(fanotify_init(0, O_DIRECTORY));
    int group = fanotify_init(FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
    printf("close on exec %d, flags %x\n", fcntl(group, F_GETFD), fcntl(group, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, 0, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, 0, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, 0x10000, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, 1ull << 40, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, 0x80000000, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, "d"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_ATTRIB, AT_FDCWD, "d"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "nothing"));
    SHOW(fanotify_mark(group, FAN_MARK_FLUSH | FAN_MARK_ONLYDIR, 0, AT_FDCWD, "d"));
    SHOW(fanotify_mark(group, FAN_MARK_FLUSH, 0, AT_FDCWD, 0));
    SHOW(fanotify_mark(0, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(400, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, 400, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "file"));
    events(group, "nothing");
    char small[10];
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "file"));
    look("file");
    SHOW(read(group, small, sizeof small));
    // Without a descriptor it says why.
    int fileHandles = fanotify_init(FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_FD_ERROR, O_RDONLY);
    SHOW(fanotify_mark(fileHandles, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "file"));
    look("file");
    events(fileHandles, "by handle");
    close(fileHandles);
    struct fanotify_response response = {77, FAN_ALLOW};
    SHOW(write(group, &response, sizeof response));
    response.response = 9;
    SHOW(write(group, &response, sizeof response));
    SHOW(write(group, &response, 4));
    close(group);
}

static void descriptors(void)
{
    int pending;
    printf("-- descriptors\n");
    int group = fanotify_init(FAN_NONBLOCK, O_RDWR | O_APPEND);
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_ALL_EVENTS, AT_FDCWD, "file"));
    touch("file");
    SHOW(ioctl(group, FIONREAD, &pending));
    printf("%d\n", pending);
    struct pollfd wait = {group, POLLIN, 0};
    SHOW(poll(&wait, 1, 0));
    events(group, "one file, merged");
    look("file");
    int file = open("file", O_RDWR);
    events(group, "opened again");
    close(file);
    chmod("file", 0600);
    rename("file", "renamed");
    rename("renamed", "file");
    events(group, "closed");
    fflush(stdout);
    if (fork() == 0)
    {
        look("file");
        _exit(0);
    }
    wait4(-1, 0, 0, 0);
    look("file");
    events(group, "by two");
    SHOW(fanotify_mark(group, FAN_MARK_REMOVE, FAN_OPEN | FAN_CLOSE, AT_FDCWD, "file"));
    look("file");
    events(group, "without opening and closing");
    SHOW(fanotify_mark(group, FAN_MARK_FLUSH, 0, AT_FDCWD, 0));
    look("file");
    events(group, "flushed");
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN | FAN_ACCESS, AT_FDCWD, "d"));
    look("d/in");
    int directory = open("d", O_RDONLY);
    char entries[1000];
    syscall(SYS_getdents64, directory, entries, sizeof entries);
    events(group, "a directory without its own");
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
    look("d/in");
    close(directory);
    events(group, "children and directories");
    SHOW(fanotify_mark(group, FAN_MARK_FLUSH, 0, AT_FDCWD, 0));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_CLOSE_WRITE | FAN_OPEN_EXEC, AT_FDCWD, "d"));
    look("e/moved");
    touch("d/in");
    mount(".", "bound", 0, MS_BIND, 0);
    look("bound/d/in");
    events(group, "a mount");
    if (fork() == 0)
        execl("program", "program", "ends", (char *)0);
    wait4(-1, 0, 0, 0);
    events(group, "executed");
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_ACCESS, AT_FDCWD, "d"));
    look("bound/d/in");
    umount("bound");
    events(group, "a file system");
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "d/in"));
    look("d/in");
    events(group, "ignored");
    touch("d/in");
    look("d/in");
    events(group, "ignored until it changed");
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN, AT_FDCWD, "d/in"));
    touch("d/in");
    look("d/in");
    events(group, "ignored for good");
    close(group);
}

static void handles(const char *what, unsigned report)
{
    printf("-- handles: %s\n", what);
    int group = fanotify_init(FAN_NONBLOCK | report, 0);
    unsigned long long names = FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ONDIR;
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, names | FAN_ATTRIB | FAN_DELETE_SELF | FAN_MOVE_SELF | FAN_OPEN | FAN_CLOSE_WRITE, AT_FDCWD, "."));
    touch("d/new");
    events(group, "created");
    SHOW(rename("d/new", "e/moved"));
    events(group, "moved");
    chmod("e/moved", 0600);
    int directory = open("d", O_RDONLY);
    events(group, "changed, a directory opened");
    mkdir("d/sub", 0700);
    close(directory);
    events(group, "directory made");
    chmod("d/sub", 0711);
    rmdir("d/sub");
    unlink("e/moved");
    events(group, "removed");
    close(group);
    group = fanotify_init(FAN_NONBLOCK | report, 0);
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_CREATE | FAN_MODIFY | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
    touch("d/new");
    touch("d/in");
    touch("file");
    events(group, "a directory's children");
    unlink("d/new");
    if (report & FAN_REPORT_NAME)
    {
        SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "d"));
        rename("d/in", "e/moved");
        events(group, "renamed out of it");
        rename("e/moved", "d/in");
        events(group, "renamed into it");
        SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "e"));
        rename("d/in", "e/moved");
        rename("e/moved", "d/in");
        events(group, "renamed between two");
    }
    else
    {
        SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "d"));
    }
    close(group);
}

// One who answers, while its parent asks.
static pid_t answering(unsigned class, unsigned long long mask, unsigned flags, const char *path, const unsigned *answers, int count)
{
    int pipes[2];
    pipe(pipes);
    fflush(stdout);
    pid_t child = fork();
    if (child)
    {
        char byte;
        close(pipes[1]);
        read(pipes[0], &byte, 1);
        close(pipes[0]);
        return child;
    }
    int group = fanotify_init(class, O_RDONLY);
    SHOW(fanotify_mark(group, FAN_MARK_ADD | flags, mask, AT_FDCWD, path));
    write(pipes[1], "r", 1);
    for (int i = 0; i < count; i++)
    {
        struct fanotify_event_metadata event;
        if (read(group, &event, sizeof event) != sizeof event)
            break;
        printf("asked %llx by %s\n", (unsigned long long)event.mask, event.pid == getppid() ? "parent" : "another");
        fflush(stdout);
        if (event.mask & (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM))
        {
            struct fanotify_response response = {event.fd, answers[i]};
            if (write(group, &response, sizeof response) != sizeof response)
                printf("answer: %s\n", strerrorname_np(errno));
        }
        close(event.fd);
    }
    _exit(0);
}

static void permission(void)
{
    static const unsigned answers[] = {FAN_ALLOW, FAN_DENY, FAN_ALLOW, FAN_ALLOW};
    printf("-- permission\n");
    char byte;
    pid_t child = answering(FAN_CLASS_CONTENT, FAN_OPEN_PERM, 0, "file", answers, 3);
    int file = open("file", O_RDONLY);
    SHOW(file >= 0 ? 0 : -1);
    close(file);
    SHOW(open("file", O_RDONLY));
    file = open("file", O_RDONLY | O_NONBLOCK);
    SHOW(file >= 0 ? 0 : -1);
    close(file);
    waitpid(child, 0, 0);
    child = answering(FAN_CLASS_PRE_CONTENT, FAN_ACCESS_PERM | FAN_ONDIR, FAN_MARK_MOUNT, ".", answers, 4);
    SHOW((file = open("file", O_RDONLY)) >= 0 ? 0 : -1);
    SHOW(read(file, &byte, 1));
    SHOW(pread(file, &byte, 1, 0));
    SHOW(pread(file, &byte, 1, 0));
    int directory = open(".", O_RDONLY);
    char entries[4000];
    SHOW(syscall(SYS_getdents64, directory, entries, sizeof entries) > 0);
    waitpid(child, 0, 0);
    SHOW(pread(file, &byte, 1, 0));
    close(directory);
    close(file);
    // Who asks goes on when nobody is left to answer.
    child = answering(FAN_CLASS_CONTENT, FAN_OPEN_PERM, 0, "file", answers, 1);
    SHOW((file = open("file", O_RDONLY)) >= 0 ? 0 : -1);
    close(file);
    waitpid(child, 0, 0);
    SHOW((file = open("file", O_RDONLY)) >= 0 ? 0 : -1);
    close(file);
    static const unsigned denied[] = {FAN_ALLOW, FAN_DENY};
    child = answering(FAN_CLASS_CONTENT, FAN_OPEN_EXEC_PERM, 0, "program", denied, 2);
    for (int i = 0; i < 2; i++)
    {
        int status;
        fflush(stdout);
        pid_t program = fork();
        if (program == 0)
        {
            execl("program", "program", "ends", (char *)0);
            printf("execl: %s\n", strerrorname_np(errno));
            fflush(stdout);
            _exit(1);
        }
        waitpid(program, &status, 0);
        printf("ended %d\n", WEXITSTATUS(status));
    }
    waitpid(child, 0, 0);
}

static void overflow(void)
{
    printf("-- overflow\n");
    int group = fanotify_init(FAN_NONBLOCK | FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME, 0);
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, "many"));
    char path[40];
    for (int i = 0; i < 16500; i++)
    {
        snprintf(path, sizeof path, "many/%d", i);
        mknod(path, S_IFREG, 0);
    }
    int count = 0, lost = 0;
    char bytes[65536];
    ssize_t length;
    while ((length = read(group, bytes, sizeof bytes)) > 0)
        for (struct fanotify_event_metadata *event = (void *)bytes; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length))
        {
            count++;
            lost += event->mask == FAN_Q_OVERFLOW;
            if (event->mask == FAN_Q_OVERFLOW)
                printf("lost: fd %d pid %d length %d\n", event->fd, event->pid, event->event_len);
        }
    printf("events %d, lost %d\n", count, lost);
    close(group);
}

// What fdinfo tells of marks, without the numbers of files, devices and mounts.
static void marked(int group)
{
    char path[40], line[300];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", group);
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file))
    {
        char *masks = strstr(line, "mflags:"), *end = strstr(line, " fhandle");
        if (end)
            *end = 0;
        if (masks)
            printf("  %.12s %s%s", line, masks, end ? "\n" : "");
        else if (!strncmp(line, "fanotify", 8))
            printf("  %s", line);
    }
    fclose(file);
}

// Marks that change: what they ignore, by the old rules and by the new ones, and what is not taken back.
static void marks(unsigned report)
{
    printf("-- marks %x\n", report);
    int group = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | report, O_RDONLY);
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_OPEN | FAN_ONDIR, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE | FAN_EVENT_ON_CHILD, AT_FDCWD, "."));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_MODIFY, AT_FDCWD, "."));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_MODIFY, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_OPEN, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY, FAN_CLOSE | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "d"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORE, FAN_OPEN, AT_FDCWD, "d"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY, FAN_DELETE, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN | FAN_ONDIR, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, 0));
    SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_FS_ERROR, AT_FDCWD, "."));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_FS_ERROR, AT_FDCWD, "."));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_PRE_ACCESS, AT_FDCWD, "file"));
    marked(group);
    look("d/in");
    touch("d/in");
    touch("file");
    events(group, "ignored");
    marked(group);
    close(group);
}

static void errors(void)
{
    int group = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_REPORT_FD_ERROR | FAN_REPORT_PIDFD, O_RDWR), status;
    printf("-- errors\n");
    mount("e", "e", "tmpfs", 0, "");
    touch("e/f");
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "e/f"));
    SHOW(mount("e", "e", "tmpfs", MS_REMOUNT | MS_RDONLY, ""));
    if (fork() == 0)
    {
        look("e/f");
        _exit(0);
    }
    wait(&status);
    char bytes[400];
    printf("%zd:", read(group, bytes, sizeof bytes));
    printf(" descriptor %d, process %d\n", ((struct fanotify_event_metadata *)bytes)->fd, ((int *)(bytes + 24))[1]);
    close(group);
    group = fanotify_init(FAN_CLASS_PRE_CONTENT, 0);
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_PRE_ACCESS, AT_FDCWD, "file"));
    SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_PRE_ACCESS | FAN_ONDIR, AT_FDCWD, "."));
    close(group);
    umount("e");
}

int main(int count, char **arguments)
{
    if (count > 1)
        return 0;
    setbuf(stdout, 0);
    self = getpid();
    mkdir("/tmp/fanotify", 0755);
    if (unshare(CLONE_NEWNS) || mount("none", "/", 0, MS_REC | MS_PRIVATE, 0) || mount("top", "/tmp/fanotify", "tmpfs", 0, "mode=755") || chdir("/tmp/fanotify"))
        die("setting up");
    for (const char *name = "d\0e\0bound\0many\0"; *name; name += strlen(name) + 1)
        mkdir(name, 0755);
    touch("file");
    touch("d/in");
    touch("e/moved");
    int in = open("/proc/self/exe", O_RDONLY), out = open("program", O_WRONLY | O_CREAT, 0755);
    char bytes[65536];
    ssize_t length;
    while ((length = read(in, bytes, sizeof bytes)) > 0)
        write(out, bytes, length);
    close(in);
    close(out);
    refused();
    descriptors();
    chmod("file", 0644);
    handles("files", FAN_REPORT_FID);
    handles("directories", FAN_REPORT_DIR_FID);
    handles("directories and names", FAN_REPORT_DIR_FID | FAN_REPORT_NAME);
    handles("all", FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME);
    handles("all and targets", FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME | FAN_REPORT_TARGET_FID);
    handles("files and processes", FAN_REPORT_FID | FAN_REPORT_PIDFD);
    marks(0);
    marks(FAN_REPORT_FID);
    marks(FAN_REPORT_DIR_FID | FAN_REPORT_NAME);
    errors();
    permission();
    overflow();
    fflush(stdout);
    if (fork() == 0)
    {
        setresuid(1000, 1000, 1000);
        SHOW(fanotify_init(0, 0));
        SHOW(fanotify_init(FAN_REPORT_FID | FAN_UNLIMITED_QUEUE, 0));
        int group = fanotify_init(FAN_REPORT_FID | FAN_NONBLOCK, 0);
        SHOW(group >= 0 ? 0 : -1);
        SHOW(fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "."));
        SHOW(fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "file"));
        self = getpid();
        look("file");
        events(group, "unprivileged");
        _exit(0);
    }
    wait(0);
    chdir("/");
    umount2("/tmp/fanotify", MNT_DETACH);
    rmdir("/tmp/fanotify");
    return 0;
}
