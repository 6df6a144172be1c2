/* SPDX-License-Identifier: MIT */
/*
 * A TCP connection: its state (struct tcb), its segments, and what the mechanisms of proto/tcp/
 * call of each other.
 *
 * A segment is a range of the stream (design idea 4): the bytes lie in the connection's bytestream
 * from the program's write to the peer's acknowledgement, and segments, retransmissions and the
 * scoreboard refer to them by sequence number. Names are Linux's where Linux has one. Only proto/
 * includes this file.
 */
#ifndef TS_PROTO_TCP_TCP_H
#define TS_PROTO_TCP_TCP_H

#include "proto/base/bytestream.h"
#include "proto/base/list.h"
#include "proto/base/rbtree.h"
#include "proto/base/seq.h"
#include "proto/stack_internal.h"

#include <stdbool.h>
#include <stdint.h>

/* Header flags (RFC 9293 §3.1, RFC 3168 §6.1). */
#define TH_FIN 0x01
#define TH_SYN 0x02
#define TH_RST 0x04
#define TH_PSH 0x08
#define TH_ACK 0x10
#define TH_URG 0x20
#define TH_ECE 0x40
#define TH_CWR 0x80

#define TCP_HEADER_LEN           20
#define TCP_TIMESTAMP_SPACE      12  /**< NOP NOP and ten bytes */
#define TCP_DEFAULT_MSS_V4       536 /**< RFC 9293 §3.7.1, MUST-15 */
#define TCP_MAX_WSCALE           14  /**< RFC 7323 §2.3 */
#define TCP_INIT_SSTHRESH        0x7fffffffu
#define TCP_MAX_QUICKACKS        16
#define TCP_ATO_MIN              40000u
#define TCP_DELACK_MAX           199000u
#define TCP_RTO_INIT             1000000u
#define TCP_RTO_FALLBACK         3000000u /**< no sample from the handshake (RFC 6298 §5.7) */
#define TCP_TIMEOUT_MIN          2000u    /**< two ticks of Linux at 1000 Hz */
#define TCP_PROBE_RETRY          500000u  /**< after a local failure to send */
#define TCP_KEEPALIVE_MAX_PROBES 127

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
    struct list owners; /**< struct bind_owner.link */
};

struct bind_owner {
    struct list link;           /**< in bind_bucket.owners */
    struct bind_bucket *bucket; /**< NULL: holds no port */
    struct ip_addr addr;
    bool reuse;     /**< SO_REUSEADDR */
    bool reuseport; /**< SO_REUSEPORT */
    bool listening;
    bool automatic; /**< port chosen by connect(): may be shared by different 4-tuples */
    bool fixed;     /**< port chosen by the program: stays the socket's when its connection ends */
    bool timewait;
    uint32_t
        owner; /**< who may share the port by SO_REUSEPORT: the host's number (sock_set_owner) */
};

/* --- segments
 * -------------------------------------------------------------------------------------------- */

#define SEG_SYN 0x01
#define SEG_FIN 0x02
#define SEG_PSH 0x04
#define SEG_EOR 0x08 /**< MSG_EOR: never grown, never merged */

#define SEG_LOST         0x01 /**< counted in lost_out */
#define SEG_RETRANS      0x02 /**< its retransmission is in flight: counted in retrans_out */
#define SEG_EVER_RETRANS 0x04 /**< Karn: no sample from it */

struct segment {
    struct list link;
    uint32_t seq, end_seq;
    uint8_t flags;    /**< SEG_SYN … */
    uint8_t marks;    /**< SEG_LOST … */
    uint16_t pcount;  /**< packets of mss bytes that it makes */
    uint64_t sent_at; /**< last transmission, 0: never */
    /* what tcp/loss/rate.c knew at that time: */
    uint64_t rate_first_sent, rate_delivered_at;
    uint32_t rate_delivered;
    bool rate_app_limited;
};

static inline uint32_t seg_len(const struct segment *seg)
{
    return seg->end_seq - seg->seq - !!(seg->flags & SEG_FIN) - !!(seg->flags & SEG_SYN);
}

/** A range that arrived out of order; its bytes lie at their final offset in the receive stream. */
struct ooo_range {
    struct rb_node node;
    uint32_t seq, end_seq;
};

/* --- parsed input
 * ---------------------------------------------------------------------------------------- */

