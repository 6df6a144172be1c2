/* SPDX-License-Identifier: MIT */
/* How much fits into one segment, and into one offloaded frame (RFC 9293 §3.7.1, RFC 6691;
 * linux-sender §1). */
#include "proto/tcp/tcp.h"

#define TCP_OPTION_SPACE 40u
#define SMALLEST_PAYLOAD 8u
#define IPV4_HEADER      20u
#define IPV6_HEADER      40u
/** IP and TCP headers with all options inside a 64 KiB packet. */
#define GSO_PAYLOAD_MAX (FRAME_MAX_PACKET - IPV6_HEADER - 60u)

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

void tcp_sync_mss(struct tcb *tp, uint32_t pmtu)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint32_t mss = pmtu - ip_header(&tp->conn.remote.addr) - TCP_HEADER_LEN;

    tp->pmtu = (uint16_t)pmtu;
    if (mss > tp->mss_clamp)
        mss = tp->mss_clamp;
    if (tp->user_mss && mss > tp->user_mss)
        mss = tp->user_mss;
    if (mss < (uint64_t)tun->min_snd_mss)
        mss = (uint32_t)tun->min_snd_mss;
    if (tp->ts_ok)
        mss -= TCP_TIMESTAMP_SPACE;
    tp->mss_cache = (uint16_t)bound_to_half_window(tp, mss);
}

uint32_t tcp_current_mss(struct tcb *tp)
{
    uint32_t room = TCP_OPTION_SPACE - (tp->ts_ok ? TCP_TIMESTAMP_SPACE : 0);
    uint32_t space = sack_blocks_space(tp, room);

    /* with an MSS as small as that the blocks stay out */
    return tp->mss_cache >= space + SMALLEST_PAYLOAD ? tp->mss_cache - space : tp->mss_cache;
}

uint32_t tcp_send_mss(struct tcb *tp, uint32_t *size_goal)
{
    uint32_t mss = tcp_current_mss(tp);
    uint32_t goal = bound_to_half_window(tp, GSO_PAYLOAD_MAX);

    *size_goal = goal > mss ? goal - goal % mss : mss;
    return mss;
}
