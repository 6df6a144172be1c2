/* SPDX-License-Identifier: MIT */
/*
 * seeds DIR: write the inputs that the fuzzers start from into DIR/fuzz_frame/, DIR/fuzz_sequence/
 * and DIR/fuzz_wire/: whole connections in the words of ops.h, the frames of a scene, messages and
 * names. They are made anew by every build, so that they always fit the format.
 */
#include "tests/fuzz/ops.h"
#include "tests/fuzz/world.h"

#include "ipc/codec.h"
#include "ipc/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *folder;

static void write_seed(const char *target, const char *name, const uint8_t *bytes, size_t n)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", folder, target);
    mkdir(path, 0777);
    snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
    f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

/* --- sequences ------------------------------------------------------------------------------- */

#define HEADER              0, 0, 0, 0
#define LISTEN(s)           OP_CALL, CALL_LISTEN, s, 16
#define CONNECT(s)          OP_CALL, CALL_CONNECT, s, s
#define SEGMENT(f)          OP_SEGMENT, 0, f
#define SEGMENT_OF(flow, f) OP_SEGMENT, flow, f
#define ANSWER(flow)        OP_ANSWER, flow
#define ACCEPT(s)           OP_CALL, CALL_ACCEPT, s
#define SEND(s, n)          OP_CALL, CALL_SEND, s, n, 0
#define RECV(s, n)          OP_CALL, CALL_RECV, s, n, 0
#define CLOSE(s)            OP_CALL, CALL_CLOSE, s
#define SHARED(s, what)     OP_CALL, CALL_SHARED, s, what
#define DATA(f, n)          OP_DATA, f, n
#define WAIT_MS(n)          OP_TIME, 10, n
#define WAIT_S(n)           OP_TIME, 20, n
#define PASSIVE             HEADER, LISTEN(0), SEGMENT(TH_SYN), ANSWER(0), ACCEPT(0)
#define ACTIVE              HEADER, CONNECT(0), SEGMENT(TH_SYN | TH_ACK)
#define TUNABLE_AT_MOST(t)  OP_WORLD, 16, TUNABLE_##t, 1
#define URGENT(n, pointer)                                                                         \
    OP_SEGMENT, SEG_BIT_LEN | SEG_BIT_MORE, TH_ACK, 0, n, 33, 255, 255, 0, pointer
#define OPTION(s, which, v) OP_OPTION, s, PLACE_##which, 0, v, 0

struct sequence {
    const char *name;
    uint8_t bytes[120];
    size_t n;
};

#define SEQUENCE(name, ...)                                                                        \
    {                                                                                              \
        name, {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})                                      \
    }

