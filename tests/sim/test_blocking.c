/* SPDX-License-Identifier: MIT */
/* Blocking calls in virtual time: what a thread in send(2), recv(2), connect(2) or accept(2) sees
 * (send path, steps 4 and 12). */
#include "proto/sock/wait.h"
#include "tests/sim/scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BIG 3000000

static uint8_t big[BIG], sink[BIG];

static struct sock_call *start(struct sim_host *h, struct sock *s, struct sock_call_args args)
{
    struct sock_call *c;

    expect_equal(sock_call_start(s, &args, scene.sim.now, &c), 0);
    sim_touch(h);
    return c;
}

static struct sock_call *start_send(struct sim_host *h, struct sock *s, size_t n, int flags)
{
    return start(
        h, s, (struct sock_call_args){.op = SOCK_CALL_SEND, .buf = big, .len = n, .flags = flags});
}

static struct sock_call *start_recv(struct sim_host *h, struct sock *s, size_t n, int flags)
{
    return start(
        h, s, (struct sock_call_args){.op = SOCK_CALL_RECV, .buf = sink, .len = n, .flags = flags});
}

static struct sock_call *start_connect(struct sock *s)
{
    struct sock_call_args args = {.op = SOCK_CALL_CONNECT, .remote = sim_endpoint(scene.b, 80)};

    return start(scene.a, s, args);
}

static bool is_over(void *arg)
{
    ssize_t r;

    return sock_call_done(arg, &r);
}

/* Runs until the call ends; expects its result and the time it took. */
static void expect_end(struct sock_call *c, ssize_t want, double from, double to)
{
    double began = scene_time(), took;
    ssize_t r = 0;

    sim_run_until(&scene.sim, is_over, c, scene.sim.now + 2000 * SIM_SECOND);
    expect(sock_call_done(c, &r));
    took = scene_time() - began;
    expect_equal(r, want);
    if (took < from || took > to)
        sim_fail(&scene.sim, "the call took %f s, not %f to %f", took, from, to);
    expect(true);
    sock_call_free(c);
}

static void expect_waiting(struct sock_call *c)
{
    expect(!is_over(c));
}

static void set_timeout(struct sock *s, int name, int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    expect_equal(sock_setsockopt(s, SOL_SOCKET, name, &tv, sizeof(tv), scene.sim.now), 0);
}

static void end(struct sock *c, struct sock *s)
{
    if (c)
        sock_abort(c, scene.sim.now);
    if (s)
        sock_abort(s, scene.sim.now);
    sim_touch(scene.a);
    sim_touch(scene.b);
    scene_expect_empty(1);
}

/* --- connect, accept
 * --------------------------------------------------------------------------------------------- */

static struct sock *fresh(void)
{
    struct sock *s;

    expect_equal(sock_create(scene.a->st, false, &s), 0);
    return s;
}

/* The handshake that the client began came to its end, whatever its call said. */
static void end_accepted(struct sock *l, struct sock *s)
{
    struct sock *child;

    scene_wait(1);
    expect_equal(scene_state(scene.a, s), TCPS_ESTABLISHED);
    expect_equal(sock_accept(l, &child, scene.sim.now), 0);
    sock_close(l, scene.sim.now);
    end(s, child);
}

static void connect_waits_for_the_handshake(void **state)
{
    struct sock *l = scene_listen(scene.b, 4), *s = fresh();

    (void)state;
    expect_end(start_connect(s), 0, 0.03, 0.06);
    end_accepted(l, s);
}

static void connect_reports_a_refusal(void **state)
{
    struct sock *s = fresh();

    (void)state;
    expect_end(start_connect(s), -ECONNREFUSED, 0.01, 0.1);
    expect_equal(sock_error(s, true), 0); /* told once */
    end(s, NULL);
}

static void connect_ends_with_the_send_timeout_and_goes_on_behind_it(void **state)
{
    struct sock *l = scene_listen(scene.b, 4), *s = fresh();

    (void)state;
    set_timeout(s, SO_SNDTIMEO, 20);
    expect_end(start_connect(s), -EINPROGRESS, 0.019, 0.021);
    end_accepted(l, s);
}

