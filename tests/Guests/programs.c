// Programs of the kernel (bpf(2)): maps, what the verifier takes and refuses, programs on sockets and over frames, rings of records.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define INSN(code, dst, src, off, imm) ((struct bpf_insn){ code, dst, src, off, imm })
#define MOV(dst, src) INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOVI(dst, imm) INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define MOVI32(dst, imm) INSN(BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define ALU(op, dst, src) INSN(BPF_ALU64 | (op) | BPF_X, dst, src, 0, 0)
#define ALUI(op, dst, imm) INSN(BPF_ALU64 | (op) | BPF_K, dst, 0, 0, imm)
#define ALU32(op, dst, src) INSN(BPF_ALU | (op) | BPF_X, dst, src, 0, 0)
#define ALU32I(op, dst, imm) INSN(BPF_ALU | (op) | BPF_K, dst, 0, 0, imm)
#define LDX(size, dst, src, off) INSN(BPF_LDX | (size) | BPF_MEM, dst, src, off, 0)
#define STX(size, dst, src, off) INSN(BPF_STX | (size) | BPF_MEM, dst, src, off, 0)
#define ST(size, dst, off, imm) INSN(BPF_ST | (size) | BPF_MEM, dst, 0, off, imm)
#define JMPI(op, dst, imm, off) INSN(BPF_JMP | (op) | BPF_K, dst, 0, off, imm)
#define JMP(op, dst, src, off) INSN(BPF_JMP | (op) | BPF_X, dst, src, off, 0)
#define JA(off) INSN(BPF_JMP | BPF_JA, 0, 0, off, 0)
#define CALL(id) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, id)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define LDMAP(dst, fd) INSN(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)
#define LD64(dst, value) INSN(BPF_LD | BPF_DW | BPF_IMM, dst, 0, 0, (uint32_t)(value)), INSN(0, 0, 0, 0, (uint64_t)(value) >> 32)
#define ATOMIC(size, op, dst, src, off) INSN(BPF_STX | (size) | BPF_ATOMIC, dst, src, off, op)

static char said[65536];

static long bpf(int command, union bpf_attr *attributes) { return syscall(SYS_bpf, command, attributes, sizeof *attributes); }

static long map(int type, int key, int value, int entries, int flags)
{
    union bpf_attr attributes = { .map_type = type, .key_size = key, .value_size = value, .max_entries = entries, .map_flags = flags };
    return bpf(BPF_MAP_CREATE, &attributes);
}

static long element(int command, int fd, const void *key, void *value, uint64_t flags)
{
    union bpf_attr attributes = { .map_fd = fd, .key = (uintptr_t)key, .value = (uintptr_t)value, .flags = flags };
    return bpf(command, &attributes);
}

static long load(const struct bpf_insn *code, int count)
{
    union bpf_attr attributes = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insns = (uintptr_t)code, .insn_cnt = count, .license = (uintptr_t)"GPL", .log_buf = (uintptr_t)said,
        .log_size = sizeof said, .log_level = 1 };
    said[0] = 0;
    return bpf(BPF_PROG_LOAD, &attributes);
}

#define LOAD(...) ({ struct bpf_insn code[] = { __VA_ARGS__ }; load(code, sizeof code / sizeof *code); })

// Whether a program is taken, and if not, why and whether something was said about it.
#define TRY(what, ...) do { long fd = LOAD(__VA_ARGS__); printf("%s: %s%s\n", what, fd < 0 ? strerrorname_np(errno) : "taken", fd < 0 && !said[0] ? ", nothing said" : ""); \
    if (fd >= 0) close(fd); } while (0)

static unsigned run(int fd, const void *frame, int length)
{
    union bpf_attr attributes = { .test = { .prog_fd = fd, .data_in = (uintptr_t)frame, .data_size_in = length } };
    long result = bpf(BPF_PROG_TEST_RUN, &attributes);
    return result ? (unsigned)-errno : attributes.test.retval;
}