static const struct sequence sequences[] = {
    SEQUENCE("passive", PASSIVE, DATA(0, 99), RECV(1, 100), SEND(1, 200), ANSWER(0), CLOSE(1),
             OP_ANSWER, 8, WAIT_S(61)),
    SEQUENCE("active", ACTIVE, SEND(0, 255), ANSWER(0), DATA(16, 0), RECV(0, 255), OP_ANSWER, 8,
             CLOSE(0), ANSWER(0)),
    SEQUENCE("retransmit", ACTIVE, SEND(0, 250), OP_DEADLINE, 4, ANSWER(0), SEND(0, 10),
             OP_DEADLINE, 31),
    SEQUENCE("duplicates", ACTIVE, SEND(0, 190), OP_SEGMENT, SEG_BIT_ACK, TH_ACK, FROM_ACKED, 0,
             OP_SEGMENT, SEG_BIT_ACK, TH_ACK, FROM_ACKED, 0, OP_SEGMENT, SEG_BIT_ACK, TH_ACK,
             FROM_ACKED, 0, OP_SEGMENT, SEG_BIT_ACK, TH_ACK, FROM_ACKED, 0, ANSWER(0)),
    SEQUENCE("hole", ACTIVE, OP_SEGMENT, SEG_BIT_SEQ | SEG_BIT_LEN, TH_ACK, FROM_NEXT, 100, 1, 0,
             OP_SEGMENT, SEG_BIT_SEQ | SEG_BIT_LEN, TH_ACK, FROM_ACKED, 0, 0, 100, RECV(0, 255)),
    SEQUENCE("zero-window", ACTIVE, SEND(0, 255), OP_ANSWER, 16, OP_DEADLINE, 5, ANSWER(0)),
    SEQUENCE("simultaneous", HEADER, CONNECT(0), SEGMENT(TH_SYN), OP_SEGMENT, 0, TH_SYN | TH_ACK,
             ANSWER(0), SEGMENT(TH_FIN | TH_ACK), CLOSE(0)),
    SEQUENCE("refused", HEADER, CONNECT(0), SEGMENT(TH_RST | TH_ACK), OP_CALL, CALL_ERROR, 0, 1),
    SEQUENCE("syn-retries", HEADER, CONNECT(0), OP_DEADLINE, 20, OP_CALL, CALL_ASK, 0),
    SEQUENCE("self", HEADER, LISTEN(0), OP_CALL, CALL_CONNECT_SELF, 1, 0, ACCEPT(0), SEND(1, 255),
             RECV(2, 255), SEND(2, 60), RECV(1, 60), CLOSE(1), CLOSE(2)),
    SEQUENCE("spans", PASSIVE, DATA(16, 0), OP_CALL, CALL_SPANS_IN, 1, 255, 0, 0, OP_CALL,
             CALL_SPANS_OUT, 1, 200, 255, 0, ANSWER(0)),
    SEQUENCE("keepalive", ACTIVE, OPTION(0, SO_KEEPALIVE, 1), OPTION(0, TCP_KEEPIDLE, 1),
             OPTION(0, TCP_KEEPINTVL, 1), OP_DEADLINE, 12),
    SEQUENCE("linger", ACTIVE, OP_OPTION, 0, PLACE_SO_LINGER, OPTION_BYTES, 1, 0, 0, 0, 0, 0, 0, 0,
             SEND(0, 9), CLOSE(0)),
    SEQUENCE("cork", ACTIVE, OPTION(0, TCP_CORK, 1), SEND(0, 90), WAIT_MS(250),
             OPTION(0, TCP_CORK, 0)),
    SEQUENCE("icmp", ACTIVE, SEND(0, 255), OP_ICMP, 0x43, 2, 100, OP_ICMP, 0x13, 0, 0, ANSWER(0)),
    SEQUENCE("shared", PASSIVE, DATA(0, 99), SEND(1, 255), SHARED(1, 0), 16, 4, SHARED(1, 1), 255,
             128, DATA(0, 99), SHARED(1, 2), 3, SHARED(1, 2), 255, ANSWER(0), SHARED(1, 3),
             SHARED(1, 1), 9, 1, OPTION(1, SO_SNDBUF, 90), SHARED(1, 1), 255, 128, ANSWER(0),
             ANSWER(0), CLOSE(1), ANSWER(0)),
    SEQUENCE("blocking", HEADER, LISTEN(0), OP_BLOCKING, 0, SOCK_CALL_ACCEPT, 0, SEGMENT(TH_SYN),
             ANSWER(0), OP_BLOCKING, 1, SOCK_CALL_RECV | 4, 50, DATA(0, 99), OP_BLOCKING, 1,
             SOCK_CALL_SEND | 64, 255),
    SEQUENCE("device", ACTIVE, OP_DEVICE, 2, SEND(0, 255), OP_DEADLINE, 3, OP_DEVICE, 9, SEND(0, 1),
             OP_DEVICE, 16, ANSWER(0)),
    SEQUENCE("memory", PASSIVE, OP_MEMORY, 1, SEND(1, 255), OP_MEMORY, 1, DATA(16, 0), OP_DEADLINE,
             3, CLOSE(1)),
    SEQUENCE("time-wait", PASSIVE, CLOSE(1), ANSWER(0), OP_ANSWER, 8, SEGMENT(TH_SYN), ANSWER(0),
             SEGMENT(TH_RST)),
    SEQUENCE("halves", PASSIVE, OP_CALL, CALL_SHUTDOWN, 1, SHUT_WR, ANSWER(0), DATA(0, 50),
             SEGMENT(TH_FIN | TH_ACK), RECV(1, 60)),
    SEQUENCE("backlog", HEADER, OP_CALL, CALL_LISTEN, 0, 4, SEGMENT_OF(0, TH_SYN),
             SEGMENT_OF(1, TH_SYN), SEGMENT_OF(2, TH_SYN), SEGMENT_OF(3, TH_SYN), ANSWER(0),
             ANSWER(1), ANSWER(2), ANSWER(3), OP_DEADLINE, 9, CLOSE(0)),
    SEQUENCE("deaf", HEADER, OP_WORLD, 1, CONNECT(1), CONNECT(7), OP_DEADLINE, 6, OP_WORLD, 2,
             OP_DEADLINE, 6, OP_WORLD, 12),
    SEQUENCE("cookies", HEADER, TUNABLE_AT_MOST(syncookies), LISTEN(0), SEGMENT(TH_SYN), ANSWER(0),
             ACCEPT(0), DATA(0, 99), RECV(1, 100), SEND(1, 9), ANSWER(0)),
    SEQUENCE("user-timeout", HEADER, TUNABLE_AT_MOST(uto), CONNECT(0), OP_SEGMENT, SEG_BIT_OPTIONS,
             TH_SYN | TH_ACK, 3 << 3, 28, 4, 0, 100, SEND(0, 9), OPTION(0, TCP_USER_TIMEOUT, 200),
             SEND(0, 9), OP_DEADLINE, 31),
    SEQUENCE("urgent", PASSIVE, URGENT(10, 5), RECV(1, 255), OP_CALL, CALL_RECV, 1, 255, 8,
             RECV(1, 255), URGENT(3, 3), OPTION(1, SO_OOBINLINE, 1), RECV(1, 255), OP_CALL,
             CALL_SEND, 1, 50, 8, ANSWER(0)),
    SEQUENCE("urgent-wait", PASSIVE, OP_BLOCKING, 1, SOCK_CALL_RECV | 4, 100, DATA(0, 9),
             URGENT(30, 1), DATA(0, 200)),
    SEQUENCE("linger-wait", ACTIVE, OP_OPTION, 0, PLACE_SO_LINGER, OPTION_BYTES, 1, 0, 0, 0, 5, 0,
             0, 0, SEND(0, 9), OP_BLOCKING, 0x70, 0, 0, WAIT_S(1), ANSWER(0)),
    SEQUENCE("crossing-text", HEADER, CONNECT(0), SEGMENT(TH_SYN), OP_SEGMENT, SEG_BIT_LEN,
             TH_SYN | TH_ACK | TH_FIN, 0, 50, ANSWER(0), DATA(0, 99), RECV(0, 255)),
    SEQUENCE("defer-accept", HEADER, OPTION(0, TCP_DEFER_ACCEPT, 5), LISTEN(0), SEGMENT(TH_SYN),
             ANSWER(0), OP_DEADLINE, 3, DATA(0, 9), ACCEPT(0), RECV(1, 20)),
    SEQUENCE("spare", 0, 0, 0, 8, CONNECT(0), SEGMENT(TH_SYN | TH_ACK), SEND(0, 9), OP_MEMORY, 2,
             OP_CALL, CALL_SPANS_OUT, 0, 200, 255, 0, OP_MEMORY, 1, OP_CALL, CALL_SPANS_OUT, 0, 200,
             255, 0, ANSWER(0)),
    SEQUENCE("too-big-doubtful", HEADER, TUNABLE_AT_MOST(ptb_patience), CONNECT(0),
             SEGMENT(TH_SYN | TH_ACK), SEND(0, 255), ANSWER(0), SEND(0, 255), OP_ICMP, 0x43, 2, 100,
             OP_DEADLINE, 4, ANSWER(0)),
    SEQUENCE("quickack", PASSIVE, DATA(0, 99), OPTION(1, TCP_QUICKACK, 0), DATA(0, 99),
             OPTION(1, TCP_QUICKACK, 1)),
    SEQUENCE("keepalive-user-timeout", ACTIVE, OPTION(0, SO_KEEPALIVE, 1),
             OPTION(0, TCP_KEEPIDLE, 1), OPTION(0, TCP_USER_TIMEOUT, 200), OP_DEADLINE, 12),
    SEQUENCE("urgent-ahead", PASSIVE, OP_SEGMENT, SEG_BIT_SEQ | SEG_BIT_LEN, TH_ACK, FROM_NEXT, 10,
             0, 20, URGENT(10, 15), RECV(1, 255), RECV(1, 255)),
    SEQUENCE("device-error", ACTIVE, OP_CALL, CALL_SEND, 0, 69, 8, OP_DEVICE, 0x84, OP_CALL,
             CALL_SEND, 0, 0xd7, 0),
    SEQUENCE("device-late", HEADER, OP_DEVICE, 0xee, OP_BLOCKING, 0, SOCK_CALL_CONNECT | 248, 1,
             OP_DEADLINE, 31, OP_DEADLINE, 31, OP_CALL, CALL_LISTEN, 0, 0, OP_DEVICE, 16),
    SEQUENCE("memory-never", 0xbd, 0x15, 0x16, 0x0e, CONNECT(0), WAIT_MS(20),
             SEGMENT(TH_SYN | TH_ACK), OP_CALL, CALL_SEND, 0, 0x9e, 0xf7, ANSWER(0), OP_CALL,
             CALL_SEND, 0, 0x95, 0x4b),
    SEQUENCE("mss-smallest", HEADER, OP_WORLD, 16, TUNABLE_min_snd_mss, 4, CONNECT(0), OP_SEGMENT,
             SEG_BIT_OPTIONS, TH_SYN | TH_ACK, OPTS_BYTES | 15 << 3, 2, 4, 0, 1, 1, 1, 8, 10, 0, 0,
             0, 1, 0, 0, 0, 0, SEND(0, 99), ANSWER(0)),
    SEQUENCE("fragments", HEADER, OP_PACKET, 16, 0x20, 0, 8, 8, 0, 0, 0, 1, 2, 0, 1, OP_PACKET, 16,
             0, 2, 8, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', OP_PACKET, 16, 0x20, 1, 8, 'p', 'i',
             'n', 'g', 'p', 'i', 'n', 'g', OP_PACKET, 16, 0x20, 0, 8, 8, 0, 0, 0, 1, 2, 0, 1,
             WAIT_S(40)),
    SEQUENCE("ping", HEADER, OP_PACKET, 0, 12, 8, 0, 0, 0, 1, 2, 0, 1, 'p', 'i', 'n', 'g'),
};

