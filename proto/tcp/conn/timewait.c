/* SPDX-License-Identifier: MIT */
/*
 * TIME-WAIT, and FIN-WAIT-2 without a program: small records that answer for a connection that is
 * over (RFC 9293 §3.6.1, §3.10.7.4; RFC 6191, RFC 1337; linux-receiver §9).
 */
#include "proto/sock/sock_internal.h"

struct tcp_timewait {
    struct tcp_conn conn;
    struct bind_owner bind;
    struct list age_link;
    struct stack_timer timer;
    uint32_t snd_nxt, rcv_nxt, rcv_wnd;
    uint32_t ts_recent, ts_stamp_s, ts_offset;
    uint64_t answered_at;
    uint8_t rcv_wscale, tos;
    bool ts_ok;
    uint16_t ace; /**< AccECN's counter, as flags */
};

void tcp_timewait_pool_init(struct stack *st)
{
    pool_init(&st->tcp.timewait_pool, &st->mem, sizeof(struct tcp_timewait));
}

static struct tcp_timewait *timewait_of(struct tcp_conn *c)
{
    return container_of(c, struct tcp_timewait, conn);
}

void tcp_timewait_free(struct stack *st, struct tcp_conn *c)
{
    struct tcp_timewait *tw = timewait_of(c);

    stack_timer_stop(st, &tw->timer);
    list_del(&tw->age_link);
    port_release(st, &tw->bind);
    demux_remove(st, c);
    st->tcp.n_timewait--;
    pool_put(&st->tcp.timewait_pool, tw);
}

void tcp_timewait_timer(struct stack *st, struct stack_timer *t)
{
    struct tcp_timewait *tw = container_of(t, struct tcp_timewait, timer);

    tcp_timewait_free(st, &tw->conn);
}

static uint64_t two_msl(const struct stack *st)
{
    return (uint64_t)st->tcp.tunables.time_wait * 1000000;
}

static void fill(struct tcp_timewait *tw, const struct tcb *tp, enum tcp_state state)
{
    tw->conn.kind = TCP_KIND_TIMEWAIT;
    tw->conn.state = (uint8_t)state;
    tw->conn.local = tp->conn.local;
    tw->conn.remote = tp->conn.remote;
    tw->timer.node.kind = STACK_TIMER_TIMEWAIT;
    tw->snd_nxt = tp->snd_nxt;
    tw->rcv_nxt = tp->rcv_nxt;
    tw->rcv_wnd = tcp_receive_window(tp);
    tw->rcv_wscale = tp->rcv_wscale;
    tw->ts_ok = tp->ts_ok;
    tw->ts_recent = tp->ts_recent;
    tw->ts_stamp_s = tp->ts_recent_stamp_s;
    tw->ts_offset = tp->ts_offset;
    tw->tos = tp->tos;
    tw->ace = tp->ecn.mode == TCP_ECN_ACCURATE ? tcp_ace_flags(tp->acc->r_cep) : 0;
    port_inherit(&tw->bind, &tp->bind);
    tw->bind.timewait = true;
}

/* The newest record wins a place: the oldest ones have waited longest (Linux closes the new one
 * instead and loses its protection). */
static void make_room(struct stack *st)
{
    struct list *l;

    while (st->tcp.n_timewait >= stack_share_of(st, st->tcp.tunables.max_tw_buckets) &&
           (l = list_first(&st->tcp.timewaits))) {
        COUNT(st, tcp_time_wait_recycled);
        tcp_timewait_free(st, &container_of(l, struct tcp_timewait, age_link)->conn);
    }
}

