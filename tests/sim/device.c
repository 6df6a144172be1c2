/* SPDX-License-Identifier: MIT */
/* A host's device and what the wire does with its packets; see sim.h. */
#include "tests/sim/sim_internal.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04

static void note_trace(struct sim *sim, const uint8_t *data, uint32_t len)
{
    uint64_t h = sim->trace ^ sim->now ^ (uint64_t)len << 48;
    uint32_t n = len < 80 ? len : 80;

    for (uint32_t i = 0; i < n; i++)
        h = (h ^ data[i]) * 0x100000001b3ull;
    sim->trace = h;
}

static bool is_broadcast(const uint8_t *mac)
{
    return mac[0] & 1;
}

static void put_checksum(uint8_t *field, const uint8_t *from, uint32_t len)
{
    uint16_t sum;

    memset(field, 0, 2);
    sum = csum_fold(csum_partial(from, len, 0));
    memcpy(field, &sum, 2);
}

/* RFC 3168 §5: a router says that its queue grows. */
static void mark_ce(uint8_t *data)
{
    uint8_t *ip = data + ETH_HEADER;

    ip[IPV4_TOS] |= 3;
    put_checksum(ip + IPV4_CHECKSUM, ip, IPV4_HEADER);
}

/* ARP has no checksum: only IP can be damaged and noticed. */
static void damage(struct sim_host *from, struct sim_packet *p)
{
    uint64_t bit;

    if (p->csum != FRAME_CSUM_NONE || wire_get16(p->data + ETH_TYPE) != ETH_TYPE_IPV4)
        return;
    bit = prng_below(&from->out.prng, 8ull * (p->len - ETH_HEADER));
    p->data[ETH_HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
    p->corrupt = true;
}

/* The n-th copy of a packet goes to whom it is addressed. */
static void deliver_later(struct sim_host *from, const struct sim_packet *p,
                          const struct link_fate *fate, unsigned n)
{
    struct sim *sim = from->sim;

    for (unsigned i = 0; i < sim->n_hosts; i++) {
        struct sim_host *to = &sim->host[i];
        struct sim_packet *copy;

        if (to == from || (!is_broadcast(p->data) && memcmp(p->data, to->mac, 6) != 0))
            continue;
        copy = malloc(sizeof(*copy) + p->len);
        if (!copy)
            abort();
        memcpy(copy, p, sizeof(*p) + p->len);
        if (fate->ce)
            mark_ce(copy->data);
        if (n == 0 && fate->corrupt)
            damage(from, copy);
        sim_push(sim,
                 (struct sim_event){
                     .at = fate->arrives[n], .kind = EVENT_PACKET, .host = to, .packet = copy});
    }
}

/* RFC 792, RFC 1191 §4: destination unreachable, fragmentation needed, with the next hop's MTU and
 * the packet's first bytes. */
static void tell_too_big(struct sim_host *h, const struct sim_packet *p)
{
    uint8_t f[ETH_HEADER + IPV4_HEADER + ICMP_HEADER + 28] = {0};
    uint8_t *ip = f + ETH_HEADER, *icmp = ip + IPV4_HEADER;

    memcpy(f, h->mac, 6);
    memcpy(f + ETH_SOURCE, (uint8_t[6]){2, 0, 0, 0, 0, 0xfe}, 6);
    wire_put16(f + ETH_TYPE, ETH_TYPE_IPV4);
    ip[0] = 0x45;
    wire_put16(ip + IPV4_TOTAL, sizeof(f) - ETH_HEADER);
    ip[IPV4_TTL] = 64;
    ip[IPV4_PROTO] = 1;
    wire_put32(ip + IPV4_SRC, 0x0a0000fe);
    memcpy(ip + IPV4_DST, p->data + ETH_HEADER + IPV4_SRC, 4);
    put_checksum(ip + IPV4_CHECKSUM, ip, IPV4_HEADER);
    icmp[0] = 3;
    icmp[1] = 4;
    wire_put16(icmp + 6, h->out.config.mtu);
    memcpy(icmp + ICMP_HEADER, p->data + ETH_HEADER, 28);
    put_checksum(icmp + 2, icmp, ICMP_HEADER + 28);
    sim_inject(h, f, sizeof(f));
}

static bool is_ect(const struct sim_packet *p)
{
    uint8_t ecn = p->data[ETH_HEADER + IPV4_TOS] & 3;

    return wire_get16(p->data + ETH_TYPE) == ETH_TYPE_IPV4 && (ecn == 1 || ecn == 2);
}

/* One packet, as it will travel, onto the link. Returns when it has left the device. */
static uint64_t onto_link(struct sim_host *h, const struct sim_packet *p,
                          const struct wire_packet *w)
{
    struct sim *sim = h->sim;
    struct link_packet lp = {.bytes = p->len,
                             .safe = w->type == ETH_TYPE_ARP,
                             .empty = w->tcp && !w->len && !(w->flags & (FIN | SYN | RST)),
                             .ect = is_ect(p)};
    struct link_fate fate;

    sim->packets++;
    if (h->filter && !h->filter(h, w))
        return sim->now;
    if (h->config.too_big_is_told && p->len > h->out.config.mtu + ETH_HEADER)
        tell_too_big(h, p);
    /* three lost ARP requests end a connection with EHOSTUNREACH: a test that wants that has a
     * filter */
    fate = link_offer(&h->out, &lp, sim->now);
    for (unsigned i = 0; i < fate.copies; i++)
        deliver_later(h, p, &fate, i);
    return fate.departs;
}

struct cut {
    struct sim_host *host;
    uint64_t departs;
};

/* A complete packet of at most MTU bytes. */
static int emit_piece(void *ctx, struct frame *f)
{
    struct cut *c = ctx;
    struct sim *sim = c->host->sim;
    uint64_t room[(sizeof(struct sim_packet) + 66000) / 8];
    struct sim_packet *p = (struct sim_packet *)room;
    struct wire_packet w;
    const char *why;

    memset(p, 0, sizeof(*p));
    p->len = frame_total(f);
    p->csum = FRAME_CSUM_NONE;
    frame_flatten(f, p->data);
    why = wire_parse(p->data, p->len, c->host->config.mtu, true, &w);
    if (why)
        sim_fail(sim, "host %u sent a bad packet: %s", c->host->index, why);
    c->departs = onto_link(c->host, p, &w);
    return 0;
}

static uint64_t send_whole(struct sim_host *h, const struct frame *f, uint8_t *flat,
                           const struct wire_packet *w)
{
    struct sim_packet *p = malloc(sizeof(*p) + frame_total(f));
    uint64_t departs;

    if (!p)
        abort();
    *p = (struct sim_packet){.len = frame_total(f),
                             .gso = f->gso,
                             .csum = f->csum,
                             .gso_size = f->gso_size,
                             .csum_start = f->csum_start,
                             .csum_offset = f->csum_offset};
    memcpy(p->data, flat, p->len);
    departs = onto_link(h, p, w);
    free(p);
    return departs;
}

static uint64_t send_cut(struct sim_host *h, const struct frame *f, uint8_t *flat)
{
    struct cut c = {.host = h, .departs = h->sim->now};
    static uint8_t scratch[FRAME_SCRATCH];
    struct frame whole;

    frame_init(&whole);
    whole.data = flat;
    whole.len = frame_total(f);
    whole.csum = f->csum;
    whole.csum_start = f->csum_start;
    whole.csum_offset = f->csum_offset;
    whole.gso = f->gso;
    whole.gso_size = f->gso_size;
    if (f->gso == FRAME_GSO_NONE) {
        frame_complete_csum(&whole, NULL);
        emit_piece(&c, &whole);
    } else if (frame_segment(&whole, scratch, emit_piece, &c) < 0) {
        sim_fail(h->sim, "host %u sent an offloaded frame that cannot be cut", h->index);
    }
    return c.departs;
}

/* Does the device take it? */
static bool refuses(struct sim_host *h, uint32_t bytes)
{
    struct sim *sim = h->sim;

    if (sim->now < h->refuse_until)
        return true;
    if (h->config.device_bytes && h->queued && h->queued + bytes > h->config.device_bytes) {
        h->waiting = true;
        return true;
    }
    if (!prng_chance(&sim->prng, h->config.refuse_ppm))
        return false;
    h->refuse_until = sim->now + prng_below(&sim->prng, h->config.refuse_us + 1);
    if (prng_next(&sim->prng) & 1)
        sim_push(sim, (struct sim_event){.at = h->refuse_until, .kind = EVENT_READY, .host = h});
    return true;
}

int device_transmit(void *ctx, const struct frame *f)
{
    struct sim_host *h = ctx;
    struct sim *sim = h->sim;
    uint64_t room[66000 / 8];
    uint8_t *flat = (uint8_t *)room;
    struct wire_packet w;
    const char *why;
    uint64_t departs;

    if (frame_total(f) > 65535 + ETH_HEADER) {
        sim_fail(sim, "host %u sent a frame of %u bytes", h->index, frame_total(f));
        return -EMSGSIZE;
    }
    frame_flatten(f, flat);
    if (wire_get16(flat + ETH_TYPE) != ETH_TYPE_ARP && refuses(h, frame_total(f)))
        return -EAGAIN;
    why = wire_parse(flat, frame_total(f), f->gso ? 0 : h->config.mtu, f->csum == FRAME_CSUM_NONE,
                     &w);
    if (!why)
        why = wire_offload(f, flat, h->config.features, h->config.mtu);
    if (!why && memcmp(flat + ETH_SOURCE, h->mac, 6) != 0)
        why = "foreign source address";
    if (!why)
        why = wirecheck_sent(&sim->wire, &w);
    if (why)
        sim_fail(sim, "host %u: %s (seq %u len %u ack %u flags %02x)", h->index, why, w.seq, w.len,
                 w.ack, w.flags);
    note_trace(sim, flat, frame_total(f));
    if (sim->capture)
        capture_add(sim->capture, h->index, true, sim->now, flat, frame_total(f));
    departs = h->config.large_frames ? send_whole(h, f, flat, &w) : send_cut(h, f, flat);
    if (!h->config.device_queue)
        return 0;
    h->queued += frame_total(f);
    sim_push(sim, (struct sim_event){.at = departs,
                                     .kind = EVENT_SENT,
                                     .host = h,
                                     .sent = {f->owner, f->span_len, frame_total(f)}});
    return 1;
}

/* A peer without a core may break the rules: what it sends is noted, not judged. */
void sim_send(struct sim_host *h, const uint8_t *data, uint32_t len)
{
    struct sim *sim = h->sim;
    struct sim_packet *p = calloc(1, sizeof(*p) + len);
    struct wire_packet w;
    const char *why;

    if (!p)
        abort();
    p->len = len;
    memcpy(p->data, data, len);
    why = wire_parse(p->data, len, h->config.mtu, true, &w);
    if (why)
        sim_fail(sim, "the peer sent a bad packet: %s", why);
    else
        (void)wirecheck_sent(&sim->wire, &w);
    note_trace(sim, data, len);
    if (sim->capture)
        capture_add(sim->capture, h->index, true, sim->now, data, len);
    onto_link(h, p, &w);
    free(p);
}

void device_arrives(struct sim *sim, struct sim_host *h, struct sim_packet *p)
{
    struct wire_packet w;
    struct frame f;

    if (h->unplugged || (!h->st && !h->receive)) {
        free(p);
        return;
    }
    if (sim->capture)
        capture_add(sim->capture, h->index, false, sim->now, p->data, p->len);
    if (!p->corrupt && !wire_parse(p->data, p->len, 0, false, &w))
        wirecheck_arrived(&sim->wire, &w);
    if (!h->st) {
        h->receive(h, p);
        free(p);
        return;
    }
    frame_init(&f);
    f.data = p->data;
    f.len = p->len;
    f.gso = p->gso;
    f.csum = p->csum;
    f.gso_size = p->gso_size;
    f.csum_start = p->csum_start;
    f.csum_offset = p->csum_offset;
    stack_input(h->st, &f, sim->now);
    h->touched = true;
    free(p);
}

void device_sent(struct sim *sim, struct sim_host *h, const struct sim_event *e)
{
    h->queued -= e->sent.bytes;
    if (!h->st)
        return;
    if (e->sent.owner)
        stack_transmitted(h->st, e->sent.owner, e->sent.payload, sim->now);
    if (h->waiting && h->queued <= h->config.device_bytes / 2) {
        h->waiting = false;
        stack_device_ready(h->st, sim->now);
    }
    h->touched = true;
}
