/* SPDX-License-Identifier: MIT */
/* From a packet to its connection, and the walk through all eleven states (RFC 9293 §3.3.2,
 * §3.10.7). */
#include "tests/unit/tcp/fixture.h"

static unsigned seen; /* a bit per state */

static void see(const struct sock *s)
{
    unsigned state = s ? s->tcb->conn.state : fx_state();

    seen |= 1u << state;
}

TEST(all_eleven_states_are_visited)
{
    seen = 0;
    listening(4);
    see(fx.lst);
    connecting();
    see(NULL);
    peer(SYN, 0, 0, 0);
    see(NULL); /* SYN-RECEIVED: simultaneous open */
    peer(ACK, 1, 1, 0);
    see(NULL);
    close_it();
    see(NULL); /* FIN-WAIT-1 */
    peer(FIN | ACK, 1, 1, 0);
    see(NULL); /* CLOSING */
    peer(ACK, 2, 2, 0);
    see(NULL); /* TIME-WAIT */
    advance(61 * SEC);
    see(NULL);
    clear();
    peer_use(1);
    passive();
    peer(FIN | ACK, 1, 1, 0);
    see(NULL); /* CLOSE-WAIT */
    close_it();
    see(NULL); /* LAST-ACK */
    clear();
    peer_use(2);
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    run();
    peer(ACK, 1, 2, 0);
    see(fx.s); /* FIN-WAIT-2 */
    for (unsigned i = 1; i < TCPS_COUNT; i++) {
        if (!(seen & 1u << i))
            fail_msg("%s was not visited", tcp_state_name(i));
    }
}

TEST(two_connections_of_one_peer_do_not_mix)
{
    struct sock *a, *b;

    passive();
    a = fx.s;
    peer_use(1);
    passive();
    b = fx.s;
    peer(PSH | ACK, 1, 1, 10);
    fx.s = a;
    peer_use(0);
    assert_int_equal(r(100), -EAGAIN);
    peer(PSH | ACK, 1, 1, 20);
    assert_int_equal(r(100), 20);
    fx.s = b;
    peer_use(1);
    assert_int_equal(r(100), 10);
    peer_use(0);
    peer(RST, 21, 0, 0);
    assert_state(CLOSED);
    peer_use(1);
    assert_state(ESTABLISHED);
}

TEST(must_57_nothing_for_a_group_of_hosts)
{
    uint8_t b[54] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,    0,    0,    0, 2, 8,
                     0,    0x45, 0,    0,    40,   0,    0, 0x40, 0,    64,   6, 0, 0,
                     10,   0,    0,    2,    10,   0,    0, 1,    0x0f, 0xa0, 0, 80};
    uint32_t sum = 0;

    listening(1);
    for (int i = 14; i < 34; i += 2)
        sum += (uint32_t)(b[i] << 8 | b[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    b[24] = (uint8_t)(~sum >> 8);
    b[25] = (uint8_t)~sum;
    b[46] = 0x50;
    b[47] = SYN;
    sum = 0x0a00 + 2 + 0x0a00 + 1 + 6 + 20;
    for (int i = 34; i < 54; i += 2)
        sum += (uint32_t)(b[i] << 8 | b[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    b[50] = (uint8_t)(~sum >> 8);
    b[51] = (uint8_t)~sum;
    fx_input_bytes(b, sizeof(b)); /* a link broadcast */
    run();
    expect_none();
    memcpy(b, "\2\0\0\0\0\1", 6);
    fx_input_bytes(b, sizeof(b));
    run();
    assert_int_equal(take()->flags, SYN | ACK);
}

TEST(a_batch_is_processed_whole_and_answered_once)
{
    passive();
    assert_int_equal(w(5000), 5000);
    clear();
    peer(ACK, 1, 1449, 0, .later = true);
    peer(ACK, 1, 2897, 0, .later = true);
    peer(PSH | ACK, 1, 2897, 100, .later = true);
    peer(PSH | ACK, 101, 5001, 100, .later = true);
    expect_none();
    run();
    expect(ACK, 5001, 201, 0);
    expect_none();
}

TEST(a_connection_to_oneself)
{
    struct ip_endpoint e = fx_endpoint("10.0.0.1", FX_PORT);
    struct sock *client, *server;
    char buf[32];
    struct iovec iov = {buf, sizeof(buf)};
    struct iovec text = {(void *)"hello", 5};

    listening(4);
    client = fx_socket();
    assert_int_equal(sock_connect(client, &e, fx.now), -EINPROGRESS);
    run();
    assert_int_equal(sock_connect(client, &e, fx.now), 0);
    assert_int_equal(sock_accept(fx.lst, &server, fx.now), 0);
    assert_int_equal(sock_sendmsg(client, &text, 1, 0, fx.now), 5);
    run();
    assert_int_equal(sock_recvmsg(server, &iov, 1, 0, fx.now), 5);
    assert_memory_equal(buf, "hello", 5);
    sock_close(client, fx.now);
    run();
    assert_int_equal(sock_recvmsg(server, &iov, 1, 0, fx.now), 0);
    sock_close(server, fx.now);
    run();
    expect_none(); /* nothing of it was seen outside */
    assert_true(cnt(ip_out_local) > 5);
}

TEST(hostile_08_land_a_socket_that_connects_to_itself)
{
    struct ip_endpoint e = fx_endpoint("10.0.0.1", 5555), any = fx_endpoint("0.0.0.0", 5555);
    char buf[8];
    struct iovec iov = {buf, sizeof(buf)}, text = {(void *)"x", 1};

    fx.s = fx_socket();
    assert_int_equal(sock_bind(fx.s, &any, fx.now), 0);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EINPROGRESS);
    run();
    /* a simultaneous open with itself (RFC 9293 §3.5) */
    assert_int_equal(tp->conn.state, TCPS_ESTABLISHED);
    assert_int_equal(sock_sendmsg(fx.s, &text, 1, 0, fx.now), 1);
    run();
    assert_int_equal(sock_recvmsg(fx.s, &iov, 1, 0, fx.now), 1);
    sock_close(fx.s, fx.now);
    run();
    advance(200 * SEC);
    expect_none();
    assert_int_equal(fx.st->tcp.n_tcbs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(all_eleven_states_are_visited),
        T(two_connections_of_one_peer_do_not_mix),
        T(must_57_nothing_for_a_group_of_hosts),
        T(a_batch_is_processed_whole_and_answered_once),
        T(a_connection_to_oneself),
        T(hostile_08_land_a_socket_that_connects_to_itself),
    };

    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