static void a_signal_interrupts_connect_but_not_the_handshake(void **state)
{
    struct sock *l = scene_listen(scene.b, 4), *s = fresh();
    struct sock_call *c = start_connect(s);

    (void)state;
    scene_wait(0.01);
    expect_waiting(c);
    sock_call_interrupt(c, scene.sim.now);
    expect_end(c, -EINTR, 0, 0);
    expect_end(start_connect(s), 0, 0.02, 0.05); /* another call waits for the same handshake */
    end_accepted(l, s);
}

static void accept_waits_for_a_connection(void **state)
{
    struct sock *l = scene_listen(scene.b, 4), *s, *child;
    struct sock_call *c = start(scene.b, l, (struct sock_call_args){.op = SOCK_CALL_ACCEPT});
    ssize_t r;

    (void)state;
    scene_wait(5);
    expect_waiting(c);
    s = scene_connect(scene.a, scene.b);
    sim_run_until(&scene.sim, is_over, c, scene.sim.now + SIM_SECOND);
    expect(sock_call_done(c, &r));
    expect_equal(r, 0);
    child = sock_call_accepted(c);
    expect(child != NULL);
    sock_call_free(c);
    sock_close(l, scene.sim.now);
    end(s, child);
}

static void accept_ends_with_the_receive_timeout_or_a_signal(void **state)
{
    struct sock *l = scene_listen(scene.b, 4);
    struct sock_call *c;

    (void)state;
    set_timeout(l, SO_RCVTIMEO, 1500);
    expect_end(start(scene.b, l, (struct sock_call_args){.op = SOCK_CALL_ACCEPT}), -EAGAIN, 1.5,
               1.501);
    c = start(scene.b, l, (struct sock_call_args){.op = SOCK_CALL_ACCEPT});
    scene_wait(0.5);
    sock_call_interrupt(c, scene.sim.now);
    expect_end(c, -EINTR, 0, 0);
    sock_close(l, scene.sim.now);
    end(NULL, NULL);
}

/* --- recv
 * ---------------------------------------------------------------------------------------------------------
 */

static void recv_waits_for_the_first_bytes_only(void **state)
{
    struct sock *c, *s;
    struct sock_call *r;

    (void)state;
    scene_connection(&c, &s);
    r = start_recv(scene.b, s, 100, 0);
    scene_wait(3);
    expect_waiting(r);
    expect_equal(scene_send(scene.a, c, "abc", 3), 3);
    expect_end(r, 3, 0.01, 0.02);
    end(c, s);
}

static void recv_all_waits_for_all(void **state)
{
    struct sock *c, *s;
    struct sock_call *r;

    (void)state;
    scene_connection(&c, &s);
    r = start_recv(scene.b, s, 6, MSG_WAITALL);
    expect_equal(scene_send(scene.a, c, "abc", 3), 3);
    scene_wait(1);
    expect_waiting(r);
    expect_equal(scene_send(scene.a, c, "defg", 4), 4);
    expect_end(r, 6, 0, 0.1);
    expect_equal(memcmp(sink, "abcdef", 6), 0);
    end(c, s);
}

static void recv_all_is_cut_short_by_the_end(void **state)
{
    struct sock *c, *s;
    struct sock_call *r;

    (void)state;
    scene_connection(&c, &s);
    r = start_recv(scene.b, s, 100, MSG_WAITALL);
    expect_equal(scene_send(scene.a, c, "abc", 3), 3);
    scene_shutdown(scene.a, c, SHUT_WR);
    expect_end(r, 3, 0, 0.1);
    expect_end(start_recv(scene.b, s, 100, 0), 0, 0, 0);
    end(c, s);
}

static void recv_ends_with_its_timeout_or_a_signal(void **state)
{
    struct sock *c, *s;
    struct sock_call *r;

    (void)state;
    scene_connection(&c, &s);
    set_timeout(s, SO_RCVTIMEO, 2000);
    expect_end(start_recv(scene.b, s, 100, 0), -EAGAIN, 2, 2.001);
    r = start_recv(scene.b, s, 100, MSG_WAITALL);
    expect_equal(scene_send(scene.a, c, "abc", 3), 3);
    expect_end(r, 3, 1.9, 2.001); /* what has come counts more than the time-out */
    set_timeout(s, SO_RCVTIMEO, 0);
    r = start_recv(scene.b, s, 100, 0);
    scene_wait(50);
    expect_waiting(r);
    sock_call_interrupt(r, scene.sim.now);
    expect_end(r, -EINTR, 0, 0);
    expect_end(start_recv(scene.b, s, 100, MSG_DONTWAIT), -EAGAIN, 0, 0);
    end(c, s);
}

