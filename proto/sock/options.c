/* SPDX-License-Identifier: MIT */
/*
 * getsockopt(2) and setsockopt(2): every option of options.def, everything else ENOPROTOOPT
 * (socket(7), tcp(7), ip(7)). Nothing is accepted and ignored.
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif

#ifndef TCP_CC_INFO
#define TCP_CC_INFO 26
#endif

#define CC_NAME_MAX 16 /**< Linux: TCP_CA_NAME_MAX */

#define KEY(level, name) ((uint32_t)(level) << 16 | (uint32_t)(name))

enum option_kind {
    OPTION_INT,
    OPTION_LINGER,
    OPTION_TIMEVAL,
    OPTION_INFO,
    OPTION_STRING,
    OPTION_U64
};

struct option {
    int level, name;
    uint8_t kind; /**< enum option_kind */
    bool set, get;
};

static const struct option options[] = {
#define SOCK_OPTION(level, name, kind, set, get, help) {level, name, OPTION_##kind, set, get},
#include "proto/sock/options.def"
#undef SOCK_OPTION
};

static const struct option *option_find(int level, int name)
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

/* --- setters
 * -----------------------------------------------------------------------------------------------
 */

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
    return 0;
}

static int set_window_clamp(struct tcb *tp, int v)
{
    if (!v) {
        if (tp->conn.state != TCPS_CLOSED)
            return -EINVAL;
        tp->window_clamp = tp->user_clamp = 0;
        return 0;
    }
    tp->window_clamp = tp->user_clamp = v < 1152 ? 1152 : (uint32_t)v;
    if (tp->rcv_ssthresh > tp->window_clamp)
        tp->rcv_ssthresh = tp->window_clamp;
    return 0;
}

static int set_linger2(struct tcb *tp, int v)
{
    tp->linger2_s = (int8_t)(v < 0 ? -1 : v > 120 ? 120 : v);
    return 0;
}

/* Seconds as a number of SYN-ACK time-outs (1, 2, 4 … s) that cover them, and back (Linux:
 * secs_to_retrans). */
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

static int seconds_of(uint8_t n)
{
    int timeout = 1, period = n ? 1 : 0;

    for (; n > 1; n--) {
        timeout = timeout < 60 ? timeout * 2 : 120;
        period += timeout;
    }
    return period;
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
    case TCP_NOTSENT_LOWAT:
        tp->notsent_lowat = (uint32_t)v;
        return 0;
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

static int set_ip_int(struct tcb *tp, int name, int v)
{
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
        return set_ip_int(s->tcb, name, v);
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

/* --- getters
 * -----------------------------------------------------------------------------------------------
 */

static int or_tunable(int32_t v, int64_t tunable)
{
    return v ? v : (int)tunable;
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
        *v = tp->conn.state == TCPS_CLOSED ? (int)(tp->user_mss ? tp->user_mss : TCP_DEFAULT_MSS_V4)
                                           : tp->mss_cache;
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

static int get_ip_int(const struct tcb *tp, int name, int *v)
{
    switch (name) {
    case IP_TOS:
        *v = tp->tos;
        return 0;
    case IP_TTL:
        *v = tp->ttl ? tp->ttl : 64;
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
        err = get_ip_int(s->tcb, name, &v);
    else if (level == IPPROTO_IPV6 && s->v6)
        v = name == IPV6_TCLASS ? s->tclass : s->v6only, err = 0;
    if (!err)
        return put(value, len, &v, sizeof(v));
    if (err != -ENOPROTOOPT)
        return err;
    return get_other(s, level, name, value, len);
}
