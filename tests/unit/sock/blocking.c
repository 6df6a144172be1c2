/* SPDX-License-Identifier: MIT */
/* See blocking.h. */
#include "tests/unit/sock/blocking.h"

static uint8_t buf[400000];

struct sock_call *start(struct sock *s, enum sock_call_op op, size_t len, int flags)
{
    struct sock_call_args args = {.op = op, .buf = buf, .len = len, .flags = flags};
    struct sock_call *c;

    args.remote = fx_peer_endpoint();
    fx.no_pattern = true;
    assert_int_equal(sock_call_start(s, &args, fx.now, &c), 0);
    run();
    return c;
}

void ended(struct sock_call *c, ssize_t want)
{
    ssize_t got = -12345;

    assert_true(sock_call_done(c, &got));
    assert_int_equal(got, want);
    sock_call_free(c);
}

void waits(const struct sock_call *c)
{
    ssize_t got;

    assert_false(sock_call_done(c, &got));
}

void timeout(int name, unsigned ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    assert_int_equal(sock_setsockopt(fx.s, SOL_SOCKET, name, &tv, sizeof(tv), fx.now), 0);
}
