/* SPDX-License-Identifier: MIT */
/* What a connection is doing: TCP_INFO and the lines of `tapstack ss` (linux-sender §14,
 * linux-receiver §14). */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <string.h>

static const char *const state_names[TCPS_COUNT] = {
#define TCP_STATE(name, ss, rfc) [TCPS_##name] = ss,
#include "proto/tcp/states.def"
#undef TCP_STATE
};

static const char *const stop_names[] = {
#define TCP_STOP(name, help) #name,
#include "proto/tcp/stops.def"
#undef TCP_STOP
};

const char *tcp_state_name(unsigned state)
{
    return state < TCPS_COUNT && state_names[state] ? state_names[state] : "?";
}

const char *tcp_chrono_name(unsigned chrono)
{
    static const char *const names[] = {
        "idle",
#define TCP_CHRONO(name, help) #name,
#include "proto/tcp/chronos.def"
#undef TCP_CHRONO
    };

    return chrono < TCP_CHRONO_COUNT ? names[chrono] : "?";
}

const char *tcp_stop_name(unsigned stop)
{
    return stop < TCP_STOP_COUNT ? stop_names[stop] : "?";
}

static uint32_t ms_since(const struct tcb *tp, uint64_t then)
{
    return then ? (uint32_t)((tp->st->now - then) / 1000) : 0;
}

static void fill_tcp(const struct tcb *tp, struct sock_tcp_info *i)
{
    i->state = tp->conn.state;
    i->ca_state = tp->ca_state;
    i->retransmits = tp->retransmits;
    i->probes = tp->probes_out;
    i->backoff = tp->backoff;
    i->options = (uint8_t)((tp->ts_ok ? 1 : 0) | (tp->sack_ok ? 2 : 0) | (tp->wscale_ok ? 4 : 0) |
                           (tp->ecn.mode ? 8 : 0) | (tp->ecn.seen ? 16 : 0));
    i->wscales = (uint8_t)(tp->snd_wscale | tp->rcv_wscale << 4);
    i->rto = tp->rto;
    i->ato = tp->ato < TCP_DELACK_MAX ? tp->ato : TCP_DELACK_MAX;
    i->snd_mss = tp->mss_cache;
    i->rcv_mss = tp->rcv_mss;
    i->unacked = tp->packets_out;
    i->sacked = tp->sacked_out;
    i->lost = tp->lost_out;
    i->retrans = tp->retrans_out;
    i->last_data_sent = ms_since(tp, tp->last_sent);
    i->last_data_recv = ms_since(tp, tp->last_received);
    i->last_ack_recv = ms_since(tp, tp->last_ack_received);
    i->pmtu = tp->pmtu;
    i->rcv_ssthresh = tp->rcv_ssthresh;
    i->rtt = tp->srtt_us >> 3;
    i->rttvar = tp->mdev_us >> 2;
    i->snd_ssthresh = tp->ssthresh;
    i->snd_cwnd = tp->cwnd;
    i->advmss = tp->advmss;
    i->reordering = tp->reordering;
    i->rcv_rtt = (uint32_t)(tp->drs.rtt_us >> 3);
    i->rcv_space = tp->drs.space;
    i->total_retrans = tp->total_retrans;
    i->pacing_rate = tp->pacing_rate;
    i->max_pacing_rate = tp->max_pacing_rate;
    i->bytes_acked = tcp_bytes_acked(tp);
    i->bytes_received = tp->rcv_offset;
    i->segs_out = tp->segs_out;
    i->segs_in = tp->segs_in;
    i->notsent_bytes = tp->write_seq - tp->snd_nxt;
    i->min_rtt = tp->min_rtt_us;
    i->data_segs_in = tp->data_segs_in;
    i->data_segs_out = tp->data_segs_out;
    i->delivered = tp->delivered;
    i->delivered_ce = tp->delivered_ce;
    i->bytes_sent = tp->bytes_sent;
    i->bytes_retrans = tp->bytes_retrans;
    i->rcv_ooopack = tp->rcv_ooopack;
    i->snd_wnd = tp->snd_wnd;
    i->rcv_wnd = tcp_receive_window(tp);
    i->total_rto = tp->total_rto;
    i->total_rto_recoveries = tp->total_rto_recoveries;
    i->total_rto_time = tp->total_rto_ms;
    if (tp->rto_stamp)
        i->total_rto_time += tcp_ts_now(tp->st) - tp->rto_stamp;
    i->reord_seen = tp->reord_seen;
    i->dsack_dups = tp->dsack_dups;
}

/* The chronographs exclude each other; busy is all of them (linux-sender §14). */
static void fill_rates(const struct tcb *tp, struct sock_tcp_info *i)
{
    i->rwnd_limited = tcp_chrono_us(tp, TCP_CHRONO_rwnd);
    i->sndbuf_limited = tcp_chrono_us(tp, TCP_CHRONO_sndbuf);
    for (unsigned k = TCP_CHRONO_NONE + 1; k < TCP_CHRONO_COUNT; k++)
        i->busy_time += tcp_chrono_us(tp, (enum tcp_chrono)k);
    i->delivery_rate = tcp_rate_bytes_per_second(tp);
    i->delivery_flags = tp->rate.sample_app_limited;
}

