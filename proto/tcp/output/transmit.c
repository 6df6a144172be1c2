/* SPDX-License-Identifier: MIT */
/*
 * tcp_transmit_segment: header, options, window, checksum offload, and on to IP (send path, step
 * 15; RFC 9293 §3.1; RFC 7323 §3.2; option order as Linux's, linux-receiver §2). The payload stays
 * in the stream: the frame gets spans of it.
 */
#include "proto/base/checksum.h"
#include "proto/sock/sock_internal.h"

#include <arpa/inet.h>
#include <errno.h>

#define UTO_SPACE       4u
#define TCP_MAX_OPTIONS 40u

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    v = htonl(v);
    memcpy(p, &v, 4);
}

static uint8_t *put_timestamps(uint8_t *p, uint32_t tsval, uint32_t tsecr)
{
    *p++ = 8;
    *p++ = 10;
    put32(p, tsval);
    put32(p + 4, tsecr);
    return p + 8;
}

static uint8_t *put_uto(uint8_t *p, uint16_t uto)
{
    *p++ = 28;
    *p++ = 4;
    put16(p, uto);
    return p + 2;
}

struct syn_options {
    uint16_t mss, uto;
    bool ts_ok, wscale_ok, sack_ok, accecn;
    uint8_t wscale;
    uint32_t tsval, tsecr;
};

/* SACK-permitted (RFC 2018 §2) takes the place of the two NOPs before the timestamps. */
static uint8_t *put_sack_permitted(uint8_t *p)
{
    *p++ = 4;
    *p++ = 2;
    return p;
}

static uint8_t *put_nops(uint8_t *p)
{
    *p++ = 1;
    *p++ = 1;
    return p;
}

/* MSS, SACK-permitted, timestamps, NOP window scale: Linux's order. */
static uint32_t put_syn_options(uint8_t *start, const struct syn_options *o)
{
    uint8_t *p = start;

    *p++ = 2;
    *p++ = 4;
    put16(p, o->mss);
    p += 2;
    if (o->ts_ok) {
        p = o->sack_ok ? put_sack_permitted(p) : put_nops(p);
        p = put_timestamps(p, o->tsval, o->tsecr);
    } else if (o->sack_ok) {
        p = put_sack_permitted(put_nops(p));
    }
    if (o->wscale_ok) {
        *p++ = 1;
        *p++ = 3;
        *p++ = 3;
        *p++ = o->wscale;
    }
    if (o->accecn) {
        tcp_accecn_put_initial(p);
        p += ACCECN_SYNACK_SPACE;
    }
    if (o->uto)
        p = put_uto(p, o->uto);
    return (uint32_t)(p - start);
}

static uint32_t ts_value(const struct tcb *tp)
{
    return tcp_ts_now(tp->st) + tp->ts_offset;
}

static uint32_t syn_options(const struct tcb *tp, uint8_t *p)
{
    struct syn_options o = {.mss = tp->advmss,
                            .uto = uto_advertise(tp),
                            .ts_ok = tp->ts_ok,
                            .wscale_ok = tp->wscale_ok,
                            .sack_ok = tp->sack_ok,
                            .wscale = tp->rcv_wscale,
                            .tsval = ts_value(tp),
                            .tsecr = tp->ts_recent};

    return put_syn_options(p, &o);
}

/* As many blocks as fit into the segment (RFC 2018 §4). */
static uint32_t add_sack(const struct tcb *tp, uint8_t *options, uint32_t opt_len, uint32_t room)
{
    struct sack_block block[TCP_MAX_SACKS + 1];
    uint32_t space = sack_blocks_space(tp, room);
    uint32_t n = sack_blocks_list(tp, space, block);
    uint8_t *p = options + opt_len;

    if (!n)
        return opt_len;
    p = put_nops(p);
    *p++ = 5;
    *p++ = (uint8_t)(space - 2);
    for (uint32_t i = 0; i < n; i++, p += TCP_SACK_BLOCK) {
        put32(p, block[i].start);
        put32(p + 4, block[i].end);
    }
    return opt_len + space;
}