static void recv_reports_a_reset(void **state)
{
    struct sock *c, *s;
    struct sock_call *r;

    (void)state;
    scene_connection(&c, &s);
    r = start_recv(scene.b, s, 100, 0);
    sock_abort(c, scene.sim.now);
    sim_touch(scene.a);
    expect_end(r, -ECONNRESET, 0, 0.1);
    expect_end(start_recv(scene.b, s, 100, 0), 0, 0, 0);
    end(NULL, s);
}

/* A big send that ended early: what was accepted. */
static ssize_t expect_short(struct sock_call *c)
{
    ssize_t r = 0;

    expect(sock_call_done(c, &r));
    expect(r > 10000 && r < BIG);
    sock_call_free(c);
    return r;
}

/* --- send
 * ----------------------------------------------------------------------------------------------------------
 */

static void send_waits_until_all_is_accepted(void **state)
{
    struct sock *c, *s;
    struct sock_call *w, *r;

    (void)state;
    scene_connection(&c, &s);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)(i * 7 + i / 251);
    w = start_send(scene.a, c, BIG, 0);
    r = start_recv(scene.b, s, BIG, MSG_WAITALL);
    expect_waiting(w);
    expect_end(w, BIG, 0.1, 2);
    expect_end(r, BIG, 0, 2);
    expect_equal(memcmp(big, sink, BIG), 0);
    end(c, s);
}

static void send_that_finds_no_room_ends_with_eagain_after_its_timeout(void **state)
{
    struct sock *c, *s;

    (void)state;
    scene_connection(&c, &s);
    for (int i = 0; i < 10; i++) {
        scene_fill(scene.a, c);
        scene_wait(1);
    }
    set_timeout(c, SO_SNDTIMEO, 3000);
    expect_end(start_send(scene.a, c, 1000, 0), -EAGAIN, 3, 3.001);
    expect_end(start_send(scene.a, c, 1000, MSG_DONTWAIT), -EAGAIN, 0, 0);
    end(c, s);
}

static void send_that_is_cut_short_reports_what_was_accepted(void **state)
{
    struct sock *c, *s;
    struct sock_call *w;
    ssize_t r;
    size_t got;

    (void)state;
    scene_connection(&c, &s);
    set_timeout(c, SO_SNDTIMEO, 4000);
    w = start_send(scene.a, c, BIG, MSG_MORE);
    sim_run_until(&scene.sim, is_over, w, scene.sim.now + 10 * SIM_SECOND);
    r = expect_short(w);
    scene_shutdown(scene.a, c, SHUT_WR);
    for (got = 0; !sock_recv_eof(s);) {
        got += scene_drain(scene.b, s);
        scene_wait(0.05);
    }
    expect_equal(got, r);
    end(c, s);
}

static void a_signal_cuts_a_send_short(void **state)
{
    struct sock *c, *s;
    struct sock_call *w;

    (void)state;
    scene_connection(&c, &s);
    w = start_send(scene.a, c, BIG, 0);
    scene_wait(1);
    expect_waiting(w);
    sock_call_interrupt(w, scene.sim.now);
    expect_short(w);
    w = start_send(scene.a, c, BIG, 0);
    scene_wait(1);
    sock_call_interrupt(w, scene.sim.now);
    expect_end(w, -EINTR, 0, 0); /* nothing was accepted this time */
    end(c, s);
}

static void send_before_the_handshake_waits(void **state)
{
    struct sock *l = scene_listen(scene.b, 4), *s = scene_connect(scene.a, scene.b), *child;

    (void)state;
    expect_end(start_send(scene.a, s, 5, 0), 5, 0.03, 0.06);
    scene_wait(1);
    expect_equal(sock_accept(l, &child, scene.sim.now), 0);
    expect_equal(scene_drain(scene.b, child), 5);
    sock_close(l, scene.sim.now);
    end(s, child);
}

static void send_after_a_reset_fails_but_reports_what_was_accepted_first(void **state)
{
    struct sock *c, *s;
    struct sock_call *w;

    (void)state;
    scene_connection(&c, &s);
    w = start_send(scene.a, c, BIG, 0);
    scene_wait(1);
    sock_abort(s, scene.sim.now);
    sim_touch(scene.b);
    sim_run_until(&scene.sim, is_over, w, scene.sim.now + SIM_SECOND);
    expect_short(w);
    expect_end(start_send(scene.a, c, 5, 0), -ECONNRESET, 0, 0);
    expect_end(start_send(scene.a, c, 5, 0), -EPIPE, 0, 0);
    end(c, NULL);
}

