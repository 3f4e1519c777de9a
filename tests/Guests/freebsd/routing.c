/*
 * Routing sockets: what route(4) of FreeBSD, or with NETBSD of NetBSD, says; sys/net/rtsock.c and rtsock_shared.c where they are silent. The world has
 * its loopback device alone.
 */
#include "freebsd.h"

enum { EEXIST = 17, EISDIR = 21, EPROTONOSUPPORT = 43, EPROTOTYPE = 41, EOPNOTSUPP = 45, EADDRINUSE = 48, ENETUNREACH = 51, EACCES = 13 };
enum { RTM_ADD = 1, RTM_DELETE, RTM_CHANGE, RTM_GET, UP = 1, GATEWAY = 2, HOST = 4, REJECT = 8, DONE = 0x40, STATIC = 0x800, BLACKHOLE = 0x1000 };
enum { DST = 1, GATE = 2, MASK = 4, IFP = 16, IFA = 32, INET = 2, RAW = 3, USELOOPBACK = 0x40, SOL = 0xFFFF };

#ifdef NETBSD
enum { ROUTE = 34, INET6 = 24, VERSION = 4, HEADER = 120, REFUSED = -EACCES, OWN = 0x40000, N_SOCKET = 394, SYSCTL = 202 };
#else
enum { ROUTE = 17, INET6 = 28, VERSION = 5, HEADER = 152, REFUSED = -EPERM, OWN = 0x100800, N_SOCKET = 97, SYSCTL = 202 };
#endif

struct header { uint16_t length; uint8_t version, type; uint16_t index, padding; uint32_t flags, addresses; int32_t process, sequence, error, use; uint64_t which, metrics[14]; };
struct name { uint8_t length, family, port[2], address[4], zero[8]; };

static union { struct header header; unsigned char bytes[1024]; } sent, got;
static int count;

static void put_name(const void *name, int length)
{
    memcpy(sent.bytes + count, name, length);
    count += length ? (length + 7) & ~7 : 8;
}

static struct name address(uint32_t host)
{
    return (struct name){ 16, INET, { 0, 0 }, { host >> 24, host >> 16, host >> 8, host }, { 0 } };
}

static void begin(int type, uint32_t flags, uint32_t destination)
{
    struct name name = address(destination);
    memset(&sent, 0, sizeof sent);
    sent.header.version = VERSION;
    sent.header.type = type;
    sent.header.flags = flags;
    sent.header.sequence = 77;
    sent.header.addresses = DST;
    count = HEADER;
    put_name(&name, 16);
}

static void with_gateway(uint32_t gateway)
{
    struct name name = address(gateway);
    sent.header.addresses |= GATE;
    put_name(&name, 16);
}

/* A mask need not have its last zeros. */
static void with_mask(uint32_t bits, int length)
{
    struct name name = address(bits);
    name.length = length;
    sent.header.addresses |= MASK;
    put_name(&name, length);
}

static long ask(int fd)
{
    sent.header.length = count;
    return write_(fd, &sent, count);
}

static long answer(int fd)
{
    long length = read_(fd, &got, sizeof got);
    if (length >= HEADER)
        EXPECT(got.header.length, length);
    return length;
}

/* Asks; expects what write says, and what the answer does. */
static void expect_answer(int line, int fd, int error)
{
    expect_at(line, "ask", ask(fd), error ? -error : count);
    expect_at(line, "answer", answer(fd) > 0, 1);
    expect_at(line, "rtm_errno", got.header.error, error);
    expect_at(line, "RTF_DONE", (got.header.flags & DONE) != 0, error == 0);
    expect_at(line, "rtm_pid", got.header.process, getpid_());
    expect_at(line, "rtm_seq", got.header.sequence, 77);
}
#define ANSWER(fd, error) expect_answer(__LINE__, fd, error)

static int open_routing(int family) { return CALL(N_SOCKET, ROUTE, RAW | 0x20000000, family); }

static void sockets(int fd)
{
    unsigned char name[16];
    int size = sizeof name, value = 0;
    EXPECT(CALL(N_SOCKET, ROUTE, 2, 0), -EPROTOTYPE);
    EXPECT(CALL(32, fd, name, &size), 0);
    EXPECT(size, 2);
    EXPECT(name[0], 2);
    EXPECT(name[1], ROUTE);
    size = 4;
    EXPECT(CALL(118, fd, SOL, USELOOPBACK, &value, &size), 0);
    EXPECT(value != 0, 1);
    EXPECT(read_(fd, &got, sizeof got), -EAGAIN);
    EXPECT(write_(fd, "short", 5), -EINVAL);
    begin(RTM_GET, UP, 0x7F000001);
    sent.header.version = 99;
    EXPECT(ask(fd), -EPROTONOSUPPORT);
    EXPECT(answer(fd) > 0, 1);
    EXPECT(got.header.error, EPROTONOSUPPORT);
    begin(99, UP, 0x7F000001);
    ANSWER(fd, EOPNOTSUPP);
    begin(RTM_GET, UP, 0x7F000001);
    sent.header.addresses = 0;
    ANSWER(fd, EINVAL);
}

