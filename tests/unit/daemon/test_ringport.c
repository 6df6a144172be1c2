/* SPDX-License-Identifier: MIT */
/*
 * Shared rings, the daemon's side. The program here has no library and no thread: it writes the
 * words of ipc/ring.h by itself, between the rounds of the daemon.
 */
#include "tests/unit/daemon/rig.h"

#include "daemon/stats.h"
#include "ipc/ring.h"
#include "proto/base/rng.h"
#include "proto/stack_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define stat_of(name) (stats_value[STAT_##name])

/* --- a program ---------------------------------------------------------------------------------
 */

struct ring {
    int fd, file, bell;
    uint8_t *map;
    struct ring_words *w;
    uint64_t committed, consumed;
};

static int ask(struct rig *r, uint16_t op, int fd, int *got)
{
    struct wire_ring want = {0};
    struct rig_reply reply;
    int error = rig_call(r, op, 0, fd, &want, op == WIRE_OP_RING_ATTACH ? sizeof(want) : 0, &reply);

    *got = reply.fd;
    return error;
}

static int attach(struct rig *r, int fd, struct ring *out)
{
    int error = ask(r, WIRE_OP_RING_ATTACH, fd, &out->file);

    if (error)
        return error;
    assert_int_equal(ask(r, WIRE_OP_RING_BELL, fd, &out->bell), 0);
    out->fd = fd;
    out->map = mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, out->file, 0);
    assert_true(out->map != MAP_FAILED);
    out->w = (struct ring_words *)out->map;
    assert_int_equal(out->w->magic, RING_MAGIC);
    out->committed = out->w->committed;
    out->consumed = out->w->consumed;
    out->w->begun = RING_EARLY_DONE;
    return 0;
}

static void detach(struct ring *g)
{
    munmap(g->map, RING_FILE_SIZE);
    close(g->file);
    close(g->bell);
}

/* detach, and the descriptor as well */
static void end(struct ring *g)
{
    detach(g);
    close(g->fd);
}

static void ring_it(struct ring *g)
{
    static const uint64_t one = 1;

    g->w->sleeps = 0;
    assert_int_equal(write(g->bell, &one, sizeof(one)), sizeof(one));
}

static void ring_if_asleep(struct ring *g)
{
    if (g->w->sleeps)
        ring_it(g);
}

static uint8_t *place(struct ring *g, uint32_t area, const struct ring_way *way, uint64_t off)
{
    uint32_t size = way->size[off >= way->boundary];

    assert_true(size >= RING_EXTENT_MIN && size <= RING_EXTENT_MAX);
    return g->map + area + size + (off & (size - 1));
}

static uint8_t byte_at(uint64_t off)
{
    return (uint8_t)(off * 131 + (off >> 8) * 7 + (off >> 16));
}

/* Put up to n bytes of the pattern behind what is committed, without committing them. */
static size_t fill(struct ring *g, size_t n)
{
    uint64_t room = g->w->send.limit - g->committed;

    assert_true(g->w->send.limit >= g->committed);
    assert_int_equal(g->w->send.generation & 1, 0);
    n = n < room ? n : (size_t)room;
    g->w->held = g->committed + n;
    for (size_t i = 0; i < n; i++)
        *place(g, RING_SEND_AREA, &g->w->send, g->committed + i) = byte_at(g->committed + i);
    return n;
}

static size_t put(struct ring *g, size_t n)
{
    n = fill(g, n);
    g->committed += n;
    g->w->committed = g->w->held = g->committed;
    ring_if_asleep(g);
    return n;
}

/* Look at what has arrived; compare it with the pattern. */
static size_t look(struct ring *g, size_t most)
{
    uint64_t n = g->w->recv.limit - g->consumed;

    assert_true(g->w->recv.limit >= g->consumed);
    assert_int_equal(g->w->recv.generation & 1, 0);
    n = n < most ? n : most;
    for (uint64_t off = g->consumed; off < g->consumed + n; off++)
        assert_int_equal(*place(g, RING_RECV_AREA, &g->w->recv, off), byte_at(off));
    return (size_t)n;
}

static size_t get(struct ring *g, size_t most)
{
    size_t n = look(g, most);

    g->consumed += n;
    g->w->consumed = g->consumed;
    if (g->consumed >= g->w->tell_at)
        ring_if_asleep(g);
    return n;
}

static void ticket(struct ring *g, uint32_t what)
{
    g->w->ticket = (((g->w->ticket >> RING_FOR_BITS) + 1) << RING_FOR_BITS) | what;
}

