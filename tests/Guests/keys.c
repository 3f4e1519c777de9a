// Keys and keyrings: special keyrings, adding, finding, reading, rights, expiry, revoking, sessions.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "check.h"

typedef int serial;

static serial add(const char *type, const char *name, const void *content, size_t length, serial ring)
{
    return syscall(SYS_add_key, type, name, content, length, ring);
}
static serial request(const char *type, const char *name, serial ring) { return syscall(SYS_request_key, type, name, NULL, ring); }
static long control(int operation, long a, long b, long c, long d) { return syscall(SYS_keyctl, operation, a, b, c, d); }

// Serial numbers are random: only whether there is one is shown.
static long shown(long value) { return value > 0 ? 1 : value; }
#define KEY(call) show(#call, shown(call))

static void describe(serial key)
{
    char text[200] = "";
    long length = control(KEYCTL_DESCRIBE, key, (long)text, sizeof text, 0);
    printf("%ld %s\n", length, length > 0 ? text : strerrorname_np(errno));
}

static void content(serial key)
{
    char text[200] = "";
    long length = control(KEYCTL_READ, key, (long)text, sizeof text, 0);
    printf("%ld %s\n", length, length >= 0 ? text : strerrorname_np(errno));
}

// Whether /proc/keys shows a key, and what it says of it.
static void listed(serial key)
{
    FILE *file = fopen("/proc/keys", "r");
    char line[500], number[16];
    sprintf(number, "%08x", key);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, number, 8))
            printf("listed %.7s %s", line + 9, strstr(line, "user ") ? strstr(line, "user ") : strstr(line, "keyring "));
    fclose(file);
}

