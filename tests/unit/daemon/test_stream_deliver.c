/* SPDX-License-Identifier: MIT */
/* What has come in order goes into the pair at once, past the core's stream. */
#include "tests/unit/daemon/rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (256 * 1024)

static uint8_t piece[PIECE], got[PIECE];

static struct stream *stream_of(struct rig *r, int fd)
{
    uint64_t cookie;
    socklen_t len = sizeof(cookie);

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
    return stream_find(&r->streams, cookie);
}

/* A connection to our own address, and the daemon's side of its second end. */
static struct stream *pair(struct rig *r, int fds[2])
{
    rig_pair(r, fds);
    return stream_of(r, fds[1]);
}

static size_t deliver(struct stream *s, size_t *held)
{
    struct iovec iov[2] = {{piece, 1000}, {piece + 1000, PIECE - 1000}};

    return stream_deliver(s->sock, iov, 2, held);
}

/* Takes n bytes, and says whether they are those of the piece from `at` on. */
static void takes(int fd, size_t at, size_t n)
{
    while (n) {
        size_t want = n < PIECE - at % PIECE ? n : PIECE - at % PIECE;
        ssize_t done = read(fd, got, want);

        assert_true(done > 0);
        assert_memory_equal(got, piece + at % PIECE, (size_t)done);
        at += (size_t)done;
        n -= (size_t)done;
    }
}

static void pieces_arrive_in_order_and_count_as_unread(void **state)
{
    struct rig *r = *state;
    size_t held = 0;
    int fds[2];
    struct stream *s = pair(r, fds);

    assert_int_equal(deliver(s, &held), PIECE);
    assert_int_equal(held, PIECE);
    takes(fds[1], 0, PIECE);
    assert_int_equal(deliver(s, &held), PIECE);
    assert_int_equal(held, PIECE); /* it has seen that the first was read */
    takes(fds[1], 0, PIECE);
    close(fds[0]);
    close(fds[1]);
}

static void a_full_pair_takes_what_fits_and_the_core_learns_of_its_reader(void **state)
{
    struct rig *r = *state;
    size_t held = 0, all = 0, n, before;
    int fds[2];
    struct stream *s = pair(r, fds);

    while ((n = deliver(s, &held)) == PIECE)
        all += n;
    all += n;
    assert_int_equal(held, all);
    assert_in_range(all, PIECE, STREAM_HELD_MAX);
    /* one that waits for its edge is looked at again from half of it down */
    s->push_blocked = true;
    takes(fds[1], 0, all / 4);
    before = held;
    assert_int_equal(deliver(s, &held), 0);
    assert_true(held < before);
    takes(fds[1], all / 4, all - all / 4);
    assert_int_equal(deliver(s, &held), PIECE);
    assert_int_equal(held, PIECE);
    assert_false(s->push_blocked);
    takes(fds[1], 0, PIECE);
    close(fds[0]);
    close(fds[1]);
}

static void who_is_gone_takes_nothing(void **state)
{
    struct rig *r = *state;
    size_t held = 0;
    int fds[2];
    struct stream *s = pair(r, fds);

    close(fds[1]);
    assert_int_equal(deliver(s, &held), 0); /* EPIPE: its event comes */
    rig_run(r);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(pieces_arrive_in_order_and_count_as_unread),
        RIG_TEST(a_full_pair_takes_what_fits_and_the_core_learns_of_its_reader),
        RIG_TEST(who_is_gone_takes_nothing),
    };

    for (size_t i = 0; i < PIECE; i++)
        piece[i] = (uint8_t)(i * 7 + i / 256);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
