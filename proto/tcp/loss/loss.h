/* SPDX-License-Identifier: MIT */
/*
 * What the rooms of proto/tcp/ may call of loss/: round trips, time-outs, loss detection and
 * recovery.
 *
 * An ACK passes here in this order (linux-sender §9): SACK blocks are tagged (sack.c), acknowledged
 * segments leave the scoreboard (input/ack.c), the round trip is measured (rtt.c), RACK looks for
 * losses (rack.c), a loss probe may end (tlp.c), the state machine decides (recovery.c), the window
 * follows (prr.c, cc/).
 */
#ifndef TS_PROTO_TCP_LOSS_LOSS_H
#define TS_PROTO_TCP_LOSS_LOSS_H

#include "proto/tcp/output/output.h"
#include "proto/tcp/tcb.h"

/** What one ACK has done so far. */
struct tcp_ack_state {
    uint32_t prior_una, prior_in_flight, prior_delivered, prior_lost, prior_delivered_ce;
    uint32_t prior_sacked_out, prior_highest_sacked;
    uint32_t acked_packets; /**< by this ACK, cumulatively */
    uint32_t acked_bytes;
    uint8_t prior_ca_state;
    bool una_advanced;
    bool data; /**< the segment carried payload */
    bool window_changed;
    bool old;            /**< below snd_una: only its SACK blocks are of use */
    bool timer_kept;     /**< RACK has armed the timer: it is not armed anew */
    bool rearm;          /**< the timer is to be armed anew */
    bool retrans_lost;   /**< a retransmission was found lost */
    bool ece;            /**< congestion was signalled by ECN */
    bool newer;          /**< its timestamp is newer than any before: no older ACK came late */
    bool new_sack;       /**< a segment was newly SACKed */
    bool dsack;          /**< the first block was a D-SACK … */
    bool dsack_tlp;      /**< … of the loss probe */
    bool retrans_acked;  /**< a retransmitted segment was cumulatively acknowledged */
    bool orig_delivered; /**< data up to high_seq that was never retransmitted was newly
                            acknowledged or SACKed (F-RTO) */
    bool renege;         /**< the peer has given up data that it had SACKed */
    bool has_tsecr;
    uint32_t tsecr;       /**< the timestamp that the ACK echoes */
    bool hole_filled;     /**< something sent once was acknowledged … */
    uint32_t hole_seq;    /**< … from here on */
    uint32_t reorder_seq; /**< lowest never-retransmitted sequence delivered late; valid with
                             `reordered` */
    bool reordered;
    uint64_t oldest_sent;      /**< cumulatively acknowledged, sent once: 0: none */
    uint64_t newest_sent;      /**< of the same; for RACK and the algorithms' RTT */
    uint64_t oldest_sack_sent; /**< newly SACKed, sent once: 0: none */
    uint64_t newest_sack_sent;
    int64_t rtt_us; /**< sample of this ACK, -1: none */
    struct tcp_rate_sample rate;
};

/** What an ACK begins with. */
static inline struct tcp_ack_state tcp_ack_begin(const struct tcb *tp)
{
    return (struct tcp_ack_state){.prior_una = tp->snd_una,
                                  .prior_in_flight = tcp_in_flight(tp),
                                  .prior_delivered = tp->delivered,
                                  .prior_delivered_ce = tp->delivered_ce,
                                  .prior_lost = tp->lost_total,
                                  .prior_sacked_out = tp->sacked_out,
                                  .prior_highest_sacked =
                                      tp->sacked_out ? tp->highest_sacked : tp->snd_una,
                                  .prior_ca_state = tp->ca_state,
                                  .rtt_us = -1,
                                  .rate.rtt_us = -1};
}

/** True: a duplicate ACK (RFC 5681 §2), or, on a SACK connection, one with news (RFC 6675 §2). */
static inline bool tcp_ack_is_dup(const struct tcp_ack_state *as)
{
    return !as->una_advanced && !as->data && !as->window_changed && !as->dsack && !as->old;
}

