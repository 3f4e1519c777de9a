// Sends messages of rtnetlink(7) that nobody means, some nearly right, with packets between them: whatever is answered, the kernel goes on. usage: netlinkfuzz SEED COUNT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t state;

static uint32_t below(uint32_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % bound;
}

static union {
    struct nlmsghdr header;
    char bytes[4096];
} message;

static void put(const void *bytes, unsigned length)
{
    memcpy(message.bytes + message.header.nlmsg_len, bytes, length);
    message.header.nlmsg_len += length;
}

static void put_random(unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        put(&(char){ below(3) ? below(4) : below(256) }, 1);
}

static void put_attributes(int depth)
{
    for (unsigned count = below(6); count > 0; count--) {
        unsigned start = message.header.nlmsg_len;
        struct rtattr head = { .rta_type = below(40) };
        put(&head, sizeof head);
        switch (below(8)) {
        case 0:
            put(&(struct in_addr){ htonl(0x0a000000 + below(16)) }, 4);
            break;
        case 1:
            put(&(struct in6_addr){ .s6_addr = { 0xfd, [15] = below(16) } }, 16);
            break;
        case 2:
            put("veth", 5);
            break;
        case 3:
            put(&(uint32_t){ below(8) }, 4);
            break;
        case 4:
            put_random(6);
            break;
        case 5:
            if (depth < 3)
                put_attributes(depth + 1);
            break;
        case 6:
            if (depth == 0)
                put(&(struct ifinfomsg){ .ifi_index = below(8) }, sizeof(struct ifinfomsg));
            break;
        default:
            put_random(below(60));
        }
        unsigned length = message.header.nlmsg_len - start;
        ((struct rtattr *)(message.bytes + start))->rta_len = below(50) ? length : below(100);
        while (message.header.nlmsg_len % 4)
            put("", 1);
    }
}

static void put_link(const char *kind)
{
    unsigned start = message.header.nlmsg_len;
    put(&(struct rtattr){ 0, IFLA_LINKINFO }, 4);
    put(&(struct rtattr){ 4 + 4, IFLA_INFO_KIND }, 4);
    put(kind, 4);
    put(&(struct rtattr){ 4, IFLA_INFO_DATA }, 4);
    ((struct rtattr *)(message.bytes + start))->rta_len = message.header.nlmsg_len - start;
}

static void put_attribute(int type, const void *bytes, unsigned length)
{
    put(&(struct rtattr){ 4 + length, type }, 4);
    put(bytes, length);
    while (message.header.nlmsg_len % 4)
        put("", 1);
}

// What a message of its kind would have: addresses of the family, a device, a link's address of any length.
static void put_usual(int type, int family)
{
    struct in_addr address = { htonl(0x0a000000 + below(16)) };
    struct in6_addr address6 = { .s6_addr = { 0xfd, [15] = below(16) } };
    const void *bytes = family == AF_INET ? (void *)&address : &address6;
    unsigned length = family == AF_INET ? 4 : 16;
    put_attribute(type >= RTM_NEWNEIGH ? NDA_DST : type >= RTM_NEWROUTE ? RTA_DST : IFA_LOCAL, bytes, length);
    if (type >= RTM_NEWNEIGH)
        put_attribute(NDA_LLADDR, message.bytes, below(3) ? 6 : below(2) ? below(200) : 1500);
    else if (type >= RTM_NEWROUTE)
        put_attribute(RTA_OIF, &(uint32_t){ 1 + below(30) }, 4);
    else
        put_attribute(IFA_ADDRESS, bytes, length);
}

static void begin(int type, const void *head, unsigned length)
{
    memset(&message, 0, sizeof message);
    message.header = (struct nlmsghdr){ sizeof message.header, type, NLM_F_REQUEST | NLM_F_CREATE };
    put(head, length);
}

