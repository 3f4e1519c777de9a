// System V shared memory, semaphores and message queues, and POSIX message queues: results, orders, ends, errors.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "check.h"

static void rest(int milliseconds)
{
    struct timespec pause = { 0, milliseconds * 1000000L };
    while (nanosleep(&pause, &pause) == -1 && errno == EINTR) { }
}

static void onSignal(int signal)
{
    (void)signal;
}

static void shared(void)
{
    key_t key = ftok("/", getpid() & 0x7f) ^ getpid() << 8;
    SHOW(shmget(key, 4096, 0600));
    int id = shmget(key, 10000, IPC_CREAT | 0640);
    printf("made %d\n", id >= 0);
    SHOW(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600));
    SHOW(shmget(key, 20000, 0));
    SHOW(shmget(key, 0, 0) == id);
    SHOW(shmget(IPC_PRIVATE, 0, 0600));
    char *first = shmat(id, NULL, 0), *second = shmat(id, NULL, SHM_RDONLY);
    printf("attached %d\n", first != (void *)-1 && second != (void *)-1);
    strcpy(first, "one memory");
    printf("%s\n", second);
    struct shmid_ds status;
    SHOW(shmctl(id, IPC_STAT, &status));
    printf("size %zu attached %ld mode %o creator %d times %d\n", status.shm_segsz, (long)status.shm_nattch, status.shm_perm.mode, status.shm_cpid == getpid(), status.shm_atime > 0);
    fflush(stdout);
    if (fork() == 0) {
        shmctl(id, IPC_STAT, &status);
        printf("in the child %ld\n", (long)status.shm_nattch);
        strcpy(first, "from the child");
        fflush(stdout);
        _exit(shmdt(second));
    }
    wait(NULL);
    printf("%s\n", second);
    SHOW(mprotect(second, 4096, PROT_READ | PROT_WRITE));
    SHOW(shmdt(first + 4096));
    SHOW(shmdt(second));
    SHOW(shmdt(second));
    shmctl(id, IPC_STAT, &status);
    printf("attached %ld\n", (long)status.shm_nattch);
    status.shm_perm.mode = 0600;
    SHOW(shmctl(id, IPC_SET, &status));
    SHOW((long)shmat(id, first, 0));
    SHOW((long)shmat(id, first + 1, 0));
    SHOW(shmat(id, first + 1, SHM_RND | SHM_REMAP) == first);
    SHOW(shmctl(id, IPC_RMID, NULL));
    SHOW(shmget(key, 0, 0));
    shmctl(id, IPC_STAT, &status);
    printf("mode %o attached %ld\n", status.shm_perm.mode, (long)status.shm_nattch);
    printf("%s\n", first);
    SHOW(shmdt(first));
    SHOW(shmctl(id, IPC_STAT, &status));
    SHOW((long)shmat(id, NULL, 0));
    SHOW(shmctl(id, 999, &status));
    SHOW((long)shmat(-1, NULL, 0));
    SHOW((long)shmat(id, NULL, SHM_REMAP));
}

static int semaphore(int id, int number, int amount, int flags)
{
    struct sembuf operation = { number, amount, flags };
    return semop(id, &operation, 1);
}

