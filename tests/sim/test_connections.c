/* SPDX-License-Identifier: MIT */
/* Connections between two cores: how they begin and end, one by one, on a wire that loses what the
 * test says. */
#include "proto/stack_internal.h"
#include "tests/sim/scene.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An established connection, and what happens to the client's end. */
static void watched_connection(struct sock **client, struct sock **server, struct watched *w)
{
    scene_connection(client, server);
    scene_watch(w, *client);
}

static void expect_dead(struct watched *w, int error)
{
    expect(w->events & SOCK_EV_ERROR);
    expect_equal(sock_error(w->s, true), error);
}

/* The last event's time since the scene began. */
static double seconds_of(const struct watched *w)
{
    return (double)(w->at - SIM_START) / 1e6;
}

/* --- opening
 * -----------------------------------------------------------------------------------------------------
 */

static void lost_syns_are_sent_again_until_connect_times_out(void **state)
{
    static const double want[] = {0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67};
    struct watched w;
    struct mask m;

    (void)state;
    lose(scene.a, &m, SYN, 0, 1000);
    scene_watch(&w, scene_connect(scene.a, scene.b));
    scene_wait(140);
    expect_times(&m, want, 11);
    expect_dead(&w, ETIMEDOUT);
    expect_near(seconds_of(&w) - m.at[0], 131, 0.05);
    scene_close(scene.a, w.s);
    scene_expect_empty(1);
}

static void one_lost_syn_costs_a_second(void **state)
{
    struct sock *l = scene_listen(scene.b, 8), *s;
    struct watched w;
    struct mask m;

    (void)state;
    lose(scene.a, &m, SYN, 0, 1);
    scene_watch(&w, scene_connect(scene.a, scene.b));
    scene_wait(2);
    expect(w.events & SOCK_EV_CONNECTED);
    expect_near(seconds_of(&w), 1.04, 0.03);
    expect_equal(sock_accept(l, &s, scene.sim.now), 0);
    sock_abort(s, scene.sim.now);
    scene_close(scene.a, w.s);
    scene_close(scene.b, l);
    scene_expect_empty(70);
}

static void lost_syn_acks_are_sent_again_and_the_request_expires(void **state)
{
    static const double want[] = {0, 1, 3, 7, 15, 31};
    struct sock *l = scene_listen(scene.b, 8), *c;
    struct stack_usage u;
    struct mask synack, syn;

    (void)state;
    lose(scene.b, &synack, SYN | ACK, 0, 1000);
    c = scene_connect(scene.a, scene.b);
    scene_wait(0.5);
    lose(scene.a, &syn, SYN, 0, 1000); /* the client's own repetitions shall not help */
    scene_wait(61.5);
    stack_usage(scene.b->st, &u);
    expect_equal(u.requests, 1);
    scene_wait(2);
    expect_times(&synack, want, 6);
    stack_usage(scene.b->st, &u);
    expect_equal(u.requests, 0);
    sock_abort(c, scene.sim.now);
    scene_close(scene.b, l);
    scene_expect_empty(1);
}

static void a_lost_final_ack_is_made_up_for_by_data(void **state)
{
    struct sock *l = scene_listen(scene.b, 8), *c, *s;
    struct mask m;
    char buf[8];

    (void)state;
    lose(scene.a, &m, ACK, SYN, 1);
    c = scene_connect(scene.a, scene.b);
    scene_wait(0.5);
    expect_equal(m.dropped, 1);
    expect_equal(sock_accept(l, &s, scene.sim.now), -EAGAIN);
    expect_equal(scene_send(scene.a, c, "hello", 5), 5);
    scene_wait(0.1);
    expect_equal(sock_accept(l, &s, scene.sim.now), 0);
    expect_equal(scene_recv(scene.b, s, buf, 8), 5);
    scene_close(scene.b, l);
    scene_close(scene.b, s);
    scene_close(scene.a, c);
    scene_expect_empty(70);
}

