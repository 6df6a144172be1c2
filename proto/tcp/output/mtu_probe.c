/* SPDX-License-Identifier: MIT */
/*
 * Packetization layer path MTU discovery (RFC 4821), as Linux's tcp_mtu_probing does it: 1, after a
 * black hole was found; 2, always.
 *
 * What is known to pass (search_low) is the MSS. Between it and search_high lies a search by
 * halves: one segment of the size in the middle, of new data, goes ahead of others that are enough
 * for fast retransmission. Its acknowledgement raises the MSS; its loss alone lowers search_high
 * and is no congestion; anything else says nothing. Beyond Linux: a failed probe is followed by as
 * many round trips without one as the window has packets (§7.6.2), only a loss of the probe *alone*
 * is free (§7.6.4), ordinary larger segments count as probes when they arrive (§7.1), and a raise
 * is verified (§7.8).
 */
#include "proto/tcp/tcp.h"

#define IPV6_MIN_MTU 1280u
#define CWND_MIN     11u /* so many packets make room for a probe that is two of them */
#define SURGE        3u  /* lost packets of the new size that are too many */

static uint32_t largest(const struct tcb *tp)
{
    uint32_t mss = tp->mss_clamp;

    if (tp->user_mss && tp->user_mss < mss)
        mss = tp->user_mss;
    /* the option space that tcp_mtu_of() adds comes out of the MSS (RFC 6691) */
    return tcp_mtu_of(tp, mss) - (tp->ts_ok ? TCP_TIMESTAMP_SPACE : 0);
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static void begin(struct tcb *tp)
{
    tp->mtup.enabled = true;
    tp->mtup.began = tp->st->now;
}

void tcp_mtup_init(struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    struct path_mtu path = {0};
    struct route rt;

    memset(&tp->mtup, 0, sizeof(tp->mtup));
    tp->mtup.search_high = largest(tp);
    tp->mtup.search_low = tcp_mtu_of(tp, (uint32_t)tun->base_mss);
    if (tun->mtu_probing == 2)
        begin(tp);
    if (tun->mtu_probing != 1 ||
        route_lookup_path(tp->st, &tp->conn.remote.addr, &rt, &path) != 0 || !path.proven)
        return;
    /* a black hole lies that way (RFC 2923 §2.1): from what passed it upwards */
    tp->mtup.search_low = path.proven;
    begin(tp);
}

/* --- the probe
 * ------------------------------------------------------------------------------------------------
 */

/* The search is over: begin anew from time to time, as paths change (RFC 4821 §7.3). What a "too
 * big" said is not searched beyond while it holds. */
static void reprobe(struct tcb *tp)
{
    uint64_t interval = (uint64_t)tp->st->tcp.tunables.probe_interval * 1000000;

    if (tp->st->now - tp->mtup.began < interval)
        return;
    tp->mtup.probe_size = 0;
    tp->mtup.search_high = min32(largest(tp), tp->pmtu);
    tp->mtup.search_low = tcp_mtu_of(tp, tcp_mss_now(tp));
    tp->mtup.began = tp->st->now;
}

/* Can the first n unsent bytes be one packet? */
static bool can_coalesce(struct tcb *tp, uint32_t n)
{
    struct list *l;

    list_for_each (l, &tp->sendq) {
        const struct segment *seg = container_of(l, const struct segment, link);

        if (seg_len(seg) >= n)
            return true;
        if (seg->flags & (SEG_EOR | SEG_FIN | SEG_SYN))
            return false;
        n -= seg_len(seg);
    }
    return false;
}

/* Not now: a probe or its consequences are under way, or options and urgent data would vary the
 * size. */
static bool is_disturbed(const struct tcb *tp)
{
    return tp->mtup.probe_size || tp->ca_state != CA_OPEN || tp->cwnd < CWND_MIN ||
           tp->rcv_sack.n || tp->rcv_sack.has_dup || tp->uto_pending || tcp_urg_mode(tp) ||
           tcp_pacing_waits(tp) || tp->st->device_blocked;
}

static int send_probe(struct tcb *tp, uint32_t size)
{
    struct segment *seg = wqueue_send_head(tp);

    wqueue_pull(tp, seg, size, tp->mss_cache);
    if (seg_len(seg) > size && tso_fragment(tp, seg, size, tp->mss_cache) != 0)
        return -1;
    wqueue_set_pcount(seg, size);
    if (tcp_transmit_segment(tp, seg, size) != 0) {
        wqueue_set_pcount(seg, tp->mss_cache);
        return -1;
    }
    COUNT(tp->st, tcp_mtu_probes);
    tp->cwnd--; /* it is two packets in effect */
    tcp_event_new_data_sent(tp, seg);
    tp->mtup.probe_size = tcp_mtu_of(tp, size);
    tp->mtup.probe_start = seg->seq;
    tp->mtup.probe_end = seg->end_seq;
    return 1;
}

int tcp_mtu_probe(struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    int64_t range = (int64_t)tp->mtup.search_high - tp->mtup.search_low;
    uint32_t size, needed, in_flight = tcp_in_flight(tp);

    if (is_disturbed(tp))
        return -1;
    size = tcp_mss_of(tp, (tp->mtup.search_high + tp->mtup.search_low) >> 1);
    if (range < (tun->probe_threshold > 1 ? tun->probe_threshold : 1) ||
        size > tcp_mss_of(tp, tp->mtup.search_high) || size <= tp->mss_cache) {
        reprobe(tp);
        return -1;
    }
    if (tp->st->now < tp->mtup.wait_until)
        return -1;
    /* enough behind it for its loss to be noticed at once (§7.4) */
    needed = size + (tp->reordering + 1u) * tp->mss_cache;
    if (tp->write_seq - tp->snd_nxt < needed || tp->snd_wnd < needed)
        return -1;
    if (seq_gt(tp->snd_nxt + needed, tcp_wnd_end(tp)))
        return 0;
    if (in_flight + 2 > tp->cwnd)
        return in_flight ? 0 : -1;
    if (!can_coalesce(tp, size))
        return -1;
    return send_probe(tp, size);
}

/* --- its end
 * --------------------------------------------------------------------------------------------------
 */

static void raise_low(struct tcb *tp, uint32_t mtu)
{
    uint32_t from = tcp_mtu_of(tp, tp->mss_cache);

    if (!tp->mtup.restore)
        tp->mtup.restore = tp->mtup.search_low;
    tp->mtup.new_lost = tp->mtup.new_acked = 0;
    tp->mtup.search_low = mtu;
    tcp_sync_mss(tp, tp->pmtu);
    tcp_cwnd_rescale(tp, from, tcp_mtu_of(tp, tp->mss_cache));
    tp->mtup.verify_end = tp->snd_nxt + tp->cwnd * tp->mss_cache;
}

/* Of a segment larger than was known to pass, sent once: its size arrived (§7.1). */
static void note_implicit(struct tcb *tp, const struct segment *seg)
{
    uint32_t mtu = tcp_mtu_of(tp, min32(seg_len(seg), seg->mss));

    if ((seg->marks & SEG_EVER_RETRANS) || mtu <= tp->mtup.search_low || mtu > tp->pmtu)
        return;
    COUNT(tp->st, tcp_mtu_implicit);
    if (mtu > tp->mtup.search_high)
        tp->mtup.search_high = mtu;
    raise_low(tp, mtu);
}

void tcp_mtup_arrived(struct tcb *tp, const struct segment *seg)
{
    if (tp->mtup.restore && seg->mss > tcp_mss_of(tp, tp->mtup.restore))
        tp->mtup.new_acked += seg->pcount;
}

void tcp_mtup_acked(struct tcb *tp, const struct segment *seg)
{
    if (!tp->mtup.enabled || !seg_len(seg))
        return;
    if (tp->mtup.probe_size && seg->seq == tp->mtup.probe_start &&
        seg->end_seq == tp->mtup.probe_end)
        return;
    if (!(seg->marks & SEG_SACKED))
        tcp_mtup_arrived(tp, seg);
    note_implicit(tp, seg);
}

void tcp_mtup_ack_done(struct tcb *tp)
{
    if (!tp->mtup.enabled)
        return;
    if (tp->mtup.probe_size && seq_geq(tp->snd_una, tp->mtup.probe_end)) {
        uint32_t size = tp->mtup.probe_size;

        COUNT(tp->st, tcp_mtu_probe_success);
        tp->mtup.probe_size = 0;
        raise_low(tp, size);
    }
    if (tp->mtup.restore && seq_gt(tp->snd_una, tp->mtup.verify_end))
        tp->mtup.restore = 0;
    if (tp->mtup.stepped && seq_gt(tp->snd_una, tp->mtup.probe_start)) {
        tp->mtup.stepped = false;
        pmtu_black_hole(tp->st, &tp->conn.remote.addr, tp->mtup.search_low);
    }
}

bool tcp_mtup_failed(struct tcb *tp)
{
    const struct segment *head = scoreboard_first(tp);

    if (!tp->mtup.probe_size || tp->ca_state >= CA_CWR || !head ||
        head->seq != tp->mtup.probe_start || tp->snd_una != tp->mtup.probe_start)
        return false;
    if (!(head->marks & SEG_LOST) || tp->lost_out != head->pcount)
        return false; /* others as well: that is congestion, and tells nothing of sizes */
    COUNT(tp->st, tcp_mtu_probe_failed);
    tp->mtup.search_high = tp->mtup.probe_size - 1;
    tp->mtup.probe_size = 0;
    tp->cwnd++;
    tp->mtup.wait_until = tp->st->now + (uint64_t)(tp->srtt_us >> 3) * tp->cwnd;
    tp->high_seq = tp->snd_nxt;
    tcp_undo_forget(tp);
    tp->undo_ok = false;
    tcp_set_ca_state(tp, CA_LOSS);
    tp->loss_unpaid = true;
    tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
    return true;
}

void tcp_mtup_inconclusive(struct tcb *tp)
{
    tp->mtup.probe_size = 0;
}

void tcp_mtup_refused(struct tcb *tp)
{
    if (tp->mtup.probe_size > tp->pmtu) {
        tp->mtup.probe_size = 0;
        tp->cwnd++;
    }
}

/* --- after a raise
 * --------------------------------------------------------------------------------------------
 */

void tcp_mtup_lost(struct tcb *tp, const struct segment *seg)
{
    if (tp->mtup.restore && seg->mss > tcp_mss_of(tp, tp->mtup.restore))
        tp->mtup.new_lost += seg->pcount;
}

void tcp_mtup_verify(struct tcb *tp, bool timeout)
{
    if (!tp->mtup.restore || tp->mtup.new_lost <= tp->mtup.new_acked ||
        (!timeout && tp->mtup.new_lost < SURGE))
        return;
    COUNT(tp->st, tcp_mtu_restored);
    tp->mtup.search_high = tp->mtup.search_low - 1;
    tp->mtup.search_low = tp->mtup.restore;
    tp->mtup.restore = 0;
    tp->mtup.wait_until = tp->st->now + (uint64_t)(tp->srtt_us >> 3) * tp->cwnd;
    tcp_sync_mss(tp, tp->pmtu);
}

/* --- black holes
 * ----------------------------------------------------------------------------------------------
 */

void tcp_mtup_black_hole(struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint32_t mss;

    if (!tun->mtu_probing)
        return;
    COUNT(tp->st, tcp_mtu_black_holes);
    if (!tp->mtup.enabled) {
        begin(tp);
    } else {
        mss = tcp_mss_of(tp, tp->mtup.search_low) >> 1;
        mss = min32(mss, (uint32_t)tun->base_mss);
        mss = max32(mss, (uint32_t)tun->mtu_probe_floor);
        mss = max32(mss, (uint32_t)tun->min_snd_mss);
        tp->mtup.search_low = tcp_mtu_of(tp, mss);
        if (!ip_addr_is_v4(&tp->conn.remote.addr))
            tp->mtup.search_low = max32(tp->mtup.search_low, IPV6_MIN_MTU);
    }
    tp->mtup.restore = tp->mtup.probe_size = 0;
    tp->mtup.stepped = true;
    tp->mtup.probe_start = tp->snd_una;
    tcp_sync_mss(tp, tp->pmtu);
}