static void maps(void)
{
    printf("-- maps\n");
    uint32_t key = 0, next = 77;
    uint64_t value = 5, word = 0;
    SHOW(map(BPF_MAP_TYPE_ARRAY, 8, 8, 1, 0));
    SHOW(map(BPF_MAP_TYPE_ARRAY, 4, 0, 1, 0));
    SHOW(map(BPF_MAP_TYPE_ARRAY, 4, 8, 0, 0));
    SHOW(map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 1 << 30));
    SHOW(map(BPF_MAP_TYPE_HASH, 0, 8, 1, 0));
    SHOW(map(BPF_MAP_TYPE_RINGBUF, 0, 0, 5000, 0));
    SHOW(map(BPF_MAP_TYPE_RINGBUF, 4, 0, 4096, 0));
    SHOW(map(999, 4, 8, 1, 0));
    int array = map(BPF_MAP_TYPE_ARRAY, 4, 8, 3, 0), hash = map(BPF_MAP_TYPE_HASH, 4, 8, 2, 0);
    SHOW(fcntl(array, F_GETFD));
    for (int i = 0; i < 2; i++)
    {
        int fd = i ? hash : array;
        printf("%s\n", i ? "hash" : "array");
        key = 1;
        SHOW(element(BPF_MAP_LOOKUP_ELEM, fd, &key, &word, 0));
        SHOW(element(BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_EXIST));
        SHOW(element(BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_NOEXIST));
        SHOW(element(BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_ANY));
        SHOW(element(BPF_MAP_UPDATE_ELEM, fd, &key, &value, 9));
        SHOW(element(BPF_MAP_LOOKUP_ELEM, fd, &key, &word, 0));
        printf("%llu\n", (unsigned long long)word);
        key = 2;
        SHOW(element(BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_ANY));
        key = 9;
        SHOW(element(BPF_MAP_LOOKUP_ELEM, fd, &key, &word, 0));
        SHOW(element(BPF_MAP_UPDATE_ELEM, fd, &key, &value, BPF_ANY));
        SHOW(element(BPF_MAP_GET_NEXT_KEY, fd, 0, &next, 0) == 0 && (i || next == 0) ? 0 : -1);
        int count = 0;
        void *at = 0;
        while (count < 10 && element(BPF_MAP_GET_NEXT_KEY, fd, at, &next, 0) == 0)
        {
            count++;
            key = next;
            at = &key;
        }
        printf("%d keys, then %s\n", count, strerrorname_np(errno));
        key = 1;
        SHOW(element(BPF_MAP_DELETE_ELEM, fd, &key, 0, 0));
        SHOW(element(BPF_MAP_DELETE_ELEM, fd, &key, 0, 0));
        SHOW(element(BPF_MAP_LOOKUP_ELEM, fd, (void *)8, &word, 0));
    }
    SHOW(element(BPF_MAP_LOOKUP_ELEM, 99, &key, &word, 0));
    SHOW(element(BPF_MAP_LOOKUP_ELEM, 1, &key, &word, 0));
    SHOW(bpf(99, &(union bpf_attr){ 0 }));
    SHOW(syscall(SYS_bpf, 0, 8L, 40));
    close(array);
    close(hash);
}

