/* SPDX-License-Identifier: MIT */
/* What the rooms of proto/tcp/ may call of input/: the checks of RFC 9293 §3.10.7, and the
 * receiver. */
#ifndef TS_PROTO_TCP_INPUT_INPUT_H
#define TS_PROTO_TCP_INPUT_INPUT_H

#include "proto/tcp/tcb.h"

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
/** Where in the stream the last byte ends that is held, in order or not. */
uint64_t tcp_rcv_occupied(const struct tcb *tp);
/** Forget what is held beyond holes. */
void tcp_ooo_purge(struct tcb *tp);
/* input/icmp.c: the "too big" that waited for a time-out is believed now */
void tcp_ptb_believe(struct tcb *tp);
/* input/sack_blocks.c: what the peer is told of it (RFC 2018, RFC 2883) */
/** A segment has arrived behind a hole; [start, end) is all that is held around it. */
void sack_blocks_add(struct tcb *tp, uint32_t start, uint32_t end);
/** rcv_nxt has moved. */
void sack_blocks_advance(struct tcb *tp);
/** Say no more about what is held, nor about duplicates. */
void sack_blocks_clear(struct tcb *tp);
/** [start, end) has arrived twice. The first of one segment counts, and what lies next to it. */
void sack_blocks_duplicate(struct tcb *tp, uint32_t start, uint32_t end);
/** The highest end among the blocks; false: there is none. */
bool sack_blocks_highest(const struct tcb *tp, uint32_t *end);
/** Bytes of `room` that the option takes in the next segment, with its padding. */
uint32_t sack_blocks_space(const struct tcb *tp, uint32_t room);
/** The blocks that fit into `space` bytes, as sack_blocks_space() gave them. Returns how many. */
uint32_t sack_blocks_list(const struct tcb *tp, uint32_t space,
                          struct sack_block out[TCP_MAX_SACKS + 1]);
/** A segment has told them. */
void sack_blocks_sent(struct tcb *tp);
/* input/deliver.c: straight to the program */
struct delivered {
    uint32_t taken; /**< bytes that it has taken */
    uint32_t fresh; /**< … of those at rcv_nxt: the caller moves it over them */
};
/** May the next `len` bytes in order go there? */
bool tcp_may_deliver(const struct tcb *tp, uint32_t len);
/** Hand over what is unread, and behind it the bytes at rcv_nxt. */
struct delivered tcp_deliver(struct tcb *tp, const uint8_t *data, uint32_t len);
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
/** Data behind a hole keeps the program from reading: the buffer makes room for it. */
void tcp_rcvbuf_grow_ooo(struct tcb *tp);
/* input/window_budget.c */
/** Take up to so many bytes of the budget; returns how many. */
uint32_t tcp_window_take(struct tcb *tp, uint32_t bytes);
/** The connection is over: its part of the budget is free. */
void tcp_window_give_back(struct tcb *tp);
void tcp_measure_rcv_mss(struct tcb *tp, const struct tcp_seg *seg);
/** Without timestamps: a window of data takes a round trip at least. */
void tcp_rcv_rtt_measure(struct tcb *tp);
void tcp_rcv_rtt_sample_ts(struct tcb *tp, const struct tcp_seg *seg);
void tcp_rcv_space_adjust(struct tcb *tp);
/** The program took bytes: does the peer have to know (RFC 9293 §3.8.6.2.2)? */
void tcp_cleanup_rbuf(struct tcb *tp, uint32_t copied);
/** The program, or the host for it, has taken bytes; without that `before` would be unread. What
 * follows from it: storage, windows, acknowledgements. */
void tcp_reader_moved(struct tcb *tp, uint64_t before);
/** An ACK is delayed that goes out when the program has read everything, or more than one segment.
 */
bool tcp_awaits_reader(const struct tcb *tp);
/* input/delack.c: when ACKs go out (linux-receiver §5) */
/** ACKs are not delayed now. */
bool tcp_ack_quick_mode(const struct tcb *tp);
void tcp_ack_schedule(struct tcb *tp);
void tcp_ack_data_received(struct tcb *tp);
void tcp_ack_decide(struct tcb *tp);
/** `segs` segments have arrived behind a hole: a duplicate ACK, now or soon. */
void tcp_ack_out_of_order(struct tcb *tp, uint32_t segs);
void tcp_ack_sent(struct tcb *tp);
void tcp_ack_data_sent(struct tcb *tp);
void tcp_ack_enter_quick(struct tcb *tp, uint32_t max);
void tcp_delack_timer(struct tcb *tp);
void tcp_compack_timer(struct tcb *tp);

#endif