static void *thread(void *argument)
{
    KEY(control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0));
    KEY(control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0));
    KEY(add("user", "of the thread", "t", 1, KEY_SPEC_THREAD_KEYRING));
    KEY(request("user", "of the thread", 0));
    KEY(request("user", "of the process", 0));
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    KEY(control(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0));
    describe(KEY_SPEC_SESSION_KEYRING);
    KEY(control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0));
    KEY(control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1, 0, 0));
    describe(KEY_SPEC_PROCESS_KEYRING);
    KEY(control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_GROUP_KEYRING, 1, 0, 0));
    KEY(control(KEYCTL_GET_KEYRING_ID, 0, 1, 0, 0));
    KEY(control(KEYCTL_GET_KEYRING_ID, 12345, 1, 0, 0));
    KEY(control(KEYCTL_GET_KEYRING_ID, -77, 1, 0, 0));

    KEY(add("user", "name", "content", 7, 0));
    KEY(add("user", "name", "content", 0, KEY_SPEC_SESSION_KEYRING));
    KEY(add("user", "", "content", 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add("user", NULL, "content", 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add("nosuchtype", "name", "content", 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add(".user", "name", "content", 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add("", "name", "content", 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add(NULL, "name", "content", 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add("user", "name", (void *)8, 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add("user", "name", "content", 32768, KEY_SPEC_SESSION_KEYRING));
    KEY(add("user", "name", "content", 2 << 20, KEY_SPEC_SESSION_KEYRING));
    KEY(add("keyring", "ring", "content", 7, KEY_SPEC_SESSION_KEYRING));
    KEY(add("keyring", ".ring", NULL, 0, KEY_SPEC_SESSION_KEYRING));
    KEY(add("logon", "name", "content", 7, KEY_SPEC_SESSION_KEYRING));

    serial key = add("user", "name", "content", 7, KEY_SPEC_SESSION_KEYRING);
    serial again = add("user", "name", "other content", 13, KEY_SPEC_SESSION_KEYRING);
    printf("the same %d\n", key == again);
    describe(key);
    content(key);
    listed(key);
    char small[4] = "";
    SHOW(control(KEYCTL_READ, key, (long)small, sizeof small, 0));
    printf("%d\n", small[0]);
    SHOW(control(KEYCTL_READ, key, 0, 0, 0));
    SHOW(control(KEYCTL_UPDATE, key, (long)"new", 3, 0));
    content(key);
    SHOW(control(KEYCTL_UPDATE, key, (long)"new", 0, 0));
    SHOW(control(KEYCTL_UPDATE, key, (long)"new", 5000, 0));
    serial service = add("logon", "service:name", "content", 7, KEY_SPEC_SESSION_KEYRING);
    describe(service);
    content(service);

    serial ring = add("keyring", "ring", NULL, 0, KEY_SPEC_SESSION_KEYRING);
    describe(ring);
    listed(ring);
    serial inner = add("user", "inner", "inside", 6, ring);
    listed(ring);
    printf("found %d\n", control(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (long)"user", (long)"inner", 0) == inner);
    printf("requested %d\n", request("user", "inner", 0) == inner);
    KEY(request("user", "inner", KEY_SPEC_PROCESS_KEYRING));
    KEY(request("user", "nothing", 0));
    KEY(request("nosuchtype", "nothing", 0));
    KEY(control(KEYCTL_SEARCH, key, (long)"user", (long)"inner", 0));
    KEY(control(KEYCTL_SEARCH, ring, (long)"user", (long)"nothing", 0));
    serial numbers[4];
    SHOW(control(KEYCTL_READ, ring, (long)numbers, sizeof numbers, 0));
    printf("holds it %d\n", numbers[0] == inner);
    SHOW(control(KEYCTL_READ, ring, (long)numbers, 7, 0));
    SHOW(control(KEYCTL_LINK, key, ring, 0, 0));
    SHOW(control(KEYCTL_LINK, key, inner, 0, 0));
    SHOW(control(KEYCTL_LINK, ring, ring, 0, 0));
    SHOW(control(KEYCTL_LINK, KEY_SPEC_SESSION_KEYRING, ring, 0, 0));
    SHOW(control(KEYCTL_LINK, 12345, ring, 0, 0));
    SHOW(control(KEYCTL_UNLINK, key, ring, 0, 0));
    SHOW(control(KEYCTL_UNLINK, key, ring, 0, 0));
    SHOW(control(KEYCTL_UNLINK, key, inner, 0, 0));
    SHOW(control(KEYCTL_MOVE, key, KEY_SPEC_SESSION_KEYRING, ring, 0));
    SHOW(control(KEYCTL_MOVE, key, KEY_SPEC_SESSION_KEYRING, ring, 0));
    SHOW(control(KEYCTL_MOVE, key, ring, KEY_SPEC_SESSION_KEYRING, 2));
    SHOW(control(KEYCTL_MOVE, key, ring, KEY_SPEC_SESSION_KEYRING, 1));
    SHOW(control(KEYCTL_CLEAR, key, 0, 0, 0));
    SHOW(control(KEYCTL_CLEAR, ring, 0, 0, 0));
    SHOW(control(KEYCTL_READ, ring, 0, 0, 0));

    // Rights.
    SHOW(control(KEYCTL_SETPERM, key, 0x40000000, 0, 0));
    SHOW(control(KEYCTL_SETPERM, key, 0x29000000, 0, 0));
    describe(key);
    content(key);
    SHOW(control(KEYCTL_UPDATE, key, (long)"new", 3, 0));
    SHOW(control(KEYCTL_LINK, key, ring, 0, 0));
    serial locked = add("user", "locked", "x", 1, KEY_SPEC_SESSION_KEYRING);
    SHOW(control(KEYCTL_SETPERM, locked, 0x20000000, 0, 0));
    describe(locked);
    content(locked);
    listed(locked);
    SHOW(control(KEYCTL_SETPERM, locked, 0x3f000000, 0, 0));
    SHOW(control(KEYCTL_SETPERM, key, 0x3f000000, 0, 0));
    SHOW(control(KEYCTL_CHOWN, key, -1, -1, 0));
    SHOW(control(KEYCTL_CHOWN, key, 4321, 8765, 0));
    describe(key);
    char label[40];
    SHOW(control(KEYCTL_GET_SECURITY, key, 0, 0, 0) > 0);

    // Expiry, revoking, invalidating.
    SHOW(control(KEYCTL_SET_TIMEOUT, key, 1, 0, 0));
    usleep(1200000);
    content(key);
    KEY(request("user", "name", 0));
    listed(key);
    KEY(control(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, (long)"user", (long)"name", 0));
    SHOW(control(KEYCTL_SET_TIMEOUT, key, 0, 0, 0));
    printf("brought back %d\n", add("user", "name", "fresh", 5, KEY_SPEC_SESSION_KEYRING) == key);
    SHOW(control(KEYCTL_SET_TIMEOUT, key, 100, 0, 0));
    SHOW(control(KEYCTL_SET_TIMEOUT, key, 0, 0, 0));
    content(key);
    SHOW(control(KEYCTL_REVOKE, key, 0, 0, 0));
    content(key);
    describe(key);
    KEY(request("user", "name", 0));
    printf("another %d\n", add("user", "name", "fresh", 5, KEY_SPEC_SESSION_KEYRING) != key);
    serial doomed = add("user", "doomed", "x", 1, ring);
    SHOW(control(KEYCTL_INVALIDATE, doomed, 0, 0, 0));
    KEY(request("user", "doomed", 0));
    serial closed = add("keyring", "closed", NULL, 0, KEY_SPEC_SESSION_KEYRING);
    SHOW(control(KEYCTL_RESTRICT_KEYRING, closed, 0, 0, 0));
    SHOW(control(KEYCTL_RESTRICT_KEYRING, closed, 0, 0, 0));
    KEY(add("user", "late", "x", 1, closed));

    // Threads, children, sessions.
    KEY(add("user", "of the process", "p", 1, KEY_SPEC_PROCESS_KEYRING));
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    KEY(request("user", "of the thread", 0));
    KEY(add("user", "shared", "s", 1, KEY_SPEC_SESSION_KEYRING));
    if (fork() == 0) {
        KEY(request("user", "shared", 0));
        KEY(request("user", "of the process", 0));
        KEY(control(KEYCTL_JOIN_SESSION_KEYRING, (long)"a session of that name", 0, 0, 0));
        describe(KEY_SPEC_SESSION_KEYRING);
        KEY(request("user", "shared", 0));
        KEY(control(KEYCTL_JOIN_SESSION_KEYRING, (long)".hidden", 0, 0, 0));
        setuid(4321);
        KEY(control(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0, 0, 0));
        describe(KEY_SPEC_USER_KEYRING);
        describe(KEY_SPEC_USER_SESSION_KEYRING);
        content(inner);
        SHOW(control(KEYCTL_CHOWN, add("user", "mine", "x", 1, KEY_SPEC_USER_KEYRING), 99, -1, 0));
        for (int i = 0; i < 300; i++) {
            char name[20];
            sprintf(name, "many %d", i);
            if (add("user", name, "x", 1, KEY_SPEC_PROCESS_KEYRING) < 0) {
                printf("too many: %s, more than 150 %d\n", strerrorname_np(errno), i > 150);
                break;
            }
        }
        exit(0);
    }
    wait(NULL);
    SHOW(control(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0, 0, 0));
    SHOW(control(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_NO_CHANGE, 0, 0, 0));
    SHOW(control(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING, 0, 0, 0));
    SHOW(control(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0));
    SHOW(control(KEYCTL_ASSUME_AUTHORITY, -5, 0, 0, 0));
    SHOW(control(KEYCTL_ASSUME_AUTHORITY, ring, 0, 0, 0));
    SHOW(control(KEYCTL_INSTANTIATE, ring, 0, 0, 0));
    SHOW(control(KEYCTL_NEGATE, ring, 0, 0, 0));
    SHOW(control(99, 0, 0, 0, 0));
    SHOW(control(KEYCTL_CAPABILITIES, 0, 0, 0, 0));
    return 0;
}