static void verifier(void)
{
    printf("-- verifier\n");
    int array = map(BPF_MAP_TYPE_HASH, 4, 16, 4, 0), ring = map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
#define FOUND LDMAP(1, array), MOV(2, 10), ALUI(BPF_ADD, 2, -4), ST(BPF_W, 10, -4, 0), CALL(BPF_FUNC_map_lookup_elem)
    TRY("nothing", EXIT);
    TRY("no end", MOVI(0, 0));
    TRY("least", MOVI(0, 0), EXIT);
    TRY("unset register", MOV(0, 3), EXIT);
    TRY("frame pointer changed", MOVI(10, 0), MOVI(0, 0), EXIT);
    TRY("pointer returned", MOV(0, 10), EXIT);
    TRY("unreachable", MOVI(0, 0), EXIT, MOVI(0, 0), EXIT);
    TRY("jump out", MOVI(0, 0), JA(5), EXIT);
    TRY("unknown", INSN(0xff, 0, 0, 0, 0), EXIT);
    TRY("division by 0", MOVI(0, 0), ALUI(BPF_DIV, 0, 0), EXIT);
    TRY("shift too far", MOVI(0, 0), ALUI(BPF_LSH, 0, 64), EXIT);
    TRY("stack", ST(BPF_DW, 10, -8, 1), LDX(BPF_DW, 0, 10, -8), EXIT);
    TRY("beyond the stack", ST(BPF_DW, 10, -520, 1), MOVI(0, 0), EXIT);
    TRY("above the stack", ST(BPF_DW, 10, 0, 1), MOVI(0, 0), EXIT);
    TRY("misaligned", ST(BPF_DW, 10, -12, 1), MOVI(0, 0), EXIT);
    TRY("context", LDX(BPF_W, 0, 1, 0), EXIT);
    TRY("context written", ST(BPF_W, 1, 0, 1), MOVI(0, 0), EXIT);
    TRY("own words of it", ST(BPF_W, 1, 48, 1), LDX(BPF_W, 0, 1, 48), EXIT);
    TRY("beyond the context", LDX(BPF_W, 0, 1, 400), EXIT);
    TRY("packet pointers", LDX(BPF_W, 0, 1, 76), EXIT);
    TRY("lookup unchecked", FOUND, LDX(BPF_DW, 0, 0, 0), EXIT);
    TRY("lookup checked", FOUND, JMPI(BPF_JEQ, 0, 0, 1), LDX(BPF_DW, 0, 0, 8), EXIT);
    TRY("beyond the value", FOUND, JMPI(BPF_JEQ, 0, 0, 1), LDX(BPF_DW, 0, 0, 16), EXIT);
    TRY("before the value", FOUND, JMPI(BPF_JEQ, 0, 0, 1), LDX(BPF_DW, 0, 0, -8), EXIT);
    TRY("key unset", LDMAP(1, array), MOV(2, 10), ALUI(BPF_ADD, 2, -64), CALL(BPF_FUNC_map_lookup_elem), MOVI(0, 0), EXIT);
    TRY("called registers", FOUND, MOV(0, 1), EXIT);
    TRY("no map", LDMAP(1, 99), MOVI(0, 0), EXIT);
    TRY("unknown function", CALL(9999), EXIT);
    TRY("index bounded", LDX(BPF_W, 6, 1, 0), FOUND, JMPI(BPF_JEQ, 0, 0, 4), ALUI(BPF_AND, 6, 15), ALU(BPF_ADD, 0, 6), LDX(BPF_B, 0, 0, 0), EXIT, MOVI(0, 0), EXIT);
    TRY("index bounded by a jump", LDX(BPF_W, 6, 1, 0), FOUND, JMPI(BPF_JEQ, 0, 0, 4), JMPI(BPF_JGT, 6, 15, 3), ALU(BPF_ADD, 0, 6), LDX(BPF_B, 0, 0, 0), EXIT, MOVI(0, 0), EXIT);
    TRY("index unbounded", LDX(BPF_W, 6, 1, 0), FOUND, JMPI(BPF_JEQ, 0, 0, 3), ALU(BPF_ADD, 0, 6), LDX(BPF_B, 0, 0, 0), EXIT, MOVI(0, 0), EXIT);
    TRY("index too large", LDX(BPF_W, 6, 1, 0), FOUND, JMPI(BPF_JEQ, 0, 0, 4), ALUI(BPF_AND, 6, 31), ALU(BPF_ADD, 0, 6), LDX(BPF_B, 0, 0, 0), EXIT, MOVI(0, 0), EXIT);
    TRY("32 bits", MOVI32(6, -1), ALUI(BPF_ADD, 6, 1), ALUI(BPF_RSH, 6, 26), FOUND, JMPI(BPF_JNE, 0, 0, 2), MOVI(0, 0), EXIT, ALU(BPF_SUB, 0, 6), ST(BPF_DW, 0, 0, 1), MOVI(0, 0), EXIT);
    TRY("a loop that ends", MOVI(0, 0), ALUI(BPF_ADD, 0, 1), JMPI(BPF_JLT, 0, 10, -2), EXIT);
    TRY("spilled", MOV(6, 1), STX(BPF_DW, 10, 6, -8), LDX(BPF_DW, 7, 10, -8), LDX(BPF_W, 0, 7, 0), EXIT);
    TRY("half a register spilled", STX(BPF_W, 10, 1, -8), MOVI(0, 0), EXIT);
    TRY("record", LDMAP(1, ring), MOVI(2, 8), MOVI(3, 0), CALL(BPF_FUNC_ringbuf_reserve), JMPI(BPF_JEQ, 0, 0, 4), ST(BPF_DW, 0, 0, 7), MOV(1, 0), MOVI(2, 0),
        CALL(BPF_FUNC_ringbuf_submit), MOVI(0, 0), EXIT);
    TRY("record forgotten", LDMAP(1, ring), MOVI(2, 8), MOVI(3, 0), CALL(BPF_FUNC_ringbuf_reserve), MOVI(0, 0), EXIT);
    TRY("record moved", LDMAP(1, ring), MOVI(2, 0xff0), MOVI(3, 0), CALL(BPF_FUNC_ringbuf_reserve), JMPI(BPF_JNE, 0, 0, 2), MOVI(0, 2), EXIT, ALUI(BPF_SUB, 0, 0x2fd0), MOV(1, 0), MOVI(2, 1),
        CALL(BPF_FUNC_ringbuf_submit), MOVI(0, 0), EXIT);
    TRY("record moved before it was checked", LDMAP(1, ring), MOVI(2, 8), MOVI(3, 0), CALL(BPF_FUNC_ringbuf_reserve), MOV(1, 0), ALUI(BPF_ADD, 1, 1), JMPI(BPF_JEQ, 0, 0, 3), MOV(1, 0), MOVI(2, 1),
        CALL(BPF_FUNC_ringbuf_discard), MOVI(0, 0), EXIT);
    TRY("beyond the record", LDMAP(1, ring), MOVI(2, 8), MOVI(3, 0), CALL(BPF_FUNC_ringbuf_reserve), JMPI(BPF_JEQ, 0, 0, 4), ST(BPF_DW, 0, 8, 7), MOV(1, 0), MOVI(2, 0),
        CALL(BPF_FUNC_ringbuf_submit), MOVI(0, 0), EXIT);
    close(array);
    close(ring);
}

