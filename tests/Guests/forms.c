// Connections that are left (AF_UNSPEC), that change their form (IPV6_ADDRFORM), bytes that wait for more (MSG_MORE), what sockets do not take (SO_ATTACH_FILTER).
#define _GNU_SOURCE
#include "check.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static const struct sockaddr nobody = { AF_UNSPEC };

static int error(int fd)
{
    int value = -1;
    socklen_t length = sizeof value;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length);
    return value;
}

static int family(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    return getsockname(fd, (void *)&name, &length) ? -1 : name.ss_family;
}

static void leaving(void)
{
    int listener = socket(AF_INET6, SOCK_STREAM, 0), four = AF_INET, six = AF_INET6, client = socket(AF_INET, SOCK_STREAM, 0), bound = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in6 at = { AF_INET6 };
    socklen_t length = sizeof at;
    char bytes[10];
    bind(listener, (void *)&at, length);
    listen(listener, 5);
    getsockname(listener, (void *)&at, &length);
    struct sockaddr_in to = { AF_INET, at.sin6_port, { htonl(INADDR_LOOPBACK) } }, any = { AF_INET }, own = { AF_INET };
    SHOW(connect(client, (void *)&to, sizeof to));
    int accepted = accept(listener, 0, 0);
    SHOW(setsockopt(listener, IPPROTO_IPV6, IPV6_ADDRFORM, &four, sizeof four));
    SHOW(setsockopt(accepted, IPPROTO_IPV6, IPV6_ADDRFORM, &six, sizeof six));
    SHOW(setsockopt(accepted, IPPROTO_IPV6, IPV6_ADDRFORM, &four, 2));
    SHOW(setsockopt(client, IPPROTO_IPV6, IPV6_ADDRFORM, &four, sizeof four));
    SHOW(family(accepted));
    SHOW(setsockopt(accepted, IPPROTO_IPV6, IPV6_ADDRFORM, &four, sizeof four));
    SHOW(family(accepted));
    SHOW(setsockopt(accepted, IPPROTO_IPV6, IPV6_ADDRFORM, &four, sizeof four));
    int datagrams = socket(AF_INET6, SOCK_DGRAM, 0), other = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(setsockopt(datagrams, IPPROTO_IPV6, IPV6_ADDRFORM, &four, sizeof four));
    at.sin6_addr = in6addr_loopback;
    SHOW(connect(other, (void *)&at, sizeof at));
    SHOW(setsockopt(other, IPPROTO_IPV6, IPV6_ADDRFORM, &four, sizeof four));
    SHOW(connect(accepted, &nobody, sizeof nobody));
    SHOW(error(accepted));
    SHOW(family(accepted));
    SHOW(recv(client, bytes, 10, MSG_DONTWAIT));
    SHOW(recv(client, bytes, 10, MSG_DONTWAIT));
    SHOW(bind(accepted, (void *)&any, sizeof any));
    SHOW(listen(accepted, 1));
    SHOW(connect(client, &nobody, sizeof nobody));
    SHOW(connect(client, (void *)&to, sizeof to));
    SHOW(connect(client, &nobody, sizeof nobody));
    SHOW(error(client));
    SHOW(bind(bound, (void *)&own, sizeof own));
    length = sizeof own;
    getsockname(bound, (void *)&own, &length);
    int port = own.sin_port;
    SHOW(connect(bound, (void *)&to, sizeof to));
    SHOW(connect(bound, &nobody, sizeof nobody));
    getsockname(bound, (void *)&own, &length);
    printf("the same port %d, address %x\n", own.sin_port == port, own.sin_addr.s_addr);
    struct pollfd wait = { bound, POLLIN | POLLOUT, 0 };
    poll(&wait, 1, 0);
    printf("poll %x\n", wait.revents);
    SHOW(send(bound, "x", 1, MSG_NOSIGNAL));
    SHOW(recv(bound, bytes, 1, 0));
    SHOW(connect(listener, &nobody, sizeof nobody));
    SHOW(accept4(listener, 0, 0, SOCK_NONBLOCK));
}

static void more(int type)
{
    int receiver = socket(AF_INET, type, 0), sender = socket(AF_INET, type, 0);
    struct sockaddr_in at = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof at;
    char bytes[100];
    printf("-- more, type %d\n", type);
    bind(receiver, (void *)&at, sizeof at);
    getsockname(receiver, (void *)&at, &length);
    if (type == SOCK_STREAM)
    {
        listen(receiver, 1);
        connect(sender, (void *)&at, sizeof at);
        receiver = accept(receiver, 0, 0);
    }
    else
    {
        SHOW(send(sender, "x", 1, MSG_MORE));
        connect(sender, (void *)&at, sizeof at);
    }
    SHOW(send(sender, "first ", 6, MSG_MORE));
    SHOW(recv(receiver, bytes, 100, MSG_DONTWAIT));
    SHOW(send(sender, "second ", 7, MSG_MORE));
    SHOW(recv(receiver, bytes, 100, MSG_DONTWAIT));
    SHOW(send(sender, "third", 5, 0));
    SHOW(recv(receiver, bytes, 100, 0));
    SHOW(send(sender, "alone", 5, 0));
    SHOW(recv(receiver, bytes, 100, 0));
    SHOW(send(sender, "last", 4, MSG_MORE));
    if (type == SOCK_STREAM)
        SHOW(shutdown(sender, SHUT_WR));
    else
        SHOW(send(sender, 0, 0, 0));
    SHOW(recv(receiver, bytes, 100, 0));
}

static void filtered(int domain)
{
    struct sock_filter some[] = { BPF_STMT(BPF_RET | BPF_K, 12) }, none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_fprog program = { 1, some };
    int ends[2];
    char bytes[100];
    printf("-- filtered, domain %d\n", domain);
    if (domain == AF_UNIX)
    {
        socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    }
    else
    {
        struct sockaddr_in at = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } };
        socklen_t length = sizeof at;
        bind(ends[1] = socket(AF_INET, SOCK_DGRAM, 0), (void *)&at, sizeof at);
        getsockname(ends[1], (void *)&at, &length);
        connect(ends[0] = socket(AF_INET, SOCK_DGRAM, 0), (void *)&at, sizeof at);
    }
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    SHOW(send(ends[0], "a message of some length", 24, 0));
    SHOW(recv(ends[1], bytes, 100, MSG_DONTWAIT));
    program.filter = none;
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    SHOW(send(ends[0], "lost", 4, 0));
    SHOW(recv(ends[1], bytes, 100, MSG_DONTWAIT));
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_DETACH_FILTER, &program, sizeof program));
    SHOW(send(ends[0], "whole", 5, 0));
    SHOW(recv(ends[1], bytes, 100, MSG_DONTWAIT));
}

int main(void)
{
    setbuf(stdout, 0);
    leaving();
    more(SOCK_STREAM);
    more(SOCK_DGRAM);
    filtered(AF_UNIX);
    filtered(AF_INET);
    return 0;
}
