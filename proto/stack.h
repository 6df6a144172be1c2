/* SPDX-License-Identifier: MIT */
/*
 * The one door of the protocol core.
 *
 * The core does no I/O and reads no clock. Frames, socket calls (proto/sock/sock.h), time in
 * microseconds and randomness come in; frames go out through `transmit`, and events wait to be
 * taken with stack_next_event(). The host's loop is:
 *
 *     take a batch of input:  stack_input(), socket calls       (state changes, nothing is sent)
 *     stack_run(now)                                            (timers fire, every touched
 * connection outputs once) while ((s = stack_next_event(st, &ev))) …                 (tell the
 * programs) sleep until input or stack_next_deadline()
 *
 * Nothing here is thread safe: one stack belongs to one thread.
 */
#ifndef TS_PROTO_STACK_H
#define TS_PROTO_STACK_H

#include "proto/counters.h"
#include "proto/frame.h"
#include "proto/ip/addr.h"
#include "proto/ip/metrics.h"
#include "proto/sock/sock.h"
#include "proto/steer.h"
#include "proto/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct stack;

/** What the device can do for outgoing frames. Without them the core completes checksums and cuts
 * segments itself. */
#define STACK_TX_CSUM (1u << 0) /**< completes a partial checksum */
#define STACK_TX_TSO4 (1u << 1) /**< cuts IPv4 TCP frames */
#define STACK_TX_TSO6 (1u << 2) /**< cuts IPv6 TCP frames */
#define STACK_TX_BIG4 (1u << 3) /**< IPv4 TCP frames to be cut may have FRAME_MAX_BURST bytes */

#define STACK_OWNERS 1024

/** What the sockets of one owner take of the memory (sock_set_quota). */
struct stack_owner {
    uint64_t name; /**< his number and one; 0: the place is free */
    uint64_t used;
};

/**
 * What several stacks on one address have in common; zeroed by the host, used by them without a
 * lock. Ports are bound and chosen by one thread at a time (the host sees to it), and given back by
 * any.
 */
struct stack_common {
    uint32_t held[65536];  /**< stacks in which somebody holds the port */
    uint32_t fixed[65536]; /**< those in which it was not chosen by connect() alone */
    uint32_t sockets;      /**< of all */
    size_t memory;         /**< of all, against the limit that each of them is told */
    struct stack_owner owners[STACK_OWNERS]; /**< who has a limit of his own */
};

struct stack_config {
    uint8_t mac[6];
    uint32_t mtu;             /**< of the link, without the Ethernet header: 576..65535 */
    struct ip_prefix address; /**< our address with its network (host bits kept) */
    bool has_gateway;
    struct ip_addr gateway;
    uint32_t features;      /**< STACK_TX_* */
    uint8_t seed[32];       /**< secret randomness: keys, ISNs, ports, jitter all come from it */
    uint64_t memory_limit;  /**< bytes for buffers and connections together; 0: 256 MiB */
    uint32_t max_sockets;   /**< 0: 65536 */
    uint64_t window_budget; /**< bytes that all peers together may have under way beyond their
                               initial windows: what the device's input queue can hold without loss;
                               0: no limit */
    struct steer steer;     /**< which one of several this is; all zero: it is alone */
    struct stack_common *common; /**< of the several; NULL: it is alone. Outlives them */
};

