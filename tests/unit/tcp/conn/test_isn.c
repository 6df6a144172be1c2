/* SPDX-License-Identifier: MIT */
/* Initial sequence numbers and timestamp offsets (RFC 6528, RFC 9293 §3.4.1, RFC 7323 §7.1). */
#include "tests/unit/tcp/fixture.h"

static uint32_t isn_of(unsigned n)
{
    struct ip_endpoint a = fx_endpoint("10.0.0.1", 80);
    struct ip_endpoint b = fx_endpoint("10.0.0.2", (uint16_t)(1000 + n));

    fx.st->now = fx.now;
    return isn_generate(fx.st, &a, &b);
}

static uint32_t offset_of(unsigned n)
{
    struct ip_endpoint a = fx_endpoint("10.0.0.1", 80);
    struct ip_endpoint b = fx_endpoint("10.0.0.2", (uint16_t)(1000 + n));

    return isn_ts_offset(fx.st, &a, &b);
}

TEST(one_tuple_s_isn_follows_a_clock)
{
    uint32_t first = isn_of(0);

    assert_int_equal(isn_of(0), first);
    fx.now += SEC;
    assert_int_equal(isn_of(0) - first, 15625000); /* one in 64 ns, as Linux */
}

TEST(tuples_are_unrelated)
{
    unsigned close = 0;

    for (unsigned i = 0; i < 1000; i++) {
        uint32_t d = isn_of(i + 1) - isn_of(i);

        close += d < 1u << 24 || d > 0xff000000u;
    }
    assert_true(close < 40); /* 2 in 256 by chance */
}

TEST(hostile_24_another_secret_gives_other_numbers)
{
    uint32_t isn[32], ts[32];
    unsigned same = 0;

    for (unsigned i = 0; i < 32; i++) {
        isn[i] = isn_of(i);
        ts[i] = offset_of(i);
    }
    fx.config.seed[20] ^= 1;
    fx_restart();
    for (unsigned i = 0; i < 32; i++)
        same += (isn[i] == isn_of(i)) + (ts[i] == offset_of(i));
    assert_int_equal(same, 0);
}

TEST(every_byte_of_the_seed_matters)
{
    for (unsigned i = 0; i < 32; i++) {
        uint32_t before = isn_of(7);
        uint32_t rnd = rng_u32(&fx.st->rng);

        fx.config.seed[i] ^= 0x55;
        fx_restart();
        assert_true(isn_of(7) != before || rng_u32(&fx.st->rng) != rnd);
        fx.config.seed[i] ^= 0x55;
        fx_restart();
    }
}

TEST(the_offset_of_stamps_is_per_connection_and_constant)
{
    assert_int_equal(offset_of(1), offset_of(1));
    assert_int_not_equal(offset_of(1), offset_of(2));
    active();
    assert_int_equal(fx.segs[0].tsval - (uint32_t)(fx.now / 1000), tp->ts_offset);
}

TEST(the_wire_shows_the_isn)
{
    uint32_t first, second;

    connecting();
    first = take()->raw_seq;
    close_it();
    peer_use(1);
    connecting();
    second = take()->raw_seq;
    assert_int_not_equal(first, second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_tuple_s_isn_follows_a_clock),
        T(tuples_are_unrelated),
        T(hostile_24_another_secret_gives_other_numbers),
        T(every_byte_of_the_seed_matters),
        T(the_offset_of_stamps_is_per_connection_and_constant),
        T(the_wire_shows_the_isn),
    };

    return cmocka_run_group_tests_name("isn", tests, NULL, NULL);
}
