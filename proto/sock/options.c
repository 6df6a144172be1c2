/* SPDX-License-Identifier: MIT */
/*
 * setsockopt(2): every option of options.def that can be set, everything else ENOPROTOOPT
 * (socket(7), tcp(7), ip(7)). Nothing is accepted and ignored.
 */
#include "proto/sock/options.h"

#include <errno.h>
#include <string.h>

static const struct option options[] = {
#define SOCK_OPTION(level, name, kind, set, get, help) {level, name, OPTION_##kind, set, get},
#include "proto/sock/options.def"
#undef SOCK_OPTION
};

const struct option *option_find(int level, int name)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        if (options[i].level == level && options[i].name == name)
            return &options[i];
    }
    return NULL;
}

static int in_range(int v, int lo, int hi)
{
    return v < lo || v > hi ? -EINVAL : 0;
}

static void set_nagle(struct tcb *tp, uint8_t bit, bool on)
{
    bool pushes = bit == TCP_NAGLE_OFF ? on : !on;

    if (on)
        tp->nonagle |= bit;
    else
        tp->nonagle &= (uint8_t)~bit;
    /* NODELAY on, or the cork out, sends what waited (linux-sender §4) */
    if (pushes && (tp->nonagle & TCP_NAGLE_OFF))
        tp->nonagle |= TCP_NAGLE_PUSH;
    if (pushes && tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_LISTEN &&
        tp->conn.state != TCPS_SYN_SENT)
        tcp_push_pending_frames(tp);
}

static void set_quickack(struct tcb *tp, int v)
{
    if (!v) {
        tp->pingpong = 1;
        return;
    }
    tp->pingpong = 0;
    if (tp->ack_flags & TCP_ACK_SCHED) {
        /* as after a read: what the program has not taken yet stays delayed */
        tp->ack_flags |= TCP_ACK_PUSHED;
        tcp_cleanup_rbuf(tp, 1);
    }
    if (!(v & 1))
        tp->pingpong = 1;
}

static void set_keepalive(struct tcb *tp, bool on)
{
    tp->keepalive = on;
    if (!on)
        tcp_timer_clear(tp, TCP_TIMER_keepalive);
    else if (tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_LISTEN &&
             tp->conn.state != TCPS_SYN_SENT)
        tcp_keepalive_start(tp);
}

static int set_maxseg(struct tcb *tp, int v)
{
    if (v && (v < 88 || v > 32767))
        return -EINVAL;
    tp->user_mss = (uint16_t)v;
    return 0;
}

static uint32_t doubled(int v, uint32_t least, int64_t most)
{
    int64_t want = v < 0 ? 0 : (int64_t)v * 2;

    if (want > most)
        want = most;
    return want < least ? least : (uint32_t)want;
}

static int set_rcvbuf(struct tcb *tp, int v)
{
    tp->rcvbuf = doubled(v, 2304, tp->st->tcp.tunables.rmem_max);
    tp->rcvbuf_locked = true;
    if (tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_LISTEN)
        tp->window_clamp = tp->rcvbuf / 2;
    return 0;
}

/* At most half of the buffer, so that it can be reached; the buffer grows for it (Linux:
 * tcp_set_rcvlowat). */
static int set_rcvlowat(struct sock *s, int v)
{
    struct tcb *tp = s->tcb;
    uint32_t most = (tp->rcvbuf_locked ? tp->rcvbuf : (uint32_t)tp->st->tcp.tunables.rmem_max) / 2;
    uint32_t low = v < 0 || (uint32_t)v > most ? most : (uint32_t)v;

    s->rcvlowat = low ? low : 1;
    if (!tp->rcvbuf_locked && 2 * low > tp->rcvbuf) {
        tp->rcvbuf = 2 * low;
        if (tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_LISTEN)
            tp->window_clamp = low;
    }
    if (tp->rcv_offset != tp->read_offset && sock_readable(s))
        sock_event(s, SOCK_EV_READABLE);
    return 0;
}

static int set_sndbuf(struct tcb *tp, int v)
{
    tp->sndbuf = doubled(v, 4608, tp->st->tcp.tunables.wmem_max);
    tp->sndbuf_locked = true;
    tcp_tell_writer(tp);
    return 0;
}

static int set_notsent_lowat(struct tcb *tp, int v)
{
    tp->notsent_lowat = (uint32_t)v;
    tcp_tell_writer(tp);
    return 0;
}

/* A lower one holds at once; a higher one gives back what was offered before (Linux:
 * tcp_set_window_clamp). */