static void semaphores(void)
{
    int id = semget(IPC_PRIVATE, 3, 0600);
    struct semid_ds status;
    unsigned short values[3] = { 1, 2, 3 };
    SHOW(semget(IPC_PRIVATE, 0, 0600));
    SHOW(semget(IPC_PRIVATE, 100000, 0600));
    SHOW(semctl(id, 0, SETALL, values));
    SHOW(semctl(id, 1, GETVAL));
    SHOW(semctl(id, 3, GETVAL));
    SHOW(semctl(id, 0, SETVAL, 40000));
    SHOW(semctl(id, 0, SETVAL, 0));
    SHOW(semctl(id, 0, GETPID) == getpid());
    SHOW(semctl(id, 0, IPC_STAT, &status));
    printf("count %ld mode %o\n", (long)status.sem_nsems, status.sem_perm.mode);
    SHOW(semaphore(id, 0, -1, IPC_NOWAIT));
    SHOW(semaphore(id, 3, 1, 0));
    SHOW(semaphore(id, 1, 0, IPC_NOWAIT));
    SHOW(semaphore(id, 2, 32766, 0));
    SHOW(semop(id, NULL, 0));
    SHOW(semop(id, (void *)8, 1));
    SHOW(syscall(SYS_semop, id, &status, 501));
    struct sembuf both[2] = { { 1, -2, 0 }, { 0, -1, IPC_NOWAIT } };
    SHOW(semop(id, both, 2));
    printf("nothing was done %d\n", semctl(id, 1, GETVAL));
    struct timespec time = { 0, 20000000 };
    SHOW(semtimedop(id, both, 1, &time));
    SHOW(semtimedop(id, both, 1, &time));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int result = semaphore(id, 0, -2, SEM_UNDO);
        printf("child %d\n", result);
        fflush(stdout);
        _exit(0);
    }
    while (semctl(id, 0, GETNCNT) == 0)
        rest(1);
    SHOW(semctl(id, 0, GETNCNT));
    SHOW(semctl(id, 0, GETZCNT));
    SHOW(semaphore(id, 0, 1, 0));
    // The child prints as soon as it can.
    int result = semaphore(id, 0, 1, 0);
    waitpid(child, NULL, 0);
    printf("raised %d\n", result);
    printf("given back %d by the child %d\n", semctl(id, 0, GETVAL), semctl(id, 0, GETPID) == child);
    fflush(stdout);
    struct sigaction action = { .sa_handler = onSignal, .sa_flags = SA_RESTART };
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 2; i++) {
        child = fork();
        if (child == 0) {
            int result = semaphore(id, 1, -5, 0);
            printf("waiter %d %s\n", result, strerrorname_np(errno));
            fflush(stdout);
            _exit(0);
        }
        while (semctl(id, 1, GETNCNT) == 0)
            rest(1);
        result = i == 0 ? kill(child, SIGUSR1) : semctl(id, 0, IPC_RMID);
        waitpid(child, NULL, 0);
        printf("ended by us %d\n", result);
        fflush(stdout);
    }
    SHOW(semctl(id, 0, IPC_RMID));
    SHOW(semaphore(id, 0, 1, 0));
}

struct message { long type; char text[100]; };

static int put(int id, long type, const char *text, int flags)
{
    struct message message = { type, "" };
    strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text) + 1, flags);
}

static void get(int id, long type, int flags)
{
    struct message message;
    ssize_t length = msgrcv(id, &message, 100, type, flags);
    if (length < 0)
        printf("receive %ld: %s\n", type, strerrorname_np(errno));
    else
        printf("receive %ld: %ld %zd %s\n", type, message.type, length, message.text);
    fflush(stdout);
}

static void messages(void)
{
    int id = msgget(IPC_PRIVATE, 0600);
    struct msqid_ds status;
    SHOW(put(id, 3, "three", 0));
    SHOW(put(id, 1, "one", 0));
    SHOW(put(id, 2, "two", 0));
    SHOW(put(id, 3, "another three", 0));
    SHOW(put(id, 0, "none", 0));
    SHOW(msgctl(id, IPC_STAT, &status));
    printf("count %ld bytes %ld most %ld sender %d\n", (long)status.msg_qnum, (long)status.msg_cbytes, (long)status.msg_qbytes, status.msg_lspid == getpid());
    get(id, -2, 0);
    get(id, 3, 0);
    get(id, 3, MSG_EXCEPT);
    get(id, 7, IPC_NOWAIT);
    struct message message;
    SHOW(msgrcv(id, &message, 3, 0, 0));
    SHOW(msgrcv(id, &message, 3, 0, MSG_NOERROR));
    get(id, 0, IPC_NOWAIT);
    static char large[9000];
    SHOW(msgsnd(id, &(struct { long type; char text[9000]; }) { 1, "" }, 8193, 0));
    SHOW(msgsnd(id, large, 10, 0));
    int sent = 0;
    struct { long type; char text[4000]; } big = { 1, "" };
    while (msgsnd(id, &big, 4000, IPC_NOWAIT) == 0)
        sent++;
    printf("sent %d then %s\n", sent, strerrorname_np(errno));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int result = msgsnd(id, &big, 4000, 0);
        printf("sender %d\n", result);
        fflush(stdout);
        _exit(0);
    }
    untilAsleep(child);
    ssize_t length = msgrcv(id, &big, 4000, 0, 0);
    waitpid(child, NULL, 0);
    printf("received %zd\n", length);
    status.msg_qbytes = 100;
    SHOW(msgctl(id, IPC_SET, &status));
    SHOW(put(id, 1, "no room", IPC_NOWAIT));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        struct message none;
        ssize_t result = msgrcv(id, &none, 100, 55, 0);
        printf("receiver %zd %s\n", result, strerrorname_np(errno));
        fflush(stdout);
        _exit(0);
    }
    untilAsleep(child);
    int removed = msgctl(id, IPC_RMID, NULL);
    waitpid(child, NULL, 0);
    printf("removed %d\n", removed);
    get(id, 0, 0);
    SHOW(msgget(getpid() << 8 | 0x77, 0600));
}

