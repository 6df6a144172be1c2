/* SPDX-License-Identifier: MIT */
/* See rawtcp.h. Header fields: RFC 9293 §3.1, options: RFC 7323 §2.2, §3.2. */
#include "tests/bench/rawtcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FLAG_SYN    2
#define FLAG_RST    4
#define FLAG_ACK    16
#define OWN_PORT    33333
#define OWN_SHIFT   7          /* of our window */
#define WINDOW      (2u << 20) /* ours */
#define IN_FLIGHT   (2u << 20) /* at most, whatever the peer's window */
#define STAMPS      12         /* bytes of options of every segment but a SYN */
#define SYN_TAIL    20         /* and of that */
#define FRAME_MAX   (66 * 1024)
#define RESENDS_MAX 100

/* --- the interface -----------------------------------------------------------------------------
 */

static void interface(const char *name, struct rawtcp *t)
{
    struct ifreq rq = {0};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(rq.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    if (s < 0 || ioctl(s, SIOCGIFHWADDR, &rq) < 0)
        link_fail("SIOCGIFHWADDR");
    memcpy(t->header.ether.ether_dhost, rq.ifr_hwaddr.sa_data, ETHER_ADDR_LEN);
    if (ioctl(s, SIOCGIFMTU, &rq) < 0)
        link_fail("SIOCGIFMTU");
    t->mss = (uint32_t)rq.ifr_mtu - 20 - 20 - STAMPS;
    close(s);
}

static void open_tap(struct rawtcp *t, const char *name)
{
    struct ifreq rq = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int size = sizeof(struct virtio_net_hdr);

    if (!t->frames)
        rq.ifr_flags |= IFF_VNET_HDR;
    memcpy(rq.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    t->tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->tap < 0 || ioctl(t->tap, TUNSETIFF, &rq) < 0)
        link_fail("/dev/net/tun");
    if (!t->frames && (ioctl(t->tap, TUNSETVNETHDRSZ, &size) < 0 ||
                       ioctl(t->tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0))
        link_fail("TUNSETOFFLOAD");
}

void rawtcp_open(struct rawtcp *t, const char *tap, const char *address, const char *peer,
                 uint16_t port, bool frames)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 9};
    struct rawtcp_header *h = &t->header;

    t->frames = frames;
    open_tap(t, tap);
    interface(tap, t);
    memcpy(h->ether.ether_shost, mac, sizeof(mac));
    h->ether.ether_type = htons(ETHERTYPE_IP);
    h->ip.version = 4;
    h->ip.ihl = 5;
    h->ip.ttl = 64;
    h->ip.frag_off = htons(IP_DF);
    h->ip.protocol = IPPROTO_TCP;
    if (inet_pton(AF_INET, address, &h->ip.saddr) != 1 ||
        inet_pton(AF_INET, peer, &h->ip.daddr) != 1)
        link_fail("address");
    /* The port of a run before may be in the peer's TIME-WAIT; another one is not. */
    h->tcp.source = htons((uint16_t)(OWN_PORT + getpid() % 20000));
    h->tcp.dest = htons(port);
    t->una = t->nxt = t->high = (uint32_t)getpid() << 16;
    t->window = 1 << 16;
}

void rawtcp_sleep(const struct rawtcp *t, int ms)
{
    struct pollfd p = {.fd = t->tap, .events = POLLIN};

    if (poll(&p, 1, ms) < 0 && errno != EINTR)
        link_fail("poll");
}

/* --- sending -----------------------------------------------------------------------------------
 */

static uint32_t add(const void *data, size_t len, uint32_t sum)
{
    const uint8_t *p = data;

    for (; len > 1; p += 2, len -= 2)
        sum += (uint32_t)(p[0] << 8 | p[1]);
    return len ? sum + (uint32_t)(p[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)sum);
}

void rawtcp_checksummed(struct rawtcp *t, const void *data, uint32_t len)
{
    t->summed = data;
    t->summed_len = len;
    t->sum = ntohs(fold(add(data, len, 0)));
}

