/* SPDX-License-Identifier: MIT */
/*
 * Congestion control: what an algorithm is (struct tcp_cc_ops, one file each), what it is told
 * (struct tcp_rate_sample), and the window's keeper around the algorithms (cwnd.c).
 *
 * Windows are counted in packets of mss_cache bytes, as in Linux. Reductions at a loss are made by
 * loss/prr.c towards the threshold that ssthresh() names, unless the algorithm has a cong_control()
 * of its own: then the window and the pacing rate are its alone, in every state.
 */
#ifndef TS_PROTO_TCP_CC_CC_H
#define TS_PROTO_TCP_CC_CC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcb;
struct segment;
struct stack;

/** What the sender believes about the network (linux-sender §10). */
enum ca_state { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

/** What happens to a connection that an algorithm may want to know. */
enum tcp_cc_event {
    TCP_CC_TX_START,     /**< first transmission with nothing in flight */
    TCP_CC_CWND_RESTART, /**< the window was restarted after idle time */
    TCP_CC_CWR_DONE,     /**< a reduction has reached ssthresh */
    TCP_CC_LOSS,         /**< retransmission time-out */
    TCP_CC_ECN_CE,       /**< data with CE came in */
    TCP_CC_ECN_NOT_CE,
};

/** A delivery rate sample, made by each ACK that delivers something (loss/rate.c). */
struct tcp_rate_sample {
    bool valid;            /**< `delivered` and `interval_us` mean something */
    bool app_limited;      /**< the program was the limit when the packet was sent */
    bool is_retrans;       /**< the packet had been retransmitted */
    bool is_ece;           /**< the ACK has ECE (or more CE by AccECN) */
    bool una_advanced;     /**< snd_una moved */
    bool ack_delayed;      /**< a single packet: its ACK may have been delayed */
    uint32_t delivered;    /**< packets over the interval */
    uint32_t delivered_ce; /**< of them with CE */
    uint32_t interval_us;  /**< longer of the spans of sending and of acknowledging */
    uint32_t snd_interval_us, rcv_interval_us;
    int64_t rtt_us;           /**< of this ACK's newest packet that was sent once, -1: none */
    uint32_t acked_sacked;    /**< packets newly delivered by this ACK */
    uint32_t losses;          /**< packets newly marked lost by this ACK */
    uint32_t prior_in_flight; /**< before this ACK */
    uint32_t last_end_seq;    /**< end of the packet that the sample is about */
    /* what was known when that packet was sent: */
    uint32_t prior_delivered, prior_delivered_ce, prior_lost, tx_in_flight;
    uint64_t prior_delivered_at;
};

/** What an algorithm measures RTTs by: one ACK that delivered something. */
struct tcp_cc_ack {
    uint32_t packets;   /**< newly delivered, cumulatively or by SACK */
    uint32_t in_flight; /**< before this ACK */
    int64_t rtt_us;     /**< -1: no sample (Karn) */
};

/** A congestion control algorithm: one file in tcp/cc/. Entries marked "may be NULL" may be. All
 * but the constants and init() is for a connection with cc_started only. */
struct tcp_cc_ops {
    const char *name;      /**< as TCP_CONGESTION names it */
    bool paced;            /**< sends by pacing_rate, whatever SO_MAX_PACING_RATE says */
    bool no_idle_cut;      /**< neither idle time nor an unused window shrinks it */
    uint8_t sndbuf_factor; /**< send buffer in windows (linux-sender §2); 0: 2 */
    void (*init)(struct tcb *tp);
    void (*release)(struct tcb *tp); /**< may be NULL */
    /** New slow start threshold at a loss or an ECN mark, in packets. */
    uint32_t (*ssthresh)(struct tcb *tp);
    /** `acked` packets newly delivered while the window was the limit; may be NULL with
     * cong_control. */
    void (*cong_avoid)(struct tcb *tp, uint32_t acked);
    /** The window to go back to after a spurious reduction. */
    uint32_t (*undo_cwnd)(struct tcb *tp);
    void (*set_state)(struct tcb *tp, enum ca_state state);                 /**< may be NULL */
    void (*event)(struct tcb *tp, enum tcp_cc_event ev);                    /**< may be NULL */
    void (*acked)(struct tcb *tp, const struct tcp_cc_ack *ack);            /**< may be NULL */
    void (*cong_control)(struct tcb *tp, const struct tcp_rate_sample *rs); /**< may be NULL */
    uint32_t (*min_tso_segs)(const struct tcb *tp);                         /**< may be NULL */
    /** The same at an ECN mark without a loss (RFC 8511); NULL: ssthresh. */
    uint32_t (*ecn_ssthresh)(struct tcb *tp); /**< may be NULL */
    /** Does it answer ECN marks? Else nothing is sent as ECN-capable. */
    bool (*heeds_ecn)(const struct tcb *tp); /**< may be NULL: it does */
    /** seg was just marked lost (tcb.lost_total counts it already). */
    void (*packet_lost)(struct tcb *tp, const struct segment *seg); /**< may be NULL */
    /** What TCP_CC_INFO shows: written to `out`, which has room for 64 bytes. Returns its length.
     */
    size_t (*get_info)(const struct tcb *tp, void *out); /**< may be NULL: nothing */
};

extern const struct tcp_cc_ops tcp_cc_reno, tcp_cc_cubic, tcp_cc_bbr;

/* cc/cc.c: the registry */
/** By name (any length, not terminated); NULL when there is none. */
const struct tcp_cc_ops *tcp_cc_find(const char *name, size_t len);
/** The i-th; NULL when there are no more. */
const struct tcp_cc_ops *tcp_cc_at(unsigned i);
/** Let `ops` control the connection from now on; before tcp_cc_start() it is only remembered. */
void tcp_cc_assign(struct tcb *tp, const struct tcp_cc_ops *ops);
/** The connection begins to send: tp->cc's init(). */
void tcp_cc_start(struct tcb *tp);
/** The connection is over: tp->cc's release(). May be called again. */
void tcp_cc_stop(struct tcb *tp);
/** The threshold that a reduction leads to; ece: for an ECN mark alone. */
uint32_t tcp_cc_ssthresh(struct tcb *tp, bool ece);
/** The window to go back to. */
uint32_t tcp_cc_undo_cwnd(struct tcb *tp);
/** Tell tp->cc, if it wants to know and has been started. */
void tcp_cc_tell(struct tcb *tp, enum tcp_cc_event ev);

/* cc/bbr.c */
void bbr_pool_init(struct stack *st);

/* cc/cwnd.c: the window around the algorithms */
void tcp_cwnd_validate(struct tcb *tp, bool is_cwnd_limited);
void tcp_cwnd_restart_if_idle(struct tcb *tp);
bool tcp_is_cwnd_limited(const struct tcb *tp);
/** The first window of a connection begins, with tp->cwnd packets. */
void tcp_cwnd_init(struct tcb *tp);
/** A packet is `to` instead of `from` bytes now: as many bytes as before may be under way (RFC 4821
 * §4). */
void tcp_cwnd_rescale(struct tcb *tp, uint32_t from, uint32_t to);
/** Losses were detected: were they in the initial or restarted window (RFC 6928 §2)? */
void tcp_cwnd_note_loss(struct tcb *tp);
/** Linux's ratios: 200 % of cwnd a round trip in slow start, 120 % later. Never above
 * SO_MAX_PACING_RATE. */
void tcp_update_pacing_rate(struct tcb *tp);
/** Slow start by `acked` packets; returns what is left once ssthresh is reached. */
uint32_t tcp_slow_start(struct tcb *tp, uint32_t acked);
void tcp_cong_avoid_ai(struct tcb *tp, uint32_t w, uint32_t acked);
void tcp_sndbuf_expand(struct tcb *tp);
/** RFC 6928 §2, tunable initial_cwnd. */
uint32_t tcp_init_cwnd(const struct tcb *tp);

/** Shared by reno and its relatives. */
uint32_t reno_ssthresh(struct tcb *tp);
void reno_cong_avoid(struct tcb *tp, uint32_t acked);
uint32_t reno_undo_cwnd(struct tcb *tp);

#endif
