/* SPDX-License-Identifier: MIT */
/* SYN cookies (RFC 4987 §3.6) and TCP_DEFER_ACCEPT, as the peer and the program see them. */
#include "tests/unit/tcp/fixture.h"

#include "proto/tcp/conn/cookie.h"

static void syn(void)
{
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
}

static uint32_t requests(void)
{
    struct stack_usage u;

    stack_usage(fx.st, &u);
    return u.requests;
}

/* Two peers that never answer fill the queue of backlog 1; the next one is peer 2. */
static void flooded(void)
{
    listening(1);
    for (unsigned i = 0; i < 2; i++) {
        peer_use(i);
        syn();
    }
    clear();
    peer_use(2);
}

TEST(a_full_syn_queue_is_answered_with_a_cookie_and_nothing_is_kept)
{
    flooded();
    syn();
    expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(requests(), 2);
    assert_int_equal(cnt(tcp_cookies_sent), 1);
    advance(100 * MS);
    peer(PSH | ACK, 1, 1, 100);
    expect(ACK, 1, 101, 0);
    assert_int_equal(cnt(tcp_cookies_taken), 1);
    assert_int_equal(accept_one(), 0);
    assert_state(ESTABLISHED);
    assert_int_equal(r(200), 100);
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 101, 100);
}

TEST(a_cookie_s_syn_ack_is_never_resent)
{
    tun.syncookies = 2;
    listening(8);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    advance(120 * SEC);
    expect_none();
}

TEST(without_cookies_a_full_syn_queue_drops)
{
    tun.syncookies = 0;
    flooded();
    syn();
    expect_none();
    assert_int_equal(cnt(tcp_cookies_sent), 0);
}

TEST(without_cookies_the_last_quarter_of_the_syn_backlog_stays_free)
{
    tun.syncookies = 0;
    tun.max_syn_backlog = 8;
    listening(100);
    for (unsigned i = 0; i < 10; i++) {
        peer_use(i);
        syn();
    }
    assert_int_equal(requests(), 7);
}

TEST(a_full_accept_queue_takes_no_cookie_either)
{
    tun.syncookies = 2;
    listening(0);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    peer_use(1);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    peer(ACK, 1, 1, 0);
    peer_use(0);
    peer(ACK, 1, 1, 0);
    expect_none();
    peer_use(2);
    syn();
    expect_none();
    assert_int_equal(accept_one(), 0);
    peer_use(0);
    peer(ACK, 1, 1, 0); /* the client tries again */
    assert_int_equal(accept_one(), 0);
    assert_state(ESTABLISHED);
}

/* Peer 0's cookie comes back when peer 1 has taken the last place. */
static void cookie_at_a_full_accept_queue(void)
{
    tun.syncookies = 2;
    listening(0);
    syn();
    peer_use(1);
    syn();
    peer(ACK, 1, 1, 0);
    peer_use(0);
    clear();
    peer(ACK, 1, 1, 0);
}

/* Of the client's first window only the first segment has the sequence number that a cookie is
 * checked with. */
TEST(what_follows_a_cookie_that_finds_the_accept_queue_full_is_not_reset)
{
    cookie_at_a_full_accept_queue();
    peer(ACK, 1, 1, 100);
    peer(ACK, 101, 1, 100);
    expect_none();
    assert_int_equal(accept_one(), 0);
    peer(ACK, 101, 1, 100);
    expect(ACK, 1, 1, 0);
    peer(ACK, 1, 1, 100);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(r(300), 200);
    assert_int_equal(requests(), 0);
    assert_int_equal(cnt(tcp_cookies_taken), 2);
}

TEST(a_client_that_only_listens_hears_again_of_a_cookie_that_found_the_accept_queue_full)
{
    cookie_at_a_full_accept_queue();
    expect_none();
    assert_int_equal(accept_one(), 0);
    advance(1100 * MS);
    expect(SYN | ACK, 0, 1, 0);
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_state(ESTABLISHED);
}

TEST(hostile_cookies_that_find_the_accept_queue_full_are_kept_within_the_syn_backlog)
{
    tun.syncookies = 2;
    tun.max_syn_backlog = 2;
    listening(0);
    for (unsigned i = 0; i < 6; i++) {
        peer_use(i);
        syn();
    }
    for (unsigned i = 0; i < 6; i++) {
        peer_use(i);
        peer(ACK, 1, 1, 0);
    }
    assert_int_equal(requests(), 2);
}

TEST(the_timestamp_carries_window_scale)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", FX_PORT), remote = fx_peer_endpoint();
    const struct fx_seg *g;

    tun.syncookies = 2;
    fx.c->wscale = 9;
    listening(8);
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_int_equal((g->tsval - isn_ts_offset(fx.st, &local, &remote)) & 15, 9);
    fx.c->window = 100;
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(tp->snd_wnd, 100 << 9);
    assert_int_equal(tp->rcv_wscale, g->wscale);
    assert_int_equal(tp->mss_cache, 1448);
}