struct tcp_options {
    bool has_mss, has_wscale, has_ts, sack_ok;
    uint8_t wscale;
    uint16_t mss;
    uint32_t tsval, tsecr;
    uint16_t uto;   /**< user timeout option as it came, 0: none (RFC 5482) */
    uint8_t n_sack; /**< blocks present (RFC 2018), at most 4 */
    struct {
        uint32_t start, end;
    } sack[4];
};

/** A checked segment: nothing above tcp/input/parse.c looks at wire bytes. */
struct tcp_seg {
    const struct packet *packet;
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t window; /**< as on the wire, unscaled */
    uint16_t urgent;
    uint8_t flags; /**< TH_* */
    struct tcp_options opt;
    const uint8_t *data;
    uint32_t len;     /**< payload bytes */
    uint32_t end_seq; /**< seq + len + SYN + FIN */
    uint32_t header_len;
    uint32_t n_segs; /**< segments that this offloaded frame stands for */
};

/* --- congestion control
 * ---------------------------------------------------------------------------------- */

enum ca_state { CA_OPEN, CA_DISORDER, CA_CWR, CA_RECOVERY, CA_LOSS };

struct tcb;

/** A congestion control algorithm: one file in tcp/cc/. */
struct tcp_cc_ops {
    const char *name; /**< as TCP_CONGESTION names it */
    void (*init)(struct tcb *tp);
    uint32_t (*ssthresh)(struct tcb *tp); /**< new slow start threshold at a loss, in packets */
    void (*cong_avoid)(struct tcb *tp,
                       uint32_t acked); /**< `acked` packets newly delivered while cwnd-limited */
    uint32_t (*undo_cwnd)(
        struct tcb *tp); /**< the window to go back to after a spurious reduction */
    void (*set_state)(struct tcb *tp, enum ca_state state); /**< may be NULL */
};

extern const struct tcp_cc_ops tcp_cc_reno;
/** By name; NULL when there is none. */
const struct tcp_cc_ops *tcp_cc_find(const char *name);

/* --- the connection
 * -------------------------------------------------------------------------------------- */

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

/* tcb.chrono */
enum tcp_chrono {
    TCP_CHRONO_NONE,
    TCP_CHRONO_BUSY,
    TCP_CHRONO_RWND,
    TCP_CHRONO_SNDBUF,
    TCP_CHRONO_COUNT
};

/* tcb.urg_state */
#define TCP_URG_NONE   0
#define TCP_URG_NOTYET 1 /**< announced */
#define TCP_URG_VALID  2 /**< here */
#define TCP_URG_READ   3 /**< taken by MSG_OOB; the mark stays until the reader has passed it */

/* tcb.ack_flags */
#define TCP_ACK_SCHED   1 /**< an ACK is owed */
#define TCP_ACK_NOW     2 /**< … at once */
#define TCP_ACK_PUSHED  4 /**< a PSH was seen since the last ACK (Linux: ICSK_ACK_PUSHED) */
#define TCP_ACK_PUSHED2 8

struct tcb {
    struct tcp_conn conn;
    struct stack *st;
    struct sock *sock; /**< NULL: an orphan */
    struct list dirty; /**< in stack.dirty */
    uint8_t pending;   /**< TCP_PEND_* */
    uint8_t ack_flags;
    uint8_t nonagle;
    uint8_t ca_state;

    /* Send sequence variables (RFC 9293 §3.3.1) and the write queue. */
    uint32_t snd_una, snd_nxt, snd_wnd, snd_wl1;
    uint32_t write_seq;  /**< end of what the program has written, FIN included */
    uint32_t max_window; /**< largest window ever seen */
    uint32_t pushed_seq; /**< write_seq at the last push */
    uint32_t snd_up;     /**< the byte behind the urgent one; at or below snd_una: none */
    uint32_t snd_sml;    /**< end of the last small segment sent (Minshall) */
    uint64_t snd_offset; /**< stream offset of the end of the written bytes */
    struct bytestream snd;
    struct list sendq, rtxq; /**< unsent; sent and not acknowledged */
    struct segment *spare;   /**< for a commit that finds no memory (wqueue_have_spare) */
    uint32_t sndbuf;
    uint16_t mss_cache, mss_clamp, advmss;
    uint16_t pmtu;
    uint16_t size_acked; /**< the largest payload of one segment that was acknowledged (RFC 5927
                            §7.2: maxsizeacked) */
    uint16_t ptb_mtu;    /**< what a "too big" about an acknowledged size said, 0: none waits */
    uint32_t ptb_seq;    /**< the segment that it quoted */
    uint8_t snd_wscale, rcv_wscale;
    bool wscale_ok, ts_ok, fin_queued, nospace;

