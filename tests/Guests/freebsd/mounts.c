/*
 * EVFILT_FS of kqueue(2): VQ_MOUNT and VQ_UNMOUNT of sys/mount.h. FreeBSD tells what was asked for, NetBSD everything. A program of another system mounts.
 */
#include "freebsd.h"

enum { FS = -9, ADD = 1, CLEAR = 0x20, VQ_MOUNT = 8, VQ_UNMOUNT = 16 };

static void mount_and_unmount(void) { run_shell("mkdir made && mount -t tmpfs none made && umount made && rmdir made"); }

void run(void)
{
    struct timespec now = { 0, 0 };
    struct kevent event = { 7, FS, ADD, VQ_UNMOUNT, 0, 0, { 0 } };
#ifdef NETBSD
    kevent_number = 435;
    kevent_size = 40;
#endif
    long queue = kqueue_();
    EXPECT(kevent_(queue, &event, 1, 0, 0, &now), 0);
    EXPECT(kevent_(queue, 0, 0, &event, 1, &now), 0);
    mount_and_unmount();
    EXPECT(kevent_(queue, 0, 0, &event, 1, &now), 1);
    EXPECT(event.ident, 7);
    EXPECT(event.filter, FS);
    EXPECT(event.flags & CLEAR, CLEAR);
#ifdef NETBSD
    EXPECT(event.fflags, VQ_MOUNT | VQ_UNMOUNT);
#else
    EXPECT(event.fflags, VQ_UNMOUNT);
#endif
    EXPECT(kevent_(queue, 0, 0, &event, 1, &now), 0);
    event = (struct kevent){ 7, FS, ADD, VQ_MOUNT | VQ_UNMOUNT, 0, 0, { 0 } };
    EXPECT(kevent_(queue, &event, 1, 0, 0, &now), 0);
    mount_and_unmount();
    EXPECT(kevent_(queue, 0, 0, &event, 1, &now), 1);
    EXPECT(event.fflags, VQ_MOUNT | VQ_UNMOUNT);
    /* The watch goes with its queue, and can be taken away. */
    event = (struct kevent){ 7, FS, 2, 0, 0, 0, { 0 } };
    EXPECT(kevent_(queue, &event, 1, 0, 0, &now), 0);
    mount_and_unmount();
    EXPECT(kevent_(queue, 0, 0, &event, 1, &now), 0);
    EXPECT(close_(queue), 0);
}