TEST(the_timestamp_carries_sack_permitted)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", FX_PORT), remote = fx_peer_endpoint();
    const struct fx_seg *g;

    tun.syncookies = 2;
    fx.c->sack = true;
    listening(8);
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_true(g->sack_ok);
    assert_int_equal((g->tsval - isn_ts_offset(fx.st, &local, &remote)) & 16, 16);
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_true(tp->sack_ok);
    peer(ACK, 101, 1, 10);
    assert_blocks(expect(ACK, 1, 1, 0), "101:111");
    /* switched off meanwhile: the cookie promises what can no longer be had */
    peer_use(1);
    fx.c->sack = true;
    syn();
    clear();
    tun.sack = 0;
    peer(ACK, 1, 1, 0);
    expect(RST, 1, 0, 0);
    assert_int_equal(cnt(tcp_cookies_failed), 1);
}

TEST(without_timestamps_nothing_but_the_mss_survives)
{
    const struct fx_seg *g;

    tun.syncookies = 2;
    fx.c->ts = false;
    fx.c->sack = true;
    listening(8);
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(g->wscale, -1);
    assert_false(g->sack_ok);
    assert_int_equal(g->mss, 1460);
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(tp->snd_wscale, 0);
    assert_int_equal(tp->mss_cache, 1460);
    assert_int_equal(w(1460), 1460);
    expect(PSH | ACK, 1, 1, 1460);
}

TEST(the_mss_is_the_largest_of_the_table_that_is_not_above_the_peer_s)
{
    static const struct {
        int given, got;
    } c[] = {{0, 536},     {536, 536},   {1299, 536},  {1300, 1300},
             {1439, 1300}, {1440, 1440}, {1459, 1440}, {1460, 1460}};

    tun.syncookies = 2;
    listening(16);
    for (unsigned i = 0; i < 8; i++) {
        peer_use(i);
        fx.c->ts = false;
        fx.c->mss = c[i].given;
        syn();
        clear();
        peer(ACK, 1, 1, 0);
        assert_int_equal(accept_one(), 0);
        assert_int_equal(tp->mss_cache, c[i].got);
        close_it();
        clear();
    }
}

TEST(hostile_a_wrong_cookie_is_reset)
{
    flooded();
    syn();
    clear();
    peer(ACK, 1, 2, 0);
    assert_int_equal(take()->flags, RST);
    peer(ACK, 9, 1, 0); /* a near one may name another MSS of the table, no more */
    assert_int_equal(take()->flags, RST);
    peer(ACK, 1, 0x01000001, 0); /* another minute */
    assert_int_equal(take()->flags, RST);
    assert_int_equal(cnt(tcp_cookies_failed), 3);
    peer(ACK, 1, 1, 0);
    expect_none();
    assert_int_equal(accept_one(), 0);
}

TEST(hostile_the_cookie_of_one_peer_is_worth_nothing_to_another)
{
    uint32_t iss;

    flooded();
    syn();
    iss = fx.c->iss;
    clear();
    peer_use(3);
    fx.c->our_port = FX_PORT;
    fx.c->iss = iss;
    fx.c->irs = fx.conns[2].irs;
    peer(ACK, 1, 1, 0);
    assert_int_equal(take()->flags, RST);
    assert_int_equal(accept_one(), -EAGAIN);
}

TEST(a_cookie_lives_for_two_minute_steps)
{
    flooded();
    fx.now = 1020 * SEC + 1; /* just behind a minute's start */
    syn();
    clear();
    advance(119 * SEC);
    clear();
    peer(ACK, 1, 1, 0);
    expect_none();
    assert_int_equal(accept_one(), 0);
}

TEST(a_cookie_that_is_too_old_is_reset)
{
    flooded();
    fx.now = 1020 * SEC + 1;
    syn();
    clear();
    advance(120 * SEC);
    clear();
    peer(ACK, 1, 1, 0);
    assert_int_equal(take()->flags, RST);
}

TEST(cookies_are_looked_at_only_after_an_overflow)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", FX_PORT), remote = fx_peer_endpoint();
    uint16_t mss = 1460;

    listening(8);
    fx.c->our_port = FX_PORT;
    fx.c->ts = false;
    fx.c->iss = cookie_isn(fx.st, &local, &remote, fx.c->irs, &mss);
    peer(ACK, 1, 1, 0);
    assert_int_equal(take()->flags, RST);
    assert_int_equal(cnt(tcp_cookies_failed), 0);
}

