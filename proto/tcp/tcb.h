/* SPDX-License-Identifier: MIT */
/*
 * A TCP connection's state (struct tcb). Names are Linux's where Linux has one. Its layout is an
 * order of use: what each segment asks several times, what it asks once, and the rest.
 */
#ifndef TS_PROTO_TCP_TCB_H
#define TS_PROTO_TCP_TCB_H

#include "proto/base/bytestream.h"
#include "proto/base/list.h"
#include "proto/base/minmax.h"
#include "proto/base/rbtree.h"
#include "proto/base/seq.h"
#include "proto/stack_internal.h"
#include "proto/tcp/cc/cc.h"
#include "proto/tcp/segment.h"

#include <stdbool.h>
#include <stdint.h>

#define TCP_DEFAULT_MSS_V4       536 /**< RFC 9293 §3.7.1, MUST-15 */
#define TCP_MAX_WSCALE           14  /**< RFC 7323 §2.3 */
#define TCP_INIT_SSTHRESH        0x7fffffffu
#define TCP_MAX_QUICKACKS        16
#define TCP_ATO_MIN              40000u
#define TCP_DELACK_MAX           199000u
#define TCP_RTO_INIT             1000000u
#define TCP_RTO_FALLBACK         3000000u /**< no sample from the handshake (RFC 6298 §5.7) */
#define TCP_RTO_MIN_MOST         200000u  /**< TCP_RTO_MIN_US (Linux: TCP_RTO_MIN) */
#define TCP_TIMEOUT_MIN          2000u    /**< two ticks of Linux at 1000 Hz */
#define TCP_PROBE_RETRY          500000u  /**< after a local failure to send */
#define TCP_KEEPALIVE_MAX_PROBES 127

/** Most bytes that a stream may hold. */
#define TCP_MAX_STREAM (16u << 20)

/** Who is in the demultiplexing table. */
enum tcp_conn_kind { TCP_KIND_FULL, TCP_KIND_REQUEST, TCP_KIND_TIMEWAIT };

struct tcp_conn {
    struct hash_node node;
    struct ip_endpoint local, remote;
    uint8_t kind;
    uint8_t state; /**< enum tcp_state */
};

/** One ephemeral or bound port and who holds it. */
struct bind_bucket {
    struct hash_node node;
    uint16_t port;
    bool fixed;         /**< not only for connect()'s choice, as stack_common says too */
    struct list owners; /**< struct bind_owner.link */
};

struct bind_owner {
    struct list link;           /**< in bind_bucket.owners */
    struct bind_bucket *bucket; /**< NULL: holds no port */
    struct ip_addr addr;
    uint32_t
        owner; /**< who may share the port by SO_REUSEPORT: the host's number (sock_set_owner) */
    bool reuse : 1;     /**< SO_REUSEADDR */
    bool reuseport : 1; /**< SO_REUSEPORT */
    bool listening : 1;
    bool automatic : 1; /**< port chosen by connect(): may be shared by different 4-tuples */
    bool fixed : 1; /**< port chosen by the program: stays the socket's when its connection ends */
    bool timewait : 1;
};

enum tcp_timer {
#define TCP_TIMER(name, ss, help) TCP_TIMER_##name,
#include "proto/tcp/timers.def"
#undef TCP_TIMER
    TCP_TIMER_COUNT
};

/* tcb.nonagle (Linux's bits) */
#define TCP_NAGLE_OFF  1 /**< TCP_NODELAY */
#define TCP_NAGLE_CORK 2 /**< TCP_CORK, MSG_MORE for one push */
#define TCP_NAGLE_PUSH 4 /**< once: send the tail now */

/* tcb.pending: what tcp_output_touched() has to look at */
#define TCP_PEND_ACK     1 /**< decide about an acknowledgement */
#define TCP_PEND_OUTPUT  2 /**< windows may have opened: send new data */
#define TCP_PEND_RETRANS 4 /**< lost segments wait */
#define TCP_PEND_NEW     8 /**< new data goes before retransmissions (F-RTO) */

