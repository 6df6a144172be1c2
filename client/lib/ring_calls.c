/* SPDX-License-Identifier: MIT */
/* Committing, with the completions of MSG_ZEROCOPY, and the calls that copy once. */
#include "client/include/tapstack.h"
#include "client/lib/ring_internal.h"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* --- completions -------------------------------------------------------------------------------
 */

/* Everything is the program's again when the connection is dead. */
uint64_t ring_acked_or_dead(const struct ts_ring *r)
{
    if (LOAD(r->gone) || (LOAD(r->words->state) & RING_ERROR))
        return UINT64_MAX;
    return LOAD(r->words->send.acked);
}

static void set_due(struct ts_ring *r)
{
    uint64_t due_at = zerocopy_due_at(&r->zerocopy);

    if (due_at == r->due_at)
        return;
    STORE(r->due_at, due_at);
    STORE(r->words->ack_at, due_at);
}

static bool may_number(struct ts_ring *r)
{
    bool room = zerocopy_make_room(&r->zerocopy, ring_acked_or_dead(r));

    set_due(r); /* it may have become later */
    return room;
}

static void note_zerocopy(struct ts_ring *r, uint64_t start, uint8_t code)
{
    zerocopy_add(&r->zerocopy, start, r->committed, code);
    set_due(r);
}

int ts_ring_recverr(struct ts_ring *r, struct sock_extended_err *out)
{
    struct zerocopy_range range;

    if (!r->zerocopy.n)
        return ring_fail(EAGAIN);
    if (!zerocopy_take(&r->zerocopy, ring_acked_or_dead(r), &range)) {
        ring_ask(r, RING_FOR_ACKS); /* and once more, behind the ticket */
        if (!zerocopy_take(&r->zerocopy, ring_acked_or_dead(r), &range))
            return ring_fail(EAGAIN);
    }
    set_due(r);
    ring_satisfied(r, RING_FOR_ACKS);
    *out = (struct sock_extended_err){.ee_origin = SO_EE_ORIGIN_ZEROCOPY,
                                      .ee_code = range.code,
                                      .ee_info = range.first,
                                      .ee_data = range.last};
    return 0;
}

int ts_ring_commit(struct ts_ring *r, size_t n, int flags)
{
    bool numbered = n && (flags & MSG_ZEROCOPY);
    uint64_t start = r->committed;

    if (n > r->reserved)
        return ring_fail(EINVAL);
    if (numbered && !may_number(r))
        return ring_fail(ENOBUFS);
    if (ring_commit(r, n, flags) < 0)
        return -1;
    if (numbered)
        note_zerocopy(r, start, 0);
    return 0;
}

/* --- with one copy -----------------------------------------------------------------------------
 */

static bool waits(const struct ts_ring *r, int flags)
{
    return !(flags & MSG_DONTWAIT) && !(fcntl(r->fd, F_GETFL) & O_NONBLOCK);
}

/* As much as there is room for, or all of it. */
static ssize_t send_copy(struct ts_ring *r, const void *data, size_t len, int flags)
{
    size_t done = 0;

    while (done < len) {
        void *span;
        ssize_t n = ts_ring_reserve(r, len - done, &span);

        if (n > 0) {
            size_t sent = (size_t)n;
            /* the rest follows at once where only the end of an extent came between */
            bool more = done + sent < len && LOAD(r->words->send.limit) > r->committed + sent;

            memcpy(span, (const uint8_t *)data + done, sent);
            if (ring_commit(r, sent, more ? MSG_MORE : flags) < 0)
                return done ? (ssize_t)done : -1;
            done += sent;
        } else if (errno != EAGAIN || !waits(r, flags) || ts_ring_wait(r, POLLOUT, -1) < 0) {
            return done ? (ssize_t)done : -1;
        }
    }
    return (ssize_t)done;
}

ssize_t ts_ring_send(struct ts_ring *r, const void *data, size_t len, int flags)
{
    bool numbered = len && (flags & MSG_ZEROCOPY);
    uint64_t start = r->committed;
    ssize_t n;

    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_ZEROCOPY))
        return ring_fail(EOPNOTSUPP);
    if (numbered && !may_number(r))
        return ring_fail(ENOBUFS);
    n = send_copy(r, data, len, flags);
    if (numbered && n > 0)
        note_zerocopy(r, start, SO_EE_CODE_ZEROCOPY_COPIED);
    return n;
}

ssize_t ts_ring_recv(struct ts_ring *r, void *data, size_t len, int flags)
{
    size_t done = 0;

    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL))
        return ring_fail(EOPNOTSUPP);
    while (done < len) {
        const void *span;
        ssize_t n;

        if (done && !(flags & MSG_WAITALL) && !ring_has_bytes(r))
            break;
        n = ts_ring_peek(r, &span);

        if (n > 0) {
            size_t take = (size_t)n < len - done ? (size_t)n : len - done;

            memcpy((uint8_t *)data + done, span, take);
            if (flags & MSG_PEEK)
                return (ssize_t)take;
            (void)ts_ring_consume(r, take);
            done += take;
        } else if (n == 0) {
            break;
        } else if (errno != EAGAIN || !waits(r, flags) || ts_ring_wait(r, POLLIN, -1) < 0) {
            return done ? (ssize_t)done : -1;
        }
    }
    return (ssize_t)done;
}