static void a_closed_port_refuses(void **state)
{
    struct watched w;

    (void)state;
    scene_watch(&w, scene_connect(scene.a, scene.b));
    scene_wait(1);
    expect_dead(&w, ECONNREFUSED);
    expect_equal(sock_error(w.s, true), 0);
    scene_close(scene.a, w.s);
    scene_expect_empty(0);
}

static void a_dead_neighbour_is_unreachable(void **state)
{
    struct watched w;

    (void)state;
    scene.b->unplugged = true;
    scene_watch(&w, scene_connect(scene.a, scene.b));
    scene_wait(4);
    expect_dead(&w, EHOSTUNREACH);
    expect_near(seconds_of(&w), 3, 0.2);
    scene_close(scene.a, w.s);
    scene_expect_empty(0);
}

static struct sock *bound_socket(struct sim_host *h, uint16_t port)
{
    struct ip_endpoint local = {ip_addr_any(false), port};
    struct sock *s;

    expect_equal(sock_create(h->st, false, &s), 0);
    expect_equal(sock_bind(s, &local, scene.sim.now), 0);
    return s;
}

static void crossing_syns_make_one_connection(void **state)
{
    struct sock *a = bound_socket(scene.a, 1000), *b = bound_socket(scene.b, 2000);
    struct ip_endpoint to_a = sim_endpoint(scene.a, 1000), to_b = sim_endpoint(scene.b, 2000);
    struct watched wa, wb;
    char buf[8];

    (void)state;
    stack_announce(scene.a->st, scene.sim.now);
    stack_announce(scene.b->st, scene.sim.now);
    scene_wait(1);
    scene_watch(&wa, a);
    scene_watch(&wb, b);
    expect_equal(sock_connect(a, &to_b, scene.sim.now), -EINPROGRESS);
    expect_equal(sock_connect(b, &to_a, scene.sim.now), -EINPROGRESS);
    sim_touch(scene.a);
    sim_touch(scene.b);
    scene_wait(2);
    expect(wa.events & SOCK_EV_CONNECTED);
    expect(wb.events & SOCK_EV_CONNECTED);
    expect_equal(scene_state(scene.a, a), TCPS_ESTABLISHED);
    expect_equal(scene_state(scene.b, b), TCPS_ESTABLISHED);
    expect_equal(scene_send(scene.a, a, "ping", 4), 4);
    expect_equal(scene_send(scene.b, b, "pong", 4), 4);
    scene_wait(1);
    expect_equal(scene_recv(scene.a, a, buf, 8), 4);
    expect_equal(scene_recv(scene.b, b, buf, 8), 4);
    scene_close(scene.a, a);
    scene_close(scene.b, b);
    scene_expect_empty(130);
}

/* --- the listener
 * -------------------------------------------------------------------------------------------------
 */

static void a_full_backlog_makes_clients_wait_and_loses_none(void **state)
{
    struct sock *l = scene_listen(scene.b, 2), *c[10], *s[10];
    unsigned accepted = 0;
    struct stack_usage u;

    (void)state;
    /* a cookie's SYN-ACK is not resent: a client that only listens would wait for ever */
    scene.b->st->tcp.tunables.syncookies = 0;
    for (int i = 0; i < 10; i++)
        c[i] = scene_connect(scene.a, scene.b);
    scene_wait(0.5);
    stack_usage(scene.b->st, &u);
    expect_equal(u.connections - 1, 3); /* as Linux: backlog + 1; the listener has a tcb too */
    for (int turn = 0; turn < 150 && accepted < 10; turn++) {
        if (sock_accept(l, &s[accepted], scene.sim.now) == 0)
            accepted++;
        scene_wait(1);
    }
    expect_equal(accepted, 10);
    for (int i = 0; i < 10; i++) {
        expect_equal(scene_state(scene.a, c[i]), TCPS_ESTABLISHED);
        expect_equal(scene_send(scene.a, c[i], "x", 1), 1);
    }
    scene_wait(5);
    for (int i = 0; i < 10; i++) {
        expect_equal(scene_drain(scene.b, s[i]), 1);
        scene_close(scene.a, c[i]);
        scene_close(scene.b, s[i]);
    }
    scene_close(scene.b, l);
    scene_expect_empty(130);
}

