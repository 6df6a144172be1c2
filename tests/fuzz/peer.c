/* SPDX-License-Identifier: MIT */
/* What the world's peers send, and the bytes of all streams; see world.h. */
#include "tests/fuzz/world.h"

#include "proto/base/checksum.h"
#include "proto/ip/ip_internal.h"

#include <stdlib.h>
#include <sys/socket.h>

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t our_ip[4] = {10, 0, 0, 1}, near_ip[4] = {10, 0, 0, 2},
                     far_ip[4] = {192, 0, 2, 9};

uint8_t world_pattern(uint32_t seq)
{
    return (uint8_t)(seq * 131 + (seq >> 8) * 7);
}

void world_fill(uint8_t *dst, uint32_t seq, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = world_pattern(seq + (uint32_t)i);
}

void world_input(const uint8_t *bytes, size_t len, struct world_offload offload)
{
    uint8_t *copy = malloc(len ? len : 1);
    struct frame f;

    if (!copy)
        world_fail("the machine is out of memory");
    memcpy(copy, bytes, len);
    world_trace_frame("<", copy, len);
    frame_init(&f);
    f.data = copy;
    f.len = (uint32_t)len;
    f.csum = offload.csum;
    f.gso = offload.gso;
    f.gso_size = offload.gso_size;
    stack_input(world.st, &f, world.now);
    free(copy);
    world_check();
}

/* --- building -------------------------------------------------------------------------------- */

static void fix_tcp(uint8_t *ip, uint32_t header, uint32_t total)
{
    uint16_t sum;

    if (total < header + 20)
        return;
    memset(ip + header + 16, 0, 2);
    sum = csum_fold(
        csum_partial(ip + header, total - header,
                     csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, IP_PROTO_TCP, total - header)));
    memcpy(ip + header + 16, &sum, 2);
}

static void fix_icmp(uint8_t *ip, uint32_t header, uint32_t total)
{
    uint16_t sum;

    if (total < header + ICMP_HEADER)
        return;
    memset(ip + header + 2, 0, 2);
    sum = csum_fold(csum_partial(ip + header, total - header, 0));
    memcpy(ip + header + 2, &sum, 2);
}

void world_fix_sums(uint8_t *b, size_t len)
{
    uint8_t *ip = b + ETH_HEADER;
    uint32_t header, total;
    uint16_t sum;

    if (len < ETH_HEADER + IPV4_HEADER || wire_get16(b + ETH_TYPE) != ETH_TYPE_IPV4)
        return;
    header = (ip[0] & 15u) * 4;
    total = wire_get16(ip + IPV4_TOTAL);
    if (header < IPV4_HEADER || header > len - ETH_HEADER)
        return;
    memset(ip + IPV4_CHECKSUM, 0, 2);
    sum = csum_fold(csum_partial(ip, header, 0));
    memcpy(ip + IPV4_CHECKSUM, &sum, 2);
    if (total < header || total > len - ETH_HEADER)
        return;
    if (ip[IPV4_PROTO] == IP_PROTO_TCP)
        fix_tcp(ip, header, total);
    else if (ip[IPV4_PROTO] == IP_PROTO_ICMP)
        fix_icmp(ip, header, total);
}

static void put_ip(uint8_t *b, unsigned flow, uint8_t proto, uint32_t payload, uint8_t tos)
{
    memset(b, 0, ETH_HEADER + IPV4_HEADER);
    memcpy(b, our_mac, 6);
    memcpy(b + 6, peer_mac, 6);
    wire_put16(b + ETH_TYPE, ETH_TYPE_IPV4);
    b += ETH_HEADER;
    b[0] = 0x45;
    b[IPV4_TOS] = tos;
    wire_put16(b + IPV4_TOTAL, IPV4_HEADER + payload);
    wire_put16(b + IPV4_FRAGMENT, IPV4_DF);
    b[IPV4_TTL] = 64;
    b[IPV4_PROTO] = proto;
    memcpy(b + IPV4_SRC, flow >= WORLD_FAR ? far_ip : near_ip, 4);
    memcpy(b + IPV4_DST, our_ip, 4);
}

