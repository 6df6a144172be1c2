/* SPDX-License-Identifier: MIT */
/* See fixture.h. */
#include "tests/unit/tcp/fixture.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#include <stdio.h>

struct fixture fx;

const uint8_t fx_our_mac[6] = {2, 0, 0, 0, 0, 1};
const uint8_t fx_our_ip[4] = {10, 0, 0, 1};
const uint8_t fx_peer_ip[4] = {10, 0, 0, 2};

uint8_t fx_pattern(uint64_t off)
{
    return (uint8_t)(off * 131 + (off >> 8) * 7);
}

/* --- what our stack sends
 * --------------------------------------------------------------------------
 */

static void parse_sack(struct fx_seg *g, const uint8_t *o, uint32_t len)
{
    assert_true(len % 8 == 0 && len > 0 && len <= 8 * TCP_MAX_SACKS);
    for (uint32_t i = 0; i < len; i += 8) {
        g->sack[g->n_sack].start = wire_get32(o + i);
        g->sack[g->n_sack].end = wire_get32(o + i + 4);
        g->n_sack++;
    }
}

static void parse_options(struct fx_seg *g)
{
    for (unsigned i = 0; i < g->opt_len;) {
        const uint8_t *o = g->opt + i;

        if (o[0] == 0)
            return;
        if (o[0] == 1) {
            i++;
            continue;
        }
        assert_true(i + 1 < g->opt_len && o[1] >= 2 && i + o[1] <= g->opt_len);
        if (o[0] == 2)
            g->mss = wire_get16(o + 2);
        if (o[0] == 3)
            g->wscale = o[2];
        g->sack_ok |= o[0] == 4;
        if (o[0] == 5)
            parse_sack(g, o + 2, o[1] - 2u);
        if (o[0] == 8) {
            g->has_ts = true;
            g->tsval = wire_get32(o + 2);
            g->tsecr = wire_get32(o + 6);
        }
        i += o[1];
    }
}

const char *blocks_of(const struct fx_seg *g)
{
    static char text[128];
    size_t n = 0;

    text[0] = 0;
    for (unsigned i = 0; i < g->n_sack; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u:%u", i ? " " : "", g->sack[i].start,
                              g->sack[i].end);
    return text;
}

static struct fx_conn *conn_of(uint16_t peer_port)
{
    unsigned n = (unsigned)peer_port - FX_PEER_PORT;

    return n < FX_CONNS ? &fx.conns[n] : NULL;
}

static bool checksum_ok(const uint8_t *tcp, uint32_t len, const struct frame *f)
{
    uint32_t sum;

    if (f->csum == FRAME_CSUM_PARTIAL) {
        uint16_t pseudo = csum_fold(csum_pseudo(fx_our_ip, fx_peer_ip, 4, IP_PROTO_TCP, len));
        uint16_t field;

        memcpy(&field, tcp + 16, 2);
        return (uint16_t)(field + pseudo) == 0xffff && f->csum_start == 34 && f->csum_offset == 16;
    }
    sum = csum_pseudo(fx_our_ip, fx_peer_ip, 4, IP_PROTO_TCP, len);
    return csum_fold(csum_partial(tcp, len, sum)) == 0;
}

static void record(const uint8_t *b, uint32_t len, const struct frame *f)
{
    struct fx_seg *g = &fx.segs[fx.n_segs];
    const uint8_t *tcp = b + 34;
    uint32_t tcp_len = wire_get16(b + 16) - 20u, doff = (tcp[12] >> 4) * 4u;
    struct fx_conn *c;

    assert_true(fx.n_segs < FX_SEGS);
    assert_int_equal(wire_get16(b + 16) + 14u, len);
    fx.n_segs++;
    *g = (struct fx_seg){.at = fx.now, .wscale = -1, .gso = f->gso, .gso_size = f->gso_size};
    g->owner = f->owner;
    memcpy(g->link_dst, b, 6);
    g->tos = b[15];
    g->ip_id = wire_get16(b + 18);
    g->df = wire_get16(b + 20) == 0x4000;
    g->ttl = b[22];
    g->src_port = wire_get16(tcp);
    g->dst_port = wire_get16(tcp + 2);
    g->raw_seq = wire_get32(tcp + 4);
    g->raw_ack = wire_get32(tcp + 8);
    g->flags = tcp[13];
    g->reserved = tcp[12] & 15;
    g->window = wire_get16(tcp + 14);
    g->urg = wire_get16(tcp + 18);
    g->opt_len = (uint8_t)(doff - 20);
    memcpy(g->opt, tcp + 20, g->opt_len);
    parse_options(g);
    g->csum_ok = checksum_ok(tcp, tcp_len, f);
    g->len = tcp_len - doff;
    g->payload = malloc(g->len + 1u);
    assert_non_null(g->payload);
    memcpy(g->payload, tcp + doff, g->len);
    c = conn_of(g->dst_port);
    if (!c)
        return;
    if (g->flags & SYN) {
        c->iss = g->raw_seq;
        c->our_port = g->src_port;
    }
    if (g->has_ts)
        c->tsval_seen = g->tsval;
    g->seq = g->raw_seq - c->iss;
    g->ack = g->flags & ACK ? g->raw_ack - c->irs : 0;
    for (unsigned i = 0; i < g->n_sack; i++) {
        g->sack[i].start -= c->irs;
        g->sack[i].end -= c->irs;
    }
}