struct stack_ops {
    /**
     * Hand one frame to the device. The frame and what its spans point at are only valid during the
     * call. Returns 0 when the device has sent it, 1 when the device has queued it
     * (stack_transmitted() follows when it has left: until then its bytes count for the small-queue
     * limit and auto-corking), or a negative errno value: -EAGAIN and -ENOBUFS are back-pressure
     * (the core keeps the segment and tries again after stack_device_ready() or a millisecond),
     * anything else a loss.
     */
    int (*transmit)(void *ctx, const struct frame *f);
    /**
     * Several stacks on one address: do the others keep `s` from having this name? The host asks
     * each by sock_conflicts(). Called while a port is bound or listened on that some other one
     * holds; NULL when there is none.
     */
    bool (*taken)(void *ctx, const struct sock *s, const struct ip_endpoint *local);
    /**
     * Has the program closed this listener, although the host has not come to sock_close() yet?
     * Asked when a segment comes for it, which is answered as if it were closed then; what the
     * program sent after its close may have brought that segment about. NULL: never.
     */
    bool (*abandoned)(void *ctx, const struct sock *listener);
    /**
     * All that is unread on `s` but for what the host holds, and behind it bytes that have just
     * come in order, as n_iov pieces (at most five): take of them, from the first on, as many as
     * you like. Returns how many bytes, and in *held what the program has not read of all that was
     * taken so far (in: what the core knows of it; sock_recv_consume() says the same).
     * SOCK_EV_READABLE follows when it took any. Only called for deliver_min bytes and more: each
     * call may be one of the host's system and wake somebody, so less is worth gathering. Must not
     * call into the stack, but for sock_user(). NULL: all bytes wait in the socket.
     */
    size_t (*deliver)(void *ctx, struct sock *s, const struct iovec *iov, int n_iov, size_t *held);
    size_t deliver_min; /**< bytes */
};

/**
 * Make a stack at time `now`. Returns 0 and *out, or -EINVAL (config out of range), -ENOMEM.
 * `ops` and `ctx` must outlive the stack.
 */
int stack_new(const struct stack_config *config, const struct stack_ops *ops, void *ctx,
              uint64_t now, struct stack **out);

/** Free everything at once; nothing is sent. NULL is allowed. */
void stack_free(struct stack *st);

/** One frame from the device. The core may change its bytes; it keeps no pointer to them. */
void stack_input(struct stack *st, struct frame *f, uint64_t now);

/** Fire due timers, deliver local packets, then let every touched connection send. */
void stack_run(struct stack *st, uint64_t now);

/** The time of the next stack_run() that is needed without new input; UINT64_MAX for none. Never
 * too late. */
uint64_t stack_next_deadline(const struct stack *st);

/** After back-pressure: the device can take frames again. */
void stack_device_ready(struct stack *st, uint64_t now);

/** `bytes` payload bytes of connection `owner` (frame.owner) that were queued by the device have
 * left it. */
void stack_transmitted(struct stack *st, uint64_t owner, uint32_t bytes, uint64_t now);

/**
 * A socket on which something happened, and what (SOCK_EV_*, proto/sock/sock.h); NULL when there is
 * none. Each event is reported once; the mask collects what came since the last time. Those with
 * more than SOCK_EV_ROOM come first.
 */
struct sock *stack_next_event(struct stack *st, uint32_t *events);
/** The same of those with more than SOCK_EV_ROOM only: a host may tell them before stack_run(). */
struct sock *stack_next_news(struct stack *st, uint32_t *events);

/** All counters, live. */
const struct counters *stack_counters(const struct stack *st);

/** Announce our address (gratuitous ARP); the host calls it once the device is up. */
void stack_announce(struct stack *st, uint64_t now);

struct stack_usage {
    uint64_t memory_used, memory_limit;
    uint64_t memory_kept; /**< of what is used, kept for speed only: stack_give_back() frees it */
    uint32_t sockets;     /**< with a program's handle */
    uint32_t connections; /**< full connections, orphans included */
    uint32_t orphans;
    uint32_t requests; /**< half open */
    uint32_t time_wait;
    uint64_t tx_frames, rx_frames;
};
void stack_usage(const struct stack *st, struct stack_usage *out);
void stack_give_back(struct stack *st);
/** Other limits from now on (struct stack_config; neither may be 0). What is above them stays until
 * it is given back; nothing more is taken meanwhile. */
void stack_set_limits(struct stack *st, uint64_t memory_limit, uint32_t max_sockets);

/** Replace the table of metrics of destinations: n rules (proto/ip/metrics.h), copied, in any
 * order; 0 empties it. Connections that exist have the new floors, too, as with Linux's routes. 0,
 * or the error of metrics_check(): then nothing has changed. */
