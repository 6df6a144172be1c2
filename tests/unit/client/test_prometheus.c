/* SPDX-License-Identifier: MIT */
/* Prometheus's text, byte for byte; tests/net/test_see.sh reads a daemon's as strictly. */
#include "client/cli/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void expose(const struct wire_counter *list, size_t n, const char *wanted)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    assert_non_null(to);
    prometheus_print(to, list, n);
    fclose(to);
    assert_string_equal(text, wanted);
    free(text);
}

static void counters_and_gauges(void **state)
{
    static const struct wire_counter list[] = {
        {UINT64_MAX, WIRE_COUNTER, 0, "eth_in", "frames received"},
        {5, WIRE_GAUGE, 0, "usage_sockets", "sockets, now"},
    };

    (void)state;
    expose(list, 2,
           "# HELP tapstack_eth_in_total frames received\n"
           "# TYPE tapstack_eth_in_total counter\n"
           "tapstack_eth_in_total 18446744073709551615\n"
           "# HELP tapstack_usage_sockets sockets, now\n"
           "# TYPE tapstack_usage_sockets gauge\n"
           "tapstack_usage_sockets 5\n");
    expose(list, 0, "");
}

static void a_family_is_one_name_with_reasons(void **state)
{
    static const struct wire_counter list[] = {
        {1, WIRE_COUNTER, 0, "tcp_stop_cwnd", "not shown"},
        {2, WIRE_COUNTER, 0, "tcp_rto", "time-outs"},
        {3, WIRE_COUNTER, 0, "tcp_stop_tso_defer", "not shown"},
    };

    (void)state;
    expose(list, 3,
           "# HELP tapstack_tcp_stop_total times that a connection did not send, by reason\n"
           "# TYPE tapstack_tcp_stop_total counter\n"
           "tapstack_tcp_stop_total{reason=\"cwnd\"} 1\n"
           "tapstack_tcp_stop_total{reason=\"tso_defer\"} 3\n"
           "# HELP tapstack_tcp_rto_total time-outs\n"
           "# TYPE tapstack_tcp_rto_total counter\n"
           "tapstack_tcp_rto_total 2\n");
}

static void help_is_escaped(void **state)
{
    static const struct wire_counter list[] = {{0, WIRE_COUNTER, 0, "x", "a\\b\nc \"d\""}};

    (void)state;
    expose(list, 1,
           "# HELP tapstack_x_total a\\\\b\\nc \"d\"\n"
           "# TYPE tapstack_x_total counter\n"
           "tapstack_x_total 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_gauges),
        cmocka_unit_test(a_family_is_one_name_with_reasons),
        cmocka_unit_test(help_is_escaped),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
