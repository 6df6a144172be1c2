/* SPDX-License-Identifier: MIT */
/* RFC 4821: probing for the path MTU with TCP's own segments (output/mtu_probe.c). */
#include "tests/unit/tcp/fixture.h"

#include <stdio.h>

#define RTT (100 * MS)

#define low  (tp->mtup.search_low)
#define high (tp->mtup.search_high)

static void forget(void)
{
    clear();
    for (unsigned i = 0; i < fx.n_segs; i++)
        free(fx.segs[i].payload);
    fx.n_segs = fx.next = 0;
}

/* All that is in flight arrives. */
static void arrives(void)
{
    advance(RTT);
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
}

static void write_and_deliver(size_t n)
{
    assert_int_equal(w(n), n);
    for (int i = 0; i < 200 && tp->snd_una != tp->write_seq; i++) {
        arrives();
        forget();
    }
    assert_int_equal(tp->snd_una, tp->write_seq);
}

/* A connection that may probe with its next write. */
static void ready(void)
{
    tun.mtu_probing = 2;
    tun.probe_threshold = 65535;
    fx.rtt = RTT;
    fx.c->sack = true;
    passive();
    while (tp->cwnd < 20)
        write_and_deliver(15000);
    tun.probe_threshold = 8;
    assert_int_equal(tp->mss_cache, 1024);
    assert_int_equal(high, 1500);
}

/* The peer holds [from, to), but not what is before. */
static void sacks(uint32_t una, uint32_t from, uint32_t to)
{
    uint8_t opt[24] = {1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 5, 10};
    uint32_t v[4] = {peer_tsval(), fx.c->tsval_seen, fx.c->iss + from, fx.c->iss + to};
    static const uint8_t at[4] = {4, 8, 16, 20};

    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 4; k++)
            opt[at[i] + k] = (uint8_t)(v[i] >> (24 - 8 * k));
    }
    peer(ACK, 1, una, 0, .opt = opt, .opt_len = sizeof(opt));
}

/* Payload of each of a frame's packets. */
static uint32_t packet_size(const struct fx_seg *g)
{
    return g->gso ? g->gso_size : g->len;
}

static uint32_t rel(uint32_t seq)
{
    return seq - tp->iss;
}

static void send_probe(void)
{
    assert_int_equal(w(10000), 10000);
    assert_true(tp->mtup.probe_size);
    assert_int_equal(tp->snd_una, tp->mtup.probe_start);
}

/* The probe is missing, all else that was sent is there. */
static void lose_the_probe(void)
{
    advance(RTT);
    sacks(rel(tp->snd_una), rel(tp->mtup.probe_end), rel(tp->snd_nxt));
}

/* Each probe lies above what is known to pass and not above what is thought possible. */
TEST(rfc4821_02_probe_range)
{
    unsigned probes = 0;

    ready();
    for (int i = 0; i < 30; i++) {
        uint32_t l = low, h = high, mss = tp->mss_cache;

        assert_int_equal(w(12000), 12000);
        while (fx.next < fx.n_segs) {
            const struct fx_seg *g = take();

            if (packet_size(g) <= mss)
                continue;
            probes++;
            assert_int_equal(packet_size(g) + 52, tp->mtup.probe_size);
            assert_in_range(packet_size(g) + 52, l + 1, h);
        }
        write_and_deliver(1000);
    }
    assert_in_range(probes, 5, 12);
    assert_in_range(low, 1493, 1500);
}

TEST(rfc4821_03_probe_preconditions)
{
    uint64_t probes;
    uint32_t cwnd;

    ready();
    /* not enough data */
    assert_int_equal(w(4 * 1024), 4 * 1024);
    assert_int_equal(tp->mtup.probe_size, 0);
    /* no window for it */
    advance(RTT);
    peer(ACK, 1, rel(tp->snd_nxt), 0, .win = 4000 >> (fx.c->wscale > 0 ? fx.c->wscale : 0));
    assert_int_equal(w(10000), 10000);
    assert_int_equal(tp->mtup.probe_size, 0);
    peer(ACK, 1, rel(tp->snd_nxt), 0);
    while (tp->snd_una != tp->write_seq)
        arrives();
    forget();
    /* a small congestion window */
    tp->mtup.probe_size = 0;
    cwnd = tp->cwnd;
    tp->cwnd = 10;
    assert_int_equal(w(10000), 10000);
    assert_int_equal(tp->mtup.probe_size, 0);
    arrives();
    tp->cwnd = cwnd;
    /* losses */
    assert_int_equal(w(3000), 3000);
    advance(RTT);
    sacks(rel(tp->snd_una), rel(tp->snd_una) + 1024, rel(tp->snd_nxt));
    assert_int_not_equal(tp->ca_state, CA_OPEN);
    tp->cwnd = 40;
    assert_int_equal(w(10000), 10000);
    assert_int_equal(tp->mtup.probe_size, 0);
    while (tp->snd_una != tp->write_seq)
        arrives();
    forget();
    /* with none of these it goes, and no second one beside it */
    tp->cwnd = 40;
    probes = cnt(tcp_mtu_probes);
    send_probe();
    assert_int_equal(cnt(tcp_mtu_probes), probes + 1);
    assert_int_equal(w(10000), 10000);
    assert_int_equal(cnt(tcp_mtu_probes), probes + 1);
}

