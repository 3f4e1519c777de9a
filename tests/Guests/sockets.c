// Sockets: UNIX streams, datagrams and sequenced packets with descriptor passing and credentials; TCP and UDP over loopback;
// errors, options, shutdown, non-blocking connect.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "check.h"

static char buffer[1 << 16];

static void pairs(void)
{
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    for (int i = 0; i < 3; i++) {
        int ends[2];
        SHOW(socketpair(AF_UNIX, types[i], 0, ends));
        SHOW(send(ends[0], "one", 3, 0));
        SHOW(send(ends[0], "two!", 4, 0));
        SHOW(recv(ends[1], buffer, 100, MSG_PEEK));
        SHOW(recv(ends[1], buffer, 2, MSG_TRUNC));
        SHOW(recv(ends[1], buffer, 100, 0));
        SHOW(recv(ends[1], buffer, 100, MSG_DONTWAIT));
        SHOW(shutdown(ends[0], SHUT_WR));
        SHOW(recv(ends[1], buffer, 100, MSG_DONTWAIT));
        SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
        close(ends[1]);
        SHOW(send(ends[0], "x", 1, MSG_NOSIGNAL));
        SHOW(recv(ends[0], buffer, 1, MSG_DONTWAIT));
        close(ends[0]);
    }
}

static void passing(void)
{
    int ends[2], pipeEnds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || pipe(pipeEnds))
        die("socketpair");
    pid_t child = fork();
    if (child == 0) {
        char control[CMSG_SPACE(sizeof(int))] = { 0 };
        struct iovec part = { "fd", 2 };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &pipeEnds[1], sizeof(int));
        _exit(sendmsg(ends[1], &message, 0) == 2 ? 0 : 1);
    }
    wait(NULL);
    close(pipeEnds[1]);
    char control[256];
    struct iovec part = { buffer, 100 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    SHOW(recvmsg(ends[0], &message, MSG_CMSG_CLOEXEC));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    int received;
    memcpy(&received, CMSG_DATA(header), sizeof received);
    printf("level %d type %d flags %x cloexec %d\n", header->cmsg_level, header->cmsg_type, message.msg_flags, fcntl(received, F_GETFD));
    SHOW(write(received, "hello", 5));
    close(received);
    SHOW(read(pipeEnds[0], buffer, 100));
    SHOW(read(pipeEnds[0], buffer, 100));
    struct ucred peer;
    socklen_t length = sizeof peer;
    SHOW(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    printf("peer is me %d uid %d\n", peer.pid == getpid(), peer.uid == getuid());
    close(ends[0]);
    close(ends[1]);
}

static void named(void)
{
    char directory[] = "/tmp/sock-XXXXXX";
    if (!mkdtemp(directory))
        die("mkdtemp");
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%s/s", directory);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(client, (struct sockaddr *)&name, sizeof name));
    SHOW(bind(listener, (struct sockaddr *)&name, sizeof name));
    SHOW(bind(client, (struct sockaddr *)&name, sizeof name));
    SHOW(connect(client, (struct sockaddr *)&name, sizeof name));
    SHOW(listen(listener, 1));
    SHOW(connect(client, (struct sockaddr *)&name, sizeof name));
    struct stat info;
    SHOW(stat(name.sun_path, &info));
    printf("socket %d\n", S_ISSOCK(info.st_mode));
    SHOW(open(name.sun_path, O_RDWR));
    struct sockaddr_un other;
    socklen_t length = sizeof other;
    int server = accept4(listener, (struct sockaddr *)&other, &length, SOCK_CLOEXEC);
    printf("accepted %d length %d cloexec %d\n", server >= 0, length, fcntl(server, F_GETFD));
    length = sizeof other;
    SHOW(getpeername(client, (struct sockaddr *)&other, &length));
    printf("peer %d %d\n", strcmp(other.sun_path, name.sun_path), (int)(length - strlen(name.sun_path)));
    SHOW(send(server, "served", 6, 0));
    SHOW(recv(client, buffer, 100, 0));
    SHOW(recv(client, buffer, 100, 0));
    close(server);
    SHOW(recv(client, buffer, 100, 0));
    unlink(name.sun_path);
    rmdir(directory);
    struct sockaddr_un hidden = { .sun_family = AF_UNIX, .sun_path = "\0abstract name" };
    int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);
    SHOW(bind(one, (struct sockaddr *)&hidden, 16));
    SHOW(bind(two, (struct sockaddr *)&hidden, 16));
    SHOW(sendto(two, "datagram", 8, 0, (struct sockaddr *)&hidden, 16));
    length = sizeof other;
    SHOW(recvfrom(one, buffer, 3, MSG_TRUNC, (struct sockaddr *)&other, &length));
    printf("from length %d\n", length);
    SHOW(sendto(two, "x", 1, 0, (struct sockaddr *)&hidden, 15));
    SHOW(send(two, "x", 1, 0));
    SHOW(listen(two, 1));
    close(one);
    close(two);
    close(client);
    close(listener);
}