static void a_child_that_was_reset_is_still_accepted(void **state)
{
    struct sock *l = scene_listen(scene.b, 8), *c = scene_connect(scene.a, scene.b), *s;
    char buf[8];

    (void)state;
    scene_wait(0.5);
    sock_abort(c, scene.sim.now);
    sim_touch(scene.a);
    scene_wait(0.5);
    expect_equal(sock_accept(l, &s, scene.sim.now), 0);
    expect(sock_poll(s) & POLLERR);
    expect_equal(scene_recv(scene.b, s, buf, 8), -ECONNRESET);
    expect_equal(scene_recv(scene.b, s, buf, 8), 0);
    scene_close(scene.b, s);
    scene_close(scene.b, l);
    scene_expect_empty(0);
}

static void closing_a_listener_resets_what_nobody_accepted(void **state)
{
    struct sock *l = scene_listen(scene.b, 8);
    struct watched w;

    (void)state;
    scene_watch(&w, scene_connect(scene.a, scene.b));
    scene_wait(0.5);
    scene_close(scene.b, l);
    scene_wait(0.5);
    expect_dead(&w, ECONNRESET);
    scene_close(scene.a, w.s);
    scene_expect_empty(0);
}

/* --- ends
 * ----------------------------------------------------------------------------------------------------------
 */

static void closing_with_unread_data_resets(void **state)
{
    struct sock *c, *s;
    struct watched w;
    char buf[8];

    (void)state;
    watched_connection(&c, &s, &w);
    expect_equal(scene_send(scene.a, c, "unread", 6), 6);
    scene_wait(0.1);
    scene_close(scene.b, s);
    scene_wait(0.1);
    expect(w.events & SOCK_EV_ERROR);
    expect_equal(scene_recv(scene.a, c, buf, 8), -ECONNRESET);
    scene_close(scene.a, c);
    scene_expect_empty(0);
}

static void data_for_a_closed_program_is_reset(void **state)
{
    struct sock *c, *s;
    struct watched w;

    (void)state;
    watched_connection(&c, &s, &w);
    scene_close(scene.b, s);
    scene_wait(0.1);
    expect_equal(scene_state(scene.a, c), TCPS_CLOSE_WAIT);
    expect_equal(scene_send(scene.a, c, "late", 4), 4);
    scene_wait(0.1);
    expect(w.events & SOCK_EV_ERROR);
    /* Linux: a reset in CLOSE-WAIT is EPIPE */
    expect_equal(sock_error(c, true), EPIPE);
    scene_close(scene.a, c);
    scene_expect_empty(0);
}

static void linger_zero_resets(void **state)
{
    struct linger lg = {1, 0};
    struct sock *c, *s;
    struct watched w;

    (void)state;
    watched_connection(&c, &s, &w);
    expect_equal(sock_setsockopt(s, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg), scene.sim.now), 0);
    scene_close(scene.b, s);
    scene_wait(0.1);
    expect_dead(&w, ECONNRESET);
    scene_close(scene.a, c);
    scene_expect_empty(0);
}

static void a_simultaneous_close_leaves_two_time_waits(void **state)
{
    struct sock *c, *s;
    struct stack_usage ua, ub;

    (void)state;
    scene_connection(&c, &s);
    scene_close(scene.a, c);
    scene_close(scene.b, s);
    scene_wait(1);
    stack_usage(scene.a->st, &ua);
    stack_usage(scene.b->st, &ub);
    expect_equal(ua.time_wait, 1);
    expect_equal(ub.time_wait, 1);
    expect_equal(ua.connections, 0);
    expect_equal(ub.connections, 0);
    scene_wait(58);
    expect(*sim_leftovers(scene.a));
    scene_wait(2);
    expect(!*sim_leftovers(scene.a));
    expect(!*sim_leftovers(scene.b));
}