static void stamp(struct rawtcp *t, uint8_t *at)
{
    uint32_t values[2] = {htonl((uint32_t)(link_now() * 1000)), htonl(t->stamp)};

    at[0] = at[1] = TCPOPT_NOP;
    at[2] = TCPOPT_TIMESTAMP;
    at[3] = TCPOLEN_TIMESTAMP;
    memcpy(at + 4, values, sizeof(values));
}

/* The checksum, or with offload the part of it that the device does not do. */
static void checksum(struct rawtcp *t, unsigned head, const void *data, uint32_t len)
{
    struct rawtcp_header *h = &t->header;
    uint32_t sum = add(&h->ip.saddr, 8, IPPROTO_TCP + head + len);

    h->tcp.check = 0;
    h->ip.check = 0;
    h->ip.check = (uint16_t)~fold(add(&h->ip, sizeof(h->ip), 0));
    if (!t->frames) {
        h->tcp.check = fold(sum);
        return;
    }
    sum = add(&h->tcp, head, sum);
    sum += data == t->summed && len == t->summed_len ? t->sum : add(data, len, 0);
    h->tcp.check = (uint16_t)~fold(sum);
}

static void offload(struct rawtcp *t, unsigned head, uint32_t len)
{
    struct virtio_net_hdr v = {
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = sizeof(struct ether_header) + sizeof(struct iphdr),
        .csum_offset = offsetof(struct tcphdr, check),
    };

    if (len > t->mss) {
        v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        v.gso_size = (uint16_t)t->mss;
        v.hdr_len = (uint16_t)(v.csum_start + head);
    }
    t->header.virtio = v;
}

/* One segment with these options, at the sequence number nxt, which moves. */
static void transmit(struct rawtcp *t, uint8_t flags, unsigned options, const void *data,
                     uint32_t len)
{
    struct rawtcp_header *h = &t->header;
    unsigned head = sizeof(h->tcp) + options, skip = t->frames ? sizeof(h->virtio) : 0;
    struct iovec iov[2] = {{(char *)h + skip, sizeof(*h) - sizeof(h->options) + options - skip},
                           {(void *)data, len}};
    uint32_t window = flags & FLAG_SYN ? 65535 : WINDOW >> OWN_SHIFT;

    h->ip.tot_len = htons((uint16_t)(sizeof(h->ip) + head + len));
    h->ip.id = htons((uint16_t)(ntohs(h->ip.id) + (len + t->mss - 1) / t->mss));
    h->tcp.seq = htonl(t->nxt);
    h->tcp.ack_seq = htonl(t->due);
    h->tcp.doff = (uint8_t)(head / 4) & 15;
    h->tcp.th_flags = flags;
    h->tcp.window = htons((uint16_t)window);
    checksum(t, head, data, len);
    if (!t->frames)
        offload(t, head, len);
    while (writev(t->tap, iov, data ? 2 : 1) < 0) {
        struct pollfd p = {.fd = t->tap, .events = POLLOUT};

        if ((errno != EAGAIN && errno != ENOBUFS) || poll(&p, 1, 10) < 0)
            link_fail("write");
    }
    t->acked = t->due;
    t->nxt += len + !!(flags & (FLAG_SYN | RAWTCP_FIN));
    if (t->nxt - t->una > t->high - t->una)
        t->high = t->nxt;
}

void rawtcp_syn(struct rawtcp *t)
{
    uint8_t *o = t->header.options;
    uint32_t mss = t->mss + STAMPS;

    o[0] = TCPOPT_MAXSEG;
    o[1] = TCPOLEN_MAXSEG;
    o[2] = (uint8_t)(mss >> 8);
    o[3] = (uint8_t)mss;
    o[4] = TCPOPT_NOP;
    o[5] = TCPOPT_WINDOW;
    o[6] = TCPOLEN_WINDOW;
    o[7] = OWN_SHIFT;
    stamp(t, o + 8);
    transmit(t, FLAG_SYN, SYN_TAIL, NULL, 0);
}

void rawtcp_send(struct rawtcp *t, uint8_t flags, const void *data, uint32_t len)
{
    stamp(t, t->header.options);
    transmit(t, flags | FLAG_ACK, STAMPS, data, len);
}