void tcp_time_wait(struct tcb *tp, enum tcp_state state, uint64_t us)
{
    struct stack *st = tp->st;
    struct tcp_timewait *tw = NULL;

    make_room(st);
    if (st->tcp.tunables.max_tw_buckets > 0)
        tw = pool_get(&st->tcp.timewait_pool);
    if (tw)
        fill(tw, tp, state);
    tcp_finish(tp, 0);
    if (!tw)
        return;
    demux_insert(st, &tw->conn);
    list_add_tail(&st->tcp.timewaits, &tw->age_link);
    st->tcp.n_timewait++;
    if (state == TCPS_TIME_WAIT)
        COUNT(st, tcp_time_wait);
    stack_timer_arm(st, &tw->timer, st->now + us);
}

static void answer(struct stack *st, struct tcp_timewait *tw, bool dataless)
{
    struct tcp_reply r = {.local = tw->conn.local,
                          .remote = tw->conn.remote,
                          .seq = tw->snd_nxt,
                          .ack = tw->rcv_nxt,
                          .window = tw->rcv_wnd >> tw->rcv_wscale,
                          .flags = (uint16_t)(TH_ACK | tw->ace),
                          .tos = tw->tos,
                          .has_ts = tw->ts_ok,
                          .tsval = tcp_ts_now(st) + tw->ts_offset,
                          .tsecr = tw->ts_recent};

    if (dataless &&
        st->now - tw->answered_at < (uint64_t)st->tcp.tunables.invalid_ratelimit * 1000) {
        COUNT(st, tcp_challenge_limited);
        return;
    }
    tw->answered_at = st->now;
    tcp_send_reply(st, &r);
}

static bool old_stamp(const struct stack *st, const struct tcp_timewait *tw,
                      const struct tcp_seg *seg)
{
    return tw->ts_ok && seg->opt.has_ts &&
           tcp_paws_reject(tw->ts_recent, tw->ts_stamp_s, true, (uint32_t)(st->now / 1000000),
                           seg->opt.tsval, 0);
}

static void remember_stamp(const struct stack *st, struct tcp_timewait *tw,
                           const struct tcp_seg *seg)
{
    if (!tw->ts_ok || !seg->opt.has_ts)
        return;
    tw->ts_recent = seg->opt.tsval;
    tw->ts_stamp_s = (uint32_t)(st->now / 1000000);
}

/* RFC 5961 §3.2 holds without a program too, where Linux takes each reset in the window; PAWS does
 * not look at resets (RFC 7323 §5.2). */
static void reset_in_fin_wait2(struct stack *st, struct tcp_timewait *tw, const struct tcp_seg *seg,
                               bool in_window)
{
    if (seg->seq == tw->rcv_nxt) {
        COUNT(st, tcp_in_rst);
        tcp_timewait_free(st, &tw->conn);
    } else if (in_window) {
        answer(st, tw, true);
    }
}

/* FIN-WAIT-2 of an orphan: only the peer's FIN is still wanted. */
static void fin_wait2_input(struct stack *st, struct tcp_timewait *tw, const struct tcp_seg *seg)
{
    bool in_window =
        seq_geq(seg->end_seq, tw->rcv_nxt) && seq_leq(seg->seq, tw->rcv_nxt + tw->rcv_wnd);

    if (seg->flags & TH_RST) {
        reset_in_fin_wait2(st, tw, seg, in_window);
        return;
    }
    /* a SYN too: the state is a synchronised one (RFC 5961 §4.2; Linux resets it) */
    if (old_stamp(st, tw, seg) || !in_window || (seg->flags & TH_SYN)) {
        answer(st, tw, seg->len == 0 || (seg->flags & TH_SYN));
        return;
    }
    /* an empty ACK may lie behind a FIN that was lost on the way: it is no data */
    if (!(seg->flags & TH_ACK) || seq_leq(seg->end_seq, tw->rcv_nxt) || seg->end_seq == seg->seq)
        return;
    if (!(seg->flags & TH_FIN) || seg->end_seq != tw->rcv_nxt + 1) {
        /* data that nobody will read (RFC 1122 §4.2.2.13) */
        COUNT(st, tcp_in_after_close);
        tcp_send_reset(st, seg);
        tcp_timewait_free(st, &tw->conn);
        return;
    }
    tw->rcv_nxt = seg->end_seq;
    remember_stamp(st, tw, seg);
    tw->conn.state = TCPS_TIME_WAIT;
    COUNT(st, tcp_time_wait);
    stack_timer_arm(st, &tw->timer, st->now + two_msl(st));
    answer(st, tw, false);
}

