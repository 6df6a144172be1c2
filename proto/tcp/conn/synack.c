/* SPDX-License-Identifier: MIT */
/* The SYN-ACK of a request, kept or in a cookie (RFC 9293 §3.10.7.2; RFC 4987 §3.6). */
#include "proto/sock/sock_internal.h"
#include "proto/tcp/conn/cookie.h"
#include "proto/tcp/conn/request.h"

static uint32_t synack_tsval(const struct stack *st, const struct tcp_request *req)
{
    struct cookie_options o = {.wscale_ok = req->wscale_ok,
                               .wscale = req->snd_wscale,
                               .sack_ok = req->sack_ok,
                               .ecn_ok = req->ecn == TCP_ECN_CLASSIC};
    uint32_t now = tcp_ts_now(st);

    return (req->cookie ? cookie_timestamp(now, &o) : now) + req->ts_offset;
}

int tcp_send_synack(struct stack *st, struct tcp_request *req)
{
    struct tcp_reply r = {
        .local = req->conn.local,
        .remote = req->conn.remote,
        .seq = req->iss,
        .ack = req->irs + 1,
        .window = req->rcv_wnd < 65535 ? req->rcv_wnd : 65535,
        .flags = (uint16_t)(TH_SYN | TH_ACK | tcp_ecn_synack_flags(st, req)),
        .accecn = tcp_ecn_synack_option(st, req),
        .tos = req->tos,
        .ttl = req->ttl,
        .has_ts = req->ts_ok,
        .tsval = synack_tsval(st, req),
        .tsecr = req->ts_recent,
        .mss = req->advmss,
        .wscale_ok = req->wscale_ok,
        .wscale = req->rcv_wscale,
        .uto = uto_advertise(req->listener->tcb),
        .sack_ok = req->sack_ok,
    };
    int err;

    if (st->traces.waiting)
        tcp_trace_synack(st, &r, req->listener->tcb->bind.owner);
    err = tcp_send_reply(st, &r);
    st->tracing = NULL;
    return err;
}
