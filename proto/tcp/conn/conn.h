/* SPDX-License-Identifier: MIT */
/* What the rooms of proto/tcp/ may call of conn/: birth, life and death of connections. */
#ifndef TS_PROTO_TCP_CONN_CONN_H
#define TS_PROTO_TCP_CONN_CONN_H

#include "proto/tcp/tcb.h"

/* conn/tcb.c: birth and death */
/** On this account; NULL: no memory, in all or there. */
struct tcb *tcb_new(struct stack *st, struct account *account);
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

/* conn/quota.c: who pays */
int quota_init(struct stack *st);
void quota_destroy(struct stack *st);
/** Begin both streams on this account; false: it is used up. */
bool quota_join(struct tcb *tp, struct account *a);
void quota_leave(struct tcb *tp);
/** It is nobody's in particular any more. */
void quota_release(struct tcb *tp);
/** What this connection is charged. */
uint64_t quota_cost(const struct tcb *tp);
/** NULL: the stack has no memory. */
static inline struct segment *segment_new(struct tcb *tp)
{
    struct segment *seg = pool_get(&tp->st->tcp.segment_pool);

    if (seg)
        account_charge(tcp_account(tp), sizeof(*seg));
    return seg;
}

static inline void segment_free(struct tcb *tp, struct segment *seg)
{
    if (!seg)
        return;
    account_refund(tcp_account(tp), sizeof(*seg));
    pool_put(&tp->st->tcp.segment_pool, seg);
}

/** NULL: no memory, in all or of the owner. */
struct ooo_range *range_new(struct tcb *tp);
void range_free(struct tcb *tp, struct ooo_range *r);

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
/** Does another stack on our address hold this port? */
bool port_held_elsewhere(const struct stack *st, uint16_t port);
/** Would somebody keep `o` from having this port? */
bool port_conflicts(struct stack *st, const struct bind_owner *o, uint16_t port);
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
/** How much of it is over, when the trouble began at `since`. */
uint64_t uto_elapsed(const struct tcb *tp, uint64_t since);
/** The user timeout in force: the program's, else the adopted one; 0: none. */
uint32_t uto_effective_ms(const struct tcb *tp);

/* conn/close.c */
/** Queue a FIN behind the data (send path, §3 of linux-sender: set on the unsent tail if there is
 * one). */
void tcp_send_fin(struct tcb *tp);
/** The program will send no more: FIN, and the next state. */
void tcp_shutdown_write(struct tcb *tp);
/** Send our FIN behind what is queued: in SYN-RECEIVED too, where tcp_shutdown_write() waits. */
void tcp_close_write(struct tcb *tp);
/** The program is gone. */
void tcp_close(struct tcb *tp, bool linger_zero);
void tcp_abort(struct tcb *tp);
/** The peer's FIN is in order: acknowledge, change state, tell the program (RFC 9293 §3.10.7.4,
 * eighth). */
void tcp_fin(struct tcb *tp);
/** Our FIN was acknowledged. The tcb may be gone afterwards. */
void tcp_fin_acked(struct tcb *tp);
/** FIN-WAIT-2 and no program. The tcb is gone afterwards. */
void tcp_fin_wait2_orphan(struct tcb *tp);

/* conn/listen.c */
/** A segment for a listener. isn: the ISN that a reopened TIME-WAIT tuple must use, 0: a fresh one.
 */
void tcp_listen_input(struct stack *st, struct sock *listener, const struct tcp_seg *seg,
                      uint32_t isn);

/* conn/request.c: half-open records; conn/synack.c: their SYN-ACKs; conn/child.c: what they become
 */
struct tcp_request;
void tcp_request_pool_init(struct stack *st);
void tcp_request_input(struct stack *st, struct tcp_conn *c, const struct tcp_seg *seg);
/** IP_MINTTL of its listener. */
uint8_t tcp_request_min_ttl(struct tcp_conn *c);
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

#endif