TEST(rfc4821_04_probe_rexmit_headroom)
{
    uint32_t size;
    unsigned behind = 0;

    ready();
    size = (low + high) / 2 - 52;
    assert_int_equal(w(size + 4 * 1024 - 1), size + 4 * 1024 - 1);
    assert_int_equal(tp->mtup.probe_size, 0);
    arrives();
    forget();
    assert_int_equal(w(size + 4 * 1024), size + 4 * 1024);
    assert_int_equal(tp->mtup.probe_size, size + 52);
    assert_int_equal(take()->len, size);
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();

        behind += (g->len + packet_size(g) - 1) / packet_size(g);
    }
    assert_true(behind >= 3);
}

/* Another segment is lost beside the probe: nothing is learnt, and the same size is tried again. */
TEST(rfc4821_08_inconclusive)
{
    uint32_t size, l, h;

    ready();
    send_probe();
    size = tp->mtup.probe_size;
    l = low;
    h = high;
    advance(RTT);
    sacks(rel(tp->snd_una), rel(tp->mtup.probe_end) + 1024, rel(tp->snd_nxt));
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->mtup.probe_size, 0);
    assert_int_equal(low, l);
    assert_int_equal(high, h);
    while (tp->snd_una != tp->write_seq)
        arrives();
    assert_int_equal(low, l);
    assert_int_equal(cnt(tcp_mtu_probe_failed) + cnt(tcp_mtu_probe_success), 0);
    tp->cwnd = 30;
    forget();
    send_probe();
    assert_int_equal(tp->mtup.probe_size, size);
}

TEST(rfc4821_10_raise_keeps_bytes)
{
    uint64_t bytes;
    uint32_t before;

    ready();
    tp->ssthresh = 15;
    send_probe();
    advance(RTT);
    bytes = (uint64_t)tp->cwnd * tcp_mtu_of(tp, tp->mss_cache);
    before = low;
    peer(ACK, 1, rel(tp->mtup.probe_end), 0);
    assert_true(low > before);
    /* one packet of congestion avoidance may come on top */
    assert_true((uint64_t)(tp->cwnd - 1) * tcp_mtu_of(tp, tp->mss_cache) <= bytes);
    assert_true(tp->ssthresh < 15);
}

TEST(rfc4821_11_lower_keeps_packets)
{
    uint32_t cwnd;

    ready();
    cwnd = tp->cwnd;
    assert_int_equal(w(10000), 10000);
    peer_icmp(3, 4, 600, rel(tp->snd_una));
    assert_true(tp->mss_cache < 600);
    assert_int_equal(tp->cwnd, cwnd);
}

/* After a failed probe none follows for as many round trips as the window has packets. */
TEST(rfc4821_12_probe_spacing)
{
    uint64_t failed_at, rounds;

    ready();
    send_probe();
    rounds = (uint64_t)tp->cwnd * (tp->srtt_us >> 3);
    lose_the_probe();
    assert_int_equal(cnt(tcp_mtu_probe_failed), 1);
    failed_at = fx.now;
    assert_true(rounds > 10 * RTT);
    for (int i = 0; i < 400 && cnt(tcp_mtu_probes) == 1; i++) {
        arrives();
        forget();
        if (tp->snd_una == tp->write_seq)
            assert_int_equal(w(10000), 10000);
    }
    assert_int_equal(cnt(tcp_mtu_probes), 2);
    assert_true(fx.now - failed_at >= rounds);
}

/* A path of 1,280 bytes is found to within forty, then there is quiet for ten minutes; and then a
 * path that has become wider is found. */
TEST(rfc4821_13_converge_timer)
{
    uint64_t began, probes;
    uint32_t path = 1280;

    tun.slow_start_after_idle = 0;
    ready();
    tun.probe_threshold = 40;
    began = tp->mtup.began;
    for (int i = 0; i < 5000 && fx.now < began + 2000 * SEC; i++) {
        if (tp->snd_una == tp->write_seq) {
            advance(2 * SEC);
            assert_int_equal(w(12000), 12000);
        }
        if (tp->mtup.probe_size > path && tp->snd_una == tp->mtup.probe_start)
            lose_the_probe();
        else
            arrives();
        forget();
        if (fx.now < began + 590 * SEC) {
            assert_true(low <= path);
        } else if (path == 1280) {
            assert_in_range(low, path - 40, path);
            assert_in_range(high - low, 20, 39); /* halving 424 stops at 26 */
            probes = cnt(tcp_mtu_probes);
            path = 1400;
        } else if (fx.now < began + 600 * SEC) {
            assert_int_equal(cnt(tcp_mtu_probes), probes);
        }
    }
    assert_in_range(low, 1360, 1400);
}

