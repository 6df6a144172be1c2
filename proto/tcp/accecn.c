/* SPDX-License-Identifier: MIT */
/*
 * Accurate ECN feedback (RFC 9768 §3.2): the receiver counts packets with CE, and bytes by their
 * ECN field; each of its segments carries the packet counter's low three bits in place of AE, CWR
 * and ECE (the ACE field), and, when there is news and room, an option with the byte counters. The
 * sender follows the counters and takes each new mark for what ECE was.
 *
 * Three bits wrap: the receiver sends an ACK at the latest for every second or third mark, and when
 * one ACK stands for so many packets that the field may have wrapped, the option decides, or else
 * the safest likely case (§3.2.2.5).
 */
#include "proto/tcp/tcp.h"

#define ACE_MASK      7u
#define FIELD_MASK    0xffffffu
#define FIELD_NEW     (1u << 23) /**< from here on a difference is an older value */
#define OPTION_PERIOD 22         /**< log2 of bytes: at least once for so many (§3.2.3.3) */
#define OPTION_KIND0  172
#define OPTION_KIND1  174
#define NOP           1
#define TWO_BLOCKS    (TCP_SACK_BASE + 2 * TCP_SACK_BLOCK)

#define EWMA_SHIFT 6 /**< of packets that an ACK stands for, Linux's weight and unit */
#define THINNED    4 /**< more than so many are usual: no ACK is likely to be missing */

#define CHANGED(ecn) (1u << (ecn))

#define BYTES(ecn) ((ecn)-1)

static const uint32_t first_bytes[3] = {[BYTES(IP_ECN_ECT1)] = 1, [BYTES(IP_ECN_ECT0)] = 1};

void tcp_accecn_pool_init(struct stack *st)
{
    pool_init(&st->tcp.accecn_pool, &st->mem, sizeof(struct tcp_accecn));
}

bool tcp_accecn_init(struct tcb *tp)
{
    if (!tp->acc)
        tp->acc = pool_get(&tp->st->tcp.accecn_pool);
    if (!tp->acc) {
        tp->ecn.mode = TCP_ECN_OFF;
        return false;
    }
    memset(tp->acc, 0, sizeof(*tp->acc));
    memcpy(tp->acc->r_bytes, first_bytes, sizeof(first_bytes));
    tp->acc->r_cep = tp->acc->s_cep = ACCECN_FIRST;
    /* the first ACK, and the first data (§3.2.3.2.1) */
    tp->acc->option_owed = 2;
    return true;
}

void tcp_accecn_free(struct tcb *tp)
{
    pool_put(&tp->st->tcp.accecn_pool, tp->acc);
    tp->acc = NULL;
}

uint16_t tcp_accecn_handshake_flags(uint8_t ecn)
{
    static const uint8_t ace[4] = {
        [IP_ECN_NOT] = 2, [IP_ECN_ECT1] = 3, [IP_ECN_ECT0] = 4, [IP_ECN_CE] = 6};

    return tcp_ace_flags(ace[ecn & IP_ECN_MASK]);
}

uint8_t tcp_accecn_handshake_ecn(uint8_t ace)
{
    switch (ace) {
    case 3:
        return IP_ECN_ECT1;
    case 4:
        return IP_ECN_ECT0;
    case 6:
        return IP_ECN_CE;
    default: /* 1, 5 and 7 are for the future (§3.2.2.1, note 2) */
        return IP_ECN_NOT;
    }
}

/* --- the receiver
 * ------------------------------------------------------------------------------------------- */

/* When is the option to be sent? */
static void owe_option(struct tcb *tp, uint8_t ecn, uint32_t before)
{
    struct tcp_accecn *a = tp->acc;
    bool change = ecn != a->last_data;
    bool wraps = before >> OPTION_PERIOD != a->r_bytes[BYTES(ecn)] >> OPTION_PERIOD;

    if (change)
        a->option_owed = 2;
    else if (!a->option_owed && (tp->st->tcp.tunables.ecn_option > 1 || wraps))
        a->option_owed = 1;
}