    /* Congestion and loss, in packets. in_flight = packets_out - sacked_out - lost_out +
     * retrans_out. */
    uint32_t packets_out, sacked_out, lost_out, retrans_out;
    uint32_t cwnd, cwnd_cnt, ssthresh, prior_cwnd;
    uint32_t high_seq; /**< snd_nxt when the present recovery began */
    uint32_t max_packets_out, cwnd_usage_seq, cwnd_used;
    uint64_t cwnd_stamp;
    bool is_cwnd_limited;
    uint16_t reordering;
    const struct tcp_cc_ops *cc;
    uint64_t cc_private[8];

    /* Round trip (RFC 6298, Linux's form), microseconds; srtt is stored times 8. */
    uint32_t srtt_us, mdev_us, mdev_max_us, rttvar_us, rtt_seq, min_rtt_us;
    uint32_t rto;
    uint8_t backoff, retransmits, probes_out, syn_retries;
    uint64_t retrans_stamp; /**< first retransmission of the present episode, 0: none */
    uint64_t probes_since;
    struct {
        uint64_t first_sent;   /**< the send time of the newest packet that was delivered */
        uint64_t delivered_at; /**< when tp->delivered last grew */
        uint32_t app_limited;  /**< until so many are delivered the program was the limit; 0: no */
        uint32_t packets, interval_us; /**< the last sample */
        bool sample_app_limited;
    } rate;
    uint8_t chrono; /**< enum tcp_chrono: the one that runs */
    uint64_t chrono_since, chrono_us[TCP_CHRONO_COUNT];
    uint64_t last_sent, last_received, last_ack_received, last_ack_sent;
    uint64_t pacing_rate;  /**< bytes per second, ~0: unlimited */
    uint64_t pacing_until; /**< SO_MAX_PACING_RATE: the next departure */

    /* Receive sequence variables and window. */
    uint32_t rcv_nxt, rcv_wnd, rcv_wup;
    uint32_t rcv_ssthresh, window_clamp;
    uint32_t window_grown; /**< by so much rcv_ssthresh has grown: this connection's part of the
                              budget */
    uint64_t rcv_offset;   /**< stream offset of rcv_nxt */
    uint64_t read_offset;  /**< moved out of the stream by the program's side */
    uint32_t held;         /**< moved out, but still unread in the pair */
    struct bytestream rcv;
    struct rb_root ooo;
    uint32_t ooo_bytes, n_ooo;
    uint64_t urg_offset; /**< stream offset of the urgent byte */
    uint8_t urg_state;   /**< TCP_URG_* */
    uint8_t urg_byte;
    uint32_t rcv_fin_seq; /**< sequence number of a FIN that came out of order */
    bool rcv_fin_pending, rcv_shutdown, peer_fin, send_shutdown;
    uint32_t rcvbuf;
    bool rcvbuf_locked, sndbuf_locked;
    uint16_t rcv_mss; /**< estimate of the peer's segment size */
    struct {
        uint64_t rtt_us; /**< times 8 */
        uint32_t rtt_seq;
        uint64_t rtt_time;
        uint32_t rtt_last_tsecr;
        uint32_t space; /**< bytes that the program took in the last round */
        uint64_t seq;   /**< read offset when this round began */
        uint64_t time;
    } drs;

    /* Acknowledgements. */
    uint8_t quick;    /**< quick ACKs left */
    uint8_t pingpong; /**< interactive session */
    uint32_t ato;
    uint64_t challenge_at; /**< last ACK to an invalid segment */

    /* Timestamps (RFC 7323). */
    uint32_t ts_offset, ts_recent, ts_recent_stamp_s;
    bool ts_recent_valid;

    /* Timers. */
    struct stack_timer timer;
    uint64_t deadline[TCP_TIMER_COUNT]; /**< 0: off */