// A cable, and a neighbour on it whose address is longer than any that a frame could have.
static void prepare(int netlink)
{
    struct in_addr own = { htonl(0x0a000001) }, neighbour = { htonl(0x0a000002) };
    begin(RTM_NEWLINK, &(struct ifinfomsg){ .ifi_flags = 1, .ifi_change = 1 }, sizeof(struct ifinfomsg));
    put_link("veth");
    send(netlink, &message, message.header.nlmsg_len, 0);
    for (int device = 2; device < 4; device++) {
        begin(RTM_SETLINK, &(struct ifinfomsg){ .ifi_index = device, .ifi_flags = 1, .ifi_change = 1 }, sizeof(struct ifinfomsg));
        send(netlink, &message, message.header.nlmsg_len, 0);
    }
    begin(RTM_NEWADDR, &(struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 2 }, sizeof(struct ifaddrmsg));
    put_attribute(IFA_LOCAL, &own, sizeof own);
    send(netlink, &message, message.header.nlmsg_len, 0);
    begin(RTM_NEWNEIGH, &(struct ndmsg){ .ndm_family = AF_INET, .ndm_ifindex = 2, .ndm_state = NUD_PERMANENT }, sizeof(struct ndmsg));
    put_attribute(NDA_DST, &neighbour, sizeof neighbour);
    put_attribute(NDA_LLADDR, message.bytes, 1500);
    send(netlink, &message, message.header.nlmsg_len, 0);
    int datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = neighbour };
    if (sendto(datagrams, "x", 1, 0, (struct sockaddr *)&to, sizeof to) != 1)
        perror("sendto");
    close(datagrams);
}

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    long count = argc > 2 ? atol(argv[2]) : 1000;
    state = state * 0x9e3779b97f4a7c15 + 1;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return 1;
    int netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), datagrams = socket(AF_INET, SOCK_DGRAM, 0), datagrams6 = socket(AF_INET6, SOCK_DGRAM, 0);
    prepare(netlink);
    for (long i = 0; i < count; i++) {
        static const int types[] = { RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH, RTM_GETRULE, RTM_GETQDISC };
        memset(&message, 0, sizeof message);
        message.header = (struct nlmsghdr){ sizeof message.header, types[below(sizeof types / sizeof *types)], NLM_F_REQUEST | (below(3) ? NLM_F_CREATE : 0), i, 0 };
        if (below(8) == 0)
            message.header.nlmsg_flags |= below(0x1000);
        int type = message.header.nlmsg_type;
        int family = below(2) ? AF_INET : AF_INET6;
        // Every second has a head of its kind, for a device that may be there.
        if (below(2)) {
            if (type <= RTM_SETLINK)
                put(&(struct ifinfomsg){ .ifi_index = below(2) ? 0 : 1 + below(30), .ifi_flags = below(4) != 0, .ifi_change = below(2) ? 1 : 0 }, sizeof(struct ifinfomsg));
            else if (type <= RTM_GETADDR)
                put(&(struct ifaddrmsg){ .ifa_family = family, .ifa_prefixlen = below(2) ? 24 : below(140), .ifa_index = 1 + below(30) }, sizeof(struct ifaddrmsg));
            else if (type <= RTM_GETROUTE)
                put(&(struct rtmsg){ .rtm_family = family, .rtm_dst_len = below(2) ? 32 : below(140), .rtm_table = below(256), .rtm_type = below(2) ? RTN_UNICAST : below(12) }, sizeof(struct rtmsg));
            else
                put(&(struct ndmsg){ .ndm_family = family, .ndm_ifindex = 1 + below(30), .ndm_state = 1 << below(8) }, sizeof(struct ndmsg));
            if (type > RTM_SETLINK && below(4))
                put_usual(type, family);
        } else
            put_random(below(20));
        while (message.header.nlmsg_len % 4)
            put("", 1);
        if (type == RTM_NEWLINK && below(2))
            put_link("veth");
        put_attributes(0);
        unsigned length = message.header.nlmsg_len;
        if (below(50) == 0)
            message.header.nlmsg_len = below(3000);
        send(netlink, &message, length, 0);
        while (recv(netlink, message.bytes, sizeof message, MSG_DONTWAIT) > 0)
            ;
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0a000000 + below(16)) };
        sendto(datagrams, message.bytes, below(1400), MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
        struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = { .s6_addr = { 0xfd, [15] = below(16) } } };
        sendto(datagrams6, message.bytes, below(1400), MSG_DONTWAIT, (struct sockaddr *)&to6, sizeof to6);
    }
    printf("done\n");
    return 0;
}
