/* SPDX-License-Identifier: MIT */
/*
 * The emulated link's eye: what both senders are judged by. It reads TCP's headers (IPv4, RFC 9293
 * §3.1) where frames enter the link. A sender emits new bytes in order, so whatever lies below the
 * highest sequence number seen of a flow was sent before. A flow begins with a SYN that has a
 * sequence number of its own.
 */
#ifndef TS_TESTS_NET_RELAY_COUNT_H
#define TS_TESTS_NET_RELAY_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct relay_counters {
#define RELAY_COUNTER(name, meaning) uint64_t name;
#include "tests/net/relay_counters.def"
#undef RELAY_COUNTER
};

struct relay_flow {
    uint32_t key[3]; /* addresses, ports */
    uint32_t syn;    /* its sequence number */
    uint32_t end;    /* highest sequence number seen */
    uint32_t number; /* from 1 on, in order of appearance */
    uint32_t frames;
    bool used;
};

#define RELAY_FLOWS 4096 /* a power of two */

/** Of one direction. */
struct relay_eye {
    struct relay_counters n;
    struct relay_flow flow[RELAY_FLOWS]; /* hashed by addresses and ports; the last one of these */
    uint32_t others;                     /* frames that are of no flow */
};

struct relay_seen {
    bool ip;       /* not: ARP and the like */
    bool data;     /* TCP payload */
    uint32_t flow; /* 0: none; else by number, from 1 on, in order of appearance */
    uint32_t nth;  /* frame of that flow, from 0 on */
};

/** Count a frame that enters the link. */
struct relay_seen relay_eye_see(struct relay_eye *e, const uint8_t *frame, size_t len);

#endif