/* RFC 6191 §2: a newer timestamp or a higher sequence number tells a new connection from an old
 * duplicate. */
static bool may_reopen(struct stack *st, const struct tcp_timewait *tw, const struct tcp_seg *seg)
{
    bool newer_stamp = tw->ts_ok && seg->opt.has_ts && seq_gt(seg->opt.tsval, tw->ts_recent);

    if ((seg->flags & (TH_SYN | TH_ACK | TH_RST)) != TH_SYN || old_stamp(st, tw, seg))
        return false;
    /* nobody would take it: TIME-WAIT goes on protecting the tuple */
    if (!listener_find(st, &tw->conn.local, &tw->conn.remote))
        return false;
    /* segments of the old connection have none and stay recognisable (RFC 6191 §2; Linux looks at
     * the sequence number alone) */
    if (st->tcp.tunables.rfc6191 && !tw->ts_ok && seg->opt.has_ts)
        return true;
    return seq_gt(seg->seq, tw->rcv_nxt) || newer_stamp;
}

bool tcp_timewait_input(struct stack *st, struct tcp_conn *c, const struct tcp_seg *seg,
                        uint32_t *isn)
{
    struct tcp_timewait *tw = timewait_of(c);
    bool old = old_stamp(st, tw, seg);

    if (c->state == TCPS_FIN_WAIT2) {
        fin_wait2_input(st, tw, seg);
        return false;
    }
    if (!old && seg->seq == tw->rcv_nxt && (seg->flags & TH_RST)) {
        COUNT(st, tcp_in_rst);
        if (!st->tcp.tunables.rfc1337)
            tcp_timewait_free(st, c);
        return false;
    }
    if (!old && seg->seq == tw->rcv_nxt && seg->end_seq == seg->seq && !(seg->flags & TH_SYN)) {
        /* a bare ACK: nothing to answer, but the peer is still there */
        remember_stamp(st, tw, seg);
        stack_timer_arm(st, &tw->timer, st->now + two_msl(st));
        return false;
    }
    if (may_reopen(st, tw, seg)) {
        *isn = tw->snd_nxt + 65535 + 2;
        if (*isn == 0)
            *isn = 1;
        COUNT(st, tcp_time_wait_reused);
        tcp_timewait_free(st, c);
        return true;
    }
    if (seg->flags & TH_RST)
        return false;
    if (st->tcp.tunables.rfc6191 && (seg->flags & (TH_SYN | TH_ACK)) == TH_SYN)
        return false;
    if (old || (seg->flags & TH_ACK))
        stack_timer_arm(st, &tw->timer, st->now + two_msl(st));
    answer(st, tw, seg->end_seq == seg->seq);
    return false;
}

bool tcp_timewait_reuse(struct stack *st, struct tcp_conn *c, uint32_t *isn, uint32_t *ts_recent)
{
    struct tcp_timewait *tw = timewait_of(c);

    if (c->state != TCPS_TIME_WAIT || !tw->ts_ok)
        return false;
    *isn = tw->snd_nxt + 65535 + 2;
    if (*isn == 0)
        *isn = 1;
    *ts_recent = tw->ts_recent;
    tcp_timewait_free(st, c);
    return true;
}

void tcp_timewait_info(const struct stack *st, const struct tcp_conn *c, struct sock_info *info)
{
    const struct tcp_timewait *tw = container_of(c, struct tcp_timewait, conn);
    uint64_t at = tw->timer.node.deadline;

    info->state = c->state;
    info->local = c->local;
    info->remote = c->remote;
    info->timer = "timewait";
    info->timer_us = at > st->now ? at - st->now : 0;
    info->tcp.state = c->state;
}
