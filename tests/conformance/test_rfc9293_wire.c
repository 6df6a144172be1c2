/* SPDX-License-Identifier: MIT */
/* RFC 9293 §3.1, §3.2, §3.9.2: headers, options and addresses that a packet script cannot write. */
#include "tests/conformance/raw.h"

/* Header length in words for a header with n bytes of options. */
static void options(const uint8_t *opt, uint8_t n, uint32_t seq, uint32_t len)
{
    peer(PSH | ACK, seq, 1, len, .opt = opt, .opt_len = n);
}

/* Lengths 0, 1 and past the end, at each place: no loop, no read beyond, and the connection works
 * on. */
TEST(rfc9293_must_07_illegal_option_length)
{
    static const uint8_t bad[][8] = {
        {253, 0, 1, 1, 1, 1, 1, 1},   {253, 1, 1, 1, 1, 1, 1, 1}, {253, 9, 1, 1, 1, 1, 1, 1},
        {253, 255, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 8},   {1, 1, 1, 1, 1, 1, 8, 10},
        {8, 10, 0, 0, 0, 0, 0, 0},    {2, 0, 5, 180, 3, 0, 7, 0},
    };
    uint32_t seq = 1;

    fx.c->ts = false;
    passive();
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options(bad[i], 8, seq, 100);
        seq += r(1000) > 0 ? 100 : 0;
    }
    clear();
    peer(PSH | ACK, seq, 1, 100);
    assert_int_equal(r(1000), 100);
    assert_state(ESTABLISHED);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        peer_use(1 + i);
        fx.c->our_port = FX_PORT;
        peer(SYN, 0, 0, 0, .opt = bad[i], .opt_len = 8);
    }
    /* the header claims more than the packet has, or less than a header */
    peer_use(0);
    clear();
    peer(PSH | ACK, seq + 100, 1, 0, .doff = 15);
    peer(PSH | ACK, seq + 100, 1, 0, .doff = 4);
    expect_none();
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 1, seq + 100, 10);
}

static void assert_ip_options_ignored(const uint8_t *opt, uint32_t n)
{
    fx.c->ts = false;
    fx.c->wscale = -1;
    listening(4);
    fx.c->our_port = FX_PORT;
    raw_send(&(struct raw_seg){.flags = SYN, .ip_opt = opt, .ip_opt_len = n});
    expect(SYN | ACK, 0, 1, 0);
    raw_send(&(struct raw_seg){.flags = ACK, .seq = 1, .ack = 1, .ip_opt = opt, .ip_opt_len = n});
    assert_int_equal(accept_one(), 0);
    raw_send(&(struct raw_seg){
        .flags = PSH | ACK, .seq = 1, .ack = 1, .len = 100, .ip_opt = opt, .ip_opt_len = n});
    expect(ACK, 1, 101, 0);
    assert_int_equal(r(1000), 100);
    close_it();
    expect(FIN | ACK, 1, 101, 0);
}

TEST(rfc9293_must_50_unknown_ip_options)
{
    static const uint8_t unknown[12] = {1, 222, 7, 9, 9, 9, 9, 9, 148, 3, 0, 0};

    assert_ip_options_ignored(unknown, sizeof(unknown));
}

/* Not taken: no timestamp is written into the option, and the segment is processed. */
TEST(rfc9293_may_10_ip_timestamp)
{
    static const uint8_t timestamp[12] = {68, 12, 5, 0};

    assert_ip_options_ignored(timestamp, sizeof(timestamp));
}

TEST(rfc9293_may_11_ip_record_route)
{
    static const uint8_t record[12] = {7, 11, 4};

    assert_ip_options_ignored(record, sizeof(record));
}

/* Broadcast and multicast destinations, and our address in a link broadcast: silence, whatever the
 * segment is. */
TEST(rfc9293_must_57_bcast_mcast_dropped)
{
    static const char *const groups[] = {"255.255.255.255", "10.0.0.255", "224.0.0.1", "239.1.2.3"};
    struct stack_usage usage;

    fx.c->ts = false;
    passive();
    for (unsigned i = 0; i < 4; i++) {
        for (int link = 0; link < 2; link++) {
            raw_send(&(struct raw_seg){.flags = PSH | ACK,
                                       .seq = 1,
                                       .ack = 1,
                                       .len = 10,
                                       .dst = groups[i],
                                       .link_broadcast = link});
            raw_send(&(struct raw_seg){
                .flags = RST | ACK, .seq = 1, .ack = 1, .dst = groups[i], .link_broadcast = link});
        }
    }
    peer_use(1);
    fx.c->our_port = FX_PORT;
    for (unsigned i = 0; i < 4; i++) {
        raw_send(&(struct raw_seg){.flags = SYN, .dst = groups[i]});
        raw_send(&(struct raw_seg){.flags = SYN, .dst = groups[i], .link_broadcast = true});
        raw_send(&(struct raw_seg){.flags = ACK, .dst = groups[i], .link_broadcast = true});
    }
    raw_send(&(struct raw_seg){.flags = SYN, .link_broadcast = true});
    advance(10 * SEC);
    expect_none();
    stack_usage(fx.st, &usage);
    assert_int_equal(usage.requests, 0);
    raw_send(&(struct raw_seg){.flags = SYN});
    expect(SYN | ACK, 0, 1, 0);
    peer_use(0);
    assert_state(ESTABLISHED);
    assert_int_equal(r(10), -EAGAIN);
}