static void closing_the_socket_ends_its_calls(void **state)
{
    struct sock *c, *s;
    struct sock_call *r;

    (void)state;
    scene_connection(&c, &s);
    r = start_recv(scene.b, s, 100, 0);
    scene_close(scene.b, s);
    expect_end(r, -EBADF, 0, 0);
    end(c, NULL);
    scene_expect_empty(62);
}

/* --- close
 * ---------------------------------------------------------------------------------------------------------
 */

static struct sock_call *start_lingering_close(struct sock *c, int seconds)
{
    struct linger l = {1, seconds};

    expect_equal(sock_setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof(l), scene.sim.now), 0);
    return start(scene.a, c, (struct sock_call_args){.op = SOCK_CALL_CLOSE});
}

static void a_lingering_close_waits_until_the_peer_has_all(void **state)
{
    struct sock *c, *s;
    struct sock_call *closing;
    size_t n, got = 0;

    (void)state;
    scene_connection(&c, &s);
    n = scene_fill(scene.a, c);
    scene_wait(1);
    n += scene_fill(scene.a, c); /* more than the peer's window takes */
    closing = start_lingering_close(c, 60);
    scene_wait(10);
    expect_waiting(closing);
    for (int i = 0; i < 1000 && !sock_recv_eof(s); i++) {
        got += scene_drain(scene.b, s);
        scene_wait(0.01);
    }
    expect_equal(got, n);
    expect_end(closing, 0, 0, 0.1);
    end(NULL, s);
}

static void a_lingering_close_gives_a_vanished_peer_its_seconds(void **state)
{
    struct sock *c, *s;

    (void)state;
    scene_connection(&c, &s);
    scene.b->unplugged = true;
    expect_equal(scene_send(scene.a, c, "hello?", 6), 6);
    expect_end(start_lingering_close(c, 3), 0, 3, 3.001);
    scene_wait(600); /* the orphan gives up by itself */
    end(NULL, s);
}

static void a_signal_ends_a_lingering_close_but_not_what_it_sends(void **state)
{
    struct sock *c, *s;
    struct sock_call *closing;
    size_t n, got = 0;

    (void)state;
    scene_connection(&c, &s);
    n = scene_fill(scene.a, c);
    closing = start_lingering_close(c, 60);
    sock_call_interrupt(closing, scene.sim.now);
    expect_end(closing, 0, 0, 0);
    for (int i = 0; i < 1000 && !sock_recv_eof(s); i++) {
        got += scene_drain(scene.b, s);
        scene_wait(0.01);
    }
    expect_equal(got, n);
    scene_close(scene.b, s);
    scene_expect_empty(62);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(connect_waits_for_the_handshake),
        scene_test(connect_reports_a_refusal),
        scene_test(connect_ends_with_the_send_timeout_and_goes_on_behind_it),
        scene_test(a_signal_interrupts_connect_but_not_the_handshake),
        scene_test(accept_waits_for_a_connection),
        scene_test(accept_ends_with_the_receive_timeout_or_a_signal),
        scene_test(recv_waits_for_the_first_bytes_only),
        scene_test(recv_all_waits_for_all),
        scene_test(recv_all_is_cut_short_by_the_end),
        scene_test(recv_ends_with_its_timeout_or_a_signal),
        scene_test(recv_reports_a_reset),
        scene_test(send_waits_until_all_is_accepted),
        scene_test(send_that_finds_no_room_ends_with_eagain_after_its_timeout),
        scene_test(send_that_is_cut_short_reports_what_was_accepted),
        scene_test(a_signal_cuts_a_send_short),
        scene_test(send_before_the_handshake_waits),
        scene_test(send_after_a_reset_fails_but_reports_what_was_accepted_first),
        scene_test(closing_the_socket_ends_its_calls),
        scene_test(a_lingering_close_waits_until_the_peer_has_all),
        scene_test(a_lingering_close_gives_a_vanished_peer_its_seconds),
        scene_test(a_signal_ends_a_lingering_close_but_not_what_it_sends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
