// How TCP connections end, and what both sides see: finished, reset, lingered, never accepted, half shut; two families meeting.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "check.h"

static char buffer[1 << 16];
static int client, server;

static void connected(void)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&name, length) || listen(listener, 5) || getsockname(listener, (void *)&name, &length) ||
        connect(client, (void *)&name, length))
        die("connect");
    server = accept(listener, NULL, NULL);
    close(listener);
}

static void polled(const char *what, int fd)
{
    struct pollfd entry = { fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0 };
    int count = poll(&entry, 1, 0), error = 0;
    printf("%s: %d events %#x\n", what, count, entry.revents);
}

static void pending(int fd)
{
    int error = -1;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    printf("pending %s\n", error ? strerrorname_np(error) : "nothing");
}

static void finished(void)
{
    connected();
    SHOW(write(server, "last words", 10));
    SHOW(close(server));
    polled("after the peer's end", client);
    SHOW(send(client, "a", 1, MSG_NOSIGNAL));
    polled("after one write", client);
    SHOW(recv(client, buffer, 4, 0));
    SHOW(recv(client, buffer, 100, 0));
    SHOW(recv(client, buffer, 100, 0));
    SHOW(send(client, "b", 1, MSG_NOSIGNAL));
    SHOW(send(client, "c", 1, MSG_NOSIGNAL));
    pending(client);
    polled("at last", client);
    close(client);
    connected();
    close(server);
    SHOW(send(client, "a", 1, MSG_NOSIGNAL));
    pending(client);
    SHOW(send(client, "b", 1, MSG_NOSIGNAL));
    SHOW(recv(client, buffer, 1, 0));
    SHOW(shutdown(client, SHUT_WR));
    close(client);
}

static void reset(int lingers)
{
    connected();
    struct linger none = { 1, 0 }, told = { 5, 5 };
    socklen_t length = sizeof told;
    if (lingers) {
        SHOW(setsockopt(server, SOL_SOCKET, SO_LINGER, &none, sizeof none));
        SHOW(getsockopt(server, SOL_SOCKET, SO_LINGER, &told, &length));
        printf("linger %d %d %u\n", told.l_onoff, told.l_linger, length);
    } else {
        SHOW(write(client, "never read", 10));
    }
    SHOW(write(server, "before", 6));
    close(server);
    polled("reset", client);
    SHOW(recv(client, buffer, 100, 0));
    polled("reset, and read", client);
    SHOW(recv(client, buffer, 100, 0));
    SHOW(recv(client, buffer, 100, 0));
    SHOW(send(client, "b", 1, MSG_NOSIGNAL));
    polled("told", client);
    close(client);
    connected();
    setsockopt(server, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(server);
    SHOW(send(client, "b", 1, MSG_NOSIGNAL));
    SHOW(send(client, "b", 1, MSG_NOSIGNAL));
    SHOW(recv(client, buffer, 100, 0));
    SHOW(shutdown(client, SHUT_RDWR));
    close(client);
    connected();
    shutdown(server, SHUT_WR);
    setsockopt(server, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(server);
    polled("finished, then reset", client);
    SHOW(recv(client, buffer, 100, 0));
    SHOW(send(client, "b", 1, MSG_NOSIGNAL));
    pending(client);
    close(client);
}

static void unaccepted(void)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (void *)&name, length);
    listen(listener, 5);
    getsockname(listener, (void *)&name, &length);
    SHOW(connect(client, (void *)&name, length));
    SHOW(write(client, "x", 1));
    close(listener);
    polled("listener gone", client);
    SHOW(recv(client, buffer, 100, 0));
    SHOW(recv(client, buffer, 100, 0));
    close(client);
}

static void halves(void)
{
    connected();
    SHOW(shutdown(server, SHUT_RD));
    SHOW(send(client, "heard", 5, MSG_NOSIGNAL));
    polled("deaf server", server);
    SHOW(recv(server, buffer, 100, MSG_DONTWAIT));
    SHOW(recv(server, buffer, 100, MSG_DONTWAIT));
    polled("its client", client);
    SHOW(shutdown(client, SHUT_WR));
    SHOW(send(client, "x", 1, MSG_NOSIGNAL));
    polled("client done", client);
    polled("server told", server);
    SHOW(send(server, "still", 5, MSG_NOSIGNAL));
    SHOW(recv(client, buffer, 100, 0));
    SHOW(shutdown(server, SHUT_WR));
    polled("both done", client);
    polled("both done", server);
    SHOW(shutdown(server, SHUT_RDWR));
    SHOW(shutdown(client, SHUT_RDWR));
    close(client);
    close(server);
}

static void told(const char *what, struct sockaddr_storage *name, socklen_t length)
{
    char text[INET6_ADDRSTRLEN] = "";
    const void *host = name->ss_family == AF_INET ? (void *)&((struct sockaddr_in *)name)->sin_addr : (void *)&((struct sockaddr_in6 *)name)->sin6_addr;
    inet_ntop(name->ss_family, host, text, sizeof text);
    printf("%s: family %d length %u %s\n", what, name->ss_family, length, text);
}

static void families(int listening, const char *at, int calling, const char *to)
{
    struct sockaddr_storage name = { .ss_family = listening };
    struct sockaddr_in6 *six = (void *)&name;
    struct sockaddr_in *four = (void *)&name;
    socklen_t length = sizeof name;
    int listener = socket(listening, SOCK_STREAM, 0), fd = socket(calling, SOCK_STREAM, 0);
    inet_pton(listening, at, listening == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr);
    SHOW(bind(listener, (void *)&name, listening == AF_INET ? sizeof *four : sizeof *six));
    listen(listener, 5);
    getsockname(listener, (void *)&name, &length);
    told("listens", &name, length);
    in_port_t port = four->sin_port;
    name.ss_family = calling;
    inet_pton(calling, to, calling == AF_INET ? (void *)&four->sin_addr : (void *)&six->sin6_addr);
    four->sin_port = port;
    if (SHOW(connect(fd, (void *)&name, calling == AF_INET ? sizeof *four : sizeof *six)) == 0) {
        length = sizeof name;
        int accepted = accept(listener, (void *)&name, &length);
        told("accepted", &name, length);
        length = sizeof name;
        getsockname(accepted, (void *)&name, &length);
        told("server", &name, length);
        length = sizeof name;
        getpeername(fd, (void *)&name, &length);
        told("peer", &name, length);
        length = sizeof name;
        getsockname(fd, (void *)&name, &length);
        told("client", &name, length);
        close(accepted);
    }
    close(listener);
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    finished();
    reset(0);
    reset(1);
    unaccepted();
    halves();
    families(AF_INET, "127.0.0.1", AF_INET6, "::ffff:127.0.0.1");
    families(AF_INET6, "::", AF_INET, "127.0.0.1");
    families(AF_INET6, "::1", AF_INET6, "::1");
    families(AF_INET6, "::1", AF_INET, "127.0.0.1");
    families(AF_INET, "0.0.0.0", AF_INET, "127.9.9.9");
    return 0;
}