static int fx_transmit(void *ctx, const struct frame *f)
{
    uint32_t len = frame_total(f);
    uint8_t *b;
    bool tcp;

    (void)ctx;
    tcp = wire_get16(f->data + 12) == ETH_TYPE_IPV4 && f->len >= 54 && f->data[23] == IP_PROTO_TCP;
    if (!tcp) {
        if (wire_get16(f->data + 12) == ETH_TYPE_ARP && f->data[21] == 1)
            fx.arp_asked = true;
        return 0;
    }
    if (fx.device_room == 0)
        return -EAGAIN;
    if (fx.device < 0)
        return fx.device;
    if (fx.device_room > 0)
        fx.device_room--;
    b = malloc(len);
    assert_non_null(b);
    frame_flatten(f, b);
    record(b, len, f);
    free(b);
    return fx.device;
}

static const char *flag_names(uint8_t flags, char out[10])
{
    const char *letters = "FSRP.UEW";
    int n = 0;

    for (int i = 0; i < 8; i++) {
        if (flags & 1 << i)
            out[n++] = letters[i];
    }
    out[n] = 0;
    return out;
}

static const char *describe(const struct fx_seg *g, char *out, size_t n)
{
    char names[10];

    snprintf(out, n, "%s seq %u ack %u len %u (win %u, at %.6f s)", flag_names(g->flags, names),
             g->seq, g->ack, g->len, g->window, (double)g->at / 1e6);
    return out;
}

static void check_payload(const char *file, int line, const struct fx_seg *g)
{
    uint32_t first = g->seq + !!(g->flags & SYN) - 1;

    for (uint32_t i = 0; i < g->len && !fx.no_pattern; i++) {
        if (g->payload[i] == fx_pattern(first + i))
            continue;
        print_error("payload byte %u of the segment at seq %u is wrong\n", i, g->seq);
        _fail(file, line);
    }
}

const struct fx_seg *fx_expect(const char *file, int line, uint8_t flags, uint32_t seq,
                               uint32_t ack, uint32_t len)
{
    struct fx_seg want = {.flags = flags, .seq = seq, .ack = ack, .len = len};
    const struct fx_seg *g = &fx.segs[fx.next];
    char a[128], b[128];

    if (fx.next >= fx.n_segs) {
        print_error("nothing sent, expected %s\n", describe(&want, a, sizeof(a)));
        _fail(file, line);
    }
    if (g->flags != flags || g->seq != seq || g->ack != ack || g->len != len) {
        print_error("sent     %s\nexpected %s\n", describe(g, a, sizeof(a)),
                    describe(&want, b, sizeof(b)));
        _fail(file, line);
    }
    if (!g->csum_ok) {
        print_error("wrong checksum: %s\n", describe(g, a, sizeof(a)));
        _fail(file, line);
    }
    check_payload(file, line, g);
    fx.next++;
    return g;
}

void fx_expect_none(const char *file, int line)
{
    char a[128];

    if (fx.next == fx.n_segs)
        return;
    print_error("sent %s, expected nothing\n", describe(&fx.segs[fx.next], a, sizeof(a)));
    _fail(file, line);
}

const struct fx_seg *take(void)
{
    assert_true(fx.next < fx.n_segs);
    assert_true(fx.segs[fx.next].csum_ok);
    return &fx.segs[fx.next++];
}

