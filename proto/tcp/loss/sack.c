/* SPDX-License-Identifier: MIT */
/*
 * SACK blocks at the sender (RFC 2018 §5, RFC 6675 §5): each valid block tags the segments that it
 * covers; a first block that lies below the acknowledgement, or inside the second, is a D-SACK
 * (RFC 2883 §4) and tells that a retransmission was not needed.
 *
 * Blocks are hostile until checked: what lies outside of snd_una..snd_nxt is ignored, and only
 * whole packets are tagged, so that a peer can cut a flight into no more pieces than it was sent
 * in.
 */
#include "proto/tcp/tcp.h"

static bool is_valid(const struct tcb *tp, const struct sack_block *b)
{
    return seq_lt(b->start, b->end) && seq_leq(b->end, tp->snd_nxt) &&
           seq_gt(b->start, tp->snd_una);
}

/* --- D-SACK
 * ------------------------------------------------------------------------------------------- */

static bool is_dsack(const struct tcp_seg *seg)
{
    const struct sack_block *b = seg->opt.sack;

    if (seq_lt(b[0].start, seg->ack))
        return true;
    return seg->opt.n_sack > 1 && seq_leq(b[0].end, b[1].end) && seq_geq(b[0].start, b[1].start);
}

/* How many packets came twice; 0: the block cannot be true. */
static uint32_t dsacked_packets(struct tcb *tp, const struct sack_block *b,
                                struct tcp_ack_state *as)
{
    uint32_t len = b->end - b->start, packets = 1;

    if (!seq_lt(b->start, b->end) || len > tp->max_window)
        return 0;
    if (len > tp->mss_cache)
        packets = (len + tp->mss_cache - 1) / tp->mss_cache;
    else if (tp->tlp_out && tp->tlp_high_seq == b->end)
        as->dsack_tlp = true;
    /* more than was ever sent twice: the peer, or the network, makes them up */
    if (tp->dsack_dups + packets > tp->total_retrans)
        return 0;
    tp->dsack_dups += packets;
    return packets;
}

static void note_dsack(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    const struct sack_block *b = &seg->opt.sack[0];
    uint32_t packets = dsacked_packets(tp, b, as);

    COUNT(tp->st, tcp_in_dsacks);
    if (!packets) {
        COUNT(tp->st, tcp_in_dsacks_ignored);
        return;
    }
    as->dsack = true;
    if (tp->reord_seen && !as->dsack_tlp)
        tp->rack.dsack_seen = true;
    tp->delivered += packets;
    if (tp->undo_ok && tp->undo_retrans > 0 && seq_leq(b->end, as->prior_una) &&
        seq_gt(b->end, tp->undo_marker))
        tp->undo_retrans =
            tp->undo_retrans > (int32_t)packets ? tp->undo_retrans - (int32_t)packets : 0;
}

/* A D-SACK above the ACK: the duplicate lies in what is held (RFC 2883 §4.1.2). */
static void dsack_above(struct tcb *tp, const struct segment *seg)
{
    if (!(seg->marks & SEG_EVER_RETRANS) || !tp->undo_ok || tp->undo_retrans <= 0 ||
        !seq_gt(seg->end_seq, tp->undo_marker))
        return;
    tp->undo_retrans =
        tp->undo_retrans > (int32_t)seg->pcount ? tp->undo_retrans - (int32_t)seg->pcount : 0;
}

/* --- tagging
 * ------------------------------------------------------------------------------------------ */

static void note_original(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as)
{
    /* in a hole below what has arrived, and sent once: it was overtaken */
    if (tp->sacked_out && seq_lt(seg->seq, tp->highest_sacked) &&
        (!as->reordered || seq_lt(seg->seq, as->reorder_seq))) {
        as->reordered = true;
        as->reorder_seq = seg->seq;
    }
    if (seq_leq(seg->end_seq, tp->high_seq))
        as->orig_delivered = true;
    if (!as->oldest_sack_sent)
        as->oldest_sack_sent = seg->sent_at;
    as->newest_sack_sent = seg->sent_at;
}

static void tag(struct tcb *tp, struct segment *seg, struct tcp_ack_state *as)
{
    tcp_rack_advance(tp, seg, as);
    tcp_rate_delivered(tp, seg, as);
    if (!(seg->marks & SEG_EVER_RETRANS))
        note_original(tp, seg, as);
    if (!tp->sacked_out || seq_gt(seg->end_seq, tp->highest_sacked))
        tp->highest_sacked = seg->end_seq;
    scoreboard_mark_sacked(tp, seg);
    tp->delivered += seg->pcount;
    as->new_sack = true;
}