/* Time-outs without end: what is known to pass, then half, and half again, not below 48 bytes. */
TEST(rfc4821_14_black_hole)
{
    static const uint32_t want[] = {1448, 1024, 512, 256, 128, 64, 48, 48};
    unsigned n = 0;

    tun.mtu_probing = 1;
    passive();
    assert_int_equal(w(1448), 1448);
    advance(800 * SEC);
    while (fx.next < fx.n_segs) {
        uint32_t len = take()->len;

        if (len != want[n])
            assert_int_equal(len, want[++n]);
    }
    assert_int_equal(want[n], 48);
    assert_true(tp->pmtu == 1500);
    /* one answer, and it goes on at that size; then upwards */
    peer(ACK, 1, 1 + tp->mss_cache, 0);
    for (int i = 0; i < 200 && tp->snd_una != tp->write_seq; i++)
        arrives();
    forget();
    tp->cwnd = 40;
    assert_int_equal(w(20000), 20000);
    assert_true(tp->mtup.probe_size);
}

static void raise_once(void)
{
    send_probe();
    while (tp->snd_una != tp->write_seq)
        arrives();
    forget();
    assert_true(low > 1076);
    assert_true(tp->mtup.restore);
    tun.probe_threshold = 65535;
}

/* The first segments of the new size are lost: by time-out, or most of them by SACK. */
TEST(rfc4821_15_verification)
{
    uint32_t raised;

    ready();
    raise_once();
    raised = low;
    assert_int_equal(w(4 * tp->mss_cache), 4 * tp->mss_cache);
    advance(2 * SEC);
    assert_int_equal(tp->mss_cache, 1024);
    assert_int_equal(high, raised - 1);
    assert_int_equal(cnt(tcp_mtu_restored), 1);
}

TEST(rfc4821_15_verification_by_sack)
{
    ready();
    raise_once();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NODELAY, 1), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(w(tp->mss_cache), tp->mss_cache);
        advance(MS);
    }
    advance(RTT);
    sacks(rel(tp->snd_una), rel(tp->snd_nxt) - 3 * tp->mss_cache, rel(tp->snd_nxt));
    advance(RTT / 2);
    assert_int_equal(tp->mss_cache, 1024);
    assert_int_equal(cnt(tcp_mtu_restored), 1);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
}

/* One loss of many is only a loss. */
TEST(rfc4821_15_verification_one_loss)
{
    uint32_t raised;

    ready();
    raise_once();
    raised = low;
    assert_int_equal(w(8 * tp->mss_cache), 8 * tp->mss_cache);
    advance(RTT);
    sacks(rel(tp->snd_una), rel(tp->snd_una) + tp->mss_cache, rel(tp->snd_nxt));
    advance(RTT);
    assert_int_equal(low, raised);
}

/* Segments from before a black hole was suspected arrive after all: they were probes that passed.
 */
TEST(rfc4821_16_implicit_probe)
{
    uint32_t h;

    tun.mtu_probing = 1;
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NODELAY, 1), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(w(1448), 1448);
    advance(7 * SEC);
    assert_true(tp->mtup.enabled);
    assert_int_equal(tp->mss_cache, 1024);
    /* lost, they are no probes that failed */
    h = high;
    assert_int_equal(h, 1500);
    forget();
    peer(ACK, 1, 1 + 3 * 1448, 0);
    assert_int_equal(low, 1500);
    assert_int_equal(tp->mss_cache, 1448);
    assert_int_equal(cnt(tcp_mtu_implicit), 1);
}

TEST(rfc4821_17_search_low_initial)
{
    char text[32];

    assert_int_equal(stack_tunable_get(fx.st, "net.ipv4.tcp_base_mss", text, sizeof(text)), 0);
    assert_string_equal(text, "1024");
    tun.mtu_probing = 2;
    passive();
    assert_int_equal(tp->mss_cache, 1024);
    close_it();
    forget();
    assert_int_equal(stack_tunable_set(fx.st, "net.ipv4.tcp_base_mss", "500"), 0);
    peer_use(1);
    passive();
    assert_int_equal(tp->mss_cache, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc4821_02_probe_range),
        T(rfc4821_03_probe_preconditions),
        T(rfc4821_04_probe_rexmit_headroom),
        T(rfc4821_08_inconclusive),
        T(rfc4821_10_raise_keeps_bytes),
        T(rfc4821_11_lower_keeps_packets),
        T(rfc4821_12_probe_spacing),
        T(rfc4821_13_converge_timer),
        T(rfc4821_14_black_hole),
        T(rfc4821_15_verification),
        {"rfc4821_15_verification-by_sack", rfc4821_15_verification_by_sack, fx_setup, fx_teardown,
         NULL},
        {"rfc4821_15_verification-one_loss", rfc4821_15_verification_one_loss, fx_setup,
         fx_teardown, NULL},
        T(rfc4821_16_implicit_probe),
        T(rfc4821_17_search_low_initial),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