/** What a sender has waited for beyond its program, and we for ours, in microseconds
 * (output/chrono.c). */
struct tcp_chronos {
    uint64_t us[TCP_CHRONO_COUNT];
    uint64_t reader_us; /**< what was unread had taken half of the window */
    uint64_t reader_since;
};

/* tcb.urg_state */
#define TCP_URG_NONE   0
#define TCP_URG_NOTYET 1 /**< announced */
#define TCP_URG_VALID  2 /**< here */
#define TCP_URG_READ   3 /**< taken by MSG_OOB; the mark stays until the reader has passed it */

/** How an end tells the other of congestion marks. */
enum tcp_ecn_mode {
    TCP_ECN_OFF,
    TCP_ECN_CLASSIC,  /**< RFC 3168 */
    TCP_ECN_ACCURATE, /**< RFC 9768 */
};

/* tcb.ack_flags */
#define TCP_ACK_SCHED   1 /**< an ACK is owed */
#define TCP_ACK_NOW     2 /**< … at once */
#define TCP_ACK_PUSHED  4 /**< a PSH was seen since the last ACK (Linux: ICSK_ACK_PUSHED) */
#define TCP_ACK_PUSHED2 8

struct tcb {
    /* --- Hot: what one data segment, in or out, reads or writes again and again. --- */

    struct tcp_conn conn;
    struct stack *st;
    struct sock *sock; /**< NULL: an orphan */
    const struct tcp_cc_ops *cc;
    struct list dirty; /**< in stack.dirty */

    /* The two streams and what is queued in them. */
    struct list sendq, rtxq; /**< unsent; sent and not acknowledged */
    struct list sent_order;  /**< what may be in the network, oldest transmission first */
    struct rb_root rtx_tree; /**< rtxq by sequence number (loss/scoreboard.c) */
    struct rb_root ooo;      /**< struct ooo_range by sequence number */
    struct bytestream snd, rcv;
    uint64_t snd_offset;  /**< stream offset of the end of the written bytes */
    uint64_t rcv_offset;  /**< stream offset of rcv_nxt */
    uint64_t read_offset; /**< moved out of the stream by the program's side */

    /* Send sequence variables (RFC 9293 §3.3.1). */
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1;
    uint32_t write_seq; /**< end of what the program has written, FIN included */
    uint32_t snd_up;    /**< the byte behind the urgent one; at or below snd_una: none */
    uint32_t sndbuf;

    /* In packets. in_flight = packets_out - sacked_out - lost_out + retrans_out. */
    uint32_t packets_out, sacked_out, lost_out, retrans_out, max_packets_out;
    uint32_t cwnd, ssthresh;
    uint32_t delivered; /**< ever */
    uint32_t srtt_us;   /**< smoothed round trip, times 8 (RFC 6298, Linux's form) */
    uint32_t rto;       /**< microseconds */

    /* Receive sequence variables and window. */
    uint32_t rcv_nxt, rcv_wnd, rcv_wup;
    uint32_t held;      /**< bytes moved out, but still unread in the pair */
    uint32_t ts_recent; /**< RFC 7323 §4.3 */
    uint16_t mss_cache;
    uint16_t rcv_mss;        /**< estimate of the peer's segment size */
    uint16_t rcv_last_small; /**< size of the last segment, if it was smaller and may have been
                                full (input/window.c) */

    uint8_t pending; /**< TCP_PEND_* */
    uint8_t ack_flags;
    uint8_t nonagle;
    uint8_t ca_state;
    uint8_t chrono;    /**< enum tcp_chrono: the one that runs */
    uint8_t urg_state; /**< TCP_URG_* */
    uint8_t snd_wscale, rcv_wscale;
    uint8_t quick;    /**< quick ACKs left */
    uint8_t pingpong; /**< interactive session */
    uint8_t backoff, retransmits, probes_out;
    bool wscale_ok : 1, ts_ok : 1, sack_ok : 1;
    bool ts_recent_valid : 1;
    bool fin_queued : 1;
    bool nospace : 1; /**< a writer waits for room in the send buffer */
    bool send_shutdown : 1;
    bool rcv_shutdown : 1;
    bool hold_tail : 1;   /**< the writer goes on at once: what could still be filled waits a run */
    bool traced : 1;      /**< somebody looks on (trace.c) */
    bool reader_slow : 1; /**< what the program has not read takes half of the window */