    /* The cold part. */
    uint32_t iss, irs;
    struct bind_owner bind;
    struct list orphan_link;
    uint64_t id;
    struct hash_node id_node;
    uint32_t device_queued; /**< payload bytes in the device's queue */
    uint8_t tos, ttl;
    uint16_t ip_id;
    bool passive; /**< from a listener */
    bool keepalive;
    bool quickack_always;
    int32_t keep_idle_s, keep_intvl_s, keep_cnt; /**< 0: the tunable */
    int32_t syn_cnt, linger2_s;
    uint8_t defer_accept; /**< listener: SYN-ACK time-outs during which a bare ACK is ignored */
    uint32_t user_timeout_ms, notsent_lowat, user_mss;
    uint32_t uto_adopted_ms; /**< user timeout by the peer's option, 0: none (RFC 5482) */
    bool uto_pending;        /**< our option waits for a segment */
    uint32_t user_clamp;     /**< TCP_WINDOW_CLAMP */
    uint64_t max_pacing_rate;
    int soft_error;
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retrans;
    uint32_t segs_in, segs_out, data_segs_in, data_segs_out, total_retrans, rcv_ooopack, delivered,
        total_rto;
    uint32_t total_rto_recoveries, total_rto_ms, reord_seen;
    uint64_t rto_stamp; /**< when the present recovery by time-out began; 0: none */
    uint64_t established_at;
    uint64_t stops[TCP_STOP_COUNT];
};

static inline struct tcb *tcb_of_conn(struct tcp_conn *c)
{
    return container_of(c, struct tcb, conn);
}

