/* SPDX-License-Identifier: MIT */
/* What the rooms of proto/tcp/ may call of the send path (output.c, output/). */
#ifndef TS_PROTO_TCP_OUTPUT_OUTPUT_H
#define TS_PROTO_TCP_OUTPUT_OUTPUT_H

#include "proto/tcp/tcb.h"

#include <sys/types.h>

/* output.c: the send path */
/** Where a write's bytes come from: copies n bytes to dst, returns how many it could (a fault cuts
 * it short). */
typedef size_t (*tcp_copy_fn)(void *ctx, void *dst, size_t n);
/** `copy` NULL: the bytes already lie behind the written end of the stream (sock_send_spans). */
ssize_t tcp_sendmsg(struct tcb *tp, tcp_copy_fn copy, void *ctx, size_t len, int flags);
#define TCP_PUSH_ONE   1 /**< tcp_write_xmit's push_one: one segment */
#define TCP_PUSH_PROBE 2 /**< one packet, beyond the congestion window (a loss probe) */
/** seg was sent for the first time. */
void tcp_event_new_data_sent(struct tcb *tp, struct segment *seg);
bool tcp_write_xmit(struct tcb *tp, uint32_t mss_now, uint8_t nonagle, int push_one);
void tcp_push_pending_frames(struct tcb *tp);
void tcp_output_touched(struct tcb *tp);
/* output/sndbuf.c */
bool tcp_stream_memory_free(const struct tcb *tp);
bool tcp_is_writable(const struct tcb *tp);
/** May what is to be sent take so much more memory? */
bool tcp_may_take(const struct tcb *tp, uint64_t bytes);
/** Storage for n more bytes behind what is written. 0, -ENOBUFS, -ENOMEM. */
int tcp_reserve_send(struct tcb *tp, size_t n);
/** Storage up to `limit` for who writes into the stream beyond `granted` by himself; where it
 * really ends, at least `granted`. */
uint64_t tcp_grant_send(struct tcb *tp, uint64_t granted, uint64_t limit);
/* output/mss.c */
uint32_t tcp_current_mss(struct tcb *tp);
uint32_t tcp_send_mss(struct tcb *tp, uint32_t *size_goal);
/** The largest IP packet that may leave as one burst, to be cut behind us. */
uint32_t tcp_burst_max(const struct tcb *tp);
/** The same, of what is known already. */
uint32_t tcp_mss_now(const struct tcb *tp);
void tcp_sync_mss(struct tcb *tp, uint32_t pmtu);
/** Payload that fits into packets of this MTU, but for the bound by the window; and back. */
uint32_t tcp_mss_of(const struct tcb *tp, uint32_t mtu);
uint32_t tcp_mtu_of(const struct tcb *tp, uint32_t mss);
/** The path is as `path` says, as far as an earlier word does not stand against a raise. */
void tcp_take_pmtu(struct tcb *tp, const struct path_mtu *path);
/** Look the path MTU up. */
void tcp_check_pmtu(struct tcb *tp);
bool tcp_dont_fragment(const struct tcb *tp);
uint32_t tcp_advertise_mss(struct stack *st, const struct ip_addr *dst, uint32_t user_mss);
/* output/mtu_probe.c: RFC 4821 */
/** A connection begins. */
void tcp_mtup_init(struct tcb *tp);
/** Try a larger segment, if it is time. 1: it is sent; 0: wait with other data until it can be;
 * -1: no. */
int tcp_mtu_probe(struct tcb *tp);
/** What is acknowledged now: a probe, or another segment that is larger than was known to pass. */
void tcp_mtup_acked(struct tcb *tp, const struct segment *seg);
/** seg was SACKed, or acknowledged without that: the peer has it. */
void tcp_mtup_arrived(struct tcb *tp, const struct segment *seg);
/** All that tcp_mtup_acked() was told of is in snd_una. */
void tcp_mtup_ack_done(struct tcb *tp);
/** Losses were found. True: it was the probe and nothing else, and it goes again without a
 * reduction. */
bool tcp_mtup_failed(struct tcb *tp);
/** Something is sent again while a probe is out: nothing can be said of it. */
void tcp_mtup_inconclusive(struct tcb *tp);
/** A "too big" tells of the probe's end: no congestion. */
void tcp_mtup_refused(struct tcb *tp);
/** seg is lost. */
void tcp_mtup_lost(struct tcb *tp, const struct segment *seg);
/** Many of the first larger segments were lost: back to the old size (RFC 4821 §7.8). */
void tcp_mtup_verify(struct tcb *tp, bool timeout);
/** R1: time-outs without end (RFC 4821 §7.7, RFC 2923 §2.1). */
void tcp_mtup_black_hole(struct tcb *tp);
/* output/wqueue.c: the write queue */
struct segment *wqueue_entail(struct tcb *tp);
/** One segment put by, so that bytes that were granted as spans can always be committed. False: no
 * memory for it. */
