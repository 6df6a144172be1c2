/* SPDX-License-Identifier: MIT */
/*
 * ICMP errors about our segments (RFC 9293 §3.9.2.2, RFC 5927 §4): only for a sequence number that
 * is in flight; hard while connecting, soft afterwards; "fragmentation needed" lowers the path MTU
 * (RFC 1191), with tcp_ptb_patience only when no ACK contradicts it (RFC 5927 §7.2).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <netinet/in.h>

static uint32_t quoted_seq(const struct icmp_error *e)
{
    return (uint32_t)e->quoted[4] << 24 | (uint32_t)e->quoted[5] << 16 |
           (uint32_t)e->quoted[6] << 8 | e->quoted[7];
}

static void lower_mtu(struct tcb *tp, uint32_t mtu)
{
    struct path_mtu path;

    pmtu_lower(tp->st, &tp->conn.remote.addr, mtu, &path);
    /* who lets routers fragment was not answered for this: it sends smaller from now on (Linux) */
    if (tp->pmtudisc != IP_PMTUDISC_WANT && tp->pmtudisc != IP_PMTUDISC_DO)
        return;
    if (path.mtu >= tp->pmtu)
        return;
    tcp_take_pmtu(tp, &path);
    tcp_mtup_refused(tp);
    tcp_simple_retransmit(tp);
}

/* Segments of this size have arrived before: the claim may be forged, a time-out of the quoted
 * segment will tell. */
static bool is_doubtful(const struct tcb *tp, uint32_t mtu)
{
    uint32_t headers = (uint32_t)(ip_addr_is_v4(&tp->conn.remote.addr) ? 40 : 60) +
                       (tp->ts_ok ? TCP_TIMESTAMP_SPACE : 0);

    return tp->st->tcp.tunables.ptb_patience && mtu < tp->size_acked + headers;
}

static void too_big(struct tcb *tp, uint32_t mtu, uint32_t seq)
{
    if (is_doubtful(tp, mtu)) {
        tp->ptb_mtu = (uint16_t)mtu;
        tp->ptb_seq = seq;
        return;
    }
    lower_mtu(tp, mtu);
}

void tcp_ptb_believe(struct tcb *tp)
{
    uint32_t mtu = tp->ptb_mtu;

    tp->ptb_mtu = 0;
    if (mtu)
        lower_mtu(tp, mtu);
}

/* Linux believes any error while connecting; RFC 9293 §3.9.2.2 (MUST-56) only the hard ones. */
bool tcp_icmp_ends_syn(const struct stack *st, const struct icmp_error *e)
{
    return e->hard || !st->tcp.tunables.syn_soft_errors;
}

static void connection_error(struct tcb *tp, const struct icmp_error *e, uint32_t seq)
{
    if (e->error == EMSGSIZE) {
        too_big(tp, e->mtu, seq);
        return;
    }
    if ((tp->conn.state == TCPS_SYN_SENT || tp->conn.state == TCPS_SYN_RECV) &&
        tcp_icmp_ends_syn(tp->st, e)) {
        COUNT(tp->st, tcp_open_failed);
        tcp_finish(tp, e->error);
        return;
    }
    tp->soft_error = (int16_t)e->error;
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
    /* in flight, so below SND.NXT: with nothing in flight no error can be about us (Linux takes
     * SND.NXT itself too) */
    if (seq_lt(seq, tp->snd_una) || seq_geq(seq, tp->snd_nxt))
        return false;
    connection_error(tp, e, seq);
    return true;
}

/* The next hop is dead: who is connecting learns it at once, the others keep trying (RFC 1122
 * §4.2.3.9 soft). */
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