static volatile int told, value, code;

static void onMessage(int signal, siginfo_t *info, void *context)
{
    told++;
    value = info->si_value.sival_int;
    code = info->si_code;
    (void)signal;
    (void)context;
}

static void showQueue(mqd_t queue)
{
    char text[100];
    unsigned priority;
    ssize_t length = mq_receive(queue, text, sizeof text, &priority);
    if (length < 0)
        printf("receive: %s\n", strerrorname_np(errno));
    else
        printf("receive: %.*s at %u\n", (int)length, text, priority);
    fflush(stdout);
}

static void queues(void)
{
    char name[40];
    snprintf(name, sizeof name, "/queue-%d", getpid());
    struct mq_attr attributes = { .mq_maxmsg = 3, .mq_msgsize = 50 };
    SHOW(mq_open(name, O_RDWR));
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
    printf("open %d\n", queue >= 0);
    SHOW(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes));
    SHOW(mq_send(queue, "low", 3, 1));
    SHOW(mq_send(queue, "high", 4, 9));
    SHOW(mq_send(queue, "low again", 9, 1));
    SHOW(mq_getattr(queue, &attributes));
    printf("%ld of %ld, %ld bytes each\n", attributes.mq_curmsgs, attributes.mq_maxmsg, attributes.mq_msgsize);
    struct timespec past = { 1, 0 }, bad = { 1, 1000000000 };
    SHOW(mq_timedsend(queue, "full", 4, 1, &past));
    SHOW(mq_timedsend(queue, "full", 4, 1, &bad));
    struct pollfd one = { queue, POLLIN | POLLOUT, 0 };
    SHOW(poll(&one, 1, 0));
    printf("events %x\n", one.revents);
    showQueue(queue);
    showQueue(queue);
    showQueue(queue);
    SHOW(poll(&one, 1, 0));
    printf("events %x\n", one.revents);
    attributes.mq_flags = O_NONBLOCK;
    SHOW(mq_setattr(queue, &attributes, NULL));
    showQueue(queue);
    char small[10];
    SHOW(mq_receive(queue, small, sizeof small, NULL));
    SHOW(mq_send(queue, "x", 51, 0));
    SHOW(mq_send(queue, "x", 1, 40000));
    SHOW(mq_send(0, "x", 1, 0));
    struct sigaction action = { .sa_sigaction = onMessage, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR2, &action, NULL);
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value = { 77 } };
    SHOW(mq_notify(queue, &event));
    SHOW(mq_notify(queue, &event));
    SHOW(mq_send(queue, "tells", 5, 0));
    printf("told %d value %d code %d\n", told, value, code);
    SHOW(mq_send(queue, "tells no more", 13, 0));
    printf("told %d\n", told);
    SHOW(mq_notify(queue, NULL));
    mqd_t readOnly = mq_open(name, O_RDONLY);
    SHOW(mq_send(readOnly, "x", 1, 0));
    SHOW(mq_unlink(name));
    SHOW(mq_unlink(name));
    showQueue(readOnly);
    SHOW(mq_close(queue));
    attributes.mq_maxmsg = 0;
    SHOW(mq_open(name, O_RDWR | O_CREAT, 0600, &attributes));
    SHOW(syscall(SYS_mq_open, "with/slash", O_RDWR | O_CREAT, 0600, NULL));
    SHOW(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL));
}

int main(void)
{
    shared();
    semaphores();
    messages();
    queues();
    return 0;
}
