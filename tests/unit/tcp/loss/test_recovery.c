/* SPDX-License-Identifier: MIT */
/* The states of congestion and what leads from one to another (linux-sender §10). */
#include "tests/unit/tcp/fixture.h"

#define MSS 1448u

static void ten_out(bool sack, unsigned more)
{
    fx.c->sack = sack;
    fx.rtt = 100 * MS;
    tun.early_retrans = 0;
    passive();
    assert_int_equal(w((10 + more) * MSS), (10 + more) * MSS);
    assert_int_equal(take_bytes(), 10 * MSS);
    advance(100 * MS);
}

/* As programs see it. */
static int info_state(void)
{
    struct tcp_info info;
    size_t len = sizeof(info);

    assert_int_equal(sock_getsockopt(fx.s, IPPROTO_TCP, TCP_INFO, &info, &len, fx.now), 0);
    return info.tcpi_ca_state;
}

static void mark(void)
{
    struct tcp_ack_state as = tcp_ack_begin(tp);

    as.ece = true;
    tcp_fastretrans_alert(tp, &as);
}

TEST(tcp_info_names_the_state)
{
    ten_out(true, 10);
    assert_int_equal(info_state(), CA_OPEN);
    peer(ACK, 1, 1, 0, .sack = "1449:2897");
    assert_int_equal(info_state(), CA_DISORDER);
    peer(ACK, 1, 1, 0, .sack = "1449:5793");
    assert_int_equal(info_state(), CA_RECOVERY);
    clear();
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(info_state(), CA_OPEN);
    clear();
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(w(MSS), MSS);
    advance(tp->rto + 1);
    assert_int_equal(info_state(), CA_LOSS);
    clear();
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(info_state(), CA_OPEN);
    assert_int_equal(w(MSS), MSS);
    mark();
    assert_int_equal(info_state(), CA_CWR);
    clear();
}

TEST(disorder_goes_by_itself)
{
    ten_out(true, 0);
    peer(ACK, 1, 1, 0, .sack = "1449:2897");
    assert_int_equal(tp->ca_state, CA_DISORDER);
    peer(ACK, 1, 1 + 2 * MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(cnt(tcp_recoveries), 0);
    assert_true(tp->cwnd >= 10);
    clear();
}

TEST(recovery_from_cwr_does_not_cut_again)
{
    ten_out(true, 20);
    mark();
    assert_int_equal(tp->ca_state, CA_CWR);
    assert_int_equal(tp->ssthresh, 5);
    peer(ACK, 1, 1, 0, .sack = "1449:5793");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5);
    clear();
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 5);
    clear();
}

