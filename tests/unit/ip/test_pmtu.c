/* SPDX-License-Identifier: MIT */
/* What is remembered of paths: lowered, never raised, forgotten in time, bounded. RFC 1191 §3, §6;
 * RFC 2923 §2.1. */
#include "tests/unit/ip/fixture.h"

#include <stdio.h>

static int setup(void **state)
{
    int err = fx_setup(state);

    fx.st.tcp.tunables.min_pmtu = 552;
    fx.st.tcp.tunables.mtu_expires = 600;
    return err;
}

static struct path_mtu of(const char *text)
{
    struct ip_addr a = fx_addr(text);
    struct path_mtu path;
    struct route rt;

    assert_int_equal(route_lookup_path(&fx.st, &a, &rt, &path), 0);
    assert_int_equal(rt.mtu, fx.st.config.mtu);
    return path;
}

static struct path_mtu lower(const char *text, uint32_t mtu)
{
    struct ip_addr a = fx_addr(text);
    struct path_mtu path;

    pmtu_lower(&fx.st, &a, mtu, &path);
    return path;
}

static void an_unknown_path_takes_what_the_link_takes(void **state)
{
    (void)state;
    assert_int_equal(of("10.0.0.2").mtu, 1500);
    assert_int_equal(of("10.0.0.2").until, 0);
    assert_false(of("10.0.0.2").locked);
    assert_int_equal(lower("10.0.0.2", 1500).mtu, 1500);
    assert_int_equal(lower("10.0.0.2", 9000).mtu, 1500);
    assert_int_equal(hash_count(&fx.st.ip.pmtus), 0);
}

static void it_falls_and_never_rises(void **state)
{
    uint32_t seen = pmtu_generation(&fx.st);

    (void)state;
    assert_int_equal(lower("10.0.0.2", 1400).mtu, 1400);
    assert_int_not_equal(pmtu_generation(&fx.st), seen);
    assert_int_equal(lower("10.0.0.2", 1450).mtu, 1400);
    assert_int_equal(of("10.0.0.2").mtu, 1400);
    assert_int_equal(lower("10.0.0.2", 1000).mtu, 1000);
    assert_int_equal(of("10.0.0.2").mtu, 1000);
    assert_int_equal(of("10.0.0.3").mtu, 1500);
    assert_int_equal(fx_count(pmtu_lowered), 2);
}

static void below_the_minimum_routers_fragment(void **state)
{
    (void)state;
    assert_int_equal(lower("10.0.0.2", 300).mtu, 552);
    assert_true(of("10.0.0.2").locked);
    lower("10.0.0.3", 560);
    assert_false(of("10.0.0.3").locked);
    fx.st.tcp.tunables.min_pmtu = 1400;
    assert_int_equal(lower("10.0.0.3", 68).mtu, 560);
    assert_true(of("10.0.0.3").locked);
}

static void it_is_forgotten_after_its_time(void **state)
{
    uint32_t seen;

    (void)state;
    lower("10.0.0.2", 1400);
    fx_run(300 * (uint64_t)FX_SECOND);
    lower("10.0.0.3", 1400);
    fx_run(299 * (uint64_t)FX_SECOND);
    assert_int_equal(of("10.0.0.2").mtu, 1400);
    seen = pmtu_generation(&fx.st);
    fx_run(1 * (uint64_t)FX_SECOND);
    assert_int_not_equal(pmtu_generation(&fx.st), seen);
    assert_int_equal(of("10.0.0.2").mtu, 1500);
    assert_int_equal(of("10.0.0.3").mtu, 1400);
    assert_int_equal(hash_count(&fx.st.ip.pmtus), 1);
    /* being told again is news */
    lower("10.0.0.3", 1400);
    fx_run(599 * (uint64_t)FX_SECOND);
    assert_int_equal(of("10.0.0.3").mtu, 1400);
    fx_run(1 * (uint64_t)FX_SECOND);
    assert_int_equal(of("10.0.0.3").mtu, 1500);
    assert_int_equal(fx_count(pmtu_expired), 2);
}

