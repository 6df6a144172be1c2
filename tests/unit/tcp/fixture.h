/* SPDX-License-Identifier: MIT */
/*
 * A whole stack behind its door, a peer played by hand, and virtual time: one line a segment.
 *
 *     active();                             our program connects, the handshake is over
 *     w(100);                               it writes 100 bytes
 *     expect(PSH | ACK, 1, 1, 100);         what the peer sees: flags, seq, ack, length
 *     peer(ACK, 1, 101, 0);                 what the peer sends
 *     advance(40 * MS);                     time passes, timers fire
 *     expect_none();
 *
 * Sequence numbers are relative: each side's SYN is 0, its first byte 1. Payload is a pattern by
 * stream offset, in both directions, so every byte that is received is also compared. Recorded
 * segments are taken in order by expect(). After every step the stack's invariants are checked, and
 * at the end that all memory came back.
 */
#ifndef TS_TESTS_UNIT_TCP_FIXTURE_H
#define TS_TESTS_UNIT_TCP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "proto/sock/sock_internal.h"

#include <netinet/in.h>
#include <linux/tcp.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128, AE = 256 };

#define US           1u
#define MS           1000u
#define SEC          UINT64_C(1000000)
#define FX_SEGS      8192 /**< recorded in one test at most */
#define FX_CONNS     64   /**< peers' ports */
#define FX_PEER_PORT 4000
#define FX_PORT      80 /**< of our listener */
#define PEER_ISN     0x10000000u

/** A TCP segment that our stack sent. */
struct fx_seg {
    uint64_t at;
    uint8_t flags, reserved;   /**< the four bits beside the data offset */
    uint32_t seq, ack;         /**< relative to the connection's first */
    uint32_t raw_seq, raw_ack; /**< as on the wire */
    uint16_t window;           /**< as on the wire */
    uint16_t urg;              /**< urgent pointer */
    uint32_t len;
    uint16_t src_port, dst_port;
    uint8_t ttl, tos;
    uint16_t ip_id;
    bool df;
    uint8_t opt_len, opt[40];
    bool has_ts;
    uint32_t tsval, tsecr;
    uint16_t mss; /**< 0: no option */
    int wscale;   /**< -1: no option */
    bool sack_ok; /**< SACK-permitted */
    uint8_t n_sack;
    struct sack_block sack[TCP_MAX_SACKS]; /**< relative to the peer's ISN */
    uint8_t gso;
    uint16_t gso_size;
    bool csum_ok;
    uint64_t owner;
    uint8_t link_dst[6]; /**< the frame's destination */
    uint8_t *payload;
};

/** One connection as the peer knows it; selected by peer_use(). */
struct fx_conn {
    uint16_t port;     /**< the peer's */
    uint16_t our_port; /**< learnt from our segments, or the listener's */
    uint32_t irs, iss; /**< first sequence number of the peer, and ours */
    bool ts;           /**< timestamps on every segment */
    bool sack;         /**< its SYN permits SACK */
    int wscale, mss;   /**< options of its SYN; -1 and 0: none */
    uint16_t window;   /**< field of each segment */
    uint32_t tsval_seen;
    uint64_t written, read; /**< stream offsets of the program's calls */
};

struct fixture {
    struct stack *st;
    struct stack_config config;
    uint64_t now;
    uint64_t rtt;     /**< the handshake takes that long */
    struct sock *s;   /**< the program's socket under test */
    struct sock *lst; /**< its listener */
    struct fx_conn conns[FX_CONNS];
    struct fx_conn *c;
    struct fx_seg segs[FX_SEGS];
    unsigned n_segs, next;
    bool no_pattern; /**< do not compare payload with the pattern */
    int device;      /**< what transmit answers to TCP frames */
    int device_room; /**< frames that it takes before it says -EAGAIN; -1: all */
    bool arp_asked;  /**< an ARP request waits for its answer */
    bool deaf;       /**< nobody answers ARP */
    struct {
        struct sock *s;
        uint32_t mask;
    } events[64]; /**< reported and not yet taken by events_of() */
    unsigned n_events;
    uint64_t allocs, fail_at; /**< the allocation that fails, from 1; 0: none */
    bool fail_all;
    int64_t live; /**< bytes out */
};

extern struct fixture fx;

extern const uint8_t fx_our_mac[6], fx_our_ip[4], fx_peer_ip[4];
/** The byte at an offset of either stream. */
uint8_t fx_pattern(uint64_t off);
/** The peer says who it is. */
void fx_answer_arp(void);

int fx_setup(void **state);
int fx_teardown(void **state);
/** Make the stack anew: after changes of fx.config, before anything else. */
void fx_restart(void);