    /* The named timers over one entry of the wheel (conn/timers.c). */
    struct stack_timer timer;
    uint64_t deadline[TCP_TIMER_COUNT]; /**< 0: off */

    /* --- Warm: once a segment or once an acknowledgement, estimates and counts. --- */

    uint64_t last_sent; /**< the first warm field */
    uint64_t last_received, last_ack_received;
    uint64_t pacing_rate;  /**< bytes per second, ~0: unlimited */
    uint64_t pacing_until; /**< not before then, when pacing is enforced (output/pacing.c) … */
    uint64_t max_pacing_rate;
    uint64_t chrono_since, chrono_app_us;
    struct tcp_chronos *chronos; /**< NULL: nothing but the program was waited for */
    uint64_t opened_at;          /**< when it was established last, 0: never */
    uint64_t bytes_sent;
    uint32_t segs_in, segs_out, data_segs_in, data_segs_out;
    uint32_t delivered_ce;
    uint32_t lost_total; /**< packets ever marked lost */
    struct rb_root lost; /**< lost and not yet sent again, by sequence number */

    uint32_t max_window; /**< largest window ever seen */
    uint32_t pushed_seq; /**< write_seq at the last push */
    uint32_t snd_sml;    /**< end of the last small segment sent (Minshall) */
    uint32_t notsent_lowat;
    uint32_t ptb_window;    /**< slow start of what a smaller path MTU lost (RFC 1191 §6.5), in
                               packets; 0: none */
    uint32_t device_queued; /**< payload bytes in the device's queue */
    uint16_t advmss;
    uint16_t size_acked; /**< the largest payload of one segment that was acknowledged (RFC 5927
                            §7.2: maxsizeacked) */
    uint16_t ptb_mtu;    /**< what a "too big" about an acknowledged size said, 0: none waits */
    uint16_t ip_id;      /**< of the next packet */
    uint8_t tos, ttl;
    uint16_t pacing_ns; /**< … pacing_until and so many nanoseconds more */
    uint16_t reordering;
    int16_t soft_error;   /**< an errno value that may explain the end, 0: none */
    uint8_t defer_accept; /**< listener: SYN-ACK time-outs during which a bare ACK is ignored */
    uint8_t urg_byte;
    struct {
        uint8_t mode : 2;     /**< enum tcp_ecn_mode */
        uint8_t asked : 2;    /**< what our SYN asks for */
        bool no_ect : 1;      /**< nothing of ours may be marked as ECN-capable */
        bool echo : 1;        /**< ECE on each ACK until the peer says CWR */
        bool queue_cwr : 1;   /**< the next new data tells that the window was reduced */
        bool seen : 1;        /**< data with ECT or CE has come */
        bool hold : 1;        /**< one packet a time-out: ECE at a window of one packet */
        bool syn_ce : 1;      /**< the peer saw CE on our SYN or SYN-ACK */
    } ecn;                    /**< explicit congestion notification */
    uint8_t pmtudisc;         /**< IP_MTU_DISCOVER */
    int8_t keep_cnt, syn_cnt; /**< at most 127 */
    int8_t linger2_s;         /**< -1 to 120 */
    bool tlp_out : 1;         /**< a loss probe is outstanding … */
    bool tlp_retrans : 1;     /**< … and it was a retransmission */
    bool tlp_sampled : 1;     /**< a round trip was measured since the last one */
    bool is_cwnd_limited : 1;
    bool cc_started : 1; /**< the algorithm's init() was called, release() is owed */
    bool rcv_fin_pending : 1, peer_fin : 1;
    bool quickack_always : 1;
    bool uto_pending : 1; /**< our option waits for a segment */
    bool pmtu_locked : 1; /**< routers must fragment: no DF */
    bool has_recover : 1; /**< there was a recovery, up to `recover` */
    bool loss_unpaid : 1; /**< state Loss began with a smaller path MTU, not with congestion: the
                             first other loss still reduces the window */
    bool undo_ok : 1;     /**< undo_marker means something: the reduction may be undone */
    bool loss_cut : 1;    /**< it was made by a time-out (RFC 4015 answers, not RFC 3708) */
    bool frto : 1;        /**< the last time-out may have been spurious (RFC 5682) */
    bool rcvbuf_locked : 1, sndbuf_locked : 1;
    bool passive : 1; /**< from a listener */
    bool keepalive : 1;
    bool iw_open : 1;    /**< not all of the initial window (iw) is acknowledged */
    bool iw_reduced : 1; /**< it had a loss: restart from RFC 3390's size (RFC 6928 §2) */
    bool eifel_adapt : 1;
    bool eifel_answered : 1; /**< this ACK's data has its place in cwnd already */
    bool shared : 1;         /**< the streams' bytes lie in the host's storage (sock/share.c) */
    bool orphan : 1;         /**< the program has gone: counted in tcp_table.n_orphans */

