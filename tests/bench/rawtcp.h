/* SPDX-License-Identifier: MIT */
/*
 * The least TCP that a kernel on the other side of a TAP interface takes for one: one connection,
 * IPv4, no recovery but going back. For measuring the interface; see raw.c.
 */
#ifndef TS_TESTS_BENCH_RAWTCP_H
#define TS_TESTS_BENCH_RAWTCP_H

#include "tests/bench/link.h"

#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#define RAWTCP_FIN         1
#define RAWTCP_PSH         8
#define RAWTCP_PAYLOAD_MAX (65535u - 20 - 32)

/* What stands before the payload; a SYN's options are longer. */
struct rawtcp_header {
    struct virtio_net_hdr virtio;
    struct ether_header ether;
    struct iphdr ip;
    struct tcphdr tcp;
    uint8_t options[20];
} __attribute__((packed));

struct rawtcp {
    int tap;
    bool frames; /**< no offload: a frame is one segment with all its checksums */
    bool established, ended;
    uint32_t mss;
    uint32_t una, nxt, high; /**< what we send: unacknowledged, next, never sent */
    uint32_t window;         /**< the peer's */
    uint32_t due, acked;     /**< what we receive: the next one, and what we said */
    uint32_t stamp;          /**< the peer's newest timestamp */
    uint64_t received;       /**< bytes, in order */
    unsigned shift;          /**< of the peer's window */
    unsigned resent;         /**< times that we went back */
    const void *summed;      /**< a payload whose checksum is known */
    uint32_t summed_len, sum;
    struct rawtcp_header header;
};

/** Open the interface; ends the process on failure, as all of these do. */
void rawtcp_open(struct rawtcp *t, const char *tap, const char *address, const char *peer,
                 uint16_t port, bool frames);
void rawtcp_syn(struct rawtcp *t);
/** One segment, which must have room in the peer's window; flags: RAWTCP_PSH, RAWTCP_FIN, or 0. */
void rawtcp_send(struct rawtcp *t, uint8_t flags, const void *data, uint32_t len);
/** So many bytes may be sent now. */
uint32_t rawtcp_room(const struct rawtcp *t);
/** The payload that is going to be sent again and again. */
void rawtcp_checksummed(struct rawtcp *t, const void *data, uint32_t len);
/** Take one frame; whether there was one. */
bool rawtcp_input(struct rawtcp *t);
/** Acknowledge what is new. */
void rawtcp_acknowledge(struct rawtcp *t);
/** Sleep until there is a frame, at most so many milliseconds. */
void rawtcp_sleep(const struct rawtcp *t, int ms);
/** Nothing has come for a while: if something is unacknowledged, nxt goes back there. What is then
 * sent does not matter, as all bytes are alike. */
void rawtcp_resend(struct rawtcp *t);

#endif
