// Packet sockets (packet(7)): frames by recv and in rings of all three layouts, filters, fan-outs, statistics, what is refused.
#define _GNU_SOURCE
#include "check.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static int lo;

static int number(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) ? -errno : value;
}

static int set(int fd, int name, int value) { return setsockopt(fd, SOL_PACKET, name, &value, sizeof value); }

static int ring(int fd, int name, unsigned size, unsigned count, unsigned frame, unsigned frames, unsigned timeout, unsigned private)
{
    struct tpacket_req3 wanted = { size, count, frame, frames, timeout, private, 0 };
    return setsockopt(fd, SOL_PACKET, name, &wanted, number(fd, SOL_PACKET, PACKET_VERSION) == TPACKET_V3 ? sizeof wanted : sizeof(struct tpacket_req));
}

static int bound(int fd, int type)
{
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(type), .sll_ifindex = lo };
    return bind(fd, (void *)&at, sizeof at);
}

static void datagram(int port, const char *text)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = { AF_INET, htons(port), { htonl(INADDR_LOOPBACK) } };
    sendto(fd, text, strlen(text), 0, (void *)&to, sizeof to);
    close(fd);
}

static void counts(int fd)
{
    struct tpacket_stats_v3 counts = { 0, 0, 99 };
    socklen_t length = sizeof counts;
    getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &counts, &length);
    printf("counts %u %u %d, %d bytes\n", counts.tp_packets, counts.tp_drops, length > 8 ? (int)counts.tp_freeze_q_cnt : -1, length);
}

// What a frame says, without addresses that nobody chose: source ports and identifications.
static void told(const unsigned char *frame, unsigned length, const struct sockaddr_ll *from, int header)
{
    const struct udphdr *udp = (void *)(frame + header + 20);
    printf("  type %x packet %d hardware %d address %d, %u bytes", ntohs(from->sll_protocol), from->sll_pkttype, from->sll_hatype, from->sll_halen, length);
    if (ntohs(from->sll_protocol) == ETH_P_IP && frame[header + 9] == IPPROTO_UDP && length >= header + 28u)
        printf(", to %d \"%.*s\"", ntohs(udp->dest), (int)(length - header - 28), (char *)(udp + 1));
    printf("\n");
}

static void refused(void)
{
    printf("-- refused\n");
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), cooked = socket(AF_PACKET, SOCK_DGRAM, 0), value = 3;
    char small[3] = "";
    SHOW(socket(AF_PACKET, SOCK_STREAM, 0));
    SHOW(set(fd, 99, 1));
    SHOW(set(fd, PACKET_VERSION, 7));
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_VERSION, small, 3));
    SHOW(set(fd, PACKET_RESERVE, -1));
    SHOW(set(fd, PACKET_RESERVE, 16));
    SHOW(number(fd, SOL_PACKET, PACKET_RESERVE));
    SHOW(set(cooked, PACKET_VNET_HDR, 1));
    SHOW(set(fd, PACKET_IGNORE_OUTGOING, 2));
    SHOW(set(fd, PACKET_IGNORE_OUTGOING, 1));
    SHOW(number(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING));
    for (int version = TPACKET_V1; version <= TPACKET_V3 + 1; version++)
    {
        socklen_t length = sizeof value;
        value = version;
        int result = getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &value, &length);
        printf("header of %d: %d %s\n", version, result ? -1 : value, result ? strerrorname_np(errno) : "");
    }
    SHOW(number(fd, SOL_PACKET, 99));
    SHOW(number(fd, SOL_PACKET, PACKET_RX_RING));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 1, 2048, 3, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 4095, 1, 4095, 1, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 1, 16, 256, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 1, 2040, 2, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 0x80000000, 1, 2048, 2, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 0, 0, 1, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 0, 0, 0, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 2, 2048, 4, 0, 0));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 2, 2048, 4, 0, 0));
    SHOW(set(fd, PACKET_VERSION, TPACKET_V2));
    SHOW(set(fd, PACKET_RESERVE, 4));
    SHOW(mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    SHOW(mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 4096) == MAP_FAILED ? -1 : 0);
    void *at = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(at == MAP_FAILED ? -1 : 0);
    SHOW(ring(fd, PACKET_RX_RING, 0, 0, 0, 0, 0, 0));
    munmap(at, 8192);
    SHOW(ring(fd, PACKET_RX_RING, 0, 0, 0, 0, 0, 0));
    SHOW(mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    SHOW(set(fd, PACKET_VERSION, TPACKET_V3));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 1, 4096, 1, 10, 3u << 30));
    SHOW(ring(fd, PACKET_TX_RING, 4096, 1, 4096, 1, 10, 0));
    struct packet_mreq group = { 77, PACKET_MR_PROMISC, 0, "" };
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof group));
    group.mr_ifindex = lo;
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, 8));
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof group));
    close(fd);
    close(cooked);
}

