/* SPDX-License-Identifier: MIT */
/* Who may bind what, and which port connect() takes (bind(2); RFC 6056 §3.3.4). */
#include "tests/unit/tcp/fixture.h"

static struct sock *made(int reuse, int reuseport)
{
    struct sock *s = fx_socket();

    sock_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse), fx.now);
    sock_setsockopt(s, SOL_SOCKET, SO_REUSEPORT, &reuseport, sizeof(reuseport), fx.now);
    return s;
}

static int bind_to(struct sock *s, const char *addr, uint16_t port)
{
    struct ip_endpoint e = fx_endpoint(addr, port);

    return sock_bind(s, &e, fx.now);
}

static uint16_t name(struct sock *s)
{
    struct ip_endpoint e;

    sock_getsockname(s, &e);
    return e.port;
}

static uint16_t connect_port(unsigned n)
{
    struct sock *s = fx_socket();
    struct ip_endpoint e = fx_endpoint("10.0.0.2", (uint16_t)(FX_PEER_PORT + n));
    uint16_t port;

    assert_int_equal(sock_connect(s, &e, fx.now), -EINPROGRESS);
    run();
    port = name(s);
    sock_close(s, fx.now);
    run();
    clear();
    return port;
}

TEST(two_binds_of_one_port_conflict)
{
    struct sock *a = made(0, 0), *b = made(0, 0);

    assert_int_equal(bind_to(a, "0.0.0.0", 7), 0);
    assert_int_equal(bind_to(b, "0.0.0.0", 7), -EADDRINUSE);
    assert_int_equal(bind_to(b, "10.0.0.1", 7), -EADDRINUSE);
    assert_int_equal(bind_to(b, "10.0.0.1", 8), 0);
    assert_int_equal(bind_to(b, "10.0.0.1", 9), -EINVAL);
    close_sock(&a);
    a = made(0, 0);
    assert_int_equal(bind_to(a, "10.0.0.1", 7), 0);
}

TEST(an_address_that_is_not_ours)
{
    assert_int_equal(bind_to(fx_socket(), "10.0.0.9", 7), -EADDRNOTAVAIL);
}

TEST(reuseaddr_passes_until_somebody_listens)
{
    struct sock *a = made(1, 0), *b = made(1, 0), *c = made(0, 0), *d = made(1, 0);

    assert_int_equal(bind_to(a, "0.0.0.0", 7), 0);
    assert_int_equal(bind_to(b, "0.0.0.0", 7), 0);
    assert_int_equal(bind_to(c, "0.0.0.0", 7), -EADDRINUSE);
    assert_int_equal(sock_listen(a, 1, fx.now), 0);
    assert_int_equal(sock_listen(b, 1, fx.now), -EADDRINUSE);
    assert_int_equal(bind_to(d, "0.0.0.0", 7), -EADDRINUSE);
}

TEST(reuseport_lets_several_listen)
{
    struct sock *a = made(0, 1), *b = made(0, 1), *c = made(0, 0);

    assert_int_equal(bind_to(a, "0.0.0.0", 7), 0);
    assert_int_equal(sock_listen(a, 1, fx.now), 0);
    assert_int_equal(bind_to(b, "0.0.0.0", 7), 0);
    assert_int_equal(sock_listen(b, 1, fx.now), 0);
    assert_int_equal(bind_to(c, "0.0.0.0", 7), -EADDRINUSE);
}

TEST(reuseport_is_for_sockets_of_one_owner)
{
    struct sock *a = made(1, 1), *b = made(1, 1);

    sock_set_owner(a, 1000);
    sock_set_owner(b, 1001);
    assert_int_equal(bind_to(a, "0.0.0.0", 80), 0);
    assert_int_equal(sock_listen(a, 1, fx.now), 0);
    assert_int_equal(bind_to(b, "0.0.0.0", 80), -EADDRINUSE);
    assert_int_equal(bind_to(b, "10.0.0.1", 80), -EADDRINUSE);
    sock_set_owner(b, 1000);
    assert_int_equal(bind_to(b, "0.0.0.0", 80), 0);
}

/* Who of the group gets the connection of peer n. */
static unsigned taker(struct sock *const *group, unsigned members, unsigned n)
{
    struct sock *c;

    peer_use(n);
    fx.c->our_port = 80;
    peer(SYN, 0, 0, 0);
    clear();
    peer(ACK, 1, 1, 0);
    for (unsigned i = 0; i < members; i++) {
        if (!group[i] || sock_accept(group[i], &c, fx.now) != 0)
            continue;
        sock_abort(c, fx.now);
        run();
        clear();
        return i;
    }
    fail_msg("nobody has connection %u", n);
    return 0;
}