/* What a sender goes through: the flight (512 n bytes, several packets), then ACKs. */
#define SENDER(mtu, features, ...)                                                                 \
    {                                                                                              \
        mtu, features, 0, 0, CONNECT(0), WAIT_MS(20), SEGMENT(TH_SYN | TH_ACK), __VA_ARGS__        \
    }
#define FLIGHT(n)          OP_CALL, CALL_SEND, 0, 0x80 | (n), 0
#define DELIVER            OP_DELIVER, 0
#define LOSE(mask)         OP_DELIVER, DELIVER_MASK, mask
#define LATE(mask)         OP_DELIVER, DELIVER_MASK | DELIVER_LATER, mask
#define DELIVER_UNHEARD(m) OP_DELIVER, DELIVER_MASK | DELIVER_SILENT << 5, m
#define DELIVER_AT_ONCE    OP_DELIVER, DELIVER_BATCH << 5
#define DUPLICATES(n)      OP_SACK, SACK_BIT_TIMES, n, SACK_TRUE
#define RENEGE             OP_SACK, 0, SACK_FORGET
#define LIE(packet, n)     OP_SACK, 0, SACK_TRUE | 1, packet, n
#define SHRINK(high)       OP_SACK, SACK_BIT_WINDOW, high, 0, SACK_TRUE
#define OLD_ECHO(k)        OP_SACK, SACK_BIT_ECHO, k, SACK_TRUE
#define MARKED             OP_SACK, SACK_BIT_FLAGS, TH_ECE | TH_CWR | TH_RST, SACK_TRUE
#define DEADLINES(n)       OP_DEADLINE, (n)-1
#define TOO_BIG            OP_ICMP, 0x43, 2, 100