static void plain(void)
{
    printf("-- received\n");
    int fd = socket(AF_PACKET, SOCK_RAW, 0), cooked = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
    unsigned char bytes[2000];
    struct sockaddr_ll from;
    bound(fd, ETH_P_ALL);
    datagram(1001, "one");
    for (int i = 0; i < 3; i++)
    {
        int own = i < 2 ? fd : cooked;
        socklen_t length = sizeof from;
        ssize_t got = recvfrom(own, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &length);
        told(bytes, got, &from, own == fd ? 14 : 0);
    }
    counts(fd);
    counts(fd);
    counts(cooked);
    printf("-- sent\n");
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(0x4242), .sll_ifindex = lo, .sll_halen = 6 };
    memset(bytes, 0x42, 100);
    SHOW(sendto(fd, bytes, 100, 0, (void *)&to, sizeof to));
    SHOW(sendto(fd, bytes, 10, 0, (void *)&to, sizeof to));
    to.sll_ifindex = 77;
    SHOW(sendto(fd, bytes, 100, 0, (void *)&to, sizeof to));
    socklen_t length = sizeof from;
    ssize_t got;
    while ((got = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &length)) >= 0)
        told(bytes, got, &from, 14);
    close(fd);
    close(cooked);
}

static void filters(void)
{
    printf("-- filters\n");
    int fd = socket(AF_PACKET, SOCK_RAW, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned char bytes[2000];
    struct sockaddr_ll from;
    struct sock_filter port[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 7),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 5),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), BPF_STMT(BPF_LD | BPF_H | BPF_IND, 16), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1003, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_A, 0), BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_filter some[] = { BPF_STMT(BPF_RET | BPF_K, 16) }, endless[] = { BPF_STMT(BPF_JMP | BPF_JA, -1), BPF_STMT(BPF_RET | BPF_K, 0) };
    struct sock_filter nothing[] = { BPF_STMT(BPF_LD | BPF_IMM, 1) }, unset[] = { BPF_STMT(BPF_LD | BPF_MEM, 1), BPF_STMT(BPF_RET | BPF_A, 0) };
    struct sock_fprog program = { 1, nothing };
    bound(fd, ETH_P_ALL);
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    program = (struct sock_fprog){ 2, endless };
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    program = (struct sock_fprog){ 2, unset };
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    program = (struct sock_fprog){ 0, some };
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, 8));
    program = (struct sock_fprog){ 10, port };
    SHOW(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &lo, sizeof lo));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    datagram(1002, "not this");
    datagram(1003, "this");
    socklen_t length = sizeof from;
    ssize_t got;
    while ((got = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &length)) >= 0)
        told(bytes, got, &from, 14);
    program = (struct sock_fprog){ 1, some };
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    datagram(1004, "short");
    while ((got = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &length)) >= 0)
        told(bytes, got, &from, 14);
    int one = 1, zero = 0;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &one, sizeof one));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &zero, sizeof zero));
    counts(fd);
    close(fd);
    close(udp);
}

