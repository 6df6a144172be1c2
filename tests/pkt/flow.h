/* SPDX-License-Identifier: MIT */
/*
 * Connections of a script, by their ports, and the way from the script's numbers to the wire's:
 * sequence numbers count from ISNs, TS val from the first one seen. A line without ports means the
 * current flow: the one named or born last.
 */
#ifndef TS_TESTS_PKT_FLOW_H
#define TS_TESTS_PKT_FLOW_H

#include "tests/pkt/packet.h"

#define FLOW_MAX     64
#define FLOW_TS_PAIR 64

struct flow {
    uint16_t local_port, remote_port;
    uint32_t local_off, remote_off; /**< wire = script + offset */
    bool local_known;               /**< our ISN was seen */
    uint32_t epoch;                 /**< connect() calls before it was learnt */
    uint32_t syn_seq;               /**< of the SYN that the script injected last */
    bool syn_seen, ts_known;
    uint32_t ts_off; /**< wire TS val = script's + offset */
    unsigned n_ts;
    struct {
        uint32_t script, wire;
    } ts[FLOW_TS_PAIR]; /**< the last TS vals, for ecr; a ring */
};

struct flows {
    struct flow flow[FLOW_MAX];
    int n, current; /**< current -1: none yet */
    uint32_t epoch; /**< connect() calls so far */
    uint32_t remote_isn;
    uint16_t bind_port;
};

void flows_init(struct flows *f, uint32_t remote_isn, uint16_t bind_port);
struct flow *flow_find(struct flows *f, uint16_t local_port, uint16_t remote_port);
/** The flow of an injected packet; born if need be. NULL: too many. Fills in the packet's ports. */
struct flow *flow_of_input(struct flows *f, struct pkt_packet *p);
/** The flow of a packet that came out; born if need be. */
struct flow *flow_of_output(struct flows *f, const struct pkt_packet *got);
void flow_make_current(struct flows *f, const struct flow *flow);

/** Before injecting p: remember its ISN, map its TS ecr to the wire's. */
void flow_input(struct flow *flow, struct pkt_packet *p);
/**
 * A packet came out where the script expects `want` (NULL: nothing): learn our ISN and TS offset
 * from it, and turn `got` into the script's numbers. Returns true when TS val was known before, so
 * that it can be compared.
 */
bool flow_output(struct flows *f, struct flow *flow, const struct pkt_packet *want,
                 struct pkt_packet *got);

#endif
