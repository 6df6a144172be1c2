/* SPDX-License-Identifier: MIT */
/* Reading a trace: events in order, what was overwritten, values and texts, files that are none. */
#include "tests/unit/client/made_trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct made_trace *made;
static struct traceview view;

static int setup(void **state)
{
    (void)state;
    made = made_trace_new();
    return traceview_over(&view, made, sizeof(*made));
}

static int teardown(void **state)
{
    (void)state;
    free(view.events);
    free(view.reasons);
    free(made);
    return 0;
}

static void events_come_in_order_and_once(void **state)
{
    struct tracefile_slot s;

    (void)state;
    assert_false(traceview_next(&view, &s));
    MADE(made, 1, MADE_BEGIN, 0, 1000, 5000);
    MADE(made, 2, MADE_SENT, 1, 1001, 100, 1, 0x18, 5001, 65535);
    assert_true(traceview_next(&view, &s) && traceview_is(&view, &s, "begin"));
    assert_true(traceview_next(&view, &s) && traceview_is(&view, &s, "tcp_transmit_segment"));
    assert_false(traceview_next(&view, &s));
    MADE(made, 3, MADE_END, 0, 0);
    assert_false(view.over);
    assert_true(traceview_next(&view, &s));
    assert_true(view.over);
    assert_int_equal(view.lost, 0);
}

static void numbers_are_relative_and_words_are_words(void **state)
{
    struct tracefile_slot s;
    char text[48];

    (void)state;
    MADE(made, 1, MADE_BEGIN, 0, 0xffffff00u, 5000, 0, 0, 0, 1);
    MADE(made, 2, MADE_SENT, 2, 0x100, 100, 1, 0x18, 5001, 65535);
    traceview_next(&view, &s);
    assert_string_equal(traceview_text(&view, &s, 5, text, sizeof(text)), "ESTAB");
    traceview_next(&view, &s);
    assert_int_equal(traceview_value(&view, &s, "seq", 0), 0x200);
    assert_int_equal(traceview_value(&view, &s, "ack", 0), 1);
    assert_int_equal(traceview_value(&view, &s, "nothing", 77), 77);
    assert_string_equal(traceview_text(&view, &s, 3, text, sizeof(text)), "ACK|PSH");
    assert_string_equal(traceview_why(&view, &s), "retransmission");
    assert_string_equal(traceview_event(&view, &s)->step, "15");
}

static void a_reader_that_was_overtaken_goes_on_and_says_how_much_it_lost(void **state)
{
    struct tracefile_slot s;
    unsigned seen = 0;
    uint32_t last = 0;

    (void)state;
    for (unsigned i = 1; i <= 1000; i++)
        MADE(made, i, MADE_SENT, 1, i);
    while (traceview_next(&view, &s)) {
        assert_true(s.v[0] > last);
        last = s.v[0];
        seen++;
    }
    assert_int_equal(last, 1000);
    assert_int_equal(view.lost + seen, 1000);
    assert_true(seen >= MADE_SLOTS / 2 && seen < MADE_SLOTS);
}

static void what_a_file_says_is_not_believed(void **state)
{
    struct traceview v;
    struct tracefile_slot s;

    (void)state;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct tracefile kept = made->file;                                                        \
                                                                                                   \
        change;                                                                                    \
        assert_int_equal(traceview_over(&v, made, sizeof(*made)), -EPROTO);                        \
        made->file = kept;                                                                         \
    } while (0)
    REFUSED(made->file.magic++);
    REFUSED(made->file.n_slots = 63);
    REFUSED(made->file.n_slots = 0);
    REFUSED(made->file.n_slots = 1u << 30);
    REFUSED(made->file.n_slots = 128);
    REFUSED(made->file.slots_at = UINT32_MAX & ~7u);
    REFUSED(made->file.events_at = 8);
    REFUSED(made->file.events_at += 1);
    REFUSED(made->file.n_events = 200);
    REFUSED(made->file.n_reasons = 0);
    assert_int_equal(traceview_over(&v, made, 40), -EPROTO);
    /* an event that is not in the list is passed over, a reason that is not is none */
    MADE(made, 1, (enum made_event)200, 0, 0);
    MADE(made, 2, MADE_SENT, 99, 0);
    assert_true(traceview_next(&view, &s) && traceview_is(&view, &s, "tcp_transmit_segment"));
    assert_string_equal(traceview_why(&view, &s), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(events_come_in_order_and_once, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_relative_and_words_are_words, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_reader_that_was_overtaken_goes_on_and_says_how_much_it_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_file_says_is_not_believed, setup, teardown),
    };

    return cmocka_run_group_tests_name("traceview", tests, NULL, NULL);
}