TEST(a_reuseport_group_shares_by_the_tuple_and_keeps_to_it)
{
    struct sock *group[4];
    unsigned count[4] = {0}, first[FX_CONNS];

    for (unsigned i = 0; i < 4; i++) {
        group[i] = made(0, 1);
        assert_int_equal(bind_to(group[i], "0.0.0.0", 80), 0);
        assert_int_equal(sock_listen(group[i], 8, fx.now), 0);
    }
    for (unsigned n = 0; n < FX_CONNS; n++)
        count[first[n] = taker(group, 4, n)]++;
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(count[i], FX_CONNS / 16, FX_CONNS / 2);
    for (unsigned n = 0; n < FX_CONNS; n++)
        assert_int_equal(taker(group, 4, n), first[n]);
    close_sock(&group[2]);
    for (unsigned n = 0; n < FX_CONNS; n++) {
        unsigned i = taker(group, 4, n);

        assert_true(i == first[n] || first[n] == 2);
        assert_true(i != 2);
    }
}

TEST(the_exact_address_comes_before_a_reuseport_group_of_the_wildcard)
{
    struct sock *group[3];

    for (unsigned i = 0; i < 3; i++) {
        group[i] = made(1, 1);
        assert_int_equal(bind_to(group[i], i == 1 ? "10.0.0.1" : "0.0.0.0", 80), 0);
        assert_int_equal(sock_listen(group[i], 8, fx.now), 0);
    }
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(taker(group, 3, n), 1);
}

TEST(bind_0_takes_no_port_that_somebody_has_although_it_could_be_shared)
{
    struct sock *a = made(1, 1), *b = made(1, 1), *c = made(1, 1);

    tun.port_min = 40000;
    tun.port_max = 40001;
    assert_int_equal(bind_to(a, "0.0.0.0", 0), 0);
    assert_int_equal(bind_to(b, "0.0.0.0", 0), 0);
    assert_int_not_equal(name(a), name(b));
    assert_int_equal(bind_to(c, "0.0.0.0", 0), -EADDRINUSE);
    assert_int_equal(bind_to(c, "0.0.0.0", 40000), 0);
}

TEST(bind_0_and_listen_pick_a_port)
{
    struct sock *a = made(0, 0), *b = fx_socket();

    assert_int_equal(bind_to(a, "0.0.0.0", 0), 0);
    assert_in_range(name(a), 32768, 60999);
    assert_int_equal(sock_listen(b, 1, fx.now), 0);
    assert_in_range(name(b), 32768, 60999);
    assert_int_not_equal(name(a), name(b));
}

TEST(the_exact_listener_comes_before_the_wildcard)
{
    struct sock *wild = made(1, 1), *exact = made(1, 1), *got;

    assert_int_equal(bind_to(wild, "0.0.0.0", FX_PORT), 0);
    assert_int_equal(sock_listen(wild, 1, fx.now), 0);
    assert_int_equal(bind_to(exact, "10.0.0.1", FX_PORT), 0);
    assert_int_equal(sock_listen(exact, 1, fx.now), 0);
    peer_connects();
    assert_int_equal(sock_accept(wild, &got, fx.now), -EAGAIN);
    assert_int_equal(sock_accept(exact, &got, fx.now), 0);
    close_sock(&exact);
    peer_use(1);
    peer_connects();
    assert_int_equal(sock_accept(wild, &got, fx.now), 0);
}

TEST(the_listener_s_port_is_of_the_segment)
{
    listening(1);
    fx.c->our_port = FX_PORT + 1;
    peer(SYN, 0, 0, 0);
    assert_int_equal(take()->flags, RST | ACK);
    assert_int_equal(cnt(tcp_in_no_socket), 1);
}

TEST(rfc6056_ephemeral_ports_are_in_the_range_even_and_unpredictable)
{
    unsigned steps = 0;
    uint16_t before = connect_port(0);

    for (unsigned i = 0; i < 50; i++) {
        uint16_t port = connect_port(0);

        assert_in_range(port, 32768, 60999);
        assert_int_equal(port % 2, 0); /* as Linux: odd ones are left to bind(0) */
        steps += (uint16_t)(port - before) == 2;
        before = port;
    }
    assert_true(steps < 25);
}