unsigned clear(void)
{
    unsigned n = fx.n_segs - fx.next;

    fx.next = fx.n_segs;
    return n;
}

uint64_t take_bytes(void)
{
    uint64_t n = 0;

    while (fx.next < fx.n_segs)
        n += take()->len;
    return n;
}

/* --- time
 * ------------------------------------------------------------------------------------------
 */

static void note_event(struct sock *s, uint32_t mask)
{
    unsigned i = 0;

    while (i < fx.n_events && fx.events[i].s != s)
        i++;
    if (i == fx.n_events) {
        assert_true(fx.n_events < 64);
        fx.events[fx.n_events++].mask = 0;
    }
    fx.events[i].s = s;
    fx.events[i].mask |= mask;
}

static void drain_events(void)
{
    struct sock *s;
    uint32_t mask;

    while ((s = stack_next_event(fx.st, &mask)))
        note_event(s, mask);
}

uint32_t events_of(const struct sock *s)
{
    uint32_t mask;

    drain_events();
    for (unsigned i = 0; i < fx.n_events; i++) {
        if (fx.events[i].s != s)
            continue;
        mask = fx.events[i].mask;
        fx.events[i].mask = 0;
        return mask;
    }
    return 0;
}

void run(void)
{
    const char *why;

    for (int i = 0;; i++) {
        assert_true(i < 1000);
        stack_run(fx.st, fx.now);
        drain_events();
        if (fx.arp_asked && !fx.deaf)
            fx_answer_arp();
        else if (stack_next_deadline(fx.st) > fx.now)
            break;
        fx.arp_asked = false;
    }
    why = stack_check(fx.st);
    if (why)
        print_error("invariant: %s\n", why);
    assert_null(why);
}

void advance(uint64_t us)
{
    uint64_t until = fx.now + us, next;

    run();
    while ((next = stack_next_deadline(fx.st)) <= until) {
        if (next > fx.now)
            fx.now = next;
        run();
    }
    fx.now = until;
}

/* --- the program
 * -----------------------------------------------------------------------------------
 */

struct ip_endpoint fx_endpoint(const char *addr, uint16_t port)
{
    struct ip_endpoint e = {.port = port};

    assert_int_equal(ip_addr_parse(addr, &e.addr), 0);
    return e;
}

struct ip_endpoint fx_peer_endpoint(void)
{
    return fx_endpoint("10.0.0.2", fx.c->port);
}

struct sock *fx_socket(void)
{
    struct sock *s = NULL;

    assert_int_equal(sock_create(fx.st, false, &s), 0);
    return s;
}

void connecting(void)
{
    struct ip_endpoint e = fx_peer_endpoint();

    if (!fx.s)
        fx.s = fx_socket();
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EINPROGRESS);
    run();
}

void active(void)
{
    connecting();
    expect(SYN, 0, 0, 0);
    advance(fx.rtt);
    peer(SYN | ACK, 0, 1, 0);
    expect(ACK, 1, 1, 0);
    expect_none();
    assert_state(ESTABLISHED);
}

void listening(int backlog)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", FX_PORT);

    fx.lst = fx_socket();
    assert_int_equal(sock_bind(fx.lst, &e, fx.now), 0);
    assert_int_equal(sock_listen(fx.lst, backlog, fx.now), 0);
}

void peer_connects(void)
{
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    advance(fx.rtt);
    peer(ACK, 1, 1, 0);
}

int accept_one(void)
{
    return sock_accept(fx.lst, &fx.s, fx.now);
}

void passive(void)
{
    if (!fx.lst)
        listening(16);
    peer_connects();
    assert_int_equal(accept_one(), 0);
    expect_none();
    assert_state(ESTABLISHED);
}

ssize_t wflags(size_t n, int flags)
{
    uint8_t *b = malloc(n + 1);
    struct iovec iov = {b, n};
    ssize_t got;

    assert_non_null(b);
    for (size_t i = 0; i < n; i++)
        b[i] = fx_pattern(fx.c->written + i);
    got = sock_sendmsg(fx.s, &iov, 1, flags, fx.now);
    free(b);
    if (got > 0)
        fx.c->written += (uint64_t)got;
    run();
    return got;
}

ssize_t w(size_t n)
{
    return wflags(n, 0);
}

