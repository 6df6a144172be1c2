/* SPDX-License-Identifier: MIT */
/* Names of connections: what they mean, and which connections they fit. */
#include "client/cli/conn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct wire_addr v4(uint8_t last, uint16_t port)
{
    return (struct wire_addr){.addr = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = last},
                              .port = port};
}

static struct wire_info info(uint16_t local, uint16_t remote)
{
    return (struct wire_info){.state = 1, .id = 7, .local = v4(2, local), .remote = v4(1, remote)};
}

static bool fits(const char *first, const char *second, const struct wire_info *i)
{
    struct conn_spec spec;

    assert_int_equal(conn_parse(&spec, first, second), 0);
    return conn_fits(&spec, i);
}

static void names_fit_what_they_name(void **state)
{
    struct wire_info i = info(4000, 80), listener = {.state = 10, .id = 3, .local = v4(2, 80)};

    (void)state;
    assert_true(fits(":80", NULL, &i) && fits(":4000", NULL, &i));
    assert_false(fits(":81", NULL, &i));
    assert_true(fits("10.0.0.1:80", NULL, &i) && fits("10.0.0.2:4000", NULL, &i));
    assert_false(fits("10.0.0.1:4000", NULL, &i));
    assert_true(fits("10.0.0.2:4000", "10.0.0.1:80", &i));
    assert_false(fits("10.0.0.1:80", "10.0.0.2:4000", &i));
    assert_true(fits("10.0.0.2:*", "10.0.0.1:80", &i));
    assert_true(fits("latest", NULL, &i));
    assert_false(fits("latest", NULL, &listener));
    assert_false(fits(":80", NULL, &listener));
}

static void a_process_and_a_descriptor_are_a_name(void **state)
{
    struct conn_spec spec;

    (void)state;
    assert_int_equal(conn_parse(&spec, "123/4", NULL), 0);
    assert_int_equal(spec.pid, 123);
    assert_int_equal(spec.fd, 4);
}

static void nonsense_is_none(void **state)
{
    static const char *const words[] = {
        "",    "x",    "80",      ":",     ":x",      ":70000",    "1.2.3", "12/",    "1/x",
        "0/3", "-1/3", "1.2.3.4", "[::1:", "[::1]:x", "1.2.3.4:x", "::1:",  "latest2"};
    struct conn_spec spec;

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_int_equal(conn_parse(&spec, words[i], NULL), -1);
    assert_int_equal(conn_parse(&spec, ":80", ":90"), -1);
}

static void what_is_waited_for_has_a_port_or_both_ends(void **state)
{
    struct conn_spec spec;
    struct wire_trace want;

    (void)state;
    assert_int_equal(conn_parse(&spec, ":80", NULL), 0);
    assert_int_equal(conn_to_match(&spec, &want), 0);
    assert_int_equal(want.port, 80);
    assert_int_equal(conn_parse(&spec, "10.0.0.2:*", "10.0.0.1:80"), 0);
    assert_int_equal(conn_to_match(&spec, &want), 0);
    assert_int_equal(want.remote.port, 80);
    assert_int_equal(conn_parse(&spec, "10.0.0.1:80", NULL), 0);
    assert_int_equal(conn_to_match(&spec, &want), -1);
    assert_int_equal(conn_parse(&spec, "1/2", NULL), 0);
    assert_int_equal(conn_to_match(&spec, &want), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_fit_what_they_name),
        cmocka_unit_test(a_process_and_a_descriptor_are_a_name),
        cmocka_unit_test(nonsense_is_none),
        cmocka_unit_test(what_is_waited_for_has_a_port_or_both_ends),
    };

    return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