/* The wake-ups that came. */
static int wakes(const struct ring *g)
{
    char bytes[256];
    ssize_t n = recv(g->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    return n < 0 ? 0 : (int)n;
}

static struct stream *stream_of(struct rig *r, int fd)
{
    socklen_t len = sizeof(uint64_t);
    uint64_t cookie;

    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
    return stream_find(&r->streams, cookie);
}

/* --- plain ends --------------------------------------------------------------------------------
 */

static size_t plain_write(int fd, uint64_t at, size_t n)
{
    static uint8_t buffer[65536];
    ssize_t done;

    n = n < sizeof(buffer) ? n : sizeof(buffer);
    for (size_t i = 0; i < n; i++)
        buffer[i] = byte_at(at + i);
    done = send(fd, buffer, n, MSG_NOSIGNAL);
    return done > 0 ? (size_t)done : 0;
}

static size_t plain_read(int fd, uint64_t at, size_t n)
{
    static uint8_t buffer[65536];
    ssize_t done = read(fd, buffer, n < sizeof(buffer) ? n : sizeof(buffer));

    for (ssize_t i = 0; i < done; i++)
        assert_int_equal(buffer[i], byte_at(at + (uint64_t)i));
    return done > 0 ? (size_t)done : 0;
}

static void read_all(struct rig *r, int fd, uint64_t from, uint64_t upto)
{
    for (int idle = 0; from < upto && idle < 50; idle++) {
        size_t n = plain_read(fd, from, (size_t)(upto - from));

        from += n;
        idle = n ? 0 : idle;
        if (!n)
            rig_run(r);
    }
    assert_int_equal(from, upto);
}

/* From a ring to a plain descriptor, up to the offset `upto` of the stream. */
static void send_all(struct rig *r, struct ring *g, int to, uint64_t from, uint64_t upto)
{
    for (int idle = 0; from < upto && idle < 50; idle++) {
        uint64_t before = from;

        if (g->committed < upto)
            (void)put(g, (size_t)(upto - g->committed));
        rig_run(r);
        for (size_t n; (n = plain_read(to, from, 65536)) > 0;)
            from += n;
        idle = from > before ? 0 : idle;
    }
    assert_int_equal(from, upto);
}

/* And the other way; `most`: bytes taken at a time. */
static void receive_all(struct rig *r, struct ring *g, int from, uint64_t upto, size_t most)
{
    uint64_t at = g->consumed;

    for (int idle = 0; g->consumed < upto && idle < 50; idle++) {
        uint64_t before = g->consumed;

        for (size_t n; at < upto && (n = plain_write(from, at, (size_t)(upto - at))) > 0;)
            at += n;
        rig_run(r);
        while (get(g, most))
            ;
        idle = g->consumed > before ? 0 : idle;
    }
    assert_int_equal(g->consumed, upto);
}

static void attached_pair(struct rig *r, int fds[2], struct ring *g)
{
    rig_pair(r, fds);
    assert_int_equal(attach(r, fds[0], g), 0);
}

/* Lines of a file of /proc/self with this word: descriptors and maps of ours that are left. */
static unsigned maps_of_rings(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        n += strstr(line, "tapstack-ring") != NULL;
    fclose(f);
    return n;
}

static unsigned open_files(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1000; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* --- attaching ---------------------------------------------------------------------------------
 */

static void the_file_is_sealed_and_cannot_change_its_size(void **state)
{
    struct ring g;
    int fds[2];

    attached_pair(*state, fds, &g);
    assert_int_equal(fcntl(g.file, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    assert_int_equal(ftruncate(g.file, 4096), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(g.file, 2 * (off_t)RING_FILE_SIZE), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fallocate(g.file, 0, RING_FILE_SIZE, 4096), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(g.file, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_true(fcntl(g.file, F_GETFD) & FD_CLOEXEC);
    end(&g);
    close(fds[1]);
}

/* hostile 36: pages may be taken out of the file at any time; the daemon then reads zeros. */
static void hostile_36_holes_punched_into_the_file_harm_nobody(void **state)
{
    struct rig *r = *state;
    struct ring g;
    char byte;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 10000), 10000);
    assert_int_equal(
        fallocate(g.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, RING_FILE_SIZE - 4096),
        0);
    rig_run(r);
    assert_int_equal(read(fds[1], &byte, 1), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(fallocate(g.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    ring_it(&g);
    rig_run(r); /* the words are zero now, which cannot be true */
    assert_int_equal(stat_of(ring_violations), 1);
    end(&g);
    close(fds[1]);
}

static void only_an_open_connection_is_attached(void **state)
{
    struct rig *r = *state;
    int l = rig_listener(r, 4000, 4), fresh = rig_socket(r), fds[2];
    struct ring g;

    assert_int_equal(attach(r, fresh, &g), ENOTCONN);
    assert_int_equal(attach(r, l, &g), ENOTCONN);
    assert_int_equal(ask(r, WIRE_OP_RING_BELL, fresh, &fds[0]), ENOTCONN);
    rig_pair(r, fds);
    assert_int_equal(ask(r, WIRE_OP_RING_BELL, fds[0], &g.bell), ENOTCONN); /* not attached yet */
    close(fds[1]);
    close(fds[0]);
    close(fresh);
    close(l);
}

/* The request may overtake the event of the shutdown. */
static void what_was_shut_for_writing_is_not_attached_and_its_fin_is_not_lost(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    assert_int_equal(attach(r, fds[0], &g), ENOTCONN);
    rig_run(r);
    rig_expect_eof(fds[1]);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(plain_read(fds[0], 0, 100), 100);
    close(fds[0]);
    close(fds[1]);
}

static void a_second_holder_gets_the_same_ring(void **state)
{
    struct rig *r = *state;
    struct ring g, second;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 1000), 1000);
    rig_run(r);
    assert_int_equal(attach(r, fds[0], &second), 0);
    assert_int_equal(second.committed, 1000);
    assert_int_equal(put(&second, 500), 500);
    rig_run(r);
    assert_int_equal(plain_read(fds[1], 0, 65536), 1500);
    assert_int_equal(stat_of(ring_violations), 0);
    detach(&second);
    g.committed = 1500;
    assert_int_equal(put(&g, 500), 500);
    rig_run(r);
    assert_int_equal(plain_read(fds[1], 1500, 65536), 500);
    end(&g);
    close(fds[1]);
}

static void what_was_written_before_goes_first_and_later_writes_are_epipe(void **state)
{
    struct rig *r = *state;
    struct ring g;
    size_t total = 0;
    int fds[2];

    rig_pair(r, fds);
    for (size_t n; (n = plain_write(fds[0], total, 65536)) > 0;)
        total += n;
    assert_true(total > 100000);
    assert_int_equal(attach(r, fds[0], &g), 0);
    assert_int_equal(g.committed, total);
    assert_int_equal(send(fds[0], "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    send_all(r, &g, fds[1], 0, total + 300000);
    end(&g);
    close(fds[1]);
}

static void what_came_before_is_read_from_the_descriptor_and_the_rest_from_the_ring(void **state)
{
    struct rig *r = *state;
    size_t total = 0, early = 0;
    struct ring g;
    int fds[2], idle = 0;

    rig_pair(r, fds);
    while (idle < 3) { /* until both pairs and the window are full */
        size_t n = plain_write(fds[1], total, 65536);

        total += n;
        idle = n ? 0 : idle + 1;
        if (!n)
            rig_run(r);
    }
    assert_int_equal(attach(r, fds[0], &g), 0);
    assert_true(g.consumed > 0 && g.consumed < total);
    while (early < g.consumed) {
        size_t n = plain_read(fds[0], early, 65536);

        assert_true(n > 0);
        early += n;
    }
    assert_int_equal(early, g.consumed);
    for (idle = 0; g.consumed < total && idle < 20; idle++) {
        idle = get(&g, 100000) ? 0 : idle;
        rig_run(r);
    }
    assert_int_equal(g.consumed, total);
    end(&g);
    close(fds[1]);
}

/* --- moving bytes ------------------------------------------------------------------------------
 */

static void bytes_go_both_ways(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    send_all(r, &g, fds[1], 0, 3000000);
    receive_all(r, &g, fds[1], 3000000, 1 << 20);
    receive_all(r, &g, fds[1], 4000000, 1000);
    for (int i = 0; i < 100; i++) /* small ones, with an answer each */ {
        send_all(r, &g, fds[1], g.committed, g.committed + 10);
        receive_all(r, &g, fds[1], g.consumed + 10, 10);
    }
    assert_int_equal(stat_of(ring_violations), 0);
    end(&g);
    rig_run(r);
    rig_expect_eof(fds[1]);
    close(fds[1]);
}

static void two_rings_talk(void **state)
{
    struct rig *r = *state;
    struct ring a, b;
    int fds[2], idle;

    attached_pair(r, fds, &a);
    assert_int_equal(attach(r, fds[1], &b), 0);
    for (idle = 0; (a.consumed < 5000000 || b.consumed < 5000000) && idle < 20; idle++) {
        (void)put(&a, a.committed < 5000000 ? (size_t)(5000000 - a.committed) : 0);
        (void)put(&b, b.committed < 5000000 ? (size_t)(5000000 - b.committed) : 0);
        rig_run(r);
        while (get(&a, 70000) || get(&b, 90000))
            idle = 0;
    }
    assert_int_equal(a.consumed, 5000000);
    assert_int_equal(b.consumed, 5000000);
    assert_int_equal(stat_of(ring_violations), 0);
    end(&a);
    end(&b);
}

static void the_room_and_what_is_acknowledged_are_told(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_true(g.w->send.limit > 0);
    assert_int_equal(put(&g, 100), 100);
    rig_run(r);
    ring_it(&g); /* who wants to know rings */
    rig_run(r);
    assert_int_equal(g.w->send.acked, 100);
    end(&g);
    close(fds[1]);
}

/* --- wake-ups ----------------------------------------------------------------------------------
 */

static void a_ticket_is_answered_once_and_only_for_what_it_asks(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_run(r);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(wakes(&g), 0); /* nobody asked */
    ticket(&g, RING_FOR_SPACE);
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(wakes(&g), 1); /* there is room, and whoever asked had not seen it */
    assert_int_equal(plain_write(fds[1], 100, 100), 100);
    rig_run(r);
    assert_int_equal(wakes(&g), 0);
    ticket(&g, RING_FOR_DATA);
    assert_int_equal(plain_write(fds[1], 200, 100), 100);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    assert_int_equal(plain_write(fds[1], 300, 100), 100);
    rig_run(r);
    assert_int_equal(wakes(&g), 0);
    assert_int_equal(get(&g, 1000), 400);
    end(&g);
    close(fds[1]);
}

/* The room came after the ticket that asked for it was answered for something else. */
static void a_wish_for_room_that_another_ticket_carries_on_is_heard(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_run(r);
    ticket(&g, RING_FOR_DATA | RING_FOR_SPACE);
    ring_if_asleep(&g);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    ring_it(&g);
    poller_run(&r->poller); /* awake: nobody rings */
    ticket(&g, RING_FOR_DATA | RING_FOR_SPACE);
    ringports_run(&r->streams);
    assert_int_equal(wakes(&g), 1);
    rig_run(r);
    assert_int_equal(wakes(&g), 0); /* each ticket once */
    end(&g);
    close(fds[1]);
}

static void who_waits_for_room_is_told_of_it(void **state)
{
    struct rig *r = *state;
    uint64_t read = 0;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    for (int i = 0; i < 20; i++) {
        (void)put(&g, SIZE_MAX);
        rig_run(r);
    }
    assert_int_equal(g.w->send.limit, g.committed);
    ticket(&g, RING_FOR_SPACE);
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(wakes(&g), 0);
    for (size_t n; (n = plain_read(fds[1], read, 65536)) > 0;) {
        read += n;
        rig_run(r);
    }
    assert_int_equal(wakes(&g), 1);
    assert_int_equal(read, g.committed);
    assert_true(g.w->send.limit > g.committed);
    end(&g);
    close(fds[1]);
}

/* The peer is our own stack: what the daemon has sent is acknowledged in the rounds that follow. */
static void who_waits_for_acknowledgements_is_told_once_they_are_here(void **state)
{
    struct rig *r = *state;
    uint64_t begun;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_run(r);
    begun = g.committed;
    assert_int_equal(put(&g, 50000), 50000);
    g.w->ack_at = begun + 50000;
    ticket(&g, RING_FOR_ACKS);
    ring_if_asleep(&g);
    for (int i = 0; i < 1000 && g.w->send.acked < begun + 50000; i++) {
        assert_int_equal(wakes(&g), 0);
        rig_round(r);
    }
    assert_int_equal(g.w->send.acked, begun + 50000);
    rig_run(r);
    assert_int_equal(wakes(&g), 1); /* for the last byte, not for each ACK */
    ticket(&g, RING_FOR_ACKS);      /* it is here already */
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    g.w->ack_at = begun + 50001;
    ticket(&g, RING_FOR_ACKS);
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(wakes(&g), 0);
    assert_int_equal(put(&g, 1), 1); /* committed behind the ticket */
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    end(&g);
    close(fds[1]);
}

/* A ring that sleeps publishes what is acknowledged for who asked, and for nobody else. */
static void what_is_acknowledged_is_published_while_the_ring_sleeps(void **state)
{
    struct rig *r = *state;
    uint64_t before;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_run(r);
    before = g.w->send.acked;
    assert_int_equal(put(&g, 1000), 1000);
    rig_run(r);
    assert_true(g.w->sleeps);
    assert_true(sock_acked(stream_of(r, g.fd)->sock) == g.committed);
    assert_int_equal(g.w->send.acked, before);
    ticket(&g, RING_FOR_DATA);
    rig_run(r);
    assert_int_equal(g.w->send.acked, before);
    assert_int_equal(put(&g, 1000), 1000);
    g.w->ack_at = g.committed;
    ticket(&g, RING_FOR_ACKS);
    ring_it(&g);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    assert_true(g.w->sleeps);
    assert_int_equal(g.w->send.acked, g.committed);
    end(&g);
    close(fds[1]);
}

/* Each round with another wish: one look each, and nobody is kept awake. */
static void hostile_36_endless_wishes_for_acknowledgements_are_bounded_work(void **state)
{
    static const uint64_t offsets[] = {0, 1, UINT64_MAX, 1000, UINT64_MAX / 2};
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    (void)put(&g, 1000);
    for (int i = 0; i < 300; i++) {
        g.w->ack_at = offsets[i % 5];
        ticket(&g, RING_FOR_ACKS | (i & 3));
        if (i & 1)
            ring_it(&g);
        rig_round(r);
        assert_in_range(wakes(&g), 0, 1);
        assert_null(stack_check(r->stack));
    }
    g.w->ack_at = UINT64_MAX;
    ticket(&g, RING_FOR_ACKS);
    rig_run(r);
    assert_false(ringports_sleep(&r->streams));
    assert_int_equal(stat_of(ring_violations), 0);
    read_all(r, fds[1], 0, 1000);
    end(&g);
    close(fds[1]);
}

static void behind_the_programs_end_acknowledgements_are_told_too(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_run(r);
    assert_int_equal(put(&g, 1000), 1000);
    g.w->ask = RING_SHUT_WR;
    g.w->ack_at = g.committed;
    ticket(&g, RING_FOR_ACKS);
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    assert_int_equal(g.w->send.acked, g.committed);
    end(&g);
    close(fds[1]);
}

static void a_reset_wakes_who_waits_for_acknowledgements(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_run(r);
    g.w->ack_at = g.committed + 1; /* what nobody has sent */
    ticket(&g, RING_FOR_ACKS);
    ring_if_asleep(&g);
    assert_int_equal(plain_write(fds[1], 0, 10), 10);
    rig_run(r);
    assert_int_equal(put(&g, 100), 100);
    rig_run(r);
    (void)wakes(&g);
    g.w->ack_at = g.committed + 1;
    ticket(&g, RING_FOR_ACKS);
    close(fds[1]); /* with 100 bytes unread */
    rig_run(r);
    assert_int_equal(g.w->state & RING_ERROR, RING_ERROR);
    assert_int_equal(wakes(&g), 1);
    end(&g);
}

static void the_end_wakes_who_waits_for_bytes(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(get(&g, 100), 100);
    ticket(&g, RING_FOR_DATA);
    close(fds[1]);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    assert_int_equal(g.w->state, RING_EOF);
    end(&g);
}

static void bells_without_end_change_nothing(void **state)
{
    struct rig *r = *state;
    static const uint64_t most = UINT64_MAX - 1;
    struct ring g, other;
    int fds[2], others[2];

    attached_pair(r, fds, &g);
    attached_pair(r, others, &other);
    for (int i = 0; i < 3000; i++) {
        for (int k = 0; k < 10; k++) {
            ring_it(&g);
            ticket(&g, RING_FOR_DATA | RING_FOR_SPACE);
        }
        if (i % 10 == 0)
            (void)put(&g, 1);
        rig_round(r);
    }
    (void)!write(g.bell, &most, sizeof(most)); /* and the counter is full */
    send_all(r, &other, others[1], 0, 500000);
    assert_int_equal(stat_of(ring_violations), 0);
    end(&g);
    rig_run(r);
    close(fds[1]);
    end(&other);
    close(others[1]);
}

/* --- ends --------------------------------------------------------------------------------------
 */

static void the_peers_end_comes_behind_its_bytes(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(plain_write(fds[1], 0, 5000), 5000);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    rig_run(r);
    assert_int_equal(g.w->state, RING_EOF);
    assert_int_equal(get(&g, 10000), 5000);
    send_all(r, &g, fds[1], 0, 300000); /* the other way lives */
    end(&g);
    rig_run(r);
    rig_expect_eof(fds[1]);
    close(fds[1]);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void our_end_comes_behind_what_is_committed(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 70000), 70000);
    g.w->ask = RING_SHUT_WR;
    ring_if_asleep(&g);
    rig_run(r);
    read_all(r, fds[1], 0, 70000);
    rig_run(r);
    rig_expect_eof(fds[1]);
    receive_all(r, &g, fds[1], 100000, 65536);
    close(fds[1]);
    rig_run(r);
    assert_int_equal(g.w->state & RING_ERROR, 0);
    end(&g);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

/* A request acts behind what is committed, so it looks at the words as well. */
static void an_end_that_a_request_comes_upon_is_passed_on(void **state)
{
    struct rig *r = *state;
    struct rig_reply reply;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 100), 100);
    ring_it(&g);
    poller_run(&r->poller);
    assert_int_equal(g.w->sleeps, 0); /* no bell is needed */
    assert_int_equal(put(&g, 100), 100);
    g.w->ask = RING_SHUT_WR;
    rig_send(r, r->client, WIRE_OP_OUTQ, 0, fds[0], NULL, 0);
    rig_run(r);
    rig_receive(r->client, &reply);
    assert_int_equal(reply.error, 0);
    assert_int_equal(plain_read(fds[1], 0, 65536), 200);
    rig_expect_eof(fds[1]);
    end(&g);
    close(fds[1]);
}

/* write(2) after shutdown(2) is EPIPE: such bytes do not exist. */
static void hostile_36_bytes_committed_behind_our_end_are_never_sent(void **state)
{
    struct rig *r = *state;
    struct ring g;
    uint64_t rounds;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 100), 100);
    g.w->ask = RING_SHUT_WR;
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(plain_read(fds[1], 0, 65536), 100);
    rig_expect_eof(fds[1]);
    assert_int_equal(put(&g, 1000), 1000);
    ring_it(&g);
    for (rounds = 0; rounds < 10; rounds++) {
        rig_round(r);
        assert_null(stack_check(r->stack));
    }
    assert_false(ringports_sleep(&r->streams)); /* and nobody is kept awake by them */
    rig_expect_eof(fds[1]);
    receive_all(r, &g, fds[1], 1000, 65536);
    end(&g);
    close(fds[1]);
}

static void a_reset_is_an_error_behind_the_unread_bytes_and_never_an_end(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    ticket(&g, RING_FOR_DATA);
    assert_int_equal(plain_write(fds[1], 0, 5000), 5000);
    assert_int_equal(put(&g, 100), 100);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    ticket(&g, RING_FOR_SPACE);
    close(fds[1]); /* with 100 bytes unread */
    rig_run(r);
    assert_int_equal(g.w->state, RING_ERROR);
    assert_int_equal(g.w->error, ECONNRESET);
    assert_int_equal(wakes(&g), 1);
    assert_int_equal(get(&g, 100), 100);
    rig_run(r);
    assert_int_equal(g.w->state, RING_ERROR);
    assert_int_equal(get(&g, 10000), 4900);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
    rig_expect_reset(fds[0]); /* and on the descriptor */
    assert_int_equal(rig_so_error(r, fds[0]), ECONNRESET);
    end(&g);
}

static void what_is_committed_after_a_reset_goes_nowhere(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 100), 100);
    rig_run(r);
    close(fds[1]);
    rig_round(r);                /* the reset is on its way */
    stack_run(r->stack, r->now); /* and here; the stream has not heard of it */
    assert_int_equal(put(&g, 100), 100);
    ring_it(&g);
    rig_run(r);
    assert_int_equal(g.w->state, RING_ERROR);
    end(&g);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void close_sends_what_is_committed_and_then_the_end(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 50000), 50000);
    end(&g);
    rig_run(r);
    assert_int_equal(plain_read(fds[1], 0, 65536), 50000);
    rig_expect_eof(fds[1]);
    close(fds[1]);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
}