TEST(a_stamp_with_options_is_never_from_the_future)
{
    for (uint32_t now = 0xffffff80; now != 0x100; now++) {
        struct cookie_options o = {.wscale_ok = now & 1,
                                   .wscale = now % 15,
                                   .sack_ok = now & 2,
                                   .ecn_ok = now & 4},
                              got;
        uint32_t ts = cookie_timestamp(now, &o);

        assert_true((int32_t)(now - ts) >= 0 && now - ts < 64);
        cookie_read_timestamp(ts, &got);
        assert_int_equal(got.wscale_ok, o.wscale_ok);
        assert_int_equal(got.wscale, o.wscale_ok ? o.wscale : 0);
        assert_int_equal(got.sack_ok, o.sack_ok);
        assert_int_equal(got.ecn_ok, o.ecn_ok);
    }
}

/* --- TCP_DEFER_ACCEPT
 * -------------------------------------------------------------------------------
 */

static void deferring(int seconds)
{
    listening(8);
    fx.s = fx.lst;
    assert_int_equal(set_int(IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds), 0);
    fx.s = NULL;
    syn();
    expect(SYN | ACK, 0, 1, 0);
}

TEST(a_deferred_listener_ignores_the_bare_ack_and_wakes_for_data)
{
    deferring(5);
    peer(ACK, 1, 1, 0);
    expect_none();
    assert_int_equal(accept_one(), -EAGAIN);
    assert_int_equal(cnt(tcp_defer_accept_dropped), 1);
    advance(500 * MS);
    peer(PSH | ACK, 1, 1, 100);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(r(200), 100);
}

TEST(a_deferred_listener_takes_a_fin_for_data)
{
    deferring(5);
    peer(FIN | ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(r(10), 0);
}

TEST(at_the_end_of_the_deferral_one_syn_ack_asks_and_a_bare_ack_is_enough)
{
    uint64_t start = fx.now;

    deferring(5); /* three time-outs: 1 s, 3 s, 7 s */
    peer(ACK, 1, 1, 0);
    advance(6900 * MS);
    expect_none();
    advance(200 * MS);
    assert_int_equal(expect(SYN | ACK, 0, 1, 0)->at - start, 7 * SEC);
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_state(ESTABLISHED);
}

TEST(a_peer_that_never_acked_gets_its_syn_acks_while_deferred)
{
    deferring(5);
    advance(3100 * MS);
    assert_int_equal(clear(), 2);
}

TEST(a_deferred_connection_that_sends_nothing_is_forgotten)
{
    deferring(1);
    peer(ACK, 1, 1, 0);
    advance(200 * SEC);
    assert_int_equal(requests(), 0);
    assert_int_equal(accept_one(), -EAGAIN);
}

TEST(the_seconds_of_the_deferral_are_rounded_up_to_time_outs)
{
    static const int c[][2] = {{0, 0}, {-1, 0}, {1, 1},     {2, 3},    {3, 3},
                               {4, 7}, {8, 15}, {127, 127}, {128, 247}};

    fx.s = fx_socket();
    for (unsigned i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        assert_int_equal(set_int(IPPROTO_TCP, TCP_DEFER_ACCEPT, c[i][0]), 0);
        assert_int_equal(get_int(IPPROTO_TCP, TCP_DEFER_ACCEPT), c[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_full_syn_queue_is_answered_with_a_cookie_and_nothing_is_kept),
        T(a_cookie_s_syn_ack_is_never_resent),
        T(without_cookies_a_full_syn_queue_drops),
        T(without_cookies_the_last_quarter_of_the_syn_backlog_stays_free),
        T(a_full_accept_queue_takes_no_cookie_either),
        T(what_follows_a_cookie_that_finds_the_accept_queue_full_is_not_reset),
        T(a_client_that_only_listens_hears_again_of_a_cookie_that_found_the_accept_queue_full),
        T(hostile_cookies_that_find_the_accept_queue_full_are_kept_within_the_syn_backlog),
        T(the_timestamp_carries_window_scale),
        T(the_timestamp_carries_sack_permitted),
        T(without_timestamps_nothing_but_the_mss_survives),
        T(the_mss_is_the_largest_of_the_table_that_is_not_above_the_peer_s),
        T(hostile_a_wrong_cookie_is_reset),
        T(hostile_the_cookie_of_one_peer_is_worth_nothing_to_another),
        T(a_cookie_lives_for_two_minute_steps),
        T(a_cookie_that_is_too_old_is_reset),
        T(cookies_are_looked_at_only_after_an_overflow),
        T(a_stamp_with_options_is_never_from_the_future),
        T(a_deferred_listener_ignores_the_bare_ack_and_wakes_for_data),
        T(a_deferred_listener_takes_a_fin_for_data),
        T(at_the_end_of_the_deferral_one_syn_ack_asks_and_a_bare_ack_is_enough),
        T(a_peer_that_never_acked_gets_its_syn_acks_while_deferred),
        T(a_deferred_connection_that_sends_nothing_is_forgotten),
        T(the_seconds_of_the_deferral_are_rounded_up_to_time_outs),
    };

    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
