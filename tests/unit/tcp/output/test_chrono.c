/* SPDX-License-Identifier: MIT */
/* tcp_info's busy_time, rwnd_limited and sndbuf_limited (linux-sender §14). */
#include "tests/unit/tcp/fixture.h"

static struct sock_tcp_info info(void)
{
    struct sock_info i;

    sock_get_info(fx.s, &i, fx.now);
    return i.tcp;
}

TEST(busy_is_the_time_from_the_first_byte_to_its_acknowledgement)
{
    passive();
    advance(5 * SEC);
    assert_int_equal(info().busy_time, 0);
    assert_int_equal(w(100), 100);
    advance(30 * MS);
    assert_int_equal(info().busy_time, 30 * MS);
    peer(ACK, 1, 101, 0);
    advance(5 * SEC);
    assert_int_equal(info().busy_time, 30 * MS);
    assert_int_equal(w(100), 100);
    advance(10 * MS);
    peer(ACK, 1, 201, 0);
    assert_int_equal(info().busy_time, 40 * MS);
    assert_int_equal(info().rwnd_limited, 0);
    assert_int_equal(info().sndbuf_limited, 0);
}

TEST(a_closed_window_counts_as_rwnd_limited)
{
    passive();
    peer(ACK, 1, 1, 0, .win = -1);
    assert_int_equal(w(100), 100);
    advance(100 * MS);
    assert_int_equal(info().rwnd_limited, 100 * MS);
    peer(ACK, 1, 1, 0);
    advance(50 * MS);
    assert_int_equal(info().rwnd_limited, 100 * MS);
    assert_int_equal(info().busy_time, 150 * MS);
    peer(ACK, 1, 101, 0);
    advance(1 * SEC);
    assert_int_equal(info().busy_time, 150 * MS);
}

TEST(a_window_smaller_than_what_waits_counts_as_rwnd_limited)
{
    fx.c->wscale = -1;
    fx.c->window = 3000;
    passive();
    assert_int_equal(w(20000), 20000);
    advance(100 * MS);
    assert_int_equal(info().rwnd_limited, 100 * MS);
}

TEST(the_congestion_window_is_neither)
{
    passive();
    assert_int_equal(w(60000), 60000);
    advance(100 * MS);
    assert_int_equal(info().busy_time, 100 * MS);
    assert_int_equal(info().rwnd_limited, 0);
    assert_int_equal(info().sndbuf_limited, 0);
}

TEST(a_writer_that_waits_below_the_congestion_window_is_sndbuf_limited)
{
    fx.c->wscale = -1;
    fx.c->window = 8000;
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 2304), 0);
    assert_int_equal(w(10000), 5792); /* short: it wants to write on */
    advance(10 * MS);
    peer(ACK, 1, 1449, 0); /* room for a little, not enough to call the writer */
    assert_int_equal(w(10000), 2896);
    assert_true(tp->packets_out < tp->cwnd);
    assert_int_equal(info().sndbuf_limited, 0);
    advance(50 * MS);
    assert_int_equal(info().sndbuf_limited, 50 * MS);
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    advance(50 * MS);
    assert_int_equal(info().sndbuf_limited, 50 * MS);
    assert_int_equal(info().busy_time, 60 * MS);
}

TEST(a_reset_stops_the_clock)
{
    passive();
    assert_int_equal(w(100), 100);
    advance(10 * MS);
    peer(RST | ACK, 1, 1, 0);
    advance(1 * SEC);
    assert_int_equal(info().busy_time, 10 * MS);
}

TEST(a_fin_alone_is_busy_time_too)
{
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    run();
    advance(10 * MS);
    peer(ACK, 1, 2, 0);
    advance(1 * SEC);
    assert_int_equal(info().busy_time, 10 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(busy_is_the_time_from_the_first_byte_to_its_acknowledgement),
        T(a_closed_window_counts_as_rwnd_limited),
        T(a_window_smaller_than_what_waits_counts_as_rwnd_limited),
        T(the_congestion_window_is_neither),
        T(a_writer_that_waits_below_the_congestion_window_is_sndbuf_limited),
        T(a_reset_stops_the_clock),
        T(a_fin_alone_is_busy_time_too),
    };

    return cmocka_run_group_tests_name("chrono", tests, NULL, NULL);
}