static void a_black_hole_is_remembered_beside_it(void **state)
{
    struct ip_addr a = fx_addr("10.0.0.2");

    (void)state;
    pmtu_black_hole(&fx.st, &a, 1064);
    assert_int_equal(of("10.0.0.2").proven, 1064);
    assert_int_equal(of("10.0.0.2").mtu, 1500);
    lower("10.0.0.2", 1400);
    assert_int_equal(of("10.0.0.2").proven, 1064);
    fx_run(600 * (uint64_t)FX_SECOND);
    assert_int_equal(of("10.0.0.2").proven, 0);
}

static void ourselves_we_reach_whole(void **state)
{
    (void)state;
    struct ip_addr a = fx_addr("10.0.0.1");
    struct path_mtu path;
    struct route rt;

    assert_int_equal(route_lookup_path(&fx.st, &a, &rt, &path), 0);
    assert_int_equal(path.mtu, FRAME_MAX_PACKET);
    a = fx_addr("0.0.0.0");
    assert_int_not_equal(route_lookup_path(&fx.st, &a, &rt, &path), 0);
}

static void hostile_a_flood_of_destinations_is_bounded(void **state)
{
    char text[32];

    (void)state;
    for (unsigned i = 0; i < PMTU_MAX_ENTRIES + 100; i++) {
        snprintf(text, sizeof(text), "172.16.%u.%u", i >> 8, i & 255);
        lower(text, 1000);
    }
    assert_int_equal(hash_count(&fx.st.ip.pmtus), PMTU_MAX_ENTRIES);
    assert_int_equal(fx.st.ip.pmtu_pool.in_use, PMTU_MAX_ENTRIES);
    assert_int_equal(fx_count(pmtu_evicted), 100);
    /* the ones that were told of longest ago went */
    assert_int_equal(of("172.16.0.99").mtu, 1500);
    assert_int_equal(of("172.16.0.100").mtu, 1000);
    assert_int_equal(of(text).mtu, 1000);
    fx_run(600 * (uint64_t)FX_SECOND);
    pmtu_generation(&fx.st);
    assert_int_equal(hash_count(&fx.st.ip.pmtus), 0);
}

static void without_memory_who_asked_knows_it(void **state)
{
    struct ip_addr a = fx_addr("10.0.0.2");

    (void)state;
    fx.alloc_fail_all = true;
    assert_int_equal(lower("10.0.0.2", 1000).mtu, 1000);
    assert_true(lower("10.0.0.2", 1000).until > 0);
    pmtu_black_hole(&fx.st, &a, 1064);
    fx.alloc_fail_all = false;
    assert_int_equal(of("10.0.0.2").mtu, 1500);
    assert_int_equal(hash_count(&fx.st.ip.pmtus), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fx_teardown)

/* Who asked is told how long it holds. */
static void what_was_lowered_holds_for_its_time(void **state)
{
    uint64_t now;

    (void)state;
    fx_run(5 * (uint64_t)FX_SECOND);
    now = fx.st.now;
    assert_int_equal(lower("10.0.0.2", 1400).until, now + 600 * (uint64_t)FX_SECOND);
    assert_int_equal(of("10.0.0.2").until, now + 600 * (uint64_t)FX_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_unknown_path_takes_what_the_link_takes),  T(it_falls_and_never_rises),
        T(below_the_minimum_routers_fragment),         T(it_is_forgotten_after_its_time),
        T(a_black_hole_is_remembered_beside_it),       T(ourselves_we_reach_whole),
        T(hostile_a_flood_of_destinations_is_bounded), T(without_memory_who_asked_knows_it),
        T(what_was_lowered_holds_for_its_time),
    };

    return cmocka_run_group_tests_name("pmtu", tests, NULL, NULL);
}
