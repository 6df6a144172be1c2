/* SPDX-License-Identifier: MIT */
/*
 * The committed table of goodput is what this core does. A difference is printed as a diff, row by
 * row; when the change is meant, `make goodput` writes the table anew, and its diff is part of the
 * change. `make check` compares each third row, TAPSTACK_GOODPUT_EVERY=1 all.
 */
#include "tests/sim/choose.h"
#include "tests/sim/goodput_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned every = 3;

static bool next_line(FILE *f, char *line, int room)
{
    if (!fgets(line, room, f))
        return false;
    line[strcspn(line, "\n")] = 0;
    return true;
}

/* False, and the diff, when they are not the same. */
static bool same_row(unsigned i, const char *committed)
{
    struct goodput_row row;
    char now[256] = "(no such row: the core has no such algorithm)";

    if (goodput_row(i, &row)) {
        if (i % every)
            return true;
        goodput_measure(&row);
        if (row.result.failure[0])
            snprintf(now, sizeof(now), "%s", row.result.failure);
        else
            goodput_format(&row, now, sizeof(now));
    }
    if (!strcmp(now, committed))
        return true;
    printf("#-%s\n#+%s\n", committed, now);
    return false;
}

static void the_committed_table_is_what_this_core_does(void **state)
{
    FILE *f = fopen(GOODPUT_TSV, "r");
    unsigned n = 0, different = 0;
    struct goodput_row more;
    char line[256];

    (void)state;
    if (!f)
        fail_msg("there is no " GOODPUT_TSV ": run in the project's root");
    assert_true(next_line(f, line, sizeof(line)));
    assert_string_equal(line, goodput_header());
    while (next_line(f, line, sizeof(line)))
        different += !same_row(n++, line);
    fclose(f);
    if (different)
        printf("# %u rows differ from " GOODPUT_TSV ": %s\n#  `make goodput` writes it anew\n",
               different, goodput_header());
    assert_int_equal(different, 0);
    /* and no row is missing */
    assert_false(goodput_row(n, &more));
}

static void jains_index_is_one_for_equals_and_one_nth_for_one_that_has_all(void **state)
{
    static const uint64_t equal[] = {7000000000, 7000000000, 7000000000, 7000000000},
                          one[] = {0, 123456789, 0, 0}, half[] = {10, 10, 0, 0}, none[] = {0, 0};

    (void)state;
    assert_int_equal(flows_jain(equal, 4), 1000);
    assert_int_equal(flows_jain(one, 4), 250);
    assert_int_equal(flows_jain(half, 4), 500);
    assert_int_equal(flows_jain(none, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jains_index_is_one_for_equals_and_one_nth_for_one_that_has_all),
        cmocka_unit_test(the_committed_table_is_what_this_core_does),
    };
    const char *slice = getenv("TAPSTACK_GOODPUT_EVERY");

#ifdef __SANITIZE_ADDRESS__
    every = 12;
#endif
    if (getenv("TAPSTACK_TEST_VALGRIND"))
        every = 200;
    if (slice && atoi(slice) > 0)
        every = (unsigned)atoi(slice);
    choose_print_missing(stdout);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
