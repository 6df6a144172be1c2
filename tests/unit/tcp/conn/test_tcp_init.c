/* SPDX-License-Identifier: MIT */
/* Birth and death of TCP's part of the stack: tunables, keys, and no leak when nothing was closed.
 */
#include "tests/unit/tcp/fixture.h"

TEST(every_tunable_starts_within_its_range)
{
    tun.congestion_control = 0; /* the fixture has chosen */
#define TCP_TUNABLE(name, sysctl, def, min, max, unit, help)                                       \
    assert_true(tun.name == (def) && (int64_t)(def) >= (int64_t)(min) &&                           \
                (int64_t)(def) <= (int64_t)(max));
#include "proto/tcp/tunables.def"
#undef TCP_TUNABLE
}

TEST(the_defaults_are_linux_s)
{
    assert_int_equal(tun.syn_retries, 6);
    assert_int_equal(tun.synack_retries, 5);
    assert_int_equal(tun.retries1, 3);
    assert_int_equal(tun.retries2, 15);
    assert_int_equal(tun.rto_min_us, 200000);
    assert_int_equal(tun.rto_max_ms, 120000);
    assert_int_equal(tun.initial_cwnd, 10);
    assert_int_equal(tun.rmem_default, 131072);
    assert_int_equal(tun.keepalive_time, 7200);
}

TEST(a_stack_that_is_freed_in_the_middle_of_everything_leaks_nothing)
{
    listening(8);
    passive();
    assert_int_equal(w(50000), 50000);
    peer(ACK, 2001, 1, 1000);
    peer_use(1);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    clear();
    peer_use(2);
    peer_connects();
    peer_use(3);
    passive();
    close_it();
    peer(FIN | ACK, 1, 2, 0);
    clear();
    peer_use(4);
    connecting();
    fx_restart(); /* asserts that every byte came back */
    assert_int_equal(fx.st->tcp.n_tcbs, 0);
}

TEST(keys_are_not_the_seed_and_differ)
{
    const struct tcp_table *t = &fx.st->tcp;

    assert_memory_not_equal(&t->isn_key, &t->ts_key, sizeof(t->isn_key));
    assert_memory_not_equal(&t->isn_key, &t->port_key, sizeof(t->isn_key));
    assert_memory_not_equal(&t->isn_key, &t->demux_key, sizeof(t->isn_key));
    assert_memory_not_equal(&t->isn_key, fx.config.seed, sizeof(t->isn_key));
    assert_memory_not_equal(&t->isn_key, fx.config.seed + 16, sizeof(t->isn_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_tunable_starts_within_its_range),
        T(the_defaults_are_linux_s),
        T(a_stack_that_is_freed_in_the_middle_of_everything_leaks_nothing),
        T(keys_are_not_the_seed_and_differ),
    };

    return cmocka_run_group_tests_name("tcp_init", tests, NULL, NULL);
}
