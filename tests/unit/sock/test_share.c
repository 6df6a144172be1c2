/* SPDX-License-Identifier: MIT */
/* Connections whose bytes lie in the host's storage (sock/share.c). */
#include "tests/unit/tcp/fixture.h"

/* --- the host ----------------------------------------------------------------------------------
 */

#define SIZES 13 /* 4 KiB to 16 MiB */

static struct host {
    uint8_t *have[2][SIZES];
    unsigned gets, fail_at, out, done;
} host;

static unsigned class_of(uint32_t size)
{
    assert_true(size >= EXTENT_MIN && size <= EXTENT_MAX && (size & (size - 1)) == 0);
    return (unsigned)__builtin_ctz(size) - 12;
}

static void *host_get(void *ctx, enum sock_way way, uint32_t size)
{
    struct host *h = ctx;
    uint8_t **at = &h->have[way][class_of(size)];

    assert_null(*at); /* no two of one size */
    if (++h->gets == h->fail_at)
        return NULL;
    *at = aligned_alloc(4096, size);
    assert_non_null(*at);
    memset(*at, 0xcc, size);
    h->out++;
    return *at;
}

static void host_put(void *ctx, enum sock_way way, void *base, uint32_t size)
{
    struct host *h = ctx;
    uint8_t **at = &h->have[way][class_of(size)];

    assert_ptr_equal(*at, base);
    free(base);
    *at = NULL;
    h->out--;
}

static void host_done(void *ctx)
{
    struct host *h = ctx;

    assert_int_equal(h->out, 0);
    h->done++;
}

static const struct sock_storage storage = {host_get, host_put, host_done, &host};

static int share(uint32_t send, uint32_t recv)
{
    const uint32_t least[2] = {send, recv};

    return sock_share(fx.s, &storage, least);
}

static void fresh_host(void)
{
    host = (struct host){0};
}

/* --- the program -------------------------------------------------------------------------------
 */

/* Where the byte at this offset lies, as a program works it out. */
static uint8_t *place(enum sock_way way, uint64_t off)
{
    struct sock_extents e;
    uint32_t size;

    sock_extents(fx.s, way, &e);
    size = e.size[off >= e.boundary];
    assert_true(size != 0);
    return host.have[way][class_of(size)] + (off & (size - 1));
}

/* Bytes [from, to) of the pattern; the stream of the fixture's program began at 0. */
static void put(uint64_t from, uint64_t to)
{
    for (uint64_t off = from; off < to; off++)
        *place(SOCK_SENDS, off) = fx_pattern(off);
}

static void commit(size_t n)
{
    assert_true(sock_send_ready(fx.s));
    assert_int_equal(sock_send_commit(fx.s, n, 0, fx.now), n);
    fx.c->written += n;
    run();
}

/* Take what has arrived out of its place. */
static void take_all(void)
{
    uint64_t at = sock_position(fx.s, SOCK_RECEIVES), end = sock_arrived(fx.s);

    for (uint64_t off = at; off < end; off++)
        assert_int_equal(*place(SOCK_RECEIVES, off), fx_pattern(off));
    sock_recv_consume(fx.s, (size_t)(end - at), 0, fx.now);
    fx.c->read = end;
    run();
}

static uint64_t grant_at_first(void)
{
    return sock_send_grant(fx.s, sock_position(fx.s, SOCK_SENDS));
}

/* --- moving ------------------------------------------------------------------------------------
 */

TEST(only_an_established_connection_is_shared_and_once)
{
    fresh_host();
    fx.s = fx_socket();
    assert_int_equal(share(0, 0), -ENOTCONN);
    close_it();
    listening(1);
    fx.s = fx.lst;
    assert_int_equal(share(0, 0), -ENOTCONN);
    fx.s = NULL;
    passive();
    assert_int_equal(share(4096, 4096), 0);
    assert_int_equal(share(4096, 4096), -EALREADY);
    assert_int_equal(host.gets, 2);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_int_equal(share(4096, 4096), -EALREADY);
}

TEST(not_while_connecting_and_not_after_our_own_end)
{
    fresh_host();
    connecting();
    assert_int_equal(share(0, 0), -ENOTCONN);
    close_it();
    clear();
    peer_use(1);
    passive();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_int_equal(share(0, 0), -ENOTCONN);
    assert_int_equal(host.gets, 0);
}