static const struct {
    const char *name;
    uint8_t bytes[80];
} senders[] = {
    {"fast-retransmit", SENDER(0, 0, FLIGHT(24), LOSE(1), DELIVER, FLIGHT(24), DELIVER)},
    {"fast-retransmit-reno", SENDER(HEADER_CC(1), HEADER_NO_SACK, FLIGHT(24), LOSE(1), DELIVER,
                                    FLIGHT(24), LOSE(5), DELIVER, DELIVER)},
    {"bbr", SENDER(HEADER_CC(2), 0, FLIGHT(24), WAIT_MS(20), LOSE(0x11), WAIT_MS(20), DELIVER,
                   FLIGHT(30), DEADLINES(4), DELIVER, MARKED, FLIGHT(30), DEADLINES(9), LOSE(6),
                   DEADLINES(9), DELIVER)},
    {"count-sacks", SENDER(HEADER_NO_RACK, 0, FLIGHT(30), LOSE(0x12), DUPLICATES(3), DELIVER,
                           FLIGHT(30), LOSE(0x44), DEADLINES(2), DELIVER, DELIVER)},
    {"tail", SENDER(0, 0, FLIGHT(24), LOSE(0xf0), DEADLINES(1), DELIVER, DEADLINES(1), DELIVER)},
    {"probe-needless", SENDER(0, 0, FLIGHT(12), DELIVER_UNHEARD(0), DEADLINES(1), DELIVER)},
    {"time-out",
     SENDER(HEADER_NO_PROBE, 0, FLIGHT(24), LOSE(255), DEADLINES(1), DELIVER, DELIVER, DELIVER)},
    {"time-out-needless",
     SENDER(HEADER_NO_PROBE, 0, FLIGHT(24), LATE(255), DEADLINES(1), DELIVER, DELIVER)},
    {"time-out-forward", SENDER(HEADER_NO_PROBE, HEADER_NO_SACK, FLIGHT(6), LATE(255), DEADLINES(1),
                                FLIGHT(24), OLD_ECHO(255), DELIVER, DELIVER)},
    {"reorder", SENDER(0, 0, FLIGHT(24), WAIT_MS(10), LATE(3), WAIT_MS(3), DELIVER, FLIGHT(24),
                       WAIT_MS(10), LATE(3), DEADLINES(1), DELIVER, DELIVER)},
    {"reneging", SENDER(0, 0, FLIGHT(24), LOSE(1), RENEGE, DEADLINES(3), DELIVER, DELIVER)},
    {"lies", SENDER(0, 0, FLIGHT(24), LIE(2, 1), LIE(66, 1), LIE(0x90, 9), LIE(5, 3), DEADLINES(2),
                    DELIVER)},
    {"shrink", SENDER(0, 0, FLIGHT(30), SHRINK(0), LOSE(5), DEADLINES(3), SHRINK(2), DEADLINES(2),
                      SHRINK(255), DELIVER)},
    {"path-shrinks",
     SENDER(0, 0, FLIGHT(30), TOO_BIG, DELIVER, FLIGHT(30), LOSE(9), TOO_BIG, DELIVER, DELIVER)},
    {"refusals", SENDER(0, 0, OP_DEVICE, 0x62, FLIGHT(30), LOSE(9), OP_DEVICE, 0x43, DELIVER,
                        OP_DEVICE, 0x64, DEADLINES(2), DELIVER, DEADLINES(2), DELIVER)},
    {"no-memory", SENDER(0, 0, FLIGHT(30), OP_MEMORY, 128, LOSE(0x15), DUPLICATES(2), DELIVER,
                         DEADLINES(3), OP_MEMORY, 0, DELIVER, DELIVER)},
    {"at-once", SENDER(0, 0, FLIGHT(30), DELIVER_AT_ONCE, FLIGHT(60), LOSE(0x81), DELIVER_AT_ONCE)},
    {"change-of-mind",
     SENDER(0, 0, FLIGHT(30), OP_OPTION, 0, PLACE_TCP_CONGESTION, OPTION_EDGE, 2, 0, LOSE(3),
            DELIVER, OP_OPTION, 0, PLACE_TCP_CONGESTION, OPTION_EDGE, 1, 0, FLIGHT(30), DELIVER)},
};

