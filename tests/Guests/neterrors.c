// Errors of the network kept for later (IP_RECVERR, MSG_ERRQUEUE), and times of arrival (SO_TIMESTAMPING).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include "check.h"

static int polled(int socket)
{
    struct pollfd wanted = { socket, POLLIN };
    poll(&wanted, 1, 100);
    return wanted.revents;
}

static void tell(int socket, const char *what)
{
    char bytes[2000], control[400];
    struct sockaddr_in6 name = { 0 };
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr message = { &name, sizeof name, &part, 1, control, sizeof control, 0 };
    long count = recvmsg(socket, &message, MSG_ERRQUEUE);
    if (count < 0) {
        printf("%s: %s\n", what, strerrorname_np(errno));
        return;
    }
    printf("%s: %ld bytes, flags %x, name of %u", what, count, message.msg_flags, message.msg_namelen);
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        struct sock_extended_err *error = (void *)CMSG_DATA(head);
        char text[64] = "";
        struct sockaddr *teller = SO_EE_OFFENDER(error);
        if (teller->sa_family == AF_INET)
            inet_ntop(AF_INET, &((struct sockaddr_in *)teller)->sin_addr, text, sizeof text);
        else if (teller->sa_family == AF_INET6)
            inet_ntop(AF_INET6, &((struct sockaddr_in6 *)teller)->sin6_addr, text, sizeof text);
        printf(", %d %d of %zu: %s origin %u type %u code %u info %u data %u from %s", head->cmsg_level, head->cmsg_type, (size_t)head->cmsg_len,
            strerrorname_np(error->ee_errno), error->ee_origin, error->ee_type, error->ee_code, error->ee_info, error->ee_data, text);
    }
    printf("\n");
}

static void errors(int family)
{
    struct sockaddr_in four = { AF_INET, htons(9), { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in6 six = { AF_INET6, htons(9), 0, IN6ADDR_LOOPBACK_INIT };
    struct sockaddr *to = family == AF_INET ? (void *)&four : (void *)&six;
    socklen_t size = family == AF_INET ? sizeof four : sizeof six;
    int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, option = family == AF_INET ? IP_RECVERR : IPV6_RECVERR;
    int socket_ = socket(family, SOCK_DGRAM, 0), one = 1, zero = 0, pending;
    socklen_t length = sizeof pending;
    char bytes[3000] = "what was sent";
    tell(socket_, "none");
    // Unconnected, nobody is told unless asked for.
    SHOW(sendto(socket_, bytes, 13, 0, to, size));
    printf("ready %x\n", polled(socket_));
    SHOW(setsockopt(socket_, level, option, &one, sizeof one));
    SHOW(sendto(socket_, bytes, 13, 0, to, size));
    printf("ready %x\n", polled(socket_));
    tell(socket_, "refused");
    printf("ready %x\n", polled(socket_));
    tell(socket_, "no more");
    SHOW(getsockopt(socket_, SOL_SOCKET, SO_ERROR, &pending, &length));
    printf("pending %d\n", pending);
    // The error itself is told once, by whatever comes first; it stays in the queue.
    SHOW(sendto(socket_, bytes, 1, 0, to, size));
    polled(socket_);
    SHOW(sendto(socket_, bytes, 2, 0, to, size));
    SHOW(sendto(socket_, bytes, 3, 0, to, size));
    polled(socket_);
    SHOW(recv(socket_, bytes, 10, MSG_DONTWAIT));
    SHOW(recv(socket_, bytes, 10, MSG_DONTWAIT));
    printf("ready %x\n", polled(socket_));
    tell(socket_, "first");
    tell(socket_, "second");
    tell(socket_, "no third");
    SHOW(sendto(socket_, bytes, 2000, 0, to, size));
    polled(socket_);
    tell(socket_, "cut");
    SHOW(sendto(socket_, bytes, 5, 0, to, size));
    polled(socket_);
    SHOW(setsockopt(socket_, level, option, &zero, sizeof zero));
    tell(socket_, "purged");
    SHOW(connect(socket_, to, size));
    SHOW(recv(socket_, bytes, 10, MSG_DONTWAIT));
    SHOW(send(socket_, bytes, 5, 0));
    printf("ready %x\n", polled(socket_));
    SHOW(send(socket_, bytes, 5, 0));
    tell(socket_, "not kept");
    close(socket_);
}

static void stamps(void)
{
    struct sockaddr_in self = { AF_INET, 0, { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof self;
    int socket_ = socket(AF_INET, SOCK_DGRAM, 0), wanted = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    bind(socket_, (void *)&self, size);
    getsockname(socket_, (void *)&self, &size);
    SHOW(setsockopt(socket_, SOL_SOCKET, SO_TIMESTAMPING, &wanted, sizeof wanted));
    char bytes[10], control[200];
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 0 };
    // Stamping begins a little after it was asked for.
    while (message.msg_controllen == 0) {
        usleep(1000);
        message.msg_controllen = sizeof control;
        sendto(socket_, "first", 5, 0, (void *)&self, size);
        recvmsg(socket_, &message, 0);
    }
    message.msg_controllen = sizeof control;
    SHOW(sendto(socket_, "x", 1, 0, (void *)&self, size));
    SHOW(recvmsg(socket_, &message, 0));
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        struct timespec *times = (void *)CMSG_DATA(head), now;
        clock_gettime(CLOCK_REALTIME, &now);
        printf("%d %d of %zu: recent %d, others %ld %ld\n", head->cmsg_level, head->cmsg_type, (size_t)head->cmsg_len,
            now.tv_sec - times[0].tv_sec < 5, (long)times[1].tv_sec, (long)times[2].tv_sec);
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    errors(AF_INET);
    errors(AF_INET6);
    stamps();
    return 0;
}
