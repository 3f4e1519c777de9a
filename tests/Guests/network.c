// The internet side of sockets: options, errors, urgent bytes, many messages at once, groups, raw echoes, packets, and what a network
// tells of itself. Only loopback is used.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "check.h"

static char buffer[1 << 16];

static struct sockaddr_in local4(int port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    return name;
}

static struct sockaddr_in6 local6(int port)
{
    struct sockaddr_in6 name = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    return name;
}

static int port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    getsockname(fd, (struct sockaddr *)&name, &length);
    return ntohs(name.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&name)->sin6_port : ((struct sockaddr_in *)&name)->sin_port);
}

static int listener(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = local4(0);
    if (bind(fd, (struct sockaddr *)&name, sizeof name) || listen(fd, 8))
        die("listen");
    return fd;
}

static void pair_tcp(int ends[2])
{
    int server = listener();
    struct sockaddr_in name = local4(port_of(server));
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(ends[0], (struct sockaddr *)&name, sizeof name))
        die("connect");
    ends[1] = accept(server, NULL, NULL);
    close(server);
}

static void options(const char *kind, int fd)
{
    static const int skipped[] = { SO_SNDBUF, SO_RCVBUF, SO_COOKIE, SO_MEMINFO };
    static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_IPV6 };
    for (int l = 0; l < 5; l++) {
        for (int name = 1; name < 50; name++) {
            int skip = 0, value = -77, one = 1;
            for (int i = 0; i < 4; i++)
                skip |= levels[l] == SOL_SOCKET && name == skipped[i];
            // Values of the machine's own making, and lists of addresses.
            skip |= levels[l] == IPPROTO_IP && (name == 4 || name == 9 || (name >= 16 && name <= 17) || name >= 35);
            skip |= levels[l] == IPPROTO_TCP && (name == 2 || name == 10 || name == 24 || name >= 13);
            skip |= levels[l] == IPPROTO_IPV6 && (name < 16 || name == 24 || name > 31 || (name >= 20 && name <= 22) || name >= 27);
            skip |= levels[l] == SOL_SOCKET && (name == 26 || name == 27 || name == 47);
            if (skip)
                continue;
            socklen_t length = sizeof value;
            int got = getsockopt(fd, levels[l], name, &value, &length);
            if (got == -1 && (errno == ENOPROTOOPT || errno == EOPNOTSUPP))
                continue;
            printf("%s %d/%d: %d %d %d", kind, levels[l], name, got == -1 ? -errno : 0, got == -1 ? 0 : value, (int)length);
            int set = setsockopt(fd, levels[l], name, &one, sizeof one);
            printf(" set %s", set == -1 ? strerrorname_np(errno) : "ok");
            length = sizeof value;
            got = getsockopt(fd, levels[l], name, &value, &length);
            printf(" then %d\n", got == -1 ? -errno : value);
        }
    }
    close(fd);
}

static void linger_and_timeouts(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct linger linger = { 1, 5 };
    socklen_t length = sizeof linger;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    memset(&linger, 0, sizeof linger);
    SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
    printf("linger %d %d\n", linger.l_onoff, linger.l_linger);
    struct timeval time = { 0, 30000 };
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    time.tv_usec = 2000000;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nosuch", 7));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    length = 16;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, buffer, &length));
    printf("bound to %s, %d\n", buffer, (int)length);
    close(fd);

    int ends[2];
    pair_tcp(ends);
    struct linger now = { 1, 0 };
    setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(ends[0]);
    SHOW(recv(ends[1], buffer, 10, 0));
    SHOW(recv(ends[1], buffer, 10, 0));
    SHOW(send(ends[1], "x", 1, MSG_NOSIGNAL));
    close(ends[1]);
}

