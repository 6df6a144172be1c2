/* SPDX-License-Identifier: MIT */
/* RFC 9293 §3.8.6: windows that close, shrink, stay closed and open again, from both sides. */
#include "tests/unit/tcp/fixture.h"

static void forget(void)
{
    for (unsigned i = 0; i < fx.n_segs; i++)
        free(fx.segs[i].payload);
    fx.n_segs = fx.next = 0;
}

/* --- we send
 * -------------------------------------------------------------------------------------- */

TEST(rfc9293_must_37_zero_window_stays_open)
{
    unsigned probes = 0;

    passive();
    peer(ACK, 1, 1, 0, .win = -1);
    assert_int_equal(w(1000), 1000);
    for (uint64_t end = fx.now + 12 * 3600 * SEC; fx.now < end;) {
        advance(SEC);
        for (; fx.next < fx.n_segs; probes++) {
            assert_int_equal(take()->flags & RST, 0);
            peer(ACK, 1, 1, 0, .win = -1);
        }
        forget();
    }
    assert_in_range(probes, 12 * 30, 12 * 3600);
    assert_state(ESTABLISHED);
    peer(ACK, 1, 1, 0);
    expect(PSH | ACK, 1, 1, 1000);
}

/* The peer opens its window in slivers: nothing small goes until the override time is over. */
TEST(rfc9293_must_38_sender_sws)
{
    uint32_t acked = 1, win = 0;
    unsigned small = 0, n = 0;
    uint64_t start;

    fx.c->ts = false;
    fx.c->wscale = -1;
    fx.c->window = 8000;
    passive();
    assert_int_equal(w(8000), 8000);
    assert_int_equal(take_bytes(), 8000);
    peer(ACK, 1, acked = 8001, 0, .win = -1);
    assert_int_equal(w(40000), 40000);
    start = fx.now;
    while (acked < 40001) {
        advance(10 * MS);
        win += 100;
        peer(ACK, 1, acked, 0, .win = (int)win);
        while (fx.next < fx.n_segs) {
            const struct fx_seg *g = take();

            acked = g->seq + g->len;
            win -= g->len;
            small += g->len < 1460;
            n++;
        }
    }
    /* 32000 bytes in steps of 100: by full segments, not by 320 slivers (one every 100 ms would
     * still be 32) */
    assert_in_range(n, 20, 32000 / 1460 + 2);
    assert_in_range(small, 0, (fx.now - start) / (100 * MS));
}

/* --- we receive
 * ----------------------------------------------------------------------------------- */

static uint32_t sent; /* by the peer: its next sequence number */
static uint32_t edge; /* the right edge that we offered last */
static uint32_t highest, least_step;

static void note_edges(void)
{
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();
        uint32_t now = g->ack + ((uint32_t)g->window << (g->flags & SYN ? 0 : tp->rcv_wscale));

        edge = now;
        if (now > highest && highest && now - highest < least_step)
            least_step = now - highest;
        if (now > highest)
            highest = now;
        assert_true(now >= highest); /* never to the left */
    }
}

/* Full segments until the window is closed. */
static void fill(void)
{
    note_edges();
    while (edge > sent) {
        uint32_t n = edge - sent < 1460 ? edge - sent : 1460;

        peer(ACK, sent, 1, n);
        sent += n;
        advance(50 * MS);
        note_edges();
    }
    assert_int_equal(edge, sent);
}

static void small_buffer(int rcvbuf)
{
    sent = 1;
    edge = highest = 0;
    least_step = UINT32_MAX;
    fx.c->ts = false;
    fx.c->wscale = -1;
    listening(4);
    assert_int_equal(
        sock_setsockopt(fx.lst, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf), fx.now), 0);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    edge = 1u + expect(SYN | ACK, 0, 1, 0)->window;
    highest = edge;
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
}

/* A reader that takes 100 bytes at a time never makes the peer send less than a segment: a probe
 * after each read shows the edge. */
static void read_in_slivers(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(r(100), 100);
        advance(MS);
        peer(ACK, sent - 1, 1, 0); /* old: draws an ACK, at most every half second */
        advance(600 * MS);
        note_edges();
    }
}

TEST(rfc9293_must_39_receiver_sws)
{
    small_buffer(20000);
    fill();
    least_step = UINT32_MAX;
    read_in_slivers(100);
    assert_true(highest > sent);
    assert_in_range(least_step, 1460, 20000);
}

TEST(rfc9293e_51_sws_receiver_fr)
{
    small_buffer(3000); /* half of the buffer is smaller than two segments */
    fill();
    least_step = UINT32_MAX;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(r(100), 100);
        peer(ACK, sent, 1, 1); /* a probe with one octet */
        note_edges();
        assert_int_equal(edge, sent);
        advance(600 * MS);
    }
    read_in_slivers(10);
    assert_true(highest > sent);
    assert_in_range(least_step, 1460, 3000);
}

/* The window opens with an ACK that nothing else asked for, as soon as the step is worth it, and
 * only then. */
TEST(rfc9293e_53_window_reopen_update)
{
    uint32_t taken = 0;

    small_buffer(20000);
    fill();
    advance(SEC);
    note_edges();
    while (fx.next == fx.n_segs) {
        assert_int_equal(r(100), 100);
        taken += 100;
        assert_true(taken <= 20000);
    }
    assert_in_range(expect(ACK, 1, sent, 0)->window, 1460, taken + 1459);
    expect_none();
}

/* Whatever the program reads and the peer sends, the right edge never moves left (note_edges); also
 * with a scale. */
TEST(rfc9293_shld_14_no_window_shrink)
{
    uint32_t random = 1;

    small_buffer(30000);
    for (unsigned i = 0; i < 400; i++) {
        random = random * 1103515245 + 12345;
        if (edge > sent && (random >> 16) % 3) {
            uint32_t n = (random >> 18) % 1460 + 1;

            n = n < edge - sent ? n : edge - sent;
            peer(ACK, sent, 1, n);
            sent += n;
        } else {
            r((random >> 16) % 4000);
        }
        advance(MS);
        note_edges();
    }
    assert_true(sent > 60000);
}

/* A program that never reads may keep the window closed for ever: every probe has its answer, and
 * nothing ends. */
TEST(rfc9293_may_08_window_closed_forever)
{
    small_buffer(8000);
    fill();
    for (unsigned i = 0; i < 24 * 30; i++) {
        const struct fx_seg *g;

        advance(120 * SEC);
        peer(ACK, sent, 1, 1);
        g = expect(ACK, 1, sent, 0);
        assert_int_equal(g->window, 0);
        expect_none();
    }
    assert_state(ESTABLISHED);
    assert_true(r(100000) > 1000);
    note_edges();
    assert_true(edge > sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_must_37_zero_window_stays_open), T(rfc9293_must_38_sender_sws),
        T(rfc9293_must_39_receiver_sws),           T(rfc9293e_51_sws_receiver_fr),
        T(rfc9293e_53_window_reopen_update),       T(rfc9293_shld_14_no_window_shrink),
        T(rfc9293_may_08_window_closed_forever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
