/* SPDX-License-Identifier: MIT */
/* The emulated link's eye; see relay_count.h. */
#include "tests/net/relay_count.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

struct segment {
    uint32_t key[3];
    uint32_t seq, len;
    bool syn, fin, sack;
};

static bool has_sack(const uint8_t *options, size_t len)
{
    for (size_t i = 0; i < len && options[i] != TCPOPT_EOL;) {
        if (options[i] == TCPOPT_NOP) {
            i++;
            continue;
        }
        if (i + 1 >= len || options[i + 1] < 2)
            return false;
        if (options[i] == TCPOPT_SACK)
            return true;
        i += options[i + 1];
    }
    return false;
}

/* Returns false for what is no whole TCP header. */
static bool parse(const uint8_t *packet, size_t len, struct segment *s)
{
    struct iphdr ip;
    struct tcphdr tcp;
    size_t ip_len, tcp_len, total;

    if (len < sizeof(ip))
        return false;
    memcpy(&ip, packet, sizeof(ip));
    ip_len = ip.ihl * 4u;
    total = ntohs(ip.tot_len);
    if (ip.version != 4 || ip.protocol != IPPROTO_TCP || (ntohs(ip.frag_off) & IP_OFFMASK) ||
        ip_len < sizeof(ip) || total > len || total < ip_len + sizeof(tcp))
        return false;
    memcpy(&tcp, packet + ip_len, sizeof(tcp));
    tcp_len = tcp.doff * 4u;
    if (tcp_len < sizeof(tcp) || ip_len + tcp_len > total)
        return false;
    memcpy(s->key, &ip.saddr, 4);
    memcpy(s->key + 1, &ip.daddr, 4);
    memcpy(s->key + 2, packet + ip_len, 4);
    s->seq = ntohl(tcp.seq);
    s->len = (uint32_t)(total - ip_len - tcp_len);
    s->syn = tcp.syn;
    s->fin = tcp.fin;
    s->sack = has_sack(packet + ip_len + sizeof(tcp), tcp_len - sizeof(tcp));
    return true;
}

/* The flow's place; when the table is full, one that another flow has. */
static struct relay_flow *find(struct relay_eye *e, const uint32_t key[3])
{
    uint32_t h = (key[0] ^ key[1] * 31 ^ key[2]) * 0x9e3779b1u >> 20;
    struct relay_flow *f = NULL;

    for (unsigned i = 0; i < RELAY_FLOWS; i++) {
        f = &e->flow[(h + i) % RELAY_FLOWS];
        if (!f->used || memcmp(f->key, key, sizeof(f->key)) == 0)
            break;
    }
    return f;
}

/* NULL if it never began here. */
static struct relay_flow *flow_of(struct relay_eye *e, const struct segment *s)
{
    struct relay_flow *f = find(e, s->key);
    bool same = f->used && memcmp(f->key, s->key, sizeof(f->key)) == 0;

    if (same && !(s->syn && s->seq != f->syn))
        return f;
    if (!s->syn)
        return NULL;
    memset(f, 0, sizeof(*f));
    memcpy(f->key, s->key, sizeof(f->key));
    f->used = true;
    f->syn = s->seq;
    f->end = s->seq + 1;
    f->number = (uint32_t)++e->n.flows;
    return f;
}

static void payload(struct relay_eye *e, struct relay_flow *f, const struct segment *s)
{
    uint32_t seq = s->seq + s->syn;
    int32_t ahead = (int32_t)(seq - f->end), beyond = (int32_t)(seq + s->len - f->end);
    uint32_t fresh = beyond <= 0 ? 0 : ahead < 0 ? (uint32_t)beyond : s->len;

    e->n.data_segments += s->len > 0;
    e->n.payload += s->len;
    e->n.unique += fresh;
    e->n.retransmitted += s->len - fresh;
    if (ahead > 0)
        e->n.gaps += (uint32_t)ahead;
    if (beyond > 0 || ahead > 0)
        f->end = seq + s->len;
    if (s->fin && (int32_t)(seq + s->len + 1 - f->end) > 0)
        f->end = seq + s->len + 1;
}

struct relay_seen relay_eye_see(struct relay_eye *e, const uint8_t *frame, size_t len)
{
    struct relay_seen seen = {0};
    struct relay_flow *f;
    struct segment s;
    uint16_t type = 0;

    e->n.frames++;
    e->n.bytes += len;
    if (len >= ETH_HLEN)
        memcpy(&type, frame + 12, 2);
    type = ntohs(type);
    seen.ip = type == ETHERTYPE_IP || type == ETHERTYPE_IPV6;
    if (type != ETHERTYPE_IP || !parse(frame + ETH_HLEN, len - ETH_HLEN, &s)) {
        seen.nth = e->others++;
        return seen;
    }
    e->n.segments++;
    f = flow_of(e, &s);
    if (!f) {
        e->n.strays++;
        seen.nth = e->others++;
        return seen;
    }
    e->n.sacks += s.sack;
    if (s.len || s.fin)
        payload(e, f, &s);
    seen.data = s.len > 0;
    seen.flow = f->number;
    seen.nth = f->frames++;
    return seen;
}