static void errors(void)
{
    struct sockaddr_in closed = local4(1), other = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xCB007101) };
    struct sockaddr_in group = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xE0000001) };
    struct sockaddr_in foreign = other;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(fd, (struct sockaddr *)&foreign, sizeof foreign));
    SHOW(connect(fd, (struct sockaddr *)&group, sizeof group));
    SHOW(connect(fd, (struct sockaddr *)&closed, sizeof closed));
    SHOW(connect(fd, (struct sockaddr *)&closed, sizeof closed));
    SHOW(listen(fd, 1));
    SHOW(connect(fd, (struct sockaddr *)&closed, sizeof closed));
    SHOW(accept4(fd, NULL, NULL, 12345));
    SHOW(shutdown(fd, 7));
    close(fd);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(fd, (struct sockaddr *)&closed, sizeof closed));
    struct pollfd poller = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
    SHOW(poll(&poller, 1, 2000));
    printf("poll tells %x\n", poller.revents);
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    printf("error %s\n", strerrorname_np(error));
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    close(fd);

    int server = listener();
    struct sockaddr_in name = local4(port_of(server));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(fd, (struct sockaddr *)&name, sizeof name));
    poller.fd = fd;
    poller.revents = 0;
    SHOW(poll(&poller, 1, 2000));
    printf("poll tells %x\n", poller.revents);
    SHOW(connect(fd, (struct sockaddr *)&name, sizeof name));
    SHOW(connect(fd, (struct sockaddr *)&name, sizeof name));
    int second = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(second, (struct sockaddr *)&name, sizeof name));
    int one = 1;
    setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    SHOW(bind(second, (struct sockaddr *)&name, sizeof name));
    SHOW(getpeername(second, (struct sockaddr *)&name, &length));
    close(second);
    close(fd);
    close(server);
    SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SHOW(socket(AF_INET, SOCK_SEQPACKET, 0));
    SHOW(socket(AF_INET, 77, 0));
    SHOW(socket(77, SOCK_STREAM, 0));
    SHOW(socket(AF_INET, SOCK_RAW, 0));
}