/* A SYN from a source that cannot be one host elsewhere: silence, also where nobody listens. */
TEST(rfc9293_must_63_syn_bad_source)
{
    static const char *const bad[] = {"255.255.255.255", "10.0.0.255", "224.0.0.1", "239.1.2.3",
                                      "0.0.0.0",         "0.1.2.3",    "127.0.0.1", "10.0.0.1"};
    struct stack_usage usage;

    listening(4);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fx.c->our_port = FX_PORT;
        raw_send(&(struct raw_seg){.flags = SYN, .src = bad[i]});
        fx.c->our_port = FX_PORT + 1;
        raw_send(&(struct raw_seg){.flags = SYN, .src = bad[i]});
    }
    advance(10 * SEC);
    expect_none();
    stack_usage(fx.st, &usage);
    assert_int_equal(usage.requests, 0);
    fx.c->our_port = FX_PORT;
    raw_send(&(struct raw_seg){.flags = SYN});
    expect(SYN | ACK, 0, 1, 0);
}

/* Reserved bits are set in what the peer sends and mean nothing; ours are zero. */
TEST(rfc9293e_48_reserved_bits_zero)
{
    fx.c->ts = false;
    fx.c->wscale = -1;
    listening(4);
    fx.c->our_port = FX_PORT;
    raw_send(&(struct raw_seg){.flags = SYN, .reserved = 15});
    assert_int_equal(expect(SYN | ACK, 0, 1, 0)->reserved, 0);
    raw_send(&(struct raw_seg){.flags = ACK, .seq = 1, .ack = 1, .reserved = 15});
    assert_int_equal(accept_one(), 0);
    raw_send(&(struct raw_seg){.flags = PSH | ACK, .seq = 1, .ack = 1, .len = 50, .reserved = 15});
    assert_int_equal(expect(ACK, 1, 51, 0)->reserved, 0);
    assert_int_equal(r(100), 50);
    assert_int_equal(w(10), 10);
    assert_int_equal(expect(PSH | ACK, 1, 51, 10)->reserved, 0);
    close_it();
    assert_int_equal(expect(FIN | ACK, 11, 51, 0)->reserved, 0);
}

/* One of everything that we send, with and without timestamps, for a look at its options. */
static void one_of_everything(void)
{
    active();
    assert_int_equal(w(100), 100);
    peer(PSH | ACK, 1, 101, 100);
    assert_int_equal(r(100), 100);
    close_it();
    peer(FIN | ACK, 101, 102, 0);
    clear();
    peer_use(1);
    passive();
    peer(PSH | ACK, 3001, 1, 100); /* out of order */
    assert_int_equal(w(3000), 3000);
    advance(SEC);
    peer(RST | ACK, 500, 1, 0); /* a challenge ACK */
    peer_use(2);
    fx.c->our_port = 81;
    peer(SYN, 0, 0, 0); /* a reset */
}

/* Every option but EOL and NOP has its length, and all fit; what follows EOL is zero. */
static void assert_options_well_formed(const struct fx_seg *g)
{
    unsigned i = 0;

    assert_int_equal(g->opt_len % 4, 0);
    while (i < g->opt_len && g->opt[i] != 0) {
        if (g->opt[i] == 1) {
            i++;
            continue;
        }
        assert_true(i + 1 < g->opt_len);
        assert_true(g->opt[i + 1] >= 2 && i + g->opt[i + 1] <= g->opt_len);
        i += g->opt[i + 1];
    }
    for (; i < g->opt_len; i++)
        assert_int_equal(g->opt[i], 0);
}

TEST(rfc9293_must_68_options_have_length)
{
    unsigned with_options = 0;

    one_of_everything();
    for (unsigned i = 0; i < fx.n_segs; i++) {
        assert_options_well_formed(&fx.segs[i]);
        with_options += fx.segs[i].opt_len > 0;
    }
    assert_in_range(with_options, 8, fx.n_segs);
}

TEST(rfc9293_must_69_pad_with_zero)
{
    fx.conns[0].ts = false;
    fx.conns[1].wscale = -1;
    one_of_everything();
    assert_in_range(fx.n_segs, 10, 50);
    for (unsigned i = 0; i < fx.n_segs; i++)
        assert_options_well_formed(&fx.segs[i]);
}

/* A retransmission is a datagram of its own; as it is never fragmented (DF), its identification
 * means nothing. */
TEST(rfc9293_may_04_same_ip_id)
{
    const struct fx_seg *first, *again;

    passive();
    assert_int_equal(w(100), 100);
    first = expect(PSH | ACK, 1, 1, 100);
    advance(300 * MS);
    again = expect(PSH | ACK, 1, 1, 100);
    assert_true(first->df && again->df);
    assert_memory_equal(first->payload, again->payload, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_must_07_illegal_option_length), T(rfc9293_must_50_unknown_ip_options),
        T(rfc9293_may_10_ip_timestamp),           T(rfc9293_may_11_ip_record_route),
        T(rfc9293_must_57_bcast_mcast_dropped),   T(rfc9293_must_63_syn_bad_source),
        T(rfc9293e_48_reserved_bits_zero),        T(rfc9293_must_68_options_have_length),
        T(rfc9293_must_69_pad_with_zero),         T(rfc9293_may_04_same_ip_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
