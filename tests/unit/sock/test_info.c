/* SPDX-License-Identifier: MIT */
/* TCP_INFO is Linux's struct tcp_info, byte for byte where it names the same thing. */
#include "tests/unit/tcp/fixture.h"

#define SAME(field)                                                                                \
    do {                                                                                           \
        struct tcp_info l_;                                                                        \
        struct sock_tcp_info o_;                                                                   \
                                                                                                   \
        assert_int_equal(offsetof(struct sock_tcp_info, field),                                    \
                         offsetof(struct tcp_info, tcpi_##field));                                 \
        assert_int_equal(sizeof(o_.field), sizeof(l_.tcpi_##field));                               \
    } while (0)

TEST(every_field_lies_where_linux_has_it)
{
    SAME(state);
    SAME(ca_state);
    SAME(retransmits);
    SAME(probes);
    SAME(backoff);
    SAME(options);
    SAME(rto);
    SAME(ato);
    SAME(snd_mss);
    SAME(rcv_mss);
    SAME(unacked);
    SAME(sacked);
    SAME(lost);
    SAME(retrans);
    SAME(fackets);
    SAME(last_data_sent);
    SAME(last_ack_sent);
    SAME(last_data_recv);
    SAME(last_ack_recv);
    SAME(pmtu);
    SAME(rcv_ssthresh);
    SAME(rtt);
    SAME(rttvar);
    SAME(snd_ssthresh);
    SAME(snd_cwnd);
    SAME(advmss);
    SAME(reordering);
    SAME(rcv_rtt);
    SAME(rcv_space);
    SAME(total_retrans);
    SAME(pacing_rate);
    SAME(max_pacing_rate);
    SAME(bytes_acked);
    SAME(bytes_received);
    SAME(segs_out);
    SAME(segs_in);
    SAME(notsent_bytes);
    SAME(min_rtt);
    SAME(data_segs_in);
    SAME(data_segs_out);
    SAME(delivery_rate);
    SAME(busy_time);
    SAME(rwnd_limited);
    SAME(sndbuf_limited);
    SAME(delivered);
    SAME(delivered_ce);
    SAME(bytes_sent);
    SAME(bytes_retrans);
    SAME(dsack_dups);
    SAME(reord_seen);
    SAME(rcv_ooopack);
    SAME(snd_wnd);
    /* younger than some headers (Linux 6.2, 6.7) */
    assert_int_equal(offsetof(struct sock_tcp_info, rcv_wnd), 232);
    assert_int_equal(offsetof(struct sock_tcp_info, rehash), 236);
    assert_int_equal(offsetof(struct sock_tcp_info, total_rto), 240);
    assert_int_equal(offsetof(struct sock_tcp_info, total_rto_recoveries), 242);
    assert_int_equal(offsetof(struct sock_tcp_info, total_rto_time), 244);
    assert_int_equal(sizeof(struct sock_tcp_info), 248);
}

/* The two window scales are bit fields in Linux: through the same bytes. */
TEST(the_window_scales_are_linux_s_bit_fields)
{
    struct sock_tcp_info ours;
    struct tcp_info linux_s;
    size_t len = sizeof(ours);

    fx.c->wscale = 5;
    passive();
    memset(&linux_s, 0, sizeof(linux_s));
    assert_int_equal(sock_getsockopt(fx.s, IPPROTO_TCP, TCP_INFO, &ours, &len, fx.now), 0);
    memcpy(&linux_s, &ours, sizeof(ours) < sizeof(linux_s) ? sizeof(ours) : sizeof(linux_s));
    assert_int_equal(linux_s.tcpi_snd_wscale, 5);
    assert_int_equal(linux_s.tcpi_rcv_wscale, 7);
    assert_int_equal(linux_s.tcpi_options, TCPI_OPT_TIMESTAMPS | TCPI_OPT_WSCALE);
    assert_int_equal(linux_s.tcpi_state, 1);
}

TEST(the_numbers_of_a_small_session)
{
    struct sock_info i;

    fx.rtt = 20 * MS;
    passive();
    assert_int_equal(w(5000), 5000);
    clear();
    peer(PSH | ACK, 1, 1449, 100);
    advance(5 * MS);
    sock_get_info(fx.s, &i, fx.now);
    assert_int_equal(i.state, TCPS_ESTABLISHED);
    assert_true(i.has_handle);
    assert_int_equal(i.recv_queue, 100);
    assert_int_equal(i.send_queue, 5000 - 1448);
    assert_int_equal(i.tcp.unacked, 3);
    assert_int_equal(i.tcp.bytes_acked, 1448);
    assert_int_equal(i.tcp.bytes_received, 100);
    assert_int_equal(i.tcp.bytes_sent, 5000);
    assert_int_equal(i.tcp.data_segs_out, 4);
    assert_int_equal(i.tcp.data_segs_in, 1);
    assert_int_equal(i.tcp.snd_mss, 1448);
    assert_int_equal(i.tcp.advmss, 1448);
    assert_int_equal(i.tcp.pmtu, 1500);
    assert_int_equal(i.tcp.min_rtt, 1); /* the ACK came at once */
    assert_int_equal(i.tcp.last_data_recv, 5);
    assert_int_equal(i.tcp.snd_wnd, 65535u << 7);
    assert_int_equal(i.local.port, FX_PORT);
    assert_int_equal(i.remote.port, FX_PEER_PORT);
}

TEST(a_listener_shows_its_queue_and_backlog)
{
    struct sock_info i;

    listening(7);
    peer_connects();
    sock_get_info(fx.lst, &i, fx.now);
    assert_int_equal(i.state, TCPS_LISTEN);
    assert_int_equal(i.recv_queue, 1);
    assert_int_equal(i.send_queue, 7);
    assert_int_equal(i.tcp.unacked, 1);
    assert_int_equal(i.tcp.sacked, 7);
}

struct tally {
    unsigned states[TCPS_COUNT], handles;
};

static void tally(void *ctx, const struct sock_info *info)
{
    struct tally *t = ctx;

    t->states[info->state]++;
    t->handles += info->has_handle;
}

TEST(stack_each_shows_sockets_orphans_requests_and_time_wait)
{
    struct tally t = {0};

    listening(8);
    passive();
    peer_use(1);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    clear();
    peer_use(2);
    passive();
    close_it();
    peer_use(3);
    clear();
    passive();
    close_it();
    peer(FIN | ACK, 1, 2, 0);
    peer_use(4);
    clear();
    peer_connects(); /* nobody has accepted it */
    stack_each(fx.st, tally, &t, fx.now);
    assert_int_equal(t.states[TCPS_LISTEN], 1);
    assert_int_equal(t.states[TCPS_ESTABLISHED], 2);
    assert_int_equal(t.states[TCPS_SYN_RECV], 1);
    assert_int_equal(t.states[TCPS_FIN_WAIT1], 1);
    assert_int_equal(t.states[TCPS_TIME_WAIT], 1);
    assert_int_equal(t.handles, 2);
}

TEST(every_state_and_stop_has_a_name)
{
    for (unsigned i = 1; i < TCPS_COUNT; i++)
        assert_string_not_equal(tcp_state_name(i), "?");
    assert_string_equal(tcp_state_name(TCPS_COUNT), "?");
    assert_string_equal(tcp_state_name(0), "?");
    for (unsigned i = 0; i < TCP_STOP_COUNT; i++)
        assert_string_not_equal(tcp_stop_name(i), "?");
    assert_string_equal(tcp_stop_name(TCP_STOP_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_field_lies_where_linux_has_it),
        T(the_window_scales_are_linux_s_bit_fields),
        T(the_numbers_of_a_small_session),
        T(a_listener_shows_its_queue_and_backlog),
        T(stack_each_shows_sockets_orphans_requests_and_time_wait),
        T(every_state_and_stop_has_a_name),
    };

    return cmocka_run_group_tests_name("info", tests, NULL, NULL);
}