bool wqueue_have_spare(struct tcb *tp);
struct segment *wqueue_entail_spare(struct tcb *tp);
struct segment *wqueue_tail(struct tcb *tp);
struct segment *wqueue_send_head(struct tcb *tp);
void wqueue_unlink(struct tcb *tp, struct segment *seg);
/** A copy that failed at its first byte leaves no segment behind. */
void wqueue_drop_empty_tail(struct tcb *tp);
/** Cut seg at `len` payload bytes; the rest becomes a new segment behind it. 0 or -ENOMEM. */
int tso_fragment(struct tcb *tp, struct segment *seg, uint32_t len, uint32_t mss);
void wqueue_set_pcount(struct segment *seg, uint32_t mss);
/** Fill seg up to `want` bytes from the unsent segments behind it (never across MSG_EOR). */
void wqueue_pull(struct tcb *tp, struct segment *seg, uint32_t want, uint32_t mss);
/* output/limits.c */
/** How many packets the congestion window lets go as one burst. */
uint32_t tcp_cwnd_quota(const struct tcb *tp);
/** Does seg, or its first packet, fit into the peer's window? */
bool tcp_snd_wnd_test(const struct tcb *tp, const struct segment *seg, uint32_t mss);
/** How many bytes of seg, which has several packets, go at once. */
uint32_t tcp_split_point(const struct tcb *tp, const struct segment *seg, uint32_t mss,
                         uint32_t quota, uint8_t nonagle);
/** Does enough of this connection wait in the device? */
bool tcp_small_queue_check(const struct tcb *tp, const struct segment *seg);
/* output/nagle.c */
bool tcp_nagle_test(const struct tcb *tp, const struct segment *seg, uint32_t mss, uint8_t nonagle,
                    enum tcp_stop *why);
bool tcp_should_autocork(struct tcb *tp, const struct segment *seg, uint32_t size_goal);
bool tcp_tso_should_defer(struct tcb *tp, const struct segment *seg, uint32_t mss,
                          uint32_t max_segs);
uint32_t tcp_tso_autosize(const struct tcb *tp, uint32_t mss);
/** seg leaves now. */
void tcp_minshall_update(struct tcb *tp, const struct segment *seg, uint32_t mss);
/** Full segments went out, and seg behind them is one that its writer may still fill: once. */
bool tcp_holds_tail(struct tcb *tp, const struct segment *seg, uint32_t mss);
/* output/pacing.c */
/** Too early for the next departure? Then TCP_TIMER_pacing is armed: ask before each burst, new or
 * retransmitted. */
bool tcp_pacing_check(struct tcb *tp);
/** The same without the timer. */
bool tcp_pacing_waits(const struct tcb *tp);
/** How long still: what waits for an answer (RTO, window probe) waits that much longer (Linux:
 * tcp_pacing_delay). */
uint64_t tcp_pacing_delay(const struct tcb *tp);
/** `bytes` of payload leave now (tcp_transmit_segment does it; tp->data_segs_out counts them
 * already). */
void tcp_pacing_advance(struct tcb *tp, uint32_t bytes);
/* output/transmit.c */
/** Send seg (again). 0; -EAGAIN and -ENOBUFS: not sent, try later. When the device took only a
 * part, seg is cut there. */
int tcp_transmit_segment(struct tcb *tp, struct segment *seg, uint32_t mss);
int tcp_send_ack(struct tcb *tp);
int tcp_xmit_probe(struct tcb *tp, bool urgent);
void tcp_send_active_reset(struct tcb *tp);
int tcp_send_synack(struct stack *st, struct tcp_request *req);
/* output/transmit.c: segments without a full connection */
struct tcp_reply {
    struct ip_endpoint local, remote;
    uint32_t seq, ack, window;
    uint16_t flags;
    uint8_t tos, ttl;
    bool accecn; /**< SYN-ACK: AccECN's option */
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
void tcp_chrono_pool_init(struct stack *st);
void tcp_chrono_free(struct tcb *tp);
/** Output stops, and this is why: counted, timed, traced. */
void tcp_stop(struct tcb *tp, enum tcp_stop why);
/** The state of congestion control has changed. */
void tcp_chrono_recovery(struct tcb *tp);
/** What the program has not read takes half of the window, or does so no more. */
void tcp_chrono_reader(struct tcb *tp, bool slow);
uint64_t tcp_chrono_reader_us(const struct tcb *tp);
void tcp_chrono_start(struct tcb *tp, enum tcp_chrono kind);
void tcp_chrono_stop(struct tcb *tp, enum tcp_chrono kind);
uint64_t tcp_chrono_us(const struct tcb *tp, enum tcp_chrono kind);
/* output/probe.c: zero windows */
void tcp_check_probe_timer(struct tcb *tp);
void tcp_probe_timer(struct tcb *tp);
void tcp_ack_probe(struct tcb *tp);
int tcp_write_wakeup(struct tcb *tp);

#endif
