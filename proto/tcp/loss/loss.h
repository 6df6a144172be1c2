/* SPDX-License-Identifier: MIT */
/* What the rooms of proto/tcp/ may call of loss/: round trips, time-outs, loss detection and
 * recovery. */
#ifndef TS_PROTO_TCP_LOSS_LOSS_H
#define TS_PROTO_TCP_LOSS_LOSS_H

#include "proto/tcp/tcb.h"

/* loss/rtt.c: RFC 6298 */
void tcp_rtt_sample(struct tcb *tp, uint32_t rtt_us);
void tcp_rtt_init(struct tcb *tp);
uint32_t tcp_min_rtt(const struct tcb *tp);
uint32_t tcp_rto_of(const struct tcb *tp);
/* input/icmp.c: the "too big" that waited for a time-out is believed now */
void tcp_ptb_believe(struct tcb *tp);
/* loss/rto.c */
void tcp_rearm_rto(struct tcb *tp);
void tcp_retransmit_timer(struct tcb *tp);
/** A recovery by time-out is over. */
void tcp_rto_recovered(struct tcb *tp);
bool tcp_timed_out(const struct tcb *tp, uint32_t boundary);
/* loss/newreno.c: RFC 6582 in Linux's packet counting */
void tcp_enter_loss(struct tcb *tp);
struct tcp_ack_state {
    uint32_t prior_una, prior_in_flight;
    uint32_t acked_packets; /**< by this ACK, cumulatively */
    uint32_t acked_bytes;
    bool dup, una_advanced, retrans_acked;
    uint8_t prior_ca_state;
    struct {
        bool valid, app_limited;
        uint32_t delivered, end_seq;
        uint64_t delivered_at, send_span;
    } rate;               /**< of the newly acknowledged packet that was sent last */
    uint64_t oldest_sent; /**< of the newly acknowledged, never retransmitted segments; 0: none */
};
void tcp_cong_control(struct tcb *tp, const struct tcp_ack_state *as);
void tcp_fastretrans_alert(struct tcb *tp, const struct tcp_ack_state *as);
/* loss/rate.c: delivery rate */
void tcp_rate_sent(struct tcb *tp, struct segment *seg);
void tcp_rate_acked(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as);
void tcp_rate_sample(struct tcb *tp, const struct tcp_ack_state *as, uint32_t prior_delivered);
void tcp_rate_check_app_limited(struct tcb *tp);
uint64_t tcp_rate_bytes_per_second(const struct tcb *tp);
/* loss/retransmit.c */
void tcp_xmit_retransmit_queue(struct tcb *tp);
/** The path MTU fell: what is in flight and too large for it goes again, without a penalty (RFC
 * 1191 §6.5). */
void tcp_simple_retransmit(struct tcb *tp);
/** Send seg again, at most `segs` packets of it. 0, or a negative errno value (nothing went out).
 */
int tcp_retransmit_segment(struct tcb *tp, struct segment *seg, uint32_t segs);

#endif