TEST(rfc6056_destinations_have_sequences_of_their_own)
{
    unsigned near = 0;

    for (unsigned i = 0; i < 50; i++) {
        int d = connect_port(i) - connect_port(i + 1);

        near += d > -100 && d < 100;
    }
    assert_true(near < 10);
}

TEST(rfc6056_another_secret_gives_other_ports)
{
    uint16_t a = connect_port(3);

    fx.config.seed[17] ^= 1;
    fx_restart();
    assert_int_not_equal(connect_port(3), a);
}

TEST(one_port_serves_different_destinations)
{
    struct ip_endpoint e = fx_endpoint("10.0.0.2", FX_PEER_PORT);

    tun.port_min = 40000;
    tun.port_max = 40000;
    for (int i = 0; i < 3; i++, e.port++)
        assert_int_equal(sock_connect(fx_socket(), &e, fx.now), -EINPROGRESS);
    e.port = FX_PEER_PORT;
    assert_int_equal(sock_connect(fx_socket(), &e, fx.now), -EADDRNOTAVAIL);
    assert_int_equal(cnt(tcp_no_ports), 1);
    run();
}

TEST(every_port_of_the_range_is_found)
{
    struct ip_endpoint e = fx_endpoint("10.0.0.2", FX_PEER_PORT);

    tun.port_min = 40000;
    tun.port_max = 40008; /* an odd number of them */
    for (int i = 0; i < 9; i++)
        assert_int_equal(sock_connect(fx_socket(), &e, fx.now), -EINPROGRESS);
    assert_int_equal(sock_connect(fx_socket(), &e, fx.now), -EADDRNOTAVAIL);
    run();
}

TEST(a_port_of_connect_cannot_be_bound)
{
    struct sock *s = made(1, 0);

    active();
    assert_int_equal(bind_to(s, "0.0.0.0", fx.c->our_port), -EADDRINUSE);
    close_sock(&s);
}

TEST(the_same_bound_tuple_twice_is_eaddrnotavail)
{
    struct sock *a = made(1, 0), *b = made(1, 0);
    struct ip_endpoint e = fx_peer_endpoint();

    assert_int_equal(bind_to(a, "0.0.0.0", 7), 0);
    assert_int_equal(bind_to(b, "0.0.0.0", 7), 0);
    assert_int_equal(sock_connect(a, &e, fx.now), -EINPROGRESS);
    assert_int_equal(sock_connect(b, &e, fx.now), -EADDRNOTAVAIL);
    run();
}

TEST(bind_without_memory)
{
    struct sock *s = fx_socket();

    fx.fail_all = true;
    assert_int_equal(bind_to(s, "0.0.0.0", 7), -ENOMEM);
    fx.fail_all = false;
    assert_int_equal(bind_to(s, "0.0.0.0", 7), 0);
}

TEST(the_wildcard_of_ipv6_alone_leaves_ipv4_the_port)
{
    struct ip_endpoint six = {ip_addr_any(true), 7};
    struct sock *a = made(0, 0), *b;
    int on = 1;

    assert_int_equal(sock_create(fx.st, true, &b), 0);
    assert_int_equal(sock_setsockopt(b, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on), fx.now), 0);
    assert_int_equal(bind_to(a, "0.0.0.0", 7), 0);
    assert_int_equal(sock_bind(b, &six, fx.now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(two_binds_of_one_port_conflict),
        T(an_address_that_is_not_ours),
        T(reuseaddr_passes_until_somebody_listens),
        T(reuseport_lets_several_listen),
        T(reuseport_is_for_sockets_of_one_owner),
        T(a_reuseport_group_shares_by_the_tuple_and_keeps_to_it),
        T(the_exact_address_comes_before_a_reuseport_group_of_the_wildcard),
        T(bind_0_takes_no_port_that_somebody_has_although_it_could_be_shared),
        T(bind_0_and_listen_pick_a_port),
        T(the_exact_listener_comes_before_the_wildcard),
        T(the_listener_s_port_is_of_the_segment),
        T(rfc6056_ephemeral_ports_are_in_the_range_even_and_unpredictable),
        T(rfc6056_destinations_have_sequences_of_their_own),
        T(rfc6056_another_secret_gives_other_ports),
        T(one_port_serves_different_destinations),
        T(every_port_of_the_range_is_found),
        T(a_port_of_connect_cannot_be_bound),
        T(the_same_bound_tuple_twice_is_eaddrnotavail),
        T(bind_without_memory),
        T(the_wildcard_of_ipv6_alone_leaves_ipv4_the_port),
    };

    return cmocka_run_group_tests_name("ports", tests, NULL, NULL);
}