/* Ours goes along when it waits and there is room. */
static uint32_t add_uto(struct tcb *tp, uint8_t *options, uint32_t opt_len, uint32_t room)
{
    uint16_t uto = 0;

    if (tp->uto_pending && room >= UTO_SPACE && opt_len + UTO_SPACE <= TCP_MAX_OPTIONS)
        uto = uto_advertise(tp);
    if (!uto)
        return opt_len;
    put_uto(options + opt_len, uto);
    tp->uto_pending = false; /* it may be lost: nothing depends on it (RFC 5482 §3.2) */
    return opt_len + UTO_SPACE;
}

struct header {
    const struct ip_endpoint *local, *remote;
    uint32_t seq, ack, window;
    uint16_t flags;
    uint16_t urgent;
};

/** The options of one segment, and how much of them is about SACK and AccECN. */
struct options {
    uint8_t bytes[TCP_MAX_OPTIONS];
    uint32_t len, sack, accecn;
};

/* Mostly there are the timestamps alone. */
static bool has_more_options(const struct tcb *tp)
{
    return tp->rcv_sack.n || tp->rcv_sack.has_dup || tp->uto_pending ||
           tp->ecn.mode == TCP_ECN_ACCURATE;
}

/* The options of a segment that is no SYN. `room`: bytes of the packet that timestamps and payload
 * leave; `fresh`: it goes out for the first time (what was lost may have been lost for AccECN's
 * option, RFC 9768 §3.2.3.2.2). */
static void fill_options(struct tcb *tp, struct options *o, uint32_t room, bool fresh)
{
    uint32_t base = 0;

    if (tp->ts_ok) {
        put_timestamps(put_nops(o->bytes), ts_value(tp), tp->ts_recent);
        base = TCP_TIMESTAMP_SPACE;
    }
    o->len = base;
    if (!has_more_options(tp))
        return;
    if (room > TCP_MAX_OPTIONS - base)
        room = TCP_MAX_OPTIONS - base;
    o->accecn = fresh ? tcp_accecn_space(tp, room) : 0;
    o->len = add_sack(tp, o->bytes, base, room - o->accecn);
    o->sack = o->len - base;
    if (o->accecn)
        tcp_accecn_put(tp, o->bytes + o->len, o->accecn);
    o->len += o->accecn;
    o->len = add_uto(tp, o->bytes, o->len, room - o->sack - o->accecn);
}

static void note_options(struct tcb *tp, const struct options *o)
{
    if (o->sack)
        sack_blocks_sent(tp);
    tcp_accecn_sent(tp, o->accecn);
}

static uint32_t pseudo_sum(const struct ip_addr *src, const struct ip_addr *dst, uint32_t len)
{
    if (ip_addr_is_v4(src))
        return csum_pseudo4(ip_addr_v4_bytes(src), ip_addr_v4_bytes(dst), IP_PROTO_TCP, len);
    return csum_pseudo(src->b, dst->b, 16, IP_PROTO_TCP, len);
}

/* Put the header in front of the frame's options and leave the checksum to the device (or to
 * stack_transmit). */
static void push_header(struct frame *f, const struct header *h, const uint8_t *options,
                        uint32_t opt_len)
{
    uint32_t len = TCP_HEADER_LEN + opt_len;
    uint8_t *p = frame_push(f, len);
    uint16_t partial =
        (uint16_t)~csum_fold(pseudo_sum(&h->local->addr, &h->remote->addr, len + f->span_len));

    put16(p, h->local->port);
    put16(p + 2, h->remote->port);
    put32(p + 4, h->seq);
    put32(p + 8, h->ack);
    p[12] = (uint8_t)(len / 4 << 4 | h->flags >> 8);
    p[13] = (uint8_t)h->flags;
    put16(p + 14, h->window);
    memcpy(p + 16, &partial, 2);
    put16(p + 18, h->urgent);
    if (opt_len == TCP_TIMESTAMP_SPACE) /* mostly: no call */
        memcpy(p + TCP_HEADER_LEN, options, TCP_TIMESTAMP_SPACE);
    else
        memcpy(p + TCP_HEADER_LEN, options, opt_len);
    f->csum = FRAME_CSUM_PARTIAL;
    f->csum_start = 0;
    f->csum_offset = 16;
}

