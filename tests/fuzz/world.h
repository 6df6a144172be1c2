/* SPDX-License-Identifier: MIT */
/*
 * A stack and the rest of the world, for the fuzzers: peers that know where each connection stands,
 * a neighbour that answers ARP, virtual time, memory that can run out, and the program's sockets.
 *
 * The peers learn ports, sequence numbers and options from what the stack sends. Every byte of
 * every stream is a function of its sequence number, in both directions, so all payload that comes
 * out of the stack, on the wire or from recv(2), is compared. world_end() closes everything, lets
 * time run out with silent peers, and checks that nothing is left.
 */
#ifndef TS_TESTS_FUZZ_WORLD_H
#define TS_TESTS_FUZZ_WORLD_H

#include "proto/sock/sock_internal.h"
#include "proto/sock/wait.h"
#include "proto/stack_internal.h"

#define WORLD_FLOWS   8
#define WORLD_SOCKS   8
#define WORLD_CALLS   4
#define WORLD_ARPS    4
#define WORLD_PORT    80   /**< of listeners */
#define WORLD_PEER    4000 /**< flow i is the peer's port 4000 + i */
#define WORLD_FAR     6    /**< flows from here on are behind the gateway */
#define WORLD_BUF     65536
#define WORLD_FRAME   (FRAME_MAX_PACKET + 14)
#define WORLD_PACKETS 64
#define WORLD_RANGES  8

/** A packet that the stack sent; an offloaded frame is several. */
struct world_packet {
    uint32_t seq, end, tsval;
    bool there; /**< it has arrived, or never will */
};

/** What a true receiver knows (receiver.c). */
struct receiver {
    struct world_packet packets[WORLD_PACKETS]; /**< the newest is packets[n - 1], modulo */
    unsigned n;
    uint32_t next, ts_recent;
    struct sack_block have[WORLD_RANGES], dup; /**< newest first; dup: the next D-SACK */
    uint8_t n_have;
    bool has_dup;
    uint16_t window;
};

/** A connection as its peer sees it. */
struct flow {
    uint16_t our_port;
    uint32_t isn;      /**< the peer's */
    uint32_t next;     /**< what the peer sends next if all goes well */
    uint32_t acked;    /**< the newest acknowledgement from the stack */
    uint32_t window;   /**< its right edge, from there, unscaled */
    uint32_t una, end; /**< the oldest and the newest end of what the stack has sent */
    bool seen, ts, sack;
    uint32_t tsval;
    struct receiver rx;
};

/** A blocking call that moves bytes. */
struct world_wait {
    struct sock *s; /**< NULL: it moves none, or the socket is closed */
    const uint8_t *buf;
    bool sends;
    bool spoilt; /**< others read as well, or it takes nothing out of the stream */
};

struct world {
    struct stack *st;
    uint64_t now;
    struct flow flows[WORLD_FLOWS];
    struct sock *socks[WORLD_SOCKS];
    struct sock_call *calls[WORLD_CALLS];
    uint8_t arps[WORLD_ARPS][42];
    unsigned n_arps;
    bool deaf; /**< nobody answers ARP */
    bool raw;  /**< foreign bytes came in: payload proves nothing any more */
    struct world_wait waits[WORLD_CALLS]; /**< what calls[i] moves */
    int device;                           /**< what transmit answers */
    unsigned device_for;                  /**< … for so many frames; 0: until further notice */
    uint64_t queued_owner;                /**< of the last frame that the device queued */
    uint32_t queued_bytes;
    uint64_t allocs, fail_at, fail_to; /**< the allocations that fail; 0: none */
    int64_t live;
    uint8_t last[128]; /**< the head of the last IP packet that the stack sent */
    uint32_t last_len;
    bool trace; /**< FUZZ_TRACE is set: print what happens */
};

extern struct world world;

/** End the run: libFuzzer keeps the input. */
_Noreturn void world_fail(const char *why);

