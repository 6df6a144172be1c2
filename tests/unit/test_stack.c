/* SPDX-License-Identifier: MIT */
/* The door itself: what a configuration may be, its defaults, the announcement, the counters'
 * texts. */
#include "tests/unit/tcp/fixture.h"

static struct stack *made;
static uint8_t sent[2048];
static uint32_t sent_len, sent_frames;

static int remember(void *ctx, const struct frame *f)
{
    (void)ctx;
    sent_frames++;
    sent_len = frame_total(f);
    assert_true(sent_len <= sizeof(sent));
    frame_flatten(f, sent);
    return 0;
}

static const struct stack_ops ops = {.transmit = remember};

static int make_stack(void)
{
    return stack_new(&fx.config, &ops, NULL, fx.now, &made);
}

TEST(the_mtu_has_bounds)
{
    static const uint32_t wrong[] = {0, 575, 65536}, right[] = {576, 65535};

    for (size_t i = 0; i < 3; i++) {
        fx.config.mtu = wrong[i];
        assert_int_equal(make_stack(), -EINVAL);
    }
    for (size_t i = 0; i < 2; i++) {
        fx.config.mtu = right[i];
        assert_int_equal(make_stack(), 0);
        stack_free(made);
    }
    stack_free(NULL);
}

TEST(our_address_is_one_of_a_host)
{
    static const char *wrong[] = {"0.0.0.0/24", "224.0.0.1/24"};

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ip_prefix_parse(wrong[i], &fx.config.address), 0);
        assert_int_equal(make_stack(), -EINVAL);
    }
}

TEST(without_limits_there_are_256_mib_and_65536_sockets)
{
    struct stack_usage u;

    assert_int_equal(make_stack(), 0);
    stack_usage(made, &u);
    assert_int_equal(u.memory_limit, 256u << 20);
    assert_int_equal(made->config.max_sockets, 65536);
    stack_free(made);
}

TEST(the_announcement_is_a_gratuitous_arp)
{
    assert_int_equal(make_stack(), 0);
    sent_frames = 0;
    stack_announce(made, fx.now);
    stack_run(made, fx.now);
    assert_int_equal(sent_frames, 1);
    assert_int_equal(sent_len, 42);
    assert_memory_equal(sent, "\xff\xff\xff\xff\xff\xff", 6);
    assert_memory_equal(sent + 12, "\x08\x06", 2);
    assert_memory_equal(sent + 28, sent + 38, 4); /* asks for its own address */
    stack_free(made);
}

TEST(every_key_is_drawn)
{
    const struct tcp_table *t;
    const struct siphash_key *keys[6];

    assert_int_equal(make_stack(), 0);
    t = &made->tcp;
    keys[0] = &t->demux_key;
    keys[1] = &t->isn_key;
    keys[2] = &t->ts_key;
    keys[3] = &t->port_key;
    keys[4] = &t->cookie_key[0];
    keys[5] = &t->cookie_key[1];
    for (size_t i = 0; i < 6; i++) {
        assert_true(keys[i]->k[0] && keys[i]->k[1]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(keys[i], keys[j], sizeof(*keys[i]));
    }
    stack_free(made);
}

TEST(every_counter_has_a_name_and_a_text)
{
    for (unsigned i = 0; i < CNT_COUNT; i++) {
        assert_non_null(counter_name(i));
        assert_non_null(counter_help(i));
        assert_true(strlen(counter_help(i)) > 3);
    }
    assert_null(counter_name(CNT_COUNT));
    assert_null(counter_help(CNT_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_mtu_has_bounds),
        T(our_address_is_one_of_a_host),
        T(without_limits_there_are_256_mib_and_65536_sockets),
        T(the_announcement_is_a_gratuitous_arp),
        T(every_key_is_drawn),
        T(every_counter_has_a_name_and_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