static void count_bytes(struct tcb *tp, uint8_t ecn, uint32_t len)
{
    if (!len)
        return;
    if (ecn != IP_ECN_NOT) {
        uint32_t before = tp->acc->r_bytes[BYTES(ecn)];

        tp->ecn.seen = true;
        tp->acc->r_bytes[BYTES(ecn)] += len;
        tp->acc->changed |= CHANGED(ecn);
        owe_option(tp, ecn, before);
    }
    tp->acc->last_data = ecn;
}

void tcp_accecn_received(struct tcb *tp, const struct tcp_seg *seg)
{
    struct tcp_accecn *a = tp->acc;
    uint8_t ecn = seg->packet->tos & IP_ECN_MASK;
    uint32_t marks = ecn == IP_ECN_CE ? seg->n_segs : 0;
    bool change;

    if (tp->ecn.mode != TCP_ECN_ACCURATE)
        return;
    change = marks && seg->len && a->last != IP_ECN_CE;
    /* a batch of input has one answer: before the field can wrap, there is one in between */
    if (a->pending && a->pending + marks > ACE_MASK)
        tcp_send_ack(tp);
    a->last = ecn;
    count_bytes(tp, ecn, seg->len);
    if (!marks)
        return;
    COUNT_ADD(tp->st, tcp_in_ce, marks);
    a->r_cep += (uint8_t)marks;
    a->pending = (uint8_t)(a->pending + marks > UINT8_MAX ? UINT8_MAX : a->pending + marks);
    if (!change && a->pending < (seg->len ? 2 : 3))
        return;
    tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
    tcp_touch(tp, TCP_PEND_ACK);
}

/* --- the option
 * --------------------------------------------------------------------------------------------- */

/* The order that leaves out more: what never changed need not be said at the end (§3.2.3.3). */
static bool option_order(const struct tcb *tp)
{
    return (tp->acc->changed & CHANGED(IP_ECN_ECT1)) && !(tp->acc->changed & CHANGED(IP_ECN_ECT0));
}

static uint32_t option_fields(const struct tcb *tp)
{
    uint8_t changed = tp->acc->changed;
    const uint8_t both = CHANGED(IP_ECN_ECT0) | CHANGED(IP_ECN_ECT1);

    if (!changed || (changed & both) == both)
        return ACCECN_FIELDS;
    return changed & CHANGED(IP_ECN_CE) ? 2 : 1;
}

uint32_t tcp_accecn_space(const struct tcb *tp, uint32_t room)
{
    uint32_t want, sack;

    if (tp->ecn.mode != TCP_ECN_ACCURATE || !tp->acc->option_owed ||
        !tp->st->tcp.tunables.ecn_option)
        return 0;
    want = (2 + 3 * option_fields(tp) + 3) & ~3u;
    sack = sack_blocks_space(tp, room);
    if (sack > TWO_BLOCKS)
        sack = TWO_BLOCKS;
    return sack + want <= room ? want : 0;
}

static void put(uint8_t *p, uint32_t space, const uint32_t bytes[3], bool order, uint32_t n)
{
    static const uint8_t orders[2][ACCECN_FIELDS] = {{IP_ECN_ECT0, IP_ECN_CE, IP_ECN_ECT1},
                                                     {IP_ECN_ECT1, IP_ECN_CE, IP_ECN_ECT0}};
    uint32_t len = 2 + 3 * n;

    for (uint32_t i = len; i < space; i++)
        *p++ = NOP;
    *p++ = order ? OPTION_KIND1 : OPTION_KIND0;
    *p++ = (uint8_t)len;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t v = bytes[BYTES(orders[order][i])];

        *p++ = (uint8_t)(v >> 16);
        *p++ = (uint8_t)(v >> 8);
        *p++ = (uint8_t)v;
    }
}

void tcp_accecn_put(const struct tcb *tp, uint8_t *p, uint32_t space)
{
    put(p, space, tp->acc->r_bytes, option_order(tp), option_fields(tp));
}

void tcp_accecn_put_initial(uint8_t *p)
{
    put(p, ACCECN_SYNACK_SPACE, first_bytes, false, ACCECN_FIELDS);
}

void tcp_accecn_sent(struct tcb *tp, bool option)
{
    if (tp->ecn.mode != TCP_ECN_ACCURATE)
        return;
    tp->acc->pending = 0;
    if (option && tp->acc->option_owed)
        tp->acc->option_owed--;
}