static void close_with_unread_bytes_is_a_reset_at_the_peer(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(get(&g, 99), 99);
    end(&g);
    rig_run(r);
    rig_expect_reset(fds[1]);
    close(fds[1]);
}

/* What was consumed without telling is consumed. */
static void close_with_all_bytes_read_is_an_end_at_the_peer(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(get(&g, 100), 100);
    assert_true(g.consumed < g.w->tell_at);
    ticket(&g, RING_FOR_DATA);
    assert_int_equal(plain_write(fds[1], 100, 100), 100);
    rig_run(r); /* a wake-up stays unread */
    assert_int_equal(get(&g, 100), 100);
    end(&g);
    rig_run(r);
    rig_expect_eof(fds[1]);
    close(fds[1]);
}

static void bytes_from_before_the_ring_count_as_unread_until_the_program_has_them(void **state)
{
    static const struct {
        uint32_t begun;
        bool read, reset;
    } cases[] = {{0, false, true}, {RING_EARLY_MOVED, true, true}, {RING_EARLY_DONE, true, false}};
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ring g;
        int fds[2];

        rig_pair(r, fds);
        assert_int_equal(plain_write(fds[1], 0, 100), 100);
        rig_run(r);
        assert_int_equal(attach(r, fds[0], &g), 0);
        g.w->begun = cases[i].begun;
        if (cases[i].read)
            assert_int_equal(plain_read(fds[0], 0, 100), 100);
        end(&g);
        rig_run(r);
        if (cases[i].reset)
            rig_expect_reset(fds[1]);
        else
            rig_expect_eof(fds[1]);
        close(fds[1]);
    }
}