static void frames(int version)
{
    printf("-- frames of version %d\n", version + 1);
    int fd = socket(AF_PACKET, SOCK_RAW, 0), head = 0;
    SHOW(set(fd, PACKET_VERSION, version));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 2, 2048, 4, 0, 0));
    char *at = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bound(fd, ETH_P_ALL);
    struct pollfd wait = { fd, POLLIN, 0 };
    printf("poll %d\n", poll(&wait, 1, 0));
    for (int round = 0; round < 3; round++)
    {
        for (int i = 0; i <= round; i++)
            datagram(1010 + i, i ? "a second datagram" : "first");
        int ready = poll(&wait, 1, 1000);
        printf("round %d: poll %d %x\n", round, ready, wait.revents);
        for (int i = 0; i < 4; i++, head = (head + 1) % 4)
        {
            char *place = at + head * 2048;
            struct tpacket_hdr *old = (void *)place;
            struct tpacket2_hdr *new = (void *)place;
            int isOld = version == TPACKET_V1, status = isOld ? (int)old->tp_status : (int)new->tp_status;
            if (!(status & TP_STATUS_USER))
                break;
            printf("  status %x mac %d net %d kept %d", status & 7, isOld ? old->tp_mac : new->tp_mac, isOld ? old->tp_net : new->tp_net, isOld ? old->tp_snaplen : new->tp_snaplen);
            told((void *)(place + (isOld ? old->tp_mac : new->tp_mac)), isOld ? old->tp_len : new->tp_len, (void *)(place + 32), 14);
            if (isOld)
                old->tp_status = 0;
            else
                new->tp_status = 0;
        }
        counts(fd);
    }
    munmap(at, 8192);
    close(fd);
}

static void blocks(void)
{
    printf("-- blocks\n");
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    SHOW(set(fd, PACKET_VERSION, TPACKET_V3));
    SHOW(set(fd, PACKET_RESERVE, 4));
    SHOW(ring(fd, PACKET_RX_RING, 4096, 2, 4096, 2, 300, 20));
    char *at = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bound(fd, ETH_P_ALL);
    struct pollfd wait = { fd, POLLIN, 0 };
    for (int round = 0, block = 0; round < 3; round++)
    {
        static const int sent[] = { 1, 20, 40 };
        for (int i = 0; i < sent[round]; i++)
            datagram(1020 + i, "in a block");
        printf("poll %d\n", poll(&wait, 1, 10000));
        // Until the time of a block that is not full is over.
        usleep(700000);
        for (int i = 0; i < 2; i++, block = (block + 1) % 2)
        {
            struct tpacket_block_desc *head = (void *)(at + block * 4096);
            if (!(head->hdr.bh1.block_status & TP_STATUS_USER))
                break;
            printf("block version %d private %d status %x frames %d first %d length %d number %llu\n", head->version, head->offset_to_priv, head->hdr.bh1.block_status & 0xff, head->hdr.bh1.num_pkts,
                head->hdr.bh1.offset_to_first_pkt, head->hdr.bh1.blk_len, (unsigned long long)head->hdr.bh1.seq_num);
            struct tpacket3_hdr *frame = (void *)((char *)head + head->hdr.bh1.offset_to_first_pkt);
            for (unsigned k = 0; k < head->hdr.bh1.num_pkts && k < 3; k++, frame = (void *)((char *)frame + frame->tp_next_offset))
            {
                printf("  next %d mac %d net %d kept %d status %x", frame->tp_next_offset, frame->tp_mac, frame->tp_net, frame->tp_snaplen, frame->tp_status & 7);
                told((unsigned char *)frame + frame->tp_mac, frame->tp_len, (void *)((char *)frame + 48), 14);
            }
            if (round < 2)
                head->hdr.bh1.block_status = 0;
        }
        counts(fd);
    }
    munmap(at, 8192);
    close(fd);
}

