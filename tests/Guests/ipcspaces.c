// IPC name spaces, the limits that belong to them, ids that are asked for, and copies of messages.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

static void set(const char *name, const char *value)
{
    char path[128], text[128] = "";
    snprintf(path, sizeof path, "/proc/sys/kernel/%s", name);
    int file = open(path, O_RDWR);
    errno = 0;
    long written = write(file, value, strlen(value));
    printf("%s to %s: %ld %s, ", name, value, written, written < 0 ? strerrorname_np(errno) : "");
    long count = pread(file, text, sizeof text - 1, 0);
    printf("reads %.*s", count > 0 ? (int)count : 0, text);
    fflush(stdout);
    close(file);
}

static void map_root(void)
{
    uid_t user = getuid();
    gid_t group = getgid();
    char text[64];
    if (unshare(CLONE_NEWUSER | CLONE_NEWIPC) != 0)
        die("unshare");
    int file = open("/proc/self/setgroups", O_WRONLY);
    if (write(file, "deny", 4) != 4)
        die("setgroups");
    close(file);
    file = open("/proc/self/uid_map", O_WRONLY);
    if (write(file, text, sprintf(text, "0 %u 1", user)) < 0)
        die("uid_map");
    close(file);
    file = open("/proc/self/gid_map", O_WRONLY);
    if (write(file, text, sprintf(text, "0 %u 1", group)) < 0)
        die("gid_map");
    close(file);
}

static void copies(void)
{
    struct { long type; char text[16]; } message = { 5, "first" };
    int queue = msgget(IPC_PRIVATE, 0600);
    SHOW(msgsnd(queue, &message, 6, 0));
    message.type = 7;
    strcpy(message.text, "second");
    SHOW(msgsnd(queue, &message, 7, 0));
    SHOW(msgrcv(queue, &message, 16, 1, MSG_COPY));
    SHOW(msgrcv(queue, &message, 16, 1, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT));
    SHOW(msgrcv(queue, &message, 16, 1, MSG_COPY | IPC_NOWAIT));
    printf("%ld %s\n", message.type, message.text);
    SHOW(msgrcv(queue, &message, 16, 2, MSG_COPY | IPC_NOWAIT));
    SHOW(msgrcv(queue, &message, 2, 0, MSG_COPY | IPC_NOWAIT));
    SHOW(msgrcv(queue, &message, 16, 0, IPC_NOWAIT));
    printf("%ld %s\n", message.type, message.text);
}

int main(void)
{
    int before = shmget(0x1234567, 4096, IPC_CREAT | 0600);
    map_root();
    SHOW(shmget(0x1234567, 4096, 0600));
    printf("attach: %s\n", shmat(before, NULL, 0) == (void *)-1 ? strerrorname_np(errno) : "works");
    set("shmmni", "1\n");
    SHOW(shmget(1, 4096, IPC_CREAT | 0600) >= 0);
    SHOW(shmget(2, 4096, IPC_CREAT | 0600));
    set("shmmax", "8192");
    set("shmmni", "4096");
    SHOW(shmget(3, 8193, IPC_CREAT | 0600));
    SHOW(shmget(3, 8192, IPC_CREAT | 0600) >= 0);
    set("msgmnb", "100");
    struct msqid_ds status;
    int queue = msgget(IPC_PRIVATE, 0600);
    SHOW(msgctl(queue, IPC_STAT, &status));
    printf("holds %lu\n", (unsigned long)status.msg_qbytes);
    set("msgmni", "-5");
    set("msgmni", "nonsense");
    set("sem", "10 40 5 3");
    SHOW(semget(1, 11, IPC_CREAT | 0600));
    SHOW(semget(1, 10, IPC_CREAT | 0600) >= 0);
    SHOW(semget(2, 10, IPC_CREAT | 0600) >= 0);
    SHOW(semget(3, 10, IPC_CREAT | 0600) >= 0);
    SHOW(semget(4, 10, IPC_CREAT | 0600));
    copies();
    if (fork() == 0)
        _exit(shmget(3, 8192, 0600) < 0);
    int end;
    wait(&end);
    printf("the child sees it: %d\n", end == 0);
    return 0;
}