/* Memory is short just when the program closes: its bytes wait, they are not forgotten. */
static void bytes_committed_before_close_are_sent_also_when_memory_is_short(void **state)
{
    static struct segment *hogs[4096];
    struct rig *r = *state;
    struct ring g;
    unsigned n = 0;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_run(r);
    r->stack->mem.limit = r->stack->mem.used;
    while (n < 4096 && (hogs[n] = pool_get(&r->stack->tcp.segment_pool)))
        n++;
    assert_in_range(n, 1, 4095);
    assert_int_equal(put(&g, 1000), 1000); /* by the spare segment */
    poller_run(&r->poller);                /* no ACK gives it back yet */
    assert_int_equal(put(&g, 1000), 1000);
    end(&g);
    poller_run(&r->poller);
    r->stack->mem.limit = 0;
    while (n)
        pool_put(&r->stack->tcp.segment_pool, hogs[--n]);
    rig_sleep(r, 3000000);
    assert_int_equal(plain_read(fds[1], 0, 65536), 2000);
    rig_run(r);
    rig_expect_eof(fds[1]);
    close(fds[1]);
}

static void the_core_sends_on_when_the_program_and_its_stream_are_gone(void **state)
{
    struct rig *r = *state;
    unsigned maps = maps_of_rings();
    uint64_t total, read = 0;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    for (int idle = 0; idle < 5; idle++) { /* until everything is full */
        idle = put(&g, SIZE_MAX) ? 0 : idle;
        rig_run(r);
    }
    total = g.committed;
    end(&g);
    rig_run(r);
    assert_int_equal(r->streams.count, 1);
    assert_int_equal(maps_of_rings(), maps + 1);
    for (int idle = 0; idle < 20; idle++) {
        size_t n = plain_read(fds[1], read, 65536);

        read += n;
        idle = n ? 0 : idle;
        rig_run(r);
    }
    assert_int_equal(read, total);
    rig_expect_eof(fds[1]);
    assert_int_equal(maps_of_rings(), maps);
    close(fds[1]);
}