static void urgent(void)
{
    int ends[2], mark;
    pair_tcp(ends);
    SHOW(recv(ends[1], buffer, 1, MSG_OOB));
    SHOW(send(ends[0], "abc", 3, 0));
    SHOW(send(ends[0], "de", 2, MSG_OOB));
    SHOW(send(ends[0], "fgh", 3, 0));
    struct pollfd poller = { ends[1], POLLIN | POLLPRI, 0 };
    usleep(20000);
    SHOW(poll(&poller, 1, 2000));
    printf("poll tells %x\n", poller.revents);
    SHOW(recv(ends[1], buffer, 100, 0));
    printf("%.4s\n", buffer);
    SHOW(ioctl(ends[1], SIOCATMARK, &mark));
    printf("at mark %d\n", mark);
    SHOW(recv(ends[1], buffer, 10, MSG_OOB));
    printf("%c\n", buffer[0]);
    SHOW(recv(ends[1], buffer, 10, MSG_OOB));
    SHOW(recv(ends[1], buffer, 100, 0));
    printf("%.3s\n", buffer);
    SHOW(ioctl(ends[1], SIOCATMARK, &mark));
    printf("at mark %d\n", mark);
    int one = 1;
    setsockopt(ends[1], SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
    send(ends[0], "12", 2, 0);
    send(ends[0], "3", 1, MSG_OOB);
    send(ends[0], "4", 1, 0);
    usleep(20000);
    SHOW(recv(ends[1], buffer, 1, MSG_OOB));
    SHOW(recv(ends[1], buffer, 100, 0));
    SHOW(recv(ends[1], buffer, 100, 0));
    printf("%.2s\n", buffer);
    SHOW(send(ends[0], "truncated", 9, 0));
    usleep(20000);
    SHOW(recv(ends[1], NULL, 4, MSG_TRUNC));
    SHOW(recv(ends[1], buffer, 100, MSG_PEEK));
    SHOW(recv(ends[1], buffer, 5, MSG_WAITALL));
    printf("%.5s\n", buffer);
    close(ends[0]);
    close(ends[1]);
}

static void datagrams(void)
{
    int one = 1, from = socket(AF_INET, SOCK_DGRAM, 0), to = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in name = local4(0), none = local4(0);
    bind(to, (struct sockaddr *)&name, sizeof name);
    name.sin_port = htons(port_of(to));
    SHOW(sendto(from, "x", 1, 0, (struct sockaddr *)&none, sizeof none));
    SHOW(send(from, "x", 1, 0));
    SHOW(connect(from, (struct sockaddr *)&name, sizeof name));
    setsockopt(to, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    setsockopt(to, IPPROTO_IP, IP_RECVTTL, &one, sizeof one);
    setsockopt(to, IPPROTO_IP, IP_RECVTOS, &one, sizeof one);
    int ttl = 33;
    setsockopt(from, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);

    struct iovec parts[4] = { { "one", 3 }, { "twotwo", 6 }, { "", 0 }, { "four", 4 } };
    struct mmsghdr sent[4] = { 0 }, got[4] = { 0 };
    for (int i = 0; i < 4; i++)
        sent[i].msg_hdr = (struct msghdr) { .msg_iov = &parts[i], .msg_iovlen = 1 };
    SHOW(sendmmsg(from, sent, 4, 0));
    for (int i = 0; i < 4; i++)
        printf("sent %u\n", sent[i].msg_len);
    char bytes[4][4], control[4][256];
    struct iovec into[4];
    struct sockaddr_in names[4];
    for (int i = 0; i < 4; i++) {
        into[i] = (struct iovec) { bytes[i], 4 };
        got[i].msg_hdr = (struct msghdr) { .msg_name = &names[i], .msg_namelen = sizeof names[i], .msg_iov = &into[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = 256 };
    }
    SHOW(recvmmsg(to, got, 4, MSG_WAITFORONE, NULL));
    for (int i = 0; i < 4; i++) {
        printf("got %u flags %x name %d same port %d\n", got[i].msg_len, got[i].msg_hdr.msg_flags, got[i].msg_hdr.msg_namelen, ntohs(names[i].sin_port) == port_of(from));
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&got[i].msg_hdr); c; c = CMSG_NXTHDR(&got[i].msg_hdr, c)) {
            printf("  level %d type %d:", c->cmsg_level, c->cmsg_type);
            for (size_t k = 0; k < c->cmsg_len - CMSG_LEN(0); k++)
                printf(" %02x", CMSG_DATA(c)[k]);
            printf("\n");
        }
    }
    struct timespec timeout = { 0, 50000000 };
    SHOW(recvmmsg(to, got, 2, MSG_DONTWAIT, NULL));
    send(from, "1", 1, 0);
    SHOW(recvmmsg(to, got, 2, MSG_WAITFORONE, &timeout));
    SHOW(recv(to, buffer, 10, MSG_ERRQUEUE));
    close(to);
    SHOW(send(from, "x", 1, 0));
    SHOW(send(from, "x", 1, 0));
    SHOW(send(from, buffer, 65508, 0));
    close(from);

    // The largest datagram crosses loopback whole.
    from = socket(AF_INET, SOCK_DGRAM, 0);
    to = socket(AF_INET, SOCK_DGRAM, 0);
    name = local4(0);
    bind(to, (struct sockaddr *)&name, sizeof name);
    name.sin_port = htons(port_of(to));
    SHOW(sendto(from, buffer, 65507, 0, (struct sockaddr *)&name, sizeof name));
    SHOW(recv(to, buffer, sizeof buffer, 0));
    close(from);
    close(to);
}

static void sharing(void)
{
    int one = 1, fds[3];
    struct sockaddr_in name = local4(0);
    for (int i = 0; i < 2; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fds[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
        SHOW(bind(fds[i], (struct sockaddr *)&name, sizeof name));
        name.sin_port = htons(port_of(fds[i]));
        SHOW(listen(fds[i], 4));
    }
    fds[2] = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(fds[2], (struct sockaddr *)&name, sizeof name));
    for (int i = 0; i < 3; i++)
        close(fds[i]);

    // Both families on one port, unless IPV6_V6ONLY parts them.
    int six = socket(AF_INET6, SOCK_STREAM, 0), four = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in6 any6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in any4 = { .sin_family = AF_INET };
    SHOW(bind(six, (struct sockaddr *)&any6, sizeof any6));
    SHOW(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
    any4.sin_port = htons(port_of(six));
    SHOW(bind(four, (struct sockaddr *)&any4, sizeof any4));
    SHOW(listen(six, 4));
    struct sockaddr_in target = local4(port_of(six));
    SHOW(connect(four, (struct sockaddr *)&target, sizeof target));
    struct sockaddr_in6 peer;
    socklen_t length = sizeof peer;
    int accepted = accept(six, (struct sockaddr *)&peer, &length);
    char text[64];
    printf("peer %s length %d\n", inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text), (int)length);
    close(accepted);
    close(six);
    close(four);
    six = socket(AF_INET6, SOCK_STREAM, 0);
    four = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
    SHOW(bind(six, (struct sockaddr *)&any6, sizeof any6));
    any4.sin_port = htons(port_of(six));
    SHOW(bind(four, (struct sockaddr *)&any4, sizeof any4));
    target = local4(port_of(six));
    SHOW(listen(six, 4));
    int caller = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 target6 = local6(port_of(six));
    SHOW(connect(caller, (struct sockaddr *)&target6, sizeof target6));
    close(caller);
    close(six);
    close(four);
}

static void groups(void)
{
    int one = 1, fd = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
    struct ip_mreqn join = { .imr_multiaddr.s_addr = htonl(0xEF010203), .imr_address.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in name = { .sin_family = AF_INET };
    SHOW(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    SHOW(bind(fd, (struct sockaddr *)&name, sizeof name));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join));
    SHOW(setsockopt(from, IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof join));
    name.sin_addr = join.imr_multiaddr;
    name.sin_port = htons(port_of(fd));
    SHOW(sendto(from, "to all", 6, 0, (struct sockaddr *)&name, sizeof name));
    SHOW(recv(fd, buffer, 100, 0));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof join));
    SHOW(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof join));
    join.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
    SHOW(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join));
    close(fd);
    close(from);
}