#define ECN(n)                                                                                     \
    HEADER, OP_WORLD, 16, TUNABLE_ecn, 2, 0, n, OP_WORLD, 16, TUNABLE_congestion_control, 2, 0,    \
        n % 3
#define CE_DATA      OP_DATA, 0x40, 99
#define ACCECN(a, b) OP_SACK, SACK_BIT_FLAGS, TH_CWR, SACK_TRUE | SACK_ACCECN, 6, a, b, b, a, a, b
static const uint8_t
    ecn[] = {ECN(1),     CONNECT(0), WAIT_MS(20), SEGMENT(TH_SYN | TH_ACK | TH_ECE),
             FLIGHT(20), WAIT_MS(5), DELIVER,     CE_DATA,
             FLIGHT(20), MARKED,     DELIVER,     OP_DATA,
             0x80,       9,          FLIGHT(20),  LOSE(1),
             MARKED,     DELIVER},
    accecn[] = {ECN(3),     CONNECT(0), WAIT_MS(20),   SEGMENT(TH_SYN | TH_ACK | TH_CWR),
                FLIGHT(20), WAIT_MS(5), DELIVER,       CE_DATA,
                FLIGHT(20), MARKED,     ACCECN(9, 40), DELIVER,
                FLIGHT(20), LOSE(1),    ACCECN(90, 3), DEADLINES(3),
                DELIVER},
    accecn_passive[] = {ECN(3),
                        LISTEN(0),
                        OP_SEGMENT,
                        SEG_BIT_MORE,
                        TH_SYN | TH_ECE | TH_CWR,
                        64,
                        255,
                        255,
                        OP_SACK,
                        SACK_BIT_FLAGS,
                        TH_ECE | TH_ACK,
                        SACK_TRUE,
                        ACCEPT(0),
                        CE_DATA,
                        SEND(1, 0x80 | 20),
                        ACCECN(200, 9),
                        DELIVER,
                        SEND(1, 0x80 | 20),
                        MARKED,
                        DELIVER};