/* --- the sender
 * --------------------------------------------------------------------------------------------- */

void tcp_accecn_first(struct tcb *tp, const struct tcp_seg *seg, bool handshake)
{
    uint8_t ace = tcp_ace(seg->flags), ecn;

    tp->acc->heard = true;
    if (!ace) {
        tp->acc->zeroed = tp->ecn.no_ect = true;
        return;
    }
    if (!handshake)
        return;
    ecn = tcp_accecn_handshake_ecn(ace);
    if (ecn != IP_ECN_NOT && tp->st->tcp.tunables.ecn_fallback)
        tp->ecn.no_ect = true; /* our SYN-ACK left as Not-ECT (§3.2.2.3) */
    if (ecn != IP_ECN_CE)
        return;
    tp->acc->s_cep++;
    tp->delivered_ce++;
    tp->ecn.syn_ce = true;
}

/* Neither counter of ECT bytes begins with zero: who zeroes them, zeroes others too (§3.2.3.2.4).
 */
static bool is_zeroed(const struct accecn_option *o)
{
    return (o->n && !o->field[0]) || (o->n == ACCECN_FIELDS && !o->field[2]);
}

int64_t tcp_accecn_option(struct tcb *tp, const struct accecn_option *o)
{
    uint32_t moved;

    if (!o->present || tp->acc->option_zeroed)
        return -1;
    if (!tp->acc->option_ok && is_zeroed(o)) {
        tp->acc->option_zeroed = true;
        return -1;
    }
    tp->acc->option_ok = true;
    if (o->n < 2)
        return o->n ? 0 : -1; /* CE stands second in both orders; an empty one tells nothing */
    moved = (o->field[1] - tp->acc->s_ceb) & FIELD_MASK;
    if (moved & FIELD_NEW)
        return 0;
    tp->acc->s_ceb += moved;
    return moved;
}

/* The field has moved by `least`, or by so many times eight more. */
static uint32_t packets_marked(const struct tcb *tp, uint32_t least, uint32_t packets,
                               int64_t bytes)
{
    if (packets <= ACE_MASK)
        return least;
    if (bytes >= 0) {
        while (least + ACE_MASK < packets && (int64_t)least * tp->mss_cache < bytes)
            least += ACE_MASK + 1;
        return least;
    }
    if (tp->acc->acked_ewma > THINNED << EWMA_SHIFT)
        return least;
    return packets - ((packets - least) & ACE_MASK);
}

static void learn_thinning(struct tcb *tp, uint32_t packets)
{
    uint32_t most = UINT16_MAX >> EWMA_SHIFT, ewma = tp->acc->acked_ewma;

    if (!packets)
        return;
    if (packets > most)
        packets = most;
    ewma = ewma ? ewma - (ewma >> EWMA_SHIFT) + packets : packets << EWMA_SHIFT;
    tp->acc->acked_ewma = (uint16_t)(ewma < UINT16_MAX ? ewma : UINT16_MAX);
}

uint32_t tcp_accecn_feedback(struct tcb *tp, const struct tcp_seg *seg, uint32_t packets,
                             bool superseded)
{
    struct tcp_accecn *a = tp->acc;
    uint32_t marked;
    int64_t bytes;

    if (seg->flags & TH_SYN)
        return 0;
    if (!a->heard)
        tcp_accecn_first(tp, seg, false);
    if (superseded || a->zeroed)
        return 0;
    bytes = tcp_accecn_option(tp, &seg->opt.accecn);
    marked = packets_marked(tp, (tcp_ace(seg->flags) - a->s_cep) & ACE_MASK, packets, bytes);
    learn_thinning(tp, packets);
    a->s_cep += (uint8_t)marked;
    a->cep_unseen =
        (uint8_t)(a->cep_unseen + marked < UINT8_MAX ? a->cep_unseen + marked : UINT8_MAX);
    if (bytes < 0)
        return marked;
    /* marked bytes without a marked packet: somebody rewrites the fields (§3.2.3.2.5) */
    if (bytes && !a->cep_unseen && packets <= ACE_MASK)
        tp->ecn.no_ect = true;
    a->cep_unseen = 0;
    return marked;
}