    uint32_t mdev_us, mdev_max_us, rttvar_us, rtt_seq, min_rtt_us;
    struct minmax min_rtt; /**< what min_rtt_us is taken from */
    struct {
        uint64_t first_sent;   /**< the send time of the newest packet that was delivered */
        uint64_t delivered_at; /**< when tp->delivered last grew */
        uint32_t app_limited;  /**< until so many are delivered the program was the limit; 0: no */
        uint32_t packets, interval_us; /**< the last sample */
        bool sample_app_limited;
    } rate;
    struct {
        uint64_t sent_at; /**< of the newest transmission that was delivered, 0: none */
        uint32_t rtt_us;  /**< its round trip */
        uint32_t end_seq;
        uint32_t last_delivered; /**< tcb.delivered when the window was last widened */
        uint8_t reo_wnd_steps, reo_wnd_persist;
        bool dsack_seen, advanced;
    } rack;
    uint64_t cwnd_stamp;
    uint32_t cwnd_usage_seq, cwnd_used, cwnd_cnt;
    uint32_t recover; /**< high_seq of the last recovery: duplicates of this ACK are late (RFC 6582
                         §3.2) */
    uint64_t cc_private[10];

    uint32_t rcv_ssthresh, window_clamp, rcvbuf;
    uint32_t ato;
    struct {
        uint64_t rtt_time;
        uint64_t seq; /**< read offset when this round began */
        uint64_t time;
        uint32_t rtt_us; /**< times 8 */
        uint32_t rtt_seq;
        uint32_t rtt_last_tsecr;
        uint32_t space; /**< bytes that the program took in the last round */
    } drs;
    struct {
        uint32_t rcv_nxt; /**< the hole that dup_acks counts for */
        uint8_t dup_acks; /**< sent at once for it, up to three */
        uint16_t held;    /**< duplicate ACKs that one ACK will stand for */
    } ack_comp;           /**< compression of duplicate ACKs (input/delack.c) */
    uint32_t ts_offset, ts_recent_stamp_s;
    uint32_t ooo_bytes, n_ooo;
    struct {
        struct sack_block dup; /**< a D-SACK that waits for the next segment (RFC 2883) */
        struct sack_block block[TCP_MAX_SACKS]; /**< newest first (RFC 2018 §4) */
        uint8_t n;
        bool has_dup;
    } rcv_sack;          /**< what the peer is to be told (input/sack_blocks.c) */
    uint32_t high_seq;   /**< snd_nxt when the present recovery began */
    uint64_t urg_offset; /**< stream offset of the urgent byte */

    /* --- Cold: birth and death, trouble, options. --- */

