/* SPDX-License-Identifier: MIT */
/* Passive open: SYN, SYN-ACK, the final ACK, and the queues (RFC 9293 §3.10.7.2; linux-receiver
 * §10). */
#include "tests/unit/tcp/fixture.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

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

TEST(a_syn_without_sack_permitted_is_answered_without)
{
    const struct fx_seg *g;

    listening(1);
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(g->opt_len, 20);
    assert_memory_equal(g->opt, "\x02\x04\x05\xb4\x01\x01\x08\x0a", 8);
    assert_memory_equal(g->opt + 16, "\x01\x03\x03\x07", 4);
    assert_int_equal(g->tsecr, peer_tsval());
    assert_int_equal(g->window, 65160);
    assert_true(g->df);
    assert_int_equal(g->ip_id, 0);
    assert_int_equal(requests(), 1);
}

TEST(the_syn_ack_is_linux_s)
{
    const struct fx_seg *g;

    fx.c->sack = fx.conns[1].sack = fx.conns[2].sack = true;
    listening(4);
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(g->opt_len, 20);
    assert_memory_equal(g->opt, "\x02\x04\x05\xb4\x04\x02\x08\x0a", 8);
    peer_use(1);
    fx.c->ts = false;
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(g->opt_len, 12);
    assert_memory_equal(g->opt, "\x02\x04\x05\xb4\x01\x01\x04\x02\x01\x03\x03\x07", 12);
    peer_use(2);
    tun.sack = 0;
    syn();
    assert_false(expect(SYN | ACK, 0, 1, 0)->sack_ok);
}

TEST(options_are_granted_only_when_the_syn_had_them)
{
    const struct fx_seg *g;

    listening(4);
    fx.c->ts = false;
    fx.c->wscale = -1;
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(g->opt_len, 4);
    assert_int_equal(g->mss, 1460);
    peer_use(1);
    fx.c->ts = false;
    syn();
    g = expect(SYN | ACK, 0, 1, 0);
    assert_memory_equal(g->opt, "\x02\x04\x05\xb4\x01\x03\x03\x07", 8);
    assert_int_equal(g->opt_len, 8);
    assert_int_equal(g->window, 64240);
}

TEST(the_syn_ack_is_resent_at_1_3_7_15_31_s_and_forgotten_at_63_s)
{
    static const unsigned at[] = {1, 3, 7, 15, 31};
    uint64_t start = fx.now;

    listening(1);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    advance(63 * SEC - 1);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal((expect(SYN | ACK, 0, 1, 0)->at - start) / SEC, at[i]);
    expect_none();
    assert_int_equal(requests(), 1);
    advance(1);
    assert_int_equal(requests(), 0);
    assert_int_equal(cnt(tcp_requests_expired), 1);
    peer(ACK, 1, 1, 0);
    assert_int_equal(take()->flags, RST);
}

/* A SYN of peer port 4000 with eight bytes of IP options. */
static void syn_with_ip_options(const uint8_t option[8])
{
    uint8_t b[14 + 28 + 20] = {2, 0, 0,    0, 0, 1,  2, 0, 0,    0, 0,  2,
                               8, 0, 0x47, 0, 0, 48, 0, 0, 0x40, 0, 64, 6};
    uint8_t *tcp = b + 42;
    uint16_t sum;

    memcpy(b + 26, "\x0a\0\0\2\x0a\0\0\1", 8);
    memcpy(b + 34, option, 8);
    sum = csum_fold(csum_partial(b + 14, 28, 0));
    memcpy(b + 24, &sum, 2);
    wire_put16(tcp, FX_PEER_PORT);
    wire_put16(tcp + 2, FX_PORT);
    wire_put32(tcp + 4, fx.c->irs);
    tcp[12] = 5 << 4;
    tcp[13] = SYN;
    wire_put16(tcp + 14, 8000);
    sum = csum_fold(csum_partial(tcp, 20, csum_pseudo(b + 26, b + 30, 4, IP_PROTO_TCP, 20)));
    memcpy(tcp + 16, &sum, 2);
    fx_input_bytes(b, sizeof(b));
    run();
}

