/* SPDX-License-Identifier: MIT */
/* HyStart++ (hystart.c), for the algorithms in this folder. */
#ifndef TS_PROTO_TCP_CC_HYSTART_H
#define TS_PROTO_TCP_CC_HYSTART_H

#include "proto/tcp/tcb.h"

enum hystart_phase { HYSTART_OFF, HYSTART_SLOW_START, HYSTART_CSS };

struct hystart {
    uint32_t window_end;         /**< the round is over when this is acknowledged */
    uint32_t last_min_us;        /**< smallest round trip of the last round, UINT32_MAX: none */
    uint32_t cur_min_us;         /**< … of this round */
    uint32_t css_base_us;        /**< … when conservative slow start began */
    uint32_t round_at, train_at; /**< begin of the round, last ACK of its train; us, modulo 2^32 */
    uint16_t css_leftover;       /**< packets that have not yet made one of growth */
    uint8_t samples;             /**< in this round, at most HYSTART_SAMPLES */
    uint8_t css_rounds;
    uint8_t phase; /**< enum hystart_phase */
    bool begun;    /**< the first round has its end */
    bool in_train; /**< the first ACK of this round has come */
};

#define HYSTART_SAMPLES      8     /**< N_RTT_SAMPLE */
#define HYSTART_MIN_THRESH   4000  /**< MIN_RTT_THRESH, us */
#define HYSTART_MAX_THRESH   16000 /**< MAX_RTT_THRESH, us */
#define HYSTART_DIVISOR      8     /**< MIN_RTT_DIVISOR */
#define HYSTART_CSS_ROUNDS   5
#define HYSTART_LEAST_WINDOW 16   /**< below that a train says nothing, packets */
#define HYSTART_TRAIN_GAP    2000 /**< ACKs no farther apart are one train, us */

/** The connection begins; only its first slow start counts (RFC 9406 §4.3). */
void hystart_init(struct hystart *h, const struct tcb *tp);
/** There was a loss, an ECN mark, a time-out: the first slow start is over. */
void hystart_stop(struct hystart *h);
/** What ended it was needless, and slow start goes on. */
void hystart_resume(struct hystart *h, const struct tcb *tp);
/** An ACK delivered something. May end slow start: ssthresh becomes cwnd. */
void hystart_acked(struct hystart *h, struct tcb *tp, int64_t rtt_us);
/** By how much `acked` packets may let the window grow. */
uint32_t hystart_growth(struct hystart *h, const struct tcb *tp, uint32_t acked);

#endif
