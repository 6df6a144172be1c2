/* SPDX-License-Identifier: MIT */
/* A half-open connection of a listener: a small record, not a socket (RFC 4987 §3.2's SYN cache).
 */
#ifndef TS_PROTO_TCP_CONN_REQUEST_H
#define TS_PROTO_TCP_CONN_REQUEST_H

#include "proto/tcp/tcp.h"

struct tcp_request {
    struct tcp_conn conn;
    struct list link; /**< in listener.requests, oldest first */
    struct sock *listener;
    struct stack_timer timer;
    uint32_t irs, iss;
    uint32_t rcv_wnd, window_clamp;
    uint32_t ts_recent, ts_offset;
    uint64_t answered_at; /**< last SYN-ACK or ACK, for the rate limit */
    uint64_t sent_at;     /**< first SYN-ACK: round-trip sample when nothing was resent */
    uint16_t peer_mss;    /**< 0: none given */
    uint16_t advmss;
    uint16_t pmtu;
    uint16_t uto; /**< the SYN's user timeout option, 0: none */
    uint8_t snd_wscale, rcv_wscale, retries, tos, ttl;
    bool wscale_ok, ts_ok, sack_ok;
    uint8_t ecn;      /**< enum tcp_ecn_mode */
    uint8_t syn_ecn;  /**< ECN field of the SYN */
    bool ecn_none;    /**< one side has since said that it does without */
    bool repeated;    /**< the SYN has come again */
    bool cookie;      /**< it lay in the SYN-ACK (cookie.c): how long that took is not known */
    bool stored;      /**< in the SYN queue */
    bool acked;       /**< a bare ACK came while TCP_DEFER_ACCEPT waits for data */
    uint8_t timeouts; /**< retries, and the time-outs that sent nothing while data was awaited */
    bool refused;     /**< the device had no room for the last SYN-ACK: that was no attempt */
};

/* request.c */
/** It is half open from now on: into the SYN queue and the table. */
void tcp_request_store(struct stack *st, struct tcp_request *req);
/** Send the SYN-ACK, and wait for the answer. */
void tcp_request_answer(struct stack *st, struct tcp_request *req);
/** Wait for the answer, one time-out. */
void tcp_request_wait(struct stack *st, struct tcp_request *req);

/* listen.c */
struct listener;
/** No room for another connection that its program has not accepted; counted. */
bool tcp_accept_queue_is_full(struct stack *st, const struct listener *l);

/* child.c */
/** The connection that req has become by seg: established, and in the accept queue; req is gone.
 * NULL: no memory, and the record stays. */
struct tcb *tcp_child_new(struct stack *st, struct tcp_request *req, const struct tcp_seg *seg);

#endif
