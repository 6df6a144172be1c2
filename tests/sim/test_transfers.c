/* SPDX-License-Identifier: MIT */
/*
 * Random transfers over random wires, to cores and to scripted peers that renege, shrink and lie:
 * every byte arrives, and the cores end as empty as they began.
 *
 *     test_transfers [--seed N] [--count N] [--capture FILE]
 *
 * TAPSTACK_SIM_COUNT changes how many there are (4,000), TAPSTACK_SIM_SEED the first seed. A
 * failure prints its seed and parameters, and the same transfer runs again to leave a capture.
 * `make sim-long` runs 20,000.
 */
#include "tests/sim/choose.h"
#include "tests/sim/transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BATCHES 10
#define WORST   5 /* failures of one batch that are told */

static struct transfer transfer;
static uint64_t first_seed = 1, count = 4000;

/* Once more, with a capture. */
static void explain(const char *argv0, uint64_t seed, const char *path)
{
    const char *file;

    transfer_run(&transfer, seed, true);
    file = sim_write_capture(&transfer.sim, path);
    printf("# seed %llu: %s\n", (unsigned long long)seed,
           transfer.sim.failure[0] ? transfer.sim.failure : "well");
    transfer_describe(&transfer, stdout);
    printf("#  capture: %s; again: %s --seed %llu\n", file ? file : "none", argv0,
           (unsigned long long)seed);
    fflush(stdout);
    transfer_free(&transfer);
}

/* What the transfers made the cores do: decisions that never come up are not tested here. */
static uint64_t totals[CNT_COUNT];

static void add_counters(void)
{
    for (unsigned i = 0; i < transfer.sim.n_hosts && transfer.sim.host[i].st; i++) {
        for (unsigned c = 0; c < CNT_COUNT; c++)
            totals[c] += stack_counters(transfer.sim.host[i].st)->v[c];
    }
}

static void print_counters(void)
{
    for (unsigned c = 0; c < CNT_COUNT; c++)
        printf("# %12llu %s\n", (unsigned long long)totals[c], counter_name(c));
}

static void random_transfers_are_exact(void **state)
{
    uint64_t batch = (uint64_t)(uintptr_t)*state;
    uint64_t from = first_seed + count * batch / BATCHES,
             to = first_seed + count * (batch + 1) / BATCHES;
    unsigned failed = 0;

    for (uint64_t seed = from; seed < to && failed < WORST; seed++) {
        bool well = transfer_run(&transfer, seed, false);

        add_counters();
        transfer_free(&transfer);
        if (well)
            continue;
        failed++;
        explain("build/tests/sim/test_transfers", seed, NULL);
    }
    assert_int_equal(failed, 0);
}

static uint64_t number(const char *text, uint64_t otherwise)
{
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[BATCHES];
    static char names[BATCHES][64];
    const char *capture = NULL;
    uint64_t one = 0;

    first_seed = number(getenv("TAPSTACK_SIM_SEED"), first_seed);
#ifdef __SANITIZE_ADDRESS__
    count = 1000;
#endif
    if (getenv("TAPSTACK_TEST_VALGRIND"))
        count = 40;
    count = number(getenv("TAPSTACK_SIM_COUNT"), count);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seed"))
            one = number(argv[i + 1], 1);
        else if (!strcmp(argv[i], "--count"))
            count = number(argv[i + 1], count);
        else if (!strcmp(argv[i], "--capture"))
            capture = argv[i + 1];
    }
    if (one) {
        explain(argv[0], one, capture);
        return 0;
    }
    for (uintptr_t i = 0; i < BATCHES; i++) {
        snprintf(names[i], sizeof(names[i]), "random_transfers_are_exact_seeds_from_%llu",
                 (unsigned long long)(first_seed + count * i / BATCHES));
        tests[i] = (struct CMUnitTest){names[i], random_transfers_are_exact, NULL, NULL, (void *)i};
    }
    choose_print_missing(stdout);
    one = (uint64_t)cmocka_run_group_tests(tests, NULL, NULL);
    if (getenv("TAPSTACK_SIM_COUNTERS"))
        print_counters();
    return (int)one;
}