/* Then our end cannot refuse them, and they have no place in the ring. */
static void a_plain_write_behind_the_peers_end_resets_rather_than_lies(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(plain_write(fds[1], 0, 10), 10);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    rig_run(r);
    assert_int_equal(plain_read(fds[0], 0, 10), 10);
    rig_expect_eof(fds[0]);
    assert_int_equal(attach(r, fds[0], &g), 0);
    assert_int_equal(g.w->state, RING_EOF);
    send_all(r, &g, fds[1], 0, 300000);
    (void)plain_write(fds[0], 300000, 1000);
    rig_run(r);
    (void)put(&g, 1000);
    rig_run(r);
    assert_true(plain_read(fds[1], 300000, 65536) <= 1000);
    rig_expect_reset(fds[1]);
    end(&g);
    close(fds[1]);
}

static void shutdown_of_reading_discards_what_comes_later(void **state)
{
    struct rig *r = *state;
    uint64_t sent = 0;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    g.w->ask = RING_SHUT_RD;
    ring_if_asleep(&g);
    rig_run(r);
    for (int i = 0; i < 100; i++) {
        for (size_t n; (n = plain_write(fds[1], sent, 65536)) > 0;)
            sent += n;
        rig_run(r);
    }
    assert_true(sent > 8000000); /* the sender does not get stuck */
    rig_sleep(r, 3 * RINGPORT_IDLE_US);
    assert_int_equal(stat_of(ring_violations), 0);
    send_all(r, &g, fds[1], 0, 100000);
    end(&g);
    rig_run(r);
    rig_expect_eof(fds[1]);
    close(fds[1]);
}

static void a_stopping_daemon_says_why(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(put(&g, 1000), 1000);
    rig_run(r);
    assert_int_equal(plain_read(fds[1], 0, 65536), 1000);
    assert_int_equal(put(&g, 1000), 1000);
    streams_stop(&r->streams);
    rig_run(r);
    assert_int_equal(r->streams.count, 0);
    assert_int_equal(g.w->state, RING_ERROR);
    assert_int_equal(g.w->error, ECONNABORTED);
    rig_expect_reset(fds[0]);
    end(&g);
    close(fds[1]);
}

/* --- giving back -------------------------------------------------------------------------------
 */

static void an_idle_ring_gives_its_storage_back_and_works_again(void **state)
{
    struct rig *r = *state;
    uint64_t used = r->stack->mem.used - r->stack->extents.cached;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    send_all(r, &g, fds[1], 0, 1000000);
    receive_all(r, &g, fds[1], 1000000, 65536);
    assert_true(r->stack->mem.used - r->stack->extents.cached > used + 500000);
    rig_sleep(r, 3 * RINGPORT_IDLE_US);
    assert_int_equal(stat_of(rings_given_back), 1);
    assert_true(r->stack->mem.used - r->stack->extents.cached < used + 200000);
    assert_int_equal(g.w->send.limit, g.committed);
    ticket(&g, RING_FOR_SPACE);
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(wakes(&g), 1);
    send_all(r, &g, fds[1], 1000000, 2000000);
    receive_all(r, &g, fds[1], 2000000, 65536);
    end(&g);
    close(fds[1]);
}

/* The bell is silent when little arrives and is read: that must not keep the storage for ever. */
static void a_ring_that_only_receives_gives_its_storage_back_each_time(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    rig_sleep(r, 3 * RINGPORT_IDLE_US);
    assert_int_equal(stat_of(rings_given_back), 1);
    for (unsigned i = 2; i < 5; i++) {
        assert_int_equal(plain_write(fds[1], g.consumed, 100), 100);
        rig_run(r);
        assert_int_equal(get(&g, 100), 100);
        rig_sleep(r, 3 * RINGPORT_IDLE_US);
        assert_int_equal(stat_of(rings_given_back), i);
    }
    end(&g);
    close(fds[1]);
}