struct world_config {
    uint32_t mtu, features;
    uint64_t memory_limit, window_budget;
    uint32_t max_sockets;
};
void world_begin(const struct world_config *c);
/** Nothing may be left after this; a failure if something is. */
void world_end(void);

/** Let the stack work until it rests at this moment; take the events; check the invariants. */
void world_run(void);
/** Time passes, at most `deadlines` of them on the way are served. */
void world_advance(uint64_t us, unsigned deadlines);
void world_check(void);
/** Calls that have ended hand over what they accepted; what they read is compared. */
void world_reap_calls(void);
/** Somebody sends, reads, or closes this socket: the calls that wait there share the stream. */
void world_sends(struct sock *s);
void world_reads(struct sock *s);
void world_closes(struct sock *s);
/** One of them has ended. */
void world_waited(const struct world_wait *w, ssize_t result);

/** A line for FUZZ_TRACE, with the time. */
#define world_trace(...) (world.trace ? world_trace_line(__VA_ARGS__) : (void)0)
void world_trace_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void world_trace_frame(const char *way, const uint8_t *bytes, size_t len);

/** The byte that stands at this sequence number. */
uint8_t world_pattern(uint32_t seq);
void world_fill(uint8_t *dst, uint32_t seq, size_t n);
void world_compare(const uint8_t *bytes, size_t n, uint32_t seq);

/** An Ethernet frame arrives; the bytes are copied, so that reads past them are seen. */
struct world_offload {
    uint8_t csum, gso;
    uint16_t gso_size;
};
void world_input(const uint8_t *bytes, size_t len, struct world_offload offload);

struct world_segment {
    unsigned flow;
    uint8_t flags;
    uint32_t seq, ack;
    uint16_t window, urgent;
    uint32_t len;
    const uint8_t *opt;
    uint8_t opt_len; /**< padded to words */
    uint8_t tos;
    bool ae; /**< the fourth flag of ECN (RFC 9768) */
    bool bad_csum;
    struct world_offload offload;
};
/** Build the segment's frame into dst (WORLD_FRAME bytes); returns its length. */
uint32_t world_build(uint8_t *dst, const struct world_segment *s);
/** Send it, and move the flow on. */
void world_segment(const struct world_segment *s);
/** Timestamps as they follow from `age` and `echo`: 12 bytes at o. */
uint8_t world_timestamps(uint8_t *o, uint32_t age, uint32_t echo);
/** An ICMP error that quotes the last packet the stack sent. */
void world_icmp(uint8_t type, uint8_t code, uint16_t mtu);
/** Set the sums of IPv4 and of what it carries, as far as they lie inside the frame. */
void world_fix_sums(uint8_t *b, size_t len);

/** A new incarnation, which begins at seq. */
void receiver_begin(struct flow *fl, uint32_t seq);
/** The stack sent this, in packets of `mss` bytes (0: one). */
void receiver_sent(struct flow *fl, uint32_t seq, uint32_t end, uint32_t mss);
/** The i-th newest packet. */
const struct world_packet *receiver_packet(const struct flow *fl, unsigned i);
void receiver_arrive(struct flow *fl, const struct world_packet *p);
/** Everything below seq has been acknowledged, by whatever means: so it is here. */
void receiver_skip(struct flow *fl, uint32_t seq);
/** The D-SACK that is due and the ranges beyond a hole; returns how many, `most` at most. */
uint8_t receiver_blocks(struct flow *fl, struct sack_block *b, uint8_t most);
/** SACK blocks as an option, padded: 4 + 8 n bytes; nothing when n is 0. */
uint8_t receiver_put_sack(uint8_t *o, const struct sack_block *b, uint8_t n);
void receiver_ack(unsigned flow);

struct ip_endpoint world_peer(unsigned flow);
/** send(2) of up to n bytes of the pattern; recv(2) compares with it: without the urgent byte at
 * the mark, no further than to the mark, and MSG_OOB is the urgent byte. */
ssize_t world_send(struct sock *s, size_t n, int flags);
ssize_t world_recv(struct sock *s, size_t n, int flags);

#endif