static void time_wait_lasts_a_minute(void **state)
{
    struct sock *c, *s;
    struct stack_usage u;

    (void)state;
    scene_connection(&c, &s);
    scene_close(scene.a, c);
    scene_wait(0.1);
    scene_close(scene.b, s);
    scene_wait(59);
    stack_usage(scene.a->st, &u);
    expect_equal(u.time_wait, 1);
    expect(!*sim_leftovers(scene.b));
    scene_wait(1.5);
    expect(!*sim_leftovers(scene.a));
}

static void half_closed_either_way_data_still_flows(void **state)
{
    uint8_t buf[5000] = {0};
    struct sock *c, *s;

    (void)state;
    scene_connection(&c, &s);
    scene_shutdown(scene.a, c, SHUT_WR);
    scene_wait(0.1);
    expect_equal(scene_recv(scene.b, s, buf, sizeof(buf)), 0);
    expect_equal(scene_state(scene.a, c), TCPS_FIN_WAIT2);
    expect_equal(scene_send(scene.a, c, "x", 1), -EPIPE);
    for (int i = 0; i < 100; i++) {
        expect_equal(scene_send(scene.b, s, buf, sizeof(buf)), sizeof(buf));
        scene_wait(1); /* a program holds FIN-WAIT-2 as long as it likes */
        expect_equal(scene_drain(scene.a, c), sizeof(buf));
    }
    scene_shutdown(scene.b, s, SHUT_WR);
    scene_wait(0.1);
    expect_equal(scene_recv(scene.a, c, buf, sizeof(buf)), 0);
    scene_close(scene.a, c);
    scene_close(scene.b, s);
    scene_expect_empty(62);
}

static void a_lost_fin_is_sent_again(void **state)
{
    struct sock *c, *s;
    struct mask m;
    char buf[8];

    (void)state;
    scene_connection(&c, &s);
    lose(scene.a, &m, FIN, 0, 3);
    scene_close(scene.a, c);
    scene_wait(5);
    expect_equal(m.dropped, 3);
    expect_equal(scene_recv(scene.b, s, buf, 8), 0);
    scene_close(scene.b, s);
    scene_expect_empty(62);
}

static void a_lost_last_ack_is_repeated_from_time_wait(void **state)
{
    struct sock *c, *s;
    struct mask m;

    (void)state;
    scene_connection(&c, &s);
    scene_close(scene.a, c);
    scene_wait(0.1);
    lose(scene.a, &m, ACK, FIN, 2);
    scene_close(scene.b, s);
    scene_wait(5);
    expect_equal(m.dropped, 2);
    expect(!*sim_leftovers(scene.b));
    scene_expect_empty(65);
}

static void an_orphan_leaves_fin_wait_2_after_a_minute(void **state)
{
    struct stack_usage u;
    struct sock *c, *s;
    struct watched w;

    (void)state;
    scene_connection(&c, &s);
    scene_watch(&w, s);
    scene_close(scene.a, c);
    scene_wait(59);
    expect(*sim_leftovers(scene.a));
    stack_usage(scene.a->st, &u);
    expect_equal(u.connections, 0); /* a small record does it */
    scene_wait(2);
    expect(!*sim_leftovers(scene.a));
    expect_equal(scene_send(scene.b, s, "anybody?", 8), 8);
    scene_wait(1);
    expect(w.events & SOCK_EV_ERROR);
    scene_close(scene.b, s);
    scene_expect_empty(0);
}

static void an_orphan_still_delivers_what_was_written(void **state)
{
    struct sock *c, *s;
    size_t n, got = 0;

    (void)state;
    scene_connection(&c, &s);
    n = scene_fill(scene.a, c);
    scene_close(scene.a, c);
    for (int i = 0; i < 100; i++) {
        got += scene_drain(scene.b, s);
        scene_wait(0.05);
    }
    expect_equal(got, n);
    expect(sock_recv_eof(s));
    scene_close(scene.b, s);
    scene_expect_empty(62);
}

