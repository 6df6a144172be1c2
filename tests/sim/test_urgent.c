/* SPDX-License-Identifier: MIT */
/*
 * Urgent data over wires that lose, repeat and reorder: nothing is lost of the stream, reads stop
 * at every mark that they see, and the last mark is always seen.
 */
#include "tests/sim/scene.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define TOTAL 300000
#define SEEDS 40

static uint8_t pattern(uint64_t off)
{
    return (uint8_t)(off * 131 + (off >> 8) * 7);
}

struct writer {
    struct sock *s;
    struct prng prng;
    size_t sent;
    uint64_t last_urgent; /* offset of the newest urgent byte */
    unsigned marks;
};

static void bad_wire(uint64_t seed)
{
    struct sim_host_config c = {.features = STACK_TX_CSUM | STACK_TX_TSO4,
                                .out = {.rate_bps = 20000000,
                                        .delay_us = 5000,
                                        .queue_bytes = 60000,
                                        .loss_ppm = 5000,
                                        .dup_ppm = 5000,
                                        .reorder_ppm = 10000,
                                        .reorder_us = 3000}};

    scene_hosts(&c, &c);
    scene.a->out.prng.state ^= seed * 0x9e3779b97f4a7c15u;
    scene.b->out.prng.state ^= seed;
}

/* Write as much as there is room for, in random pieces, one in eight of them urgent. */
static void write_some(struct writer *w)
{
    static uint8_t buf[5000];

    while (w->sent < TOTAL) {
        size_t n = 1 + prng_below(&w->prng, prng_below(&w->prng, 2) ? 10 : sizeof(buf));
        bool urgent = prng_below(&w->prng, 8) == 0;
        struct iovec v = {buf, n < TOTAL - w->sent ? n : TOTAL - w->sent};
        ssize_t got;

        for (size_t i = 0; i < v.iov_len; i++)
            buf[i] = pattern(w->sent + i);
        sim_touch(scene.a);
        got = sock_sendmsg(w->s, &v, 1, urgent ? MSG_OOB : 0, scene.sim.now);
        if (got == -EAGAIN)
            return;
        expect(got > 0);
        w->sent += (size_t)got;
        if (urgent) {
            w->last_urgent = w->sent - 1;
            w->marks++;
        }
    }
}

static void start(struct writer *w, struct sock **server, uint64_t seed)
{
    bad_wire(seed);
    *w = (struct writer){0};
    w->prng.state = seed;
    scene_connection(&w->s, server);
}

static void in_line_every_byte_arrives(void **state)
{
    static uint8_t buf[10000];

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct writer w;
        struct sock *server;
        int on = 1;
        uint64_t read = 0;
        uint64_t newest_seen = 0;

        start(&w, &server, seed);
        expect_equal(
            sock_setsockopt(server, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on), scene.sim.now), 0);
        for (int turn = 0; turn < 60000 && read < TOTAL; turn++) {
            struct iovec v = {buf, 1 + prng_below(&w.prng, sizeof(buf))};
            ssize_t n;

            write_some(&w);
            scene_wait(0.002);
            sim_touch(scene.b);
            if (sock_at_mark(server))
                newest_seen = read;
            n = sock_recvmsg(server, &v, 1, 0, scene.sim.now);
            for (ssize_t i = 0; i < n; i++)
                expect(buf[i] == pattern(read + (uint64_t)i));
            expect(n > 0 || n == -EAGAIN);
            /* a read never goes across the newest mark: it stops before it */
            expect(n <= 0 || w.sent < TOTAL || read >= w.last_urgent ||
                   read + (uint64_t)n <= w.last_urgent);
            read += n > 0 ? (uint64_t)n : 0;
        }
        expect_equal(read, TOTAL);
        expect(w.marks > 0);
        expect_equal(newest_seen, w.last_urgent);
        scene_close(scene.a, w.s);
        scene_wait(0.2);
        scene_close(scene.b, server);
        scene_expect_empty(200);
    }
}

/* Out of the line: each byte that MSG_OOB gave is missing in the stream, and nothing else is. */
static void out_of_line_only_urgent_bytes_are_missing(void **state)
{
    static uint8_t buf[10000];

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct writer w;
        struct sock *server;
        uint64_t at = 0;
        unsigned skipped = 0;
        struct iovec spans[4];
        int n_spans;

        start(&w, &server, seed);
        for (int turn = 0; turn < 60000 && at < TOTAL; turn++) {
            struct iovec v = {buf, 1 + prng_below(&w.prng, sizeof(buf))}, one = {buf, 1};
            bool mark, had_byte;
            ssize_t n;

            write_some(&w);
            scene_wait(0.002);
            sim_touch(scene.b);
            mark = sock_at_mark(server);
            had_byte = sock_recvmsg(server, &one, 1, MSG_OOB | MSG_PEEK, scene.sim.now) == 1;
            if (mark && had_byte)
                expect(buf[0] == pattern(at));
            /* one that was taken ahead of what precedes it may come again as data: as with Linux */
            if (mark && sock_recv_spans(server, spans, &n_spans) && prng_below(&w.prng, 2))
                expect(sock_recvmsg(server, &one, 1, MSG_OOB, scene.sim.now) == 1);
            n = sock_recvmsg(server, &v, 1, 0, scene.sim.now);
            expect(n > 0 || n == -EAGAIN);
            if (mark && (n > 0 || !sock_at_mark(server))) { /* the read went past it */
                at++;
                skipped++;
            }
            for (ssize_t i = 0; i < n; i++)
                expect(buf[i] == pattern(at + (uint64_t)i));
            at += n > 0 ? (uint64_t)n : 0;
        }
        expect_equal(at, TOTAL);
        expect(skipped > 0 && skipped <= w.marks);
        scene_close(scene.a, w.s);
        scene_wait(0.2);
        scene_close(scene.b, server);
        scene_expect_empty(200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(in_line_every_byte_arrives),
        scene_test(out_of_line_only_urgent_bytes_are_missing),
    };

    return cmocka_run_group_tests_name("urgent", tests, NULL, NULL);
}