#define RUN(what, ...) do { long fd = LOAD(__VA_ARGS__); if (fd < 0) printf("%s: %s\n%s\n", what, strerrorname_np(errno), said); else printf("%s: %u\n", what, run(fd, frame, sizeof frame)); \
    close(fd); } while (0)

static void results(void)
{
    static const unsigned char frame[64] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45, 1, 2, 3, 4, 5 };
    int array = map(BPF_MAP_TYPE_ARRAY, 4, 16, 4, 0);
    uint32_t key = 0;
    uint64_t value[2];
    printf("-- results\n");
    RUN("length", LDX(BPF_W, 0, 1, 0), EXIT);
    RUN("protocol", LDX(BPF_W, 0, 1, 16), EXIT);
    RUN("signed division is not", MOVI(0, -10), ALUI(BPF_DIV, 0, 3), EXIT);
    RUN("by 0", MOVI(0, 10), MOVI(1, 0), ALU(BPF_DIV, 0, 1), EXIT);
    RUN("rest by 0", MOVI(0, 10), MOVI(1, 0), ALU(BPF_MOD, 0, 1), EXIT);
    RUN("32 bits by 0", LD64(6, 1ull << 32), MOVI(0, -1), ALU32(BPF_MOD, 0, 6), EXIT);
    RUN("arithmetic shift", MOVI(0, -256), ALUI(BPF_ARSH, 0, 4), EXIT);
    RUN("32 bits shifted", MOVI32(0, -256), ALU32I(BPF_ARSH, 0, 4), EXIT);
    RUN("big-endian", LD64(0, 0x1122334455667788), INSN(BPF_ALU | BPF_END | BPF_TO_BE, 0, 0, 0, 32), EXIT);
    RUN("negated", MOVI(0, 5), INSN(BPF_ALU64 | BPF_NEG, 0, 0, 0, 0), EXIT);
    RUN("signed comparison", MOVI(1, -1), MOVI(0, 1), JMPI(BPF_JSLT, 1, 0, 1), MOVI(0, 2), EXIT);
    RUN("unsigned comparison", MOVI(1, -1), MOVI(0, 1), JMPI(BPF_JLT, 1, 5, 1), MOVI(0, 2), EXIT);
    RUN("32-bit comparison", LD64(1, 0x100000005), MOVI(0, 1), INSN(BPF_JMP32 | BPF_JEQ | BPF_K, 1, 0, 1, 5), MOVI(0, 2), EXIT);
    RUN("a loop", MOVI(0, 0), MOVI(1, 0), ALUI(BPF_ADD, 1, 3), ALUI(BPF_ADD, 0, 1), JMPI(BPF_JLT, 1, 100, -3), EXIT);
    RUN("a byte of the packet", MOV(6, 1), INSN(BPF_LD | BPF_B | BPF_ABS, 0, 0, 0, 1), EXIT);
    RUN("a word of it", MOV(6, 1), MOVI(7, 1), INSN(BPF_LD | BPF_W | BPF_IND, 0, 7, 0, 1), EXIT);
    RUN("beyond it", MOV(6, 1), INSN(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0, 4000), MOVI(0, 9), EXIT);
    RUN("bytes of it", MOVI(2, 0), MOV(3, 10), ALUI(BPF_ADD, 3, -8), MOVI(4, 4), CALL(BPF_FUNC_skb_load_bytes), LDX(BPF_W, 0, 10, -8), EXIT);
    RUN("exchange", ST(BPF_DW, 10, -8, 5), MOVI(1, 7), ATOMIC(BPF_DW, BPF_XCHG, 10, 1, -8), LDX(BPF_DW, 0, 10, -8), ALUI(BPF_MUL, 0, 10), ALU(BPF_ADD, 0, 1), EXIT);
    RUN("compare and exchange", ST(BPF_DW, 10, -8, 5), MOVI(0, 5), MOVI(1, 7), ATOMIC(BPF_DW, BPF_CMPXCHG, 10, 1, -8), LDX(BPF_DW, 1, 10, -8), ALUI(BPF_MUL, 0, 10), ALU(BPF_ADD, 0, 1), EXIT);
    RUN("into a map", ST(BPF_W, 10, -4, 0), LDMAP(1, array), MOV(2, 10), ALUI(BPF_ADD, 2, -4), CALL(BPF_FUNC_map_lookup_elem), JMPI(BPF_JEQ, 0, 0, 4), MOVI(1, 3),
        ATOMIC(BPF_DW, BPF_ADD, 0, 1, 8), ST(BPF_DW, 0, 0, 77), MOVI(0, 1), EXIT);
    SHOW(element(BPF_MAP_LOOKUP_ELEM, array, &key, value, 0));
    printf("%llu %llu\n", (unsigned long long)value[0], (unsigned long long)value[1]);
    long fd = LOAD(MOVI(0, 5), EXIT);
    SHOW(run(fd, frame, 10));
    close(fd);
    close(array);
}