static void lookups(int fd)
{
    begin(RTM_GET, UP | HOST, 0x7F000001);
    ANSWER(fd, 0);
    EXPECT(got.header.addresses, DST | GATE);
    EXPECT(got.header.flags & ~DONE, UP | HOST | OWN);
    EXPECT(got.header.index, 1);
    EXPECT(got.bytes[HEADER + 4], 127);
    EXPECT(got.bytes[HEADER + 16 + 1], 18);
    /* "RTA_IFP | RTA_IFA" ask for the device and the source. */
    begin(RTM_GET, UP | HOST, 0x7F000001);
    sent.header.addresses |= IFP | IFA;
    put_name("", 0);
    put_name("", 0);
    sent.bytes[HEADER + 16] = sent.bytes[HEADER + 24] = 0;
    ANSWER(fd, 0);
    EXPECT(got.header.addresses, DST | GATE | IFP | IFA);
    begin(RTM_GET, UP | HOST, 0xCB007101);
    ANSWER(fd, ESRCH);
}

static void change_metrics(int fd, int type, int which, uint64_t locks, uint64_t first)
{
    begin(type, UP | STATIC, 0xCB007100);
    with_mask(0xFFFFFF00, 7);
    sent.header.which = which;
    sent.header.metrics[0] = locks;
    for (int i = 2; i < (HEADER - 40) / 8; i++)
        sent.header.metrics[i] = first + i;
    ANSWER(fd, 0);
    begin(RTM_GET, UP, 0xCB007109);
    ANSWER(fd, 0);
}

/* "The specifier of which metric values in rtm_rmx are meaningful": FreeBSD's routes keep the MTU, the expiry and the weight, NetBSD's all. */
static void metrics(int fd)
{
    enum { RTM_LOCK = 8, HOP_COUNT = 2, EXPIRE = 4, WEIGHT = 0x100, ALL = 0x1FE };
    change_metrics(fd, RTM_CHANGE, ALL, HOP_COUNT, 100);
    EXPECT(got.header.metrics[1], 1280);
#ifdef NETBSD
    EXPECT(got.header.metrics[0], HOP_COUNT);
    for (int i = 2; i <= 8; i++)
        EXPECT(got.header.metrics[i], 100 + i);
    EXPECT(got.header.metrics[9], 0);
    change_metrics(fd, RTM_CHANGE, EXPIRE, 0, 200);
    EXPECT(got.header.metrics[0], HOP_COUNT);
    EXPECT(got.header.metrics[2], 102);
    EXPECT(got.header.metrics[8], 208);
    change_metrics(fd, RTM_LOCK, HOP_COUNT | 1, 1, 300);
    EXPECT(got.header.metrics[0], 1);
    EXPECT(got.header.metrics[2], 102);
#else
    for (int i = 0; i < 12; i++)
        if (i != 1)
            EXPECT(got.header.metrics[i], i == 3 || i == 10 ? 100 + i : 0);
    change_metrics(fd, RTM_CHANGE, WEIGHT, 0, 0x1000000);
    EXPECT(got.header.metrics[3], 103);
    EXPECT(got.header.metrics[10], 0xFFFFFF);
    change_metrics(fd, RTM_CHANGE, WEIGHT, 0, -10);
    EXPECT(got.header.metrics[10], 1);
#endif
    EXPECT(got.header.metrics[1], 1280);
}