uint32_t world_build(uint8_t *dst, const struct world_segment *s)
{
    uint8_t opt_len = (uint8_t)((s->opt_len + 3u) & ~3u), *t = dst + ETH_HEADER + IPV4_HEADER;
    uint32_t total = 20u + opt_len + s->len;

    put_ip(dst, s->flow, IP_PROTO_TCP, total, s->tos);
    memset(t, 0, 20u + opt_len);
    wire_put16(t, WORLD_PEER + s->flow);
    wire_put16(t + 2, world.flows[s->flow].our_port);
    wire_put32(t + 4, s->seq);
    wire_put32(t + 8, s->ack);
    t[12] = (uint8_t)((20 + opt_len) / 4 << 4 | s->ae);
    t[13] = s->flags;
    wire_put16(t + 14, s->window);
    wire_put16(t + 18, s->urgent);
    if (s->opt_len)
        memcpy(t + 20, s->opt, s->opt_len);
    world_fill(t + 20 + opt_len, s->seq + !!(s->flags & TH_SYN), s->len);
    world_fix_sums(dst, ETH_HEADER + IPV4_HEADER + total);
    if (s->bad_csum)
        t[16] ^= 1;
    return ETH_HEADER + IPV4_HEADER + total;
}

void world_segment(const struct world_segment *s)
{
    static uint8_t bytes[WORLD_FRAME];
    struct flow *fl = &world.flows[s->flow];
    uint32_t n = world_build(bytes, s);
    uint32_t end = s->seq + s->len + !!(s->flags & TH_SYN) + !!(s->flags & TH_FIN);

    if (s->flags & TH_SYN)
        fl->next = end;
    else if (s->seq == fl->next)
        fl->next = end;
    if ((s->flags & TH_ACK) && seq_gt(s->ack, fl->una) && seq_leq(s->ack, fl->end)) {
        fl->una = s->ack;
        receiver_skip(fl, s->ack);
    }
    world_input(bytes, n, s->offload);
}

uint8_t world_timestamps(uint8_t *o, uint32_t age, uint32_t echo)
{
    o[0] = o[1] = 1;
    o[2] = 8;
    o[3] = 10;
    wire_put32(o + 4, (uint32_t)(world.now / 1000) + 500000000u - age);
    wire_put32(o + 8, echo);
    return 12;
}

void world_icmp(uint8_t type, uint8_t code, uint16_t mtu)
{
    uint8_t b[ETH_HEADER + IPV4_HEADER + ICMP_HEADER + sizeof(world.last)];
    uint8_t *icmp = b + ETH_HEADER + IPV4_HEADER;

    put_ip(b, 0, IP_PROTO_ICMP, ICMP_HEADER + world.last_len, 0);
    memset(icmp, 0, ICMP_HEADER);
    icmp[0] = type;
    icmp[1] = code;
    wire_put16(icmp + 6, mtu);
    memcpy(icmp + ICMP_HEADER, world.last, world.last_len);
    world_fix_sums(b, ETH_HEADER + IPV4_HEADER + ICMP_HEADER + world.last_len);
    world_input(b, ETH_HEADER + IPV4_HEADER + ICMP_HEADER + world.last_len,
                (struct world_offload){0});
}

/* --- the program ----------------------------------------------------------------------------- */

struct ip_endpoint world_peer(unsigned flow)
{
    return (struct ip_endpoint){ip_addr_v4(flow >= WORLD_FAR ? far_ip : near_ip),
                                (uint16_t)(WORLD_PEER + flow)};
}

/* Odd lengths go and come in three pieces, the second of them empty. */
static int pieces(struct iovec iov[3], uint8_t *bytes, size_t n)
{
    if (n > WORLD_BUF)
        n = WORLD_BUF;
    if (!(n & 1)) {
        iov[0] = (struct iovec){bytes, n};
        return 1;
    }
    iov[0] = (struct iovec){bytes, n / 3};
    iov[1] = (struct iovec){NULL, 0};
    iov[2] = (struct iovec){bytes + n / 3, n - n / 3};
    return 3;
}