    struct hash_node id_node; /**< in tcp_table.by_id; its hash is the id */
    struct bind_owner bind;
    struct tcp_accecn *acc; /**< with TCP_ECN_ACCURATE (accecn.c) */
    struct segment *spare;  /**< for a commit that finds no memory (wqueue_have_spare) */
    uint64_t challenge_at;  /**< last ACK to an invalid segment */
    uint32_t iss, irs;
    uint32_t window_grown; /**< by so much rcv_ssthresh has grown: this connection's part of the
                              budget */
    uint32_t rcv_fin_seq;  /**< sequence number of a FIN that came out of order */
    uint16_t mss_clamp, pmtu;
    uint32_t ptb_seq;    /**< the segment that a "too big" (ptb_mtu) quoted */
    uint32_t pmtu_seen;  /**< pmtu_generation() when pmtu was looked up */
    uint32_t user_clamp; /**< TCP_WINDOW_CLAMP */
    uint64_t pmtu_until; /**< pmtu was lowered: it is not raised before (RFC 1191 §3) */
    struct {
        uint64_t began;      /**< when the present search began */
        uint64_t wait_until; /**< no probe before: the last one failed (RFC 4821 §7.6.2) */
        uint32_t probe_start, probe_end;
        uint32_t verify_end;          /**< restore: it is verified by the acknowledgement of this */
        uint32_t new_lost, new_acked; /**< packets of the new size */
        uint16_t search_low, search_high; /**< MTUs: known to pass, known or thought not to pass
                                             beyond */
        uint16_t probe_size;              /**< MTU that is being tried, 0: none */
        uint16_t restore; /**< search_low before the last raise, while that is being verified; 0: it
                             is not */
        bool enabled, stepped; /**< stepped: by a black hole that no ACK has confirmed yet */
    } mtup;                    /**< probing the path MTU (output/mtu_probe.c) */

    /* Recovery. */
    uint64_t retrans_stamp; /**< first retransmission of the present episode, 0: none */
    union {
        uint64_t syn_sent_at;   /**< SYN-SENT: the first one */
        uint64_t stalled_since; /**< later: the first retransmission or window probe since snd_una
                                   last moved, 0: none (R2, user time-out) */
    };
    uint32_t rto_stamp; /**< when the present recovery by time-out began, ms; 0: none */
    uint32_t prior_cwnd, prior_ssthresh;
    uint32_t
        highest_sacked;   /**< end of the highest SACKed range; means nothing without sacked_out */
    uint32_t undo_marker; /**< snd_una when the present reduction began */
    int32_t undo_retrans; /**< retransmissions since then that no D-SACK has answered; -1: cannot be
                             undone */
    uint32_t tlp_high_seq; /**< snd_nxt when the loss probe went out */
    struct {
        uint64_t began;
        uint32_t delivered, out, recover_fs; /**< packets since the reduction began (RFC 9937) */
        uint32_t flight : 31; /**< FlightSize when the loss was found (RFC 5681 §3.1); 0: there was
                                 none */
        bool lost_again : 1;  /**< a retransmission of since then was lost */
    } prr;
    struct {
        uint32_t high_rxt;   /**< end of the highest retransmission of this recovery */
        uint32_t lost_below; /**< everything below was looked at */
        uint8_t dup_acks;    /**< with news, since snd_una last moved */
        bool rescued;        /**< the one rescue retransmission is spent */
    } sack_count;            /**< RFC 6675 without RACK (loss/rfc6675.c) */
    struct {
        uint32_t pipe, srtt_us,
            rttvar_us;  /**< before the first time-out of the episode (RFC 4015 §3.1) */
        uint32_t acked; /**< packets that the present ACK covers (RFC 4015 §3.2, step 7) */
        uint32_t until; /**< eifel_adapt: the RTO adapts with the first sample from behind this */
    } eifel;
    struct {
        uint32_t start, end; /**< what the initial window, or the restarted one, carries */
    } iw;

    /* Options; 0: the tunable. */
    uint32_t user_timeout_ms;
    uint32_t uto_adopted_ms; /**< user timeout by the peer's option, 0: none (RFC 5482) */
    uint16_t user_mss;
    int16_t keep_idle_s, keep_intvl_s; /**< at most 32767, as in Linux */
    uint8_t min_ttl;                   /**< IP_MINTTL, 0: off */
    uint8_t rto_min_ms;                /**< TCP_RTO_MIN_US, at most 200 */

