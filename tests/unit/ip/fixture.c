/* SPDX-License-Identifier: MIT */
/* See fixture.h. */
#include "tests/unit/ip/fixture.h"

#include <string.h>

struct fixture fx;

const uint8_t fx_mac[6] = {2, 0, 0, 0, 0, 1};
const uint8_t fx_peer[6] = {2, 0, 0, 0, 0, 2};
const uint8_t fx_other[6] = {2, 0, 0, 0, 0, 0x66};

/* --- stand-ins for the floors above and below
 * --------------------------------------------------------------- */

void tcp_input(struct stack *st, const struct packet *p)
{
    (void)st;
    fx.n_tcp++;
    fx.tcp = *p;
    assert_true(p->header_len + p->len <= sizeof(fx.tcp_bytes));
    memcpy(fx.tcp_bytes, p->header, p->header_len);
    memcpy(fx.tcp_bytes + p->header_len, p->payload, p->len);
    fx.tcp.header = fx.tcp_bytes;
    fx.tcp.payload = fx.tcp_bytes + p->header_len;
    if (fx.on_tcp)
        fx.on_tcp();
}

bool tcp_icmp_input(struct stack *st, const struct icmp_error *e)
{
    (void)st;
    fx.n_icmp++;
    fx.icmp = *e;
    return fx.icmp_matches;
}

void tcp_host_unreachable(struct stack *st, const struct ip_addr *dst)
{
    (void)st;
    assert_true(fx.n_unreachable < 64);
    fx.unreachable[fx.n_unreachable++] = *dst;
}

int stack_transmit(struct stack *st, struct frame *f, uint32_t *sent)
{
    int r = st->ops->transmit(st->ctx, f);

    if (r == 0 && sent)
        *sent = f->span_len;
    return r;
}

static int fx_transmit(void *ctx, const struct frame *f)
{
    struct fx_frame *o;
    uint8_t *flat;

    (void)ctx;
    if (fx.transmit_error != 0)
        return fx.transmit_error;
    if (fx.n_out++ >= FX_FRAMES)
        return 0;
    o = &fx.out[fx.n_out - 1];
    flat = malloc(frame_total(f));
    assert_non_null(flat);
    frame_flatten(f, flat);
    o->len = frame_total(f);
    o->headers = f->len;
    o->gso = f->gso;
    o->csum = f->csum;
    o->gso_size = f->gso_size;
    o->csum_start = f->csum_start;
    o->owner = f->owner;
    memcpy(o->data, flat, o->len < FX_BYTES ? o->len : FX_BYTES);
    free(flat);
    return 0;
}

/* --- life
 * ---------------------------------------------------------------------------------------------------
 */

static void *fx_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (++fx.alloc_calls == fx.alloc_fail_at || fx.alloc_fail_all)
        return NULL;
    return size % MEM_PAGE ? malloc(size) : aligned_alloc(MEM_PAGE, size);
}

struct ip_addr fx_addr(const char *text)
{
    struct ip_addr a;

    assert_int_equal(ip_addr_parse(text, &a), 0);
    return a;
}

int fx_setup(void **state)
{
    static const uint8_t seed[16] = "network layer";
    struct stack *st = &fx.st;

    (void)state;
    memset(&fx, 0, sizeof(fx));
    fx.ops.transmit = fx_transmit;
    fx.icmp_matches = true;
    st->ops = &fx.ops;
    st->now = 1000 * (uint64_t)FX_SECOND;
    memcpy(st->config.mac, fx_mac, 6);
    st->config.mtu = 1500;
    assert_int_equal(ip_prefix_parse("10.0.0.1/24", &st->config.address), 0);
    st->config.has_gateway = true;
    st->config.gateway = fx_addr("10.0.0.254");
    mem_init(&st->mem, 0);
    st->mem.alloc = fx_alloc;
    rng_init(&st->rng, seed);
    wheel_init(&st->wheel, st->now);
    return ip_init(st);
}

int fx_teardown(void **state)
{
    (void)state;
    ip_destroy(&fx.st);
    assert_int_equal(fx.st.mem.used, 0);
    assert_int_equal(fx.st.ip.neigh_queued_bytes, 0);
    assert_int_equal(fx.st.ip.local_bytes, 0);
    assert_int_equal(wheel_next(&fx.st.wheel), UINT64_MAX);
    return 0;
}

void fx_input_offload(struct frame f, const void *bytes, uint32_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    f.data = copy;
    f.len = len;
    eth_input(&fx.st, &f);
    free(copy);
}

void fx_input(const void *bytes, uint32_t len)
{
    struct frame f;

    frame_init(&f);
    fx_input_offload(f, bytes, len);
}