ssize_t world_send(struct sock *s, size_t n, int flags)
{
    static uint8_t bytes[WORLD_BUF];
    struct iovec iov[3];
    int n_iov = pieces(iov, bytes, n);

    world_sends(s);
    world_fill(bytes, s->tcb->write_seq, n < sizeof(bytes) ? n : sizeof(bytes));
    return sock_sendmsg(s, iov, n_iov, flags, world.now);
}

static uint32_t reader_seq(const struct sock *s, uint64_t offset)
{
    return s->tcb->irs + 1 + (uint32_t)offset;
}

void world_compare(const uint8_t *bytes, size_t n, uint32_t seq)
{
    for (size_t i = 0; i < n && !world.raw; i++) {
        if (bytes[i] != world_pattern(seq + (uint32_t)i))
            world_fail("recv(2) gave a wrong byte");
    }
}

ssize_t world_recv(struct sock *s, size_t n, int flags)
{
    static uint8_t bytes[WORLD_BUF];
    const struct tcb *tp = s->tcb;
    uint64_t from = tp->read_offset, mark = tp->urg_offset;
    bool urgent = tp->urg_state != TCP_URG_NONE, hole = sock_at_mark(s) && !s->oob_inline;
    struct iovec iov[3];
    int n_iov = pieces(iov, bytes, n);
    ssize_t got;

    if (!(flags & MSG_PEEK))
        world_reads(s);
    memset(bytes, 0, n < sizeof(bytes) ? n : sizeof(bytes));
    got = sock_recvmsg(s, iov, n_iov, flags, world.now);
    if (got > (ssize_t)(n < sizeof(bytes) ? n : sizeof(bytes)))
        world_fail("recv(2) gave more than it was asked for");
    if ((flags & MSG_TRUNC) || got <= 0)
        return got;
    if (flags & MSG_OOB) {
        if (got != 1 || !urgent)
            world_fail("recv(2) gave an urgent byte that is none");
        world_compare(bytes, 1, reader_seq(s, mark));
        return got;
    }
    from += hole;
    if (urgent && from < mark && from + (uint64_t)got > mark)
        world_fail("recv(2) read across the urgent mark");
    if (!(flags & MSG_PEEK) && tp->read_offset != from + (uint64_t)got)
        world_fail("recv(2) took other bytes than it gave");
    world_compare(bytes, (size_t)got, reader_seq(s, from));
    return got;
}

/* --- calls that wait ------------------------------------------------------------------------- */

void world_sends(struct sock *s)
{
    for (int i = 0; i < WORLD_CALLS; i++) {
        if (world.waits[i].s == s && world.waits[i].sends)
            world.raw = true; /* the bytes of the one that waits were made for another place */
    }
}

void world_reads(struct sock *s)
{
    for (int i = 0; i < WORLD_CALLS; i++) {
        if (world.waits[i].s == s && !world.waits[i].sends)
            world.waits[i].spoilt = true;
    }
}

void world_closes(struct sock *s)
{
    for (int i = 0; i < WORLD_CALLS; i++) {
        if (world.waits[i].s == s)
            world.waits[i].s = NULL;
    }
}

/* A read in pieces never joins what stands on both sides of the urgent byte. That byte may have
 * been passed since the call ended, when the next mark came. */
void world_waited(const struct world_wait *w, ssize_t result)
{
    uint64_t end;
    uint32_t seq;

    if (!w->s || w->sends || w->spoilt || result <= 0 || world.raw)
        return;
    end = w->s->tcb->read_offset;
    seq = reader_seq(w->s, end) - (uint32_t)result;
    if (w->s->tcb->urg_state == TCP_URG_NOTYET || w->s->tcb->urg_state == TCP_URG_VALID)
        seq -= w->buf[0] != world_pattern(seq);
    world_compare(w->buf, (size_t)result, seq);
}