static void a_new_connection_may_take_over_a_time_wait(void **state)
{
    struct sock *l, *c, *s;
    struct ip_endpoint to = sim_endpoint(scene.b, 80);

    (void)state;
    for (int turn = 0; turn < 3; turn++) {
        int one = 1;

        l = scene_listen(scene.b, 8);
        expect_equal(sock_create(scene.a->st, false, &c), 0);
        expect_equal(sock_setsockopt(c, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one), scene.sim.now),
                     0);
        expect_equal(sock_bind(c, &(struct ip_endpoint){ip_addr_any(false), 5555}, scene.sim.now),
                     0);
        expect_equal(sock_connect(c, &to, scene.sim.now), -EINPROGRESS);
        sim_touch(scene.a);
        scene_wait(1);
        expect_equal(scene_state(scene.a, c), TCPS_ESTABLISHED);
        expect_equal(sock_accept(l, &s, scene.sim.now), 0);
        scene_close(scene.b, l);
        expect_equal(scene_send(scene.a, c, "hello", 5), 5);
        scene_wait(1);
        expect_equal(scene_drain(scene.b, s), 5);
        scene_close(scene.a, c);
        scene_wait(0.5);
        scene_close(scene.b, s);
        scene_wait(2);
    }
    scene_expect_empty(62);
}

static void data_that_nobody_acknowledges_gives_up(void **state)
{
    struct sock *c, *s;
    struct watched w;
    struct mask m;
    double began;

    (void)state;
    watched_connection(&c, &s, &w);
    lose(scene.a, &m, ACK, 0, 1000);
    began = scene_time();
    expect_equal(scene_send(scene.a, c, "hello?", 6), 6);
    scene_wait(900);
    expect(!(w.events & SOCK_EV_ERROR));
    scene_wait(200);
    expect_dead(&w, ETIMEDOUT);
    /* Linux: 15 doublings from 200 ms are 924.6 s; the next time-out after that ends it */
    expect(seconds_of(&w) - began > 924);
    scene_close(scene.a, c);
    sock_abort(s, scene.sim.now);
    scene_expect_empty(0);
}

static void the_user_timeout_gives_up_earlier(void **state)
{
    int ms = 5000;
    struct sock *c, *s;
    struct watched w;
    struct mask m;
    double began;

    (void)state;
    watched_connection(&c, &s, &w);
    expect_equal(sock_setsockopt(c, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms), scene.sim.now),
                 0);
    lose(scene.a, &m, ACK, 0, 1000);
    began = scene_time();
    expect_equal(scene_send(scene.a, c, "hello?", 6), 6);
    scene_wait(30);
    expect_dead(&w, ETIMEDOUT);
    expect_near(seconds_of(&w) - began, 5.2, 0.5);
    scene_close(scene.a, c);
    sock_abort(s, scene.sim.now);
    scene_expect_empty(0);
}

static void keepalive_finds_a_vanished_peer(void **state)
{
    int on = 1, idle = 10, intvl = 5, cnt = 3;
    struct sock *c, *s;
    struct watched w;
    double began;

    (void)state;
    watched_connection(&c, &s, &w);
    sock_setsockopt(c, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(int), scene.sim.now);
    sock_setsockopt(c, IPPROTO_TCP, TCP_KEEPINTVL, &intvl, sizeof(int), scene.sim.now);
    sock_setsockopt(c, IPPROTO_TCP, TCP_KEEPCNT, &cnt, sizeof(int), scene.sim.now);
    began = scene_time();
    sock_setsockopt(c, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(int), scene.sim.now);
    scene_wait(100);
    expect(!w.events); /* while the peer answers */
    expect(scene_count(scene.a, CNT_tcp_out_keepalives) >= 8);
    scene.b->unplugged = true;
    began = scene_time();
    scene_wait(40);
    expect_dead(&w, ETIMEDOUT);
    expect(seconds_of(&w) - began < 26);
    scene_close(scene.a, c);
    sock_abort(s, scene.sim.now);
    scene_expect_empty(0);
}

/* --- windows
 * ---------------------------------------------------------------------------------------------------------
 */