uint32_t rawtcp_room(const struct rawtcp *t)
{
    uint32_t most = t->window < IN_FLIGHT ? t->window : IN_FLIGHT, sent = t->nxt - t->una;

    return sent < most ? most - sent : 0;
}

void rawtcp_acknowledge(struct rawtcp *t)
{
    if (t->acked != t->due)
        rawtcp_send(t, 0, NULL, 0);
}

void rawtcp_resend(struct rawtcp *t)
{
    if (t->high == t->una)
        return;
    if (++t->resent > RESENDS_MAX) {
        errno = ETIMEDOUT;
        link_fail("the peer");
    }
    t->nxt = t->una;
    if (!t->established)
        rawtcp_syn(t); /* the interface is up a little later than it was opened */
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static void read_options(struct rawtcp *t, const struct tcphdr *tcp)
{
    const uint8_t *p = (const uint8_t *)(tcp + 1), *end = (const uint8_t *)tcp + tcp->doff * 4;
    uint32_t value;

    while (p < end && *p != TCPOPT_EOL) {
        if (*p == TCPOPT_NOP) {
            p++;
            continue;
        }
        if (end - p < 2 || p[1] < 2 || end - p < p[1])
            return;
        if (*p == TCPOPT_WINDOW && p[1] == TCPOLEN_WINDOW)
            t->shift = p[2];
        if (*p == TCPOPT_TIMESTAMP && p[1] == TCPOLEN_TIMESTAMP) {
            memcpy(&value, p + 2, sizeof(value));
            t->stamp = ntohl(value);
        }
        p += p[1];
    }
}

static void segment(struct rawtcp *t, const struct tcphdr *tcp, uint32_t len)
{
    uint32_t ack = ntohl(tcp->ack_seq);

    if (tcp->rst) {
        errno = ECONNRESET;
        link_fail("the peer");
    }
    read_options(t, tcp);
    if (ack - t->una <= t->high - t->una) {
        if (ack - t->una > t->nxt - t->una)
            t->nxt = ack;
        t->una = ack;
    }
    t->window = (uint32_t)ntohs(tcp->window) << (tcp->syn ? 0 : t->shift);
    if (tcp->syn) {
        t->due = ntohl(tcp->seq) + 1;
        t->established = true;
        return;
    }
    if (ntohl(tcp->seq) != t->due) {
        t->acked = t->due - 1; /* something is missing: say so once more */
        return;
    }
    t->due += len + tcp->fin;
    t->received += len;
    t->ended = t->ended || tcp->fin;
}

bool rawtcp_input(struct rawtcp *t)
{
    static uint8_t buffer[FRAME_MAX];
    const struct rawtcp_header *own = &t->header;
    unsigned skip = t->frames ? 0 : sizeof(own->virtio);
    ssize_t n = read(t->tap, buffer, sizeof(buffer));
    struct tcphdr tcp[4]; /* with its options */
    struct iphdr ip;

    if (n < 0 && errno != EAGAIN)
        link_fail("read");
    if (n < (ssize_t)(skip + sizeof(struct ether_header) + sizeof(ip) + sizeof(*tcp)))
        return n >= 0;
    n -= skip + sizeof(struct ether_header);
    memcpy(&ip, buffer + skip + sizeof(struct ether_header), sizeof(ip));
    if (ip.version != 4 || ip.ihl != 5 || ip.saddr != own->ip.daddr || ntohs(ip.tot_len) > n)
        return true;
    n = ntohs(ip.tot_len) - (ssize_t)sizeof(ip);
    memset(tcp, 0, sizeof(tcp));
    memcpy(tcp, buffer + skip + sizeof(struct ether_header) + sizeof(ip),
           n < (ssize_t)sizeof(tcp) ? (size_t)n : sizeof(tcp));
    if (tcp->dest == own->tcp.source && tcp->doff >= 5 && tcp->doff * 4 <= n)
        segment(t, tcp, (uint32_t)(n - tcp->doff * 4));
    return true;
}
