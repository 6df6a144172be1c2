/* SPDX-License-Identifier: MIT */
/* bind(2), listen(2), accept(2), connect(2), getsockname(2), getpeername(2). */
#include "tests/unit/tcp/fixture.h"

static struct ip_endpoint name(const struct sock *s)
{
    struct ip_endpoint e;

    assert_int_equal(sock_getsockname(s, &e), 0);
    return e;
}

static bool named(const struct sock *s, const char *addr, uint16_t port)
{
    struct ip_endpoint e = name(s), want = fx_endpoint(addr, port);

    return e.port == port && ip_addr_equal(&e.addr, &want.addr);
}

TEST(names_before_and_after_bind)
{
    struct ip_endpoint e = fx_endpoint("10.0.0.1", 77);

    fx.s = fx_socket();
    assert_true(named(fx.s, "0.0.0.0", 0));
    assert_int_equal(sock_getpeername(fx.s, &e), -ENOTCONN);
    e = fx_endpoint("10.0.0.1", 77);
    assert_int_equal(sock_bind(fx.s, &e, fx.now), 0);
    assert_true(named(fx.s, "10.0.0.1", 77));
}

TEST(names_of_both_sides_of_a_connection)
{
    struct ip_endpoint e;

    active();
    assert_true(named(fx.s, "10.0.0.1", fx.c->our_port));
    assert_int_equal(sock_getpeername(fx.s, &e), 0);
    assert_int_equal(e.port, FX_PEER_PORT);
    peer_use(1);
    passive();
    assert_true(named(fx.s, "10.0.0.1", FX_PORT));
    assert_int_equal(sock_getpeername(fx.s, &e), 0);
    assert_int_equal(e.port, FX_PEER_PORT + 1);
}

TEST(bind_twice_or_when_connected_is_einval)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", 77);

    active();
    assert_int_equal(sock_bind(fx.s, &e, fx.now), -EINVAL);
    close_it();
    listening(1);
    assert_int_equal(sock_bind(fx.lst, &e, fx.now), -EINVAL);
}

TEST(listen_where_it_makes_no_sense)
{
    active();
    assert_int_equal(sock_listen(fx.s, 1, fx.now), -EINVAL);
    peer(RST, 1, 0, 0);
    assert_int_equal(sock_listen(fx.s, 1, fx.now), -EINVAL);
}

TEST(listen_again_changes_the_backlog)
{
    struct sock_info i;

    listening(4);
    assert_int_equal(sock_listen(fx.lst, 9, fx.now), 0);
    sock_get_info(fx.lst, &i, fx.now);
    assert_int_equal(i.send_queue, 9);
    assert_int_equal(sock_listen(fx.lst, -1, fx.now), 0);
    sock_get_info(fx.lst, &i, fx.now);
    assert_int_equal(i.send_queue, tun.somaxconn);
}

TEST(connect_on_a_listener_is_eisconn)
{
    struct ip_endpoint e = fx_peer_endpoint();

    listening(1);
    assert_int_equal(sock_connect(fx.lst, &e, fx.now), -EISCONN);
}

TEST(connect_on_an_accepted_socket_is_eisconn)
{
    struct ip_endpoint e = fx_peer_endpoint();

    passive();
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EISCONN);
    peer(RST, 1, 0, 0);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EISCONN);
}

TEST(accept_returns_in_the_order_of_arrival)
{
    struct ip_endpoint e;

    listening(8);
    for (unsigned i = 0; i < 4; i++) {
        peer_use(3 - i);
        peer_connects();
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(accept_one(), 0);
        sock_getpeername(fx.s, &e);
        assert_int_equal(e.port, FX_PEER_PORT + 3 - i);
    }
    assert_int_equal(accept_one(), -EAGAIN);
}

TEST(what_happened_in_the_queue_is_reported_after_accept)
{
    listening(8);
    peer_connects();
    peer(PSH | ACK, 1, 1, 10);
    peer(FIN | ACK, 11, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_true(events_of(fx.s) & SOCK_EV_READABLE);
    assert_int_equal(r(100), 10);
    assert_int_equal(r(100), 0);
}

TEST(shutdown_of_reading_ends_a_listener_whose_port_stays_its_own)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", FX_PORT);
    struct sock *other = fx_socket();

    listening(1);
    assert_int_equal(sock_shutdown(fx.lst, SHUT_WR, fx.now), 0);
    assert_int_equal(sock_shutdown(fx.lst, SHUT_RD, fx.now), 0);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    assert_int_equal(take()->flags, RST | ACK);
    assert_int_equal(accept_one(), -EINVAL);
    assert_int_equal(sock_bind(other, &e, fx.now), -EADDRINUSE);
    assert_int_equal(sock_listen(fx.lst, 1, fx.now), 0);
    peer(SYN, 0, 0, 0);
    assert_int_equal(take()->flags, SYN | ACK);
}

TEST(listen_without_memory)
{
    fx.s = fx_socket();
    fx.fail_all = true;
    assert_int_equal(sock_listen(fx.s, 1, fx.now), -ENOMEM);
    fx.fail_all = false;
    assert_int_equal(sock_listen(fx.s, 1, fx.now), 0);
}

