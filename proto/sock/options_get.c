/* SPDX-License-Identifier: MIT */
/*
 * getsockopt(2): every option of options.def that can be read, everything else ENOPROTOOPT
 * (socket(7), tcp(7), ip(7)).
 */
#include "proto/sock/options.h"

#include <errno.h>
#include <string.h>

#define KEY(level, name) ((uint32_t)(level) << 16 | (uint32_t)(name))

/* SYN-ACK time-outs (1, 2, 4 … s) as seconds (Linux: retrans_to_secs). */
static int seconds_of(uint8_t n)
{
    int timeout = 1, period = n ? 1 : 0;

    for (; n > 1; n--) {
        timeout = timeout < 60 ? timeout * 2 : 120;
        period += timeout;
    }
    return period;
}

static int or_tunable(int32_t v, int64_t tunable)
{
    return v ? v : (int)tunable;
}

static int get_maxseg(const struct tcb *tp)
{
    if (tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_LISTEN)
        return tp->mss_cache;
    return tp->user_mss ? tp->user_mss : TCP_DEFAULT_MSS_V4;
}

static int get_tcp_int(const struct tcb *tp, int name, int *v)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;

    switch (name) {
    case TCP_NODELAY:
        *v = !!(tp->nonagle & TCP_NAGLE_OFF);
        return 0;
    case TCP_CORK:
        *v = !!(tp->nonagle & TCP_NAGLE_CORK);
        return 0;
    case TCP_MAXSEG:
        *v = get_maxseg(tp);
        return 0;
    case TCP_KEEPIDLE:
        *v = or_tunable(tp->keep_idle_s, tun->keepalive_time);
        return 0;
    case TCP_KEEPINTVL:
        *v = or_tunable(tp->keep_intvl_s, tun->keepalive_intvl);
        return 0;
    case TCP_KEEPCNT:
        *v = or_tunable(tp->keep_cnt, tun->keepalive_probes);
        return 0;
    case TCP_SYNCNT:
        *v = or_tunable(tp->syn_cnt, tun->syn_retries);
        return 0;
    case TCP_DEFER_ACCEPT:
        *v = seconds_of(tp->defer_accept);
        return 0;
    case TCP_LINGER2:
        *v = or_tunable(tp->linger2_s, tun->fin_timeout);
        return 0;
    case TCP_QUICKACK:
        *v = !tp->pingpong;
        return 0;
    case TCP_USER_TIMEOUT:
        *v = (int)tp->user_timeout_ms;
        return 0;
    case TCP_RTO_MIN_US:
        *v = (int)tcp_rto_min_of_socket(tp);
        return 0;
    case TCP_NOTSENT_LOWAT:
        *v = (int)tp->notsent_lowat;
        return 0;
    case TCP_WINDOW_CLAMP:
        *v = (int)tp->window_clamp;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_socket_int(struct sock *s, int name, int *v)
{
    switch (name) {
    case SO_REUSEADDR:
        *v = s->reuse_addr;
        return 0;
    case SO_REUSEPORT:
        *v = s->reuse_port;
        return 0;
    case SO_OOBINLINE:
        *v = s->oob_inline;
        return 0;
    case SO_KEEPALIVE:
        *v = s->tcb->keepalive;
        return 0;
    case SO_SNDBUF:
        *v = (int)s->tcb->sndbuf;
        return 0;
    case SO_RCVBUF:
        *v = (int)s->tcb->rcvbuf;
        return 0;
    case SO_SNDLOWAT:
        *v = 1;
        return 0;
    case SO_RCVLOWAT:
        *v = (int)s->rcvlowat;
        return 0;
    case SO_ERROR:
        *v = sock_error(s, true);
        return 0;
    case SO_TYPE:
        *v = SOCK_STREAM;
        return 0;
    case SO_DOMAIN:
        *v = s->v6 ? AF_INET6 : AF_INET;
        return 0;
    case SO_PROTOCOL:
        *v = IPPROTO_TCP;
        return 0;
    case SO_ACCEPTCONN:
        *v = s->listener != NULL;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_mtu(const struct tcb *tp, int *v)
{
    struct path_mtu path;
    struct route rt;

    if (tp->conn.state == TCPS_CLOSED || tp->conn.state == TCPS_LISTEN ||
        route_lookup_path(tp->st, &tp->conn.remote.addr, &rt, &path) != 0)
        return -ENOTCONN;
    *v = (int)path.mtu;
    return 0;
}

static int get_ip_int(const struct sock *s, int name, int *v)
{
    const struct tcb *tp = s->tcb;

    switch (name) {
    case IP_TOS:
        *v = tp->tos;
        return 0;
    case IP_TTL:
        *v = tp->ttl ? tp->ttl : 64;
        return 0;
    case IP_MINTTL:
        *v = tp->min_ttl;
        return 0;
    case IP_BIND_ADDRESS_NO_PORT:
        *v = s->no_port;
        return 0;
    case IP_MTU:
        return get_mtu(tp, v);
    case IP_MTU_DISCOVER:
        *v = tp->pmtudisc;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int put(void *value, size_t *len, const void *from, size_t n)
{
    if (*len > n)
        *len = n;
    memcpy(value, from, *len);
    return 0;
}

static int put_timeout(void *value, size_t *len, uint64_t us)
{
    int64_t tv[2] = {(int64_t)(us / 1000000), (int64_t)(us % 1000000)};

    if (us == SOCK_NEVER_WAITS)
        tv[0] = tv[1] = 0;
    return put(value, len, tv, sizeof(tv));
}

/* Nothing, when the algorithm has nothing to tell. */
static int put_cc_info(const struct tcb *tp, void *value, size_t *len)
{
    uint64_t info[8];
    size_t n = 0;

    if (tp->cc_started && tp->cc->get_info)
        n = tp->cc->get_info(tp, info);
    return put(value, len, info, n);
}

static int get_other(struct sock *s, int level, int name, void *value, size_t *len)
{
    struct linger l = {s->linger, s->linger_s};
    struct sock_info info;
    char cc[CC_NAME_MAX] = {0};

    switch (KEY(level, name)) {
    case KEY(SOL_SOCKET, SO_LINGER):
        return put(value, len, &l, sizeof(l));
    case KEY(SOL_SOCKET, SO_RCVTIMEO):
        return put_timeout(value, len, s->rcv_timeout_us);
    case KEY(SOL_SOCKET, SO_SNDTIMEO):
        return put_timeout(value, len, s->snd_timeout_us);
    case KEY(SOL_SOCKET, SO_MAX_PACING_RATE):
        return put(value, len, &s->tcb->max_pacing_rate, sizeof(s->tcb->max_pacing_rate));
    case KEY(IPPROTO_TCP, TCP_CONGESTION):
        strncpy(cc, s->tcb->cc->name, sizeof(cc) - 1);
        return put(value, len, cc, sizeof(cc));
    case KEY(IPPROTO_TCP, TCP_INFO):
        sock_get_info(s, &info, s->st->now);
        return put(value, len, &info.tcp, sizeof(info.tcp));
    case KEY(IPPROTO_TCP, TCP_CC_INFO):
        return put_cc_info(s->tcb, value, len);
    default:
        return -ENOPROTOOPT;
    }
}

int sock_getsockopt(struct sock *s, int level, int name, void *value, size_t *len, uint64_t now)
{
    const struct option *o = option_find(level, name);
    int v, err = -ENOPROTOOPT;

    stack_set_now(s->st, now);
    if (level != SOL_SOCKET && level != IPPROTO_TCP && level != IPPROTO_IP &&
        !(level == IPPROTO_IPV6 && s->v6))
        return -EOPNOTSUPP;
    if (!o || !o->get)
        return -ENOPROTOOPT;
    if (level == SOL_SOCKET)
        err = get_socket_int(s, name, &v);
    else if (level == IPPROTO_TCP)
        err = get_tcp_int(s->tcb, name, &v);
    else if (level == IPPROTO_IP)
        err = get_ip_int(s, name, &v);
    else if (level == IPPROTO_IPV6 && s->v6)
        v = name == IPV6_TCLASS ? s->tclass : s->v6only, err = 0;
    if (!err)
        return put(value, len, &v, sizeof(v));
    if (err != -ENOPROTOOPT)
        return err;
    return get_other(s, level, name, value, len);
}
