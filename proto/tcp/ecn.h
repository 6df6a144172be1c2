/* SPDX-License-Identifier: MIT */
/*
 * Explicit congestion notification, as the rooms of proto/tcp/ call it: negotiation (conn/ecn.c),
 * the receiver (input/ecn.c), what goes out (output/ecn.c), the sender (loss/ecn.c), and the
 * accurate feedback that replaces ECE and CWR where both ends want it (accecn.c).
 */
#ifndef TS_PROTO_TCP_ECN_H
#define TS_PROTO_TCP_ECN_H

#include "proto/tcp/loss/loss.h"
#include "proto/tcp/tcb.h"

struct tcp_request;

#define TH_ACE (TH_AE | TH_CWR | TH_ECE)

/** The three flags as one number (RFC 9768 §3.2.2). */
static inline uint8_t tcp_ace(uint16_t flags)
{
    return (uint8_t)((flags & TH_AE ? 4 : 0) | (flags & TH_CWR ? 2 : 0) | !!(flags & TH_ECE));
}

static inline uint16_t tcp_ace_flags(uint32_t ace)
{
    return (uint16_t)((ace & 4 ? TH_AE : 0) | (ace & 2 ? TH_CWR : 0) | (ace & 1 ? TH_ECE : 0));
}

/* conn/ecn.c: RFC 3168 §6.1.1, RFC 9768 §3.1 */
/** An attempt to connect begins. */
void tcp_ecn_open(struct tcb *tp);
/** The flags of our SYN, or of the SYN-ACK of a simultaneous open, as it goes out now. */
uint16_t tcp_ecn_syn_flags(struct tcb *tp, const struct segment *syn);
void tcp_ecn_synack_received(struct tcb *tp, const struct tcp_seg *seg);
/** Simultaneous open. */
void tcp_ecn_crossing_syn(struct tcb *tp, const struct tcp_seg *seg);
/** A reset answers our SYN: true, it is to be asked again without ECN (§6.1.1.1). */
bool tcp_ecn_retry_after_reset(struct tcb *tp);
/** A listener got a SYN: what do we agree to? */
void tcp_ecn_syn_received(const struct stack *st, struct tcp_request *req,
                          const struct tcp_seg *seg);
/** The same SYN again. False: it asks for another kind of feedback, the connection is to be reset
 * (RFC 9768 §3.1.5). */
bool tcp_ecn_syn_again(struct tcp_request *req, const struct tcp_seg *seg);
uint16_t tcp_ecn_synack_flags(const struct stack *st, struct tcp_request *req);
/** Of a bare ACK before the connection is made. */
uint16_t tcp_ecn_request_ack_flags(const struct tcp_request *req);
/** Does this SYN-ACK carry AccECN's option? */
bool tcp_ecn_synack_option(const struct stack *st, const struct tcp_request *req);
/** The ACK that brings a cookie back: what did we agree to? */
void tcp_ecn_from_cookie(const struct stack *st, struct tcp_request *req, bool ecn_ok,
                         const struct tcp_seg *seg);
/** The final ACK makes the connection. */
void tcp_ecn_child(struct tcb *tp, const struct tcp_request *req, const struct tcp_seg *seg);
/** SYN or SYN-ACK again, on a synchronised connection. True: it speaks of another kind of feedback,
 * and the connection is to be reset (RFC 9768 §3.1.5). */
bool tcp_ecn_handshake_again(struct tcb *tp, const struct tcp_seg *seg);

/* input/ecn.c: RFC 3168 §6.1.3 */
/** Data in the window: does it carry CWR? Before its CE is looked at. */
void tcp_ecn_accept_cwr(struct tcb *tp, const struct tcp_seg *seg);
/** … or CE? */
void tcp_ecn_check_ce(struct tcb *tp, const struct tcp_seg *seg);

/* output/ecn.c: RFC 3168 §6.1.2 */
/** Flags of a segment that is no SYN; `fresh`: with data that goes out for the first time. `bare`:
 * no data and no SACK blocks. */
uint16_t tcp_ecn_flags(const struct tcb *tp, bool fresh, bool bare);
/** ECT(0), or nothing. */
uint8_t tcp_ecn_codepoint(const struct tcb *tp, bool fresh);
/** A segment with these flags has gone out. */
void tcp_ecn_sent(struct tcb *tp, uint16_t flags);

/* loss/ecn.c: RFC 3168 §6.1.2 */
/** This ACK has delivered what it delivers: does it tell of congestion? Sets as->ece. */
void tcp_ecn_ack(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as);
/** The window was reduced: the peer is to know. */
void tcp_ecn_queue_cwr(struct tcb *tp);
/** … needlessly. */
void tcp_ecn_withdraw_cwr(struct tcb *tp);
/** Congestion at a window of one packet: it is sent by the time-out from now on. */
void tcp_ecn_hold(struct tcb *tp);

/* accecn.c: RFC 9768 §3.2 */
void tcp_accecn_pool_init(struct stack *st);
/** The counters begin. False: no memory, the connection goes without ECN. */
bool tcp_accecn_init(struct tcb *tp);
void tcp_accecn_free(struct tcb *tp);
/** The handshake's encoding of an ECN field, on SYN-ACK and its ACK (tables 2 and 3). */
uint16_t tcp_accecn_handshake_flags(uint8_t ecn);
/** … and back. */
uint8_t tcp_accecn_handshake_ecn(uint8_t ace);
/** An acceptable segment has come. */
void tcp_accecn_received(struct tcb *tp, const struct tcp_seg *seg);
/** … and its feedback; `packets` were newly delivered. Returns how many more had CE. */
uint32_t tcp_accecn_feedback(struct tcb *tp, const struct tcp_seg *seg, uint32_t packets,
                             bool superseded);
/** An option has come: bytes that newly had CE; -1: it does not tell. */
int64_t tcp_accecn_option(struct tcb *tp, const struct accecn_option *o);
/** The first segment of a peer: is it what we sent (§3.2.2.3, §3.2.2.4)? */
void tcp_accecn_first(struct tcb *tp, const struct tcp_seg *seg, bool handshake);
/** Bytes of `room` that the option takes in the next segment, with its padding; SACK blocks come
 * first (§3.2.3.3). */
uint32_t tcp_accecn_space(const struct tcb *tp, uint32_t room);
/** Write it (`space` bytes). */
void tcp_accecn_put(const struct tcb *tp, uint8_t *p, uint32_t space);
/** The same for a SYN-ACK: ACCECN_SYNACK_SPACE bytes. */
void tcp_accecn_put_initial(uint8_t *p);
#define ACCECN_SYNACK_SPACE 12u
/** A segment has gone out, with the option or without. */
void tcp_accecn_sent(struct tcb *tp, bool option);

#endif