static void fill_waits(const struct tcb *tp, struct sock_info *out)
{
    out->age_us = tp->opened_at ? tp->st->now - tp->opened_at : 0;
    for (unsigned k = TCP_CHRONO_NONE + 1; k < TCP_CHRONO_COUNT; k++)
        out->waited[k] = tcp_chrono_us(tp, (enum tcp_chrono)k);
    out->reader_us = tcp_chrono_reader_us(tp);
    out->max_window = tp->max_window;
    out->rcvbuf = tp->rcvbuf;
    out->sndbuf = tp->sndbuf;
    out->nodelay = tp->nonagle & TCP_NAGLE_OFF;
    out->sndbuf_fixed = tp->sndbuf_locked;
    out->rcvbuf_fixed = tp->rcvbuf_locked;
    out->slow_start = tcp_in_slow_start(tp);
    strncpy(out->algorithm, tp->cc->name, sizeof(out->algorithm) - 1);
}

static void fill_timer(const struct tcb *tp, struct sock_info *out)
{
    uint64_t at;

    out->timer = tcp_timer_next(tp, &at);
    out->timer_us = out->timer && at > tp->st->now ? at - tp->st->now : 0;
}

static void fill_memory(const struct tcb *tp, struct sock_memory *m)
{
    const struct account *payer = tcp_account(tp);

    m->sndbuf = tp->sndbuf;
    m->rcvbuf = tp->rcvbuf;
    m->send_extents = (uint32_t)bytestream_footprint(&tp->snd);
    m->recv_extents = (uint32_t)bytestream_footprint(&tp->rcv);
    m->out_of_order = tp->ooo_bytes;
    m->account_used = payer->used;
    m->account_limit = payer->limit;
}

static void fill_tcb(const struct tcb *tp, struct sock_info *out)
{
    out->state = tp->conn.state;
    out->local = tp->conn.local;
    out->remote = tp->conn.remote;
    out->id = tcb_id(tp);
    out->recv_queue = (uint32_t)tcp_unread(tp);
    out->send_queue = tcp_wmem_queued(tp);
    fill_timer(tp, out);
    fill_tcp(tp, &out->tcp);
    fill_rates(tp, &out->tcp);
    fill_memory(tp, &out->memory);
    out->congestion = tp->cc ? tp->cc->name : NULL;
    fill_waits(tp, out);
    for (int i = 0; i < TCP_STOP_COUNT; i++)
        out->stops[i] = tp->stops[i];
}

void sock_get_info(struct sock *s, struct sock_info *out, uint64_t now)
{
    stack_set_now(s->st, now);
    memset(out, 0, sizeof(*out));
    fill_tcb(s->tcb, out);
    out->has_handle = !s->parent && !s->lingers;
    out->user = s->user;
    out->dual = s->v6 && !s->v6only && ip_addr_is_any(&out->local.addr);
    if (!s->listener)
        return;
    out->recv_queue = listener_waiting(s->listener);
    out->send_queue = s->listener->backlog;
    out->tcp.unacked = out->recv_queue;
    out->tcp.sacked = out->send_queue;
}

struct each_call {
    struct stack *st;
    void (*cb)(void *ctx, const struct sock_info *info);
    void *ctx;
};

static void info_of(const struct tcb *tp, struct sock_info *out)
{
    if (tp->sock) {
        sock_get_info(tp->sock, out, tp->st->now);
    } else {
        memset(out, 0, sizeof(*out));
        fill_tcb(tp, out);
    }
}

static void each_tcb(struct hash_node *n, void *ctx)
{
    const struct tcb *tp = container_of(n, struct tcb, id_node);
    const struct each_call *e = ctx;
    struct sock_info info;

    if (tp->sock && tp->sock->retired)
        return;
    info_of(tp, &info);
    e->cb(e->ctx, &info);
}

int stack_info(struct stack *st, uint64_t id, struct sock_info *out, uint64_t now)
{
    struct hash_node *n = hash_first(&st->tcp.by_id, id);

    stack_set_now(st, now);
    if (!n)
        return -ENOENT;
    info_of(container_of(n, struct tcb, id_node), out);
    return 0;
}

static void each_small(struct hash_node *n, void *ctx)
{
    const struct tcp_conn *c = container_of(n, struct tcp_conn, node);
    const struct each_call *e = ctx;
    struct sock_info info;

    memset(&info, 0, sizeof(info));
    if (c->kind == TCP_KIND_REQUEST)
        tcp_request_info(e->st, c, &info);
    else if (c->kind == TCP_KIND_TIMEWAIT)
        tcp_timewait_info(e->st, c, &info);
    else
        return;
    e->cb(e->ctx, &info);
}

void stack_each(struct stack *st, void (*cb)(void *ctx, const struct sock_info *info), void *ctx,
                uint64_t now)
{
    struct each_call e = {st, cb, ctx};

    stack_set_now(st, now);
    hash_each(&st->tcp.by_id, each_tcb, &e);
    hash_each(&st->tcp.conns, each_small, &e);
}