TEST(connect_to_the_unspecified_address_means_this_host)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", FX_PORT);

    listening(1);
    fx.s = fx_socket();
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EINPROGRESS);
    run();
    assert_int_equal(sock_connect(fx.s, &e, fx.now), 0);
    expect_none();
}

/* IPV6_V6ONLY leaves IPv4 alone, mapped addresses as well (RFC 3493 §5.3; Linux: ipv6_only_sock).
 */
TEST(an_ipv6_only_socket_takes_no_mapped_address)
{
    struct ip_endpoint e = fx_endpoint("10.0.0.1", 77), to = fx_peer_endpoint();

    assert_int_equal(sock_create(fx.st, true, &fx.s), 0);
    assert_int_equal(set_int(IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    assert_int_equal(sock_bind(fx.s, &e, fx.now), -EINVAL);
    assert_int_equal(sock_connect(fx.s, &to, fx.now), -ENETUNREACH);
    assert_int_equal(set_int(IPPROTO_IPV6, IPV6_V6ONLY, 0), 0);
    assert_int_equal(sock_bind(fx.s, &e, fx.now), 0);
    assert_int_equal(set_int(IPPROTO_IPV6, IPV6_V6ONLY, 1), -EINVAL); /* bound */
    assert_int_equal(sock_connect(fx.s, &to, fx.now), -EINPROGRESS);
}

TEST(listen_behind_an_attempt_that_connect_has_not_told_yet)
{
    struct ip_endpoint to = fx_peer_endpoint();

    connecting();
    peer(RST | ACK, 0, 1, 0);
    assert_int_equal(sock_listen(fx.s, 1, fx.now), -EINVAL);
    assert_int_equal(sock_connect(fx.s, &to, fx.now), -ECONNREFUSED);
    assert_int_equal(sock_listen(fx.s, 1, fx.now), 0);
}

TEST(an_attempt_that_shutdown_gave_up_leaves_a_fresh_socket)
{
    struct ip_endpoint to = fx_peer_endpoint();

    connecting();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_int_equal(sock_error(fx.s, false), ECONNRESET);
    assert_int_equal(sock_connect(fx.s, &to, fx.now), -EINPROGRESS);
    assert_int_equal(sock_error(fx.s, false), 0);
}

/* ip(7): chosen at connect(2), one port serves as many connections as there are peers. */
TEST(ports_that_are_chosen_late_are_shared)
{
    struct ip_endpoint us = fx_endpoint("10.0.0.1", 0), to = fx_endpoint("10.0.0.2", 4000), local;
    struct sock *early, *late[3];
    int on = 1;

    tun.port_min = tun.port_max = 40000;
    fx.s = NULL;
    for (unsigned i = 0; i < 3; i++) {
        late[i] = fx_socket();
        assert_int_equal(
            sock_setsockopt(late[i], IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on), fx.now),
            0);
        assert_int_equal(sock_bind(late[i], &us, fx.now), 0);
        assert_true(named(late[i], "10.0.0.1", 0));
    }
    for (unsigned i = 0; i < 2; i++) {
        to.port = (uint16_t)(4000 + i);
        assert_int_equal(sock_connect(late[i], &to, fx.now), -EINPROGRESS);
        assert_true(named(late[i], "10.0.0.1", 40000));
    }
    early = fx_socket();
    assert_int_equal(sock_bind(early, &us, fx.now), -EADDRINUSE);
    /* another socket in the place of one whose attempt failed: the address is the program's, the
     * port is not */
    sock_abort(late[2], fx.now);
    assert_int_equal(sock_clone(late[1], fx.st, &late[2], &local), 0);
    assert_true(ip_addr_equal(&local.addr, &us.addr));
    assert_int_equal(local.port, 0);
    assert_int_equal(sock_bind(late[2], &local, fx.now), 0);
    for (unsigned i = 0; i < 3; i++)
        sock_abort(late[i], fx.now);
    sock_abort(early, fx.now);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(names_before_and_after_bind),
        T(names_of_both_sides_of_a_connection),
        T(bind_twice_or_when_connected_is_einval),
        T(listen_where_it_makes_no_sense),
        T(listen_again_changes_the_backlog),
        T(connect_on_a_listener_is_eisconn),
        T(connect_on_an_accepted_socket_is_eisconn),
        T(accept_returns_in_the_order_of_arrival),
        T(what_happened_in_the_queue_is_reported_after_accept),
        T(shutdown_of_reading_ends_a_listener_whose_port_stays_its_own),
        T(listen_without_memory),
        T(connect_to_the_unspecified_address_means_this_host),
        T(an_ipv6_only_socket_takes_no_mapped_address),
        T(listen_behind_an_attempt_that_connect_has_not_told_yet),
        T(an_attempt_that_shutdown_gave_up_leaves_a_fresh_socket),
        T(ports_that_are_chosen_late_are_shared),
    };

    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