int stack_set_metrics(struct stack *st, const struct metrics_rule *rules, size_t n);

/**
 * Describe every connection, listener, half-open request and TIME-WAIT record.
 * The callback must not call into the stack. Not for the fast path.
 */
void stack_each(struct stack *st, void (*cb)(void *ctx, const struct sock_info *info), void *ctx,
                uint64_t now);

/** The same of one. 0, -ENOENT. */
int stack_info(struct stack *st, uint64_t id, struct sock_info *out, uint64_t now);

/** No new burst above FRAME_MAX_PACKET from here on (short_ones), or again those that the device
 * takes: tcpdump(8) cannot read a packet whose IP header does not tell its length. */
void stack_keep_bursts_short(struct stack *st, bool short_ones);

/** One tunable: Linux's sysctl name without its prefix, unit ("" for a plain number), what it does,
 * its range and default. */
struct stack_tunable {
    const char *name, *unit, *help;
    int64_t min, max;
    bool words;        /**< its values are words and not numbers */
    char fallback[32]; /**< the default, as text */
};

/** The i-th tunable of proto/tcp/tunables.def; false when there are no more. */
bool stack_tunable_describe(unsigned i, struct stack_tunable *out);
/** The same by name, with or without "net.ipv4." or "net.core."; false when there is none. */
bool stack_tunable_find(const char *name, struct stack_tunable *out);
/** Write its value as text, NUL-terminated. 0, -ENOENT (no such tunable), -ERANGE (room too small).
 */
int stack_tunable_get(struct stack *st, const char *name, char *out, size_t room);
/** Set it from text; new connections see it at once. 0, -ENOENT, -EINVAL (no number, none
 * of its words), -ERANGE (outside its range), -EACCES (it can only be read). */
int stack_tunable_set(struct stack *st, const char *name, const char *value);

/** The single tunables, by their indices, that a name stands for: itself, or the parts of one such
 * as "tcp_rmem". Returns how many; 0: there is no such name. */
#define STACK_TUNABLE_PARTS 3
unsigned stack_tunable_parts(const char *name, unsigned out[STACK_TUNABLE_PARTS]);

/**
 * A set of all tunables apart from any stack: made with the defaults, set one by one in any order
 * (errors as of stack_tunable_set), checked as a whole, put in force at once.
 */
struct stack_tunables;
/** NULL: no memory. */
struct stack_tunables *stack_tunables_new(void);
void stack_tunables_free(struct stack_tunables *t);
int stack_tunables_set(struct stack_tunables *t, const char *name, const char *value);
int stack_tunables_get(const struct stack_tunables *t, const char *name, char *out, size_t room);
/** What does not fit together, in words; NULL: it does. */
const char *stack_tunables_conflict(const struct stack_tunables *t);
void stack_tunables_apply(struct stack *st, const struct stack_tunables *t);

/**
 * Trace the connection `id` (sock_info.id) into `ring`, or the next one that is opened by either
 * side and fits `match`, until it is gone (ring->over, after an event `end`) or
 * stack_trace_stop(). The ring is the caller's and must live until then. 0; -ENOENT (no such
 * connection), -EBUSY (somebody traces it), -ENOSPC (sixteen are traced).
 *
 * One ring may wait for the next connection in several stacks, each with a thread of its own: the
 * first connection that fits has it, and the others forget it. In the end it is stopped in all of
 * them, in any order; the stack that had it leaves it to none of the others.
 */
int stack_trace(struct stack *st, uint64_t id, struct trace_ring *ring);
int stack_trace_next(struct stack *st, const struct trace_match *match, struct trace_ring *ring);
/** This stack writes nothing to the ring from here on. Of one that is over, too. */
void stack_trace_stop(struct stack *st, struct trace_ring *ring);

/** Check every internal invariant; returns NULL or a description of the first one that does not
 * hold (tests). */
const char *stack_check(struct stack *st);

/** Orderly stop: close() every socket that still has a handle and every listener; connections
 * finish on their own. */
void stack_shutdown(struct stack *st, uint64_t now);

#endif