/* loss/scoreboard.c: the retransmission queue and its marks; every count of packets in flight
 * changes here and nowhere else */
struct segment *scoreboard_first(const struct tcb *tp);
struct segment *scoreboard_last(const struct tcb *tp);
struct segment *scoreboard_next(const struct tcb *tp, const struct segment *seg);
/** The segment that holds seq, or NULL. Logarithmic in the number of segments. */
struct segment *scoreboard_find(const struct tcb *tp, uint32_t seq);
/** The lowest lost segment that has not been sent again, or NULL. */
struct segment *scoreboard_first_lost(const struct tcb *tp);
/** seg leaves the send queue: it is in flight. */
void scoreboard_add(struct tcb *tp, struct segment *seg);
/** seg is acknowledged: it leaves all queues and is freed. */
void scoreboard_remove(struct tcb *tp, struct segment *seg);
/** seg was cut, `rest` is what follows; `before`: its packets until then. */
void scoreboard_split(struct tcb *tp, struct segment *seg, struct segment *rest, uint32_t before);
/** seg is about to go again in packets of mss bytes. */
void scoreboard_repack(struct tcb *tp, struct segment *seg, uint32_t mss);
/** The head was acknowledged in part: it now begins at snd_una. Returns the packets that left. */
uint32_t scoreboard_trim_head(struct tcb *tp, struct segment *seg);
void scoreboard_mark_sacked(struct tcb *tp, struct segment *seg);
/** Lost (again): it waits for retransmission. False: it was already waiting, or is SACKed. */
bool scoreboard_mark_lost(struct tcb *tp, struct segment *seg);
/** seg was sent again now. */
void scoreboard_mark_retransmitted(struct tcb *tp, struct segment *seg);
/** seg was (re)transmitted at sent_at: the newest in the order of sending. */
void scoreboard_sent(struct tcb *tp, struct segment *seg);
/** What was marked lost is in flight after all (undo). */
void scoreboard_unmark_lost(struct tcb *tp);
/** Forget what the peer said it holds (RFC 2018 §8: reneging); everything is lost. */
void scoreboard_renege(struct tcb *tp);
/** Join SACKed neighbours, so that a long run costs one segment. Returns the joined one. */
struct segment *scoreboard_merge_sacked(struct tcb *tp, struct segment *seg);
/** The connection is over. */
void scoreboard_clear(struct tcb *tp);

/* loss/sack.c: SACK and D-SACK at the sender (RFC 2018, RFC 2883) */
void tcp_sack_input(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as);
/** A never-retransmitted range below the highest SACK was delivered (linux-sender §9). */
void tcp_check_reordering(struct tcb *tp, uint32_t low_seq);
/** The same against a highest SACK that is given. */
void tcp_reordering_below(struct tcb *tp, uint32_t low_seq, uint32_t highest);

/* loss/rack.c: RFC 8985 */
/** seg was delivered: is it the newest that was sent? */
void tcp_rack_advance(struct tcb *tp, const struct segment *seg, const struct tcp_ack_state *as);
/** Mark what must be lost by now; arms the reordering timer for the rest (*timer). True: something
 * was marked. */
bool tcp_rack_mark_lost(struct tcb *tp, bool *timer);
void tcp_rack_update_reo_wnd(struct tcb *tp, const struct tcp_ack_state *as);
void tcp_rack_timer(struct tcb *tp);
/** Was seg sent so long ago that it is lost at a time-out (RFC 8985 §6.3)? */
bool tcp_rack_is_overdue(const struct tcb *tp, const struct segment *seg);
bool tcp_rack_enabled(const struct tcb *tp);

