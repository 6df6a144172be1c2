/* SPDX-License-Identifier: MIT */
/* How much fits into one segment, and into one offloaded frame (RFC 9293 §3.7.1, RFC 6691;
 * linux-sender §1). */
#include "proto/tcp/tcp.h"

#include <netinet/in.h>

#define TCP_OPTION_SPACE 40u
#define SMALLEST_PAYLOAD 8u
#define ALL_HEADERS      100u /* of IP and TCP with all options */
#define IPV4_HEADER      20u
#define IPV6_HEADER      40u

static uint32_t ip_header(const struct ip_addr *a)
{
    return ip_addr_is_v4(a) ? IPV4_HEADER : IPV6_HEADER;
}

/* Never more than half of the largest window ever seen, so that two segments are always under way.
 */
static uint32_t bound_to_half_window(const struct tcb *tp, uint32_t size)
{
    uint32_t cutoff = tp->max_window > TCP_DEFAULT_MSS_V4 ? tp->max_window / 2 : tp->max_window;

    if (!cutoff || size <= cutoff)
        return size;
    return cutoff > 48 ? cutoff : 48;
}

uint32_t tcp_advertise_mss(struct stack *st, const struct ip_addr *dst, uint32_t user_mss)
{
    uint32_t mss = st->config.mtu - ip_header(dst) - TCP_HEADER_LEN;

    if (mss < 256)
        mss = 256;
    if (user_mss && user_mss < mss)
        mss = user_mss;
    return mss > 65495 ? 65495 : mss;
}

uint32_t tcp_mtu_of(const struct tcb *tp, uint32_t mss)
{
    return mss + ip_header(&tp->conn.remote.addr) + TCP_HEADER_LEN +
           (tp->ts_ok ? TCP_TIMESTAMP_SPACE : 0);
}

uint32_t tcp_mss_of(const struct tcb *tp, uint32_t mtu)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint32_t headers = ip_header(&tp->conn.remote.addr) + TCP_HEADER_LEN;
    uint32_t mss = mtu > headers ? mtu - headers : 0;

    if (mss > tp->mss_clamp)
        mss = tp->mss_clamp;
    if (tp->user_mss && mss > tp->user_mss)
        mss = tp->user_mss;
    if (mss < (uint64_t)tun->min_snd_mss)
        mss = (uint32_t)tun->min_snd_mss;
    return tp->ts_ok ? mss - TCP_TIMESTAMP_SPACE : mss;
}

void tcp_sync_mss(struct tcb *tp, uint32_t pmtu)
{
    uint32_t mss, low;

    tp->pmtu = (uint16_t)pmtu;
    if (tp->mtup.search_high > pmtu)
        tp->mtup.search_high = pmtu;
    mss = bound_to_half_window(tp, tcp_mss_of(tp, pmtu));
    low = tp->mtup.enabled ? tcp_mss_of(tp, tp->mtup.search_low) : mss;
    tp->mss_cache = (uint16_t)(low < mss ? low : mss);
}

/* May this connection use what others have learnt? */
static bool heeds_path_mtu(const struct tcb *tp)
{
    return tp->pmtudisc <= IP_PMTUDISC_DO;
}

void tcp_take_pmtu(struct tcb *tp, const struct path_mtu *path)
{
    uint32_t before = tp->mss_cache;

    if (path->mtu > tp->pmtu && tp->st->now < tp->pmtu_until)
        return;
    tp->pmtu_until = path->until;
    if (path->mtu != tp->pmtu)
        tcp_sync_mss(tp, path->mtu);
    /* the smallest MSS may be larger than the path */
    tp->pmtu_locked = path->locked || tcp_mtu_of(tp, tp->mss_cache) > path->mtu;
    if (tp->cc_started && tp->mss_cache > before)
        tcp_cwnd_rescale(tp, tcp_mtu_of(tp, before), tcp_mtu_of(tp, tp->mss_cache));
}

void tcp_check_pmtu(struct tcb *tp)
{
    struct path_mtu path;
    struct route rt;

    tp->pmtu_seen = pmtu_generation(tp->st);
    if (route_lookup_path(tp->st, &tp->conn.remote.addr, &rt, &path) != 0)
        return;
    if (!heeds_path_mtu(tp)) {
        path = (struct path_mtu){.mtu = rt.mtu};
        tp->pmtu_until = 0;
    }
    tcp_take_pmtu(tp, &path);
}

bool tcp_dont_fragment(const struct tcb *tp)
{
    return tp->pmtudisc == IP_PMTUDISC_DO || tp->pmtudisc == IP_PMTUDISC_PROBE ||
           (tp->pmtudisc == IP_PMTUDISC_WANT && !tp->pmtu_locked);
}

uint32_t tcp_current_mss(struct tcb *tp)
{
    /* every connection on the path sends its next segment as the news say (RFC 1191 §6.2) */
    if (tp->pmtu_seen != pmtu_generation(tp->st))
        tcp_check_pmtu(tp);
    return tcp_mss_now(tp);
}

uint32_t tcp_mss_now(const struct tcb *tp)
{
    uint32_t room = TCP_OPTION_SPACE - (tp->ts_ok ? TCP_TIMESTAMP_SPACE : 0);
    uint32_t accecn = tcp_accecn_space(tp, room);
    uint32_t space = accecn + sack_blocks_space(tp, room - accecn);

    /* with an MSS as small as that the blocks stay out */
    return tp->mss_cache >= space + SMALLEST_PAYLOAD ? tp->mss_cache - space : tp->mss_cache;
}

/* AccECN's bursts may have to be
 * cut here (frame.cwr_all), what is for ourselves is not cut at all: both need a length in their IP
 * header. */
uint32_t tcp_burst_max(const struct tcb *tp)
{
    uint32_t most = FRAME_MAX_PACKET;

    if ((tp->st->config.features & STACK_TX_BIG4) && !tp->st->short_bursts &&
        ip_addr_is_v4(&tp->conn.remote.addr) && tp->ecn.mode != TCP_ECN_ACCURATE &&
        !ip_is_ours(tp->st, &tp->conn.remote.addr))
        most = FRAME_MAX_BURST;
    return most;
}

uint32_t tcp_send_mss(struct tcb *tp, uint32_t *size_goal)
{
    uint32_t mss = tcp_current_mss(tp);
    uint32_t goal = bound_to_half_window(tp, tcp_burst_max(tp) - ALL_HEADERS);

    *size_goal = goal > mss ? goal - goal % mss : mss;
    return mss;
}