/* Round n up to whole packets of the segment (its last one may be short). */
static uint32_t whole_packets(const struct segment *seg, uint32_t n, bool up)
{
    uint32_t mss = seg->mss ? seg->mss : seg_len(seg);
    uint32_t rest = mss ? n % mss : 0;

    if (!rest)
        return n;
    return up ? n - rest + mss : n - rest;
}

/*
 * Cut a segment of several packets so that what [start, end) covers is a segment of its own.
 * Returns the covered one, or NULL when no whole packet is covered or there is no memory.
 */
static struct segment *carve(struct tcb *tp, struct segment *seg, const struct sack_block *b)
{
    uint32_t len = seg_len(seg);

    if (seq_gt(b->start, seg->seq)) {
        uint32_t skip = whole_packets(seg, b->start - seg->seq, true);

        if (skip >= len || tso_fragment(tp, seg, skip, seg->mss) != 0)
            return NULL;
        seg = scoreboard_next(tp, seg);
        len = seg_len(seg);
    }
    if (seq_lt(b->end, seg->end_seq)) {
        uint32_t keep = whole_packets(seg, b->end - seg->seq, false);

        if (!keep || !seq_gt(b->end, seg->seq))
            return NULL;
        if (keep < len && tso_fragment(tp, seg, keep, seg->mss) != 0)
            return NULL;
    }
    return seg;
}

static bool covers(const struct sack_block *b, const struct segment *seg)
{
    return seq_leq(b->start, seg->seq) && seq_geq(b->end, seg->end_seq);
}

static void tag_block(struct tcb *tp, const struct sack_block *b, bool dsack,
                      struct tcp_ack_state *as)
{
    struct segment *seg = scoreboard_find(tp, b->start);

    for (; seg && seq_lt(seg->seq, b->end); seg = scoreboard_next(tp, seg)) {
        struct segment *part = seg;

        if (seg->marks & SEG_SACKED) {
            if (dsack)
                dsack_above(tp, seg);
            continue;
        }
        if (!covers(b, seg))
            part = seg->pcount > 1 ? carve(tp, seg, b) : NULL;
        if (!part)
            continue;
        tag(tp, part, as);
        seg = scoreboard_merge_sacked(tp, part);
    }
}

void tcp_check_reordering(struct tcb *tp, uint32_t low_seq)
{
    if (tp->sacked_out)
        tcp_reordering_below(tp, low_seq, tp->highest_sacked);
}

void tcp_reordering_below(struct tcb *tp, uint32_t low_seq, uint32_t highest)
{
    uint32_t mss = tp->mss_cache, distance, most = (uint32_t)tp->st->tcp.tunables.max_reordering;

    if (!seq_lt(low_seq, highest))
        return;
    distance = highest - low_seq;
    if (distance > (uint64_t)tp->reordering * mss) {
        uint32_t packets = (distance + mss - 1) / mss;

        tp->reordering = (uint16_t)(packets < most ? packets : most);
    }
    tp->reord_seen++;
    COUNT(tp->st, tcp_reordering_seen);
}

void tcp_sack_input(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    unsigned first = 0;
    uint32_t fresh = tp->snd_una - tp->max_window;

    if (!tp->sack_ok || !seg->opt.n_sack)
        return;
    if (is_dsack(seg)) {
        note_dsack(tp, seg, as);
        first = seq_lt(seg->opt.sack[0].start, seg->ack);
        if (!first && is_valid(tp, &seg->opt.sack[0])) {
            tag_block(tp, &seg->opt.sack[0], true, as);
            first = 1;
        }
    }
    /* an ACK from long ago tells of another flight */
    if (seq_lt(seg->ack, fresh) || !tp->packets_out)
        return;
    for (unsigned i = first; i < seg->opt.n_sack; i++) {
        if (is_valid(tp, &seg->opt.sack[i]))
            tag_block(tp, &seg->opt.sack[i], false, as);
        else
            COUNT(tp->st, tcp_in_bad_sack);
    }
    if (as->reordered && (tp->ca_state != CA_LOSS || tp->undo_ok))
        tcp_check_reordering(tp, as->reorder_seq);
}