/* loss/rfc6675.c: SACK recovery by counting, for tcp_recovery without RACK */
/** Mark lost what has enough SACKed above it. True: something was marked. */
bool tcp_6675_mark_lost(struct tcb *tp, const struct tcp_ack_state *as);
/** A recovery begins. */
void tcp_6675_begin(struct tcb *tp);
/** Rules 3 and 4 of NextSeg: what may be sent again though nothing says that it is lost. */
void tcp_6675_send_more(struct tcb *tp);

/* loss/tlp.c: the tail loss probe (RFC 8985 §7) */
/** Arm the probe timer instead of the RTO; false: no probe may be armed now. advancing: the RTO
 * would be armed anew. */
bool tcp_schedule_loss_probe(struct tcb *tp, bool advancing);
void tcp_tlp_timer(struct tcb *tp);
/** An ACK has come while a probe is outstanding. */
void tcp_tlp_ack(struct tcb *tp, const struct tcp_ack_state *as);

/* loss/prr.c: proportional rate reduction (RFC 9937) */
/** The response to congestion begins: threshold, marker, counters. */
void tcp_prr_begin(struct tcb *tp, const struct tcp_ack_state *as, bool ece);
/** Set the window after an ACK that delivered so many packets. */
void tcp_prr_ack(struct tcb *tp, const struct tcp_ack_state *as, uint32_t delivered);
void tcp_prr_end(struct tcb *tp);

/* loss/undo.c: spurious reductions (RFC 4015, RFC 3708) */
/** A reduction begins: from now on it is noted what would show that it was needless. */
void tcp_undo_begin(struct tcb *tp);
/** The present reduction cannot be undone. */
void tcp_undo_forget(struct tcb *tp);
bool tcp_may_undo(const struct tcb *tp, const struct tcp_ack_state *as);
/** The ACK was sent before the first retransmission arrived (Eifel detection, RFC 3522). */
bool tcp_is_packet_delayed(const struct tcb *tp, const struct tcp_ack_state *as);
/** Give window and threshold back; `unmark`: what was marked lost is in flight after all. */
void tcp_undo_cwnd(struct tcb *tp, bool unmark);
/** All retransmissions were D-SACKed: undo. */
bool tcp_try_undo_dsack(struct tcb *tp);

/* loss/recovery.c: the state machine (linux-sender §10) */
void tcp_set_ca_state(struct tcb *tp, enum ca_state state);
void tcp_fastretrans_alert(struct tcb *tp, struct tcp_ack_state *as);
/** The peer gave up what it had SACKed: the time-out comes soon, and the ACK is of no other use. */
bool tcp_check_reneging(struct tcb *tp, const struct tcp_ack_state *as);
/** A time-out: slow start begins from one packet (RFC 5681 §3.1). */
void tcp_enter_loss(struct tcb *tp);
/** Losses were found. */
void tcp_enter_recovery(struct tcb *tp, const struct tcp_ack_state *as, bool ece);
/** In recovery, a retransmission was lost: the window is reduced once more (RFC 5681 §4.3). */
void tcp_cut_again(struct tcb *tp, const struct tcp_ack_state *as);
/** The window is to be reduced once for this flight (ECN, a repaired tail). */
void tcp_enter_cwr(struct tcb *tp, const struct tcp_ack_state *as, bool ece);
/** Open, or Disorder while something is SACKed or was sent again. */
void tcp_try_keep_open(struct tcb *tp);
/** Something was retransmitted and is not acknowledged. */
bool tcp_any_retrans_done(const struct tcb *tp);
bool tcp_in_reduction(const struct tcb *tp);
/** A flight's recovery is complete: undo it if it was needless, and open. False: the state is held.
 */
bool tcp_finish_recovery(struct tcb *tp, const struct tcp_ack_state *as);
/** Without SACK the state is held until more than high_seq is acknowledged (RFC 6582 §6): true. */
bool tcp_reno_holds_state(struct tcb *tp);

