// inotify(7) where file systems end: what watches on a tmpfs are told when it is unmounted. Needs the right to mount.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "check.h"

static int queue;

static void events(const char *what)
{
    static char buffer[1 << 16];
    printf("%s:\n", what);
    ssize_t got;
    while ((got = read(queue, buffer, sizeof buffer)) > 0) {
        for (char *at = buffer; at < buffer + got;) {
            struct inotify_event *event = (struct inotify_event *)at;
            printf("    wd %d mask %x %s\n", event->wd, event->mask, event->len != 0 ? event->name : "");
            at += sizeof *event + event->len;
        }
    }
}

int main(void)
{
    system("rm -rf m b; mkdir m b");
    // Where there are name spaces, nothing of this is seen outside.
    if (unshare(CLONE_NEWNS) == 0)
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    queue = inotify_init1(IN_NONBLOCK);
    inotify_add_watch(queue, "m", IN_ALL_EVENTS);
    SHOW(mount("none", "m", "tmpfs", 0, ""));
    events("mounted");
    SHOW(inotify_add_watch(queue, "m", IN_ALL_EVENTS));
    int file = open("m/a", O_CREAT | O_RDWR, 0600);
    SHOW(inotify_add_watch(queue, "m/a", IN_MODIFY));
    SHOW(write(file, "x", 1));
    events("used");
    SHOW(umount("m"));
    close(file);
    SHOW(mount("m", "b", NULL, MS_BIND, NULL));
    close(open("b/a", O_RDONLY));
    events("by the bound name");
    SHOW(umount("b"));
    events("the bound one unmounted");
    SHOW(umount("m"));
    events("unmounted");
    SHOW(inotify_rm_watch(queue, 2));
    SHOW(inotify_rm_watch(queue, 1));
    events("end");
    system("rm -rf m b");
    return 0;
}