static int to_ip(struct tcb *tp, struct frame *f, uint8_t ecn, uint32_t segs, uint32_t *sent)
{
    struct ip_flow flow = {.src = tp->conn.local.addr,
                           .dst = tp->conn.remote.addr,
                           .proto = IP_PROTO_TCP,
                           .ttl = tp->ttl,
                           .tos = tp->tos | ecn,
                           .dont_fragment = tcp_dont_fragment(tp),
                           .id = tp->ip_id};
    int err;

    f->owner = tcb_id(tp);
    if (__builtin_expect(tp->traced, 0))
        tcp_trace_enter(tp);
    err = ip_output(tp->st, f, &flow, sent);
    tp->st->tracing = NULL;
    if (err && err != -EAGAIN)
        COUNT(tp->st, tcp_out_errors);
    if (!err)
        tp->ip_id = (uint16_t)(tp->ip_id + segs);
    return err;
}

/* Every segment before the urgent pointer says where it is, as far as sixteen bits can. */
static void mark_urgent(const struct tcb *tp, struct header *h)
{
    if (!tcp_urg_mode(tp) || !seq_lt(h->seq, tp->snd_up))
        return;
    if (tp->snd_up - h->seq <= UINT16_MAX)
        h->urgent = (uint16_t)(tp->snd_up - h->seq);
    else if (seq_gt(h->seq + UINT16_MAX, tp->snd_nxt))
        h->urgent = UINT16_MAX;
    else
        return;
    h->flags |= TH_URG;
}

static uint16_t segment_flags(const struct tcb *tp, const struct segment *seg)
{
    uint16_t flags = TH_ACK;

    if (seg->flags & SEG_SYN)
        flags = TH_SYN | (tp->conn.state == TCPS_SYN_SENT ? 0 : TH_ACK);
    if (seg->flags & SEG_FIN)
        flags |= TH_FIN;
    /* a burst ends with PSH on its last packet (linux-sender §3) */
    if (seg_len(seg) && ((seg->flags & SEG_PSH) || seg->pcount > 1))
        flags |= TH_PSH;
    return flags;
}

static void count_sent(struct tcb *tp, uint32_t len, uint32_t segs)
{
    struct stack *st = tp->st;

    COUNT(st, tcp_out_frames);
    COUNT_ADD(st, tcp_out, segs);
    tp->segs_out += segs;
    if (!len)
        return;
    COUNT_ADD(st, tcp_out_bytes, len);
    tp->bytes_sent += len;
    tp->data_segs_out += segs;
}

static uint32_t option_room(const struct tcb *tp, uint32_t payload)
{
    return payload < tp->mss_cache ? tp->mss_cache - payload : 0;
}

/* A burst that the device or frame_segment cuts. CWR stays with the first packet only, unless it is
 * a bit of AccECN's counter. */
static void make_burst(const struct tcb *tp, struct frame *f, uint32_t mss, uint16_t flags)
{
    f->gso = ip_addr_is_v4(&tp->conn.remote.addr) ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6;
    f->gso_size = (uint16_t)mss;
    if (!(flags & TH_CWR))
        return;
    if (tp->ecn.mode == TCP_ECN_ACCURATE)
        f->cwr_all = true;
    else
        f->ecn = true;
}

/* What has to go ahead in a segment of its own. */
static void send_ahead(struct tcb *tp, const struct segment *seg, uint32_t mss)
{
    uint32_t len = seg_len(seg);

    if (len > mss && tp->rcv_sack.has_dup)
        tcp_send_ack(tp); /* every packet of a burst would repeat it (RFC 2883 §4: once) */
    /* no room beside the data: an ACK goes ahead with it (RFC 5482 §3: in the next segment) */
    if (tp->uto_pending && !(seg->flags & SEG_SYN) && len + UTO_SPACE > mss)
        tcp_send_ack(tp);
}

static void after_transmit(struct tcb *tp, const struct segment *seg, const struct header *h,
                           const struct options *o, uint32_t sent)
{
    tp->last_sent = tp->st->now;
    count_sent(tp, sent, seg->pcount);
    note_options(tp, o);
    tcp_ecn_sent(tp, h->flags);
    if (h->flags & TH_ACK)
        tcp_ack_sent(tp);
    if (sent) {
        tcp_pacing_advance(tp, sent);
        tcp_ack_data_sent(tp);
    }
}