static void changes(int fd)
{
    begin(RTM_ADD, UP | STATIC, 0xCB007100);
    with_mask(0xFFFFFF00, 7);
    ANSWER(fd, EINVAL);
    begin(RTM_ADD, UP | STATIC | GATEWAY, 0xCB007100);
    with_gateway(0xC6336401);
    with_mask(0xFFFFFF00, 7);
    ANSWER(fd, ENETUNREACH);
    begin(RTM_ADD, UP | STATIC, 0xCB007100);
    with_gateway(0x7F000001);
    with_mask(0xFFFFFF00, 7);
    ANSWER(fd, 0);
    ANSWER(fd, EEXIST);
    begin(RTM_ADD, UP | STATIC | REJECT, 0xCB007200);
    with_gateway(0x7F000001);
    with_mask(0xFFFF00FF, 16);
    ANSWER(fd, EINVAL);
    begin(RTM_GET, UP, 0xCB007109);
    ANSWER(fd, 0);
    EXPECT(got.header.addresses, DST | GATE | MASK);
    EXPECT(got.header.flags & ~DONE, UP | STATIC);
    EXPECT(got.bytes[HEADER + 7], 0);
    /* A host in it that is refused. */
    begin(RTM_ADD, UP | STATIC | HOST | BLACKHOLE, 0xCB007105);
    with_gateway(0x7F000001);
    ANSWER(fd, 0);
    begin(RTM_GET, UP, 0xCB007105);
    ANSWER(fd, 0);
    EXPECT(got.header.addresses, DST | GATE);
    EXPECT(got.header.flags & ~DONE, UP | STATIC | HOST | BLACKHOLE);
    begin(RTM_CHANGE, UP | STATIC, 0xCB007100);
    with_mask(0xFFFFFF00, 7);
    sent.header.which = 1;
    sent.header.metrics[1] = 1280;
    ANSWER(fd, 0);
    begin(RTM_GET, UP, 0xCB007109);
    ANSWER(fd, 0);
    EXPECT(got.header.metrics[1], 1280);
    metrics(fd);
    begin(RTM_DELETE, UP | HOST, 0xCB007105);
    ANSWER(fd, 0);
    ANSWER(fd, ESRCH);
    begin(RTM_CHANGE, UP, 0xCB007000);
    with_mask(0xFFFFFF00, 7);
    ANSWER(fd, ESRCH);
#ifndef NETBSD
    /* Own addresses' routes are pinned. */
    begin(RTM_DELETE, UP | HOST, 0x7F000001);
    ANSWER(fd, EADDRINUSE);
#endif
}

static void listeners(int fd)
{
    int all = open_routing(0), other = open_routing(INET6), same = open_routing(INET), off = 0, status;
    begin(RTM_GET, UP | HOST, 0x7F000001);
    ANSWER(fd, 0);
    EXPECT(answer(all) > 0, 1);
    EXPECT(answer(same) > 0, 1);
    EXPECT(answer(other), -EAGAIN);
    EXPECT(CALL(105, fd, SOL, USELOOPBACK, &off, 4), 0);
    EXPECT(ask(fd), count);
    EXPECT(answer(fd), -EAGAIN);
    EXPECT(answer(all) > 0, 1);
    off = 1;
    EXPECT(CALL(105, fd, SOL, USELOOPBACK, &off, 4), 0);
    /* "RTM_GET ... any user"; "only the super-user may alter" the table. */
    if (fork_() == 0)
    {
        CALL(23, 1000);
        begin(RTM_GET, UP | HOST, 0x7F000001);
        ANSWER(fd, 0);
        begin(RTM_DELETE, UP, 0xCB007100);
        with_mask(0xFFFFFF00, 7);
        EXPECT(ask(fd), REFUSED);
        EXPECT(answer(fd) > 0, 1);
        EXPECT(got.header.error, -REFUSED);
        leave(failures);
    }
    wait_(-1, &status);
    failures += status != 0;
    close_(all);
    close_(other);
    close_(same);
}

