/* SPDX-License-Identifier: MIT */
/*
 * What the files of proto/ip/ say to each other: the steps between the link and the protocols, and
 * the flattened copies of packets that have to wait. Only proto/ip/ (and its tests) include this
 * file.
 */
#ifndef TS_PROTO_IP_IP_INTERNAL_H
#define TS_PROTO_IP_IP_INTERNAL_H

#include "proto/ip/ip.h"
#include "proto/ip/wire.h"
#include "proto/stack_internal.h"

/* --- eth.c
 * ------------------------------------------------------------------------------------------------
 */

extern const uint8_t eth_broadcast[6];

/** The header of frames of ours to dst. */
void eth_header(const struct stack *st, const uint8_t dst[6], uint16_t type,
                uint8_t out[ETH_HEADER]);
/** Prepend it and transmit; the answer is stack_transmit's. */
int eth_output(struct stack *st, struct frame *f, const uint8_t header[ETH_HEADER], uint32_t *sent);

/* --- dst.c
 * ------------------------------------------------------------------------------------------------
 */

/** Look them up and remember them. */
struct dst_entry *dst_find_route(struct stack *st, const struct ip_addr *addr);
struct neigh_entry *dst_find_neighbour(struct stack *st, struct dst_entry *d);

_Static_assert(DST_ENTRIES == 1u << 8, "as many as the hash has values");

/** Hosts of one network that differ in one byte all have places of their own. */
static inline struct dst_entry *dst_place(struct stack *st, const struct ip_addr *addr)
{
    return &st->ip.dsts[addr->w[3] * 0x9e3779b1u >> 24];
}

/** The way to addr; NULL: there is none. Good until the next call. */
static inline struct dst_entry *dst_lookup(struct stack *st, const struct ip_addr *addr)
{
    struct dst_entry *d = dst_place(st, addr);

    return d->known && ip_addr_equal(&d->addr, addr) ? d : dst_find_route(st, addr);
}

/** Who is asked to carry it there, NULL when the next hop is not in the neighbour cache. Not for a
 * route that is local. */
static inline struct neigh_entry *dst_neighbour(struct stack *st, struct dst_entry *d)
{
    if (d->neigh && d->neigh_removals == st->ip.neigh_removals)
        return d->neigh;
    return dst_find_neighbour(st, d);
}

/* --- arp.c
 * ------------------------------------------------------------------------------------------------
 */

/** Of several stacks on one address, all of which see ARP and fragments, one answers. */
static inline bool ip_speaks(const struct stack *st)
{
    return st->config.steer.index == 0;
}

/** An ARP packet; `frame` includes the Ethernet header, link_broadcast says how it was addressed.
 */
void arp_input(struct stack *st, const uint8_t *frame, uint32_t len, bool link_broadcast);

/** Ask for addr: broadcast, or to the known address when mac is given. Returns stack_transmit's
 * answer. */
int arp_request(struct stack *st, const struct ip_addr *addr, const uint8_t *mac);

/* --- neigh.c
 * ---------------------------------------------------------------------------------------------- */

#define NEIGH_MAX_ENTRIES   1024u
#define NEIGH_MAX_PACKETS   8u           /**< waiting for one neighbour */
#define NEIGH_MAX_BYTES     (128u << 10) /**< waiting for one neighbour */
#define NEIGH_MAX_ALL_BYTES (4u << 20)   /**< waiting for all of them */
#define NEIGH_TRIES         3u /**< RFC 4861 §10: MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define NEIGH_RETRANS_US    1000000u  /**< RFC 1122 §2.3.2.1: at most one request a second */
#define NEIGH_REACHABLE_US  30000000u /**< times 0.5 to 1.5 (RFC 4861 §6.3.2) */
#define NEIGH_DELAY_US      5000000u
#define NEIGH_FAILED_US     1000000u /**< how long a failure is remembered */
#define NEIGH_LOCK_US       1000000u /**< a new address is not replaced before (Linux's locktime) */
#define NEIGH_BLOCKED_US    20000u   /**< the request met a blocked device: try again after */

enum neigh_state {
    NEIGH_INCOMPLETE, /**< asked by broadcast, packets wait */
    NEIGH_REACHABLE,
    NEIGH_STALE, /**< usable, unconfirmed */
    NEIGH_DELAY, /**< used while stale: the transport may confirm it */
    NEIGH_PROBE, /**< asked by unicast */
    NEIGH_FAILED,
};

struct neigh_entry {
    struct hash_node node;
    struct list lru; /**< linked exactly while nothing waits: such an entry may be evicted */
    struct stack_timer timer;
    struct ip_addr addr;
    union {
        uint8_t mac[6];
        uint8_t link[ETH_HEADER]; /**< the whole header of packets to it (Linux: hh_cache), which
                                     begins with its address */
    };
    uint8_t state; /**< enum neigh_state */
    uint8_t tries;
    uint64_t reachable_time;  /**< this entry's random share of NEIGH_REACHABLE_US */
    uint64_t reachable_until; /**< REACHABLE reads as STALE from here on */
    uint64_t updated;         /**< when mac was set */
    uint64_t next_request;    /**< the earliest time of another request */
    struct list waiting;      /**< struct held_packet, oldest first */
    uint32_t waiting_count;
    uint32_t waiting_bytes;
};

