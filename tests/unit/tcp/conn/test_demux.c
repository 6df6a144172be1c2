/* SPDX-License-Identifier: MIT */
/* Demultiplexing: the whole tuple, by a keyed hash. */
#include "tests/unit/tcp/fixture.h"

static uint64_t hash_of(const char *a, uint16_t ap, const char *b, uint16_t bp)
{
    struct ip_endpoint l = fx_endpoint(a, ap), e = fx_endpoint(b, bp);

    return demux_hash(fx.st, &l, &e);
}

TEST(every_part_of_the_tuple_counts)
{
    uint64_t h = hash_of("10.0.0.1", 80, "10.0.0.2", 4000);

    assert_true(h == hash_of("10.0.0.1", 80, "10.0.0.2", 4000));
    assert_true(h != hash_of("10.0.0.3", 80, "10.0.0.2", 4000));
    assert_true(h != hash_of("10.0.0.1", 81, "10.0.0.2", 4000));
    assert_true(h != hash_of("10.0.0.1", 80, "10.0.0.4", 4000));
    assert_true(h != hash_of("10.0.0.1", 80, "10.0.0.2", 4001));
}

TEST(the_hash_is_keyed)
{
    uint64_t h = hash_of("10.0.0.1", 80, "10.0.0.2", 4000);

    fx.config.seed[18] ^= 1;
    fx_restart();
    assert_true(h != hash_of("10.0.0.1", 80, "10.0.0.2", 4000));
}

TEST(a_connection_is_found_only_by_its_own_tuple)
{
    struct ip_endpoint l = fx_endpoint("10.0.0.1", FX_PORT), e = fx_peer_endpoint();

    passive();
    assert_ptr_equal(demux_find(fx.st, &l, &e), &tp->conn);
    e.port++;
    assert_null(demux_find(fx.st, &l, &e));
    e.port--;
    l.port++;
    assert_null(demux_find(fx.st, &l, &e));
}

TEST(what_has_ended_is_not_found)
{
    struct ip_endpoint l = fx_endpoint("10.0.0.1", FX_PORT), e = fx_peer_endpoint();

    passive();
    sock_abort(fx.s, fx.now);
    run();
    assert_null(demux_find(fx.st, &l, &e));
    assert_int_equal(hash_count(&fx.st->tcp.conns), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_part_of_the_tuple_counts),
        T(the_hash_is_keyed),
        T(a_connection_is_found_only_by_its_own_tuple),
        T(what_has_ended_is_not_found),
    };

    return cmocka_run_group_tests_name("demux", tests, NULL, NULL);
}
