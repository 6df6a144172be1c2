/* SPDX-License-Identifier: MIT */
/*
 * Cores and a wire in virtual time.
 *
 * A sim owns up to SIM_HOSTS hosts, each a real struct stack behind one simulated link, and a queue
 * of events: packets in flight, device completions, calls that a test asked for. sim_step() goes to
 * the next event (or the next deadline of a stack), lets it happen, runs the stacks, hands their
 * socket events to the programs, and then checks every invariant: stack_check(), and on the wire
 * what wirecheck.c knows. The first violation stops the sim with a text. Everything comes from one
 * seed: the same seed gives the same packets at the same microseconds.
 */
#ifndef TS_TESTS_SIM_SIM_H
#define TS_TESTS_SIM_SIM_H

#include "proto/stack.h"
#include "tests/sim/capture.h"
#include "tests/sim/link.h"
#include "tests/sim/wirecheck.h"

#include <stdio.h>

#define SIM_HOSTS  4
#define SIM_SECOND 1000000ull
#define SIM_START  (1000 * SIM_SECOND) /**< no test begins at time 0 */

struct sim;

/** What sock_set_user() points at in the simulator: a program. */
struct sim_user {
    void (*event)(struct sim_user *u, struct sock *s, uint32_t events);
    /** stack_ops.deliver; NULL: it takes nothing that way */
    size_t (*deliver)(struct sim_user *u, const struct iovec *iov, int n_iov, size_t *held);
};

struct sim_host_config {
    uint32_t mtu;      /**< 0: 1500 */
    uint32_t features; /**< STACK_TX_* */
    bool large_frames; /**< its offloaded frames travel whole, as between two guests */
    bool device_queue; /**< transmit returns 1, completions follow when the link has sent the frame
                        */
    uint32_t device_bytes; /**< > 0: more than so much in the device's queue is -EAGAIN, until half
                              of it has left */
    uint32_t refuse_ppm;   /**< an episode of -EAGAIN begins … */
    uint64_t
        refuse_us; /**< … that lasts up to so long; half of them end without stack_device_ready() */
    uint64_t memory_limit; /**< 0: the default */
    uint64_t quota;        /**< its programs' owner may have so much of it, 0: all */
    bool too_big_is_told; /**< packets beyond out.mtu come back as ICMP "fragmentation needed", as a
                             router does */
    struct link_config out;
};

/** One Ethernet frame on its way. */
struct sim_packet {
    uint32_t len;
    uint8_t gso, csum;
    uint16_t gso_size, csum_start, csum_offset;
    bool corrupt;
    uint8_t data[];
};

struct sim_host {
    struct sim *sim;
    unsigned index;
    struct sim_host_config config;
    struct ip_addr addr;
    uint8_t mac[6];
    struct stack *st; /**< NULL: a peer that the test plays itself, by … */
    void (*receive)(struct sim_host *h, const struct sim_packet *p);
    void *receive_ctx;
    struct link out;
    uint32_t queued; /**< bytes in the device's queue */
    bool waiting;    /**< the device said -EAGAIN for want of room */
    uint64_t refuse_until;
    bool unplugged; /**< frames to it vanish */
    bool touched;
    /** A test's own loss mask: false drops the packet. Called for each packet that `this` host
     * sends. */
    bool (*filter)(struct sim_host *h, const struct wire_packet *p);
    void *filter_ctx;
};

struct sim_event;

struct sim {
    uint64_t now, seed;
    struct prng prng;
    struct sim_host host[SIM_HOSTS];
    unsigned n_hosts;
    struct sim_event *heap;
    size_t n_events, heap_room;
    uint64_t order;
    struct wirecheck wire;
    struct capture *capture; /**< NULL: none */
    uint64_t trace;          /**< hash of all that was sent, and when */
    uint64_t steps, packets;
    unsigned check_every; /**< stack_check() after each n-th step (1) */
    uint64_t still;       /**< steps since time last moved */
    char failure[256];    /**< "" while all is well */
};

void sim_init(struct sim *sim, uint64_t seed, bool capture);
void sim_destroy(struct sim *sim);

/** Add a host with address 10.0.0.(1 + index)/24. */
struct sim_host *sim_add_host(struct sim *sim, const struct sim_host_config *config);

/** Add a host without a core: what reaches it goes to receive(), what it sends comes by sim_send().
 */
struct sim_host *sim_add_peer(struct sim *sim, const struct sim_host_config *config,
                              void (*receive)(struct sim_host *h, const struct sim_packet *p),
                              void *ctx);
/** A complete frame of such a host. */
void sim_send(struct sim_host *h, const uint8_t *data, uint32_t len);

/** Note a failure (the first one stays). */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Call fn(arg) at that time. */
void sim_at(struct sim *sim, uint64_t at, void (*fn)(void *arg), void *arg);

/** Go to the next thing that happens. False: nothing is left, or a failure. */
bool sim_step(struct sim *sim);

/** Run until done(arg) (NULL: never), or until that time. True when done() said so. */
bool sim_run_until(struct sim *sim, bool (*done)(void *arg), void *arg, uint64_t until);
/** Run for so long. */
void sim_run_for(struct sim *sim, uint64_t us);

/** After socket calls outside of a program's event: let the stack send. */
void sim_touch(struct sim_host *h);

/** The endpoint of a host's address and a port. */
struct ip_endpoint sim_endpoint(const struct sim_host *h, uint16_t port);

/** Inject a frame into a host as if the wire had brought it. */
void sim_inject(struct sim_host *h, const uint8_t *data, uint32_t len);

/** "" or why the host still holds memory, sockets, connections (after everything has ended and
 * TIME-WAIT is over). */
const char *sim_leftovers(struct sim_host *h);

/** Write the capture (if there is one) to `path`; NULL: a name of its own. Returns the name, or
 * NULL. */
const char *sim_write_capture(struct sim *sim, const char *path);

#endif