static inline uint32_t tcp_in_flight(const struct tcb *tp)
{
    return tp->packets_out - (tp->sacked_out + tp->lost_out) + tp->retrans_out;
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
 * Memory is short (Linux: tcp_under_memory_pressure): buffers and windows stop growing. Sending
 * streams may take three quarters of the memory (send path, step 8), so the rest is there for what
 * has been promised to peers.
 */
static inline bool tcp_under_pressure(const struct stack *st)
{
    return st->mem.limit && st->mem.used > st->mem.limit / 4 * 3;
}

/** Bytes that were received in order and that no program has read. */
static inline uint64_t tcp_unread(const struct tcb *tp)
{
    return tp->rcv_offset - tp->read_offset + tp->held;
}

/* --- conn/
 * -----------------------------------------------------------------------------------------------
 */

/* conn/tcb.c: birth and death */
struct tcb *tcb_new(struct stack *st);
/** Leave the tables, stop timers, free buffers; state becomes CLOSED. The tcb itself lives on while
 * a sock holds it. */
void tcp_done(struct tcb *tp);
/** tcp_done, and the program learns `error` (SOCK_EV_ERROR); 0: a good end (SOCK_EV_CLOSED). */
void tcp_finish(struct tcb *tp, int error);
/** Free the tcb (after tcp_done). */
void tcb_free(struct tcb *tp);
/** Set state; counts and invariants in one place. */
void tcp_set_state(struct tcb *tp, enum tcp_state state);
/** The sock is gone: count the orphan, or free at once when closed. */
void tcp_orphan(struct tcb *tp);
/** Put on the work list with these TCP_PEND_* bits. */
void tcp_touch(struct tcb *tp, uint8_t pending);
/** After the handshake: windows, MSS, buffers, timers, congestion control. */
void tcp_init_transfer(struct tcb *tp);

/* conn/demux.c: hashed lookup */
uint64_t demux_hash(const struct stack *st, const struct ip_endpoint *local,
                    const struct ip_endpoint *remote);
void demux_insert(struct stack *st, struct tcp_conn *c);
void demux_remove(struct stack *st, struct tcp_conn *c);
struct tcp_conn *demux_find(const struct stack *st, const struct ip_endpoint *local,
                            const struct ip_endpoint *remote);

/* conn/isn.c: RFC 6528 */
uint32_t isn_generate(struct stack *st, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote);
uint32_t isn_ts_offset(struct stack *st, const struct ip_endpoint *local,
                       const struct ip_endpoint *remote);

/* conn/ports.c: who holds which port; RFC 6056 selection */
int port_bind(struct stack *st, struct bind_owner *o, uint16_t port);
void port_inherit(struct bind_owner *child, const struct bind_owner *parent);
void port_release(struct stack *st, struct bind_owner *o);
uint16_t port_of(const struct bind_owner *o);
/** Pick a free port for bind(0)/listen. Returns it or 0. */
uint16_t port_pick(struct stack *st, const struct bind_owner *o);
/** Pick a port for a connection to remote from local (RFC 6056 §3.3.4) and bind it. 0,
 * -EADDRNOTAVAIL, -ENOMEM. */
int port_connect(struct stack *st, struct bind_owner *o, const struct ip_addr *local,
                 const struct ip_endpoint *remote);

/* conn/open.c: active open */
int tcp_connect(struct tcb *tp, const struct ip_endpoint *remote);
void tcp_retry_syn(struct tcb *tp);
void tcp_finish_connect(struct tcb *tp);

/* conn/uto.c: RFC 5482 */
/** The option's value to send, 0: none. */
uint16_t uto_advertise(const struct tcb *tp);
/** The option goes out with the next segment that has room. */
void uto_schedule(struct tcb *tp);
/** The peer's option has come on an acceptable segment. */
void uto_received(struct tcb *tp, uint16_t option);
/** The user timeout in force: the program's, else the adopted one; 0: none. */
uint32_t uto_effective_ms(const struct tcb *tp);
/** How much of it is over, when the trouble began at `since`. */
uint64_t uto_elapsed(const struct tcb *tp, uint64_t since);

/* conn/close.c */
/** Queue a FIN behind the data (send path, §3 of linux-sender: set on the unsent tail if there is
 * one). */
void tcp_send_fin(struct tcb *tp);
/** The program will send no more: FIN, and the next state. */
void tcp_shutdown_write(struct tcb *tp);
/** The program is gone. */
void tcp_close(struct tcb *tp, bool linger_zero);
void tcp_abort(struct tcb *tp);
/** Send our FIN behind what is queued: in SYN-RECEIVED too, where tcp_shutdown_write() waits. */
void tcp_close_write(struct tcb *tp);
/** The peer's FIN is in order: acknowledge, change state, tell the program (RFC 9293 §3.10.7.4,
 * eighth). */
void tcp_fin(struct tcb *tp);
/** Our FIN was acknowledged. The tcb may be gone afterwards. */
void tcp_fin_acked(struct tcb *tp);
/** FIN-WAIT-2 and no program. The tcb is gone afterwards. */
void tcp_fin_wait2_orphan(struct tcb *tp);

/* conn/request.c: half-open records; conn/synack.c: their SYN-ACKs */
struct tcp_request;
/** A segment for a listener. isn: the ISN that a reopened TIME-WAIT tuple must use, 0: a fresh one.
 */
void tcp_listen_input(struct stack *st, struct sock *listener, const struct tcp_seg *seg,
                      uint32_t isn);
void tcp_request_pool_init(struct stack *st);
void tcp_request_input(struct stack *st, struct tcp_conn *c, const struct tcp_seg *seg);
void tcp_request_timer(struct stack *st, struct stack_timer *t);
void tcp_request_free(struct stack *st, struct tcp_conn *c);
/** The same, from a link of listener.requests. */
void tcp_request_free_link(struct stack *st, struct list *link);
void tcp_request_icmp(struct stack *st, struct tcp_conn *c, const struct icmp_error *e,
                      uint32_t seq);
/** False: a soft error, and tcp_syn_soft_errors says that it does not end an attempt to connect. */
bool tcp_icmp_ends_syn(const struct stack *st, const struct icmp_error *e);
/** Fill an info record from a request (stack_each). */
void tcp_request_info(const struct stack *st, const struct tcp_conn *c, struct sock_info *info);

/* conn/timewait.c: TIME-WAIT and FIN-WAIT-2 without a program, as small records */
struct tcp_timewait;
void tcp_timewait_pool_init(struct stack *st);
/** Replace a connection that is over by a small record: state TIME_WAIT or FIN_WAIT2 for `us`
 * microseconds. */
void tcp_time_wait(struct tcb *tp, enum tcp_state state, uint64_t us);
/** Returns true when the segment is a SYN that may open the tuple anew (RFC 6191): the record is
 * gone then and *isn is the new ISN. */
bool tcp_timewait_input(struct stack *st, struct tcp_conn *c, const struct tcp_seg *seg,
                        uint32_t *isn);
void tcp_timewait_timer(struct stack *st, struct stack_timer *t);
void tcp_timewait_free(struct stack *st, struct tcp_conn *c);
void tcp_timewait_info(const struct stack *st, const struct tcp_conn *c, struct sock_info *info);
/** May connect() take over this TIME-WAIT tuple? Then *isn and *ts_recent are what the new one
 * starts from and the record is gone. */
bool tcp_timewait_reuse(struct stack *st, struct tcp_conn *c, uint32_t *isn, uint32_t *ts_recent);

/* conn/timers.c */
void tcp_timer_set(struct tcb *tp, enum tcp_timer t, uint64_t at);
void tcp_timer_clear(struct tcb *tp, enum tcp_timer t);
static inline bool tcp_timer_pending(const struct tcb *tp, enum tcp_timer t)
{
    return tp->deadline[t] != 0;
}
void tcp_timers_stop(struct tcb *tp);
void tcp_timer_fire(struct stack *st, struct stack_timer *t);
const char *tcp_timer_next(const struct tcb *tp, uint64_t *at);

/* conn/keepalive.c */
void tcp_keepalive_timer(struct tcb *tp);
void tcp_keepalive_start(struct tcb *tp);

/* --- input/
 * ---------------------------------------------------------------------------------------------- */

/* input/parse.c: bytes to a checked struct. 0, or -EINVAL (malformed), -EBADMSG (checksum). */
int tcp_parse(struct stack *st, const struct packet *p, struct tcp_seg *seg);
/* input/synsent.c: RFC 9293 §3.10.7.3 */
/* input.c */
/** The checks from URG on (sixth to eighth of RFC 9293 §3.10.7.4) for a synchronised connection. */
void tcp_established_input(struct tcb *tp, const struct tcp_seg *seg);
void tcp_synsent_input(struct tcb *tp, const struct tcp_seg *seg);
/* input/validate.c: PAWS, sequence, RST, SYN (RFC 9293 §3.10.7.4 first to fourth, RFC 5961, RFC
 * 7323 §5). */
bool tcp_validate(struct tcb *tp, const struct tcp_seg *seg);
/** An ACK in answer to an invalid segment; rate-limited per connection unless it carried data. */
void tcp_challenge_ack(struct tcb *tp, bool limited);
void tcp_reset_received(struct tcb *tp);
/** Remember the peer's timestamp (RFC 7323 §4.3). */
void tcp_replace_ts_recent(struct tcb *tp, const struct tcp_seg *seg);
bool tcp_paws_reject(uint32_t ts_recent, uint32_t stamp_s, bool valid, uint32_t now_s,
                     uint32_t tsval, int32_t tolerance);
/** True: a segment without the timestamps that were negotiated, and the tunable wants them (RFC
 * 7323 §3.2). */
bool tcp_lacks_timestamp(struct stack *st, bool ts_ok, const struct tcp_seg *seg);
/* input/ack.c: RFC 9293 §3.10.7.4, fifth. False: drop the segment. */
bool tcp_ack(struct tcb *tp, const struct tcp_seg *seg);
/** There may be space now: the program hears of it if it waits. */
void tcp_tell_writer(struct tcb *tp);
/* input/data.c: text in and out of order; rcv_nxt moves here and nowhere else. */
void tcp_data_queue(struct tcb *tp, const struct tcp_seg *seg);
/** The range of bytes held beyond a hole, for tests and SACK. */
void tcp_ooo_purge(struct tcb *tp);
/* input/urgent.c: RFC 9293 §3.10.7.4, sixth */
void tcp_urgent_input(struct tcb *tp, const struct tcp_seg *seg);
/** rcv_nxt has moved: perhaps over the urgent byte. */
void tcp_urgent_passed(struct tcb *tp);
/* input/window.c: the receive window and its growth (linux-receiver §3, §4) */
uint32_t tcp_select_window(struct tcb *tp);
uint32_t tcp_choose_window(const struct tcb *tp);
void tcp_window_init(struct tcb *tp);
/** What a SYN offers; `clamp` in: the program's TCP_WINDOW_CLAMP or 0, out: the largest window. */
/** The window clamp before the handshake, 0 for none: TCP_WINDOW_CLAMP, and all of a buffer that
 * SO_RCVBUF fixed. */
uint32_t tcp_initial_clamp(const struct tcb *tp);
void tcp_window_initial(struct stack *st, uint32_t rcvbuf, uint32_t mss, bool wscale, uint32_t *wnd,
                        uint8_t *scale, uint32_t *clamp);
void tcp_window_grow(struct tcb *tp, uint32_t len);
/** The connection is over: its part of the budget is free. */
void tcp_window_give_back(struct tcb *tp);
void tcp_measure_rcv_mss(struct tcb *tp, const struct tcp_seg *seg);
/** Without timestamps: a window of data takes a round trip at least. */
void tcp_rcv_rtt_measure(struct tcb *tp);
void tcp_rcv_rtt_sample_ts(struct tcb *tp, const struct tcp_seg *seg);
void tcp_rcv_space_adjust(struct tcb *tp);
/** The program took bytes: does the peer have to know (RFC 9293 §3.8.6.2.2)? */
void tcp_cleanup_rbuf(struct tcb *tp, uint32_t copied);
/* input/delack.c: when ACKs go out (linux-receiver §5) */
void tcp_ack_schedule(struct tcb *tp);
void tcp_ack_data_received(struct tcb *tp);
void tcp_ack_decide(struct tcb *tp);
void tcp_ack_sent(struct tcb *tp);
void tcp_ack_data_sent(struct tcb *tp);
void tcp_ack_enter_quick(struct tcb *tp, uint32_t max);
void tcp_delack_timer(struct tcb *tp);

/* --- output/
 * --------------------------------------------------------------------------------------------- */

/* output.c: the send path */
/** Where a write's bytes come from: copies n bytes to dst, returns how many it could (a fault cuts
 * it short). */
typedef size_t (*tcp_copy_fn)(void *ctx, void *dst, size_t n);
/** `copy` NULL: the bytes already lie behind the written end of the stream (sock_send_spans). */
ssize_t tcp_sendmsg(struct tcb *tp, tcp_copy_fn copy, void *ctx, size_t len, int flags);
bool tcp_write_xmit(struct tcb *tp, uint32_t mss_now, uint8_t nonagle, int push_one);
void tcp_push_pending_frames(struct tcb *tp);
void tcp_output_touched(struct tcb *tp);
bool tcp_stream_memory_free(const struct tcb *tp);
bool tcp_is_writable(const struct tcb *tp);
/** Storage for n more bytes behind what is written. 0, -ENOBUFS, -ENOMEM. */
int tcp_reserve_send(struct tcb *tp, size_t n);
/* output/sendmsg parts and mss.c */
uint32_t tcp_current_mss(struct tcb *tp);
uint32_t tcp_send_mss(struct tcb *tp, uint32_t *size_goal);
void tcp_sync_mss(struct tcb *tp, uint32_t pmtu);
uint32_t tcp_advertise_mss(struct stack *st, const struct ip_addr *dst, uint32_t user_mss);
/* output/wqueue.c: the write queue */
struct segment *wqueue_entail(struct tcb *tp);
/** One segment put by, so that bytes that were granted as spans can always be committed. False: no
 * memory for it. */
bool wqueue_have_spare(struct tcb *tp);
struct segment *wqueue_entail_spare(struct tcb *tp);
struct segment *wqueue_tail(struct tcb *tp);
struct segment *wqueue_send_head(struct tcb *tp);
void wqueue_unlink(struct tcb *tp, struct segment *seg);
/** Cut seg at `len` payload bytes; the rest becomes a new segment behind it. 0 or -ENOMEM. */
int tso_fragment(struct tcb *tp, struct segment *seg, uint32_t len, uint32_t mss);
void wqueue_set_pcount(struct segment *seg, uint32_t mss);
/** Fill seg up to `want` bytes from the unsent segments behind it (never across MSG_EOR). */
void wqueue_pull(struct tcb *tp, struct segment *seg, uint32_t want, uint32_t mss);
/* output/nagle.c */
bool tcp_nagle_test(const struct tcb *tp, const struct segment *seg, uint32_t mss, uint8_t nonagle,
                    enum tcp_stop *why);
bool tcp_should_autocork(struct tcb *tp, const struct segment *seg, uint32_t size_goal);
bool tcp_tso_should_defer(struct tcb *tp, const struct segment *seg, uint32_t mss,
                          uint32_t max_segs);
uint32_t tcp_tso_autosize(const struct tcb *tp, uint32_t mss);
void tcp_stop(struct tcb *tp, enum tcp_stop why);
/* output/transmit.c */
/** Send seg (again). 0; -EAGAIN and -ENOBUFS: not sent, try later. When the device took only a
 * part, seg is cut there. */
int tcp_transmit_segment(struct tcb *tp, struct segment *seg, uint32_t mss);
int tcp_send_ack(struct tcb *tp);
int tcp_xmit_probe(struct tcb *tp, bool urgent);
void tcp_send_active_reset(struct tcb *tp);
int tcp_send_synack(struct stack *st, struct tcp_request *req);
/* output/reply.c: segments without a full connection */
struct tcp_reply {
    struct ip_endpoint local, remote;
    uint32_t seq, ack, window;
    uint8_t flags, tos, ttl;
    bool has_ts;
    uint32_t tsval, tsecr;
    uint16_t mss; /**< SYN-ACK: the MSS option; 0: none */
    uint16_t uto; /**< SYN-ACK: the user timeout option; 0: none */
    bool wscale_ok, sack_ok;
    uint8_t wscale;
};
int tcp_send_reply(struct stack *st, const struct tcp_reply *r);
/** RFC 9293 §3.10.7.1: a reset in answer to a segment that belongs to nothing. */
void tcp_send_reset(struct stack *st, const struct tcp_seg *seg);
/* output/chrono.c: what held the sender back, and for how long */
void tcp_chrono_start(struct tcb *tp, enum tcp_chrono kind);
void tcp_chrono_stop(struct tcb *tp, enum tcp_chrono kind);
uint64_t tcp_chrono_us(const struct tcb *tp, enum tcp_chrono kind);
/* output/probe.c: zero windows */
void tcp_check_probe_timer(struct tcb *tp);
void tcp_probe_timer(struct tcb *tp);
void tcp_ack_probe(struct tcb *tp);
int tcp_write_wakeup(struct tcb *tp);

/* --- loss/
 * -----------------------------------------------------------------------------------------------
 */

/* loss/rtt.c: RFC 6298 */
void tcp_rtt_sample(struct tcb *tp, uint32_t rtt_us);
void tcp_rtt_init(struct tcb *tp);
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
void tcp_fastretrans_alert(struct tcb *tp, const struct tcp_ack_state *as);
/* loss/rate.c: delivery rate */
void tcp_rate_sent(struct tcb *tp, struct segment *seg);
void tcp_rate_acked(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as);
void tcp_rate_sample(struct tcb *tp, const struct tcp_ack_state *as, uint32_t prior_delivered);
void tcp_rate_check_app_limited(struct tcb *tp);
uint64_t tcp_rate_bytes_per_second(const struct tcb *tp);
/* loss/retransmit.c */
void tcp_xmit_retransmit_queue(struct tcb *tp);
/** A retransmission was refused: the retry timer. */
void tcp_retry_soon(struct tcb *tp);
/** The path MTU fell: what is in flight and too large for it goes again, without a penalty (RFC
 * 1191 §6.5). */
void tcp_simple_retransmit(struct tcb *tp);
/** Send seg again, at most `segs` packets of it. 0, or a negative errno value (nothing went out).
 */
int tcp_retransmit_segment(struct tcb *tp, struct segment *seg, uint32_t segs);

/* --- cc/cwnd.c
 * ------------------------------------------------------------------------------------------- */
void tcp_cwnd_validate(struct tcb *tp, bool is_cwnd_limited);
void tcp_cwnd_restart_if_idle(struct tcb *tp);
void tcp_cong_control(struct tcb *tp, const struct tcp_ack_state *as);
void tcp_update_pacing_rate(struct tcb *tp);
uint32_t tcp_slow_start(struct tcb *tp, uint32_t acked);
void tcp_cong_avoid_ai(struct tcb *tp, uint32_t w, uint32_t acked);
void tcp_sndbuf_expand(struct tcb *tp);

/** The timestamp clock: milliseconds (RFC 7323 §5.4 allows 1 ms to 1 s). */
static inline uint32_t tcp_ts_now(const struct stack *st)
{
    return (uint32_t)(st->now / 1000);
}

#endif