/* sysctl(3): CTL_NET, PF_ROUTE, 0, a family, NET_RT_DUMP or NET_RT_FLAGS, 0 or flags. */
static void facts(void)
{
    int name[6] = { 4, ROUTE, 0, 0, 1, 0 };
    static unsigned char list[8192];
    size_t size = sizeof list, at;
    int lines = 0, hosts = 0, mine = 0;
    EXPECT(CALL(SYSCTL, name, 6, list, &size, 0, 0), 0);
    for (at = 0; at < size; at += *(uint16_t *)(list + at))
    {
        struct header *route = (struct header *)(list + at);
        lines++;
        hosts += (route->flags & HOST) != 0;
        mine += list[at + HEADER + 4] == 203;
        EXPECT(route->type, RTM_GET);
        EXPECT(route->version, VERSION);
        EXPECT(route->addresses & (DST | GATE | IFP | IFA), DST | GATE | IFP | IFA);
    }
    EXPECT(at, size);
    EXPECT(hosts, 2);
    EXPECT(lines, 3);
    EXPECT(mine, 1);
    name[3] = INET;
    name[4] = 2;
    name[5] = HOST;
    size = sizeof list;
    EXPECT(CALL(SYSCTL, name, 6, list, &size, 0, 0), 0);
    EXPECT(*(uint16_t *)list, size);
#ifdef NETBSD
    EXPECT(CALL(SYSCTL, name, 5, list, &size, 0, 0), -EINVAL);
    /* NET_RT_OIFLIST and NET_RT_IFLIST: lo's IPv4 address behind its name. */
    for (int way = 5; way <= 6; way++)
    {
        name[4] = way;
        name[5] = 1;
        size = sizeof list;
        EXPECT(CALL(SYSCTL, name, 6, list, &size, 0, 0), 0);
        unsigned char *second = list + *(uint16_t *)list;
        EXPECT(list[3], 20);
        EXPECT(second[3], way == 5 ? 12 : 0x16);
        EXPECT(*(uint16_t *)(second + (way == 5 ? 16 : 4)), 1);
        EXPECT(second[(way == 5 ? 24 : 32) + 16 + 4], 127);
        EXPECT(second + *(uint16_t *)second - list, size);
    }
#else
    EXPECT(CALL(SYSCTL, name, 5, list, &size, 0, 0), -EISDIR);
#endif
    EXPECT(CALL(SYSCTL, name, 6, 0, &size, list, 4), -EPERM);
    name[4] = 99;
    EXPECT(CALL(SYSCTL, name, 6, 0, &size, 0, 0), -EINVAL);
}

/* arp(8): neighbours have gateways of AF_LINK, with RTF_LLDATA; the list of them is NET_RT_FLAGS with that flag. Runs while there is a device d0. */
static void neighbours(int fd)
{
    enum { LLDATA = 0x400 };
    struct { uint8_t length, family; uint16_t index; uint8_t type, name, address, selector; uint8_t data[12]; } link = { 20, 18, 2, 6, 0, 6, 0, { 2, 0, 0, 0, 0, 9 } };
    int name[6] = { 4, ROUTE, 0, INET, 2, LLDATA };
    static unsigned char list[2048];
    size_t size = sizeof list;
    begin(RTM_ADD, UP | HOST | STATIC | LLDATA, 0x0A070009);
    sent.header.addresses |= GATE;
    put_name(&link, 20);
    ANSWER(fd, 0);
    EXPECT(CALL(SYSCTL, name, 6, list, &size, 0, 0), 0);
    EXPECT(*(uint16_t *)list, size);
    EXPECT(((struct header *)list)->flags, HOST | STATIC | LLDATA);
    EXPECT(list[HEADER + 7], 9);
    EXPECT(list[HEADER + 16 + 6], 6);
    EXPECT(list[HEADER + 16 + 8 + 5], 9);
    sent.header.type = RTM_DELETE;
    ANSWER(fd, 0);
    ANSWER(fd, ENOENT);
    link.address = 5;
    begin(RTM_ADD, UP | HOST | STATIC | LLDATA, 0x0A070009);
    sent.header.addresses |= GATE;
    put_name(&link, 20);
    ANSWER(fd, EINVAL);
    name[3] = 0;
    EXPECT(CALL(SYSCTL, name, 6, 0, &size, 0, 0), -EINVAL);
}