static void a_ring_that_was_read_late_gives_its_storage_back_late(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_sleep(r, 3 * RINGPORT_IDLE_US);
    assert_int_equal(stat_of(rings_given_back), 0);
    assert_int_equal(get(&g, 100), 100);
    rig_sleep(r, 3 * RINGPORT_IDLE_US);
    assert_int_equal(stat_of(rings_given_back), 1);
    end(&g);
    close(fds[1]);
}

static void a_ring_in_use_keeps_its_storage(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    for (int i = 0; i < 20; i++) { /* four times in its time, and idle at each look */
        assert_int_equal(plain_write(fds[1], g.consumed, 100), 100);
        rig_run(r);
        assert_int_equal(get(&g, 100), 100);
        rig_sleep(r, RINGPORT_IDLE_US / 4);
        ringports_tick(&r->streams);
    }
    assert_int_equal(stat_of(rings_given_back), 0);
    end(&g);
    close(fds[1]);
}

static void storage_that_the_program_is_writing_into_is_kept(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(fill(&g, 1000), 1000);
    rig_sleep(r, 3 * RINGPORT_IDLE_US);
    assert_int_equal(stat_of(rings_given_back), 0);
    g.committed += 1000;
    g.w->committed = g.committed;
    ring_if_asleep(&g);
    rig_run(r);
    assert_int_equal(plain_read(fds[1], 0, 65536), 1000);
    end(&g);
    close(fds[1]);
}

/* --- nonsense ----------------------------------------------------------------------------------
 */

static void nonsense(struct rig *r, void (*write_it)(struct ring *g))
{
    uint64_t before = stat_of(ring_violations);
    struct ring g, other;
    int fds[2], others[2];

    attached_pair(r, fds, &g);
    attached_pair(r, others, &other);
    assert_int_equal(put(&g, 5000), 5000);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(plain_read(fds[1], 0, 65536), 5000);
    assert_int_equal(get(&g, 50), 50);
    rig_run(r);
    write_it(&g);
    ring_it(&g);
    rig_run(r);
    assert_int_equal(stat_of(ring_violations), before + 1);
    assert_int_equal(g.w->state & RING_ERROR, RING_ERROR);
    rig_expect_reset(fds[1]);
    rig_expect_reset(fds[0]);
    send_all(r, &other, others[1], 0, 300000);
    receive_all(r, &other, others[1], 300000, 65536);
    end(&g);
    end(&other);
    close(fds[1]);
    close(others[1]);
}

static void commit_backwards(struct ring *g)
{
    g->w->committed = g->committed - 1;
}

static void commit_too_much(struct ring *g)
{
    g->w->committed = g->w->send.limit + 1;
}

static void commit_the_most(struct ring *g)
{
    g->w->committed = UINT64_MAX;
}

/* The limit that counts is the daemon's own copy. */
static void commit_up_to_a_limit_of_its_own(struct ring *g)
{
    g->w->send.limit += 1 << 20;
    g->w->committed = g->w->send.limit;
}

static void consume_backwards(struct ring *g)
{
    g->w->consumed = g->consumed - 51;
    g->w->tell_at = 0;
    g->w->ask = RING_SHUT_WR; /* has it looked at */
}

static void consume_too_much(struct ring *g)
{
    g->w->consumed = g->w->recv.limit + 1;
    g->w->ask = RING_SHUT_WR;
}

static void consume_the_most(struct ring *g)
{
    g->w->consumed = UINT64_MAX;
}

static void hostile_36_nonsense_resets_its_own_connection_only(void **state)
{
    nonsense(*state, commit_backwards);
    nonsense(*state, commit_too_much);
    nonsense(*state, commit_the_most);
    nonsense(*state, commit_up_to_a_limit_of_its_own);
    nonsense(*state, consume_too_much);
    nonsense(*state, consume_the_most);
}

static void hostile_36_what_was_consumed_cannot_be_had_back(void **state)
{
    struct rig *r = *state;
    struct ring g;
    int fds[2];

    attached_pair(r, fds, &g);
    assert_int_equal(plain_write(fds[1], 0, 100), 100);
    rig_run(r);
    assert_int_equal(get(&g, 100), 100);
    ring_it(&g);
    rig_run(r);
    consume_backwards(&g);
    ring_it(&g);
    rig_run(r);
    assert_int_equal(stat_of(ring_violations), 1);
    rig_expect_reset(fds[1]);
    end(&g);
    close(fds[1]);
}

/* hostile 36: the words are written at random, the daemon's own as well, while another ring works.
 */
struct scribbler {
    struct rng rng;
    struct ring g;
    int peer;
    unsigned lives;
};

static uint64_t nasty(struct scribbler *s, uint64_t now)
{
    switch (rng_below(&s->rng, 8)) {
    case 0:
        return rng_u64(&s->rng);
    case 1:
        return 0;
    case 2:
        return UINT64_MAX - rng_below(&s->rng, 3);
    case 3:
        return (uint64_t)1 << rng_below(&s->rng, 64);
    case 4:
        return now - rng_below(&s->rng, 5000);
    default:
        return now + rng_below(&s->rng, 5000);
    }
}

static void live(struct rig *r, struct scribbler *s)
{
    int fds[2];

    rig_pair(r, fds);
    assert_int_equal(attach(r, fds[0], &s->g), 0);
    s->peer = fds[1];
    s->lives++;
}

static void scribble(struct rig *r, struct scribbler *s)
{
    static const size_t own[] = {
        offsetof(struct ring_words, committed), offsetof(struct ring_words, held),
        offsetof(struct ring_words, consumed),  offsetof(struct ring_words, ticket),
        offsetof(struct ring_words, more),      offsetof(struct ring_words, ask),
        offsetof(struct ring_words, ack_at)};
    uint8_t *page = s->g.map;
    char waste[4096];

    for (uint64_t n = rng_below(&s->rng, 4); n; n--) {
        size_t at = rng_below(&s->rng, 2) ? own[rng_below(&s->rng, 7)]
                                          : 4 * rng_below(&s->rng, sizeof(struct ring_words) / 4);
        uint64_t now = 0;
        size_t width = rng_below(&s->rng, 2) ? 8 : 4;

        memcpy(&now, page + at, width);
        now = nasty(s, now);
        memcpy(page + at, &now, width);
    }
    if (rng_below(&s->rng, 8) == 0) /* and anywhere in the areas */
        memset(page + RING_SEND_AREA + rng_below(&s->rng, 2 * RING_AREA_SIZE - 4096), 0xee, 4096);
    if (rng_below(&s->rng, 2))
        ring_it(&s->g);
    if (rng_below(&s->rng, 4) == 0)
        (void)send(s->peer, waste, rng_below(&s->rng, sizeof(waste)), MSG_NOSIGNAL | MSG_DONTWAIT);
    while (recv(s->peer, waste, sizeof(waste), MSG_DONTWAIT) > 0)
        ;
    if (rng_below(&s->rng, 16) == 0)
        (void)wakes(&s->g);
    if (rng_below(&s->rng, 200) == 0 || r->streams.count < 4) {
        end(&s->g);
        close(s->peer);
        live(r, s);
    }
}