static int set_window_clamp(struct tcb *tp, int v)
{
    uint32_t old = tp->window_clamp, given;

    if (!v) {
        if (tp->conn.state != TCPS_CLOSED)
            return -EINVAL;
        tp->window_clamp = tp->user_clamp = 0;
        return 0;
    }
    tp->window_clamp = tp->user_clamp = v < 1152 ? 1152 : (uint32_t)v;
    given =
        tp->window_clamp > old && tp->rcv_wnd > tp->rcv_ssthresh ? tp->rcv_wnd : tp->rcv_ssthresh;
    tp->rcv_ssthresh = given < tp->window_clamp ? given : tp->window_clamp;
    return 0;
}

static int set_linger2(struct tcb *tp, int v)
{
    tp->linger2_s = (int8_t)(v < 0 ? -1 : v > 120 ? 120 : v);
    return 0;
}

/* Seconds as a number of SYN-ACK time-outs (1, 2, 4 … s) that cover them (Linux: secs_to_retrans).
 */
static uint8_t timeouts_of(int seconds)
{
    int timeout = 1, period = 1;
    uint8_t n = 1;

    if (seconds <= 0)
        return 0;
    for (; seconds > period && n < UINT8_MAX; n++) {
        timeout = timeout < 60 ? timeout * 2 : 120;
        period += timeout;
    }
    return n;
}

/* In steps of a millisecond, as Linux with its ticks; never above the usual floor. */
static int set_rto_min(struct tcb *tp, int us)
{
    if (us < (int)TCP_TIMEOUT_MIN || us > (int)TCP_RTO_MIN_MOST)
        return -EINVAL;
    tp->rto_min_ms = (uint8_t)((us + 999) / 1000);
    return 0;
}

static int set_tcp_int(struct tcb *tp, int name, int v)
{
    int err = 0;

    switch (name) {
    case TCP_NODELAY:
        set_nagle(tp, TCP_NAGLE_OFF, v);
        return 0;
    case TCP_CORK:
        set_nagle(tp, TCP_NAGLE_CORK, v);
        return 0;
    case TCP_MAXSEG:
        return set_maxseg(tp, v);
    case TCP_KEEPIDLE:
        if (!(err = in_range(v, 1, 32767)))
            tp->keep_idle_s = (int16_t)v;
        if (!err && tp->keepalive)
            set_keepalive(tp, true);
        return err;
    case TCP_KEEPINTVL:
        if (!(err = in_range(v, 1, 32767)))
            tp->keep_intvl_s = (int16_t)v;
        return err;
    case TCP_KEEPCNT:
        if (!(err = in_range(v, 1, TCP_KEEPALIVE_MAX_PROBES)))
            tp->keep_cnt = (int8_t)v;
        return err;
    case TCP_SYNCNT:
        if (!(err = in_range(v, 1, 127)))
            tp->syn_cnt = (int8_t)v;
        return err;
    case TCP_DEFER_ACCEPT:
        tp->defer_accept = timeouts_of(v);
        return 0;
    case TCP_LINGER2:
        return set_linger2(tp, v);
    case TCP_QUICKACK:
        set_quickack(tp, v);
        return 0;
    case TCP_USER_TIMEOUT:
        if (v < 0)
            return -EINVAL;
        tp->user_timeout_ms = (uint32_t)v;
        uto_schedule(tp);
        return 0;
    case TCP_RTO_MIN_US:
        return set_rto_min(tp, v);
    case TCP_NOTSENT_LOWAT:
        return set_notsent_lowat(tp, v);
    case TCP_WINDOW_CLAMP:
        return set_window_clamp(tp, v);
    default:
        return -ENOPROTOOPT;
    }
}

static int set_socket_int(struct sock *s, int name, int v)
{
    switch (name) {
    case SO_REUSEADDR:
        s->reuse_addr = v;
        s->tcb->bind.reuse = v;
        return 0;
    case SO_REUSEPORT:
        s->reuse_port = v;
        s->tcb->bind.reuseport = v;
        return 0;
    case SO_OOBINLINE:
        s->oob_inline = v;
        return 0;
    case SO_KEEPALIVE:
        set_keepalive(s->tcb, v);
        return 0;
    case SO_SNDBUF:
        return set_sndbuf(s->tcb, v);
    case SO_RCVBUF:
        return set_rcvbuf(s->tcb, v);
    case SO_RCVLOWAT:
        return set_rcvlowat(s, v);
    default:
        return -ENOPROTOOPT;
    }
}