/* What is told of devices and addresses (RTM_IFANNOUNCE, RTM_IFINFO, RTM_NEWADDR, RTM_DELADDR) and of routes that others change; a program of another system does it. */
static void news(void)
{
#ifdef NETBSD
    enum { ANNOUNCE = 16, IFINFO = 20, HEAD = 24, INDEX_AT = 16 };
#else
    enum { ANNOUNCE = 17, IFINFO = 14, HEAD = 20, INDEX_AT = 12 };
#endif
    int fd = open_routing(INET);
    run_shell(
        "ip link add d0 type dummy; ip addr add 10.7.0.1/24 dev d0; ip link set d0 up; ip route add 10.8.0.0/16 via 10.7.0.9; ip route del 10.8.0.0/16; ip addr del 10.7.0.1/24 dev d0; ip link del d0");
    EXPECT(read_(fd, &got, sizeof got), 24);
    EXPECT(got.header.type, ANNOUNCE);
    int index = got.header.index;
    EXPECT(got.bytes[6], 'd');
    EXPECT(got.bytes[22], 0);
    long length = answer(fd);
    /* Linux's way to make a device tells of it twice. */
    if (got.header.type == IFINFO)
        length = answer(fd);
    EXPECT(got.header.type, 12);
    EXPECT(*(uint32_t *)(got.bytes + 4) & (MASK | IFP | IFA), MASK | IFP | IFA);
    EXPECT(*(uint16_t *)(got.bytes + INDEX_AT), index);
    EXPECT(got.bytes[HEAD + 4 + 3], 0);
    EXPECT(got.bytes[HEAD + 4 + 2], 255);
    EXPECT(length % 8, 0);
#ifdef NETBSD
    /* The same once more, as programs since NetBSD 8 know it: struct ifa_msghdr begins as struct rt_msghdr does. */
    answer(fd);
    EXPECT(got.header.type, 0x16);
    EXPECT(got.header.index, index);
    EXPECT(got.header.addresses & (MASK | IFP | IFA), MASK | IFP | IFA);
    EXPECT(got.bytes[32 + 4 + 2], 255);
#endif
    answer(fd);
    EXPECT(got.header.type, IFINFO);
    EXPECT(*(uint32_t *)(got.bytes + 4), 0);
    EXPECT(*(uint32_t *)(got.bytes + 8) & 1, UP);
    EXPECT(*(uint16_t *)(got.bytes + 12), index);
    answer(fd);
    EXPECT(got.header.type, RTM_ADD);
    EXPECT(got.header.index, index);
    EXPECT(got.header.flags, UP | GATEWAY | STATIC | DONE);
    EXPECT(got.header.addresses, DST | GATE | MASK);
    EXPECT(got.bytes[HEADER + 5], 8);
    EXPECT(got.bytes[HEADER + 16 + 7], 9);
    answer(fd);
    EXPECT(got.header.type, RTM_DELETE);
    answer(fd);
    EXPECT(got.header.type, 13);
#ifdef NETBSD
    answer(fd);
    EXPECT(got.header.type, 0x17);
#endif
    EXPECT(read_(fd, &got, sizeof got), 24);
    EXPECT(got.header.type, ANNOUNCE);
    EXPECT(got.bytes[22], 1);
    EXPECT(read_(fd, &got, sizeof got), -EAGAIN);
    close_(fd);
}

#ifndef NETBSD
/* A device's first listener to a group is told of, and its last one. */
static void groups(void)
{
    enum { SETSOCKOPT = 105, ADD_MEMBERSHIP = 12, DROP_MEMBERSHIP, NEWMADDR = 15, DELMADDR };
    int fd = open_routing(0), inet = open_routing(INET), inet6 = open_routing(INET6);
    int one = CALL(N_SOCKET, INET, 2, 0), two = CALL(N_SOCKET, INET, 2, 0);
    unsigned char group[8] = { 224, 1, 2, 3, 127, 0, 0, 1 }, all[8] = { 224, 0, 0, 1, 127, 0, 0, 1 };
    EXPECT(CALL(SETSOCKOPT, one, 0, ADD_MEMBERSHIP, group, 8), 0);
    long length = answer(fd);
    EXPECT(got.header.length, length);
    EXPECT(got.header.type, NEWMADDR);
    EXPECT(*(uint32_t *)(got.bytes + 4), IFP | IFA);
    EXPECT(*(uint16_t *)(got.bytes + 12), 1);
    unsigned char *name = got.bytes + 16 + ((got.bytes[16] + 7) & ~7);
    EXPECT(name[1], INET);
    EXPECT(name[4], 224);
    EXPECT(name[7], 3);
    EXPECT(read_(inet, &got, sizeof got), length);
    EXPECT(read_(inet6, &got, sizeof got), -EAGAIN);
    EXPECT(CALL(SETSOCKOPT, two, 0, ADD_MEMBERSHIP, group, 8), 0);
    EXPECT(CALL(SETSOCKOPT, one, 0, ADD_MEMBERSHIP, all, 8), 0);
    EXPECT(CALL(SETSOCKOPT, one, 0, DROP_MEMBERSHIP, group, 8), 0);
    EXPECT(read_(fd, &got, sizeof got), -EAGAIN);
    close_(one);
    EXPECT(read_(fd, &got, sizeof got), -EAGAIN);
    close_(two);
    EXPECT(answer(fd), length);
    EXPECT(got.header.type, DELMADDR);
    EXPECT(read_(fd, &got, sizeof got), -EAGAIN);
    close_(fd);
    close_(inet);
    close_(inet6);
}
#endif

void run(void)
{
    int fd = open_routing(0);
    EXPECT(fd >= 0, 1);
    sockets(fd);
    lookups(fd);
    changes(fd);
    listeners(fd);
    facts();
#ifndef NETBSD
    groups();
#endif
    run_shell("ip link add d0 type dummy; ip addr add 10.7.0.1/24 dev d0; ip link set d0 up");
    neighbours(open_routing(0));
    run_shell("ip link del d0");
    news();
}