TEST(cwr_ends_when_more_than_its_flight_is_acknowledged)
{
    ten_out(true, 20);
    mark();
    peer(ACK, 1, 1 + 10 * MSS, 0);
    assert_int_equal(tp->ca_state, CA_CWR);
    clear();
    mark(); /* once a window */
    assert_int_equal(tp->ssthresh, 5);
    peer(ACK, 1, 1 + 11 * MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_in_range(tp->cwnd, 5, 6);
    clear();
}

TEST(a_time_out_during_recovery_cuts_no_second_time)
{
    ten_out(true, 20);
    peer(ACK, 1, 1, 0, .sack = "1449:5793");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    clear();
    advance(tp->rto + 1);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(take()->seq, 1);
    assert_int_equal(tp->cwnd, tcp_in_flight(tp));
    clear();
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    clear();
}

TEST(a_time_out_in_cwr_cuts_no_second_time)
{
    ten_out(true, 0);
    mark();
    advance(tp->rto + 1);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(tp->cwnd, 1);
    clear();
}

TEST(without_sack_the_state_is_held_at_high_seq)
{
    ten_out(false, 20);
    for (int i = 0; i < 9; i++)
        peer(ACK, 1, 1, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    clear();
    peer(ACK, 1, tp->high_seq - tp->iss, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY); /* RFC 6582 §6 */
    for (int i = 0; i < 5; i++)
        peer(ACK, 1, tp->snd_una - tp->iss, 0);
    assert_int_equal(cnt(tcp_out_retrans), 1);
    clear();
    peer(ACK, 1, tp->high_seq - tp->iss + MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 5);
    clear();
}

/* The duplicates of one recovery are not the next one's. */
TEST(without_sack_a_recovery_takes_its_duplicates_along)
{
    ten_out(false, 20);
    for (int i = 0; i < 12; i++)
        peer(ACK, 1, 1, 0);
    assert_true(tp->packets_out > 12);
    peer(ACK, 1, tp->high_seq - tp->iss, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY); /* held (RFC 6582 §6) */
    assert_int_equal(tp->sacked_out, 0);
    assert_int_equal(tcp_in_flight(tp), tp->packets_out);
    clear();
}

/* One ACK ends a recovery and tells of the next loss: nothing waits for another ACK. */
TEST(the_ack_that_ends_a_recovery_may_begin_the_next)
{
    ten_out(true, 20);
    peer(ACK, 1, 1, 0, .sack = "1449:5793");
    peer(ACK, 1, 1, 0, .sack = "1449:10137");
    peer(ACK, 1, 1, 0, .sack = "1449:14481");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->high_seq - tp->iss, 14481);
    assert_int_equal(tp->snd_nxt - tp->iss, 20273);
    clear();
    advance(100 * MS);
    peer(ACK, 1, 14481, 0, .sack = "15929:20273");
    assert_int_equal(cnt(tcp_recoveries), 2);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(take()->seq, 14481);
    clear();
}

TEST(with_nothing_out_it_opens_and_late_duplicates_still_do_not_count)
{
    ten_out(false, 0);
    for (int i = 0; i < 5; i++)
        peer(ACK, 1, 1, 0);
    clear();
    peer(ACK, 1, 1 + 10 * MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(w(5 * MSS), 5 * MSS);
    clear();
    for (int i = 0; i < 5; i++)
        peer(ACK, 1, 1 + 10 * MSS, 0);
    assert_int_equal(cnt(tcp_recoveries), 1);
    expect_none();
    peer(ACK, 1, 1 + 11 * MSS, 0);
    for (int i = 0; i < 3; i++)
        peer(ACK, 1, 1 + 11 * MSS, 0);
    assert_int_equal(cnt(tcp_recoveries), 2); /* these do */
    clear();
}

TEST(a_lost_syn_is_no_loss_of_the_stream)
{
    connecting();
    advance(3 * SEC);
    assert_int_equal(tp->ca_state, CA_OPEN);
    clear();
    peer(SYN | ACK, 0, 1, 0);
    clear();
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->retrans_stamp, 0);
    assert_int_equal(tp->ssthresh, TCP_INIT_SSTHRESH);
    assert_false(tp->undo_ok);
    clear();
}

TEST(reno_cuts_by_what_is_in_flight)
{
    ten_out(true, 0);
    tp->cwnd = 40;
    peer(ACK, 1, 1, 0, .sack = "1449:5793");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5);
    clear();
    peer(ACK, 1, 1 + 10 * MSS, 0);
    /* an ECN mark is answered by half of the window, as RFC 3168 has it */
    tp->cwnd = 40;
    assert_int_equal(w(MSS), MSS);
    mark();
    assert_int_equal(tp->ssthresh, 20);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tcp_info_names_the_state),
        T(disorder_goes_by_itself),
        T(recovery_from_cwr_does_not_cut_again),
        T(cwr_ends_when_more_than_its_flight_is_acknowledged),
        T(a_time_out_during_recovery_cuts_no_second_time),
        T(a_time_out_in_cwr_cuts_no_second_time),
        T(without_sack_the_state_is_held_at_high_seq),
        T(with_nothing_out_it_opens_and_late_duplicates_still_do_not_count),
        T(a_lost_syn_is_no_loss_of_the_stream),
        T(reno_cuts_by_what_is_in_flight),
        T(without_sack_a_recovery_takes_its_duplicates_along),
        T(the_ack_that_ends_a_recovery_may_begin_the_next),
    };

    return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
