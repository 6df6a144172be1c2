/* SPDX-License-Identifier: MIT */
/* ICMP errors about our segments (RFC 9293 §3.9.2.2, RFC 5927, RFC 1191). */
#include "tests/unit/tcp/fixture.h"

static void refused_by(uint8_t type, uint8_t code, int error)
{
    connecting();
    peer_icmp(type, code, 0, 0);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), error);
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
}

TEST(port_unreachable_while_connecting_is_econnrefused)
{
    refused_by(3, 3, ECONNREFUSED);
}

TEST(protocol_unreachable_while_connecting_is_enoprotoopt)
{
    refused_by(3, 2, ENOPROTOOPT);
}

TEST(host_unreachable_while_connecting_is_ehostunreach)
{
    refused_by(3, 1, EHOSTUNREACH);
}

TEST(net_unreachable_while_connecting_is_enetunreach)
{
    refused_by(3, 0, ENETUNREACH);
}

TEST(time_exceeded_while_connecting_is_ehostunreach)
{
    refused_by(11, 0, EHOSTUNREACH);
}

TEST(once_established_every_error_is_soft)
{
    passive();
    assert_int_equal(w(100), 100);
    clear();
    peer_icmp(3, 3, 0, 1);
    peer_icmp(3, 1, 0, 1);
    assert_state(ESTABLISHED);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), 0);
}

TEST(a_soft_error_is_the_reason_when_the_connection_times_out)
{
    passive();
    assert_int_equal(w(100), 100);
    peer_icmp(3, 1, 0, 1);
    advance(2000 * SEC);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), EHOSTUNREACH);
}

TEST(an_acceptable_ack_clears_the_soft_error)
{
    passive();
    assert_int_equal(w(100), 100);
    peer_icmp(3, 1, 0, 1);
    peer(ACK, 1, 101, 0);
    assert_int_equal(sock_error(fx.s, false), 0);
}

TEST(a_quoted_sequence_number_must_be_in_flight)
{
    connecting();
    peer_icmp(3, 3, 0, 5);
    peer_icmp(3, 3, 0, 0x80000000u);
    assert_state(SYN_SENT);
    assert_int_equal(cnt(icmp_in_errors_ignored), 2);
}

TEST(an_error_about_an_unknown_tuple_is_ignored)
{
    fx.c->our_port = 1234;
    peer_icmp(3, 3, 0, 0);
    assert_int_equal(cnt(icmp_in_errors_ignored), 1);
}

TEST(fragmentation_needed_lowers_the_mss_and_resends_at_once)
{
    passive();
    assert_int_equal(w(4 * 1448), 4 * 1448);
    expect(PSH | ACK, 1, 1, 4 * 1448);
    peer_icmp(3, 4, 1000, 1);
    assert_int_equal(tp->mss_cache, 948);
    assert_int_equal(take()->gso_size, 948);
    assert_int_equal(fx.segs[fx.next - 1].len + take_bytes(), 4 * 1448);
    /* no congestion: the window is as it was; in LOSS, as in Linux, duplicates start no recovery */
    assert_int_equal(tp->cwnd, 10);
    assert_int_equal(tp->ca_state, CA_LOSS);
    peer(ACK, 1, 4 * 1448 + 1, 0);
    assert_int_equal(tp->packets_out, 0);
    assert_int_equal(w(1000), 1000);
    assert_int_equal(take()->gso_size, 948);
}

TEST(a_second_report_about_the_same_flight_changes_nothing)
{
    passive();
    assert_int_equal(w(4 * 1448), 4 * 1448);
    peer_icmp(3, 4, 1000, 1);
    clear();
    peer_icmp(3, 4, 1000, 1449);
    expect_none();
}

TEST(hostile_25_absurd_mtus_have_a_floor_and_never_raise_the_mss)
{
    passive();
    assert_int_equal(w(1448), 1448);
    peer_icmp(3, 4, 9000, 1);
    assert_int_equal(tp->mss_cache, 1448);
    peer_icmp(3, 4, 68, 1);
    assert_int_equal(tp->mss_cache, 552 - 52);
    peer_icmp(3, 4, 1, 1);
    assert_int_equal(tp->mss_cache, 552 - 52);
    assert_int_equal(tp->pmtu, 552);
}

TEST(a_half_open_connection_is_forgotten_when_its_syn_ack_cannot_arrive)
{
    struct stack_usage u;

    listening(4);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    peer_icmp(3, 1, 0, 7); /* not our ISN */
    stack_usage(fx.st, &u);
    assert_int_equal(u.requests, 1);
    peer_icmp(3, 1, 0, 0);
    stack_usage(fx.st, &u);
    assert_int_equal(u.requests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(port_unreachable_while_connecting_is_econnrefused),
        T(protocol_unreachable_while_connecting_is_enoprotoopt),
        T(host_unreachable_while_connecting_is_ehostunreach),
        T(net_unreachable_while_connecting_is_enetunreach),
        T(time_exceeded_while_connecting_is_ehostunreach),
        T(once_established_every_error_is_soft),
        T(a_soft_error_is_the_reason_when_the_connection_times_out),
        T(an_acceptable_ack_clears_the_soft_error),
        T(a_quoted_sequence_number_must_be_in_flight),
        T(an_error_about_an_unknown_tuple_is_ignored),
        T(fragmentation_needed_lowers_the_mss_and_resends_at_once),
        T(a_second_report_about_the_same_flight_changes_nothing),
        T(hostile_25_absurd_mtus_have_a_floor_and_never_raise_the_mss),
        T(a_half_open_connection_is_forgotten_when_its_syn_ack_cannot_arrive),
    };

    return cmocka_run_group_tests_name("tcp icmp", tests, NULL, NULL);
}
