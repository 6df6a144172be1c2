/* SPDX-License-Identifier: MIT */
/*
 * The send buffer: how much a program may have written ahead (SO_SNDBUF, TCP_NOTSENT_LOWAT), when
 * it polls as writable, and the storage of the stream behind that, which one connection's owner
 * and all of them together have only so much of (send path, steps 8 and 12; linux-sender §2).
 */
#include "proto/tcp/tcp.h"

#include <errno.h>

static uint32_t notsent_lowat(const struct tcb *tp)
{
    return tp->notsent_lowat ? tp->notsent_lowat : (uint32_t)tp->st->tcp.tunables.notsent_lowat;
}

/* A new segment may start only while these hold; an open one may overshoot (linux-sender §2). */
bool tcp_stream_memory_free(const struct tcb *tp)
{
    return tcp_wmem_queued(tp) < tp->sndbuf && tp->write_seq - tp->snd_nxt < notsent_lowat(tp);
}

/* POLLOUT is later than the first free byte: a third of the buffer, half of the low-water mark
 * (linux-sender §2). */
bool tcp_is_writable(const struct tcb *tp)
{
    uint32_t queued = tcp_wmem_queued(tp);

    return tcp_stream_memory_free(tp) && tp->sndbuf - queued >= queued / 2 &&
           2ull * (tp->write_seq - tp->snd_nxt) < notsent_lowat(tp);
}

/*
 * What is to be sent may take three quarters of the memory. The rest is for what arrives: else two
 * hosts that are both full of bytes to send would wait for each other until they give up.
 */
bool tcp_may_take(const struct tcb *tp, uint64_t bytes)
{
    const struct stack *st = tp->st;
    uint64_t limit = st->mem.limit;

    if (limit && mem_in_use(&st->mem) - st->extents.cached + bytes > limit - limit / 4)
        return false;
    return account_may_take(tcp_account(tp), bytes) ||
           (bytes <= EXTENT_MIN && !bytestream_footprint(&tp->snd));
}

/* Less than was asked for, so that each connection can go on whatever its owner's others hold. */
static void reserve_least(struct tcb *tp)
{
    if (!bytestream_footprint(&tp->snd) && tcp_may_take(tp, EXTENT_MIN))
        (void)bytestream_reserve(&tp->snd, tp->snd_offset, tp->snd_offset + EXTENT_MIN);
}

/* Growing while bytes are live adds the second and last extent: it must then hold the whole send
 * buffer, or as much of that as may be taken. */
int tcp_reserve_send(struct tcb *tp, size_t n)
{
    uint64_t tail = tp->snd.tail, end = tp->snd_offset + n, most = tail + tp->sndbuf;

    if (bytestream_capacity_end(&tp->snd) >= end)
        return 0;
    if (!tcp_may_take(tp, bytestream_extent_size(end - tail))) {
        reserve_least(tp);
        return -ENOMEM;
    }
    if (bytestream_footprint(&tp->snd)) {
        while (most > end && !tcp_may_take(tp, bytestream_extent_size(most - tail)))
            most = tail + bytestream_extent_size(most - tail) / 2;
        if (most > end && bytestream_reserve(&tp->snd, tp->snd_offset, most) == 0)
            return 0;
    }
    return bytestream_reserve(&tp->snd, tp->snd_offset, end);
}

uint64_t tcp_grant_send(struct tcb *tp, uint64_t granted, uint64_t limit)
{
    uint64_t held = bytestream_capacity_end(&tp->snd);

    if (limit <= held)
        return limit;
    if (tcp_may_take(tp, bytestream_extent_size(limit - tp->snd.tail)) &&
        bytestream_reserve(&tp->snd, granted, limit) == 0)
        return limit;
    return held > granted ? held : granted;
}
