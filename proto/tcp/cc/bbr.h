/* SPDX-License-Identifier: MIT */
/*
 * BBR's state, and what its three files call of each other: bbr.c (the algorithm as others see it,
 * and its control of rate and window), bbr_model.c (what is known of the path), bbr_probe.c (the
 * state machine). Sections are those of draft-ietf-ccwg-bbr.
 *
 * Rates are packets per microsecond times 2^24, volumes are packets, gains are in 1/256.
 */
#ifndef TS_PROTO_TCP_CC_BBR_H
#define TS_PROTO_TCP_CC_BBR_H

#include "proto/tcp/tcb.h"

#define BBR_RATE_SHIFT 24
#define BBR_RATE_MAX   (UINT64_C(1) << 34)
#define BBR_GAIN       256u
#define BBR_NO_RATE    UINT64_MAX /**< Infinity */
#define BBR_NO_BOUND   UINT32_MAX /**< Infinity */

#define BBR_MIN_PIPE_CWND      4u
#define BBR_BETA(x)            ((x) / 10 * 7 + (x) % 10 * 7 / 10) /**< 0.7, without overflow */
#define BBR_MIN_RTT_FILTER     UINT64_C(10000000)
#define BBR_PROBE_RTT_DURATION 200000u
#define BBR_FULL_LOSS_COUNT    6u
#define BBR_EXTRA_ACKED_ROUNDS 5u /**< each of two halves of ExtraAckedFilterLen */

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_DOWN,
    BBR_CRUISE,
    BBR_REFILL,
    BBR_UP,
    BBR_PROBE_RTT,
    BBR_NO_STATE
};

enum bbr_ack_phase {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_PROBE_STARTING,
    BBR_ACKS_PROBE_FEEDBACK,
    BBR_ACKS_PROBE_STOPPING
};

/** What was in flight when a packet was sent, and what has been lost since. */
struct bbr_flight {
    uint32_t tx_in_flight, lost;
    bool app_limited;
};

struct bbr {
    uint8_t state, ack_phase, undo_state;
    bool has_rtt; /**< the first pacing rate knew a round trip */

    /* rounds */
    uint32_t next_round_delivered, round_count, rounds_since_probe_up, drain_start_round;
    bool round_start;

    /* rate */
    uint64_t sample;    /**< of this ACK, 0: none */
    uint64_t bw;        /**< what is used */
    uint64_t max_bw[2]; /**< of the last and of this probing cycle */
    uint64_t bw_latest, bw_shortterm;

    /* volume */
    uint32_t inflight_latest, inflight_shortterm, inflight_longterm;
    uint32_t extra_acked[2], extra_acked_rounds, extra_acked_delivered;
    uint64_t extra_acked_start;
    uint8_t extra_acked_slot;

    /* loss */
    uint32_t loss_round_delivered, lost_end_seq;
    uint32_t tolerance_delivered, tolerance_lost; /**< counts when this round of losses began */
    uint8_t loss_events;
    bool loss_round_start, loss_in_round;

    /* full pipe */
    uint64_t full_bw;
    uint8_t full_bw_count;
    bool full_bw_now, full_bw_reached;
    uint32_t
        window_ruled; /**< until so many are delivered the peer's window was the limit; 0: no */

    /* probing for bandwidth */
    uint64_t cycle_stamp;
    uint32_t probe_wait_us;
    uint32_t probe_up_acked_per_inc, probe_up_acked;
    uint8_t probe_up_rounds;
    bool is_probe_sample, prev_probe_too_high, prev_probe_precautionary;

    /* probing for the round trip */
    uint32_t min_rtt_us, probe_rtt_cwnd;
    uint64_t min_rtt_stamp, probe_rtt_done; /**< 0: not yet low enough */
    bool min_rtt_expired, probe_rtt_round_done, idle_restart;

    /* what a spurious recovery gives back */
    uint64_t undo_bw_shortterm;
    uint32_t undo_inflight_shortterm, undo_inflight_longterm, prior_cwnd;
    bool in_episode; /**< saved for the present recovery … */
    bool can_undo;   /**< … which has not been taken back */
};

static inline struct bbr *bbr_of(const struct tcb *tp)
{
    return (struct bbr *)(uintptr_t)tp->cc_private[0];
}

static inline uint32_t bbr_min(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

static inline uint32_t bbr_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static inline bool bbr_in_probe_bw(const struct bbr *b)
{
    return b->state >= BBR_DOWN && b->state <= BBR_UP;
}

/** IsProbingBW(): losses are to be expected. */
static inline bool bbr_is_probing(const struct bbr *b)
{
    return b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
}

static inline uint64_t bbr_max_bw(const struct bbr *b)
{
    return b->max_bw[0] > b->max_bw[1] ? b->max_bw[0] : b->max_bw[1];
}

/* bbr.c */
/** What the rate `bw` carries in a round trip, times gain; the initial window while that is
 * unknown. */
uint32_t bbr_bdp(const struct tcb *tp, const struct bbr *b, uint64_t bw, uint32_t gain);
/** The same as a window: room for bursts and pipelining. */
uint32_t bbr_inflight(const struct tcb *tp, const struct bbr *b, uint64_t bw, uint32_t gain);
uint32_t bbr_inflight_with_headroom(const struct bbr *b);
uint32_t bbr_target_inflight(const struct tcb *tp, const struct bbr *b);
void bbr_set_pacing_rate(struct tcb *tp, const struct bbr *b, uint32_t gain);
void bbr_save_cwnd(const struct tcb *tp, struct bbr *b);
void bbr_restore_cwnd(struct tcb *tp, const struct bbr *b);

/* bbr_model.c */
void bbr_update_latest_signals(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_advance_latest_signals(struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_update_congestion_signals(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_reset_congestion_signals(struct bbr *b);
void bbr_reset_shortterm(struct bbr *b);
void bbr_update_ack_aggregation(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_check_full_bw(const struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_reset_full_bw(struct bbr *b);
void bbr_advance_max_bw(struct bbr *b);
void bbr_bound_bw(struct bbr *b);
void bbr_start_round(struct tcb *tp, struct bbr *b);
/** A recovery begins: remember what an undo gives back. */
void bbr_save_state(const struct tcb *tp, struct bbr *b);
void bbr_note_loss(struct tcb *tp, struct bbr *b);
bool bbr_is_inflight_too_high(const struct tcb *tp, const struct bbr_flight *f);
struct bbr_flight bbr_flight_of_sample(const struct tcb *tp, const struct tcp_rate_sample *rs);

/* bbr_probe.c */
void bbr_enter_startup(struct bbr *b);
void bbr_check_startup_done(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_check_drain_done(struct tcb *tp, struct bbr *b);
void bbr_update_probe_bw(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_update_min_rtt(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_check_probe_rtt(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs);
void bbr_check_probe_rtt_done(struct tcb *tp, struct bbr *b);
/** A probe for bandwidth lost too much. */
void bbr_handle_inflight_too_high(struct tcb *tp, struct bbr *b, const struct bbr_flight *f);
/** The recovery was spurious: probe on where it began. */
void bbr_resume_probe(struct tcb *tp, struct bbr *b);

#endif