static void sockets(void)
{
    int ends[2];
    char bytes[100];
    printf("-- sockets\n");
    socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    int fd = LOAD(LDX(BPF_W, 0, 1, 0), JMPI(BPF_JGT, 0, 10, 1), MOVI(0, 0), EXIT), wrong = 1;
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof fd));
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_BPF, &wrong, sizeof wrong));
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_BPF, &fd, 2));
    close(fd);
    SHOW(send(ends[0], "short", 5, 0));
    SHOW(send(ends[0], "long enough to be taken", 23, 0));
    SHOW(recv(ends[1], bytes, 100, MSG_DONTWAIT));
    SHOW(recv(ends[1], bytes, 100, MSG_DONTWAIT));
    int ring = map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
    uint64_t *reader = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0), *writer = mmap(0, 3 * 4096, PROT_READ, MAP_SHARED, ring, 4096);
    fd = LOAD(LDX(BPF_W, 6, 1, 0), LDMAP(1, ring), MOVI(2, 16), MOVI(3, 0), CALL(BPF_FUNC_ringbuf_reserve), JMPI(BPF_JEQ, 0, 0, 5), STX(BPF_DW, 0, 6, 0), ST(BPF_DW, 0, 8, 42), MOV(1, 0),
        MOVI(2, 0), CALL(BPF_FUNC_ringbuf_submit), MOVI(0, -1), EXIT);
    SHOW(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_BPF, &fd, sizeof fd));
    for (int round = 0; round < 300; round++)
    {
        send(ends[0], "counted in a ring", 1 + round % 10, 0);
        recv(ends[1], bytes, 100, MSG_DONTWAIT);
        if (round % 7 != 0)
            continue;
        uint64_t position = *reader, sum = 0, count = 0;
        for (; position < *writer; position += 24, count++)
            sum += *(uint64_t *)((char *)writer + 4096 + (position & 4095) + 8);
        *reader = position;
        if (round > 280)
            printf("%llu records, %llu bytes, at %llu\n", (unsigned long long)count, (unsigned long long)sum, (unsigned long long)position);
    }
    close(ring);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    setbuf(stdout, 0);
    maps();
    verifier();
    results();
    sockets();
    return 0;
}