static __attribute__((cold, noinline)) void
trace_transmit(const struct tcb *tp, const struct segment *seg, const struct header *h)
{
    enum trace_why why =
        seg->marks & SEG_EVER_RETRANS || seg->sent_at ? TRACE_WHY_retransmission : TRACE_WHY_first;

    TCP_TRACE(tp, tcp_transmit_segment, why, h->seq, seg_len(seg), seg->pcount, h->flags, h->ack,
              h->window << (seg->flags & SEG_SYN ? 0 : tp->rcv_wscale), tcp_in_flight(tp));
}

int tcp_transmit_segment(struct tcb *tp, struct segment *seg, uint32_t mss)
{
    struct options o = {.len = 0};
    uint32_t len = seg_len(seg), sent = len;
    bool syn = seg->flags & SEG_SYN, fresh = seq_geq(seg->seq, tp->snd_nxt);
    struct frame f;
    struct header h = {
        &tp->conn.local, &tp->conn.remote, seg->seq, tp->rcv_nxt, 0, segment_flags(tp, seg), 0};
    int err;

    send_ahead(tp, seg, mss);
    frame_init(&f);
    if (len) {
        f.n_spans = (uint8_t)bytestream_spans(&tp->snd, tcp_snd_offset(tp, seg->seq), len, f.spans);
        f.span_len = len;
    }
    h.window = syn ? (tp->rcv_wnd < 65535 ? tp->rcv_wnd : 65535) : tcp_select_window(tp);
    if (!(h.flags & TH_ACK))
        h.ack = 0;
    if (syn) {
        h.flags |= tcp_ecn_syn_flags(tp, seg);
        o.len = syn_options(tp, o.bytes);
        uto_schedule(tp);
    } else {
        mark_urgent(tp, &h);
        h.flags |= tcp_ecn_flags(tp, fresh && len, false);
        fill_options(tp, &o, option_room(tp, len < mss ? len : mss), fresh);
    }
    if (len > mss)
        make_burst(tp, &f, mss, h.flags);
    push_header(&f, &h, o.bytes, o.len);
    if (len && !tcp_in_flight(tp))
        tcp_cc_tell(tp, TCP_CC_TX_START);
    if (__builtin_expect(tp->traced, 0))
        trace_transmit(tp, seg, &h);
    err = to_ip(tp, &f, tcp_ecn_codepoint(tp, fresh && len), seg->pcount, &sent);
    if (err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM)
        return err;
    if (!err && sent < len && tso_fragment(tp, seg, sent, mss) != 0)
        return -ENOMEM; /* the peer will see the part twice: harmless */
    tcp_rate_sent(tp, seg);
    seg->sent_at = tp->st->now ? tp->st->now : 1;
    if (err)
        return err; /* sent, and lost at the first step */
    after_transmit(tp, seg, &h, &o, sent);
    return 0;
}

/* SND.NXT, unless the peer shrank its window below it (Linux: tcp_acceptable_seq). */
static uint32_t acceptable_seq(const struct tcb *tp)
{
    uint32_t end = tcp_wnd_end(tp);

    if (seq_leq(tp->snd_nxt, end) || tp->snd_nxt - end < (1u << tp->rcv_wscale))
        return tp->snd_nxt;
    return end;
}

static __attribute__((cold, noinline)) void trace_bare(const struct tcb *tp, const struct header *h)
{
    TCP_TRACE(tp, tcp_send_ack, TRACE_WHY_none, h->seq, h->ack, h->window << tp->rcv_wscale,
              h->flags);
}

