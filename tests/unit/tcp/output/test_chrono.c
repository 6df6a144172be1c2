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

static uint64_t waited(enum tcp_chrono kind)
{
    struct sock_info i;

    sock_get_info(fx.s, &i, fx.now);
    return i.waited[kind];
}

TEST(each_reason_has_a_clock_of_its_own)
{
    passive();
    assert_int_equal(w(100), 100);
    advance(10 * MS); /* on its way */
    assert_int_equal(w(100), 100);
    advance(20 * MS); /* Nagle */
    peer(ACK, 1, 101, 0);
    advance(5 * MS);
    peer(ACK, 1, 201, 0);
    assert_int_equal(waited(TCP_CHRONO_app), 15 * MS);
    assert_int_equal(waited(TCP_CHRONO_nagle), 20 * MS);
    assert_int_equal(w(60000), 60000);
    advance(30 * MS);
    assert_int_equal(waited(TCP_CHRONO_cwnd), 30 * MS);
    assert_int_equal(info().busy_time, 65 * MS);
    assert_true(tp->chronos != NULL);
}

TEST(a_cork_has_a_clock)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_CORK, 1), 0);
    assert_int_equal(w(100), 100);
    advance(50 * MS);
    assert_int_equal(waited(TCP_CHRONO_cork), 50 * MS);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_CORK, 0), 0);
    advance(10 * MS);
    assert_int_equal(waited(TCP_CHRONO_cork), 50 * MS);
    assert_int_equal(waited(TCP_CHRONO_app), 10 * MS);
}

TEST(the_repair_of_losses_has_a_clock)
{
    passive();
    assert_int_equal(w(14480), 14480);
    advance(100 * MS);
    assert_int_equal(waited(TCP_CHRONO_recovery), 0);
    while (tp->ca_state != 4)
        advance(10 * MS);
    advance(100 * MS);
    assert_true(waited(TCP_CHRONO_recovery) >= 100 * MS);
    assert_int_equal(info().busy_time, waited(TCP_CHRONO_recovery) + waited(TCP_CHRONO_app) +
                                           waited(TCP_CHRONO_cwnd));
    peer(ACK, 1, 14481, 0);
    advance(1 * SEC);
    assert_int_equal(waited(TCP_CHRONO_NONE), 0);
    assert_true(info().busy_time < 2 * SEC);
}

TEST(a_program_that_does_not_read_has_a_clock)
{
    struct sock_info i;

    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVBUF, 10000), 0);
    for (unsigned n = 0; n < 6; n++)
        peer(PSH | ACK, 1 + 1000 * n, 1, 1000);
    advance(70 * MS);
    sock_get_info(fx.s, &i, fx.now);
    assert_int_equal(i.reader_us, 70 * MS);
    assert_int_equal(r(6000), 6000);
    advance(1 * SEC);
    sock_get_info(fx.s, &i, fx.now);
    assert_int_equal(i.reader_us, 70 * MS);
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
        T(each_reason_has_a_clock_of_its_own),
        T(a_cork_has_a_clock),
        T(the_repair_of_losses_has_a_clock),
        T(a_program_that_does_not_read_has_a_clock),
        T(a_reset_stops_the_clock),
        T(a_fin_alone_is_busy_time_too),
    };

    return cmocka_run_group_tests_name("chrono", tests, NULL, NULL);
}