static void *serve(void *argument)
{
    int listener = *(int *)argument;
    for (int i = 0; i < 5; i++) {
        int peer = accept(listener, NULL, NULL);
        long got, total = 0;
        static char data[5000];
        while ((got = recv(peer, data, sizeof data, 0)) > 0) {
            total += got;
            if (send(peer, data, got, 0) != got)
                break;
        }
        close(peer);
    }
    return NULL;
}

static void *drain(void *argument)
{
    long got, total = 0;
    static char data[9000];
    while ((got = recv(*(int *)argument, data, sizeof data, 0)) > 0)
        total += got;
    return (void *)total;
}

static void internet(int family)
{
    struct sockaddr_storage storage = { .ss_family = family };
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (family == AF_INET)
        ((struct sockaddr_in *)&storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&storage)->sin6_addr = in6addr_loopback;
    struct sockaddr *address = (struct sockaddr *)&storage;
    int listener = socket(family, SOCK_STREAM, 0), on = 1, value;
    socklen_t length = sizeof value;
    SHOW(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    SHOW(bind(listener, address, size));
    length = sizeof storage;
    SHOW(getsockname(listener, address, &length));
    printf("port %d length %d\n", ((struct sockaddr_in *)&storage)->sin_port != 0, length);
    int client = socket(family, SOCK_STREAM, 0);
    SHOW(connect(client, address, size));
    close(client);
    SHOW(listen(listener, 8));
    pthread_t server;
    pthread_create(&server, NULL, serve, &listener);
    for (int i = 0; i < 5; i++) {
        client = socket(family, SOCK_STREAM, 0);
        SHOW(connect(client, address, size));
        SHOW(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
        pthread_t reader;
        pthread_create(&reader, NULL, drain, &client);
        long sent = 0;
        for (int k = 0; k < 20 * i + 1; k++)
            sent += send(client, buffer, 10000, 0);
        SHOW(shutdown(client, SHUT_WR));
        void *echoed;
        pthread_join(reader, &echoed);
        printf("sent %ld echoed %ld\n", sent, (long)echoed);
        SHOW(recv(client, buffer, 1, 0));
        close(client);
    }
    pthread_join(server, NULL);
    client = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int result = connect(client, address, size);
    printf("non-blocking connect %s\n", result == 0 || errno == EINPROGRESS ? "under way" : "failed");
    struct pollfd item = { client, POLLOUT, 0 };
    SHOW(poll(&item, 1, 1000));
    length = sizeof value;
    SHOW(getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &length));
    printf("error %d\n", value);
    SHOW(connect(client, address, size));
    SHOW(recv(client, buffer, 1, 0));
    close(listener);
    close(client);
    SHOW(socket(family, SOCK_STREAM, 999));
    SHOW(recv(socket(family, SOCK_STREAM, 0), buffer, 1, 0));
    SHOW(send(socket(family, SOCK_STREAM, 0), buffer, 1, MSG_NOSIGNAL));
    SHOW(accept(socket(family, SOCK_STREAM, 0), NULL, NULL));

    int a = socket(family, SOCK_DGRAM, 0), b = socket(family, SOCK_DGRAM, 0);
    if (family == AF_INET)
        ((struct sockaddr_in *)&storage)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&storage)->sin6_port = 0;
    SHOW(bind(a, address, size));
    length = sizeof storage;
    getsockname(a, address, &length);
    SHOW(sendto(b, "udp", 3, 0, address, size));
    SHOW(connect(b, address, size));
    SHOW(send(b, "connected", 9, 0));
    struct sockaddr_storage from;
    length = sizeof from;
    SHOW(recvfrom(a, buffer, 100, 0, (struct sockaddr *)&from, &length));
    printf("family %d length %d\n", from.ss_family == family, length);
    SHOW(sendto(a, "back", 4, 0, (struct sockaddr *)&from, length));
    SHOW(recv(b, buffer, 2, MSG_TRUNC));
    SHOW(recv(a, buffer, 100, MSG_DONTWAIT));
    SHOW(recv(a, buffer, 100, MSG_DONTWAIT));
    close(a);
    SHOW(send(b, "gone", 4, 0));
    SHOW(send(b, "gone", 4, 0));
    close(b);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    SHOW(socket(AF_UNIX, 77, 0));
    SHOW(socket(77, SOCK_STREAM, 0));
    SHOW(bind(1, (struct sockaddr *)buffer, 16));
    SHOW(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }));
    pairs();
    passing();
    named();
    internet(AF_INET);
    internet(AF_INET6);
    char text[64];
    struct in_addr parsed;
    printf("%d %s\n", inet_pton(AF_INET, "10.1.2.3", &parsed), inet_ntop(AF_INET, &parsed, text, sizeof text));
    return 0;
}