ssize_t r(size_t n)
{
    uint8_t *b = malloc(n + 1);
    struct iovec iov = {b, n};
    ssize_t got;

    assert_non_null(b);
    got = sock_recvmsg(fx.s, &iov, 1, 0, fx.now);
    for (ssize_t i = 0; i < got && !fx.no_pattern; i++) {
        if (b[i] != fx_pattern(fx.c->read + (uint64_t)i))
            fail_msg("byte %zd that was read is wrong", i);
    }
    free(b);
    if (got > 0)
        fx.c->read += (uint64_t)got;
    run();
    return got;
}

void bulk(size_t n)
{
    while (n > 0) {
        ssize_t got = w(n);

        assert_true(got > 0 || got == -EAGAIN);
        n -= got > 0 ? (size_t)got : 0;
        do {
            advance(fx.rtt ? fx.rtt : 1);
            if (!clear())
                break;
            peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        } while (tp->snd_una != tp->write_seq);
    }
    clear();
}

int set_int(int level, int name, int value)
{
    int err = sock_setsockopt(fx.s, level, name, &value, sizeof(value), fx.now);

    run();
    return err;
}

int get_int(int level, int name)
{
    int v = -12345;
    size_t len = sizeof(v);

    assert_int_equal(sock_getsockopt(fx.s, level, name, &v, &len, fx.now), 0);
    assert_int_equal(len, sizeof(v));
    return v;
}

void close_sock(struct sock **s)
{
    events_of(*s); /* a new socket may get its address */
    sock_close(*s, fx.now);
    *s = NULL;
    run();
}

void close_it(void)
{
    close_sock(&fx.s);
}

unsigned fx_state(void)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", fx.c->our_port);
    struct ip_endpoint remote = fx_peer_endpoint();
    struct tcp_conn *c = demux_find(fx.st, &local, &remote);

    return c ? c->state : (unsigned)TCPS_CLOSED;
}

/* --- life
 * ------------------------------------------------------------------------------------------
 */

static void *fx_alloc(void *ctx, size_t size)
{
    void *p;

    (void)ctx;
    fx.allocs++;
    if (fx.fail_all || fx.allocs == fx.fail_at)
        return NULL;
    p = size % MEM_PAGE ? malloc(size) : aligned_alloc(MEM_PAGE, size);
    assert_non_null(p);
    fx.live += (int64_t)size;
    return p;
}

static void fx_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    fx.live -= (int64_t)size;
    free(ptr);
}

static void start(void)
{
    static const struct stack_ops ops = {.transmit = fx_transmit};

    assert_int_equal(stack_new(&fx.config, &ops, NULL, fx.now, &fx.st), 0);
    fx.live = (int64_t)fx.st->mem.used;
    fx.st->mem.alloc = fx_alloc;
    fx.st->mem.release = fx_release;
    /* windows that can be told by hand; the tests of other algorithms choose theirs */
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "reno"), 0);
    fx_answer_arp();
    stack_announce(fx.st, fx.now);
    run();
}

static void stop(void)
{
    stack_free(fx.st);
    fx.st = NULL;
    assert_int_equal(fx.live, 0);
}

void fx_restart(void)
{
    stop();
    start();
}

int fx_setup(void **state)
{
    (void)state;
    memset(&fx, 0, sizeof(fx));
    fx.now = 1000 * SEC;
    fx.device_room = -1;
    memcpy(fx.config.mac, fx_our_mac, 6);
    memcpy(fx.config.seed, "a secret of the test, 32 bytes..", 32);
    fx.config.mtu = 1500;
    fx.config.features = STACK_TX_CSUM | STACK_TX_TSO4;
    assert_int_equal(ip_prefix_parse("10.0.0.1/24", &fx.config.address), 0);
    for (unsigned i = 0; i < FX_CONNS; i++) {
        fx.conns[i] = (struct fx_conn){.port = (uint16_t)(FX_PEER_PORT + i),
                                       .irs = PEER_ISN + i * 0x1000000u,
                                       .ts = true,
                                       .wscale = 7,
                                       .mss = 1460,
                                       .window = 65535};
    }
    fx.c = &fx.conns[0];
    start();
    return 0;
}

int fx_teardown(void **state)
{
    (void)state;
    stop();
    for (unsigned i = 0; i < fx.n_segs; i++)
        free(fx.segs[i].payload);
    return 0;
}