    /* Counts of what is rare (TCP_INFO), and why it did not send (stops.def). */
    uint64_t bytes_retrans;
    uint32_t total_retrans, rcv_ooopack, dsack_dups, reord_seen, total_rto_ms;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t stops[TCP_STOP_COUNT];
};

_Static_assert(offsetof(struct tcb, last_sent) <= 512, "what is hot lies in 512 bytes");

/** Identity of the connection in its stack, never reused. */
static inline uint64_t tcb_id(const struct tcb *tp)
{
    return tp->id_node.hash;
}

static inline struct tcb *tcb_of_conn(struct tcp_conn *c)
{
    return container_of(c, struct tcb, conn);
}

static inline uint32_t tcp_in_flight(const struct tcb *tp)
{
    return tp->packets_out - (tp->sacked_out + tp->lost_out) + tp->retrans_out;
}

/** Who pays for its memory. */
static inline struct account *tcp_account(const struct tcb *tp)
{
    return account_payer(tp->snd.account);
}

/** What may be in flight: the congestion window, or less while a smaller path MTU's losses are sent
 * again. */
static inline uint32_t tcp_send_window(const struct tcb *tp)
{
    return tp->ptb_window && tp->ptb_window < tp->cwnd ? tp->ptb_window : tp->cwnd;
}

/** The right edge of the peer's window. */
static inline uint32_t tcp_wnd_end(const struct tcb *tp)
{
    return tp->snd_una + tp->snd_wnd;
}

/** Urgent data is on its way: segments carry URG, are not held back, and are of one MSS (RFC 9293
 * §3.8.5). */
static inline bool tcp_urg_mode(const struct tcb *tp)
{
    return seq_gt(tp->snd_up, tp->snd_una);
}

static inline bool tcp_in_slow_start(const struct tcb *tp)
{
    return tp->cwnd < tp->ssthresh;
}

/** Bytes that the program wrote and the peer has not acknowledged. */
static inline uint32_t tcp_wmem_queued(const struct tcb *tp)
{
    return tp->write_seq - tp->snd_una;
}

/** Bytes that the peer has acknowledged, its FIN's number included as in Linux. */
static inline uint64_t tcp_bytes_acked(const struct tcb *tp)
{
    return tp->snd.tail + (tp->fin_queued && tp->snd_una == tp->write_seq);
}

/** The stream offset of a sequence number in the send stream. */
static inline uint64_t tcp_snd_offset(const struct tcb *tp, uint32_t seq)
{
    return tp->snd_offset - (uint32_t)(tp->write_seq - tp->fin_queued - seq);
}

/** The stream offset of a sequence number at or after the left edge in the receive stream. */
static inline uint64_t tcp_rcv_offset(const struct tcb *tp, uint32_t seq)
{
    return tp->rcv_offset + (uint64_t)(int64_t)(int32_t)(seq - tp->rcv_nxt);
}

/** What is left of the window that was last advertised (Linux: tcp_receive_window). */
static inline uint32_t tcp_receive_window(const struct tcb *tp)
{
    int32_t win = (int32_t)(tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt);

    return win < 0 ? 0 : (uint32_t)win;
}

/**
 * Memory is short (Linux: tcp_under_memory_pressure), in all or the owner's: buffers and windows
 * stop growing. Sending streams may take three quarters of the memory (send path, step 8), so the
 * rest is there for what has been promised to peers.
 */
static inline bool tcp_under_pressure(const struct tcb *tp)
{
    const struct mem *m = &tp->st->mem;

    return (m->limit && mem_in_use(m) > m->limit / 4 * 3) || account_is_short(tcp_account(tp));
}

/** Bytes that were received in order and that no program has read. */
static inline uint64_t tcp_unread(const struct tcb *tp)
{
    return tp->rcv_offset - tp->read_offset + tp->held;
}

/** The timestamp clock: milliseconds (RFC 7323 §5.4 allows 1 ms to 1 s). */
static inline uint32_t tcp_ts_now(const struct stack *st)
{
    return (uint32_t)(st->now / 1000);
}

#endif
