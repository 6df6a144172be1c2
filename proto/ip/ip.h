/* SPDX-License-Identifier: MIT */
/*
 * The network layer as the rest of the core sees it: input from the link, output towards a
 * destination, ICMP errors for the transport, neighbours. RFC 791, 792, 826, 894, 1122 §3, 1812 §4
 * where a host must know them.
 */
#ifndef TS_PROTO_IP_IP_H
#define TS_PROTO_IP_IP_H

#include "proto/base/hash.h"
#include "proto/base/list.h"
#include "proto/base/pool.h"
#include "proto/base/siphash.h"
#include "proto/frame.h"
#include "proto/ip/addr.h"
#include "proto/ip/metrics.h"

#include <stdbool.h>
#include <stdint.h>

struct stack;

#define IP_PROTO_ICMP 1
#define IP_PROTO_TCP  6

/** The ECN field (RFC 3168 §5) as it stands in the two low bits of the traffic class. */
#define IP_ECN_MASK 3
#define IP_ECN_NOT  0
#define IP_ECN_ECT1 1
#define IP_ECN_ECT0 2
#define IP_ECN_CE   3

/** A checked packet, on its way up to a protocol: no wire bytes of the IP header are looked at
 * above. */
struct packet {
    struct ip_addr src, dst;
    uint8_t proto;
    uint8_t ttl;
    uint8_t tos;    /**< DSCP and ECN */
    bool broadcast; /**< sent to a broadcast or multicast address, of the link or of IP */
    bool local;     /**< looped inside the core */
    uint8_t csum;   /**< enum frame_csum: PARTIAL and VALID need no verification of the transport's
                       checksum */
    uint8_t gso;    /**< enum frame_gso: several segments came as one */
    uint16_t gso_size;
    const uint8_t *header; /**< the IP header, for quoting in ICMP errors */
    uint32_t header_len;
    const uint8_t *payload; /**< the transport's header and data */
    uint32_t len;           /**< bytes at payload */
};

/** What IP must know to send a packet. */
struct ip_flow {
    struct ip_addr src, dst;
    uint8_t proto;
    uint8_t ttl; /**< 0: the default, 64 */
    uint8_t tos;
    bool dont_fragment; /**< DF (always set by TCP: RFC 1191) */
    uint16_t id;        /**< IPv4 identification */
};

struct route {
    struct ip_addr next_hop;
    struct ip_addr source; /**< our address on that link */
    uint32_t mtu;          /**< of the link */
    bool local;            /**< the destination is ourselves */
};

/** What is known of the path to a destination. */
struct path_mtu {
    uint32_t mtu;    /**< the largest packet, as far as is known */
    bool locked;     /**< the path takes less than route.min_pmtu: routers must fragment */
    uint64_t until;  /**< it may be larger from then on; 0: it is the link's */
    uint32_t proven; /**< a black hole was found and this size passed it; 0: none */
};

/** An ICMP error that quotes a packet of ours, already parsed and checked for length and addresses.
 */
struct icmp_error {
    struct ip_addr src, dst; /**< of the quoted packet: src is ours */
    uint8_t proto;
    uint8_t type, code;
    int error; /**< errno value by RFC 1122 §3.2.2 and Linux's table; EMSGSIZE for "fragmentation
                  needed" */
    bool hard; /**< codes 2, 3 (and 4 without PMTU discovery): RFC 1122 §4.2.3.9 */
    uint32_t mtu;      /**< next-hop MTU of "fragmentation needed"; 0 otherwise */
    uint8_t quoted[8]; /**< the first eight bytes of the quoted transport header: ports and sequence
                          number */
};

#define DST_ENTRIES 256u

/** A destination, and what all packets to it have in common (dst.c). */
struct dst_entry {
    struct ip_addr addr;
    struct route route;
    struct neigh_entry *neigh; /**< of the next hop, NULL: not known; see dst_neighbour() */
    uint64_t neigh_removals;   /**< ip_state.neigh_removals when it was looked up */
    uint32_t sum;              /**< of the header's words, in host byte order */
    uint8_t header[20];        /**< IPv4: version, length and addresses; the rest is 0 */
    bool known;                /**< the place is taken */
};