/* loss/newreno.c: peers without SACK (RFC 6582) */
/** A duplicate: one packet more has left the network. */
void tcp_reno_add_dup(struct tcb *tp, const struct tcp_ack_state *as);
/** A cumulative ACK of so many packets, of which one was the hole. */
void tcp_reno_remove(struct tcb *tp, uint32_t acked);
void tcp_reno_reset(struct tcb *tp);
/** Mark the hole that a third duplicate or a partial ACK names. */
void tcp_reno_mark_lost(struct tcb *tp, bool una_advanced);
/** No more can have left than are in flight with a hole before them. */
void tcp_reno_limit(struct tcb *tp);

/* loss/frto.c: after a time-out (RFC 5682, RFC 4015) */
void tcp_loss_ack(struct tcb *tp, struct tcp_ack_state *as);
/** New data goes before retransmissions now: two segments at most, whatever the ACK covered (RFC
 * 5682 §2.1, step 2b). */
void tcp_frto_limit(struct tcb *tp);
/** New data was tried before retransmissions (RFC 5682 §2.1, step 2b): was there any? */
bool tcp_frto_sent_new(struct tcb *tp);

/* loss/rtt.c: RFC 6298 */
void tcp_rtt_sample(struct tcb *tp, uint32_t rtt_us);
/** The round trip of SYN and SYN-ACK. */
void tcp_rtt_handshake(struct tcb *tp, uint32_t rtt_us);
/** The sample of this ACK, if it has one (RFC 6298 §3, RFC 7323 §4). True: the RTO is valid again.
 */
bool tcp_ack_update_rtt(struct tcb *tp, struct tcp_ack_state *as);
void tcp_rtt_init(struct tcb *tp);
uint32_t tcp_rto_of(const struct tcb *tp);
/** Floor of its variance term, in microseconds: of the destination, else of this connection
 * (TCP_RTO_MIN_US), else tcp_rto_min_us; the order is Linux's (tcp_rto_min). */
uint32_t tcp_rto_min_us(const struct tcb *tp);
/** Look up that of the destination, for a new connection; or for all, when the table has changed.
 * Linux's socket holds its route likewise, and takes another when that is out of date. */
void tcp_rto_min_learn(struct tcb *tp);
void tcp_rto_min_learn_all(struct stack *st);
/** The same without the destination: what getsockopt(TCP_RTO_MIN_US) tells. */
uint32_t tcp_rto_min_of_socket(const struct tcb *tp);

/* loss/rto.c */
void tcp_rearm_rto(struct tcb *tp);
/** The same, counted from the head's last transmission. */
void tcp_rearm_rto_from_head(struct tcb *tp);
/** Loss probe if one may be armed, else the RTO. */
void tcp_rearm_xmit_timer(struct tcb *tp);
void tcp_retransmit_timer(struct tcb *tp);
/** A recovery by time-out is over. */
void tcp_rto_recovered(struct tcb *tp);
bool tcp_timed_out(const struct tcb *tp, uint32_t boundary);

/* loss/rate.c: delivery rate */
void tcp_rate_sent(struct tcb *tp, struct segment *seg);
void tcp_rate_delivered(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as);
void tcp_rate_sample(struct tcb *tp, struct tcp_ack_state *as);
void tcp_rate_check_app_limited(struct tcb *tp);
uint64_t tcp_rate_bytes_per_second(const struct tcb *tp);

/* loss/retransmit.c */
void tcp_xmit_retransmit_queue(struct tcb *tp);
/** The path MTU fell: what is in flight and too large for it goes again, without a penalty (RFC
 * 1191 §6.5). */
void tcp_simple_retransmit(struct tcb *tp);
/** A retransmission was refused: the retry timer. */
void tcp_retry_soon(struct tcb *tp);
/** Send seg again, at most `segs` packets of it. 0, or a negative errno value (nothing went out).
 */
int tcp_retransmit_segment(struct tcb *tp, struct segment *seg, uint32_t segs);

#endif