#define TEST(name) static void name(void **state __attribute__((unused)))
#define T(name)    cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

#define cnt(name)   (stack_counters(fx.st)->v[CNT_##name])
#define stops(name) (fx.s->tcb->stops[TCP_STOP_##name])
#define tun         (fx.st->tcp.tunables)
#define tp          (fx.s->tcb)

/* --- time --------------------------------------------------------------------------------------
 */

/** Let the stack work until it has nothing to do now. */
void run(void);
/** Time passes; every deadline on the way is served at its time. */
void advance(uint64_t us);

/* --- what our stack sends ----------------------------------------------------------------------
 */

const struct fx_seg *fx_expect(const char *file, int line, uint8_t flags, uint32_t seq,
                               uint32_t ack, uint32_t len);
void fx_expect_none(const char *file, int line);
/** The next segment, exactly so. */
#define expect(flags, seq, ack, len) fx_expect(__FILE__, __LINE__, flags, seq, ack, len)
/** Nothing (more) was sent. */
#define expect_none() fx_expect_none(__FILE__, __LINE__)
/** The SACK blocks of a segment, as "1:2 3:4". */
const char *blocks_of(const struct fx_seg *g);
#define assert_blocks(g, text) assert_string_equal(blocks_of(g), text)
/** The next segment, whatever it is; fails when there is none. */
const struct fx_seg *take(void);
/** Forget what was recorded; returns how many segments. */
unsigned clear(void);
/** Payload bytes among what was recorded; forgets it. */
uint64_t take_bytes(void);

/* --- what the peer sends -----------------------------------------------------------------------
 */

struct peer_seg {
    uint16_t flags;
    uint8_t tos, reserved; /**< reserved: the three header bits that nobody uses */
    uint32_t seq, ack, len;
    int win;         /**< field; 0: the connection's, -1: zero */
    const void *opt; /**< instead of the connection's options */
    uint8_t opt_len;
    bool no_ts;
    uint32_t tsval, tsecr; /**< 0: the peer's clock; the latest that was seen */
    const char *sack;      /**< what it says it holds: "1449:2897 4345:5793" */
    int fill;              /**< >0: every byte is that */
    bool bad_csum;
    uint16_t urg; /**< urgent pointer; the flag is URG */
    bool later;   /**< in one batch with what follows: do not run yet */
    int doff;     /**< header length in words instead of the right one */
    uint16_t gso; /**< several segments of that size as one frame */
};

void fx_peer(struct peer_seg p);
#define peer(fl, sq, ak, ln, ...)                                                                  \
    fx_peer((struct peer_seg){.flags = (fl), .seq = (sq), .ack = (ak), .len = (ln), ##__VA_ARGS__})
/** The peer's clock in its timestamps now. */
uint32_t peer_tsval(void);
/** Talk as another connection from now on: port FX_PEER_PORT + n. */
void peer_use(unsigned n);
/** An ICMP error of the peer's router that quotes our segment with relative sequence number seq. */
void peer_icmp(uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq);
/** An Ethernet frame as it is. */
void fx_input_bytes(const uint8_t *bytes, uint32_t len);

/* --- the program -------------------------------------------------------------------------------
 */

struct ip_endpoint fx_endpoint(const char *addr, uint16_t port);
struct ip_endpoint fx_peer_endpoint(void);
struct sock *fx_socket(void);
/** socket, connect: the SYN is recorded. */
void connecting(void);
/** A listener on FX_PORT. */
void listening(int backlog);
/** Active open, to the end of the handshake. */
void active(void);
/** Passive open, to the end of accept(); a listener is made if there is none. */
void passive(void);
/** The peer's handshake with the listener: SYN, SYN-ACK, ACK. */
void peer_connects(void);
/** accept(2), into fx.s; returns 0 or an error. */
int accept_one(void);

/** Write n bytes of the pattern; returns what send(2) says. */
ssize_t w(size_t n);
ssize_t wflags(size_t n, int flags);
/** Read up to n bytes and compare them with the pattern. */
ssize_t r(size_t n);
/** Write n bytes, all acknowledged by the peer as they come. */
void bulk(size_t n);
int set_int(int level, int name, int value);
int get_int(int level, int name);
/** close(2) of fx.s, or of the socket given. */
void close_it(void);
void close_sock(struct sock **s);
/** The events reported for s so far, taken. */
uint32_t events_of(const struct sock *s);

/* --- state -------------------------------------------------------------------------------------
 */

/** State of the present connection, also without a program's handle; TCPS_CLOSED: there is none. */
unsigned fx_state(void);
#define assert_state(name)                                                                         \
    assert_string_equal(tcp_state_name(fx_state()), tcp_state_name(TCPS_##name))

#endif