static void sending(void)
{
    printf("-- a ring to send from\n");
    int fd = socket(AF_PACKET, SOCK_DGRAM, 0), taps = socket(AF_PACKET, SOCK_RAW, 0);
    SHOW(set(fd, PACKET_VERSION, TPACKET_V2));
    SHOW(ring(fd, PACKET_TX_RING, 4096, 1, 2048, 2, 0, 0));
    bound(taps, ETH_P_ALL);
    char *at = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(0x4243), .sll_ifindex = lo, .sll_halen = 6 }, from;
    SHOW(sendto(fd, 0, 0, MSG_DONTWAIT, (void *)&to, sizeof to));
    for (int i = 0; i < 2; i++)
    {
        struct tpacket2_hdr *head = (void *)(at + i * 2048);
        head->tp_len = 50 + i;
        memset((char *)head + 32, 'a' + i, 60);
        head->tp_status = TP_STATUS_SEND_REQUEST;
    }
    SHOW(sendto(fd, 0, 0, 0, (void *)&to, sizeof to));
    printf("status %d %d\n", ((struct tpacket2_hdr *)at)->tp_status, ((struct tpacket2_hdr *)(at + 2048))->tp_status);
    ((struct tpacket2_hdr *)at)->tp_len = 5000;
    ((struct tpacket2_hdr *)at)->tp_status = TP_STATUS_SEND_REQUEST;
    SHOW(sendto(fd, 0, 0, 0, (void *)&to, sizeof to));
    printf("status %d\n", ((struct tpacket2_hdr *)at)->tp_status);
    unsigned char bytes[2000];
    ssize_t got;
    socklen_t length = sizeof from;
    while ((got = recvfrom(taps, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &length)) >= 0)
        told(bytes, got, &from, 14);
    close(fd);
    close(taps);
}

static int fan(int fd, int number, int kind) { return set(fd, PACKET_FANOUT, number | kind << 16); }

static void fanouts(void)
{
    printf("-- fan-outs\n");
    int one = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)), two = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)), none = socket(AF_PACKET, SOCK_RAW, 0);
    SHOW(fan(none, 5, PACKET_FANOUT_LB));
    SHOW(fan(one, 5, 9));
    SHOW(fan(one, 5, PACKET_FANOUT_LB));
    SHOW(fan(one, 5, PACKET_FANOUT_LB));
    SHOW(fan(two, 5, PACKET_FANOUT_HASH));
    SHOW(fan(two, 5, PACKET_FANOUT_LB | PACKET_FANOUT_FLAG_ROLLOVER));
    SHOW(fan(two, 5, PACKET_FANOUT_LB));
    SHOW(number(two, SOL_PACKET, PACKET_FANOUT));
    SHOW(bound(two, ETH_P_IP));
    for (int i = 0; i < 6; i++)
        datagram(1100 + i, "x");
    struct tpacket_stats of[2];
    for (int i = 0; i < 2; i++)
    {
        socklen_t length = sizeof of[0];
        getsockopt(i ? two : one, SOL_PACKET, PACKET_STATISTICS, &of[i], &length);
    }
    printf("%u and %u\n", of[0].tp_packets, of[1].tp_packets);
    close(one);
    close(two);
    close(none);
}

int main(void)
{
    setbuf(stdout, 0);
    if (unshare(CLONE_NEWNET))
        die("a network of its own");
    struct ifreq link = { .ifr_name = "lo" };
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    ioctl(fd, SIOCGIFINDEX, &link);
    lo = link.ifr_ifindex;
    SHOW(bound(fd, ETH_P_IP));
    SHOW(number(fd, SOL_SOCKET, SO_ERROR));
    link.ifr_flags = IFF_UP;
    ioctl(fd, SIOCSIFFLAGS, &link);
    close(fd);
    refused();
    plain();
    filters();
    frames(TPACKET_V1);
    frames(TPACKET_V2);
    blocks();
    sending();
    fanouts();
    return 0;
}