TEST(after_the_peers_end_it_still_sends)
{
    fresh_host();
    passive();
    peer(FIN | PSH | ACK, 1, 1, 10);
    clear();
    assert_int_equal(share(4096, 4096), 0);
    assert_true(sock_peer_closed(fx.s));
    take_all();
    assert_int_equal(fx.c->read, 10);
    assert_true(grant_at_first() >= 100);
    put(0, 100);
    commit(100);
    expect(PSH | ACK, 1, 12, 100);
}

TEST(unacknowledged_and_unread_bytes_move_along)
{
    fresh_host();
    passive();
    assert_int_equal(w(1000), 1000);
    assert_int_equal(w(4344), 4344);
    peer(PSH | ACK, 1, 1, 1448);
    clear();
    assert_int_equal(share(4096, 4096), 0);
    assert_int_equal(fx.st->extents.in_use, 0);
    assert_int_equal(sock_position(fx.s, SOCK_SENDS), 5344);
    assert_int_equal(sock_position(fx.s, SOCK_RECEIVES), 0);
    assert_int_equal(sock_arrived(fx.s), 1448);
    assert_int_equal(sock_acked(fx.s), 0);
    take_all();
    advance(3 * SEC); /* what is sent again comes from the new place; the fixture compares it */
    assert_true(take_bytes() >= 1000);
    peer(ACK, 1449, 5345, 0);
    assert_int_equal(sock_acked(fx.s), 5344);
}

TEST(bytes_beyond_a_hole_move_along)
{
    fresh_host();
    passive();
    peer(PSH | ACK, 1, 1, 500);
    peer(ACK, 1949, 1, 1448);
    peer(ACK, 4845, 1, 1000);
    assert_int_equal(share(4096, 4096), 0);
    assert_int_equal(tp->n_ooo, 2);
    assert_int_equal(sock_arrived(fx.s), 500);
    take_all();
    peer(ACK, 501, 1, 1448);
    assert_int_equal(sock_arrived(fx.s), 3396);
    peer(ACK, 3397, 1, 1448);
    assert_int_equal(sock_arrived(fx.s), 5844);
    take_all();
    assert_int_equal(fx.c->read, 5844);
}

/* --- grants ------------------------------------------------------------------------------------
 */

TEST(a_grant_is_the_room_in_the_send_buffer)
{
    uint64_t granted;

    fresh_host();
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 10000), 0);
    assert_int_equal(share(4096, 4096), 0);
    granted = grant_at_first();
    assert_int_equal(granted, 20000);
    put(0, 15000);
    commit(15000);
    assert_int_equal(sock_send_grant(fx.s, granted), 20000);
    put(15000, 20000);
    commit(5000);
    events_of(fx.s);
    assert_int_equal(sock_send_grant(fx.s, granted), 20000);
    assert_int_equal(take_bytes(), 14480); /* ten segments, the initial window */
    peer(ACK, 1, 14481, 0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_int_equal(sock_send_grant(fx.s, granted), 34480);
}

TEST(a_grant_is_not_taken_back_when_the_send_buffer_shrinks)
{
    uint64_t granted;

    fresh_host();
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 20000), 0);
    assert_int_equal(share(4096, 4096), 0);
    granted = grant_at_first();
    assert_int_equal(granted, 40000);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    assert_int_equal(sock_send_grant(fx.s, granted), 40000);
    put(0, 40000);
    commit(40000); /* and all of it is taken */
    assert_int_equal(sock_unacked(fx.s), 40000);
    assert_int_equal(sock_send_grant(fx.s, granted), 40000);
}

/* What the program is writing just now stays where it is, although a larger extent takes over. */
TEST(growth_leaves_what_was_granted_in_its_place)
{
    uint64_t granted, more;
    uint8_t *at;

    fresh_host();
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 2048), 0);
    assert_int_equal(share(4096, 4096), 0);
    granted = grant_at_first();
    assert_int_equal(granted, 4608);
    put(0, 4608);
    at = place(SOCK_SENDS, 4600);
    commit(2000);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 50000), 0);
    more = sock_send_grant(fx.s, granted);
    assert_int_equal(more, 100000);
    assert_ptr_equal(place(SOCK_SENDS, 4600), at);
    assert_ptr_not_equal(place(SOCK_SENDS, granted), at + 8);
    put(granted, more);
    commit(98000);
    for (unsigned i = 0; i < 30 && sock_unacked(fx.s); i++) {
        clear(); /* the fixture has compared them */
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        advance(10 * MS);
    }
    assert_int_equal(sock_unacked(fx.s), 0);
    assert_int_equal(sock_acked(fx.s), 100000);
    assert_int_equal(host.out, 2); /* the older one has gone */
}

