/* SPDX-License-Identifier: MIT */
/* Five named deadlines over one wheel entry. */
#include "tests/unit/tcp/fixture.h"

TEST(the_entry_is_armed_for_the_earliest)
{
    uint64_t at;

    passive();
    tcp_timer_set(tp, TCP_TIMER_keepalive, fx.now + 100 * SEC);
    assert_int_equal(tp->timer.node.deadline, fx.now + 100 * SEC);
    tcp_timer_set(tp, TCP_TIMER_delack, fx.now + SEC);
    assert_int_equal(tp->timer.node.deadline, fx.now + SEC);
    assert_string_equal(tcp_timer_next(tp, &at), "delack");
    assert_int_equal(at, fx.now + SEC);
    tcp_timer_clear(tp, TCP_TIMER_delack);
    assert_string_equal(tcp_timer_next(tp, &at), "keepalive");
    tcp_timers_stop(tp);
    assert_null(tcp_timer_next(tp, &at));
    assert_false(wheel_armed(&tp->timer.node));
}

TEST(moving_a_deadline_later_costs_no_rearming)
{
    passive();
    assert_int_equal(w(10), 10);
    clear();
    for (int i = 0; i < 10; i++) {
        uint64_t armed = tp->timer.node.deadline;

        advance(10 * MS);
        tcp_rearm_rto(tp);
        assert_int_equal(tp->timer.node.deadline, armed);
    }
    advance(190 * MS);
    expect_none(); /* it fired early, found nothing due and went on */
    advance(11 * MS);
    expect(PSH | ACK, 1, 1, 10);
}

TEST(the_deadline_of_the_stack_is_never_too_late)
{
    passive();
    assert_int_equal(w(10), 10);
    assert_true(stack_next_deadline(fx.st) <= tp->deadline[TCP_TIMER_rexmt]);
    clear();
    peer(ACK, 1, 11, 0);
    peer(PSH | ACK, 1, 11, 10);
    clear();
}

TEST(a_timer_that_ends_the_connection_is_its_last)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 100), 0);
    assert_int_equal(set_int(SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    assert_int_equal(w(10), 10);
    close_it();
    advance(10 * SEC);
    assert_state(CLOSED);
    clear();
    advance(10000 * SEC);
    expect_none();
}

TEST(info_names_the_next_timer_as_ss_does)
{
    struct sock_info i;

    passive();
    sock_get_info(fx.s, &i, fx.now);
    assert_null(i.timer);
    assert_int_equal(w(10), 10);
    sock_get_info(fx.s, &i, fx.now);
    assert_string_equal(i.timer, "on");
    assert_int_equal(i.timer_us, tp->rto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_entry_is_armed_for_the_earliest),
        T(moving_a_deadline_later_costs_no_rearming),
        T(the_deadline_of_the_stack_is_never_too_late),
        T(a_timer_that_ends_the_connection_is_its_last),
        T(info_names_the_next_timer_as_ss_does),
    };

    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