static int send_bare(struct tcb *tp, uint32_t seq, uint16_t flags)
{
    struct header h = {&tp->conn.local, &tp->conn.remote, seq, tp->rcv_nxt, 0, flags, 0};
    struct options o = {.len = 0};
    bool rst = flags & TH_RST;
    struct frame f;
    int err;

    frame_init(&f);
    h.window = tcp_select_window(tp);
    if (!rst)
        mark_urgent(tp, &h);
    fill_options(tp, &o, rst ? 0 : TCP_MAX_OPTIONS, !rst);
    if (!rst || tp->ecn.mode == TCP_ECN_ACCURATE)
        h.flags |= tcp_ecn_flags(tp, false, !o.sack);
    push_header(&f, &h, o.bytes, o.len);
    if (__builtin_expect(tp->traced, 0))
        trace_bare(tp, &h);
    err = to_ip(tp, &f, IP_ECN_NOT, 1, NULL);
    if (err)
        return err;
    count_sent(tp, 0, 1);
    note_options(tp, &o);
    tcp_ecn_sent(tp, h.flags);
    tcp_ack_sent(tp);
    return 0;
}

int tcp_send_ack(struct tcb *tp)
{
    int err;

    if (tp->conn.state == TCPS_CLOSED || tp->conn.state == TCPS_SYN_SENT)
        return 0;
    err = send_bare(tp, acceptable_seq(tp), TH_ACK);
    if (!err)
        COUNT(tp->st, tcp_out_acks);
    return err;
}

/* An empty ACK with a sequence number that the peer must answer (linux-sender §6): never a byte of
 * data. */
int tcp_xmit_probe(struct tcb *tp, bool urgent)
{
    return send_bare(tp, tp->snd_una - !urgent, TH_ACK);
}

void tcp_send_active_reset(struct tcb *tp)
{
    if (tp->conn.state == TCPS_CLOSED || tp->conn.state == TCPS_SYN_SENT ||
        tp->conn.state == TCPS_LISTEN)
        return;
    COUNT(tp->st, tcp_out_rst);
    send_bare(tp, acceptable_seq(tp), TH_RST | TH_ACK);
}

/* --- without a connection
 * ---------------------------------------------------------------------------------- */

int tcp_send_reply(struct stack *st, const struct tcp_reply *r)
{
    struct header h = {&r->local, &r->remote, r->seq, r->ack, r->window, r->flags, 0};
    struct ip_flow flow = {.src = r->local.addr,
                           .dst = r->remote.addr,
                           .proto = IP_PROTO_TCP,
                           .ttl = r->ttl,
                           .tos = r->tos,
                           .dont_fragment = true};
    uint8_t options[TCP_MAX_OPTIONS];
    uint32_t opt_len = 0;
    struct frame f;
    int err;

    frame_init(&f);
    if (r->flags & TH_SYN) {
        struct syn_options o = {r->mss,    r->uto,    r->has_ts, r->wscale_ok, r->sack_ok,
                                r->accecn, r->wscale, r->tsval,  r->tsecr};

        opt_len = put_syn_options(options, &o);
    } else if (r->has_ts) {
        put_timestamps(put_nops(options), r->tsval, r->tsecr);
        opt_len = TCP_TIMESTAMP_SPACE;
    }
    push_header(&f, &h, options, opt_len);
    err = ip_output(st, &f, &flow, NULL);
    if (err)
        return err;
    COUNT(st, tcp_out_frames);
    COUNT(st, tcp_out);
    return 0;
}

/* RFC 9293 §3.10.7.1: never for a reset; the sequence number is what the segment itself claims to
 * expect. */
void tcp_send_reset(struct stack *st, const struct tcp_seg *seg)
{
    struct tcp_reply r = {.local = {seg->packet->dst, seg->dst_port},
                          .remote = {seg->packet->src, seg->src_port}};

    if ((seg->flags & TH_RST) || seg->packet->broadcast)
        return;
    if (seg->flags & TH_ACK) {
        r.flags = TH_RST;
        r.seq = seg->ack;
    } else {
        r.flags = TH_RST | TH_ACK;
        r.ack = seg->end_seq;
    }
    if (seg->opt.has_ts && st->tcp.tunables.reset_timestamps) {
        /* the offset depends on the tuple alone: this is the clock that the peer knows */
        r.has_ts = true;
        r.tsval = tcp_ts_now(st) + isn_ts_offset(st, &r.local, &r.remote);
        r.tsecr = seg->opt.tsval;
    }
    COUNT(st, tcp_out_rst);
    tcp_send_reply(st, &r);
}