TEST(who_has_no_room_is_told_when_there_is_some)
{
    uint64_t granted;

    fresh_host();
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    assert_int_equal(share(4096, 4096), 0);
    granted = grant_at_first();
    put(0, granted);
    commit(granted);
    assert_int_equal(sock_send_grant(fx.s, granted), granted);
    events_of(fx.s);
    peer(ACK, 1, (uint32_t)granted + 1, 0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_true(sock_send_grant(fx.s, granted) > granted);
}

/* --- ends --------------------------------------------------------------------------------------
 */

TEST(the_room_for_what_arrives_holds_what_is_unread_too)
{
    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    assert_int_equal(sock_recv_room(fx.s), tcp_receive_window(tp));
    peer(ACK, 1, 1, 1000);
    assert_int_equal(tcp_unread(tp), 1000);
    assert_int_equal(sock_recv_room(fx.s), tcp_receive_window(tp) + 1000);
    take_all();
}

/* Once, by the next bytes that are acknowledged; not by what arrives, nor by an old ACK. */
TEST(who_wants_acknowledgements_is_told_of_the_next_one)
{
    fresh_host();
    passive();
    assert_int_equal(share(16384, 4096), 0);
    grant_at_first();
    put(0, 3000);
    commit(1000);
    events_of(fx.s);
    peer(ACK, 1, 501, 0);
    assert_false(events_of(fx.s) & SOCK_EV_ACKED); /* nobody asked */
    sock_want_acked(fx.s);
    assert_false(events_of(fx.s) & SOCK_EV_ACKED); /* of later ones */
    peer(ACK, 1, 501, 0);
    peer(PSH | ACK, 1, 501, 100);
    commit(1000);
    assert_false(events_of(fx.s) & SOCK_EV_ACKED);
    peer(ACK, 101, 701, 0);
    assert_true(events_of(fx.s) & SOCK_EV_ACKED);
    assert_int_equal(sock_acked(fx.s), 700);
    peer(ACK, 101, 1001, 0);
    assert_false(events_of(fx.s) & SOCK_EV_ACKED);
    sock_want_acked(fx.s);
    peer(ACK, 101, 2001, 0);
    assert_true(events_of(fx.s) & SOCK_EV_ACKED);
    assert_int_equal(sock_acked(fx.s), 2000);
}

TEST(behind_our_own_end_acknowledgements_are_told_of_too)
{
    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    grant_at_first();
    put(0, 1000);
    commit(1000);
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    events_of(fx.s);
    sock_want_acked(fx.s);
    peer(ACK, 1, 1001, 0);
    assert_true(events_of(fx.s) & SOCK_EV_ACKED);
    assert_int_equal(sock_acked(fx.s), 1000);
    sock_want_acked(fx.s);
    peer(ACK, 1, 1002, 0); /* the FIN is no byte */
    assert_false(events_of(fx.s) & SOCK_EV_ACKED);
}

TEST(a_dead_connection_takes_nothing_more)
{
    uint64_t granted;

    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    granted = grant_at_first();
    peer(PSH | ACK, 1, 1, 100);
    peer(RST, 101, 0, 0);
    assert_false(sock_send_ready(fx.s));
    assert_int_equal(sock_send_grant(fx.s, granted), granted);
    assert_false(sock_peer_closed(fx.s)); /* a reset is no end of the stream */
    take_all();
    assert_int_equal(fx.c->read, 100);
}

TEST(behind_our_own_end_nothing_is_taken)
{
    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    grant_at_first();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    assert_false(sock_send_ready(fx.s));
}

/* The handle is gone, the bytes are not: each one is still sent, and again where it is lost. */
TEST(the_storage_stays_until_the_last_byte_is_acknowledged)
{
    uint64_t granted;

    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    granted = grant_at_first();
    assert_true(granted >= 30000);
    put(0, 30000);
    commit(30000);
    close_it();
    assert_int_equal(host.done, 0);
    advance(20 * SEC); /* nobody answers */
    assert_true(clear() >= 4);
    assert_int_equal(host.done, 0);
    for (uint32_t ack = 1449; ack < 32000; ack += 1448) {
        peer(ACK, 1, ack < 30002 ? ack : 30002, 0);
        advance(100 * MS);
        clear(); /* the fixture has compared them */
    }
    assert_int_equal(host.done, 1); /* our FIN is acknowledged: nothing is left to send */
    peer(FIN | ACK, 1, 30002, 0);
}

TEST(a_reset_gives_the_storage_back_at_once)
{
    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    peer(PSH | ACK, 1, 1, 100);
    close_it(); /* with bytes unread */
    assert_int_equal(host.done, 1);
    assert_state(CLOSED);
}

TEST(the_end_of_the_stack_gives_the_storage_back)
{
    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    put(0, grant_at_first());
    commit(1000);
    fx_restart();
    assert_int_equal(host.done, 1);
    fx.s = fx.lst = NULL;
}

/* --- giving back -------------------------------------------------------------------------------
 */

TEST(an_idle_connection_gives_its_storage_back_and_works_again)
{
    uint64_t used, granted;

    fresh_host();
    passive();
    used = fx.st->mem.used - fx.st->extents.cached;
    assert_int_equal(share(8192, 16384), 0);
    assert_true(fx.st->mem.used - fx.st->extents.cached >= used + 8192 + 16384);
    granted = grant_at_first();
    put(0, 1000);
    commit(1000);
    assert_false(sock_idle(fx.s)); /* not acknowledged */
    sock_give_back(fx.s);
    assert_int_equal(host.out, 2);
    peer(PSH | ACK, 1, 1001, 500);
    assert_false(sock_idle(fx.s)); /* not read */
    sock_give_back(fx.s);
    assert_int_equal(host.out, 2);
    take_all();
    peer(ACK, 1501, 1001, 500); /* behind a hole */
    assert_false(sock_idle(fx.s));
    sock_give_back(fx.s);
    assert_int_equal(host.out, 2);
    peer(ACK, 501, 1001, 1000);
    take_all();
    assert_true(sock_idle(fx.s));
    sock_give_back(fx.s);
    assert_int_equal(host.out, 0);
    assert_int_equal(host.done, 0);
    assert_int_equal(tp->snd.ext[0].size + tp->rcv.ext[0].size, 0);
    clear();

    granted = grant_at_first(); /* what was granted before is void */
    assert_true(granted > 1000);
    put(1000, 3000);
    commit(2000);
    expect(PSH | ACK, 1001, 2001, 2000);
    peer(PSH | ACK, 2001, 3001, 1448);
    take_all();
    assert_int_equal(fx.c->read, 3448);
}

/* --- want of memory ----------------------------------------------------------------------------
 */

TEST(all_memory_is_counted_and_comes_back)
{
    uint64_t before;

    fresh_host();
    passive();
    fx.st->extents.cache_limit = 0;
    before = fx.st->mem.used;
    assert_int_equal(share(1 << 20, 1 << 20), 0);
    assert_true(fx.st->mem.used >= before + (2 << 20));
    peer(FIN | ACK, 1, 1, 0);
    close_it();
    peer(ACK, 2, 2, 0);
    assert_int_equal(host.done, 1);
    assert_true(fx.st->mem.used < before + 65536); /* slabs of small things stay */
}

/* Whichever allocation of sharing fails, the connection goes on as it was. */
TEST(hostile_40_each_allocation_of_sharing_may_fail)
{
    unsigned n;

    fx.st->extents.cache_limit = 0;
    passive();
    fx.st->mem.limit = 0;
    assert_int_equal(w(6000), 6000);
    peer(ACK, 1, 1, 1448);
    peer(ACK, 2897, 1, 1448);
    for (n = 1;; n++) {
        uint64_t used = fx.st->mem.used;
        int err;

        fresh_host();
        host.fail_at = n;
        err = share(8192, 8192);
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_int_equal(host.out + host.done, 0);
        assert_int_equal(fx.st->mem.used, used);
        assert_ptr_equal(tp->snd.account, &fx.st->tcp.common);
        assert_ptr_equal(tp->rcv.account, &fx.st->tcp.common);
    }
    assert_int_equal(n, 3);
    peer(ACK, 1449, 1, 1448);
    take_all();
    assert_int_equal(fx.c->read, 4344);
}

/* The same for the stack's own memory: its record, and the charge. */
TEST(sharing_beyond_the_limit_changes_nothing)
{
    uint64_t used;

    fresh_host();
    passive();
    fx.st->extents.cache_limit = 0;
    assert_int_equal(w(6000), 6000);
    used = fx.st->mem.used;
    fx.st->mem.limit = used + 8192 + 8192 + 100; /* the record does not fit beside them */
    assert_int_equal(share(8192, 8192), -ENOMEM);
    assert_int_equal(fx.st->mem.used, used);
    assert_int_equal(host.out + host.done, 0);
    fx.st->mem.limit = used;
    assert_int_equal(share(8192, 8192), -ENOMEM);
    fx.st->mem.limit = 0;
    fx.fail_all = true;
    assert_int_equal(share(8192, 8192), -ENOMEM);
    fx.fail_all = false;
    clear();
    advance(3 * SEC);
    assert_true(take_bytes() >= 1448); /* compared by the fixture */
    assert_int_equal(share(8192, 8192), 0);
}

/* A quarter of the memory is for what arrives; storage that holds nothing yet must not take it. */
TEST(sharing_leaves_memory_for_what_arrives)
{
    fresh_host();
    passive();
    fx.st->extents.cache_limit = 0;
    fx.st->mem.limit = fx.st->mem.used + (2 << 20);
    assert_int_equal(share(1 << 20, 512 << 10), -ENOMEM);
    assert_int_equal(host.out + host.done, 0);
    assert_int_equal(share(512 << 10, 512 << 10), 0);
    fx.st->mem.limit = 0;
}

/* No ACK will come to say that there is memory again. */
TEST(who_gets_no_storage_for_want_of_memory_is_told_in_ten_milliseconds)
{
    uint64_t at, limit;

    fresh_host();
    passive();
    assert_int_equal(share(4096, 4096), 0);
    grant_at_first();
    sock_give_back(fx.s);
    at = sock_position(fx.s, SOCK_SENDS);
    assert_true(sock_send_ready(fx.s));
    limit = fx.st->mem.limit;
    fx.st->mem.limit = fx.st->mem.used;
    assert_int_equal(sock_send_grant(fx.s, at), at);
    fx.st->mem.limit = limit;
    events_of(fx.s);
    advance(10 * MS);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_true(sock_send_grant(fx.s, at) > at);
}

TEST(who_gets_no_segment_for_want_of_memory_is_told_as_well)
{
    static struct segment *hogs[4096];
    uint64_t limit = fx.st->mem.limit, granted;
    unsigned n = 0;

    fresh_host();
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 5000), 0);
    assert_int_equal(share(16384, 4096), 0);
    granted = grant_at_first();
    put(0, granted);
    fx.st->mem.limit = fx.st->mem.used;
    while (n < 4096 && (hogs[n] = pool_get(&fx.st->tcp.segment_pool)))
        n++;
    assert_in_range(n, 1, 4095);
    commit((size_t)granted); /* by the spare: what was granted is never refused */
    assert_int_equal(sock_send_grant(fx.s, granted), granted);
    assert_false(sock_send_ready(fx.s));
    while (n)
        pool_put(&fx.st->tcp.segment_pool, hogs[--n]);
    fx.st->mem.limit = limit;
    events_of(fx.s);
    for (unsigned i = 0; i < 20 && sock_unacked(fx.s); i++) {
        advance(300 * MS);
        clear();
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    }
    assert_int_equal(sock_unacked(fx.s), 0);
    assert_true(events_of(fx.s) & SOCK_EV_WRITABLE);
    assert_true(sock_send_grant(fx.s, granted) > granted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(only_an_established_connection_is_shared_and_once),
        T(not_while_connecting_and_not_after_our_own_end),
        T(after_the_peers_end_it_still_sends),
        T(unacknowledged_and_unread_bytes_move_along),
        T(bytes_beyond_a_hole_move_along),
        T(a_grant_is_the_room_in_the_send_buffer),
        T(a_grant_is_not_taken_back_when_the_send_buffer_shrinks),
        T(growth_leaves_what_was_granted_in_its_place),
        T(who_has_no_room_is_told_when_there_is_some),
        T(who_wants_acknowledgements_is_told_of_the_next_one),
        T(behind_our_own_end_acknowledgements_are_told_of_too),
        T(a_dead_connection_takes_nothing_more),
        T(behind_our_own_end_nothing_is_taken),
        T(the_storage_stays_until_the_last_byte_is_acknowledged),
        T(a_reset_gives_the_storage_back_at_once),
        T(the_end_of_the_stack_gives_the_storage_back),
        T(an_idle_connection_gives_its_storage_back_and_works_again),
        T(all_memory_is_counted_and_comes_back),
        T(hostile_40_each_allocation_of_sharing_may_fail),
        T(sharing_beyond_the_limit_changes_nothing),
        T(sharing_leaves_memory_for_what_arrives),
        T(who_gets_no_storage_for_want_of_memory_is_told_in_ten_milliseconds),
        T(who_gets_no_segment_for_want_of_memory_is_told_as_well),
        T(the_room_for_what_arrives_holds_what_is_unread_too),
    };

    return cmocka_run_group_tests_name("sock share", tests, NULL, NULL);
}