static unsigned short checksum(const void *at, int length)
{
    unsigned sum = 0;
    for (const unsigned short *word = at; length > 1; length -= 2)
        sum += *word++;
    sum = (sum & 0xFFFF) + (sum >> 16);
    return ~(sum + (sum >> 16));
}

static void echoes(void)
{
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0) {
        SHOW(fd);
        return;
    }
    struct { struct icmphdr head; char data[8]; } request = { { .type = ICMP_ECHO, .un.echo = { htons(0x1234), htons(1) } }, "ping!!!" };
    request.head.checksum = checksum(&request, sizeof request);
    // ICMP_FILTER, which the C library's headers lack.
    unsigned filter = ~(1u << ICMP_ECHOREPLY);
    SHOW(setsockopt(fd, SOL_RAW, 1, &filter, sizeof filter));
    struct sockaddr_in name = local4(0), from;
    socklen_t length = sizeof from;
    SHOW(sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&name, sizeof name));
    SHOW(recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length));
    struct iphdr *ip = (struct iphdr *)buffer;
    struct icmphdr *reply = (struct icmphdr *)(buffer + 20);
    printf("version %d length %d ttl %d protocol %d type %d sequence %d %s from %s\n", ip->version, ntohs(ip->tot_len), ip->ttl, ip->protocol, reply->type,
        ntohs(reply->un.echo.sequence), (char *)(reply + 1), inet_ntoa(from.sin_addr));
    close(fd);

    fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    struct { struct icmp6_hdr head; char data[8]; } six = { { .icmp6_type = ICMP6_ECHO_REQUEST }, "ping6!!" };
    struct icmp6_filter filter6;
    ICMP6_FILTER_SETBLOCKALL(&filter6);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
    SHOW(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof filter6));
    struct sockaddr_in6 name6 = local6(0);
    SHOW(sendto(fd, &six, sizeof six, 0, (struct sockaddr *)&name6, sizeof name6));
    SHOW(recv(fd, buffer, sizeof buffer, 0));
    printf("type %d %s\n", (unsigned char)buffer[0], buffer + 8);
    close(fd);
}