static void hostile_36_random_words_while_another_ring_transfers(void **state)
{
    static const uint8_t seed[16] = "scribbler";
    struct scribbler s = {.lives = 0};
    struct rig *r = *state;
    unsigned maps = maps_of_rings();
    struct ring g;
    uint64_t read = 0, sent = 0;
    int fds[2];

    rng_init(&s.rng, seed);
    attached_pair(r, fds, &g);
    live(r, &s);
    for (int i = 0; i < 6000; i++) {
        scribble(r, &s);
        (void)put(&g, rng_below(&s.rng, 20000));
        sent += plain_write(fds[1], sent, rng_below(&s.rng, 20000));
        rig_round(r);
        read += plain_read(fds[1], read, rng_below(&s.rng, 30000) + 1);
        (void)get(&g, rng_below(&s.rng, 30000));
        assert_null(stack_check(r->stack));
        if (i % 1000 == 999)
            r->now += 2 * RINGPORT_IDLE_US;
    }
    for (int i = 0; i < 200 && (read < g.committed || g.consumed < sent); i++) {
        rig_run(r);
        read += plain_read(fds[1], read, 65536);
        (void)get(&g, SIZE_MAX);
    }
    assert_int_equal(read, g.committed);
    assert_int_equal(g.consumed, sent);
    assert_true(read > 1000000 && sent > 1000000);
    assert_true(s.lives > 50);
    assert_true(stat_of(ring_violations) > 50);
    end(&s.g);
    close(s.peer);
    end(&g);
    close(fds[1]);
    rig_sleep(r, 5000000);
    assert_int_equal(r->streams.count, 0);
    rig_sleep(r, UINT64_C(1000000000)); /* orphans have given up */
    assert_int_equal(maps_of_rings(), maps);
}

/* The same by a thread, in the midst of the daemon's rounds: what was checked may be another value
 * when it is used. */
struct racer {
    _Atomic(struct ring_words *) words;
    atomic_bool stop;
    atomic_uint idle; /* times that it saw no words */
};