#define ROUND FLIGHT(60), WAIT_MS(5), DELIVER, WAIT_MS(5)
static const uint8_t mtu_probes[] = {HEADER,
                                     TUNABLE_AT_MOST(mtu_probing),
                                     CONNECT(0),
                                     WAIT_MS(20),
                                     SEGMENT(TH_SYN | TH_ACK),
                                     ROUND,
                                     ROUND,
                                     FLIGHT(60),
                                     LOSE(1),
                                     WAIT_MS(5),
                                     DELIVER,
                                     ROUND,
                                     FLIGHT(60),
                                     LOSE(255),
                                     DEADLINES(4),
                                     DELIVER,
                                     ROUND,
                                     DEADLINES(9),
                                     ROUND};

/* Zeros after the last step would be steps as well. */
static void write_senders(void)
{
    for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
        size_t n = sizeof(senders[i].bytes);

        while (n && !senders[i].bytes[n - 1])
            n--;
        write_seed("fuzz_sequence", senders[i].name, senders[i].bytes, n);
    }
    write_seed("fuzz_sequence", "mtu-probes", mtu_probes, sizeof(mtu_probes));
    write_seed("fuzz_sequence", "ecn", ecn, sizeof(ecn));
    write_seed("fuzz_sequence", "accecn", accecn, sizeof(accecn));
    write_seed("fuzz_sequence", "accecn-passive", accecn_passive, sizeof(accecn_passive));
}

static void write_sequences(void)
{
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++)
        write_seed("fuzz_sequence", sequences[i].name, sequences[i].bytes, sequences[i].n);
}

/* --- frames ---------------------------------------------------------------------------------- */

static unsigned n_frames;

static void write_frame(uint8_t how, const uint8_t *bytes, uint32_t n)
{
    uint8_t seed[2048] = {how};
    char name[32];

    if (n >= sizeof(seed))
        return;
    memcpy(seed + 1, bytes, n);
    snprintf(name, sizeof(name), "frame-%u", n_frames++);
    write_seed("fuzz_frame", name, seed, n + 1);
}

static void write_segment(struct world_segment s)
{
    static uint8_t bytes[WORLD_FRAME];

    s.window = 1000;
    write_frame(17, bytes, world_build(bytes, &s));
}

