/* SPDX-License-Identifier: MIT */
/* The RTO's floor: of the destination, else of the connection, else the tunable; used where it
 * counts. */
#include "tests/unit/tcp/fixture.h"

static void rule(const char *prefix, uint32_t us)
{
    struct metrics_rule r = {.rto_min_us = us};

    assert_int_equal(ip_prefix_parse(prefix, &r.to), 0);
    assert_int_equal(stack_set_metrics(fx.st, &r, 1), 0);
}

/* An unanswered segment goes out again then; without SACK no probe comes before. */
static void resent_after(uint64_t us)
{
    uint64_t at;

    assert_int_equal(w(100), 100);
    at = expect(PSH | ACK, 1, 1, 100)->at;
    assert_in_range(tp->rto, us, us + 10);
    advance(at + us - fx.now - 1);
    expect_none();
    advance(11);
    expect(PSH | ACK, 1, 1, 100);
}

TEST(a_segment_to_the_network_is_resent_at_its_floor)
{
    rule("10.0.0.0/24", 50 * MS);
    fx.c->sack = false;
    passive();
    resent_after(50 * MS);
}

TEST(so_it_is_when_we_connect)
{
    rule("10.0.0.0/24", 50 * MS);
    fx.c->sack = false;
    active();
    resent_after(50 * MS);
}

TEST(a_larger_floor_holds_too)
{
    rule("0.0.0.0/0", 800 * MS);
    fx.c->sack = false;
    passive();
    resent_after(800 * MS);
}

TEST(another_networks_floor_is_not_ours)
{
    rule("10.0.1.0/24", 50 * MS);
    fx.c->sack = false;
    passive();
    resent_after(200 * MS);
}

TEST(the_destination_wins_over_the_socket_and_the_socket_over_the_tunable)
{
    passive();
    assert_int_equal(tcp_rto_min_us(tp), 200 * MS);
    tun.rto_min_us = 150 * MS;
    assert_int_equal(tcp_rto_min_us(tp), 150 * MS);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_RTO_MIN_US, 20 * MS), 0);
    assert_int_equal(tcp_rto_min_us(tp), 20 * MS);
    rule("10.0.0.2", 50 * MS);
    assert_int_equal(tcp_rto_min_us(tp), 50 * MS);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_RTO_MIN_US), 20 * MS);
}

/* As in Linux: the variance term approaches a smaller floor, and grows with measurements only. */
TEST(a_connection_follows_the_table_downwards)
{
    fx.c->sack = false;
    passive();
    assert_in_range(tp->rto, 200 * MS, 201 * MS);
    rule("10.0.0.0/8", 50 * MS);
    for (int i = 0; i < 30; i++)
        bulk(1000);
    assert_in_range(tp->rto, 50 * MS, 52 * MS);
    assert_int_equal(stack_set_metrics(fx.st, NULL, 0), 0);
    assert_int_equal(tcp_rto_min_us(tp), 200 * MS);
    bulk(1000);
    assert_in_range(tp->rto, 50 * MS, 52 * MS);
}

TEST(a_bad_table_changes_nothing)
{
    struct metrics_rule r = {.rto_min_us = 0};

    rule("10.0.0.0/8", 50 * MS);
    assert_int_equal(ip_prefix_parse("10.0.0.0/8", &r.to), 0);
    assert_int_equal(stack_set_metrics(fx.st, &r, 1), -ERANGE);
    passive();
    assert_int_equal(tcp_rto_min_us(tp), 50 * MS);
}

TEST(the_probe_waits_for_a_delayed_ack_of_that_network)
{
    rule("10.0.0.0/8", 20 * MS);
    fx.rtt = MS;
    passive();
    assert_int_equal(w(100), 100);
    clear();
    /* two round trips and the floor, but never behind the time-out: one and the floor */
    advance(19 * MS);
    expect_none();
    advance(4 * MS);
    expect(PSH | ACK, 1, 1, 100);
}

TEST(an_ack_is_held_back_for_less_than_the_floor)
{
    rule("10.0.0.0/8", 10 * MS);
    passive();
    tp->quick = 0;
    tp->pingpong = 1;
    peer(PSH | ACK, 1, 1, 100);
    advance(9 * MS - 1);
    expect_none();
    advance(1);
    expect(ACK, 1, 101, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_segment_to_the_network_is_resent_at_its_floor),
        T(so_it_is_when_we_connect),
        T(a_larger_floor_holds_too),
        T(another_networks_floor_is_not_ours),
        T(the_destination_wins_over_the_socket_and_the_socket_over_the_tunable),
        T(a_connection_follows_the_table_downwards),
        T(a_bad_table_changes_nothing),
        T(the_probe_waits_for_a_delayed_ack_of_that_network),
        T(an_ack_is_held_back_for_less_than_the_floor),
    };

    return cmocka_run_group_tests_name("rto_min", tests, NULL, NULL);
}