static int set_ip_int(struct sock *s, int name, int v)
{
    struct tcb *tp = s->tcb;

    switch (name) {
    case IP_TOS:
        /* the ECN bits are TCP's own (RFC 3168 §20) */
        tp->tos = (uint8_t)((uint8_t)v & ~IP_ECN_MASK);
        return 0;
    case IP_TTL:
        if (v != -1 && (v < 1 || v > 255))
            return -EINVAL;
        tp->ttl = v == -1 ? 0 : (uint8_t)v;
        return 0;
    case IP_MINTTL:
        if (v < 0 || v > 255)
            return -EINVAL;
        tp->min_ttl = (uint8_t)v;
        return 0;
    case IP_BIND_ADDRESS_NO_PORT:
        s->no_port = v;
        return 0;
    case IP_MTU_DISCOVER:
        if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
            return -EINVAL;
        tp->pmtudisc = (uint8_t)v;
        if (tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_LISTEN)
            tcp_check_pmtu(tp);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int set_v6only(struct sock *s, bool on)
{
    if (!s->v6)
        return -ENOPROTOOPT;
    if (s->tcb->bind.bucket)
        return -EINVAL;
    s->v6only = on;
    return 0;
}

static int set_ipv6_int(struct sock *s, int name, int v)
{
    switch (name) {
    case IPV6_V6ONLY:
        return set_v6only(s, v);
    case IPV6_TCLASS:
        if (v < -1 || v > 255)
            return -EINVAL;
        /* -1: the default; the ECN bits are TCP's own */
        s->tclass = v == -1 ? 0 : (uint8_t)(v & ~IP_ECN_MASK);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int set_linger(struct sock *s, const void *value, size_t len)
{
    struct linger l;

    if (len < sizeof(l))
        return -EINVAL;
    memcpy(&l, value, sizeof(l));
    s->linger = l.l_onoff;
    s->linger_s = l.l_linger < 0 ? INT32_MAX : l.l_linger;
    return 0;
}

static int set_timeout(uint64_t *out, const void *value, size_t len)
{
    struct {
        int64_t sec, usec;
    } tv;

    if (len < sizeof(tv))
        return -EINVAL;
    memcpy(&tv, value, sizeof(tv));
    if (tv.usec < 0 || tv.usec >= 1000000)
        return -EDOM;
    if (tv.sec < 0)
        *out = SOCK_NEVER_WAITS;
    else if (tv.sec > INT64_MAX / 1000000 - 1)
        *out = 0;
    else
        *out = (uint64_t)tv.sec * 1000000 + (uint64_t)tv.usec;
    return 0;
}

static int set_congestion(struct tcb *tp, const void *value, size_t len)
{
    const struct tcp_cc_ops *cc;

    if (len < 1)
        return -EINVAL;
    cc = tcp_cc_find(value, strnlen(value, len < CC_NAME_MAX ? len : CC_NAME_MAX - 1));
    if (!cc)
        return -ENOENT;
    tcp_cc_assign(tp, cc);
    return 0;
}

static int set_pacing(struct tcb *tp, const void *value, size_t len)
{
    uint64_t rate;
    uint32_t small;

    if (len >= sizeof(rate)) {
        memcpy(&rate, value, sizeof(rate));
    } else if (len >= sizeof(small)) {
        memcpy(&small, value, sizeof(small));
        rate = small == UINT32_MAX ? UINT64_MAX : small;
    } else {
        return -EINVAL;
    }
    tp->max_pacing_rate = rate;
    tcp_update_pacing_rate(tp);
    return 0;
}

static int set_int(struct sock *s, int level, int name, const void *value, size_t len)
{
    int v;

    /* ip(7): a single byte will do */
    if (level == IPPROTO_IP && len >= 1 && len < sizeof(v))
        v = *(const uint8_t *)value;
    else if (len < sizeof(v))
        return -EINVAL;
    else
        memcpy(&v, value, sizeof(v));
    switch (level) {
    case SOL_SOCKET:
        return set_socket_int(s, name, v);
    case IPPROTO_TCP:
        return set_tcp_int(s->tcb, name, v);
    case IPPROTO_IPV6:
        return set_ipv6_int(s, name, v);
    default:
        return set_ip_int(s, name, v);
    }
}

int sock_setsockopt(struct sock *s, int level, int name, const void *value, size_t len,
                    uint64_t now)
{
    const struct option *o = option_find(level, name);

    stack_set_now(s->st, now);
    /* Linux looks at the length before the name, except where options are no numbers */
    if ((level == SOL_SOCKET || (level == IPPROTO_TCP && name != TCP_CONGESTION)) &&
        len < sizeof(int))
        return -EINVAL;
    if (!o || !o->set || (level == IPPROTO_IPV6 && !s->v6))
        return -ENOPROTOOPT;
    switch ((enum option_kind)o->kind) {
    case OPTION_INT:
        return set_int(s, level, name, value, len);
    case OPTION_LINGER:
        return set_linger(s, value, len);
    case OPTION_TIMEVAL:
        return set_timeout(name == SO_RCVTIMEO ? &s->rcv_timeout_us : &s->snd_timeout_us, value,
                           len);
    case OPTION_STRING:
        return set_congestion(s->tcb, value, len);
    case OPTION_U64:
        return set_pacing(s->tcb, value, len);
    case OPTION_INFO:
        break;
    }
    return -ENOPROTOOPT;
}