/** State of the network layer inside struct stack; the fields belong to proto/ip/. */
struct ip_state {
    struct dst_entry dsts[DST_ENTRIES]; /**< by destination: where packets have lately gone */
    struct hash_table neighbours;
    struct siphash_key neigh_key; /**< strangers choose what is hashed; paths use it too */
    struct pool neigh_pool;
    struct neigh_entry *neigh_last; /**< found last: mostly all packets go to one */
    struct list
        neigh_lru; /**< least recently used first; entries with waiting packets are not in it */
    uint64_t neigh_removals;     /**< who has seen this number holds no neighbour that is gone */
    uint64_t neigh_queued_bytes; /**< waiting for all neighbours together */
    struct list datagrams;       /**< incomplete ones, oldest first (reass.c) */
    uint32_t n_datagrams, reass_bytes;
    struct list local_queue; /**< packets to ourselves, waiting for stack_run */
    uint32_t local_queued;
    uint64_t local_bytes;
    uint64_t icmp_tokens; /**< token bucket of all ICMP output, in micro-tokens */
    uint64_t icmp_refilled;
    struct hash_table pmtus; /**< struct pmtu_entry: what is known of paths */
    struct pool pmtu_pool;
    struct list pmtu_age;      /**< least recently told of first */
    uint64_t pmtu_next_expiry; /**< no entry ends before */
    uint32_t pmtu_changes;
    struct metrics metrics;    /**< what we were told of destinations */
    uint64_t arp_defend_after; /**< the next announcement in defence of our address not before */
};

/** Set up and tear down the fields above. Returns 0 or -ENOMEM. */
int ip_init(struct stack *st);
void ip_destroy(struct stack *st);

/** A frame from the device: Ethernet, then ARP or IP. */
void eth_input(struct stack *st, struct frame *f);

/** Deliver what was sent to our own address since the last call, one batch. */
void ip_run_local(struct stack *st);

/** Find the way to dst. Returns 0, or -ENETUNREACH. Our own address is local; broadcast and
 * multicast have no route. */
int route_lookup(struct stack *st, const struct ip_addr *dst, struct route *out);

/**
 * The way to dst for a transport that keeps to the path MTU. As route_lookup(), and *path.
 */
int route_lookup_path(struct stack *st, const struct ip_addr *dst, struct route *out,
                      struct path_mtu *path);

/** The floor of the RTO towards dst by the table of metrics (Linux: RTAX_RTO_MIN of its route), in
 * microseconds; 0: there is none. We ourselves are no destination: Linux's local routes come first.
 */
uint32_t route_rto_min(const struct stack *st, const struct ip_addr *dst);

/** A number that changes with everything that is known of paths: who has seen it need not ask
 * again. */
uint32_t pmtu_generation(struct stack *st);

/**
 * The way to dst takes no more than `mtu`, as somebody said whom the transport believes (RFC 1191
 * §3); never raises, never goes below route.min_pmtu. *out: what holds now, also when there is no
 * memory to keep it.
 */
void pmtu_lower(struct stack *st, const struct ip_addr *dst, uint32_t mtu, struct path_mtu *out);

/** The way to dst swallows large packets silently, `proven` passed (RFC 2923 §2.1). */
void pmtu_black_hole(struct stack *st, const struct ip_addr *dst, uint32_t proven);

/**
 * Send f (transport header in data, payload in spans) along `flow`: prepends the IP header and
 * passes it to the neighbour or to ourselves. *sent as in stack_transmit (may be NULL). Returns 0
 * (also when it waits for a neighbour), -EAGAIN (device blocked: nothing went out), -ENETUNREACH,
 * -EHOSTUNREACH (the neighbour has failed recently), -EMSGSIZE (larger than the MTU without
 * segmentation offload), -ENOBUFS.
 */
int ip_output(struct stack *st, struct frame *f, const struct ip_flow *flow, uint32_t *sent);

/** True when a is an address of ours. */
bool ip_is_ours(const struct stack *st, const struct ip_addr *a);

/** True when no host may be named by this address as a peer: broadcast (also of our network),
 * multicast, unspecified. */
bool ip_addr_is_bad_peer(const struct stack *st, const struct ip_addr *a);

/** The transport learnt that the peer is alive (RFC 4861 §7.3.1's reachability confirmation, used
 * for ARP alike). */
void neigh_confirm(struct stack *st, const struct ip_addr *dst);

/** The transport suspects the way to dst (RFC 1122 §3.3.1.4 negative advice at R1): ask again. */
void neigh_suspect(struct stack *st, const struct ip_addr *dst);

/** Gratuitous ARP for our address. */
void arp_announce(struct stack *st);

/** A neighbour's timer fired; t is the timer inside a struct neigh_entry. */
struct stack_timer;
void neigh_timer(struct stack *st, struct stack_timer *t);

/** A datagram has not become whole in time; t is the timer inside it. */
void reass_timer(struct stack *st, struct stack_timer *t);

/* --- what the transport provides (proto/tcp/)
 * ------------------------------------------------------------- */

/** A TCP segment for us. */
void tcp_input(struct stack *st, const struct packet *p);

/** An ICMP error about a TCP segment of ours. Returns true when it matched a connection. */
bool tcp_icmp_input(struct stack *st, const struct icmp_error *e);

/** The next hop to dst did not answer: packets to it were dropped (EHOSTUNREACH for connects). */
void tcp_host_unreachable(struct stack *st, const struct ip_addr *dst);

#endif