void fx_run_until(uint64_t t)
{
    uint64_t next;

    while ((next = wheel_next(&fx.st.wheel)) <= t) {
        struct wheel_node *n;

        if (next > fx.st.now)
            fx.st.now = next;
        while ((n = wheel_expire(&fx.st.wheel, fx.st.now))) {
            struct stack_timer *timer = container_of(n, struct stack_timer, node);

            if (timer->node.kind == STACK_TIMER_REASS) {
                reass_timer(&fx.st, timer);
                continue;
            }
            assert_int_equal(timer->node.kind, STACK_TIMER_NEIGH);
            neigh_timer(&fx.st, timer);
        }
    }
    fx.st.now = t;
}

/* --- frames
 * -------------------------------------------------------------------------------------------------
 */

uint32_t fx_arp(uint8_t *out, const uint8_t *eth_dst, unsigned op, const uint8_t *sha,
                const char *spa, const char *tpa)
{
    static const uint8_t fixed[6] = {0, 1, 8, 0, 6, 4};
    struct ip_addr s = fx_addr(spa), t = fx_addr(tpa);

    memset(out, 0, 60);
    memcpy(out, eth_dst ? eth_dst : eth_broadcast, 6);
    memcpy(out + 6, sha, 6);
    wire_put16(out + 12, 0x0806);
    memcpy(out + 14, fixed, 6);
    wire_put16(out + 20, op);
    memcpy(out + 22, sha, 6);
    memcpy(out + 28, ip_addr_v4_bytes(&s), 4);
    memcpy(out + 38, ip_addr_v4_bytes(&t), 4);
    return 60; /* with Ethernet's padding */
}

void fx_arp_input(const uint8_t *eth_dst, unsigned op, const uint8_t *sha, const char *spa,
                  const char *tpa)
{
    uint8_t frame[60];

    fx_input(frame, fx_arp(frame, eth_dst, op, sha, spa, tpa));
}

uint16_t fx_naive_checksum(const uint8_t *p, size_t n, uint32_t start)
{
    uint64_t sum = start;

    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

void fx_ipv4_checksum(uint8_t *frame)
{
    wire_put16(frame + 24, 0);
    wire_put16(frame + 24, fx_naive_checksum(frame + 14, (frame[14] & 15u) * 4, 0));
}

void fx_icmp_checksum(uint8_t *message, uint32_t len)
{
    wire_put16(message + 2, 0);
    wire_put16(message + 2, fx_naive_checksum(message, len, 0));
}

uint32_t fx_ipv4(uint8_t *out, const char *src, const char *dst, uint8_t proto, const void *options,
                 uint32_t options_len, const void *payload, uint32_t len)
{
    struct ip_addr s = fx_addr(src), d = fx_addr(dst);
    uint8_t *ip = out + 14;

    memcpy(out, fx_mac, 6);
    memcpy(out + 6, fx_peer, 6);
    wire_put16(out + 12, 0x0800);
    memset(ip, 0, 20);
    ip[0] = (uint8_t)(0x45 + options_len / 4);
    wire_put16(ip + 2, 20 + options_len + len);
    wire_put16(ip + 4, 0x1234);
    ip[8] = 64;
    ip[9] = proto;
    memcpy(ip + 12, ip_addr_v4_bytes(&s), 4);
    memcpy(ip + 16, ip_addr_v4_bytes(&d), 4);
    if (options_len)
        memcpy(ip + 20, options, options_len);
    if (len)
        memcpy(ip + 20 + options_len, payload, len);
    fx_ipv4_checksum(out);
    return 34 + options_len + len;
}

int fx_send(const char *dst, uint32_t len)
{
    struct ip_flow flow = {.src = fx.st.config.address.addr,
                           .dst = fx_addr(dst),
                           .proto = IP_PROTO_TCP,
                           .dont_fragment = true,
                           .id = 7};
    uint8_t *payload = calloc(1, len ? len : 1);
    struct frame f;
    uint32_t sent = UINT32_MAX;
    int r;

    assert_non_null(payload);
    frame_init(&f);
    memset(frame_push(&f, 20), 0xab, 20);
    f.spans[0] = (struct iovec){payload, len};
    f.n_spans = 1;
    f.span_len = len;
    f.owner = 99;
    r = ip_output(&fx.st, &f, &flow, &sent);
    free(payload);
    if (r == 0)
        assert_int_equal(sent, len);
    return r;
}

bool fx_is_arp_request(unsigned i, const char *for_addr, bool broadcast)
{
    const struct fx_frame *o = &fx.out[i];
    struct ip_addr t = fx_addr(for_addr);

    if (i >= fx.n_out || wire_get16(o->data + 12) != 0x0806)
        return false;
    assert_int_equal(o->len, 42);
    assert_memory_equal(o->data + 6, fx_mac, 6);
    assert_memory_equal(o->data + 22, fx_mac, 6);
    assert_memory_equal(o->data + 28, ip_addr_v4_bytes(&fx.st.config.address.addr), 4);
    return wire_get16(o->data + 20) == 1 && memcmp(o->data + 38, ip_addr_v4_bytes(&t), 4) == 0 &&
           (memcmp(o->data, eth_broadcast, 6) == 0) == broadcast;
}
