/* SPDX-License-Identifier: MIT */
/*
 * What the peer is told about data that did not arrive in order (RFC 2018 §4, RFC 2883 §4;
 * linux-receiver §6).
 *
 * Up to four ranges are remembered, that of the newest arrival first: it goes to the front, ranges
 * that it has reached are merged into it, the fifth falls off. What rcv_nxt has covered vanishes. A
 * D-SACK stands before them in one segment, once. A FIN counts as the byte that it is.
 */
#include "proto/tcp/tcp.h"

#include <string.h>

#define EXPECTED_BLOCKS 2u /**< beyond these the network is not just reordering a little */

static bool touch(const struct sack_block *a, const struct sack_block *b)
{
    return seq_leq(a->start, b->end) && seq_leq(b->start, a->end);
}

static void unite(struct sack_block *a, const struct sack_block *b)
{
    a->start = seq_min(a->start, b->start);
    a->end = seq_max(a->end, b->end);
}

static void forget(struct tcb *tp, uint32_t i)
{
    struct sack_block *b = tp->rcv_sack.block;

    tp->rcv_sack.n--;
    memmove(b + i, b + i + 1, (tp->rcv_sack.n - i) * sizeof(*b));
}

/* Which remembered block the range has reached; n: none. */
static uint32_t find(const struct tcb *tp, const struct sack_block *range)
{
    uint32_t i = 0;

    while (i < tp->rcv_sack.n && !touch(&tp->rcv_sack.block[i], range))
        i++;
    return i;
}

/* News of a block that a waiting compressed ACK does not show: that one goes first. */
static void flush_compressed(struct tcb *tp)
{
    if (!tp->ack_comp.held)
        return;
    tp->ack_comp.held--;
    tcp_send_ack(tp);
}

void sack_blocks_add(struct tcb *tp, uint32_t start, uint32_t end)
{
    struct sack_block range = {start, end};
    struct sack_block *b = tp->rcv_sack.block;
    uint32_t i;

    if (!tp->sack_ok)
        return;
    i = find(tp, &range);
    if (i >= EXPECTED_BLOCKS)
        flush_compressed(tp);
    while ((i = find(tp, &range)) < tp->rcv_sack.n) {
        unite(&range, &b[i]);
        forget(tp, i);
    }
    if (tp->rcv_sack.n == TCP_MAX_SACKS)
        tp->rcv_sack.n--;
    memmove(b + 1, b, tp->rcv_sack.n * sizeof(*b));
    b[0] = range;
    tp->rcv_sack.n++;
}

void sack_blocks_advance(struct tcb *tp)
{
    for (uint32_t i = 0; i < tp->rcv_sack.n;) {
        if (seq_leq(tp->rcv_sack.block[i].start, tp->rcv_nxt))
            forget(tp, i);
        else
            i++;
    }
}

void sack_blocks_clear(struct tcb *tp)
{
    tp->rcv_sack.n = 0;
    tp->rcv_sack.has_dup = false;
}

void sack_blocks_duplicate(struct tcb *tp, uint32_t start, uint32_t end)
{
    struct sack_block range = {start, end};

    /* AccECN relies on it (RFC 9768 §3.1.1) */
    if (!tp->sack_ok || (!tp->st->tcp.tunables.dsack && tp->ecn.mode != TCP_ECN_ACCURATE))
        return;
    if (!tp->rcv_sack.has_dup)
        tp->rcv_sack.dup = range;
    else if (touch(&tp->rcv_sack.dup, &range))
        unite(&tp->rcv_sack.dup, &range);
    tp->rcv_sack.has_dup = true;
}

bool sack_blocks_highest(const struct tcb *tp, uint32_t *end)
{
    if (!tp->rcv_sack.n)
        return false;
    *end = tp->rcv_sack.block[0].end;
    for (uint32_t i = 1; i < tp->rcv_sack.n; i++)
        *end = seq_max(*end, tp->rcv_sack.block[i].end);
    return true;
}

uint32_t sack_blocks_space(const struct tcb *tp, uint32_t room)
{
    uint32_t n = tp->rcv_sack.n + tp->rcv_sack.has_dup;
    uint32_t most = room < TCP_SACK_BASE ? 0 : (room - TCP_SACK_BASE) / TCP_SACK_BLOCK;

    if (n > most)
        n = most;
    return n ? TCP_SACK_BASE + n * TCP_SACK_BLOCK : 0;
}

uint32_t sack_blocks_list(const struct tcb *tp, uint32_t space,
                          struct sack_block out[TCP_MAX_SACKS + 1])
{
    uint32_t n = 0;

    if (tp->rcv_sack.has_dup)
        out[n++] = tp->rcv_sack.dup;
    memcpy(out + n, tp->rcv_sack.block, tp->rcv_sack.n * sizeof(*out));
    return space ? (space - TCP_SACK_BASE) / TCP_SACK_BLOCK : 0;
}

void sack_blocks_sent(struct tcb *tp)
{
    if (tp->rcv_sack.has_dup)
        COUNT(tp->st, tcp_out_dsack);
    tp->rcv_sack.has_dup = false;
}