static void *race(void *arg)
{
    struct racer *x = arg;
    uint64_t n = 88172645463325252u;

    while (!x->stop) {
        struct ring_words *w = x->words;

        if (!w) {
            x->idle++;
            continue;
        }
        for (int i = 0; i < 100; i++) {
            n ^= n << 13;
            n ^= n >> 7;
            n ^= n << 17;
            /* mostly what could be true, and one moment later could not */
            __atomic_store_n(&w->committed, n % 16 ? w->send.limit - n % 5000 : n,
                             __ATOMIC_RELAXED);
            __atomic_store_n(&w->consumed, n % 32 ? w->recv.limit : n, __ATOMIC_RELAXED);
            __atomic_store_n(&w->ask, n % 512 ? 0 : (uint32_t)n, __ATOMIC_RELAXED);
            __atomic_store_n(&w->ack_at, n % 3 ? w->send.limit - n % 5000 : n, __ATOMIC_RELAXED);
            __atomic_store_n(&w->ticket, (uint32_t)n, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

/* It does not touch the words any more. */
static void rein_in(struct racer *x)
{
    unsigned before;

    x->words = NULL;
    before = x->idle;
    while (x->idle - before < 2)
        ;
}

static void hostile_36_values_that_change_between_check_and_use(void **state)
{
    struct scribbler s = {.lives = 0};
    struct rig *r = *state;
    struct racer x = {.words = NULL};
    pthread_t thread;
    struct ring g;
    uint64_t read = 0;
    char waste[65536];
    int fds[2];

    attached_pair(r, fds, &g);
    live(r, &s);
    assert_int_equal(pthread_create(&thread, NULL, race, &x), 0);
    /* on a busy machine the thread gets its turn late */
    for (int i = 0; i < 2000 || (s.lives <= 20 && i < 10000000); i++) {
        x.words = s.g.w;
        (void)send(s.peer, waste, 3000, MSG_NOSIGNAL | MSG_DONTWAIT);
        ring_it(&s.g);
        (void)put(&g, 5000);
        rig_round(r);
        assert_null(stack_check(r->stack));
        while (recv(s.peer, waste, sizeof(waste), MSG_DONTWAIT) > 0)
            ;
        read += plain_read(fds[1], read, 65536);
        if (r->streams.count < 4) {
            rein_in(&x);
            end(&s.g);
            close(s.peer);
            live(r, &s);
        }
    }
    x.stop = true;
    pthread_join(thread, NULL);
    read_all(r, fds[1], read, g.committed);
    assert_true(g.committed > 100000);
    assert_true(s.lives > 20);
    end(&s.g);
    close(s.peer);
    end(&g);
    close(fds[1]);
}

/* --- want of everything ------------------------------------------------------------------------
 */

static void still_plain(struct rig *r, const int fds[2], uint64_t at)
{
    assert_int_equal(plain_write(fds[0], at, 1000), 1000);
    assert_int_equal(plain_write(fds[1], at, 1000), 1000);
    rig_run(r);
    assert_int_equal(plain_read(fds[0], at, 65536), 1000);
    assert_int_equal(plain_read(fds[1], at, 65536), 1000);
}

static void without_memory_the_descriptor_stays_plain(void **state)
{
    struct rig *r = *state;
    unsigned maps = maps_of_rings(), files;
    struct ring g;
    int fds[2];

    rig_pair(r, fds);
    still_plain(r, fds, 0);
    files = open_files();
    r->stack->mem.limit = r->stack->mem.used + 100000;
    assert_int_equal(attach(r, fds[0], &g), ENOMEM);
    r->stack->mem.limit = 0;
    assert_int_equal(open_files(), files);
    assert_int_equal(maps_of_rings(), maps);
    still_plain(r, fds, 1000);
    assert_int_equal(attach(r, fds[0], &g), 0);
    end(&g);
    close(fds[1]);
}

static void without_descriptors_the_descriptor_stays_plain(void **state)
{
    struct rig *r = *state;
    struct rlimit before, now;
    unsigned refused = 0, files;
    struct ring g = {.file = -1};
    int fds[2], next, error;

    rig_pair(r, fds);
    still_plain(r, fds, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    files = open_files();
    next = dup(0);
    close(next);
    for (rlim_t spare = 1; spare < 40; spare++) {
        now = (struct rlimit){(rlim_t)next + spare, before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
        error = ask(r, WIRE_OP_RING_ATTACH, fds[0], &g.file);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (error == 0)
            break;
        assert_int_equal(error, EMFILE);
        refused++;
        assert_int_equal(open_files(), files);
        still_plain(r, fds, refused * 1000);
    }
    assert_true(refused >= 2); /* the file, the eventfd */
    assert_int_equal(error, 0);
    close(g.file);
    close(fds[0]);
    close(fds[1]);
}

/* Two descriptors more, of which the daemon has so many for all. */
static void a_rings_descriptors_are_counted(void **state)
{
    struct rig *r = *state;
    uint32_t before = r->policy.descriptors;
    struct ring g, other;
    int fds[2], others[2];

    rig_pair(r, fds);
    rig_pair(r, others);
    assert_int_equal(r->policy.descriptors, before + 4);
    assert_int_equal(attach(r, fds[0], &g), 0);
    assert_int_equal(r->policy.descriptors, before + 6);
    r->policy.max_descriptors = r->policy.descriptors + 1;
    assert_int_equal(attach(r, others[0], &other), ENFILE);
    still_plain(r, others, 0);
    assert_int_equal(attach(r, fds[0], &other), 0); /* that one has them */
    detach(&other);
    end(&g);
    rig_run(r);
    assert_int_equal(r->policy.descriptors, before + 3);
    assert_int_equal(attach(r, others[0], &other), 0);
    end(&other);
    close(fds[1]);
    close(others[1]);
    rig_run(r);
    assert_int_equal(r->policy.descriptors, before);
}

static void many_lives_leave_nothing(void **state)
{
    struct rig *r = *state;
    unsigned maps = maps_of_rings(), files = open_files();

    for (int i = 0; i < 50; i++) {
        struct ring g;
        int fds[2];

        attached_pair(r, fds, &g);
        (void)put(&g, 10000);
        rig_run(r);
        if (i % 2)
            close(fds[1]); /* with bytes unread */
        end(&g);
        rig_run(r);
        if (i % 2 == 0)
            close(fds[1]);
        rig_run(r);
    }
    rig_sleep(r, 5000000);
    assert_int_equal(maps_of_rings(), maps);
    assert_int_equal(open_files(), files);
    assert_true(TAILQ_EMPTY(&r->streams.awake) && TAILQ_EMPTY(&r->streams.resting));
}

/* --- all ---------------------------------------------------------------------------------------
 */

static int setup(void **state)
{
    memset(stats_value, 0, STAT_COUNT * sizeof(*stats_value));
    rig_setup(state);
    rig_run(*state); /* the client is in */
    return 0;
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(the_file_is_sealed_and_cannot_change_its_size),
        RING_TEST(hostile_36_holes_punched_into_the_file_harm_nobody),
        RING_TEST(only_an_open_connection_is_attached),
        RING_TEST(what_was_shut_for_writing_is_not_attached_and_its_fin_is_not_lost),
        RING_TEST(a_second_holder_gets_the_same_ring),
        RING_TEST(what_was_written_before_goes_first_and_later_writes_are_epipe),
        RING_TEST(what_came_before_is_read_from_the_descriptor_and_the_rest_from_the_ring),
        RING_TEST(bytes_go_both_ways),
        RING_TEST(two_rings_talk),
        RING_TEST(the_room_and_what_is_acknowledged_are_told),
        RING_TEST(a_ticket_is_answered_once_and_only_for_what_it_asks),
        RING_TEST(a_wish_for_room_that_another_ticket_carries_on_is_heard),
        RING_TEST(who_waits_for_room_is_told_of_it),
        RING_TEST(who_waits_for_acknowledgements_is_told_once_they_are_here),
        RING_TEST(what_is_acknowledged_is_published_while_the_ring_sleeps),
        RING_TEST(hostile_36_endless_wishes_for_acknowledgements_are_bounded_work),
        RING_TEST(behind_the_programs_end_acknowledgements_are_told_too),
        RING_TEST(a_reset_wakes_who_waits_for_acknowledgements),
        RING_TEST(the_end_wakes_who_waits_for_bytes),
        RING_TEST(bells_without_end_change_nothing),
        RING_TEST(the_peers_end_comes_behind_its_bytes),
        RING_TEST(our_end_comes_behind_what_is_committed),
        RING_TEST(an_end_that_a_request_comes_upon_is_passed_on),
        RING_TEST(hostile_36_bytes_committed_behind_our_end_are_never_sent),
        RING_TEST(a_reset_is_an_error_behind_the_unread_bytes_and_never_an_end),
        RING_TEST(what_is_committed_after_a_reset_goes_nowhere),
        RING_TEST(close_sends_what_is_committed_and_then_the_end),
        RING_TEST(close_with_unread_bytes_is_a_reset_at_the_peer),
        RING_TEST(close_with_all_bytes_read_is_an_end_at_the_peer),
        RING_TEST(bytes_from_before_the_ring_count_as_unread_until_the_program_has_them),
        RING_TEST(bytes_committed_before_close_are_sent_also_when_memory_is_short),
        RING_TEST(the_core_sends_on_when_the_program_and_its_stream_are_gone),
        RING_TEST(a_plain_write_behind_the_peers_end_resets_rather_than_lies),
        RING_TEST(shutdown_of_reading_discards_what_comes_later),
        RING_TEST(a_stopping_daemon_says_why),
        RING_TEST(an_idle_ring_gives_its_storage_back_and_works_again),
        RING_TEST(a_ring_that_only_receives_gives_its_storage_back_each_time),
        RING_TEST(a_ring_that_was_read_late_gives_its_storage_back_late),
        RING_TEST(a_ring_in_use_keeps_its_storage),
        RING_TEST(storage_that_the_program_is_writing_into_is_kept),
        RING_TEST(hostile_36_nonsense_resets_its_own_connection_only),
        RING_TEST(hostile_36_what_was_consumed_cannot_be_had_back),
        RING_TEST(hostile_36_random_words_while_another_ring_transfers),
        RING_TEST(hostile_36_values_that_change_between_check_and_use),
        RING_TEST(without_memory_the_descriptor_stays_plain),
        RING_TEST(without_descriptors_the_descriptor_stays_plain),
        RING_TEST(a_rings_descriptors_are_counted),
        RING_TEST(many_lives_leave_nothing),
    };

    return cmocka_run_group_tests_name("ringport", tests, NULL, NULL);
}