/* What tells a sender of loss and of needless retransmissions, in each state that it may be in. */
static void write_acks(void)
{
    static const uint8_t blocks[][24] = {
        {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 5, 10, 0, 0, 1, 244, 0, 0, 11, 184},
        {1, 1, 8, 10, 0, 0, 0, 1, 255, 255, 255, 0, 1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 1, 244},
        {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 5, 10, 255, 255, 255, 0, 0, 0, 0, 0},
    };
    static uint8_t bytes[WORLD_FRAME];

    for (unsigned state = 0; state < 8; state++) {
        for (unsigned i = 0; i < 9; i++) {
            struct world_segment s = {.flags = i == 7 ? TH_ACK | 0x40 : TH_ACK,
                                      .ack = i % 3 == 2   ? 0
                                             : i % 3 == 1 ? -2500u
                                                          : -3000u,
                                      .window = i == 8 ? 0 : 1000,
                                      .opt = blocks[i / 3],
                                      .opt_len = i & 1 ? 24 : 12};

            write_frame((uint8_t)(17 | state << 5), bytes, world_build(bytes, &s));
        }
    }
}

/* To the flows as set_up() of fuzz_frame.c has them, with relative numbers. */
static void write_frames(void)
{
    static const uint8_t flags[] = {
        TH_SYN, TH_ACK, TH_RST, TH_FIN | TH_ACK, TH_RST | TH_ACK, TH_SYN | TH_ACK, TH_ACK | TH_URG};
    static const uint8_t options[] = {2, 4,  5, 180, 1, 3, 3, 7, 4, 2,
                                      8, 10, 0, 1,   2, 3, 0, 0, 0, 0};
    static const uint8_t arp[42] = {2,  0, 0, 0, 0, 1, 2, 0, 0, 0, 0,  2, 8, 6,
                                    0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 2,
                                    10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};

    world_begin(&(struct world_config){.mtu = 1500});
    for (unsigned flow = 0; flow < 4; flow++) {
        for (size_t i = 0; i < sizeof(flags); i++)
            write_segment((struct world_segment){.flow = flow,
                                                 .flags = flags[i],
                                                 .len = i & 1 ? 0 : 9,

                                                 .opt = options,
                                                 .opt_len = flow & 1 ? sizeof(options) : 0});
    }
    write_frame(17, arp, sizeof(arp));
    write_acks();
    world_end();
}

/* --- messages -------------------------------------------------------------------------------- */

static void write_name(const char *name, uint8_t kind, const struct wire_addr *local,
                       const struct wire_addr *remote)
{
    struct sockaddr_un un;
    socklen_t n = name_build(&un, 0xabc, local, remote);
    uint8_t seed[1 + sizeof(un)] = {kind};

    n -= (socklen_t)offsetof(struct sockaddr_un, sun_path);
    memcpy(seed + 1, un.sun_path, n);
    write_seed("fuzz_wire", name, seed, n + 1u);
}

static void write_messages(void)
{
    static const uint16_t ops[] = {
#define WIRE_OP(name, number, fd, help) number,
#include "ipc/ops.def"
#undef WIRE_OP
    };
    struct wire_addr four = {.addr = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, .port = 80};
    struct wire_addr six = {.addr = {0x20, 1, 0xd, 0xb8, [15] = 1}, .port = 65535};
    static uint8_t body[WIRE_MAX];

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        for (size_t n = 0; n < 1024; n++) {
            _Alignas(uint64_t) uint8_t seed[1 + WIRE_MAX] = {0};
            WIRE_BUFFER(message);
            char name[48];
            ssize_t len;

            if (!wire_body_ok(ops[i], false, n) || (n && wire_body_ok(ops[i], false, n - 1)))
                continue;
            len = wire_encode(message, sizeof(message), ops[i], 7, 0, 0, body, n);
            memcpy(seed + 1, message, (size_t)len);
            snprintf(name, sizeof(name), "%s-%zu", wire_op_name(ops[i]), n);
            write_seed("fuzz_wire", name, seed, (size_t)len + 1);
        }
    }
    write_name("name-local", 4, &four, NULL);
    write_name("name-both", 4, &four, &four);
    write_name("name-six", 4, &six, &six);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    folder = argv[1];
    mkdir(folder, 0777);
    write_sequences();
    write_senders();
    write_frames();
    write_messages();
    return 0;
}