TEST(ip_options_on_a_syn_are_ignored_but_a_source_route_is_refused)
{
    listening(4);
    fx.c->our_port = FX_PORT;
    fx.c->ts = false;
    syn_with_ip_options((const uint8_t[8]){131, 7, 4, 10, 0, 0, 2, 0}); /* loose source route */
    expect_none();
    syn_with_ip_options(
        (const uint8_t[8]){7, 9, 4, 0, 0, 0, 0, 0}); /* record route, longer than the header */
    expect_none();
    assert_int_equal(requests(), 0);
    syn_with_ip_options((const uint8_t[8]){7, 7, 4, 0, 0, 0, 0, 0}); /* record route */
    expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(requests(), 1);
    fx.c->wscale = -1;
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_state(ESTABLISHED);
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 1, 100);
}

TEST(a_repeated_syn_is_answered_again_but_not_too_often)
{
    listening(1);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    advance(499 * MS);
    syn();
    expect_none();
    advance(2 * MS);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(requests(), 1);
}

TEST(the_final_ack_makes_a_connection_with_its_data_and_fin)
{
    listening(1);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(accept_one(), -EAGAIN);
    peer(FIN | PSH | ACK, 1, 1, 100);
    assert_true(events_of(fx.lst) & SOCK_EV_ACCEPT);
    assert_int_equal(accept_one(), 0);
    assert_state(CLOSE_WAIT);
    assert_true(events_of(fx.s) & SOCK_EV_READABLE);
    assert_int_equal(r(200), 100);
    assert_int_equal(r(200), 0);
    assert_int_equal(cnt(tcp_passive_opens), 1);
}

TEST(a_wrong_ack_of_the_syn_ack_is_reset)
{
    listening(1);
    syn();
    clear();
    peer(ACK, 1, 2, 0);
    assert_int_equal(take()->flags, RST);
    assert_int_equal(requests(), 1);
    peer(ACK, 1, 1, 0);
    assert_state(ESTABLISHED);
}

TEST(an_exact_reset_removes_a_request_any_other_is_challenged)
{
    listening(1);
    syn();
    clear();
    advance(SEC / 2 + 1);
    peer(RST, 5, 0, 0);
    expect(ACK, 1, 1, 0);
    assert_int_equal(requests(), 1);
    peer(RST, 1, 0, 0);
    expect_none();
    assert_int_equal(requests(), 0);
    assert_int_equal(accept_one(), -EAGAIN);
}

TEST(hostile_07_flags_at_a_listener)
{
    listening(1);
    fx.c->our_port = FX_PORT;
    peer(RST, 0, 0, 0);
    peer(SYN | FIN, 0, 0, 0);
    peer(SYN | RST, 0, 0, 0);
    peer(FIN, 0, 0, 0);
    peer(0, 0, 0, 10);
    expect_none();
    peer(ACK, 0, 5, 0);
    assert_int_equal(take()->flags, RST);
    peer(SYN | ACK, 0, 5, 0);
    assert_int_equal(take()->flags, RST);
    assert_int_equal(requests(), 0);
}

TEST(text_in_the_syn_is_ignored)
{
    listening(1);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 10);
    expect(SYN | ACK, 0, 1, 0);
}

TEST(old_stamps_do_not_complete_the_handshake)
{
    listening(1);
    syn();
    clear();
    advance(SEC / 2 + 1);
    peer(ACK, 1, 1, 0, .tsval = peer_tsval() - 5000);
    expect(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), -EAGAIN);
}

TEST(the_accept_queue_holds_backlog_plus_one)
{
    listening(1);
    for (unsigned i = 0; i < 2; i++) {
        peer_use(i);
        peer_connects();
        expect_none();
    }
    peer_use(2);
    syn();
    expect_none(); /* full: the SYN is dropped */
    assert_int_equal(cnt(tcp_accept_queue_full), 1);
    assert_int_equal(accept_one(), 0);
    close_it();
    clear();
    syn();
    expect(SYN | ACK, 0, 1, 0);
}

/* One half open, and behind its back two others that fill the queue. */
static void full_behind_a_request(void)
{
    listening(1);
    peer_use(1);
    syn();
    expect(SYN | ACK, 0, 1, 0);
    peer_use(0);
    peer_connects();
    peer_use(2);
    peer_connects();
    peer_use(1);
    peer(ACK, 1, 1, 0);
}

TEST(a_full_accept_queue_drops_the_final_ack_and_the_peer_tries_again)
{
    full_behind_a_request();
    expect_none();
    assert_int_equal(cnt(tcp_accept_queue_full), 1);
    assert_int_equal(requests(), 1);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(accept_one(), 0);
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(r(10), 10);
}

TEST(abort_on_overflow_resets)
{
    tun.abort_on_overflow = 1;
    full_behind_a_request();
    assert_int_equal(take()->flags, RST);
    assert_int_equal(requests(), 0);
}

