/* SPDX-License-Identifier: MIT */
/*
 * The connection that a handshake at a listener ends in: what it has from the listener's options,
 * what from the SYN and the ACK (RFC 9293 §3.10.7.4, fifth; Linux: tcp_create_openreq_child).
 */
#include "proto/sock/sock_internal.h"
#include "proto/tcp/conn/request.h"

void tcp_inherit_options(struct tcb *tp, const struct tcb *from)
{
    tp->nonagle = from->nonagle;
    tp->rcvbuf = from->rcvbuf;
    tp->sndbuf = from->sndbuf;
    tp->rcvbuf_locked = from->rcvbuf_locked;
    tp->sndbuf_locked = from->sndbuf_locked;
    tp->keepalive = from->keepalive;
    tp->keep_idle_s = from->keep_idle_s;
    tp->keep_intvl_s = from->keep_intvl_s;
    tp->keep_cnt = from->keep_cnt;
    tp->linger2_s = from->linger2_s;
    tp->user_timeout_ms = from->user_timeout_ms;
    tp->notsent_lowat = from->notsent_lowat;
    tp->user_mss = from->user_mss;
    tp->user_clamp = from->user_clamp;
    tp->max_pacing_rate = from->max_pacing_rate;
    tp->tos = from->tos;
    tp->pmtudisc = from->pmtudisc;
    tp->ttl = from->ttl;
    tp->min_ttl = from->min_ttl;
    tp->rto_min_ms = from->rto_min_ms;
    tp->syn_cnt = from->syn_cnt;
    tp->cc = from->cc;
}

static void fill_from_request(struct tcb *tp, const struct tcp_request *req,
                              const struct tcp_seg *seg)
{
    tp->conn.local = req->conn.local;
    tp->conn.remote = req->conn.remote;
    tcp_rto_min_learn(tp);
    tp->passive = true;
    tp->iss = req->iss;
    tp->irs = req->irs;
    tp->snd_una = tp->snd_nxt = tp->write_seq = tp->pushed_seq = tp->snd_sml = tp->snd_up =
        req->iss + 1;
    tp->rcv_nxt = tp->rcv_wup = req->irs + 1;
    tp->rcv_wnd = req->rcv_wnd;
    tp->rcv_ssthresh = req->rcv_wnd;
    tp->window_clamp = req->window_clamp;
    tp->wscale_ok = req->wscale_ok;
    tp->snd_wscale = req->snd_wscale;
    tp->rcv_wscale = req->rcv_wscale;
    tp->snd_wnd = (uint32_t)seg->window << req->snd_wscale;
    tp->max_window = tp->snd_wnd;
    tp->snd_wl1 = seg->seq;
    tp->sack_ok = req->sack_ok;
    tp->ts_ok = req->ts_ok;
    tp->ts_offset = req->ts_offset;
    tp->ts_recent = req->ts_recent;
    tp->ts_recent_valid = req->ts_ok;
    tp->ts_recent_stamp_s = (uint32_t)(tp->st->now / 1000000);
    tp->advmss = req->advmss;
    tp->mss_clamp = req->peer_mss ? req->peer_mss : TCP_DEFAULT_MSS_V4;
    tp->pmtu = req->pmtu;
    uto_schedule(tp);
    if (req->uto)
        uto_received(tp, req->uto);
    if (seg->opt.uto)
        uto_received(tp, seg->opt.uto);
    tcp_ecn_child(tp, req, seg);
    tp->total_retrans = req->retries;
    tp->segs_in = 1 + seg->n_segs; /* the SYN and this one */
    tp->delivered = 1;             /* the SYN-ACK */
}

/* Established by the final ACK (the fifth check of RFC 9293 §3.10.7.4 in SYN-RECEIVED). NULL: no
 * memory, the record stays. */
struct tcb *tcp_child_new(struct stack *st, struct tcp_request *req, const struct tcp_seg *seg)
{
    struct sock *parent = req->listener;
    struct tcb *tp = tcb_new(st, tcp_account(parent->tcb));
    struct sock *child;

    if (!tp)
        return NULL;
    child = sock_wrap(st, tp);
    if (!child) {
        tcb_free(tp);
        return NULL;
    }
    child->v6 = parent->v6;
    child->linger = parent->linger;
    child->linger_s = parent->linger_s;
    child->rcv_timeout_us = parent->rcv_timeout_us;
    child->snd_timeout_us = parent->snd_timeout_us;
    child->rcvlowat = parent->rcvlowat;
    child->oob_inline = parent->oob_inline;
    child->no_port = parent->no_port;
    child->tclass = parent->tclass;
    child->reuse_addr = parent->reuse_addr;
    child->reuse_port = parent->reuse_port;
    child->was_connected = true;
    tcp_inherit_options(tp, parent->tcb);
    fill_from_request(tp, req, seg);
    port_inherit(&tp->bind, &parent->tcb->bind);
    tp->bind.addr = tp->conn.local.addr;
    if (req->retries)
        tp->rto = TCP_RTO_FALLBACK;
    else if (!req->cookie)
        tcp_rtt_handshake(tp, (uint32_t)(st->now - req->sent_at));
    if (req->cookie)
        COUNT(st, tcp_cookies_taken);
    if (st->traces.waiting)
        tcp_trace_born(tp); /* before the record goes: what is held for that is for this one */
    if (req->stored)
        tcp_request_free(st, &req->conn);
    demux_insert(st, &tp->conn);
    tcp_set_state(tp, TCPS_ESTABLISHED);
    tcp_init_transfer(tp);
    COUNT(st, tcp_passive_opens);
    child->parent = parent;
    list_add_tail(&parent->listener->accepted, &child->accept_link);
    listener_count(parent->listener, 1);
    sock_event(parent, SOCK_EV_ACCEPT);
    return tp;
}