static void packets(void)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
    if (fd < 0) {
        SHOW(fd);
        return;
    }
    struct sockaddr_ll name = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = if_nametoindex("lo") }, from;
    SHOW(bind(fd, (struct sockaddr *)&name, sizeof name));
    int sender = socket(AF_INET, SOCK_DGRAM, 0), receiver = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = local4(0);
    bind(receiver, (struct sockaddr *)&to, sizeof to);
    to.sin_port = htons(port_of(receiver));
    sendto(sender, "frame", 5, 0, (struct sockaddr *)&to, sizeof to);
    struct timeval limit = { 2, 0 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (;;) {
        socklen_t length = sizeof from;
        long count = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
        struct udphdr *udp = (struct udphdr *)(buffer + 20);
        if (count < 0)
            die("packet");
        // Others on the machine may talk as well.
        if (buffer[9] != IPPROTO_UDP || udp->dest != to.sin_port)
            continue;
        printf("%ld bytes of type %04x, packet type %d, hardware type %d, %.5s\n", count, ntohs(from.sll_protocol), from.sll_pkttype, from.sll_hatype, (char *)(udp + 1));
        break;
    }
    close(fd);
    close(sender);
    close(receiver);
}

static void interfaces(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq request = { .ifr_name = "lo" };
    SHOW(ioctl(fd, SIOCGIFFLAGS, &request));
    printf("flags %x\n", request.ifr_flags & 0xFFFF);
    SHOW(ioctl(fd, SIOCGIFADDR, &request));
    printf("address %s\n", inet_ntoa(((struct sockaddr_in *)&request.ifr_addr)->sin_addr));
    SHOW(ioctl(fd, SIOCGIFNETMASK, &request));
    printf("mask %s\n", inet_ntoa(((struct sockaddr_in *)&request.ifr_addr)->sin_addr));
    SHOW(ioctl(fd, SIOCGIFMTU, &request));
    printf("mtu %d\n", request.ifr_mtu);
    SHOW(ioctl(fd, SIOCGIFINDEX, &request));
    printf("index %d\n", request.ifr_ifindex);
    SHOW(ioctl(fd, SIOCGIFHWADDR, &request));
    printf("hardware type %d\n", request.ifr_hwaddr.sa_family);
    SHOW(ioctl(fd, SIOCGIFNAME, &request));
    strcpy(request.ifr_name, "nosuch");
    SHOW(ioctl(fd, SIOCGIFFLAGS, &request));
    struct ifconf list = { .ifc_len = sizeof buffer, .ifc_buf = buffer };
    SHOW(ioctl(fd, SIOCGIFCONF, &list));
    printf("first %s\n", list.ifc_req->ifr_name);
    close(fd);
}

int main(void)
{
    options("tcp4", socket(AF_INET, SOCK_STREAM, 0));
    options("udp4", socket(AF_INET, SOCK_DGRAM, 0));
    options("tcp6", socket(AF_INET6, SOCK_STREAM, 0));
    options("udp6", socket(AF_INET6, SOCK_DGRAM, 0));
    options("unix", socket(AF_UNIX, SOCK_STREAM, 0));
    linger_and_timeouts();
    errors();
    urgent();
    datagrams();
    sharing();
    groups();
    echoes();
    packets();
    interfaces();
    return 0;
}