TEST(connections_that_the_host_holds_count_as_backlog)
{
    listening(0);
    sock_accept_held(fx.lst, 1);
    syn();
    expect_none();
    sock_accept_held(fx.lst, 0);
    syn();
    expect(SYN | ACK, 0, 1, 0);
}

TEST(hostile_22_a_syn_flood_is_bounded)
{
    listening(8);
    for (unsigned i = 0; i < 40; i++) {
        peer_use(i);
        syn();
    }
    assert_int_equal(requests(), 9);
    assert_int_equal(cnt(tcp_syn_queue_full), 31);
}

TEST(closing_the_listener_resets_its_children_and_forgets_the_rest)
{
    listening(4);
    peer_connects();
    peer_use(1);
    syn();
    clear();
    close_sock(&fx.lst);
    assert_int_equal(take()->flags, RST | ACK);
    expect_none();
    assert_int_equal(requests(), 0);
    peer(ACK, 1, 1, 0);
    assert_int_equal(take()->flags, RST);
}

TEST(a_child_that_was_reset_while_it_waited_is_still_accepted)
{
    struct ip_endpoint e;

    listening(4);
    peer_connects();
    peer(RST, 1, 0, 0);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(sock_getpeername(fx.s, &e), -ENOTCONN);
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
    assert_int_equal(r(1), -ECONNRESET);
}

TEST(children_inherit_the_listener_s_options)
{
    int on = 1, buf = 50000;

    listening(4);
    sock_setsockopt(fx.lst, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on), fx.now);
    sock_setsockopt(fx.lst, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on), fx.now);
    sock_setsockopt(fx.lst, SOL_SOCKET, SO_SNDBUF, &buf, sizeof(buf), fx.now);
    passive();
    assert_int_equal(get_int(IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(get_int(SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), 100000);
}

TEST(accept_on_what_does_not_listen)
{
    fx.lst = fx_socket();
    assert_int_equal(accept_one(), -EINVAL);
}

TEST(a_syn_ack_that_the_device_refused_goes_out_when_it_has_room)
{
    /* so that the neighbour is known */
    peer_use(1);
    passive();
    peer_use(0);
    fx.c->our_port = FX_PORT;
    fx.device_room = 0;
    peer(SYN, 0, 0, 0);
    expect_none();
    fx.device_room = -1;
    advance(5 * MS);
    expect(SYN | ACK, 0, 1, 0);
}

static void look_at_request(void *ctx, const struct sock_info *info)
{
    if (info->state == TCPS_SYN_RECV)
        *(uint64_t *)ctx = info->timer_us;
}

TEST(the_timer_of_a_request_is_told)
{
    uint64_t us = 0;

    listening(4);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    advance(300 * MS);
    stack_each(fx.st, look_at_request, &us, fx.now);
    assert_in_range(us, 600 * MS, 700 * MS);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_syn_without_sack_permitted_is_answered_without),
        T(the_syn_ack_is_linux_s),
        T(options_are_granted_only_when_the_syn_had_them),
        T(the_syn_ack_is_resent_at_1_3_7_15_31_s_and_forgotten_at_63_s),
        T(ip_options_on_a_syn_are_ignored_but_a_source_route_is_refused),
        T(a_repeated_syn_is_answered_again_but_not_too_often),
        T(the_final_ack_makes_a_connection_with_its_data_and_fin),
        T(a_wrong_ack_of_the_syn_ack_is_reset),
        T(an_exact_reset_removes_a_request_any_other_is_challenged),
        T(hostile_07_flags_at_a_listener),
        T(text_in_the_syn_is_ignored),
        T(old_stamps_do_not_complete_the_handshake),
        T(the_accept_queue_holds_backlog_plus_one),
        T(a_full_accept_queue_drops_the_final_ack_and_the_peer_tries_again),
        T(abort_on_overflow_resets),
        T(connections_that_the_host_holds_count_as_backlog),
        T(hostile_22_a_syn_flood_is_bounded),
        T(closing_the_listener_resets_its_children_and_forgets_the_rest),
        T(a_child_that_was_reset_while_it_waited_is_still_accepted),
        T(children_inherit_the_listener_s_options),
        T(accept_on_what_does_not_listen),
        T(a_syn_ack_that_the_device_refused_goes_out_when_it_has_room),
        T(the_timer_of_a_request_is_told),
    };

    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