static void a_reader_that_sleeps_for_an_hour_loses_nothing(void **state)
{
    struct sock *c, *s;
    size_t n, got = 0;
    double began;

    (void)state;
    scene_connection(&c, &s);
    n = scene_fill(scene.a, c);
    scene_wait(30);
    n += scene_fill(scene.a, c);
    scene_wait(3600);
    expect_equal(scene_state(scene.a, c), TCPS_ESTABLISHED);
    expect(scene_count(scene.a, CNT_tcp_out_probes) > 10);
    expect(scene_count(scene.a, CNT_tcp_out_probes) < 60);
    expect_equal(scene_count(scene.a, CNT_tcp_out_retrans), 0);
    began = scene_time();
    for (int i = 0; i < 1000 && got < n; i++) {
        got += scene_drain(scene.b, s);
        scene_wait(0.01);
    }
    expect_equal(got, n);
    expect(scene_time() - began < 1); /* woken by the window update, not by the next probe */
    scene_close(scene.a, c);
    scene_close(scene.b, s);
    scene_expect_empty(62);
}

static void a_lost_window_update_is_found_by_a_probe(void **state)
{
    struct sock *c, *s;
    struct mask m;
    size_t n, got;

    (void)state;
    scene_connection(&c, &s);
    n = scene_fill(scene.a, c);
    scene_wait(1);
    n += scene_fill(scene.a, c);
    scene_wait(1);
    lose(scene.b, &m, ACK, 0, 1);
    got = scene_drain(scene.b, s);
    expect(got > 0 && got < n);
    scene_wait(0.01);
    expect_equal(m.dropped, 1);
    for (int i = 0; i < 300 && got < n; i++) {
        scene_wait(0.05);
        got += scene_drain(scene.b, s);
    }
    expect_equal(got, n);
    scene_close(scene.a, c);
    scene_close(scene.b, s);
    scene_expect_empty(62);
}

static void a_peer_that_dies_behind_a_zero_window_is_noticed(void **state)
{
    struct sock *c, *s;
    struct watched w;

    (void)state;
    watched_connection(&c, &s, &w);
    scene_fill(scene.a, c);
    scene_wait(30);
    scene.b->unplugged = true;
    scene_wait(3600);
    expect(w.events & SOCK_EV_ERROR);
    scene_close(scene.a, c);
    sock_abort(s, scene.sim.now);
    scene_expect_empty(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(lost_syns_are_sent_again_until_connect_times_out),
        scene_test(one_lost_syn_costs_a_second),
        scene_test(lost_syn_acks_are_sent_again_and_the_request_expires),
        scene_test(a_lost_final_ack_is_made_up_for_by_data),
        scene_test(a_closed_port_refuses),
        scene_test(a_dead_neighbour_is_unreachable),
        scene_test(crossing_syns_make_one_connection),
        scene_test(a_full_backlog_makes_clients_wait_and_loses_none),
        scene_test(a_child_that_was_reset_is_still_accepted),
        scene_test(closing_a_listener_resets_what_nobody_accepted),
        scene_test(closing_with_unread_data_resets),
        scene_test(data_for_a_closed_program_is_reset),
        scene_test(linger_zero_resets),
        scene_test(a_simultaneous_close_leaves_two_time_waits),
        scene_test(time_wait_lasts_a_minute),
        scene_test(half_closed_either_way_data_still_flows),
        scene_test(a_lost_fin_is_sent_again),
        scene_test(a_lost_last_ack_is_repeated_from_time_wait),
        scene_test(an_orphan_leaves_fin_wait_2_after_a_minute),
        scene_test(an_orphan_still_delivers_what_was_written),
        scene_test(a_new_connection_may_take_over_a_time_wait),
        scene_test(data_that_nobody_acknowledges_gives_up),
        scene_test(the_user_timeout_gives_up_earlier),
        scene_test(keepalive_finds_a_vanished_peer),
        scene_test(a_reader_that_sleeps_for_an_hour_loses_nothing),
        scene_test(a_lost_window_update_is_found_by_a_probe),
        scene_test(a_peer_that_dies_behind_a_zero_window_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