/** Where the sender of an ARP packet was seen. */
struct neigh_news {
    struct ip_addr addr;
    const uint8_t *mac;
    bool solicited;  /**< a reply, addressed to us alone */
    bool gratuitous; /**< an announcement: passes the lock time */
    bool create;     /**< may make a new entry: the packet asks for us */
};

/**
 * Send f, an IP packet for dst, to its next hop, or keep a copy while that one's address is being
 * asked for. Returns 0, -EHOSTUNREACH (failed recently), -ENOBUFS, or stack_transmit's answer.
 */
int neigh_output(struct stack *st, struct frame *f, struct dst_entry *dst, uint32_t *sent);

/** Take in what an ARP packet says about its sender. */
void neigh_update(struct stack *st, const struct neigh_news *news);

/** The entry for addr, NULL when there is none. */
struct neigh_entry *neigh_find(struct stack *st, const struct ip_addr *addr);

int neigh_init(struct stack *st);
void neigh_destroy(struct stack *st);

/* --- held.c
 * -----------------------------------------------------------------------------------------------
 */

/** A flattened copy of a frame that has to wait; room for an Ethernet header stays free in front.
 */
struct held_packet {
    struct list link;
    struct ip_addr dst;
    uint32_t size;    /**< bytes charged to st->mem */
    uint32_t headers; /**< bytes of headers at data, payload behind */
    uint32_t len;
    uint8_t gso, csum;
    bool ecn, cwr_all;
    uint16_t gso_size, csum_start, csum_offset;
    uint64_t owner;
    uint8_t *data; /**< inside bytes */
    uint8_t bytes[];
};

/** What held_copy would charge for f. */
uint32_t held_size(const struct frame *f);
/** Copy f; NULL without memory. */
struct held_packet *held_copy(struct stack *st, const struct frame *f, const struct ip_addr *dst);
/** Make f refer to the copy, which must outlive it. */
void held_frame(struct held_packet *h, struct frame *f);
void held_free(struct stack *st, struct held_packet *h);

/* --- ipv4.c
 * -----------------------------------------------------------------------------------------------
 */

/** An IPv4 packet behind the Ethernet header of f. */
void ipv4_input(struct stack *st, const struct frame *f, bool link_broadcast);
/** A whole packet for the protocol that it names. */
void ipv4_deliver(struct stack *st, const struct packet *p);
/** A packet of our own to ourselves. */
void ipv4_input_local(struct stack *st, const struct held_packet *h);

/* --- reass.c
 * ----------------------------------------------------------------------------------------------
 */

#define REASS_MAX_DATAGRAMS 64u
#define REASS_MAX_OF_SOURCE 16u
#define REASS_MAX_FRAGMENTS 128u       /**< of one datagram: 64 KiB through links of 576 bytes */
#define REASS_MAX_BYTES     (1u << 20) /**< of all of them */
#define REASS_TIMEOUT_US    60000000u  /**< RFC 1122 §3.3.2: 60 to 120 s */

void reass_init(struct stack *st);
void reass_destroy(struct stack *st);
/** A fragment for us, its header checked. */
void reass_input(struct stack *st, const struct packet *p);

/* --- local.c
 * ---------------------------------------------------------------------------------------------- */

#define LOCAL_MAX_PACKETS 4096u
#define LOCAL_MAX_BYTES   (8u << 20)

/** Queue a copy of f (an IP packet to ourselves) for ip_run_local. Returns 0 or -ENOBUFS. */
int local_output(struct stack *st, const struct frame *f, const struct ip_addr *dst);
void local_destroy(struct stack *st);

/* --- pmtu.c
 * -----------------------------------------------------------------------------------------------
 */

#define PMTU_MAX_ENTRIES 1024u

int pmtu_init(struct stack *st);
void pmtu_destroy(struct stack *st);
/** What is known of the path to dst, which is not ourselves. */
void pmtu_of(struct stack *st, const struct ip_addr *dst, struct path_mtu *out);

/* --- icmp.c
 * -----------------------------------------------------------------------------------------------
 */

#define ICMP_RATE  1000u /**< messages a second */
#define ICMP_BURST 50u

#define ICMP_ECHO_REPLY    0
#define ICMP_UNREACHABLE   3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT      5
#define ICMP_ECHO          8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER     12

#define ICMP_EXCEEDED_REASSEMBLY 1

#define ICMP_UNREACH_PROTOCOL 2
#define ICMP_UNREACH_PORT     3
#define ICMP_UNREACH_NEEDFRAG 4

void icmp_input(struct stack *st, const struct packet *p);

/** Answer p with "destination unreachable", if RFC 1812 §4.3.2.7 and the rate limit allow. */
void icmp_unreachable(struct stack *st, const struct packet *p, uint8_t code);

/** The same with "time exceeded". */
void icmp_time_exceeded(struct stack *st, const struct packet *p, uint8_t code);

/** Fill the token bucket. */
void icmp_init(struct stack *st);

#endif
