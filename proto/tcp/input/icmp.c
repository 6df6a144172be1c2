/* SPDX-License-Identifier: MIT */
/*
 * ICMP errors about our segments (RFC 9293 §3.9.2.2, RFC 5927 §4): only for a sequence number that is in flight; hard while
 * connecting, soft afterwards; "fragmentation needed" lowers the path MTU (RFC 1191).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

static uint32_t quoted_seq(const struct icmp_error *e)
{
    return (uint32_t)e->quoted[4] << 24 | (uint32_t)e->quoted[5] << 16 | (uint32_t)e->quoted[6] << 8 | e->quoted[7];
}

static void lower_mtu(struct tcb *tp, uint32_t mtu)
{
    /* 552 is Linux's net.ipv4.route.min_pmtu */
    if (mtu < 552)
        mtu = 552;
    if (mtu >= tp->pmtu)
        return;
    tcp_sync_mss(tp, mtu);
    tcp_simple_retransmit(tp);
}

static void connection_error(struct tcb *tp, const struct icmp_error *e)
{
    if (e->error == EMSGSIZE) {
        lower_mtu(tp, e->mtu);
        return;
    }
    if (tp->conn.state == TCPS_SYN_SENT || tp->conn.state == TCPS_SYN_RECV) {
        COUNT(tp->st, tcp_open_failed);
        tcp_finish(tp, e->error);
        return;
    }
    tp->soft_error = e->error;
}

bool tcp_icmp_input(struct stack *st, const struct icmp_error *e)
{
    struct ip_endpoint local = {e->src, (uint16_t)(e->quoted[0] << 8 | e->quoted[1])};
    struct ip_endpoint remote = {e->dst, (uint16_t)(e->quoted[2] << 8 | e->quoted[3])};
    struct tcp_conn *c = demux_find(st, &local, &remote);
    uint32_t seq = quoted_seq(e);
    struct tcb *tp;

    if (!c || c->kind == TCP_KIND_TIMEWAIT)
        return false;
    if (c->kind == TCP_KIND_REQUEST) {
        tcp_request_icmp(st, c, e, seq);
        return true;
    }
    tp = tcb_of_conn(c);
    if (!seq_between(tp->snd_una, seq, tp->snd_nxt))
        return false;
    connection_error(tp, e);
    return true;
}

/* The next hop is dead: who is connecting learns it at once, the others keep trying (RFC 1122 §4.2.3.9 soft). */
static void match_unreachable(struct hash_node *n, void *ctx)
{
    struct tcb *tp = container_of(n, struct tcb, id_node);
    const struct ip_addr *dst = ctx;

    if (!ip_addr_equal(&tp->conn.remote.addr, dst))
        return;
    if (tp->conn.state != TCPS_SYN_SENT) {
        tp->soft_error = EHOSTUNREACH;
        return;
    }
    COUNT(tp->st, tcp_open_failed);
    tcp_finish(tp, EHOSTUNREACH);
}

void tcp_host_unreachable(struct stack *st, const struct ip_addr *dst)
{
    struct ip_addr copy = *dst;

    hash_each(&st->tcp.by_id, match_unreachable, &copy);
}
