/* SPDX-License-Identifier: MIT */
/*
 * A network layer alone: real frames go in through eth_input, what comes out is recorded. What the
 * layer needs from above and below (tcp_input, tcp_icmp_input, tcp_host_unreachable,
 * stack_transmit) is defined in fixture.c, so a program that uses it needs from libproto.a only
 * base/, ip/ and frame*.o.
 */
#ifndef TS_TESTS_UNIT_IP_FIXTURE_H
#define TS_TESTS_UNIT_IP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/ip/ip_internal.h"

#define FX_FRAMES 2048
#define FX_BYTES  2048 /**< of a frame that are kept */
#define FX_SECOND 1000000u

/** One recorded frame. */
struct fx_frame {
    uint8_t data[FX_BYTES];
    uint32_t len, headers; /**< whole frame; what lay in data */
    uint8_t gso, csum;
    uint16_t gso_size, csum_start;
    uint64_t owner;
};

struct fixture {
    struct stack st;
    struct stack_ops ops;
    int transmit_error; /**< what transmit answers; the frame is then not recorded */
    struct fx_frame out[FX_FRAMES];
    unsigned n_out; /**< may be more than were recorded */

    unsigned n_tcp;
    struct packet tcp; /**< the last one; its pointers go into tcp_bytes */
    uint8_t tcp_bytes[70000];
    void (*on_tcp)(void); /**< called from tcp_input */
    unsigned n_icmp;
    struct icmp_error icmp; /**< the last one */
    bool icmp_matches;
    unsigned n_unreachable;
    struct ip_addr unreachable[64];

    uint64_t alloc_calls, alloc_fail_at; /**< the call that fails, from 1; 0 for none */
    bool alloc_fail_all;
};

extern struct fixture fx;

extern const uint8_t fx_mac[6];   /**< ours: 02:00:00:00:00:01, 10.0.0.1/24, gateway 10.0.0.254 */
extern const uint8_t fx_peer[6];  /**< of 10.0.0.2 */
extern const uint8_t fx_other[6]; /**< of nobody in particular */

/** Setup and teardown of one test; teardown asserts that all memory came back. */
int fx_setup(void **state);
int fx_teardown(void **state);

struct ip_addr fx_addr(const char *text);

/** Hand the stack an exact copy of the bytes, on the heap so that a read past the end is seen. */
void fx_input(const void *bytes, uint32_t len);
/** The same with offload marks: f's data and len are replaced. */
void fx_input_offload(struct frame f, const void *bytes, uint32_t len);

/** Let time pass, firing neighbour timers at their times. */
void fx_run_until(uint64_t t);
static inline void fx_run(uint64_t us)
{
    fx_run_until(fx.st.now + us);
}

/** Forget recorded frames. */
static inline void fx_clear(void)
{
    fx.n_out = 0;
}

#define fx_count(name) (fx.st.counters.v[CNT_##name])

/** Build an ARP frame; returns its length. eth_dst NULL: broadcast. */
uint32_t fx_arp(uint8_t *out, const uint8_t *eth_dst, unsigned op, const uint8_t *sha,
                const char *spa, const char *tpa);
/** Build and input. */
void fx_arp_input(const uint8_t *eth_dst, unsigned op, const uint8_t *sha, const char *spa,
                  const char *tpa);

/** Build an IPv4 frame to our MAC with payload; options_len must be a multiple of 4. Returns its
 * length. */
uint32_t fx_ipv4(uint8_t *out, const char *src, const char *dst, uint8_t proto, const void *options,
                 uint32_t options_len, const void *payload, uint32_t len);
/** Make the header checksum of an IPv4 frame right again. */
void fx_ipv4_checksum(uint8_t *frame);
/** Make the checksum of an ICMP message right again. */
void fx_icmp_checksum(uint8_t *message, uint32_t len);

/** Send a TCP-like packet of `len` payload bytes (20 header bytes in front) to dst; returns
 * ip_output's answer. */
int fx_send(const char *dst, uint32_t len);

/** True when recorded frame i is an ARP request; checks its form. */
bool fx_is_arp_request(unsigned i, const char *for_addr, bool broadcast);

/** The one's complement sum in the plainest way (RFC 1071 §1): 0 for data that includes its right
 * checksum. */
uint16_t fx_naive_checksum(const uint8_t *p, size_t n, uint32_t start);

#endif
